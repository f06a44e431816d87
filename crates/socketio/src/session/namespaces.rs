//! The namespaces of a session.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use roomwire_core::{
    DisconnectReason, Namespace,
    packet::{EncodedPacket, Packet, PacketDecoder, PacketError, PacketLimits},
};
use tokio::task::AbortHandle;

use super::{Ending, Inner, Problem, Session, admission::ConnectRate, client::SocketClient};
use crate::refusals::Refusals;

/// The decoder of a session's packets, and what its clients connected to.
#[derive(Debug)]
pub(crate) struct Namespaces {
    decoder: PacketDecoder,
    entries: Vec<(Namespace, Entry)>,
    /// Namespaces that the server disconnected the client from. Packets that the client sent before it knew are ignored.
    left: Vec<Namespace>,
    /// Counts the attempts to connect.
    attempts: u64,
    pub(super) connect_rate: ConnectRate,
    has_ended: bool,
}

#[derive(Debug)]
enum Entry {
    Connecting { attempt: u64, task: Option<AbortHandle> },
    Connected(Arc<Connected>),
}

/// A client in a namespace.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) client: Arc<SocketClient>,
    pub(crate) session: roomwire_service::Session,
}

impl Connected {
    /// Sends nothing more, and tells the service that the client has disconnected.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        self.client.discard_queued();
        self.client.closed();
        self.session.closed(reason);
    }

    /// As [`end`](Self::end), but what was sent before still reaches the client.
    fn end_after_queued(&self, reason: DisconnectReason) {
        self.client.closed();
        self.session.closed(reason);
    }
}

impl Namespaces {
    pub(super) fn new(limits: PacketLimits) -> Self {
        Self {
            decoder: PacketDecoder::new(limits),
            entries: Vec::new(),
            left: Vec::new(),
            attempts: 0,
            connect_rate: ConnectRate::default(),
            has_ended: false,
        }
    }

    /// Decodes a text message. `None` while attachments are missing, and after the session has ended.
    pub(super) fn decode_text(&mut self, text: ByteString) -> Result<Option<Packet>, PacketError> {
        if self.has_ended { Ok(None) } else { self.decoder.text(text) }
    }

    pub(super) fn decode_binary(&mut self, attachment: Bytes) -> Result<Option<Packet>, PacketError> {
        if self.has_ended { Ok(None) } else { self.decoder.binary(attachment) }
    }

    fn position(&self, namespace: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.as_str() == namespace)
    }

    /// Begins to connect to a namespace, in place of an attempt that is not answered yet: a client that disconnects before
    /// it is connected says nothing, and may connect again at once. Returns the number of the attempt; `None` after the
    /// session has ended.
    ///
    /// # Errors
    /// For a namespace that the session is in, as in the reference server.
    pub(super) fn begin_to_connect(&mut self, namespace: &Namespace) -> Result<Option<u64>, Problem> {
        if self.has_ended {
            return Ok(None);
        }
        if let Some(at) = self.position(namespace.as_str()) {
            if matches!(self.entries[at].1, Entry::Connected(_)) {
                return Err(Problem::Engine("a second CONNECT for a namespace"));
            }
            self.entries.swap_remove(at).1.abort();
        }
        self.left.retain(|left| left != namespace);
        self.attempts += 1;
        self.entries.push((namespace.clone(), Entry::Connecting { attempt: self.attempts, task: None }));
        Ok(Some(self.attempts))
    }

    fn attempt(&mut self, attempt: u64) -> Option<usize> {
        self.entries
            .iter()
            .position(|(_, entry)| matches!(entry, Entry::Connecting { attempt: of, .. } if *of == attempt))
    }

    /// Gives an attempt the task that leaving aborts.
    pub(super) fn set_task(&mut self, attempt: u64, task: AbortHandle) {
        match self.attempt(attempt) {
            Some(at) => self.entries[at].1 = Entry::Connecting { attempt, task: Some(task) },
            None => task.abort(),
        }
    }

    /// Completes an attempt. False when the client has left meanwhile.
    pub(super) fn complete(&mut self, attempt: u64, connected: Arc<Connected>) -> bool {
        let at = self.attempt(attempt);
        if let Some(at) = at {
            self.entries[at].1 = Entry::Connected(connected);
        }
        at.is_some()
    }

    /// Removes a failed attempt. Returns whether it was there, and whether the session is in no namespace now.
    pub(super) fn fail(&mut self, attempt: u64) -> Option<bool> {
        let at = self.attempt(attempt)?;
        self.entries.swap_remove(at);
        Some(self.entries.is_empty())
    }

    /// The client that a packet is for; `None` when the server disconnected it.
    fn connected(&self, namespace: &str) -> Result<Option<Arc<Connected>>, Problem> {
        match self.position(namespace).map(|at| &self.entries[at].1) {
            Some(Entry::Connected(connected)) => Ok(Some(connected.clone())),
            Some(Entry::Connecting { .. }) => Err(Problem::Engine("a packet before CONNECT was answered")),
            None if self.has_ended || self.left.iter().any(|left| left.as_str() == namespace) => Ok(None),
            None => Err(Problem::Engine("a packet for a namespace that the client is not connected to")),
        }
    }

    /// The client leaves a namespace. Returns its entry, and whether the session is in no namespace now.
    pub(super) fn leave(&mut self, namespace: &str) -> Result<(Option<Arc<Connected>>, bool), Problem> {
        match self.position(namespace) {
            None => self.connected(namespace).map(|_| (None, false)),
            Some(at) => {
                let (_, entry) = self.entries.swap_remove(at);
                Ok((entry.abort(), self.entries.is_empty()))
            }
        }
    }

    /// The server disconnects a client. Returns its entry, and whether the session is in no namespace now.
    fn remove(&mut self, client: &SocketClient) -> Option<(Arc<Connected>, bool)> {
        let at = self.entries.iter().position(|(_, entry)| entry.is_of(client))?;
        let (namespace, entry) = self.entries.swap_remove(at);
        self.left.push(namespace);
        Some((entry.abort()?, self.entries.is_empty()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, client: &SocketClient) -> Option<Arc<Connected>> {
        self.all().find(|connected| std::ptr::eq(&*connected.client, client))
    }

    fn first(&self) -> Option<Arc<Connected>> {
        self.all().next()
    }

    fn all(&self) -> impl Iterator<Item = Arc<Connected>> {
        self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Connected(connected) => Some(connected.clone()),
            Entry::Connecting { .. } => None,
        })
    }
}

impl Entry {
    /// Stops an attempt to connect.
    fn abort(self) -> Option<Arc<Connected>> {
        match self {
            Self::Connected(connected) => Some(connected),
            Self::Connecting { task, .. } => {
                if let Some(task) = task {
                    task.abort();
                }
                None
            }
        }
    }

    fn is_of(&self, client: &SocketClient) -> bool {
        matches!(self, Self::Connected(connected) if std::ptr::eq(&*connected.client, client))
    }
}

impl Session {
    pub(super) fn connected(&self, namespace: &str) -> Result<Option<Arc<Connected>>, Problem> {
        self.0.namespaces.lock().connected(namespace)
    }

    /// The clients of the session.
    pub(crate) fn connected_clients(&self) -> Vec<Arc<Connected>> {
        self.0.namespaces.lock().all().collect()
    }

    /// Disconnects a client for this reason, as the service wants it.
    pub(crate) fn disconnect(&self, client: &SocketClient, reason: DisconnectReason) {
        let inner = &self.0;
        match reason {
            // Its events are still answered, and then its transport is closed with all others, so that the client comes
            // back by itself, to another node.
            DisconnectReason::ServerShutdown => {
                let connected = inner.namespaces.lock().find(client);
                if let Some(connected) = connected {
                    connected.session.closed(reason);
                }
            }
            // It is told, after what was sent to it before, and does not come back by itself with what it showed.
            DisconnectReason::DisconnectedByServer
            | DisconnectReason::TokenExpired
            | DisconnectReason::AccessRevoked
                if !inner.outbox.is_slow() =>
            {
                let removed = inner.namespaces.lock().remove(client);
                let Some((connected, is_idle)) = removed else { return };
                let last = EncodedPacket::disconnect(client.namespace()).message().clone();
                if !inner.outbox.close(client.recipient(), last) {
                    self.end_slow();
                }
                if is_idle {
                    self.set_idle(true);
                }
                connected.end_after_queued(reason);
            }
            _ => {
                let removed = inner.namespaces.lock().remove(client);
                if let Some((connected, _)) = removed {
                    connected.end(reason);
                }
                self.end(DisconnectReason::ConnectionLost, Ending::Abort);
            }
        }
    }
}

impl Inner {
    /// Ends all clients of the session.
    pub(super) fn end_namespaces(&self, reason: DisconnectReason, ending: Ending) {
        let entries = {
            let mut namespaces = self.namespaces.lock();
            namespaces.has_ended = true;
            std::mem::take(&mut namespaces.entries)
        };
        for connected in entries.into_iter().filter_map(|(_, entry)| entry.abort()) {
            match ending {
                Ending::Flush => connected.end_after_queued(reason),
                Ending::Abort => connected.end(reason),
            }
        }
    }

    /// Reports something to the log, with the id of a client that the service does not end already, or else with the
    /// address.
    pub(super) fn report_to_log(&self, report: impl FnOnce(&Refusals, &dyn std::fmt::Display)) {
        let client = self.namespaces.lock().first();
        match client {
            Some(connected) if connected.session.is_closed() => {}
            Some(connected) => report(&self.context.refusals, connected.client.id()),
            None => report(&self.context.refusals, &self.request),
        }
    }
}

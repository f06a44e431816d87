//! Events with acknowledgement.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use roomwire_core::{
    Answer, ClientId, EncodedPayload, Error, ErrorCode, IntoPayload, NodeMessage, NodeProcess, OutboundEvent,
    PageRequest, Payload, RoomKey, ToClientId, ToRoom,
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::WebSocketService;
use crate::{backend::Deadline, limits};

/// The acknowledgements of a room's members.
#[derive(Debug)]
pub struct RoomAnswers<T> {
    /// The clients that acknowledged, with their data. Data that is no `T` is an `INVALID_PAYLOAD` error.
    pub answers: Vec<(ClientId, Result<T, Error>)>,
    /// The members that did not acknowledge in time, sorted.
    pub silent: Vec<ClientId>,
}

impl WebSocketService {
    /// Sends an event to one client, wherever in the cluster it is connected, and waits for its
    /// acknowledgement.
    ///
    /// # Errors
    /// `TIMEOUT` if it did not acknowledge in time, `CLIENT_NOT_FOUND`, `INVALID_PAYLOAD` if the acknowledgement is no
    /// `T`, `INVALID_NAME`, `PAYLOAD_TOO_LARGE`, `STATE_UNAVAILABLE`; `LIMIT_EXCEEDED` if the data or the
    /// acknowledgement has more binary values than `limits.attachments`.
    ///
    /// # Cancellation
    /// A dropped call no longer waits; the event is not recalled.
    pub async fn send_to_client_with_ack<T: DeserializeOwned>(
        &self,
        client: impl ToClientId,
        event: &str,
        data: impl IntoPayload,
        timeout: Duration,
    ) -> Result<T, Error> {
        let client = client.to_client_id()?;
        let event = self.outbound(event, data)?;
        let answer = if let Some(client) = self.namespace.client(&client) {
            match self.node.emit_with_ack_local(&client, &event, timeout).await {
                Answer::Acknowledged(payload) => Some(payload),
                Answer::TimedOut => None,
                Answer::Undelivered(_) => return Err(ErrorCode::ClientNotFound.into()),
            }
        } else {
            self.node.backend.fits_message(&event.payload)?;
            let until = self.node.backend.deadline();
            let process = self.locate_elsewhere(until, &client).await?;
            let asked = HashMap::from([(process, vec![client])]);
            self.request_acks_elsewhere(until, asked, &event, timeout).await?.pop().and_then(|(_, answer)| answer)
        };
        self.read(&answer.ok_or(Error::new(ErrorCode::Timeout))?)
    }

    /// Sends an event to all members of a room, in the whole cluster, and waits until all have acknowledged it or the
    /// timeout has expired.
    ///
    /// The members are read from the store, so that missing acknowledgements are known. Therefore it costs more than a
    /// broadcast: use it for small rooms, not for a million members.
    ///
    /// # Errors
    /// `INVALID_NAME`, `PAYLOAD_TOO_LARGE`, `STATE_UNAVAILABLE`; `INTERNAL` if the data cannot be serialized as JSON;
    /// `LIMIT_EXCEEDED` if it has more binary values than `limits.attachments`.
    ///
    /// # Cancellation
    /// A dropped call no longer waits; the event is not recalled.
    pub async fn broadcast_to_room_with_ack<T: DeserializeOwned>(
        &self,
        room: impl ToRoom,
        event: &str,
        data: impl IntoPayload,
        timeout: Duration,
    ) -> Result<RoomAnswers<T>, Error> {
        let room = self.room_key(room)?;
        let event = self.outbound(event, data)?;
        self.node.backend.fits_message(&event.payload)?;
        let mut elsewhere = self.members_by_process(&room).await?;
        let mut silent: HashSet<ClientId> = elsewhere.values().flatten().cloned().collect();
        let here = elsewhere.remove(&self.node.process).unwrap_or_default();
        let until = self.node.backend.deadline();
        let (here, elsewhere) = tokio::join!(
            self.request_acks_here(here, &event, timeout),
            self.request_acks_elsewhere(until, elsewhere, &event, timeout)
        );
        let answers = here.into_iter().chain(elsewhere?).filter_map(|(client, answer)| {
            let answer = answer?;
            // A repeated acknowledgement does not count twice.
            silent.remove(&client).then(|| (client, self.read(&answer)))
        });
        let answers = answers.collect();
        let mut silent: Vec<ClientId> = silent.into_iter().collect();
        silent.sort_unstable();
        Ok(RoomAnswers { answers, silent })
    }

    /// The acknowledgement of a client, if it is within the limits.
    fn read<T: DeserializeOwned>(&self, answer: &Payload) -> Result<T, Error> {
        limits::payload(&self.node.config().limits, answer)?;
        answer.decode()
    }

    async fn members_by_process(&self, room: &RoomKey) -> Result<HashMap<NodeProcess, Vec<ClientId>>, Error> {
        let mut members: HashMap<NodeProcess, Vec<ClientId>> = HashMap::new();
        // A page may repeat a member.
        let mut seen = HashSet::new();
        let mut page = PageRequest::first(PageRequest::MAX_LIMIT);
        loop {
            // A timeout for each page: a large room has many.
            let read = self.node.backend.bounded(self.node.backend.store.members(room, &page)).await?;
            for member in read.items {
                if seen.insert(member.client.clone()) {
                    members.entry(member.incarnation.process()).or_default().push(member.client);
                }
            }
            match read.next {
                Some(next) => page = PageRequest::after(next, PageRequest::MAX_LIMIT),
                None => return Ok(members),
            }
        }
    }

    async fn request_acks_here(
        &self,
        clients: Vec<ClientId>,
        event: &OutboundEvent,
        timeout: Duration,
    ) -> Vec<(ClientId, Option<Payload>)> {
        let asked: FuturesUnordered<_> = clients
            .into_iter()
            .map(|client| async move {
                let Some(local) = self.namespace.client(&client) else { return (client, None) };
                let answer = match self.node.emit_with_ack_local(&local, event, timeout).await {
                    Answer::Acknowledged(payload) => Some(payload),
                    Answer::TimedOut | Answer::Undelivered(_) => None,
                };
                (client, answer)
            })
            .collect();
        asked.collect().await
    }

    /// Requests acknowledgements from clients of other processes. Those missing in the result did not answer in time.
    async fn request_acks_elsewhere(
        &self,
        until: Deadline,
        clients: HashMap<NodeProcess, Vec<ClientId>>,
        event: &OutboundEvent,
        timeout: Duration,
    ) -> Result<Vec<(ClientId, Option<Payload>)>, Error> {
        let waiting: usize = clients.values().map(Vec::len).sum();
        let mut request = self.node.pending_acks.open();
        let began = Instant::now();
        for (process, clients) in clients {
            let message = NodeMessage::AckRequest {
                request: request.id,
                namespace: self.namespace_name().clone(),
                clients,
                event: event.name.as_str().to_owned(),
                payload: EncodedPayload::from(&event.payload),
                timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            };
            self.tell(until, process, message).await?;
        }
        let mut answers = Vec::with_capacity(waiting);
        let all = async {
            while answers.len() < waiting {
                answers.extend(request.responses.recv().await);
            }
        };
        // Members without an acknowledgement by then have timed out.
        let _ = tokio::time::timeout(timeout.saturating_sub(began.elapsed()), all).await;
        Ok(answers)
    }
}

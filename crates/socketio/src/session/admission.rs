//! A client connects to a namespace.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use roomwire_core::{ClientId, Error, ErrorCode, Escaped, Namespace, Payload, packet::EncodedPacket};
use roomwire_service::Handshake;
use serde_json::value::to_raw_value;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::{Connected, EndOnPanic, Problem, Session, client::SocketClient, random_id};
use crate::FullAt;

/// When a session may connect to namespaces as often as it may at most.
#[derive(Debug, Default)]
pub(crate) struct ConnectRate(Option<FullAt>);

impl Session {
    /// The client asks to connect to a namespace. It is answered by CONNECT or CONNECT_ERROR.
    pub(super) fn connect(&self, name: &str, auth: Payload) -> Result<(), Problem> {
        if name.len() > Namespace::MAX_BYTES {
            return Err(Problem::Engine("the name of a namespace is too long"));
        }
        let Some(namespace) = self.0.context.namespace(name) else {
            // In the words of the reference server, without `data`.
            return self.answer_connect(&EncodedPacket::connect_error(name, "Invalid namespace", None));
        };
        let begun = self.0.namespaces.lock().begin_to_connect(namespace)?;
        let Some(attempt) = begun else { return Ok(()) };
        self.set_idle(false);
        let connecting = self.clone().connect_to(namespace.clone(), auth, attempt).instrument(self.0.span.clone());
        let task = tokio::spawn(connecting).abort_handle();
        self.0.namespaces.lock().set_task(attempt, task);
        Ok(())
    }

    fn answer_connect(&self, packet: &EncodedPacket) -> Result<(), Problem> {
        if !self.0.outbox.send_unlimited(packet.message().clone()) {
            self.end_slow();
        }
        Ok(())
    }

    async fn connect_to(self, namespace: Namespace, auth: Payload, attempt: u64) {
        let _guard = EndOnPanic(&self);
        self.wait_for_connect_rate().await;
        let client = match ClientId::new(random_id()) {
            Ok(id) => Arc::new(SocketClient::new(id, namespace.clone(), &self)),
            Err(error) => return self.refuse(&namespace, attempt, &error.into()),
        };
        let request = &self.0.request;
        let handshake = Handshake {
            auth,
            headers: request.headers.clone(),
            query: request.query.clone(),
            address: request.address,
            origin: request.origin().map(ToOwned::to_owned),
            ..Handshake::new(client.id().clone())
        };
        let admitted = self.0.context.dispatcher.admit(&namespace, handshake, client.clone());
        let session = match AssertUnwindSafe(admitted).catch_unwind().await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return self.refuse(&namespace, attempt, &error),
            Err(_) => return self.refuse(&namespace, attempt, &ErrorCode::Internal.into()),
        };
        // A session that is not taken closes itself.
        let connected = Arc::new(Connected { client: client.clone(), session });
        if self.0.namespaces.lock().complete(attempt, connected.clone()) {
            let connect = EncodedPacket::connect(namespace.as_str(), client.id(), None);
            let activate = || connected.session.opened();
            if !self.0.outbox.open(client.recipient(), connect.message().clone(), activate) {
                self.end_slow();
            }
        }
    }

    /// Waits until the session may connect to a namespace again: a client does not repeat a refused CONNECT by itself.
    async fn wait_for_connect_rate(&self) {
        let rate = self.0.settings.connects;
        loop {
            let wait = {
                let (now, mut namespaces) = (Instant::now(), self.0.namespaces.lock());
                let full_at = namespaces.connect_rate.0.unwrap_or(now);
                let wait = rate.wait(full_at, now);
                if wait.is_none() {
                    namespaces.connect_rate.0 = Some(rate.charge(full_at, now));
                }
                wait
            };
            let Some(wait) = wait else { return };
            self.0.context.refusals.delayed_connect(&self.0.request);
            sleep(wait).await;
        }
    }

    /// Answers CONNECT_ERROR, unless the client has left meanwhile.
    fn refuse(&self, namespace: &Namespace, attempt: u64, error: &Error) {
        self.0.context.refusals.connect(error, &self.0.request);
        if error.code() == ErrorCode::Internal {
            tracing::error!(target: "roomwire", error = %Escaped(format_args!("{error:?}")), "a client could not be admitted");
        }
        let failed = self.0.namespaces.lock().fail(attempt);
        let Some(is_idle) = failed else { return };
        let data = to_raw_value(error).ok();
        let packet = EncodedPacket::connect_error(namespace.as_str(), &error.to_string(), data.as_deref());
        // It never fails: a session that does not read is ended.
        let _ = self.answer_connect(&packet);
        if is_idle {
            self.set_idle(true);
        }
    }
}

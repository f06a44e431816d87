//! What `on_disconnect` saw.

use roomwire_service::{Client, ClientId, DisconnectReason, Error, Gateway, LeftRooms, RoomId, State};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::within;

/// One call of `on_disconnect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) client: ClientId,
    pub(crate) reason: DisconnectReason,
    pub(crate) rooms: Vec<RoomId>,
}

/// The calls of `on_disconnect`, in order.
#[derive(Debug)]
pub(crate) struct Departures(UnboundedReceiver<Departure>);

impl Departures {
    /// Registers the handler.
    pub(crate) fn of(gateway: Gateway) -> (Gateway, Self) {
        let (tell, told) = unbounded_channel();
        (gateway.with_state(tell).on_disconnect(departed), Self(told))
    }

    /// The next one, which must come.
    pub(crate) async fn next(&mut self) -> Departure {
        within("a client departs", self.0.recv()).await.expect("the gateway is alive")
    }

    /// The reason of the next one, which must be this client's.
    pub(crate) async fn reason_of(&mut self, client: &str) -> DisconnectReason {
        let departure = self.next().await;
        assert_eq!(departure.client.as_str(), client);
        departure.reason
    }

    /// The next one, when it came already.
    pub(crate) fn try_next(&mut self) -> Option<Departure> {
        self.0.try_recv().ok()
    }

    /// Whether no other client departed.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

async fn departed(
    State(tell): State<UnboundedSender<Departure>>,
    client: Client,
    reason: DisconnectReason,
    LeftRooms(rooms): LeftRooms,
) -> Result<(), Error> {
    let _ = tell.send(Departure { client: client.id().clone(), reason, rooms: rooms.to_vec() });
    Ok(())
}

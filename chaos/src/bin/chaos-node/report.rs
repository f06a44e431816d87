//! Reports events to the test, and lost members to the rest of their room.

use roomwire_chaos::control::{Happening, Line, Said};
use roomwire_core::{DisconnectReason, LeaveReason};
use roomwire_service::{ClientId, RoomId, ServiceEvent, WebSocketService};
use tokio::sync::mpsc;

use crate::channel::Output;

/// Runs until the service is gone.
pub(crate) fn spawn(service: WebSocketService, output: Output) {
    let mut events = service.events();
    let (lost, mut hear_of_lost) = mpsc::unbounded_channel::<(RoomId, ClientId)>();
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(event) = events.next().await {
            if let ServiceEvent::Left { room, client, reason: LeaveReason::Disconnected(DisconnectReason::NodeLost) } =
                &event
            {
                // The listeners may be gone.
                let _ = lost.send((room.room.clone(), client.clone()));
            }
            output.write(&Line::Happened { number, what: happening(event) });
            number += 1;
        }
    });
    // Not in the task that reads the events: it would miss some while it waits.
    tokio::spawn(async move {
        while let Some((room, client)) = hear_of_lost.recv().await {
            let said = Said { room: room.to_string(), number: 0, from: client.to_string() };
            if let Err(error) = service.broadcast_to_room(&room, "lost", &said).await {
                tracing::warn!(target: "roomwire", %room, %error, "members were not told of a lost one");
            }
        }
    });
}

fn happening(event: ServiceEvent) -> Happening {
    match event {
        ServiceEvent::ClientConnected { client } => Happening::Connected { client: client.client.to_string() },
        ServiceEvent::ClientDisconnected { client, reason } => {
            Happening::Disconnected { client: client.client.to_string(), reason: reason.to_string() }
        }
        ServiceEvent::Joined { room, client } => {
            Happening::Joined { room: room.room.to_string(), client: client.to_string() }
        }
        ServiceEvent::Left { room, client, reason } => {
            Happening::Left { room: room.room.to_string(), client: client.to_string(), reason: reason.to_string() }
        }
        ServiceEvent::StateUnavailable => Happening::StateUnavailable,
        ServiceEvent::StateRecovered => Happening::StateRecovered,
        ServiceEvent::BackplaneInterrupted => Happening::Interrupted,
        ServiceEvent::BackplaneGap => Happening::Gap,
        ServiceEvent::Missed { events } => Happening::Missed { events },
        other => Happening::Other { text: format!("{other:?}") },
    }
}

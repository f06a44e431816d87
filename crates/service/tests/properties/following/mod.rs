//! Following rooms, users and clients live, and showing their events in the log.

mod bounds;
mod log_lines;
mod nodes;
mod races;
mod targets;

use futures_util::FutureExt;
use roomwire_service::{
    Activity, Client, Data, Error, ErrorCode, FollowTarget, Followed, Follower, Gateway, WebSocketService,
};

use crate::fixture::within;

pub(crate) fn room(name: &str) -> FollowTarget {
    FollowTarget::Room(roomwire_service::RoomId::new(name).expect("valid"))
}

fn client(client: &Client) -> FollowTarget {
    FollowTarget::Client(client.id().clone())
}

/// The next item, which must come.
async fn next(follower: &mut Follower) -> Followed {
    within("an item", follower.next()).await.expect("is followed")
}

/// The items that are there already.
fn drain(follower: &mut Follower) -> Vec<Followed> {
    std::iter::from_fn(|| follower.next().now_or_never().flatten()).collect()
}

/// An item in short: what happened, and with which outcome or cause.
fn short(item: &Followed) -> String {
    match &item.activity {
        Activity::Received { event, outcome, .. } => {
            format!("{} {outcome}", event.as_ref().map_or("?", |event| event.as_str()))
        }
        Activity::Sent { event, payload, .. } => format!("sent {} {}", event.as_str(), payload.arguments()),
        Activity::AckRequested { event, outcome, .. } => format!("asked {} {outcome}", event.as_str()),
        Activity::Disconnected { reason } => format!("disconnected {reason}"),
        Activity::Left { reason } => format!("left {reason}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn all_short(follower: &mut Follower) -> Vec<String> {
    drain(follower).iter().map(short).collect()
}

async fn join(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.join_room(&client, &room).await
}

async fn leave(service: WebSocketService, client: Client, Data(room): Data<String>) -> Result<(), Error> {
    service.leave_room(&client, &room).await
}

async fn refuse(Data(_): Data<String>) -> Result<(), Error> {
    Err(ErrorCode::Forbidden.into())
}

fn gateway() -> Gateway {
    Gateway::new().on("join", join).on("leave", leave).on("refuse", refuse)
}

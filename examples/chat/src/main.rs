//! A chat that people open in their browsers. `cargo xtask example chat` runs it.

mod events;
mod page;

use roomwire_axum_adapter::{Server, stop_requested};
use roomwire_service::{
    Client, Data, Error, ErrorCode, Gateway, LeaveReason, Metadata, NewRoom, PageRequest, RoomId, RoomSummary,
    ServiceEvent, Timestamp, WebSocketConfig, WebSocketService,
};
use roomwire_state_memory::MemoryState;
use serde_json::{Value, json};

use crate::events::{NewMessage, Person, SendMessage, UserJoined, UserLeft, name_of, people};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = WebSocketService::builder(WebSocketConfig::load()?).state(MemoryState::new()).build().await?;
    service.create_room("duo", NewRoom::with_capacity(2)).await?;
    service.close_room("archive").await?;
    tokio::spawn(tell_of_those_who_vanish(service.clone()));
    let gateway = Gateway::new()
        .on_connect(introduce)
        .on("join-room", join_room)
        .on("leave-room", leave_room)
        .on("send-message", send_message)
        .on("list-rooms", list_rooms);
    let server = Server::bind(page::router(), service, gateway).await?;
    println!("chat: http://{}", server.local_addr()?);
    Ok(server.run_until(stop_requested()).await?)
}

/// Remembers the name that came with the handshake.
async fn introduce(service: WebSocketService, client: Client, Data(person): Data<Option<Person>>) -> Result<(), Error> {
    let name = person.unwrap_or_default().checked_name()?;
    service.set_client_metadata(&client, Metadata::from_iter([("name".to_owned(), name.into())])).await
}

async fn join_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<Value, Error> {
    let was_in = client.is_in(&room);
    service.join_room(&client, &room).await?; // ROOM_FULL and ROOM_CLOSED reach the client by `?`
    if !was_in {
        let joined = UserJoined { user_id: client.id(), name: name_of(&client.metadata()), room: &room };
        service.broadcast_to_room(&room, "user-joined", &joined).await?;
    }
    Ok(json!({ "room": room, "members": people(&service, &room).await? }))
}

async fn leave_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<Value, Error> {
    service.leave_room(&client, &room).await?;
    let name = Some(name_of(&client.metadata()));
    let left = UserLeft { user_id: client.id(), name, room: &room, reason: LeaveReason::Left };
    service.broadcast_to_room(&room, "user-left", &left).await?;
    Ok(json!({ "room": room }))
}

async fn send_message(service: WebSocketService, client: Client, sent: Data<SendMessage>) -> Result<Value, Error> {
    let Data(SendMessage { room, message }) = sent;
    if !client.is_in(&room) {
        return Err(Error::new(ErrorCode::NotInRoom));
    }
    let timestamp = Timestamp::now();
    let name = name_of(&client.metadata());
    let new = NewMessage { user_id: client.id(), name, room: &room, message, timestamp };
    service.broadcast_to_room(&room, "new-message", &new).await?;
    Ok(json!({ "timestamp": timestamp }))
}

async fn list_rooms(service: WebSocketService) -> Result<Vec<Value>, Error> {
    let rooms = service.rooms(&PageRequest::first(100)).await?.items;
    let row = |RoomSummary { id, members, capacity, closed, .. }| json!({ "room": id, "members": members, "capacity": capacity, "closed": closed });
    Ok(rooms.into_iter().map(row).collect())
}

/// Those who leave a room are told of by `leave_room`; those who disconnect, or are lost with their node, here.
async fn tell_of_those_who_vanish(service: WebSocketService) {
    let mut events = service.events();
    while let Some(event) = events.next().await {
        let ServiceEvent::Left { room, client, reason: reason @ LeaveReason::Disconnected(_) } = event else {
            continue;
        };
        let left = UserLeft { user_id: &client, name: None, room: &room.room, reason };
        if let Err(error) = service.broadcast_to_room(&room.room, "user-left", &left).await {
            eprintln!("could not tell {:?} of {client}: {error}", room.room);
        }
    }
}

//! A chat that people open in their browsers. `cargo xtask example chat` runs it.

mod operations;
mod page;
mod state;

use std::time::Duration;

use roomwire_axum_adapter::{Server, init_logging, stop_requested};
use roomwire_service::{
    Client, Data, Error, ErrorCode, Gateway, LeaveReason, Metadata, NewRoom, PageRequest, RoomId, ServiceEvent,
    Timestamp, WebSocketConfig, WebSocketService,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::operations::Operations;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = WebSocketConfig::load()?;
    init_logging(&config);
    let operations = Operations::begin()?; // the recorder of metrics comes before the state
    let service = state::choose(config).await?.build().await?;
    create_default_rooms(&service).await?;
    tokio::spawn(relay_departures(service.clone()));
    let gateway = Gateway::new()
        .on_connect(introduce)
        .on("join-room", join_room)
        .on("leave-room", leave_room)
        .on("send-message", send_message)
        .on("list-rooms", list_rooms);
    let server = Server::bind(page::router(), service.clone(), gateway).await?;
    operations.serve(&service).await?; // now that clients can connect
    if let Some(address) = roomwire_http_api::start(server.layer()).await? {
        println!("api: http://{address}/v1");
    }
    println!("chat: http://{}", server.local_addr()?);
    Ok(server.run_until(stop_requested()).await?)
}

/// The rooms that are there from the start, whichever node of a cluster starts first.
async fn create_default_rooms(service: &WebSocketService) -> Result<(), Error> {
    match service.create_room("duo", NewRoom::with_capacity(2)).await {
        Err(error) if error.code() == ErrorCode::Forbidden => {} // another node has created it
        created => drop(created?),
    }
    service.close_room("archive").await?; // creates it, too
    Ok(())
}

/// Rooms without members are lost with the state. New ones are refused until the nodes have restored those with
/// members.
async fn create_default_rooms_again(service: WebSocketService) {
    while create_default_rooms(&service).await.is_err_and(|error| error.is_retryable()) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Remembers the name that came with the handshake, and says which node of a cluster the client is on.
async fn introduce(service: WebSocketService, client: Client, Data(sent): Data<Value>) -> Result<(), Error> {
    let name = sent.get("name").and_then(Value::as_str).unwrap_or("guest").trim().to_owned();
    if !(1..=40).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Error::invalid_field("name", "1 to 40 characters are allowed"));
    }
    service.set_client_metadata(&client, Metadata::from_iter([("name".to_owned(), name.into())])).await?;
    service.send_to_client(&client, "welcome", &json!({ "node": service.config().node_id })).await
}

fn name_of(client: &Client) -> Option<Value> {
    client.metadata().remove("name")
}

async fn join_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<Value, Error> {
    let was_in = client.is_in(&room);
    service.join_room(&client, &room).await?; // ROOM_FULL and ROOM_CLOSED reach the client by `?`
    if !was_in {
        let joined = json!({ "userId": client.id(), "name": name_of(&client), "room": room });
        service.broadcast_to_room(&room, "user-joined", &joined).await?;
    }
    let mut people = Vec::new();
    for member in service.members(&room, &PageRequest::first(200)).await?.items {
        // A client that left at this moment is missing.
        if let Ok(member) = service.client(&member.client).await {
            people.push(json!({ "userId": member.id, "name": member.metadata.get("name") }));
        }
    }
    Ok(json!({ "room": room, "members": people }))
}

async fn leave_room(service: WebSocketService, client: Client, Data(room): Data<RoomId>) -> Result<Value, Error> {
    service.leave_room(&client, &room).await?;
    let left = json!({ "userId": client.id(), "name": name_of(&client), "room": room, "reason": LeaveReason::Left });
    tell_of_departure(&service, &room, &left).await;
    Ok(json!({ "room": room }))
}

#[derive(Deserialize)]
struct SendMessage {
    room: RoomId,
    message: String,
}

async fn send_message(
    service: WebSocketService,
    client: Client,
    Data(sent): Data<SendMessage>,
) -> Result<Value, Error> {
    let SendMessage { room, message } = sent;
    if !client.is_in(&room) {
        return Err(Error::new(ErrorCode::NotInRoom));
    }
    let (timestamp, name) = (Timestamp::now(), name_of(&client));
    let new = json!({ "userId": client.id(), "name": name, "room": room, "message": message, "timestamp": timestamp });
    service.broadcast_to_room(&room, "new-message", &new).await?;
    Ok(json!({ "timestamp": timestamp }))
}

async fn list_rooms(service: WebSocketService) -> Result<Vec<Value>, Error> {
    let rooms = service.rooms(&PageRequest::first(100)).await?.items.into_iter();
    Ok(rooms
        .map(|room| json!({ "room": room.id, "members": room.members, "capacity": room.capacity, "closed": room.closed }))
        .collect())
}

/// What no client asks for.
async fn relay_departures(service: WebSocketService) {
    let mut events = service.events();
    while let Some(event) = events.next().await {
        match event {
            // `leave_room` announces clients that leave by themselves.
            ServiceEvent::Left { room, client, reason: reason @ LeaveReason::Disconnected(_) } => {
                let left = json!({ "userId": client, "room": room.room, "reason": reason });
                tell_of_departure(&service, &room.room, &left).await;
            }
            ServiceEvent::StateLost => drop(tokio::spawn(create_default_rooms_again(service.clone()))),
            _ => {}
        }
    }
}

/// The client has left, also when other nodes cannot be told at this moment.
async fn tell_of_departure(service: &WebSocketService, room: &RoomId, left: &Value) {
    if let Err(error) = service.broadcast_to_room(room, "user-left", left).await {
        eprintln!("not everybody in {room:?} was told of {}: {error}", left["userId"]);
    }
}

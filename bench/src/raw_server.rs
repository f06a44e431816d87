//! Plain socketioxide behind axum, as its documentation has it.

use std::net::SocketAddr;

use axum::{Router, serve::ListenerExt};
use roomwire_service::WebSocketConfig;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::net::TcpListener;

use crate::server::Say;

/// Begins to serve; returns where.
pub(crate) async fn start(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    // What Roomwire allows to wait for one client, so that the same number of messages may be on their way.
    let buffer = WebSocketConfig::default().limits.send_buffer;
    let (layer, io) = SocketIo::builder().max_buffer_size(buffer).build_layer();
    io.ns("/", connected);
    let app = Router::new().layer(layer);
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        // A connection that broke in this moment fails at its first read.
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn connected(socket: SocketRef) {
    socket.on("join", join);
    socket.on("say", say);
}

async fn join(socket: SocketRef, Data(room): Data<String>, ack: AckSender) {
    socket.join(room);
    let _ = ack.send(&());
}

async fn say(io: SocketIo, Data(Say { room, message }): Data<Say>) {
    // What is lost here is missed at the end of the measurement, which fails then.
    let _ = io.within(room).emit("said", &message).await;
}

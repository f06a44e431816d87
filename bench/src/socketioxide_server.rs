//! socketioxide behind axum, as its documentation has it: plain, or with its Redis adapter.

use std::net::SocketAddr;

use axum::{Router, serve::ListenerExt};
use roomwire_service::WebSocketConfig;
use socketioxide::{
    SocketIo, SocketIoBuilder,
    adapter::Adapter,
    extract::{AckSender, Data, SocketRef},
    layer::SocketIoLayer,
};
use socketioxide_redis::{RedisAdapter, RedisAdapterCtr, drivers::redis::redis_client};
use tokio::net::TcpListener;

use crate::serve::Say;

/// Begins to serve; returns where.
pub(crate) async fn start(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let (layer, io) = builder().build_layer();
    io.ns("/", connected);
    serve(address, layer).await
}

/// The same, with other nodes on this Redis server.
pub(crate) async fn start_with_redis(address: SocketAddr, url: &str) -> anyhow::Result<SocketAddr> {
    // The adapter speaks this version of the protocol only.
    let client = redis_client::Client::open(format!("{url}?protocol=resp3"))?;
    let adapter = RedisAdapterCtr::new_with_redis(&client).await?;
    let (layer, io) = builder().with_adapter::<RedisAdapter<_>>(adapter).build_layer();
    io.ns("/", connected).await?;
    serve(address, layer).await
}

fn builder() -> SocketIoBuilder {
    // The number of packets that Roomwire queues for a client, so that the same number of messages may be in flight.
    SocketIo::builder().max_buffer_size(WebSocketConfig::default().limits.send_buffer)
}

async fn serve<A: Adapter>(address: SocketAddr, layer: SocketIoLayer<A>) -> anyhow::Result<SocketAddr> {
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

async fn connected<A: Adapter>(socket: SocketRef<A>) {
    socket.on("join", join);
    socket.on("say", say);
}

async fn join<A: Adapter>(socket: SocketRef<A>, Data(room): Data<String>, ack: AckSender<A>) {
    socket.join(room);
    let _ = ack.send(&());
}

async fn say<A: Adapter>(io: SocketIo<A>, Data(Say { room, message }): Data<Say>) {
    // A lost message is missed at the end of the measurement, which fails then.
    let _ = io.within(room).emit("said", &message).await;
}

//! The server that the test suite of the official JavaScript client connects to. `e2e/client-suite.md` explains how to
//! run the suite.

mod events;
mod handshake;
mod sequence;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use roomwire_axum_adapter::{init_logging, mount, stop_requested};
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;

use crate::handshake::SuiteAuthenticator;

/// Namespaces without handlers: the suite only connects to them.
const EMPTY: [&str; 4] = ["/asd", "/no", "/timeout_socket", "/valid"];

/// The delay of each new session. Some tests of the suite expect that a client with a timeout of 0 is never faster.
const DELAY: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = WebSocketConfig::load()?;
    let address = (config.host, config.port);
    init_logging(&config);
    let builder = WebSocketService::builder(config).state(MemoryState::new());
    let roomwire = mount(builder.authenticator(SuiteAuthenticator).build().await?, gateways())?;
    // The last layer sees a request first.
    let app = Router::new().route("/", get(|| async { "ok" })).layer(roomwire.clone()).layer(from_fn(delay_sessions));

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("client-suite-server: http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let stop = async move {
        stop_requested().await;
        roomwire.shutdown().await;
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

fn gateways() -> Vec<Gateway> {
    let with_id = Gateway::of("/foo").on("getId", events::id);
    let with_handshake = Gateway::of("/abc").on_connect(handshake::send);
    EMPTY.into_iter().map(Gateway::of).chain([events::root(), with_id, with_handshake]).collect()
}

/// Delays requests that open a session: those without a session id.
async fn delay_sessions(request: Request, next: Next) -> Response {
    if request.uri().query().is_some_and(|query| !query.contains("sid=")) {
        tokio::time::sleep(DELAY).await;
    }
    next.run(request).await
}

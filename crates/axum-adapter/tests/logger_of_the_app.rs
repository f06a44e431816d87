//! An app's subscriber stays the only one, and gets Roomwire's lines.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::Router;
use roomwire_axum_adapter::{Server, init_logging};
use roomwire_service::{Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_server_logs_to_the_subscriber_that_the_app_has_installed() {
    let written = Written::default();
    let writer = written.clone();
    let of_the_app = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(of_the_app).expect("the first of this process");
    let config = WebSocketConfig { port: 0, ..WebSocketConfig::default() };
    assert!(!init_logging(&config));
    let service = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds");
    let server = Server::bind(Router::new(), service, Gateway::new()).await.expect("binds");
    server.run_until(std::future::ready(())).await.expect("runs");
    let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
    assert!(text.contains("INFO roomwire: listening on http://127.0.0.1:"), "{text}");
}

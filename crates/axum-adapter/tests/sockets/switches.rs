//! What the configuration switches on and off.

use axum::{Router, routing::get};
use roomwire_axum_adapter::{MountError, ServeError, Server, mount};
use roomwire_core::config::Transport;
use roomwire_service::{Error, Gateway, WebSocketConfig, WebSocketService};
use roomwire_state_memory::MemoryState;

use crate::support::{Fixture, Http, Polling, WebSocket, config};

async fn service(config: WebSocketConfig) -> WebSocketService {
    WebSocketService::builder(config).state(MemoryState::new()).build().await.expect("builds")
}

#[tokio::test]
async fn a_service_that_is_switched_off_answers_503_on_its_path_and_the_app_runs() {
    for foreign in [false, true] {
        let config = WebSocketConfig { enabled: false, ..config() };
        let fixture = if foreign {
            Fixture::foreign(config, Gateway::new()).await
        } else {
            Fixture::new(config, Gateway::new()).await
        };
        for (method, target) in [
            ("GET", "/socket.io/?EIO=4&transport=polling"),
            ("POST", "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA"),
            ("GET", "/socket.io"),
            ("OPTIONS", "/socket.io/"),
        ] {
            let answer = Http::once(fixture.address, method, target, "").await;
            assert_eq!(answer.status, 503, "{method} {target}");
            assert!(answer.body.contains(r#""code":"#), "{answer:?}");
        }
        assert_eq!(WebSocket::ask(fixture.address, "").await.expect_err("refused").0, 503);
        let answer = Http::once(fixture.address, "GET", "/hello", "").await;
        assert_eq!((answer.status, &*answer.body), (200, "hello"));
        assert_eq!(Http::once(fixture.address, "GET", "/socket.iox", "").await.status, 404);
        fixture.stop().await;
    }
}

#[tokio::test]
async fn a_layer_in_a_foreign_server_refuses_to_seem_encrypted() {
    let config = WebSocketConfig { ssl: true, ..config() };
    let error = mount(service(config).await, Gateway::new()).expect_err("refused");
    assert!(matches!(error, MountError::NotTheLayers { key: "ssl", .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("ssl = true cannot be honoured by a layer") && text.contains("set ssl = false"), "{text}");
}

#[tokio::test]
async fn tls_without_a_certificate_is_refused_naming_the_key_also_when_main_returns_the_error() {
    let config = WebSocketConfig { ssl: true, ..config() };
    let error = Server::bind(Router::new(), service(config).await, Gateway::new()).await.expect_err("refused");
    assert!(matches!(error, ServeError::Tls(_)), "{error:?}");
    let text = "tls.cert: not set, and ssl = true needs it: name the file with the certificate as PEM";
    assert_eq!((error.to_string().as_str(), format!("{error:?}").as_str()), (text, text));
}

#[tokio::test]
async fn mistakes_in_gateways_and_a_second_mount_are_refused() {
    let service = service(config()).await;
    let twice = Gateway::new().on("same", || async { Ok::<_, Error>(()) }).on("same", || async { Ok::<_, Error>(()) });
    let error = mount(service.clone(), twice).expect_err("refused");
    assert!(error.to_string().contains("`same` is registered twice"), "{error}");
    mount(service.clone(), Gateway::new()).expect("mounts");
    let error = mount(service, Gateway::new()).expect_err("refused");
    assert!(matches!(error, MountError::Service { .. }), "{error:?}");
}

#[tokio::test]
async fn a_port_in_use_is_refused_naming_the_address() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = taken.local_addr().expect("an address");
    let config = WebSocketConfig { port: address.port(), ..config() };
    let error = Server::bind(Router::new(), service(config).await, Gateway::new()).await.expect_err("refused");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn only_the_transports_that_are_configured_are_served() {
    let config_of = |transport| WebSocketConfig { transports: vec![transport], ..config() };
    let fixture = Fixture::new(config_of(Transport::Polling), Gateway::new()).await;
    let polling = Polling::connect(fixture.address).await;
    assert_eq!(WebSocket::ask(fixture.address, "").await.expect_err("refused").0, 400);
    let upgrade = format!("&sid={}", polling.session);
    assert_eq!(WebSocket::ask(fixture.address, &upgrade).await.expect_err("refused").0, 400);
    fixture.holds(1).await;

    let fixture = Fixture::new(config_of(Transport::Websocket), Gateway::new()).await;
    WebSocket::connect(fixture.address).await.close().await;
    let answer = Http::once(fixture.address, "GET", "/socket.io/?EIO=4&transport=polling", "").await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[tokio::test]
async fn the_path_is_the_configured_one_and_all_others_are_the_apps() {
    let config = WebSocketConfig { path: "/chat/live".to_owned(), ..config() };
    let service = service(config).await;
    let app = Router::new().route("/chat", get(|| async { "page" })).route("/socket.io", get(|| async { "mine" }));
    let server = Server::bind(app, service, Gateway::new()).await.expect("binds");
    let address = server.local_addr().expect("an address");
    tokio::spawn(server.run_until(std::future::pending()));
    for target in ["/chat/live/?EIO=4&transport=polling", "/chat/live?EIO=4&transport=polling"] {
        let answer = Http::once(address, "GET", target, "").await;
        assert!(answer.status == 200 && answer.body.starts_with("0{"), "{target}: {answer:?}");
    }
    for (target, body) in [("/chat", "page"), ("/socket.io", "mine")] {
        assert_eq!(Http::once(address, "GET", target, "").await.body, body);
    }
    assert_eq!(Http::once(address, "GET", "/chat/livestream", "").await.status, 404);
}

#[tokio::test]
async fn each_namespace_has_its_own_clients() {
    let gateways = [Gateway::new(), Gateway::of("/admin")];
    let fixture = Fixture::new(config(), gateways).await;
    let mut socket = WebSocket::connect(fixture.address).await;
    socket.send("40/admin,").await;
    assert!(socket.message().await.starts_with("40/admin,{"));
    let admin = fixture.service.namespace("/admin").expect("a namespace");
    fixture.holds(1).await;
    crate::support::eventually("in both", async || admin.local_client_count() == 1).await;
    admin.broadcast("said", &"for admins").await.expect("sent");
    fixture.service.broadcast("said", &"for all").await.expect("sent");
    assert_eq!(socket.message().await, r#"42/admin,["said","for admins"]"#);
    assert_eq!(socket.message().await, r#"42["said","for all"]"#);
    socket.send("41/admin,").await;
    crate::support::eventually("gone from one", async || admin.local_client_count() == 0).await;
    assert_eq!(fixture.service.local_client_count(), 1);
    socket.close().await;
    fixture.empty().await;
}

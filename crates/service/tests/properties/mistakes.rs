//! Mistakes in a gateway are told when it is mounted, all at once; those of a configuration when a service is built.

use roomwire_core::Namespace;
use roomwire_service::{
    ClientId, Dispatcher, Error, ErrorCode, Gateway, Handshake, State, WebSocketConfig, WebSocketService,
    testing::TestServer,
};
use roomwire_state_memory::MemoryState;

use crate::fixture::config;

async fn service() -> WebSocketService {
    WebSocketService::builder(config()).state(MemoryState::new()).build().await.expect("builds")
}

async fn fine() -> Result<(), Error> {
    Ok(())
}

async fn wants_state(State(_): State<u64>) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn all_mistakes_of_all_gateways_are_told_at_once() {
    let first = Gateway::new()
        .on("twice", fine)
        .on("twice", fine)
        .on("disconnect", fine)
        .on("", fine)
        .on(&"x".repeat(65), fine)
        .on("wants", wants_state)
        .on_connect(wants_state)
        .on_connect(fine)
        .on_disconnect(fine)
        .on_disconnect(fine)
        .fallback(fine)
        .fallback(wants_state)
        .with_state("a")
        .with_state("b");
    let second = Gateway::of("no-slash").on("connect", fine);
    let told = Dispatcher::new(service().await, [first, second]).expect_err("full of mistakes").to_string();
    let expected = "the gateway cannot be mounted:
  `twice` is registered twice; only one can be used
  .on(\"disconnect\", …): event name `disconnect` is reserved by Socket.IO
  .on(\"\", …): event name is empty; 1 to 64 bytes are allowed
  .on(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", …): event name is 65 bytes long; 1 to 64 are allowed
  `on_connect` is registered twice; only one can be used
  `on_disconnect` is registered twice; only one can be used
  `fallback` is registered twice; only one can be used
  `with_state(&str)` is registered twice; only one can be used
  the handler of `wants` wants State<u64>, but .with_state(…) was not given a u64
  the handler of `on_connect` wants State<u64>, but .with_state(…) was not given a u64
  the handler of `fallback` wants State<u64>, but .with_state(…) was not given a u64";
    let (both, rest) = told.split_at(expected.len().min(told.len()));
    assert_eq!(both, expected);
    assert!(rest.contains(".on(\"connect\", …): event name `connect` is reserved by Socket.IO"), "{rest}");
    assert!(rest.contains("Gateway::of(\"no-slash\"): namespace"), "{rest}");
}

#[tokio::test]
async fn two_gateways_of_one_namespace_are_a_mistake() {
    let told = TestServer::new(service().await, [Gateway::of("/a"), Gateway::of("/a")]).expect_err("two of one");
    assert_eq!(
        told.to_string(),
        "the gateway cannot be mounted:\n  `Gateway::of(\"/a\")` is registered twice; only one can be used"
    );
}

#[tokio::test]
async fn a_service_is_mounted_once() {
    let service = service().await;
    TestServer::new(service.clone(), Gateway::new()).expect("mounts");
    let told = TestServer::new(service, Gateway::new()).expect_err("the second time");
    assert_eq!(told.to_string(), "this service is mounted already; build a second one for a second server");
}

#[tokio::test]
async fn a_namespace_without_a_gateway_is_refused() {
    let server = TestServer::new(service().await, vec![Gateway::of("/a")]).expect("mounts");
    for namespace in [Namespace::root(), Namespace::new("/b").expect("valid")] {
        let handshake = Handshake::new(ClientId::new("c").expect("valid"));
        let refused = server.connect_with(&namespace, handshake).await.expect_err("no gateway");
        assert_eq!((refused.code(), refused.message()), (ErrorCode::InvalidName, "Invalid namespace"));
    }
    assert_eq!(server.service().client_count().await.expect("answers"), 0);
}

#[tokio::test]
async fn a_configuration_that_is_not_valid_and_a_missing_state_are_told_when_the_service_is_built() {
    let mut config = WebSocketConfig::default();
    config.limits.mailbox = 1;
    let told = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect_err("too small");
    assert!(told.message().contains("limits.mailbox"), "{told}");
    let told = WebSocketService::builder(WebSocketConfig::default()).build().await.expect_err("no state");
    assert_eq!(told.message(), "service cannot start: no state was chosen: call `.state(MemoryState::new())`");
}

#[tokio::test]
async fn servers_of_shared_state_without_a_state_that_uses_them_are_refused() {
    let mut config = config();
    config.state.urls = vec!["redis://:secret@10.0.0.5".to_owned()];
    let refused = WebSocketService::builder(config).state(MemoryState::new()).build().await.expect_err("is refused");
    assert_eq!(refused.code(), ErrorCode::Internal);
    assert!(refused.message().contains("RedisState::connect") && !refused.message().contains("secret"), "{refused}");
}

//! A reloaded configuration takes effect: each key that can change in a running service.

mod effects;
mod racing;
mod tls_files;

use roomwire_core::config::{ConfigKey, Reload, Reloading};
use roomwire_service::{Data, Error, Gateway, Metadata, RoomId, WebSocketConfig, WebSocketService};

use crate::support::{Fixture, config};

/// Keys with an effect that is shown by another test, which reloads them.
const ELSEWHERE: [(&str, &str); 29] = [
    ("debug", "tests/logger_of_the_server.rs"),
    ("logger.level", "tests/logger_of_the_server.rs"),
    ("tls.cert", "reload/tls_files.rs"),
    ("tls.key", "reload/tls_files.rs"),
    ("tls.reload", "reload/tls_files.rs"),
    ("api.token", "http-api/tests/api/settings.rs"),
    ("api.bodyLimit", "http-api/tests/api/settings.rs"),
    ("auth.algorithms", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.secret", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.publicKey", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.keyFile", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.jwks", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.jwksRefresh", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.issuers", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.audiences", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.leeway", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.userClaim", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.field", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.header", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.anonymous", "auth-jwt/tests/tokens/reload.rs"),
    ("auth.timeout", "service/tests/properties/reload.rs"),
    ("auth.revocation", "service/tests/properties/reload.rs"),
    ("health.outageLimit", "service/tests/properties/reload.rs"),
    ("drain.timeout", "service/tests/properties/reload.rs"),
    ("limits.idleTimeout", "service/tests/properties/idle.rs"),
    ("limits.writeTimeout", "socketio/src/settings.rs"),
    ("limits.sendBuffer", "socketio/src/settings.rs"),
    ("limits.sendBufferBytes", "socketio/src/settings.rs"),
    ("limits.mailbox", "service/tests/properties/reload.rs"),
];

#[test]
fn each_key_that_can_change_has_a_test_of_its_effect() {
    let mut tested: Vec<_> = effects::TESTED.iter().chain(ELSEWHERE.iter().map(|(key, _)| key)).copied().collect();
    let mut reloadable: Vec<_> =
        ConfigKey::all().filter(|key| key.reloading() != Reloading::Restart).map(ConfigKey::name).collect();
    tested.sort_unstable();
    reloadable.sort_unstable();
    assert_eq!(tested, reloadable);
}

/// Changes one key, which is applied.
async fn change(service: &WebSocketService, key: &'static str, set: impl FnOnce(&mut WebSocketConfig)) {
    let mut new = (*service.config()).clone();
    set(&mut new);
    let reload = service.reload(new).await.expect("reloads");
    assert_eq!(reload, Reload { applied: vec![key], needs_restart: vec![] });
}

/// A server with an echo, rooms and metadata, after a change of the usual configuration.
async fn fixture(set: impl FnOnce(&mut WebSocketConfig)) -> Fixture {
    let mut config = config();
    set(&mut config);
    Fixture::new(config, gateway()).await
}

fn gateway() -> Gateway {
    async fn echo(Data(value): Data<serde_json::Value>) -> Result<serde_json::Value, Error> {
        Ok(value)
    }
    async fn join(
        service: WebSocketService,
        client: roomwire_service::Client,
        Data(room): Data<RoomId>,
    ) -> Result<&'static str, Error> {
        service.join_room(&client, &room).await?;
        Ok("joined")
    }
    async fn note(
        service: WebSocketService,
        client: roomwire_service::Client,
        Data(metadata): Data<Metadata>,
    ) -> Result<&'static str, Error> {
        service.set_client_metadata(&client, metadata).await?;
        Ok("noted")
    }
    Gateway::new().on("echo", echo).on("join", join).on("note", note)
}

//! People log in over HTTP, and their sockets are theirs. `cargo xtask example login` runs it; then, in this folder,
//! `npm install` and `node client.mjs ada lovelace`.
//!
//! A login gives a token that is good for a minute. Connecting takes one, and so does staying: the client shows a new
//! one by the event `authenticate` before the old one runs out.

mod login;

use roomwire_auth_jwt::JwtAuthenticator;
use roomwire_axum_adapter::{Server, init_logging, stop_requested};
use roomwire_service::{
    AuthorizedClient, Client, Data, Error, Gateway, RoomId, WebSocketConfig, WebSocketService, WebSocketServiceBuilder,
};
use roomwire_state_memory::MemoryState;
use serde_json::json;

use login::Desk;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = WebSocketConfig::load()?;
    init_logging(&config);
    let desk = Desk::open(&mut config.auth);
    let service = guarded(config).await?.build().await?;
    let server = Server::bind(login::router(desk), service, gateway()).await?;
    println!("login: http://{}", server.local_addr()?);
    Ok(server.run_until(stop_requested()).await?)
}

/// A service for clients with a token.
async fn guarded(config: WebSocketConfig) -> Result<WebSocketServiceBuilder, Box<dyn std::error::Error>> {
    let authenticator = JwtAuthenticator::from_config(&config.auth).await?;
    Ok(WebSocketService::builder(config).state(MemoryState::new()).authenticator(authenticator))
}

fn gateway() -> Gateway {
    Gateway::new().on_connect(welcome).on("join", join).on("say", say)
}

async fn welcome(service: WebSocketService, client: Client) -> Result<(), Error> {
    let identity = client.identity();
    let welcome = json!({ "user": identity.user, "expiresAt": identity.expires_at });
    service.send_to_client(&client, "welcome", &welcome).await
}

/// `AuthorizedClient` does only what the claim `rooms` of the token grants: FORBIDDEN reaches the client by `?`.
async fn join(me: AuthorizedClient, Data(room): Data<RoomId>) -> Result<(), Error> {
    me.join_room(&room).await
}

/// The name of the sender is in the token, not in the message.
async fn say(me: AuthorizedClient, Data((room, text)): Data<(RoomId, String)>) -> Result<(), Error> {
    me.broadcast_to_room(&room, "said", &json!({ "user": me.client().user(), "room": room, "text": text })).await
}

#[cfg(test)]
mod tests {
    use roomwire_service::{ClientId, ErrorCode, Handshake, Namespace, Payload, testing::TestServer};
    use serde_json::Value;

    use super::*;

    async fn server() -> (TestServer, Desk) {
        let mut config = WebSocketConfig::default();
        let desk = Desk::open(&mut config.auth);
        let service = guarded(config).await.expect("accepts the settings").build().await.expect("builds");
        (TestServer::new(service, gateway()).expect("a gateway"), desk)
    }

    fn showing(token: &str) -> Handshake {
        let auth = Payload::encode(&json!({ "token": token })).expect("encodes");
        Handshake { auth, ..Handshake::new(ClientId::new("c1").expect("valid")) }
    }

    #[tokio::test]
    async fn a_logged_in_client_has_the_user_and_the_grants_of_its_token() {
        let (server, desk) = server().await;
        let token = desk.token("ada", "lovelace").expect("the password is right");
        let mut ada = server.connect_with(&Namespace::root(), showing(&token)).await.expect("connects");
        assert_eq!(ada.expect::<Value>("welcome").await["user"], "ada");
        ada.emit_with_ack::<()>("join", &"engine-1").await.expect("granted");
        let refused = ada.emit_with_ack::<()>("join", &"compiler-1").await.expect_err("not granted");
        assert_eq!(refused.code(), ErrorCode::Forbidden);
        ada.emit("say", &("engine-1", "hello"));
        assert_eq!(ada.expect::<Value>("said").await, json!({ "user": "ada", "room": "engine-1", "text": "hello" }));
    }

    #[tokio::test]
    async fn a_socket_renews_its_token_in_place_and_cannot_change_its_user() {
        let (server, desk) = server().await;
        let token = desk.token("ada", "lovelace").expect("the password is right");
        let ada = server.connect_with(&Namespace::root(), showing(&token)).await.expect("connects");
        for (token, code) in [
            (desk.token("ada", "lovelace"), None),
            (desk.token("grace", "hopper"), Some(ErrorCode::Forbidden)),
            (Some("a.b.c".to_owned()), Some(ErrorCode::Unauthorized)),
        ] {
            let answer = ada.emit_with_ack::<Value>("authenticate", &json!({ "token": token })).await;
            assert_eq!(answer.err().map(|error| error.code()), code);
        }
    }

    #[tokio::test]
    async fn no_client_connects_without_a_token_and_a_wrong_password_gets_none() {
        let (server, desk) = server().await;
        assert_eq!(server.connect().await.expect_err("refused").code(), ErrorCode::Unauthorized);
        let other = Desk::open(&mut WebSocketConfig::default().auth).token("ada", "lovelace").expect("right there");
        let refused = server.connect_with(&Namespace::root(), showing(&other)).await.expect_err("refused");
        assert_eq!(refused.code(), ErrorCode::Unauthorized);
        assert_eq!(desk.token("ada", "hopper"), None);
        assert_eq!(desk.token("nobody", ""), None);
    }
}

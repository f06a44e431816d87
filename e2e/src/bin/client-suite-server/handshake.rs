//! Authentication, and the handshake as the suite expects to get it back.

use async_trait::async_trait;
use roomwire_service::{Authenticator, Client, ConnectRequest, Error, ErrorCode, Identity, Metadata, WebSocketService};
use serde_json::{Value, json};

/// The claim that has the query: only an authenticator sees the query of a client's first request.
const QUERY: &str = "query";

/// Rejects the clients that the suite expects to be rejected; all others are guests.
#[derive(Debug)]
pub(crate) struct SuiteAuthenticator;

#[async_trait]
impl Authenticator for SuiteAuthenticator {
    async fn authenticate(&self, request: &ConnectRequest) -> Result<Identity, Error> {
        let query = parse(&request.query);
        let rejected = |message: &'static str| Err(Error::with_message(ErrorCode::Unauthorized, message));
        match request.namespace.as_str() {
            "/no" => rejected("Auth failed (custom namespace)"),
            "/" if query.get("fail").is_some_and(|value| value != "") => rejected("Auth failed (main namespace)"),
            _ => Ok(Identity {
                claims: Metadata::from_iter([(QUERY.to_owned(), query.into())]),
                ..Identity::anonymous()
            }),
        }
    }
}

fn parse(query: &str) -> Metadata {
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into())).collect()
}

/// The query and the auth payload of the client's handshake.
pub(crate) async fn read(client: Client) -> Result<Value, Error> {
    let auth = client.handshake().decode::<Option<Value>>()?.unwrap_or_else(|| json!({}));
    Ok(json!({ "query": client.identity().claims.get(QUERY), "auth": auth }))
}

/// Sends the handshake to the client.
pub(crate) async fn send(service: WebSocketService, client: Client) -> Result<(), Error> {
    let handshake = read(client.clone()).await?;
    service.send_to_client(&client, "handshake", &handshake).await
}

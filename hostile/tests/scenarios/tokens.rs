//! Tokens that prove nothing.

use std::net::SocketAddr;

use roomwire_hostile::{Fixture, Issuer, Settings, WebSocket, connect_packet, within};
use serde_json::{Value, json};

/// How often each is shown.
const ROUNDS: usize = if cfg!(debug_assertions) { 300 } else { 3000 };
const AUDIENCE: &str = "chat";
const REFUSED: &str = r#"44{"message":"Not authorized","data":{"code":"UNAUTHORIZED","message":"Not authorized"}}"#;

/// An honest token's claims, with one of them another.
fn but(name: &str, value: Value) -> Value {
    let mut claims = Issuer::claims(AUDIENCE);
    claims[name] = value;
    claims
}

/// What is wrong, and the packet that shows it.
fn packets(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let claims = Issuer::claims(AUDIENCE);
    let now = claims["iat"].as_u64().expect("a time");
    let good = issuer.token(&claims);
    let (signed, signature) = good.rsplit_once('.').expect("a signature");
    let mut tokens = vec![
        ("expired", issuer.token(&but("exp", json!(now - 60)))),
        ("not yet valid", issuer.token(&but("nbf", json!(now + 3600)))),
        ("wrong key", Issuer::new().token(&claims)),
        ("wrong audience", issuer.token(&Issuer::claims("shop"))),
        ("alg none", Issuer::unsigned(&claims)),
        ("HS by the public key", issuer.token_by_public_key(&claims)),
        ("no signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", &signature[..signature.len() / 2])),
        ("no token at all", "nonsense".to_owned()),
    ];
    let mut packets: Vec<_> = tokens.drain(..).map(|(what, token)| (what, connect_packet(&token))).collect();
    packets.extend([("none", "40".to_owned()), ("no text", r#"40{"token":7}"#.to_owned())]);
    packets
}

/// Each is refused in each round.
async fn refusals(server: SocketAddr, packets: Vec<(&'static str, String)>) {
    for _ in 0..ROUNDS {
        // A client that was refused may try again, and is no worse off.
        let mut client = WebSocket::open(server).await;
        client.send("3").await;
        for (what, packet) in &packets {
            client.send(packet).await;
            let answer = within("an answer", client.next()).await;
            assert_eq!(answer.as_deref(), Some(REFUSED), "{what}");
        }
        client.close().await;
    }
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_refused_in_the_same_words() {
    let issuer = Issuer::new();
    // Each session tries many times.
    let settings = Settings::default()
        .with("ROOMWIRE_LIMITS__RECONNECTS_PER_SECOND", "100000")
        .with("ROOMWIRE_LIMITS__RECONNECT_BURST", "100000")
        .with("ROOMWIRE_AUTH__ALGORITHMS", "RS256")
        .with("ROOMWIRE_AUTH__PUBLIC_KEY", issuer.public.as_str())
        .with("ROOMWIRE_AUTH__AUDIENCES", AUDIENCE)
        .with_token(&issuer.token(&Issuer::claims(AUDIENCE)));
    let fixture = Fixture::set(crate::SERVER, "tokens", settings).await;
    let server = fixture.address();
    fixture.attack(refusals(server, packets(&issuer))).await;
    fixture.settles().await;
    fixture.verdict().await;
}

//! What was shown holds only so long.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use roomwire_hostile::{Fixture, Settings, WebSocket, within};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// In which a client must be gone after what it showed has expired.
const MOST: Duration = Duration::from_secs(1);
/// How long what clients show holds, and how much longer what they show next.
const HOLDS: Duration = Duration::from_secs(3);
const USERS: usize = 100;

/// The time in so long, in milliseconds since 1970.
fn until(lifetime: Duration) -> u64 {
    let end = SystemTime::now() + lifetime;
    u64::try_from(end.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis()).expect("before long")
}

/// Connects; also when what it shows expires.
async fn connect(server: SocketAddr, user: usize) -> (WebSocket, Instant) {
    let opened = WebSocket::open(server).await;
    let auth = json!({ "user": format!("user-{user}"), "until": until(HOLDS) });
    let end = Instant::now() + HOLDS;
    (opened.joined(&format!("40{auth}")).await.expect("is let in"), end)
}

/// How late a client without a newer token was gone.
async fn lets_it_expire(server: SocketAddr, user: usize) -> Duration {
    let (mut client, end) = connect(server, user).await;
    let told = within("it is told", client.next()).await.expect("a message");
    assert!(told.starts_with(r#"42["error",{"code":"TOKEN_EXPIRED""#), "{told}");
    assert_eq!(within("it is disconnected", client.next()).await.as_deref(), Some("41"));
    assert!(Instant::now() + Duration::from_millis(50) > end, "too early");
    end.elapsed()
}

/// Authenticates again in time, then as another user, which changes nothing. It stays.
async fn refreshes(server: SocketAddr, user: usize) {
    let (mut client, _) = connect(server, user).await;
    sleep(HOLDS / 2).await;
    let newer = json!(["authenticate", { "user": format!("user-{user}"), "until": until(HOLDS * 10) }]);
    let answer = client.ask_for(1, &newer.to_string()).await.expect("an answer");
    assert!(answer.contains("expiresAt"), "{answer}");
    let others = json!(["authenticate", { "user": "somebody else", "until": until(HOLDS * 10) }]);
    let answer = client.ask_for(2, &others.to_string()).await.expect("an answer");
    assert!(answer.contains("FORBIDDEN"), "{answer}");
    sleep(HOLDS).await;
    assert_eq!(client.ask_for(3, r#"["size",1]"#).await.as_deref(), Some("[1]"));
    client.close().await;
}

#[tokio::test]
async fn clients_with_an_expired_token_are_disconnected_in_a_second_and_those_that_renew_it_stay() {
    let fixture = Fixture::set(crate::SERVER, "expiry", Settings::default()).await;
    let server = fixture.address();
    let latest = fixture
        .attack(async move {
            let (mut expiring, mut refreshing) = (JoinSet::new(), JoinSet::new());
            for user in 0..USERS {
                // All at once would show how fast a small machine accepts them, and no more.
                sleep(Duration::from_millis(20)).await;
                expiring.spawn(lets_it_expire(server, user));
                refreshing.spawn(refreshes(server, user));
            }
            refreshing.join_all().await;
            expiring.join_all().await.into_iter().max().unwrap_or_default()
        })
        .await;
    println!("expiry: the last of {USERS} was gone {latest:.1?} after what it showed had expired");
    assert!(latest <= MOST, "{latest:?}");
    fixture.settles().await;
    fixture.verdict().await;
}

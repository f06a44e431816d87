//! How long an identity holds, and how it is renewed.

use std::time::Duration;

use roomwire_core::{Timestamp, TokenId};
use roomwire_service::{Data, DisconnectReason, Error, ErrorCode, Gateway, State, testing::TestClient};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fixture::{BEGIN, Believer, Fixture, Shown, refusal};
use crate::fixture::{eventually, within};

type Departures = mpsc::UnboundedReceiver<DisconnectReason>;

async fn fixture() -> (Fixture, Departures) {
    type Log = mpsc::UnboundedSender<DisconnectReason>;
    async fn gone(State(log): State<Log>, why: DisconnectReason) -> Result<(), Error> {
        log.send(why).map_err(Error::internal)
    }
    let (log, departures) = mpsc::unbounded_channel();
    let gateway = Gateway::new().with_state::<Log>(log).on_disconnect(gone);
    (Fixture::new(Believer, gateway).await, departures)
}

/// Events that wait when the client's identity expires are not handled.
#[tokio::test]
async fn what_waits_to_be_handled_ends_with_the_identity_that_sent_it() {
    type Handled = mpsc::UnboundedSender<u32>;
    async fn slow(State(handled): State<Handled>, Data(number): Data<u32>) -> Result<(), Error> {
        handled.send(number).map_err(Error::internal)?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    }
    let (handled, mut seen) = mpsc::unbounded_channel();
    let fixture = Fixture::new(Believer, Gateway::new().with_state::<Handled>(handled).on("slow", slow)).await;
    let named = Shown { token: Some("one".to_owned()), ..Shown::of("ada") };
    let ada = fixture.connect("a", &named).await.expect("admitted");
    for number in 0..100_u32 {
        ada.emit("slow", &number);
    }
    assert_eq!(within("the first", seen.recv()).await, Some(0));
    let until = Timestamp::from_millis(BEGIN + 1_000_000);
    let service = fixture.server.service();
    service.revoke_token(&TokenId::new("one").expect("valid"), until).await.expect("revokes");
    eventually("it is gone", async || !ada.handle().is_connected()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(seen.try_recv().is_err(), "only what was begun is done");
}

/// The code by which the client is told of its end.
async fn told(client: &mut TestClient) -> String {
    #[derive(Deserialize)]
    struct Told {
        code: String,
    }
    client.expect::<Told>("error").await.code
}

async fn renew(client: &TestClient, shown: &Shown) -> Result<Value, Error> {
    client.emit_with_ack("authenticate", shown).await
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_and_disconnected_when_its_identity_expires_and_not_before() {
    let (fixture, mut departures) = fixture().await;
    let mut ada = fixture.connect("a", &Shown::of("ada").until(BEGIN + 60_000)).await.expect("admitted");
    let bob = fixture.connect("b", &Shown::of("bob")).await.expect("admitted");
    fixture.clock.set(Timestamp::from_millis(BEGIN + 59_999));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(ada.handle().is_connected() && ada.drain().is_empty());
    fixture.clock.advance(Duration::from_millis(1));
    let began = tokio::time::Instant::now();
    assert_eq!(told(&mut ada).await, "TOKEN_EXPIRED");
    assert_eq!(within("on_disconnect", departures.recv()).await, Some(DisconnectReason::TokenExpired));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(bob.handle().is_connected());
}

#[tokio::test(start_paused = true)]
async fn what_is_renewed_in_time_holds_on_and_says_until_when() {
    let (fixture, mut departures) = fixture().await;
    let mut ada = fixture.connect("a", &Shown::of("ada").until(BEGIN + 1_000)).await.expect("admitted");
    let newer = Shown::of("ada").until(BEGIN + 5_000).with_claims(&json!({ "role": "editor" }));
    let answer = renew(&ada, &newer).await.expect("renewed");
    assert_eq!(answer, json!({ "expiresAt": Timestamp::from_millis(BEGIN + 5_000) }));
    assert_eq!(ada.handle().identity().claims["role"], "editor");
    fixture.clock.set(Timestamp::from_millis(BEGIN + 4_999));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(ada.handle().is_connected());
    // Something that holds for ever takes the end away, and something shorter brings it back.
    assert_eq!(renew(&ada, &Shown::of("ada")).await.expect("renewed"), json!({}));
    fixture.clock.set(Timestamp::from_millis(BEGIN + 10_000));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(ada.handle().is_connected());
    renew(&ada, &Shown::of("ada").until(BEGIN + 10_001)).await.expect("renewed");
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(told(&mut ada).await, "TOKEN_EXPIRED");
    assert_eq!(within("on_disconnect", departures.recv()).await, Some(DisconnectReason::TokenExpired));
}

#[tokio::test(start_paused = true)]
async fn no_client_changes_its_user_by_renewing_and_the_former_identity_stays_valid() {
    let (fixture, _departures) = fixture().await;
    let ada = fixture.connect("a", &Shown::of("ada").until(BEGIN + 1_000)).await.expect("admitted");
    for other in [Shown::of("bob"), Shown::default()] {
        let (code, message) = refusal(renew(&ada, &other).await);
        assert_eq!(code, ErrorCode::Forbidden);
        assert!(message.contains("connect again"), "{message}");
    }
    assert_eq!(refusal(ada.emit_with_ack::<Value>("authenticate", &"nonsense").await).0, ErrorCode::Unauthorized);
    let past = Shown::of("ada").until(BEGIN);
    assert_eq!(refusal(renew(&ada, &past).await).0, ErrorCode::Unauthorized);
    assert!(ada.handle().is_connected());
    assert_eq!(ada.handle().identity().expires_at, Some(Timestamp::from_millis(BEGIN + 1_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_races_the_end_is_either_acknowledged_and_stays_or_refused_and_goes() {
    let (fixture, _departures) = fixture().await;
    let (mut stayed, mut went) = (0, 0);
    for round in 0..400_u64 {
        let now = BEGIN + round * 10;
        fixture.clock.set(Timestamp::from_millis(now));
        let end = Timestamp::from_millis(now + 5);
        let ada = fixture.connect(&format!("a{round}"), &Shown::of("ada").until(now + 5)).await.expect("admitted");
        let expire = || fixture.clock.set(Timestamp::from_millis(now + 5));
        // In some rounds the order is clear, in most it is not.
        let mover = async {
            match round % 4 {
                0 => eventually("it was renewed", async || ada.handle().identity().expires_at != Some(end)).await,
                1 => {}
                _ => {
                    for _ in 0..round % 16 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            expire();
        };
        if round % 4 == 1 {
            expire();
        }
        // A short-lived newcomer makes the timer look at once.
        let (longer, short, eve) =
            (Shown::of("ada").until(now + 1_000_000), Shown::of("eve").until(now + 6), format!("e{round}"));
        let renewed = async {
            tokio::select! {
                answer = renew(&ada, &longer) => answer.is_ok(),
                // A client that is gone gets no answer.
                () = eventually("its end", async || !ada.handle().is_connected()) => false,
            }
        };
        let (renewed, (), poke) = tokio::join!(renewed, mover, fixture.connect(&eve, &short));
        drop(poke);
        if renewed {
            stayed += 1;
            tokio::task::yield_now().await;
            assert!(ada.handle().is_connected(), "round {round}: told that it stays");
        } else {
            went += 1;
            eventually("who was refused is gone", async || !ada.handle().is_connected()).await;
        }
    }
    assert!(stayed >= 100 && went >= 100, "{stayed} stayed, {went} went");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_clients_that_expire_together_are_disconnected_together_and_earlier_ones_are_forgotten() {
    let (fixture, mut departures) = fixture().await;
    let mut clients = Vec::new();
    for number in 0..10_000 {
        let shown = Shown::of("ada").until(BEGIN + 1_000 + number % 7);
        clients.push(fixture.connect(&format!("c{number}"), &shown).await.expect("admitted"));
    }
    for client in clients.drain(..5_000) {
        client.disconnect();
    }
    for _ in 0..5_000 {
        assert_eq!(within("on_disconnect", departures.recv()).await, Some(DisconnectReason::ClientDisconnected));
    }
    fixture.clock.advance(Duration::from_millis(1_010));
    for _ in 0..5_000 {
        assert_eq!(within("on_disconnect", departures.recv()).await, Some(DisconnectReason::TokenExpired));
    }
    assert_eq!(fixture.server.service().client_count().await.expect("counts"), 0);
}

#[tokio::test]
async fn what_was_taken_back_neither_admits_nor_renews() {
    let (fixture, mut departures) = fixture().await;
    let named = |token: &str| Shown { token: Some(token.to_owned()), ..Shown::of("ada").until(BEGIN + 60_000) };
    let ada = fixture.connect("a", &named("one")).await.expect("admitted");
    let service = fixture.server.service();
    let until = Timestamp::from_millis(BEGIN + 60_000);
    service.revoke_token(&TokenId::new("two").expect("valid"), until).await.expect("revokes");
    assert_eq!(refusal(renew(&ada, &named("two")).await).0, ErrorCode::Unauthorized);
    assert_eq!(refusal(fixture.connect("b", &named("two")).await).0, ErrorCode::Unauthorized);
    renew(&ada, &named("three")).await.expect("renewed");
    // What it showed first is not what it has now.
    service.revoke_token(&TokenId::new("one").expect("valid"), until).await.expect("revokes");
    assert!(ada.handle().is_connected());
    service.revoke_token(&TokenId::new("three").expect("valid"), until).await.expect("revokes");
    assert_eq!(within("on_disconnect", departures.recv()).await, Some(DisconnectReason::AccessRevoked));
}

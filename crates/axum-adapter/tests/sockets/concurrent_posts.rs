//! Two requests of one session at the same time that hand in packets.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use roomwire_service::{Data, Error, Gateway, State};

use crate::support::{Fixture, Http, Polling, config, eventually};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u32>>>);

async fn hear(State(heard): State<Heard>, Data(number): Data<u32>) -> Result<(), Error> {
    heard.0.lock().push(number);
    Ok(())
}

/// How long a request that must not be answered is watched.
const WATCHED: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_begins_later_is_handled_after_the_former_and_both_are_accepted() {
    let heard = Heard::default();
    let gateway = || Gateway::new().with_state(heard.clone()).on("hear", hear);
    for fixture in [Fixture::new(config(), gateway()).await, Fixture::foreign(config(), gateway()).await] {
        let mut polling = Polling::connect(fixture.address).await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling.session);
        for round in 0..10 {
            heard.0.lock().clear();
            let body = "42[\"hear\",1]\u{1e}42[\"hear\",2]";
            let (begin, end) = body.split_at(16);
            let mut slow = Http::connect(fixture.address).await;
            let lines = format!("host: a\r\nexpect: 100-continue\r\ncontent-length: {}", body.len());
            slow.write(format!("POST {target} HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).await;
            assert_eq!(slow.answer().await.expect("the server reads the body").status, 100);
            slow.write(begin.as_bytes()).await;
            polling.begin_post("42[\"hear\",3]\u{1e}42[\"hear\",4]").await;
            if round == 0 {
                tokio::time::timeout(WATCHED, polling.posted()).await.expect_err("answered before its turn");
                assert!(heard.0.lock().is_empty());
            }
            slow.write(end.as_bytes()).await;
            let answer = slow.answer().await.expect("an answer");
            assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
            let answer = polling.posted().await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
            eventually("all is heard", async || heard.0.lock().len() >= 4).await;
            assert_eq!(*heard.0.lock(), [1, 2, 3, 4]);
        }
        assert_eq!(polling.post("1").await.status, 200);
        fixture.empty().await;
    }
}

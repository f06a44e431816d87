//! No event is lost between CONNECT and the first handler.

use roomwire_service::{Client, Data, Error, Gateway};

use crate::support::{Fixture, Polling, WebSocket, config, frame, within};

const CLIENTS: u32 = 500;

async fn slow_welcome(client: Client) -> Result<(), Error> {
    // Long enough that the first event is there before.
    for _ in 0..client.id().as_str().len() {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn echo(Data(number): Data<u32>) -> Result<u32, Error> {
    Ok(number)
}

async fn fixture() -> Fixture {
    Fixture::new(config(), Gateway::new().on_connect(slow_welcome).on("echo", echo)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_clients_that_speak_at_once_after_connect_are_all_heard() {
    let fixture = fixture().await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = fixture.address;
            tokio::spawn(async move {
                let mut client = WebSocket::connect(address).await;
                assert_eq!(client.ask_for(number, &format!(r#"["echo",{number}]"#)).await, format!("[{number}]"));
                client
            })
        })
        .collect();
    for client in clients {
        within("a client is heard", client).await.expect("heard");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_clients_that_speak_at_once_after_connect_are_all_heard() {
    let fixture = fixture().await;
    let clients: Vec<_> = (0..100)
        .map(|number| {
            let address = fixture.address;
            tokio::spawn(async move {
                let mut client = Polling::connect(address).await;
                assert_eq!(client.post(&format!(r#"427["echo",{number}]"#)).await.status, 200);
                assert_eq!(client.poll().await, [format!("437[{number}]")]);
            })
        })
        .collect();
    for client in clients {
        within("a client is heard", client).await.expect("heard");
    }
}

/// The protocol wants a client to wait for the server's CONNECT. One that does not is either in time, or loses its
/// connection, as with the reference server: it never stays connected with its event lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_the_segment_of_the_connect_request_is_heard_or_costs_the_connection() {
    let fixture = fixture().await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = fixture.address;
            tokio::spawn(async move {
                let mut client = WebSocket::open(address).await;
                let both = [frame("40"), frame(&format!(r#"42{number}["echo",{number}]"#))].concat();
                client.write(&both).await;
                let answer = format!("43{number}[{number}]");
                loop {
                    match client.next().await {
                        Some(message) if message == answer => return,
                        Some(connected) => assert!(connected.starts_with("40"), "{connected}"),
                        None => return,
                    }
                }
            })
        })
        .collect();
    for client in clients {
        within("a client is heard or gone", client).await.expect("heard or gone");
    }
    fixture.empty().await;
}

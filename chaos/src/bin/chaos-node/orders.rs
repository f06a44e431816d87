//! Does what the test wants.

use std::io::{BufRead, stdin};

use roomwire_chaos::control::{Asked, Broadcasts, Line, Order, Said};
use roomwire_service::{Error, NewRoom, WebSocketService};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{channel::Output, gateway::Here};

/// Carries out orders, several at a time, until the input ends: the test is gone, and this node stops.
pub(crate) async fn carry_out(service: WebSocketService, here: Here, stop: CancellationToken, output: Output) {
    let (sender, mut lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || stdin().lock().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    while let Some(line) = lines.recv().await {
        let Ok(Asked { question, order }) = serde_json::from_str(&line) else {
            tracing::error!(target: "roomwire", %line, "is no order");
            continue;
        };
        let (service, here, stop, output) = (service.clone(), here.clone(), stop.clone(), output.clone());
        tokio::spawn(async move {
            let answer = done(&service, &here, &stop, order).await.map_err(|error| error.code().to_string());
            output.write(&Line::Answer { question, answer });
        });
    }
}

async fn done(service: &WebSocketService, here: &Here, stop: &CancellationToken, order: Order) -> Result<Value, Error> {
    Ok(match order {
        Order::Hold => json!(here.holdings(service)),
        Order::CreateRoom { room, capacity } => {
            service.create_room(&room, NewRoom::with_capacity(capacity)).await?;
            Value::Null
        }
        Order::Broadcast { rooms, event, number } => json!(broadcast(service, rooms, &event, number).await),
        Order::CountClients => json!(service.client_count().await?),
        Order::Stop => {
            stop.cancel();
            Value::Null
        }
        Order::IsHealthy => json!(service.health().is_healthy()),
    })
}

async fn broadcast(service: &WebSocketService, rooms: Vec<String>, event: &str, number: u64) -> Broadcasts {
    let mut broadcasts = Broadcasts::default();
    for room in rooms {
        let begin = Instant::now();
        let said = Said { room, number, from: service.node_id().to_string() };
        if let Err(error) = service.broadcast_to_room(&said.room, event, &said).await {
            broadcasts.failed.push(error.code().to_string());
        }
        let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        broadcasts.slowest = broadcasts.slowest.max(took);
    }
    broadcasts
}

//! What the service and its gateway promise, without any socket: one module a promise.

mod acknowledgements;
mod broadcast;
mod broadcast_cost;
mod broadcast_order;
mod capacity;
mod closing;
mod deletions;
mod departures;
mod direct;
mod order;
mod outage;
mod retries;
mod settlement;
mod stage;

//! What the service and its gateway promise, without any socket: one module a promise.

mod acknowledgements;
mod answers;
mod backpressure;
mod broadcast;
mod broadcast_cost;
mod broadcast_order;
mod capacity;
mod clients;
mod closing;
mod deletions;
mod departures;
mod direct;
mod extractors;
mod healing;
mod layers;
mod lost_node;
mod mistakes;
mod order;
mod outage;
mod panics;
mod retries;
mod rooms;
mod settlement;
mod slow_consumer;
mod stage;

//! What the adapter promises, shown over real sockets: one module a promise.

mod admission;
mod backpressure;
mod broadcast;
mod debug_log;
mod first_event;
mod latency;
mod limits;
mod malformed;
mod order;
mod panics;
mod quota;
mod reasons;
mod slow_consumer;
mod stopping;
mod support;
mod switches;
mod upgrade;

//! What the adapter promises, shown over real sockets: one module a promise.

mod admission;
mod backpressure;
mod broadcast;
mod deadlines;
mod debug_log;
mod door;
mod first_event;
mod guard;
mod heads;
mod identity;
mod latency;
mod limited;
mod limits;
mod malformed;
mod order;
mod panics;
mod quiet_log;
mod quota;
mod reasons;
mod slow_consumer;
mod stopping;
mod support;
mod switches;
mod tls;
mod upgrade;

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
mod limits;
mod malformed;
mod order;
mod panics;
mod quota;
mod reasons;
mod slow_conflation;
mod slow_consumer;
mod slow_memory;
mod slow_reader;
mod stopping;
mod support;
mod switches;
mod tls;
mod upgrade;

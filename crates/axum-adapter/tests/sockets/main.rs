//! What the adapter promises, shown over real sockets: one module a promise.

mod first_event;
mod order;
mod quota;
mod slow_consumer;
mod support;

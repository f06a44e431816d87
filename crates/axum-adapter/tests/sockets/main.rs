//! What the adapter promises, shown over real sockets: one module a promise.

mod first_event;
mod limits;
mod order;
mod quota;
mod reasons;
mod slow_consumer;
mod support;
mod upgrade;

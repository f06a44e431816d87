//! The HTTP API, with clients over real websockets.

mod client;
mod clients;
mod document;
mod documentation;
mod errors;
mod fixture;
mod follow;
mod idempotency;
mod listening;
mod messages;
mod nodes;
mod pages;
mod rooms;
mod settings;

//! Users: several connections as one, and access that is taken back.

mod messages;
mod outages;
mod revocations;
mod sessions;
mod stage;

//! Users: several connections as one, and access that is taken back.

mod fixture;
mod messages;
mod outages;
mod revocations;
mod sessions;

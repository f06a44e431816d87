//! The identity of clients: authentication, expiry and authorization.

mod admission;
mod expiry;
mod fixture;
mod policy;

//! One node of a cluster of chats.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::system::uname;

use crate::session::Session;

/// What a node is called in a cluster that may reach over several machines.
pub(super) fn name(port: u16) -> String {
    format!("{}-{port}", uname().nodename().to_string_lossy())
}

/// The program as a node with a name, a place and a Redis.
pub(super) fn command(session: &Session, program: &Path, name: &str, address: SocketAddr, redis: &str) -> Command {
    let mut command = session.command(program);
    command
        .env("ROOMWIRE_HOST", address.ip().to_string())
        .env("ROOMWIRE_PORT", address.port().to_string())
        .env("ROOMWIRE_NODE_ID", name)
        // The proxy in front: what is counted by address counts the clients' own.
        .env("ROOMWIRE_TRUSTED_PROXIES", "127.0.0.1,::1")
        .env("ROOMWIRE_STATE__URLS", redis)
        // Each node has an HTTP API of its own, if there is a token, and prints its address.
        .env("ROOMWIRE_API__PORT", "0");
    command
}

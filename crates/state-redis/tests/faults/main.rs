//! What must hold while Redis, or a part of a Redis Cluster, is away or comes back with less than it had.

mod cluster;
mod fixture;
mod moved_address;
mod single;

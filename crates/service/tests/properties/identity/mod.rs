//! Who clients are, how long that holds, and what they may do for it.

mod admission;
mod expiry;
mod policy;
mod stage;

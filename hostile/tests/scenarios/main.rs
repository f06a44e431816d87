//! What must hold under attack: one test for each row of the table.
//!
//! A hundred honest clients chat beside each attack, and others come and go. Each test prints what it measured.

mod expiry;
mod full;
mod mutations;
mod names;
mod origins;
mod rates;
mod revocation;
mod sizes;
mod slow;
mod takeover;
mod tokens;
mod useless;

const SERVER: &str = env!("CARGO_BIN_EXE_hostile-server");

//! What the authenticator accepts and refuses, with keys that are made for the run.

mod algorithms;
mod key_files;
mod key_sets;
mod key_sets_by_tls;
mod refusals;
mod reload;
mod settings;
mod speed;
mod support;

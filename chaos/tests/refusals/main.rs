//! A Redis that answers and refuses something, to nodes of this process.

mod fixture;
mod log;
mod rights;
mod wrong_type;

//! One file for each task of the command line.

pub(crate) mod bench;
mod cargo_tool;
pub(crate) mod ci;
pub(crate) mod example;
pub(crate) mod fuzz;
mod package;
pub(crate) mod soak;
pub(crate) mod test;
pub(crate) mod tidy;

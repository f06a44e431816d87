//! One file for each task of the command line.

pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod example;
mod package;
pub(crate) mod test;
pub(crate) mod tidy;

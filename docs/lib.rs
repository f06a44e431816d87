//! The Rust code of the README, compiled as documentation tests.

/// The README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

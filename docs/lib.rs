//! The Rust code of the README and of the pages beside it, compiled as documentation tests.

/// The README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

/// How clients prove who they are.
#[cfg(doctest)]
#[doc = include_str!("authentication.md")]
#[derive(Debug)]
pub struct Authentication;

//! The Rust code of the README and of pages beside this file, compiled as documentation tests.

/// The README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

/// What limits there are.
#[cfg(doctest)]
#[doc = include_str!("limits.md")]
#[derive(Debug)]
pub struct Limits;

/// Health checks.
#[cfg(doctest)]
#[doc = include_str!("operations.md")]
#[derive(Debug)]
pub struct Operations;

/// What metrics there are.
#[cfg(doctest)]
#[doc = include_str!("metrics.md")]
#[derive(Debug)]
pub struct Metrics;

/// Authentication of clients.
#[cfg(doctest)]
#[doc = include_str!("authentication.md")]
#[derive(Debug)]
pub struct Authentication;

/// The HTTP API.
#[cfg(doctest)]
#[doc = include_str!("http-api.md")]
#[derive(Debug)]
pub struct HttpApi;

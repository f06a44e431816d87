//! Settings that change while the service runs.

/// Puts prepared settings into force. Called at most once, when everything that a reload changes is prepared; dropped if
/// any part of it is refused. Must neither fail nor block.
pub type ApplyReload = Box<dyn FnOnce() + Send>;

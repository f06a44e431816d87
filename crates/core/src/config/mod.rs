//! Placeholder until the configuration lands.
/// Configuration.
#[derive(Clone, Debug, Default)]
pub struct WebSocketConfig;

//! One node's handle on the shared memory.

use std::{fmt, sync::Arc};

use crate::{MemoryHub, backplane::Link, hub::Shared};

/// The state backend of one node, in memory: a [`StateStore`](roomwire_core::StateStore) and a
/// [`Backplane`](roomwire_core::Backplane).
///
/// Dropping it without [`close`](roomwire_core::Backplane::close) is equivalent to the crash of a node: its
/// subscriptions end, its lease expires, and another node cleans up after it.
///
/// ```
/// use std::time::Duration;
/// use roomwire_core::{
///     ClientId, ClientKey, Incarnation, Metadata, Namespace, NewClient, NodeId, RoomId, RoomKey, StateStore, Timestamp,
/// };
/// use roomwire_state_memory::MemoryState;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let state = MemoryState::new();
/// let incarnation = Incarnation::begin(NodeId::random());
/// state.begin_lease(&incarnation, Duration::from_secs(10)).await?;
///
/// let ada = ClientKey::new(Namespace::root(), ClientId::new("ada")?);
/// let connected_at = Timestamp::default();
/// let client = NewClient { key: ada.clone(), user: None, metadata: Metadata::new(), connected_at };
/// state.connect(&incarnation, &client).await?;
///
/// let lobby = RoomKey::new(Namespace::root(), RoomId::new("lobby")?);
/// assert!(state.join(&incarnation, &ada, &lobby).await?.newly_joined);
/// assert_eq!(state.disconnect(&incarnation, &ada).await?, [lobby]);
/// # Ok(())
/// # }
/// ```
pub struct MemoryState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) link: Link,
}

impl MemoryState {
    /// The state of a service that is the only node of its cluster.
    #[must_use]
    pub fn new() -> Self {
        MemoryHub::new().node()
    }

    pub(crate) fn on(shared: Arc<Shared>) -> Self {
        let link = Link::new(shared.bus.attach());
        Self { shared, link }
    }
}

impl Default for MemoryState {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryState {
    fn drop(&mut self) {
        self.link.close(&self.shared.bus);
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryState").finish_non_exhaustive()
    }
}

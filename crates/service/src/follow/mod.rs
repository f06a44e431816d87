//! Following rooms, users and clients live, and showing events in the log while the service runs.
//!
//! One mechanism has both consumers: a [`Follower`] gets items, the log gets lines. While there is neither, an event
//! costs one relaxed atomic load.

mod followed;
mod follower;
mod lines;
mod observe;
mod queue;
mod registry;
mod target;

pub use followed::{Activity, Followed, Recipient};
pub use follower::Follower;
pub(crate) use follower::Subscription;
pub use lines::EVENTS_TARGET;
pub(crate) use observe::{Origin, Reported, Sending};
pub(crate) use registry::Followers;
pub use target::FollowTarget;

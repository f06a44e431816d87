//! The identity of a client and its credentials.

use crate::{Metadata, Timestamp, TokenId, UserId};

/// The result of authenticating a client.
///
/// Made by an [`Authenticator`](crate::Authenticator), never by the client itself: a client cannot choose its user.
///
/// ```
/// use roomwire_core::{Identity, UserId};
///
/// let ada = Identity::of(UserId::new("ada")?);
/// assert_eq!(ada.user.as_deref(), Some("ada"));
/// assert!(Identity::anonymous().user.is_none());
/// # Ok::<(), roomwire_core::NameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user. `None` if the client is anonymous.
    pub user: Option<UserId>,
    /// The claims of the token. Handlers and the room policy read them.
    pub claims: Metadata,
    /// When the credentials were issued. A revocation of the user covers credentials that were issued before it, and
    /// all credentials without this time.
    pub issued_at: Option<Timestamp>,
    /// When the credentials expire. The service then disconnects the client, unless the client has sent newer
    /// credentials.
    pub expires_at: Option<Timestamp>,
    /// The id of the token, by which the token can be revoked.
    pub token: Option<TokenId>,
}

impl Identity {
    /// An anonymous client, without an expiry.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A user without claims and without an expiry.
    #[must_use]
    pub fn of(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// Whether it has expired at this time.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

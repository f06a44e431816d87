//! Who a client is, and what proved it.

use crate::{Metadata, Timestamp, TokenId, UserId};

/// What authentication found out about a client.
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
    /// Who it is; nobody in particular when absent.
    pub user: Option<UserId>,
    /// What else is known: the claims of a token. Handlers and the room policy read it.
    pub claims: Metadata,
    /// When what it showed was issued. A revocation of the user takes back what was issued before, and everything
    /// without such a time.
    pub issued_at: Option<Timestamp>,
    /// From when on it does not hold any more: the client is disconnected then, unless it showed something newer.
    pub expires_at: Option<Timestamp>,
    /// The name of what it showed, by which that can be revoked.
    pub token: Option<TokenId>,
}

impl Identity {
    /// Nobody in particular, for ever.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A user, for ever and without claims.
    #[must_use]
    pub fn of(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// Whether it holds no more at this time.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

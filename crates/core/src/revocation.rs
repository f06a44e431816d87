//! Access that was revoked before it expired.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, TokenId, UserId};

/// The subject of a revocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Revoked {
    /// All credentials of this user issued up to a moment.
    User(UserId),
    /// One token, by its id.
    Token(TokenId),
}

/// Access that is no longer valid, although the credentials have not expired.
///
/// In JSON: camelCase keys, times in RFC 3339.
///
/// ```
/// use roomwire_core::{Revocation, Revoked, Timestamp, UserId};
///
/// let ada = UserId::new("ada")?;
/// let [before, at, after] = [1_000, 5_000, 9_000].map(Timestamp::from_millis);
/// let revocation = Revocation { subject: Revoked::User(ada.clone()), revoked_at: at, until: after };
/// assert!(revocation.covers(Some(&ada), None, Some(before)));
/// assert!(!revocation.covers(Some(&ada), None, Some(after)), "she logged in again");
/// # Ok::<(), roomwire_core::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// The user or token.
    pub subject: Revoked,
    /// When the access was revoked. Credentials that a user gets after this time are valid.
    pub revoked_at: Timestamp,
    /// Until when the revocation must be stored: all credentials that it covers have expired by then.
    pub until: Timestamp,
}

impl Revocation {
    /// Whether it covers an identity: of this user, with the token of this id, issued at this time.
    ///
    /// A token's revocation covers that token, whenever it was issued. A user's revocation covers credentials issued at
    /// or before `revoked_at`, and credentials without an issue time. Issue times are whole seconds, so whole seconds
    /// are compared: credentials issued in the second of the revocation, also after it, are covered.
    ///
    /// Does not check whether it is still [in force](Self::is_in_force).
    #[must_use]
    pub fn covers(&self, user: Option<&UserId>, token: Option<&TokenId>, issued_at: Option<Timestamp>) -> bool {
        match &self.subject {
            Revoked::Token(revoked) => token == Some(revoked),
            Revoked::User(revoked) => {
                let second = |moment: Timestamp| moment.as_millis() / 1000;
                user == Some(revoked) && issued_at.is_none_or(|issued| second(issued) <= second(self.revoked_at))
            }
        }
    }

    /// Whether it must be remembered at this time.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Merges two revocations of one subject: the later `revoked_at` and the later `until`. Returns this one if the
    /// subjects differ.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        if self.subject == other.subject {
            self.revoked_at = self.revoked_at.max(other.revoked_at);
            self.until = self.until.max(other.until);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Revocation, Revoked, Timestamp, TokenId, UserId};

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("valid")
    }

    fn of_ada(revoked_at: u64) -> Revocation {
        let revoked_at = Timestamp::from_millis(revoked_at);
        Revocation { subject: Revoked::User(user("ada")), revoked_at, until: Timestamp::from_millis(90_000) }
    }

    #[test]
    fn a_user_revocation_covers_what_was_issued_up_to_the_second_of_it() {
        let (revocation, ada, bob) = (of_ada(5_400), user("ada"), user("bob"));
        for (issued, covered) in [(0, true), (5_000, true), (5_999, true), (6_000, false), (80_000, false)] {
            let issued_at = Some(Timestamp::from_millis(issued));
            assert_eq!(revocation.covers(Some(&ada), None, issued_at), covered, "issued at {issued}");
            assert!(!revocation.covers(Some(&bob), None, issued_at) && !revocation.covers(None, None, issued_at));
        }
        assert!(revocation.covers(Some(&ada), None, None), "nothing says that it was issued later");
    }

    #[test]
    fn a_token_revocation_covers_that_token_of_any_user_and_any_issue_time() {
        let [token, other] = ["ada", "t2"].map(|name| TokenId::new(name).expect("valid"));
        let revocation = Revocation { subject: Revoked::Token(token.clone()), ..of_ada(5_000) };
        let late = Some(Timestamp::from_millis(80_000));
        assert!(revocation.covers(None, Some(&token), late) && revocation.covers(Some(&user("x")), Some(&token), None));
        assert!(!revocation.covers(Some(&user("ada")), None, None) && !revocation.covers(None, Some(&other), None));
        assert!(!of_ada(5_000).covers(None, Some(&token), None), "a user and a token may have one name");
    }

    #[test]
    fn of_two_the_later_moments_count() {
        let later = Revocation { until: Timestamp::from_millis(1), ..of_ada(7_000) };
        let both = Revocation { until: Timestamp::from_millis(90_000), ..of_ada(7_000) };
        assert_eq!(of_ada(5_000).and(&later), both);
        assert_eq!(later.and(&of_ada(5_000)), both);
        assert!(both.is_in_force(Timestamp::from_millis(89_999)) && !both.is_in_force(Timestamp::from_millis(90_000)));
    }

    #[test]
    fn a_revocation_is_written_with_keys_as_records_have_them() {
        let json = serde_json::to_string(&of_ada(1_000)).expect("serializes");
        let (at, until) = ("1970-01-01T00:00:01.000Z", "1970-01-01T00:01:30.000Z");
        assert_eq!(json, format!(r#"{{"subject":{{"user":"ada"}},"revokedAt":"{at}","until":"{until}"}}"#));
        assert_eq!(serde_json::from_str::<Revocation>(&json).expect("reads"), of_ada(1_000));
    }
}

//! Revocations: stored in the partition of leases, which every node queries anyway.

use roomwire_core::{Page, PageRequest, Revocation, Revoked, StateError, Timestamp, TokenId, UserId};

use crate::{
    cursor::{Found, Pager},
    keys::Partition,
    router::Repeat,
    script,
    state::{Shared, args},
};

impl Shared {
    pub(crate) async fn revoke(&self, revocation: &Revocation) -> Result<(), StateError> {
        let Revocation { subject, revoked_at, until } = revocation;
        let args = args![subject_name(subject), revoked_at.as_millis(), until.as_millis()];
        self.run(&script::REVOKE, Partition::LEASES, &args, Repeat::Always).await.map(drop)
    }

    pub(crate) async fn revocation_page(&self, wanted: &PageRequest) -> Result<Page<Revocation>, StateError> {
        let mut pager = Pager::new(wanted, 1);
        while let Some(step) = pager.step() {
            let args = args!["revocations", step.scan, step.count];
            let mut reply = self.run(&script::SCAN, Partition::LEASES, &args, Repeat::Always).await?;
            let next = reply.next()?;
            let entries: Vec<(String, u64, u64)> = reply.next_readable()?;
            // An invalid subject was not written by this service.
            let items = entries.into_iter().filter_map(|(name, revoked_at, until)| {
                let [revoked_at, until] = [revoked_at, until].map(Timestamp::from_millis);
                let subject = subject_of(&name)?;
                Some((name, Revocation { subject, revoked_at, until }))
            });
            pager.take(Found { next, items: items.collect() });
        }
        Ok(pager.page())
    }
}

fn subject_name(subject: &Revoked) -> String {
    match subject {
        Revoked::User(user) => format!("u{user}"),
        Revoked::Token(token) => format!("t{token}"),
    }
}

/// Parses the output of [`subject_name`].
fn subject_of(name: &str) -> Option<Revoked> {
    if let Some(user) = name.strip_prefix('u') {
        return Some(Revoked::User(UserId::new(user).ok()?));
    }
    Some(Revoked::Token(TokenId::new(name.strip_prefix('t')?).ok()?))
}

#[cfg(test)]
mod tests {
    use roomwire_core::{Revoked, TokenId, UserId};

    use super::{subject_name, subject_of};

    #[test]
    fn a_subject_is_read_as_it_was_written() {
        for name in ["t", "u", "ada", "tea"] {
            for subject in
                [Revoked::User(UserId::new(name).expect("valid")), Revoked::Token(TokenId::new(name).expect("valid"))]
            {
                assert_eq!(subject_of(&subject_name(&subject)), Some(subject));
            }
        }
        for name in ["", "t", "u", "x1"] {
            assert_eq!(subject_of(name), None, "{name:?}");
        }
    }
}

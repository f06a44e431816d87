//! Checks the claims of a verified token and reads the identity from them.

use std::time::Duration;

use roomwire_core::{Identity, Metadata, Timestamp, TokenId, UserId};
use serde_json::Value;

use super::refusal::Refusal;

/// The configured rules for claims.
pub(crate) struct Rules {
    pub(crate) issuers: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) leeway: Duration,
    pub(crate) user_claim: String,
}

impl Rules {
    /// Returns the identity from the claims of a token with a verified signature. The identity is valid until the
    /// expiry plus the leeway, exactly as long as the token is accepted.
    ///
    /// # Errors
    /// The first rule that the claims break.
    pub(crate) fn identity(&self, claims: Metadata, now: Timestamp) -> Result<Identity, Refusal> {
        self.check_issuer(claims.get("iss"))?;
        self.check_audience(claims.get("aud"))?;
        let expires_at = moment(&claims, "exp")?.ok_or(Refusal::NoExpiry)?.plus(self.leeway);
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        let latest = now.plus(self.leeway);
        if moment(&claims, "nbf")?.is_some_and(|begin| begin > latest) {
            return Err(Refusal::NotYetValid);
        }
        // A revocation covers tokens issued before it; a time in the future would evade that.
        let issued_at = moment(&claims, "iat")?;
        if issued_at.is_some_and(|issued| issued > latest) {
            return Err(Refusal::IssuedLater);
        }
        let user = user(claims.get(&self.user_claim)).ok_or(Refusal::User)?;
        let token = match claims.get("jti") {
            None => None,
            // A token without a valid id could not be revoked.
            Some(id) => Some(id.as_str().and_then(|id| TokenId::new(id).ok()).ok_or(Refusal::TokenId)?),
        };
        Ok(Identity { user: Some(user), issued_at, expires_at: Some(expires_at), token, claims })
    }

    fn check_issuer(&self, issuer: Option<&Value>) -> Result<(), Refusal> {
        let is_listed =
            issuer.and_then(Value::as_str).is_some_and(|issuer| self.issuers.iter().any(|one| one == issuer));
        if is_listed || self.issuers.is_empty() { Ok(()) } else { Err(Refusal::Issuer) }
    }

    /// A service must refuse a token with an audience that does not include it (RFC 7519, 4.1.3). A service without a
    /// configured audience refuses every such token.
    fn check_audience(&self, audience: Option<&Value>) -> Result<(), Refusal> {
        let is_listed = |name: &Value| name.as_str().is_some_and(|name| self.audiences.iter().any(|one| one == name));
        let is_for_us = match audience {
            None => self.audiences.is_empty(),
            Some(Value::Array(names)) => names.iter().any(is_listed),
            Some(name) => is_listed(name),
        };
        match is_for_us {
            true => Ok(()),
            false if self.audiences.is_empty() => Err(Refusal::AudienceUnset),
            false => Err(Refusal::Audience),
        }
    }
}

/// A user's id; also a whole number, which many databases use.
fn user(value: Option<&Value>) -> Option<UserId> {
    match value? {
        Value::String(id) => UserId::new(id).ok(),
        Value::Number(id) if id.is_u64() || id.is_i64() => UserId::new(id.to_string()).ok(),
        _ => None,
    }
}

/// A time in a token: seconds since 1970, possibly with a fraction. Earlier times count as 1970.
fn moment(claims: &Metadata, claim: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let millis = match value.as_u64() {
        Some(seconds) => seconds.saturating_mul(1000),
        None => {
            let seconds = value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(Refusal::Claims(claim))?;
            // A float that is too large or negative becomes the nearest representable number.
            (seconds * 1000.0) as u64
        }
    };
    Ok(Some(Timestamp::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roomwire_core::Timestamp;
    use serde_json::{Value, json};

    use super::Rules;
    use crate::refusal::Refusal;

    const NOW: u64 = 1_800_000_000;

    fn rules() -> Rules {
        Rules {
            issuers: vec!["https://issuer".to_owned()],
            audiences: vec!["chat".to_owned(), "api".to_owned()],
            leeway: Duration::from_secs(5),
            user_claim: "sub".to_owned(),
        }
    }

    /// Valid claims, with these changed; `null` removes one.
    fn judged(rules: &Rules, changes: &Value) -> Result<roomwire_core::Identity, Refusal> {
        let mut claims = json!({ "iss": "https://issuer", "aud": "chat", "sub": "ada", "exp": NOW + 60, "iat": NOW });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let mut claims = claims.as_object().expect("an object").clone();
        claims.retain(|_, value| !value.is_null());
        rules.identity(claims, Timestamp::from_millis(NOW * 1000))
    }

    #[test]
    fn what_the_claims_say_becomes_the_identity() {
        let identity = judged(&rules(), &json!({ "jti": "t-1", "rooms": ["a/*"] })).expect("accepted");
        assert_eq!(identity.user.as_deref(), Some("ada"));
        assert_eq!(identity.token.as_deref(), Some("t-1"));
        assert_eq!(identity.issued_at, Some(Timestamp::from_millis(NOW * 1000)));
        assert_eq!(identity.expires_at, Some(Timestamp::from_millis((NOW + 65) * 1000)), "with the leeway");
        assert_eq!(identity.claims["rooms"], json!(["a/*"]));
    }

    #[test]
    fn each_rule_refuses_what_breaks_it_and_nothing_at_its_edge() {
        for (changes, outcome) in [
            (json!({ "exp": NOW - 4 }), Ok(())),
            (json!({ "exp": NOW - 5 }), Err(Refusal::Expired)),
            (json!({ "exp": NOW as f64 - 4.9 }), Ok(())),
            (json!({ "exp": -1 }), Err(Refusal::Expired)),
            (json!({ "exp": -1e300 }), Err(Refusal::Expired)),
            (json!({ "exp": 1e300 }), Ok(())),
            (json!({ "exp": u64::MAX }), Ok(())),
            (json!({ "exp": null }), Err(Refusal::NoExpiry)),
            (json!({ "exp": "1800000060" }), Err(Refusal::Claims("exp"))),
            (json!({ "nbf": NOW + 5 }), Ok(())),
            (json!({ "nbf": NOW + 6 }), Err(Refusal::NotYetValid)),
            (json!({ "nbf": [] }), Err(Refusal::Claims("nbf"))),
            (json!({ "iat": NOW + 5 }), Ok(())),
            (json!({ "iat": NOW + 6 }), Err(Refusal::IssuedLater)),
            (json!({ "iat": null }), Ok(())),
            (json!({ "iss": "https://other" }), Err(Refusal::Issuer)),
            (json!({ "iss": null }), Err(Refusal::Issuer)),
            (json!({ "iss": ["https://issuer"] }), Err(Refusal::Issuer)),
            (json!({ "aud": ["other", "api"] }), Ok(())),
            (json!({ "aud": ["other"] }), Err(Refusal::Audience)),
            (json!({ "aud": [] }), Err(Refusal::Audience)),
            (json!({ "aud": null }), Err(Refusal::Audience)),
            (json!({ "aud": 7 }), Err(Refusal::Audience)),
            (json!({ "sub": null }), Err(Refusal::User)),
            (json!({ "sub": "" }), Err(Refusal::User)),
            (json!({ "sub": "a\nb" }), Err(Refusal::User)),
            (json!({ "sub": "x".repeat(129) }), Err(Refusal::User)),
            (json!({ "sub": 42 }), Ok(())),
            (json!({ "sub": 4.2 }), Err(Refusal::User)),
            (json!({ "sub": true }), Err(Refusal::User)),
            (json!({ "jti": "" }), Err(Refusal::TokenId)),
            (json!({ "jti": 7 }), Err(Refusal::TokenId)),
        ] {
            assert_eq!(judged(&rules(), &changes).map(drop), outcome, "{changes}");
        }
    }

    #[test]
    fn without_audiences_a_token_for_an_audience_is_refused_and_one_without_is_not() {
        let rules = Rules { audiences: Vec::new(), issuers: Vec::new(), ..rules() };
        assert_eq!(judged(&rules, &json!({})).map(drop), Err(Refusal::AudienceUnset));
        assert_eq!(judged(&rules, &json!({ "aud": [] })).map(drop), Err(Refusal::AudienceUnset));
        assert_eq!(judged(&rules, &json!({ "aud": null, "iss": null })).map(drop), Ok(()));
    }

    #[test]
    fn the_user_is_in_the_claim_that_was_chosen_and_in_no_other() {
        let rules = Rules { user_claim: "uid".to_owned(), ..rules() };
        assert_eq!(judged(&rules, &json!({ "uid": 7 })).expect("accepted").user.as_deref(), Some("7"));
        assert_eq!(judged(&rules, &json!({})).map(drop), Err(Refusal::User));
    }
}

//! Why a token is not accepted: for the log, never for the client.

use std::fmt;

/// The reason. It holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoToken,
    NotText,
    SeveralHeaders,
    TooLong,
    Malformed,
    Algorithm,
    Critical,
    UnknownKey,
    SignatureLength,
    Signature,
    Claims(&'static str),
    NoExpiry,
    Expired,
    NotYetValid,
    IssuedLater,
    Issuer,
    Audience,
    User,
    TokenId,
}

impl Refusal {
    /// Whether a signature was verified on the way to it, which takes most of the time.
    pub(crate) fn cost_a_verification(self) -> bool {
        match self {
            Self::NoToken
            | Self::NotText
            | Self::SeveralHeaders
            | Self::TooLong
            | Self::Malformed
            | Self::Algorithm
            | Self::Critical
            | Self::UnknownKey
            | Self::SignatureLength => false,
            Self::Signature
            | Self::Claims(_)
            | Self::NoExpiry
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedLater
            | Self::Issuer
            | Self::Audience
            | Self::User
            | Self::TokenId => true,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "no token",
            Self::NotText => "the token is not text",
            Self::SeveralHeaders => "the header of the token came several times",
            Self::TooLong => "the token is too long",
            Self::Malformed => "not a signed token, or signed by an algorithm that nobody should use",
            Self::Algorithm => "signed by an algorithm that is not in auth.algorithms",
            Self::Critical => "the token demands extensions (crit)",
            Self::UnknownKey => "no key for the token's key id and algorithm",
            Self::SignatureLength => "the signature has the wrong length for the key",
            Self::Signature => "the signature does not fit the key",
            Self::Claims(claim) => return write!(f, "claim {claim} has the wrong type"),
            Self::NoExpiry => "no expiry (exp)",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid (nbf)",
            Self::IssuedLater => "issued in the future (iat); is a clock wrong?",
            Self::Issuer => "the issuer (iss) is not in auth.issuers",
            Self::Audience => "the audience (aud) is not in auth.audiences",
            Self::User => "the claim of auth.userClaim is missing or no valid user id",
            Self::TokenId => "the token id (jti) is not valid",
        })
    }
}

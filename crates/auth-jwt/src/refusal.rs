//! Why a token is not accepted: for the log, never for the client.

use std::{error, fmt};

/// The reason. It contains nothing of the token.
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
    AudienceUnset,
    User,
    TokenId,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "no token, neither in the field auth.field of the handshake's auth payload nor in the header auth.header",
            Self::NotText => "the token is not text",
            Self::SeveralHeaders => "the header of the token came several times",
            Self::TooLong => "the token is too long",
            Self::Malformed => "not a signed token, or its algorithm is not supported",
            Self::Algorithm => "signed by an algorithm that is not in auth.algorithms",
            Self::Critical => "the token demands extensions (crit)",
            Self::UnknownKey => "no key for the token's key id and algorithm",
            Self::SignatureLength => "the signature has the wrong length for the key",
            Self::Signature => "the signature does not fit the key",
            Self::Claims(claim) => return write!(f, "claim {claim} has the wrong type"),
            Self::NoExpiry => "the token has no expiry (exp)",
            Self::Expired => "the token has expired (exp); auth.leeway says how far clocks may differ",
            Self::NotYetValid => "the token is not valid yet (nbf); auth.leeway says how far clocks may differ",
            Self::IssuedLater => "the token was issued in the future (iat); auth.leeway says how far clocks may differ",
            Self::Issuer => "the issuer (iss) is not in auth.issuers",
            Self::Audience => "the audience (aud) is not in auth.audiences",
            Self::AudienceUnset => "the token is for an audience (aud), and auth.audiences is empty: list this service's name there",
            Self::User => "the claim of auth.userClaim is missing or no valid user id",
            Self::TokenId => "the token id (jti) is not valid",
        })
    }
}

impl error::Error for Refusal {}

//! Settings that are one of a few words.

use std::fmt;

use serde::Serialize;

/// Declares an enum of words; its variants and their spelling in files and variables are written once.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every choice, in the order in which the documentation names them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word that files and variables use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The choice with this word.
            pub(super) fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == word)
            }

            /// All words, with this conjunction before the last one.
            pub(super) fn words(conjunction: &str) -> String {
                let words: Vec<_> = Self::ALL.iter().map(|choice| choice.as_str()).collect();
                match words.split_last() {
                    Some((last, [])) => (*last).to_owned(),
                    Some((last, before)) => format!("{} {conjunction} {last}", before.join(", ")),
                    None => String::new(),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

choice! {
    /// A way for a client to reach the server.
    Transport {
        /// A WebSocket, from the start or after an upgrade from polling.
        Websocket = "websocket",
        /// HTTP long polling.
        Polling = "polling",
    }
}

choice! {
    /// The least severe lines that are logged; each level includes those before it.
    LogLevel {
        /// Failures on the server that need an operator's attention.
        Error = "error",
        /// Failures that the service handled.
        Warn = "warn",
        /// What an operator needs to know in normal operation.
        Info = "info",
        /// Each step, for debugging.
        Debug = "debug",
    }
}

choice! {
    /// An algorithm that may sign tokens.
    Algorithm {
        /// HMAC with SHA-256 and a shared secret.
        Hs256 = "HS256",
        /// HMAC with SHA-384 and a shared secret.
        Hs384 = "HS384",
        /// HMAC with SHA-512 and a shared secret.
        Hs512 = "HS512",
        /// RSA (PKCS #1) with SHA-256.
        Rs256 = "RS256",
        /// RSA (PKCS #1) with SHA-384.
        Rs384 = "RS384",
        /// RSA (PKCS #1) with SHA-512.
        Rs512 = "RS512",
        /// RSA (PSS) with SHA-256.
        Ps256 = "PS256",
        /// RSA (PSS) with SHA-384.
        Ps384 = "PS384",
        /// RSA (PSS) with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

//! The layering table: what each crate must not know.

/// Where a name may stand all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Except {
    Nowhere,
    /// In tests and as a dependency of tests.
    Tests,
    /// In the contract tests, and as an optional dependency which only their feature turns on.
    ContractTests,
}

/// A crate, or a family of crates, that another must not name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ban {
    /// Words of a crate's name: `redis` also bans `deadpool-redis`, and `roomwire-state` every backend.
    pub(super) words: &'static str,
    pub(super) except: Except,
}

/// A crate of this workspace and what it must not name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    /// The folder below `crates`.
    pub(super) folder: &'static str,
    pub(super) bans: &'static [Ban],
}

/// The feature that turns the contract tests on.
pub(super) const CONTRACT_TESTS: &str = "contract-tests";

/// Which crate must stay free of what even when others bring it in: `cargo add` of it must not pull these.
pub(super) const CLOSURE: (&str, &[&str]) =
    ("roomwire-service", &["axum", "engineioxide", "hyper", "redis", "socketioxide"]);

pub(super) const LAYERS: &[Layer] = &[
    Layer {
        folder: "auth-jwt",
        bans: &[
            never("axum"),
            never("engineioxide"),
            never("redis"),
            never("roomwire-service"),
            never("roomwire-state"),
            never("socketioxide"),
        ],
    },
    Layer { folder: "axum-adapter", bans: &[never("engineioxide"), never("redis"), never("socketioxide")] },
    Layer {
        folder: "core",
        bans: &[
            never("axum"),
            never("engineioxide"),
            never("redis"),
            never("socketioxide"),
            Ban { words: "tokio", except: Except::ContractTests },
            never("tower"),
        ],
    },
    Layer {
        folder: "http-api",
        bans: &[
            never("engineioxide"),
            never("hyper"),
            never("redis"),
            Ban { words: "roomwire-state", except: Except::Tests },
            never("socketioxide"),
        ],
    },
    Layer {
        folder: "service",
        bans: &[
            never("axum"),
            never("engineioxide"),
            never("hyper"),
            Ban { words: "redis", except: Except::Tests },
            Ban { words: "roomwire-state", except: Except::Tests },
            never("socketioxide"),
        ],
    },
    Layer {
        folder: "socketio",
        bans: &[
            never("axum"),
            never("engineioxide"),
            never("hyper"),
            never("redis"),
            Ban { words: "roomwire-state", except: Except::Tests },
            never("socketioxide"),
        ],
    },
    Layer {
        folder: "state-memory",
        bans: &[never("axum"), never("engineioxide"), never("redis"), never("socketioxide")],
    },
    Layer {
        folder: "state-redis",
        bans: &[never("axum"), never("engineioxide"), never("roomwire-service"), never("socketioxide")],
    },
];

const fn never(words: &'static str) -> Ban {
    Ban { words, except: Except::Nowhere }
}

/// The layer whose crate holds this path, and the path below the crate's folder.
pub(super) fn layer_of(path: &str) -> Option<(&'static Layer, &str)> {
    let (folder, inside) = path.strip_prefix("crates/")?.split_once('/')?;
    Some((LAYERS.iter().find(|layer| layer.folder == folder)?, inside))
}

/// Whether a crate's name, in a manifest or in Rust, holds these words one after another.
pub(super) fn names(crate_name: &str, words: &str) -> bool {
    let name: Vec<_> = crate_name.split(['-', '_']).collect();
    let words: Vec<_> = words.split('-').collect();
    name.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_covers_a_family() {
        assert!(names("redis", "redis"));
        assert!(names("deadpool-redis", "redis"));
        assert!(names("tower_service", "tower"));
        assert!(names("roomwire_state_memory", "roomwire-state"));
    }

    #[test]
    fn a_ban_does_not_cover_what_only_sounds_alike() {
        assert!(!names("predis", "redis"));
        assert!(!names("towers", "tower"));
        assert!(!names("roomwire-core", "roomwire-state"));
    }

    #[test]
    fn a_path_belongs_to_the_layer_of_its_folder() {
        let (layer, inside) = layer_of("crates/core/src/room.rs").expect("core has a layer");
        assert_eq!((layer.folder, inside), ("core", "src/room.rs"));
        assert!(layer_of("xtask/src/main.rs").is_none());
    }
}

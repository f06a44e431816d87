//! The Lua scripts, each with the shared prelude.

use std::sync::LazyLock;

use redis::Cmd;

use crate::keys::{Keys, Partition};

/// A script in the server's cache.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    script: redis::Script,
    source: String,
}

/// Whether a script runs if the server is out of memory: those that only remove data or access, and those that keep
/// leases, do.
#[derive(Clone, Copy, Debug)]
enum Memory {
    MayGrow,
    Frees,
    OnlyReads,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal, $memory:ident $(, with $shared:literal)*;)*) => {$(
        $(#[$doc])*
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let parts = [
                include_str!("../scripts/prelude.lua"),
                $(include_str!(concat!("../scripts/", $shared, ".lua")),)*
                include_str!(concat!("../scripts/", $file, ".lua")),
            ];
            Script::new(concat!("script ", $file), Memory::$memory, &parts)
        });
    )*

        /// All of them.
        #[cfg(test)]
        fn all() -> Vec<&'static Script> {
            vec![$(&$name),*]
        }
    };
}

scripts! {
    CLAIM = "claim", Frees, with "unreadable", with "incarnations";
    BEGIN = "begin", Frees, with "renew_all", with "unreadable", with "incarnations";
    CHECK = "check", Frees;
    CREATE = "create", MayGrow;
    DELETE = "delete", Frees, with "unreadable";
    DISCARD = "discard", Frees;
    DISCONNECT = "disconnect", Frees;
    JOIN = "join", MayGrow, with "unreadable";
    LEAVE = "leave", Frees;
    METADATA = "metadata", MayGrow;
    PROBE = "probe", Frees;
    READ = "read", OnlyReads;
    REAP = "reap", Frees, with "unreadable", with "incarnations";
    RECOVER = "recover", Frees;
    RENEW = "renew", Frees, with "renew_all", with "expire_lease";
    REPAIR = "repair", Frees, with "unreadable", with "incarnations";
    RESTORE = "restore", MayGrow, with "unreadable", with "rooms";
    REVOKE = "revoke", Frees, with "expire_lease";
    ROOM_SETTINGS = "room_settings", MayGrow, with "unreadable";
    SCAN = "scan", OnlyReads, with "unreadable";
    SWEEP = "sweep", Frees, with "unreadable", with "rooms";
    TOUCH = "touch", Frees;
}

impl Script {
    fn new(name: &'static str, memory: Memory, parts: &[&str]) -> Self {
        let head = match memory {
            Memory::MayGrow => "#!lua",
            Memory::Frees => "#!lua flags=allow-oom",
            Memory::OnlyReads => "#!lua flags=no-writes",
        };
        let source = format!("{head}\n{}", parts.join("\n"));
        Self { name, script: redis::Script::new(&source), source }
    }

    /// For logs and errors.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The call by the script's hash. The server answers NOSCRIPT if the script is not cached (any more).
    pub(crate) fn by_hash(&self, keys: &Keys, partition: Partition) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(2).arg(&keys.of(partition));
        command
    }

    /// The call by the script's text, which the server then caches.
    pub(crate) fn by_source(&self, keys: &Keys, partition: Partition) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.source).arg(2).arg(&keys.of(partition));
        command
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CHECK, all};

    /// The names between this prefix and the next quote.
    fn names<'a>(source: &'a str, beginning: &str) -> BTreeSet<&'a str> {
        source.split(beginning).skip(1).filter_map(|rest| rest.split('\'').next()).collect()
    }

    #[test]
    fn the_check_at_start_uses_every_command_and_every_kind_of_key_of_the_scripts() {
        let others = || all().into_iter().filter(|script| script.name() != CHECK.name());
        let commands: BTreeSet<_> = others().flat_map(|script| names(&script.source, "call('")).collect();
        assert_eq!(names(&CHECK.source, "try('"), commands);

        let kinds: BTreeSet<_> = others()
            .flat_map(|script| names(&script.source, "key('").into_iter().chain(names(&script.source, "P .. ':")))
            .filter(|kind| !kind.is_empty())
            .collect();
        let checked: BTreeSet<_> = CHECK.source.split("ipairs({ ").skip(1).flat_map(|list| names(list, "'")).collect();
        assert!(kinds.is_subset(&checked), "{kinds:?} and {checked:?}");
    }

    #[test]
    fn scripts_are_told_apart_by_their_hash() {
        let hashes: std::collections::HashSet<_> = all().iter().map(|script| script.script.get_hash()).collect();
        assert_eq!(hashes.len(), all().len());
    }
}

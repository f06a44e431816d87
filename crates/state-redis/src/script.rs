//! The scripts, each with what it shares with the others in front.

use std::sync::LazyLock;

use redis::Cmd;

use crate::keys::{Keys, Partition};

/// A script as the server knows it.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    script: redis::Script,
    source: String,
}

/// Whether a script runs when the server has no memory left: what only takes away, be it access, and what keeps leases,
/// does.
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
            Script::new($file, Memory::$memory, &parts)
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
    ADOPT = "adopt", Frees;
    BEGIN = "begin", Frees, with "steady";
    CHANGE = "change", MayGrow;
    CREATE = "create", MayGrow;
    DELETE = "delete", Frees;
    DISCONNECT = "disconnect", Frees;
    JOIN = "join", MayGrow;
    LEAVE = "leave", Frees;
    METADATA = "metadata", MayGrow;
    READ = "read", OnlyReads;
    REAP = "reap", Frees;
    RECOVER = "recover", Frees;
    RENEW = "renew", Frees, with "steady", with "lapse";
    RESTORE = "restore", MayGrow;
    REVOKE = "revoke", Frees, with "lapse";
    SCAN = "scan", OnlyReads;
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

    /// For logs.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The call by the script's hash. The server answers NOSCRIPT when it does not know it (any more).
    pub(crate) fn by_hash(&self, keys: &Keys, partition: Partition) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(2).arg(&keys.of(partition));
        command
    }

    /// The call by the script's text, which the server then knows.
    pub(crate) fn by_source(&self, keys: &Keys, partition: Partition) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.source).arg(2).arg(&keys.of(partition));
        command
    }
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn scripts_are_told_apart_by_their_hash() {
        let hashes: std::collections::HashSet<_> = all().iter().map(|script| script.script.get_hash()).collect();
        assert_eq!(hashes.len(), all().len());
    }
}

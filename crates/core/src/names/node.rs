//! A node and its lives.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{NameError, NodeId};

/// One life of a node.
///
/// A node takes a new incarnation at every start and whenever its lease was lost. What an earlier one
/// wrote can so be told apart from what the node writes now, and a writer that was declared dead while
/// it was only paused is refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    node: NodeId,
    life: u64,
}

impl Incarnation {
    /// A new life of this node, different from all before.
    #[must_use]
    pub fn begin(node: NodeId) -> Self {
        Self { node, life: rand::random() }
    }

    /// The node that lives it.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

impl NodeId {
    /// A name that no other node has, for a node that was given none.
    #[must_use]
    pub fn random() -> Self {
        Self::new(format!("node-{:016x}", rand::random::<u64>()))
            .unwrap_or_else(|_: NameError| unreachable!("21 plain characters are a valid name"))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.node, self.life)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What `Display` wrote. The node's name may have dots itself: the life is what follows the last one.
impl FromStr for Incarnation {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let no_life = || NameError::no_life("incarnation");
        let (node, life) = text.rsplit_once('.').ok_or_else(no_life)?;
        // As it is written and no other way: `parse` alone would take a sign, capitals and fewer digits.
        if life.len() != 16 || !life.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(no_life());
        }
        let life = u64::from_str_radix(life, 16).map_err(|_| no_life())?;
        Ok(Self { node: NodeId::new(node)?, life })
    }
}

#[cfg(test)]
mod tests {
    use super::{Incarnation, NodeId};

    #[test]
    fn what_is_written_is_read_back_whatever_the_name_of_the_node() {
        let long = "x".repeat(NodeId::MAX_BYTES);
        for name in ["n", "n.1", "n.", ".n", ".", "..", "a.0123456789abcdef", "n:r", "{n}", "n n", "räume 🏠", &long]
        {
            for life in [0, 1, 0xabc, u64::MAX, rand::random()] {
                let incarnation = Incarnation { node: NodeId::new(name).expect("valid"), life };
                assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
            }
        }
    }

    #[test]
    fn what_was_never_written_is_refused() {
        let life = "does not end with a dot and 16 lower-case hexadecimal digits";
        for (text, problem) in [
            ("", life),
            ("n", life),
            ("n.", life),
            ("n.123456789abcdef", life),
            ("n.0123456789abcdef0", life),
            ("n.0123456789ABCDEF", life),
            ("n.+123456789abcdef", life),
            ("n.0123456789abcdeé", life),
            ("n.0123456789abcdef.", life),
            (".0123456789abcdef", "node id is empty"),
            ("a\nb.0123456789abcdef", "node id has a control character"),
        ] {
            let error = text.parse::<Incarnation>().expect_err("refused").to_string();
            assert!(error.contains(problem), "{text:?}: {error}");
        }
        let long = format!("{}.0123456789abcdef", "x".repeat(NodeId::MAX_BYTES + 1));
        assert!(long.parse::<Incarnation>().is_err());
    }
}

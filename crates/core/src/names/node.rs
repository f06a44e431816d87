//! A node, its processes and their incarnations.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{NameError, NodeId};

/// The number of bits that count the incarnations of one process.
const COUNT_BITS: u32 = 16;

/// One incarnation of a node.
///
/// A node begins a new incarnation at every start and whenever its lease was lost. So the store can distinguish entries
/// of an earlier incarnation from current ones, and rejects a writer that was declared dead while it was only paused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    node: NodeId,
    /// A random number of the process, then the number of the incarnation within the process.
    incarnation: u64,
}

/// One process of the cluster. Two processes with the same node id differ in their number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeProcess {
    node: NodeId,
    number: u64,
}

impl Incarnation {
    /// The first incarnation of a new process of this node.
    #[must_use]
    pub fn begin(node: NodeId) -> Self {
        Self { node, incarnation: rand::random::<u64>() >> COUNT_BITS << COUNT_BITS }
    }

    /// The incarnation that follows this one in the same process.
    #[must_use]
    pub fn next(&self) -> Self {
        let (process, count) = (self.incarnation >> COUNT_BITS << COUNT_BITS, self.incarnation.wrapping_add(1));
        Self { node: self.node.clone(), incarnation: process | count & ((1 << COUNT_BITS) - 1) }
    }

    /// The node of this incarnation.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The process of this incarnation.
    #[must_use]
    pub fn process(&self) -> NodeProcess {
        NodeProcess { node: self.node.clone(), number: self.incarnation >> COUNT_BITS }
    }

    /// Whether this incarnation belongs to that process.
    #[must_use]
    pub fn is_of(&self, process: &NodeProcess) -> bool {
        self.node == process.node && self.incarnation >> COUNT_BITS == process.number
    }
}

impl NodeProcess {
    /// The node's name, which other processes may have, too.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

impl NodeId {
    /// A unique name, for a node without a configured one.
    #[must_use]
    pub fn random() -> Self {
        Self::new(format!("node-{:016x}", rand::random::<u64>()))
            .unwrap_or_else(|_: NameError| unreachable!("21 plain characters are a valid name"))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.node, self.incarnation)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NodeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:012x}", self.node, self.number)
    }
}

impl fmt::Debug for NodeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses the output of `Display`. The node's name may contain dots: the incarnation follows the last one.
impl FromStr for Incarnation {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let malformed_incarnation = || NameError::malformed_incarnation("incarnation");
        let (node, incarnation) = text.rsplit_once('.').ok_or_else(malformed_incarnation)?;
        // Accepts only the canonical form: `parse` alone would accept a sign, capitals and fewer digits.
        if incarnation.len() != 16 || !incarnation.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(malformed_incarnation());
        }
        let incarnation = u64::from_str_radix(incarnation, 16).map_err(|_| malformed_incarnation())?;
        Ok(Self { node: NodeId::new(node)?, incarnation })
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
            for incarnation in [0, 1, 0xabc, u64::MAX, rand::random()] {
                let incarnation = Incarnation { node: NodeId::new(name).expect("valid"), incarnation };
                assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
            }
        }
    }

    #[test]
    fn the_incarnations_of_a_process_differ_and_are_told_apart_from_those_of_another_of_the_same_name() {
        let node = NodeId::new("n").expect("valid");
        let (first, other) = (Incarnation::begin(node.clone()), Incarnation::begin(node));
        let mut incarnations = vec![first.clone()];
        for _ in 1..1 << 16 {
            incarnations.push(incarnations.last().expect("one").next());
        }
        assert_eq!(incarnations.last().expect("one").next(), first, "incarnations are counted round");
        assert!(
            incarnations
                .iter()
                .all(|incarnation| incarnation.is_of(&first.process()) && incarnation.process() == first.process())
        );
        assert!(incarnations.iter().all(|incarnation| !incarnation.is_of(&other.process())));
        incarnations.sort_unstable();
        incarnations.dedup();
        assert_eq!(incarnations.len(), 1 << 16);
        assert!(first.to_string().starts_with(&first.process().to_string()));
    }

    #[test]
    fn what_was_never_written_is_refused() {
        let incarnation = "does not end with a dot and 16 lower-case hexadecimal digits";
        for (text, problem) in [
            ("", incarnation),
            ("n", incarnation),
            ("n.", incarnation),
            ("n.123456789abcdef", incarnation),
            ("n.0123456789abcdef0", incarnation),
            ("n.0123456789ABCDEF", incarnation),
            ("n.+123456789abcdef", incarnation),
            ("n.0123456789abcdeé", incarnation),
            ("n.0123456789abcdef.", incarnation),
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

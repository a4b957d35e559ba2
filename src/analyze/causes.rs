//! Why nodes differ from the mean, and what more nodes would change: the rows of a summary.

use serde::Serialize;

use crate::error::quoted;
use crate::units;

/// A node far from the mean, and what makes the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeCauses {
    /// Name of the node.
    pub node: String,
    /// Its memory less the mean of the nodes.
    pub difference_bytes: i64,
    /// The difference taken apart: the parts add up to it, and no byte is in two of them. A part may lie on another node, whose weight raises the mean.
    pub parts: Vec<CausePart>,
    /// Patterns that differ most from their mean over the nodes. These are the same bytes seen another way.
    pub patterns: Vec<PatternDifference>,
}

/// A part of the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CausePart {
    /// Bytes of the difference.
    pub bytes: i64,
    /// What they are.
    #[serde(flatten)]
    pub cause: Cause,
}

/// What makes a part of the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "cause")]
pub enum Cause {
    /// A single key.
    Key {
        /// Its name.
        key: String,
        /// Its slot.
        slot: u16,
        /// The node that it is on.
        node: String,
        /// All of its bytes. What it adds to a difference is this less its share of the mean, or that share.
        of_bytes: u64,
    },
    /// The keys with a hash tag, but for those named.
    Tag {
        /// The tag.
        tag: String,
        /// Its slot.
        slot: u16,
        /// The node that it is on.
        node: String,
        /// All of its bytes. What it adds to a difference is this less its share of the mean, or that share.
        of_bytes: u64,
    },
    /// A slot, but for what is named of it, above what a slot has on average.
    Slot {
        /// Its number.
        slot: u16,
        /// The node that it is on.
        node: String,
        /// Its bytes, but for what is named and for what a slot has on average.
        of_bytes: u64,
    },
    /// More or fewer slots with keys than the mean, at the average bytes of a slot.
    SlotCount {
        /// How many more.
        slots: i64,
    },
    /// The rest.
    Rest {
        /// Slots that it is spread over.
        slots: u64,
    },
}

/// A pattern that has more or less on a node than on the mean of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatternDifference {
    /// A glob that matches the names.
    pub pattern: String,
    /// Bytes on the node less the mean over the nodes.
    pub bytes: i64,
}

/// The largest node at best if there were so many nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scaled {
    /// Number of nodes.
    pub nodes: u64,
    /// Mean memory of them.
    pub mean_bytes: u64,
    /// Memory of the largest at best: slots cannot be divided.
    pub largest_bytes: u64,
    /// The slot that sets the bound, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_slot: Option<u16>,
}

impl NodeCauses {
    /// What of the difference lies on the node and no move of slots can divide.
    pub fn undivided_bytes(&self) -> i64 {
        let undivided = self.parts.iter().filter(|part| match &part.cause {
            Cause::Key { node, .. } | Cause::Tag { node, .. } => *node == self.node,
            _ => false,
        });
        undivided.map(|part| part.bytes).sum()
    }

    /// The difference and its parts: `3.1 GiB more than the mean: 2.0 GiB is the key "x", ...`.
    pub fn in_words(&self) -> String {
        let (bytes, more) = (self.difference_bytes.unsigned_abs(), self.difference_bytes > 0);
        let parts: Vec<String> = self.parts.iter().map(|part| self.part_in_words(part)).collect();
        format!("{} {} than the mean: {}", units::bytes(bytes), more_or(more, "less"), parts.join(", "))
    }

    fn part_in_words(&self, part: &CausePart) -> String {
        let bytes = units::bytes(part.bytes.unsigned_abs());
        let weight = |what: String, node: &String, of_bytes: u64| {
            let place = if *node == self.node { String::new() } else { format!(" on {node}, which raises the mean") };
            format!("{bytes} is {what} ({}{place})", units::bytes(of_bytes))
        };
        match &part.cause {
            Cause::Key { key, node, of_bytes, .. } => weight(format!("the key {}", quoted(key)), node, *of_bytes),
            Cause::Tag { tag, node, of_bytes, .. } => weight(format!("the hash tag {}", quoted(tag)), node, *of_bytes),
            Cause::Slot { slot, node, of_bytes } => weight(format!("slot {slot}"), node, *of_bytes),
            Cause::SlotCount { slots } => format!(
                "{bytes} is {} {} slots with keys than the mean",
                units::count(slots.unsigned_abs()),
                more_or(*slots > 0, "fewer")
            ),
            Cause::Rest { slots } => {
                let slots = format!("spread over {} slots", units::count(*slots));
                match (self.parts.len(), part.bytes.signum() == self.difference_bytes.signum()) {
                    (1, _) => format!("it is {slots}"),
                    (_, true) => format!("the rest, {bytes}, is {slots}"),
                    (_, false) => format!("and {bytes} {} {slots}", more_or(part.bytes > 0, "less")),
                }
            }
        }
    }
}

fn more_or(more: bool, less: &'static str) -> &'static str {
    if more { "more" } else { less }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_in_words() {
        const MIB: i64 = 1 << 20;
        let name = |name: &str| name.to_owned();
        let part = |bytes, cause| CausePart { bytes, cause };
        let causes = NodeCauses {
            node: "n".to_owned(),
            difference_bytes: 100 * MIB,
            parts: vec![
                part(60 * MIB, Cause::Key { key: "x".to_owned(), slot: 1, node: name("n"), of_bytes: 80 << 20 }),
                part(20 * MIB, Cause::Tag { tag: "t".to_owned(), slot: 2, node: name("o"), of_bytes: 40 << 20 }),
                part(10 * MIB, Cause::SlotCount { slots: 1200 }),
                part(10 * MIB, Cause::Rest { slots: 5400 }),
            ],
            patterns: Vec::new(),
        };
        assert_eq!(causes.undivided_bytes(), 60 * MIB);
        assert_eq!(
            causes.in_words(),
            "100.0 MiB more than the mean: 60.0 MiB is the key \"x\" (80.0 MiB), 20.0 MiB is the hash tag \"t\" (40.0 MiB on o, \
             which raises the mean), 10.0 MiB is 1,200 more slots with keys than the mean, the rest, 10.0 MiB, is spread over 5,400 \
             slots"
        );
        let less = NodeCauses {
            difference_bytes: -MIB,
            parts: vec![part(-3 * MIB, Cause::SlotCount { slots: -9 }), part(2 * MIB, Cause::Rest { slots: 5 })],
            ..causes
        };
        assert_eq!(
            less.in_words(),
            "1.00 MiB less than the mean: 3.00 MiB is 9 fewer slots with keys than the mean, and 2.00 MiB more spread over 5 slots"
        );
        let even = NodeCauses { parts: vec![part(-MIB, Cause::Rest { slots: 5 })], ..less };
        assert_eq!(even.in_words(), "1.00 MiB less than the mean: it is spread over 5 slots");
    }
}

//! Into how many pieces a key is to be split, and where those would land in the cluster.

use serde::Serialize;

use super::thresholds::TypeLimits;
use crate::cluster::slot::hash_tag;
use crate::cluster::slot_of;
use crate::record::{KeyRecord, ValueType};
use crate::units::{count, plural};

/// Pieces whose slots are worked out; of more, where these land tells enough.
const MAX_PIECES: u64 = 4096;
/// First slots that are told, and nodes in words.
const FIRST_SLOTS: usize = 4;
const NODES_IN_WORDS: usize = 6;

/// The fewest equal pieces that would not be big; none if splitting does not help: an element is in one piece.
pub fn pieces(record: &KeyRecord<'_>, limits: &TypeLimits) -> Option<u64> {
    let memory = record.footprint_bytes.unwrap_or(0).max(record.memory_bytes.unwrap_or(0));
    let by_memory = memory.div_ceil(limits.memory_bytes.warning.max(1));
    let elements = record.elements.unwrap_or(0);
    let pieces = match record.value_type {
        ValueType::String => by_memory,
        ValueType::Module(_) => return None,
        _ => by_memory.max(elements.div_ceil(limits.elements.warning.max(1))),
    };
    let fits = match record.value_type {
        ValueType::String => true,
        _ => pieces <= elements && record.largest_element_bytes.unwrap_or(0) <= limits.memory_bytes.warning,
    };
    (fits && pieces > 1).then_some(pieces)
}

/// Who owns which slots, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct SlotOwners {
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// The owner of each slot, by its place among the nodes; empty if there is no cluster.
    pub owners: Vec<Option<usize>>,
}

/// Where the pieces of a key would land that are called after it: `KEY:0`, `KEY:1` and on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Landing {
    /// Pieces that were looked at: all of them, or the first.
    pub pieces: u64,
    /// The nodes that would get any, most first.
    pub nodes: Vec<NodePieces>,
    /// Pieces in slots whose owner is not known.
    pub unknown: u64,
    /// The slots of the first pieces.
    pub first_slots: Vec<u16>,
    /// Whether a hash tag in the name keeps all of them in one slot.
    pub has_hash_tag: bool,
}

/// How many of the pieces a node would get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodePieces {
    /// Name of the node.
    pub node: String,
    /// Pieces.
    pub pieces: u64,
}

impl Landing {
    /// Where `pieces` pieces of the key with this name would land; absent without a cluster.
    pub fn of(name: &[u8], pieces: u64, owners: &SlotOwners) -> Option<Landing> {
        if owners.owners.is_empty() {
            return None;
        }
        let looked_at = pieces.min(MAX_PIECES);
        let mut by_node = vec![0; owners.nodes.len()];
        let (mut unknown, mut first_slots) = (0, Vec::new());
        let mut piece = name.to_vec();
        for number in 0..looked_at {
            piece.truncate(name.len());
            piece.push(b':');
            piece.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            let slot = slot_of(&piece);
            if first_slots.len() < FIRST_SLOTS {
                first_slots.push(slot);
            }
            match owners.owners.get(usize::from(slot)).copied().flatten() {
                Some(node) => by_node[node] += 1,
                None => unknown += 1,
            }
        }
        let mut nodes: Vec<NodePieces> = owners
            .nodes
            .iter()
            .zip(by_node)
            .filter(|(_, pieces)| *pieces > 0)
            .map(|(node, pieces)| NodePieces { node: node.clone(), pieces })
            .collect();
        nodes.sort_by_key(|node| std::cmp::Reverse(node.pieces));
        Some(Landing { pieces: looked_at, nodes, unknown, first_slots, has_hash_tag: hash_tag(name).is_some() })
    }

    /// As a sentence or two.
    pub fn in_words(&self, pieces: u64) -> String {
        if self.has_hash_tag {
            let slot = self.first_slots.first().copied().unwrap_or(0);
            return format!(
                "With the hash tag of its name, all pieces stay in slot {slot} on the same node: leave the braces out of \
                 the pieces' names."
            );
        }
        let more = self.nodes.len().saturating_sub(NODES_IN_WORDS);
        let mut parts: Vec<String> = self
            .nodes
            .iter()
            .take(NODES_IN_WORDS)
            .map(|node| format!("{} on {}", count(node.pieces), node.node))
            .collect();
        if more > 0 {
            let rest: u64 = self.nodes.iter().skip(NODES_IN_WORDS).map(|node| node.pieces).sum();
            parts.push(format!("{} on {}", count(rest), plural(more as u64, "other node", "other nodes")));
        }
        if self.unknown > 0 {
            parts.push(format!("{} in slots whose owner is not known", count(self.unknown)));
        }
        let slots: Vec<String> = self.first_slots.iter().map(u16::to_string).collect();
        let on = if self.pieces > self.first_slots.len() as u64 { " and on" } else { "" };
        let whose =
            if self.pieces < pieces { format!("The first {} pieces", count(self.pieces)) } else { "The pieces".into() };
        format!("{whose} would land {} (slots {}{on}).", parts.join(", "), slots.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::thresholds::BigThresholds;
    use crate::analyze::top::tests::record;
    use crate::cluster::slot::SLOTS;

    /// Two halves, and the first hundred slots nobody's.
    fn owners() -> SlotOwners {
        let owner = |slot: u16| if slot < 100 { None } else { Some(usize::from(slot >= SLOTS / 2)) };
        SlotOwners { nodes: vec!["a".to_owned(), "b".to_owned()], owners: (0..SLOTS).map(owner).collect() }
    }

    #[test]
    fn pieces_land_where_their_names_say() {
        let landing = Landing::of(b"foo", 4, &owners()).unwrap();
        assert_eq!(landing.first_slots, [12850, 8723, 4720, 593], "what CLUSTER KEYSLOT foo:0 and on answers");
        assert_eq!(landing.in_words(4), "The pieces would land 2 on a, 2 on b (slots 12850, 8723, 4720, 593).");
        let many = Landing::of(b"\xffx", 1_000_000, &owners()).unwrap();
        assert_eq!(many.pieces, MAX_PIECES);
        assert_eq!(many.nodes.iter().map(|node| node.pieces).sum::<u64>() + many.unknown, MAX_PIECES);
        assert!(many.nodes.iter().all(|node| node.pieces > 1900) && (5..60).contains(&many.unknown), "{many:?}");
        let words = many.in_words(1_000_000);
        assert!(words.starts_with("The first 4,096 pieces would land ") && words.contains("not known"), "{words}");
        assert_eq!(Landing::of(b"foo", 4, &SlotOwners::default()), None);
    }

    #[test]
    fn a_hash_tag_keeps_them_together() {
        let landing = Landing::of(b"{user:1}:x", 9, &owners()).unwrap();
        assert_eq!(landing.nodes.len(), 1);
        assert!(landing.first_slots.iter().all(|slot| *slot == slot_of(b"user:1")));
        assert!(landing.in_words(9).contains("leave the braces out"), "{}", landing.in_words(9));
        assert!(!Landing::of(b"{}x", 9, &owners()).unwrap().has_hash_tag);
    }

    #[test]
    fn elements_stay_whole() {
        let limits = |value_type| *BigThresholds::default().of(value_type);
        let string = record(b"s", 105 << 20);
        assert_eq!(pieces(&string, &limits(ValueType::String)), Some(11));
        let list = KeyRecord { value_type: ValueType::List, elements: Some(45_000), ..string };
        assert_eq!(pieces(&list, &limits(ValueType::List)), Some(11));
        assert_eq!(pieces(&KeyRecord { elements: Some(450_000), ..list }, &limits(ValueType::List)), Some(45));
        assert_eq!(pieces(&KeyRecord { elements: Some(3), ..list }, &limits(ValueType::List)), None);
        let one = KeyRecord { largest_element_bytes: Some(50 << 20), ..list };
        assert_eq!(pieces(&one, &limits(ValueType::List)), None, "one element is most of it");
        let small = KeyRecord { memory_bytes: Some(9), footprint_bytes: Some(9), elements: Some(9), ..list };
        assert_eq!(pieces(&small, &limits(ValueType::List)), None, "big by its largest element only");
    }
}

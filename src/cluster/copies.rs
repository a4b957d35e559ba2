//! Names for copies of a key that really lie on different nodes.

use std::collections::BTreeSet;

use super::slot::{hash_tag, slot_of};

/// Numbers that are tried, and bytes that are hashed on the way at most.
const TRIES: usize = 1 << 16;
const HASHED_BYTES: usize = 1 << 24;

/// A copy of a key, or the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its name.
    pub name: Vec<u8>,
    /// Its slot.
    pub slot: u16,
    /// The node that owns the slot.
    pub node: usize,
}

/// The key itself and copies under other names, one for each node that `owner` gives, `most` in all.
///
/// Fewer, if there is no such name among the first: a node may have few slots. None if nobody is known to own the key's.
pub fn copies(key: &[u8], owner: impl Fn(u16) -> Option<usize>, most: usize) -> Vec<Copy> {
    let copy = |name: Vec<u8>| {
        let slot = slot_of(&name);
        Some(Copy { slot, node: owner(slot)?, name })
    };
    let Some(first) = copy(key.to_vec()) else { return Vec::new() };
    let mut nodes = BTreeSet::from([first.node]);
    let mut copies = vec![first];
    let tries = TRIES.min(HASHED_BYTES / (key.len() + 8));
    for number in 1..=tries {
        if copies.len() >= most {
            break;
        }
        copies.extend(copy(numbered(key, number)).filter(|copy| nodes.insert(copy.node)));
    }
    copies
}

/// The name with `:number` where it changes the slot: at its end or, if it has a hash tag, at the end of that.
fn numbered(key: &[u8], number: usize) -> Vec<u8> {
    let at = match (hash_tag(key), memchr::memchr(b'{', key)) {
        (Some(tag), Some(open)) => open + 1 + tag.len(),
        _ => key.len(),
    };
    [&key[..at], format!(":{number}").as_bytes(), &key[at..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thirds(slot: u16) -> Option<usize> {
        Some(usize::from(slot / 5462))
    }

    #[test]
    fn each_node_has_one() {
        for key in [&b"user:1"[..], b"{user:1}:profile", b"a{b", b"foo{}{bar}", b"", b"\xff\x00", b"{}{x}"] {
            let found = copies(key, thirds, 8);
            let mut nodes: Vec<usize> = found.iter().map(|copy| copy.node).collect();
            assert_eq!(found[0].name, key);
            nodes.sort_unstable();
            assert_eq!(nodes, [0, 1, 2], "{}", key.escape_ascii());
            assert!(found.iter().all(|copy| copy.slot == slot_of(&copy.name) && thirds(copy.slot) == Some(copy.node)));
        }
        assert_eq!(numbered(b"{user:1}:profile", 7), b"{user:1:7}:profile");
        assert_eq!(numbered(b"foo{}{bar}", 7), b"foo{}{bar}:7");
        assert_eq!(numbered(b"user", 7), b"user:7");
    }

    #[test]
    fn as_many_as_there_are() {
        assert_eq!(copies(b"a", thirds, 2).len(), 2);
        assert_eq!(copies(b"a", |_| Some(0), 8).len(), 1);
        assert_eq!(copies(b"a", |_| None, 8), []);
        assert_eq!(copies(&vec![b'x'; 1 << 20], thirds, 3).len(), 3);
        let rare = |slot: u16| Some(usize::from(slot == 77));
        assert_eq!(copies(b"a", rare, 2).len(), 2);
    }
}

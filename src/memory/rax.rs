//! The size of a radix tree, from its keys in ascending order.

use super::alloc::SizeClasses;

/// Adds up the nodes of a `rax` as its keys are given, and forgets the keys.
///
/// A node is cut at every branching point and at every end of a key; a run of bytes without either is one node
/// (`rax.c`). Keys that do not ascend give a wrong sum, nothing worse.
#[derive(Clone, Debug, Default)]
pub struct RaxMeter {
    /// The last key, whose path from the root is still open.
    path: Vec<u8>,
    /// The places of the path that are more than a byte on the way, in their order: the root, branching points, ends of keys.
    marks: Vec<Mark>,
    keys: u64,
    nodes: u64,
    node_bytes: u64,
}

/// A place of the path.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Bytes before it.
    at: usize,
    children: u64,
    is_key: bool,
}

const ROOT: Mark = Mark { at: 0, children: 0, is_key: false };

/// Nodes, keys and bytes of a finished radix tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RaxSize {
    /// Number of keys.
    pub keys: u64,
    /// Number of nodes, the root included.
    pub nodes: u64,
    /// Allocated bytes of all nodes; the struct of the tree is not in it.
    pub node_bytes: u64,
}

impl RaxSize {
    /// What MEMORY USAGE took a radix tree for until Redis 8.0 and Valkey 8.0 (`object.c:streamRadixTreeMemoryUsage`):
    /// 16 bytes a key, and for a node 4 of header and thirty pointers.
    pub fn old_estimate(self) -> u64 {
        16 * self.keys + self.nodes * (4 + 30 * 8)
    }
}

/// Header of a node: 4 bytes of flags and length.
const NODE_HEADER: u64 = 4;
const POINTER: u64 = 8;

impl RaxMeter {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.path.clear();
        self.marks.clear();
        (self.keys, self.nodes, self.node_bytes) = (0, 0, 0);
    }

    /// Adds a key, larger than all before, whose node holds a value.
    pub fn push(&mut self, classes: &SizeClasses, key: &[u8]) {
        let common = common_bytes(&self.path, key);
        if self.marks.is_empty() {
            self.marks.push(ROOT);
        } else if common == key.len() && self.path.len() == key.len() {
            return; // the same key again
        }
        self.close(classes, common + 1);
        let goes_on = u64::from(key.len() > common);
        match self.marks.last_mut() {
            Some(mark) if mark.at == common => mark.children += goes_on,
            // A byte on the way until now.
            _ => self.marks.push(Mark { at: common, children: 1 + goes_on, is_key: false }),
        }
        self.path.truncate(common);
        self.path.extend_from_slice(&key[common..]);
        if goes_on == 1 {
            self.marks.push(Mark { at: key.len(), children: 0, is_key: false });
        }
        if let Some(end) = self.marks.last_mut() {
            end.is_key = true;
        }
        self.keys += 1;
    }

    /// Adds up the nodes of the path from the place `from` on, and drops its marks.
    fn close(&mut self, classes: &SizeClasses, from: usize) {
        let open = self.marks.iter().rposition(|mark| mark.at < from).map_or(0, |last| last + 1);
        let mut at = from;
        for i in open..self.marks.len() {
            let mark = self.marks[i];
            // Bytes up to the next branching point or end of a key go into the same node.
            if at < mark.at {
                self.add_node(classes, 1, (mark.at - at) as u64, false);
            }
            let next = self.marks.get(i + 1).map_or(self.path.len() + 1, |next| next.at);
            at = if mark.children == 1 { next } else { mark.at + 1 };
            let run = if mark.children == 1 { next - mark.at } else { 0 };
            self.add_node(classes, mark.children, run as u64, mark.is_key);
        }
        self.marks.truncate(open);
    }

    fn add_node(&mut self, classes: &SizeClasses, children: u64, run: u64, is_key: bool) {
        let bytes = run.max(children);
        let padding = (8 - (bytes + NODE_HEADER) % 8) & 7;
        let value = if is_key { POINTER } else { 0 };
        self.nodes += 1;
        self.node_bytes += classes.of(NODE_HEADER + bytes + padding + children * POINTER + value);
    }

    /// Ends the tree; the meter is empty again.
    pub fn finish(&mut self, classes: &SizeClasses) -> RaxSize {
        if self.marks.is_empty() {
            self.marks.push(ROOT);
        }
        self.close(classes, 0);
        let size = RaxSize { keys: self.keys, nodes: self.nodes, node_bytes: self.node_bytes };
        self.clear();
        size
    }
}

/// How many bytes two keys have in common at their start.
fn common_bytes(one: &[u8], other: &[u8]) -> usize {
    let mut common = 0;
    while let (Some(a), Some(b)) = (one[common..].first_chunk(), other[common..].first_chunk()) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return common + differs.trailing_zeros() as usize / 8;
        }
        common += 8;
    }
    common + one[common..].iter().zip(&other[common..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::alloc::Allocator;

    fn size(keys: &[&[u8]]) -> RaxSize {
        let classes = SizeClasses::new(Allocator::Jemalloc);
        let mut rax = RaxMeter::default();
        keys.iter().for_each(|key| rax.push(&classes, key));
        rax.finish(&classes)
    }

    #[test]
    fn counts_nodes_as_rax_cuts_them() {
        assert_eq!(size(&[]), RaxSize { keys: 0, nodes: 1, node_bytes: 8 });
        // One key of 16 bytes: a run of 16 (4 + 16 + 4 + 8) and a leaf with its value.
        assert_eq!(size(&[&[7; 16]]), RaxSize { keys: 1, nodes: 2, node_bytes: 32 + 16 });
        // "foo", "foobar", "footer" (the picture in rax.h): foo, then [b t] holding foo's value, "ar", "er", two leaves.
        let tree = size(&[b"foo", b"foobar", b"footer"]);
        assert_eq!((tree.keys, tree.nodes), (3, 6));
        // "ab", "ac": a, then [b c], two leaves.
        assert_eq!(size(&[b"ab", b"ac"]).nodes, 4);
        assert_eq!(size(&[b"", b"a"]).nodes, 2, "the root holds the empty key's value");
    }

    /// A radix tree built as a plain tree of bytes, and cut into nodes afterwards.
    fn size_by_tree(keys: &[Vec<u8>]) -> RaxSize {
        #[derive(Default)]
        struct Tree(std::collections::BTreeMap<u8, Tree>, bool);
        fn cut(tree: &Tree, meter: &mut RaxMeter, classes: &SizeClasses) {
            let (mut end, mut run) = (tree, 0);
            while end.0.len() == 1 && (run == 0 || !end.1) {
                end = end.0.values().next().unwrap();
                run += 1;
            }
            meter.add_node(classes, tree.0.len() as u64, run, tree.1);
            match run {
                0 => tree.0.values().for_each(|child| cut(child, meter, classes)),
                _ => cut(end, meter, classes),
            }
        }
        let mut root = Tree::default();
        for key in keys {
            let end = key.iter().fold(&mut root, |tree, byte| tree.0.entry(*byte).or_default());
            end.1 = true;
        }
        let mut meter = RaxMeter::default();
        cut(&root, &mut meter, &SizeClasses::new(Allocator::Jemalloc));
        RaxSize { keys: keys.len() as u64, nodes: meter.nodes, node_bytes: meter.node_bytes }
    }

    #[test]
    fn sizes_are_those_of_a_tree_that_is_cut() {
        let mut seed = 9u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..3000 {
            let letters = 1 + round % 4;
            let mut keys: Vec<Vec<u8>> =
                (0..random(40)).map(|_| (0..random(20)).map(|_| random(letters) as u8).collect()).collect();
            keys.sort();
            keys.dedup();
            let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            assert_eq!(size(&slices), size_by_tree(&keys), "{keys:?}");
        }
    }

    #[test]
    fn keys_that_do_not_ascend_are_no_harm() {
        for keys in [[&b"abc"[..], b"ab", b"abd"], [b"b", b"a", b""], [b"", b"", b"a"], [b"ab", b"a", b"ab"]] {
            assert!(size(&keys).nodes > 0);
        }
    }
}

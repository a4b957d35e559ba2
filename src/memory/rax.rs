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
    /// Per position of the path: children, and whether a key ends there.
    open: Vec<(u32, bool)>,
    keys: u64,
    nodes: u64,
    node_bytes: u64,
}

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
        self.open.clear();
        (self.keys, self.nodes, self.node_bytes) = (0, 0, 0);
    }

    /// Adds a key, larger than all before, whose node holds a value if `has_value`.
    pub fn push(&mut self, classes: &SizeClasses, key: &[u8]) {
        let common = self.path.iter().zip(key).take_while(|(a, b)| a == b).count();
        if self.open.is_empty() {
            self.open.push((0, false));
        } else if common == key.len() && self.path.len() == key.len() {
            return; // the same key again
        }
        self.close(classes, common);
        self.path.truncate(common);
        self.path.extend_from_slice(&key[common..]);
        for _ in common..key.len() {
            if let Some(parent) = self.open.last_mut() {
                parent.0 += 1;
            }
            self.open.push((0, false));
        }
        if let Some(end) = self.open.last_mut() {
            end.1 = true;
        }
        self.keys += 1;
    }

    /// Adds up the nodes below position `keep` of the path, and drops those positions.
    fn close(&mut self, classes: &SizeClasses, keep: usize) {
        let mut at = keep + 1;
        while let Some(&(children, is_key)) = self.open.get(at) {
            let mut run = 0;
            let mut next = at + 1;
            if children == 1 {
                run = 1;
                // Bytes up to the next branching point or end of a key go into the same node.
                while let Some(&(1, false)) = self.open.get(next) {
                    run += 1;
                    next += 1;
                }
            }
            self.add_node(classes, u64::from(children), run, is_key);
            at = next;
        }
        self.open.truncate(keep + 1);
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
        if self.open.is_empty() {
            self.open.push((0, false));
        }
        // The root is position 0: close it as if it hung below another.
        self.open.insert(0, (1, false));
        self.close(classes, 0);
        let size = RaxSize { keys: self.keys, nodes: self.nodes, node_bytes: self.node_bytes };
        self.clear();
        size
    }
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
}

//! Key names grouped into a bounded number of glob patterns such as `user:*:profile`.
//!
//! A key is first folded by itself (`Folded`): its segments, with what looks like an id replaced by `*`. The folded
//! segments form a trie, which two rules keep small:
//!
//! * **Fan-out.** Where more than `Limits::fan_out` different segments with the same separator follow one another
//!   segment, they become one `*`, and what lies behind them is merged.
//! * **Budget.** The trie has [`Limits::max_nodes`] to spend. A node shares what it has evenly among its children,
//!   those that need less leaving the rest to the others; one whose children get nothing ends in a `*` for all of them.
//!
//! # Why the order of the keys does not matter
//!
//! Let `T(S)` be the trie of a multiset of keys `S` under the first rule alone, taken from the root down: whether a
//! level collapses depends only on the set of segments seen there, so more keys, or a merge of nodes above, can only
//! collapse more. Adding keys to `T(S)`, or merging two such tries, gives the `T` of the union.
//!
//! The second rule may not count nodes as they are: a collapse makes them fewer, so whether a limit was ever passed
//! would depend on the order. It uses a weight that only grows: a leaf weighs 1, a node 1 more than its children, and
//! the child of a collapsed level counts `fan_out` times, the most that the level can have had before. Hence more keys
//! mean greater weights, smaller shares `t` (the largest for which the sum of `min(weight, t)` is in the budget) and
//! more cut nodes, never fewer. Let `C(S)` be `T(S)` so cut.
//!
//! A table holds something between `T(S)` and `C(S)`, cut at some of the nodes where `C(S)` is cut or below those. By
//! monotony it stays so when keys come in, and [`PatternTable::finish`] gets `C(S)` from it exactly: the true weight of
//! a cut node is lost, but it and all nodes above it were over their share when it was cut, so they are over their
//! smaller share now, and above the share a weight has no effect; "too much" will do. So cutting can wait until memory
//! asks for it, and the result is a function of the multiset of keys.

use std::cmp::Reverse;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use self::cache::Cache;
use self::fold::{Folded, MAX_SEGMENTS};
use self::shape::{Shape, ShapeCache};
use self::trie::{Child, Names, Node, Pool, find, head, insert};

mod aligned;
mod cache;
mod classes;
mod fold;
mod rules;
pub(super) mod shape;
mod stored;
mod trie;

pub use aligned::{AlignedPattern, align};
pub use rules::{PatternOptions, PatternRules};

/// What one key adds to its pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatternKey {
    /// Memory of the key with its value, in bytes.
    pub memory_bytes: u64,
    /// Bytes of the value in the dump.
    pub serialized_bytes: u64,
    /// Elements of the value.
    pub elements: u64,
    /// The bit of the value's type in [`PatternStats::types`].
    pub type_bit: u16,
    /// Whether the key has no time to live.
    pub persistent: bool,
    /// Whether the key's time had passed.
    pub expired: bool,
}

/// What the keys of one pattern add up to.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct PatternStats {
    /// Number of keys.
    pub keys: u64,
    /// Memory of the keys with their values.
    pub memory_bytes: u64,
    /// Bytes of the values in the dump.
    pub serialized_bytes: u64,
    /// Elements of the values.
    pub elements: u64,
    /// Memory of the largest key.
    pub largest_bytes: u64,
    /// Number of keys without a time to live.
    pub persistent_keys: u64,
    /// Memory of the keys without a time to live.
    pub persistent_bytes: u64,
    /// Number of keys whose time had passed.
    pub expired_keys: u64,
    /// Memory of the keys whose time had passed.
    pub expired_bytes: u64,
    /// Types of the values, a bit set.
    pub types: u16,
}

impl PatternStats {
    /// Counts one key. Sums stop at the top, which keeps them independent of the order.
    #[inline]
    fn add(&mut self, key: &PatternKey) {
        self.keys += 1;
        self.memory_bytes = self.memory_bytes.saturating_add(key.memory_bytes);
        self.serialized_bytes = self.serialized_bytes.saturating_add(key.serialized_bytes);
        self.elements = self.elements.saturating_add(key.elements);
        self.largest_bytes = self.largest_bytes.max(key.memory_bytes);
        let persistent = u64::from(key.persistent);
        self.persistent_keys += persistent;
        self.persistent_bytes = self.persistent_bytes.saturating_add(key.memory_bytes * persistent);
        let expired = u64::from(key.expired);
        self.expired_keys += expired;
        self.expired_bytes = self.expired_bytes.saturating_add(key.memory_bytes * expired);
        self.types |= key.type_bit;
    }

    fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.serialized_bytes = self.serialized_bytes.saturating_add(other.serialized_bytes);
        self.elements = self.elements.saturating_add(other.elements);
        self.largest_bytes = self.largest_bytes.max(other.largest_bytes);
        self.persistent_keys += other.persistent_keys;
        self.persistent_bytes = self.persistent_bytes.saturating_add(other.persistent_bytes);
        self.expired_keys += other.expired_keys;
        self.expired_bytes = self.expired_bytes.saturating_add(other.expired_bytes);
        self.types |= other.types;
    }
}

/// A pattern and what its keys add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// A Redis glob that matches all keys counted here; empty for the key without a name. The name of a group of keys
    /// that the rules name.
    pub text: Vec<u8>,
    /// The regular expression of such a group.
    pub named: Option<String>,
    /// Sums over the keys.
    pub stats: PatternStats,
}

/// How much a [`PatternTable`] may distinguish. Tables to be merged need the same limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Different first segments, per separator, before they become one `*`.
    pub root_fan_out: usize,
    /// The same for what follows a segment.
    pub fan_out: usize,
    /// Segments of a key that are looked at, at most 8; the rest is a `*`.
    pub max_segments: usize,
    /// Budget of trie nodes; memory can hold a quarter more.
    pub max_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 64 deeper down, as the budget pays it again for each collapsed level on a path.
        Self { root_fan_out: 128, fan_out: 64, max_segments: MAX_SEGMENTS, max_nodes: 32_768 }
    }
}

impl Limits {
    fn fan_out(&self, level: usize) -> usize {
        if level == 0 { self.root_fan_out.max(1) } else { self.fan_out.max(1) }
    }

    /// A weight that is more than any share.
    fn too_heavy(&self) -> u64 {
        self.max_nodes as u64 + 1
    }
}

/// Groups keys by pattern, in bounded memory; the result does not depend on the order of the keys.
#[derive(Clone, Debug)]
pub struct PatternTable {
    rules: Arc<PatternRules>,
    /// Sums of the groups of keys that the rules name.
    named: Vec<PatternStats>,
    folded: Folded,
    hasher: DefaultHashBuilder,
    shapes: ShapeCache,
    cache: Cache,
    root: Node,
    pool: Pool,
}

impl Default for PatternTable {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl PatternTable {
    /// An empty table with the usual limits.
    #[must_use]
    pub fn new(rules: Arc<PatternRules>) -> Self {
        Self::with_limits(rules, Limits::default())
    }

    /// An empty table.
    #[must_use]
    pub fn with_limits(rules: Arc<PatternRules>, limits: Limits) -> Self {
        Self {
            named: vec![PatternStats::default(); rules.named().len()],
            rules,
            folded: Folded::new(),
            hasher: DefaultHashBuilder::default(),
            shapes: ShapeCache::new(),
            cache: Cache::default(),
            root: Node::default(),
            pool: Pool { cells: Vec::new(), free: Vec::new(), nodes: 0, limits },
        }
    }

    /// Gives a table that was stored its rules.
    ///
    /// # Errors
    /// If it is not of these rules.
    pub fn set_rules(&mut self, rules: Arc<PatternRules>) -> Result<(), String> {
        if self.named.len() != rules.named().len() {
            return Err(format!("{} named groups instead of {}", self.named.len(), rules.named().len()));
        }
        self.rules = rules;
        Ok(())
    }

    /// The figures that are added up.
    pub(super) fn figures(&self) -> impl Iterator<Item = u64> {
        self.pool.cells.iter().chain(&self.named).flat_map(|stats| {
            let PatternStats { keys, memory_bytes, serialized_bytes, persistent_bytes, expired_bytes, .. } = *stats;
            [keys, memory_bytes, serialized_bytes, persistent_bytes, expired_bytes]
        })
    }

    /// Counts one key.
    #[inline]
    pub fn observe(&mut self, key: &[u8], k: &PatternKey) {
        if let Some(group) = self.rules.named_group(key) {
            return self.named[group].add(k);
        }
        let shape = if self.rules.are_usual() { Shape::of(key) } else { None };
        let known = shape.and_then(|shape| self.shapes.get(&shape));
        let cell = known.unwrap_or_else(|| {
            let cell = self.cell_of(key);
            if let Some(shape) = shape {
                self.shapes.put(shape, cell);
            }
            cell
        });
        self.pool.cells[cell as usize].add(k);
    }

    /// Folds the key and finds or makes its place.
    fn cell_of(&mut self, key: &[u8]) -> u32 {
        self.folded.fold(key, self.pool.limits.max_segments, self.rules.classes());
        let mut hasher = self.hasher.build_hasher();
        hasher.write(self.folded.text());
        let hash = hasher.finish();
        match self.cache.get(hash, self.folded.text()) {
            Some(cell) => cell,
            None => self.place(hash),
        }
    }

    /// Forgets which cell is whose: some are gone.
    fn forget_cells(&mut self) {
        self.shapes.clear();
        self.cache.clear();
    }

    /// Finds or makes the place of the folded key.
    fn place(&mut self, hash: u64) -> u32 {
        // A key adds a few nodes, so a check before is as good as one after, and the cell that comes back stays.
        self.trim_if_large();
        loop {
            match self.walk() {
                Some((cell, true)) => {
                    self.cache.insert(hash, self.folded.text(), cell);
                    return cell;
                }
                Some((cell, false)) => return cell,
                None => self.forget_cells(),
            }
        }
    }

    /// The cell of the folded key, and whether the path to it is spelled as the key; `None` if a level collapsed.
    fn walk(&mut self) -> Option<(u32, bool)> {
        let Self { folded, root, pool, .. } = self;
        let mut node = root;
        let mut exact = true;
        for (level, (text, separator)) in folded.segments().enumerate() {
            if let Some(cell) = node.cell {
                return Some((cell, false));
            }
            let group = node.group(separator);
            let mut at = 0;
            if let Names::Open(names) = &mut group.names {
                let head = head(text);
                at = match find(names, head, text) {
                    Ok(at) => at,
                    Err(_) if names.len() >= pool.limits.fan_out(level) => {
                        group.collapse(level, pool);
                        return None;
                    }
                    Err(at) => {
                        insert(names, at, Child { head, name: text.into(), node: Node::default() });
                        pool.nodes += 1;
                        at
                    }
                };
            }
            node = match &mut group.names {
                Names::Open(names) => &mut names[at].node,
                Names::Star(star) => {
                    exact &= text == b"*";
                    star
                }
            };
        }
        let cell = *node.cell.get_or_insert_with(|| pool.put(PatternStats::default()));
        Some((cell, exact))
    }

    /// The slack pays for the trim.
    fn trim_if_large(&mut self) {
        if self.pool.nodes > self.pool.limits.max_nodes + self.pool.limits.max_nodes / 4 {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.forget_cells();
        self.root.trim(0, self.pool.limits.max_nodes as u64, &mut self.pool);
    }

    /// Gives back what only serves to take in keys, and what is over the limits.
    pub fn rest(&mut self) {
        self.trim();
        self.shapes = ShapeCache::new();
        self.cache = Cache::default();
    }

    /// Takes in the keys of another table with the same limits.
    pub fn merge(&mut self, mut other: Self) {
        self.forget_cells();
        self.named.resize_with(self.named.len().max(other.named.len()), PatternStats::default);
        self.named.iter_mut().zip(&other.named).for_each(|(sum, named)| sum.merge(named));
        other.root.move_cells(&mut other.pool, &mut self.pool);
        self.pool.nodes += other.pool.nodes + 1;
        self.root.absorb(other.root, 0, &mut self.pool);
        self.trim_if_large();
    }

    /// The pattern of a key that was counted; none if it is of a group that the rules name.
    pub fn glob_of(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        if self.rules.named_group(key).is_some() {
            return None;
        }
        self.folded.fold(key, self.pool.limits.max_segments, self.rules.classes());
        let mut glob = Vec::new();
        let mut node = &self.root;
        for (text, separator) in self.folded.segments() {
            let group = node.groups.iter().find(|group| group.separator == separator);
            // Where the trie is cut, or the key was never counted.
            let Some(group) = group.filter(|_| node.cell.is_none()) else {
                glob.push(b'*');
                return Some(glob);
            };
            match &group.names {
                Names::Star(star) => {
                    glob.push(b'*');
                    node = star;
                }
                Names::Open(names) => match find(names, head(text), text) {
                    Ok(at) => {
                        glob.extend_from_slice(text);
                        node = &names[at].node;
                    }
                    Err(_) => {
                        glob.push(b'*');
                        return Some(glob);
                    }
                },
            }
            glob.extend(separator);
        }
        Some(glob)
    }

    /// The patterns, those with most memory first, then by text.
    #[must_use]
    pub fn finish(mut self) -> Vec<Pattern> {
        self.trim();
        let mut patterns = Vec::new();
        self.root.render(&mut Vec::new(), &mut self.pool, &mut patterns);
        if let Some(cell) = self.root.cell {
            patterns.push(Pattern { text: b"*".to_vec(), named: None, stats: self.pool.take(cell) });
        }
        for (group, stats) in self.rules.named().iter().zip(self.named).filter(|(_, stats)| stats.keys > 0) {
            patterns.push(Pattern { text: group.name.clone().into(), named: Some(group.regex.clone()), stats });
        }
        patterns.sort_unstable_by(|a, b| {
            (Reverse(a.stats.memory_bytes), &a.text).cmp(&(Reverse(b.stats.memory_bytes), &b.text))
        });
        patterns
    }
}

#[cfg(test)]
mod tests;

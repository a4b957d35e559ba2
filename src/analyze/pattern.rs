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

use hashbrown::{DefaultHashBuilder, HashTable};

use super::shape::{Shape, ShapeCache, short_word};

mod aligned;
mod rules;
mod stored;

pub use aligned::{AlignedPattern, align};
pub use rules::{PatternOptions, PatternRules};

/// Separators, each of which ends a segment and belongs to it.
const SEPARATORS: &[u8] = b":/.|,;_-@#={}";
/// Separators that join parts of one value: between two `*` they vanish, as in a date or an IP address. The others
/// are levels of a name, where `a:*` and `a:*:*` are different things.
const JOINERS: &[u8] = b"/.,;_-@#=";

/// Most segments a pattern can have before its tail.
const MAX_SEGMENTS: usize = 8;
/// Longer segments are taken for values.
const LONG_SEGMENT: usize = 40;
/// Hex digits that make an id, if one of them is a digit.
pub(super) const HEX_ID: usize = 8;
/// Names and bytes of names in the flat cache.
const CACHE_NAMES: usize = 16_384;
const CACHE_BYTES: usize = 1 << 20;

// Classes of bytes; those of a segment are or-ed.
const DIGIT: u8 = 1;
const HEX: u8 = 1 << 1;
const PLAIN: u8 = 1 << 2;
const GLOB: u8 = 1 << 3;
/// Not printable ASCII.
const ODD: u8 = 1 << 4;
const SEPARATOR: u8 = 1 << 5;
const JOINER: u8 = 1 << 6;

/// The classes of all bytes.
type Classes = [u8; 256];

/// Those bytes that are no separators but would be joiners are plain.
const fn classes(separators: &[u8], joiners: &[u8]) -> Classes {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'*' | b'?' | b'[' | b'\\' => GLOB,
            0x20..0x7f => PLAIN,
            _ => ODD,
        };
        byte += 1;
    }
    let mut i = 0;
    while i < separators.len() {
        table[separators[i] as usize] = SEPARATOR;
        i += 1;
    }
    let mut i = 0;
    while i < joiners.len() {
        if table[joiners[i] as usize] == SEPARATOR {
            table[joiners[i] as usize] |= JOINER;
        }
        i += 1;
    }
    table
}

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

/// A folded segment: where its text lies in [`Folded::buffer`], without the separator that follows it there.
#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    start: u16,
    end: u16,
    /// `None` at the end of the key.
    separator: Option<u8>,
    /// Whether it is only a `*`.
    alone: bool,
    /// The joiner that vanished in this `*`.
    joined: Option<u8>,
}

/// The fold of one key, in buffers used again.
#[derive(Clone, Debug)]
struct Folded {
    /// Nine segments of at most 40 bytes, all escaped, with a separator take 729 bytes; then 64 for the scan.
    buffer: Box<[u8; 1024]>,
    len: usize,
    segments: [Segment; MAX_SEGMENTS + 1],
    count: usize,
}

impl Folded {
    fn new() -> Self {
        Self { buffer: Box::new([0; 1024]), len: 0, segments: Default::default(), count: 0 }
    }

    fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    fn segments(&self) -> impl Iterator<Item = (&[u8], Option<u8>)> {
        self.segments[..self.count]
            .iter()
            .map(|s| (&self.buffer[usize::from(s.start)..usize::from(s.end)], s.separator))
    }

    /// Folds `key`, looking at no more than `max_segments` of it. The last segment has no separator, all others do.
    #[inline]
    fn fold(&mut self, key: &[u8], max_segments: usize, classes: &Classes) {
        self.len = 0;
        self.count = 0;
        let mut rest = key;
        while self.count < max_segments.min(MAX_SEGMENTS) {
            let Some(place) = self.buffer[self.len..].first_chunk_mut::<64>() else { break };
            let (mut all, mut len, mut end) = (0, 0, 0);
            for &byte in rest {
                let class = classes[usize::from(byte)];
                if class & SEPARATOR != 0 {
                    end = class;
                    break;
                }
                all |= class;
                // A long segment comes round, and is not kept.
                place[len & 63] = byte;
                len += 1;
            }
            let mut star = None;
            if all & (DIGIT | ODD) != 0 || len > LONG_SEGMENT {
                star = star_at(&rest[..len], all);
            }
            if len == 8 && end != 0 && all & !(DIGIT | HEX) == 0 && starts_with_uuid(rest, classes) {
                (len, star) = (36, Some(0));
            }
            let separator = rest.get(len).copied();
            let mut kept = star.unwrap_or(len);
            if all & GLOB != 0 {
                kept = self.escape(&rest[..kept], classes);
            }
            self.push(kept, star.is_some(), separator, classes);
            if separator.is_none() {
                return;
            }
            rest = &rest[len + 1..];
        }
        self.push(0, true, None, classes);
    }

    /// Puts `text` in the place of the next segment, with escapes.
    #[cold]
    fn escape(&mut self, text: &[u8], classes: &Classes) -> usize {
        let mut at = self.len;
        for &byte in text {
            if classes[usize::from(byte)] & GLOB != 0 {
                self.buffer[at] = b'\\';
                at += 1;
            }
            self.buffer[at] = byte;
            at += 1;
        }
        at - self.len
    }

    /// Ends a segment of `kept` bytes, which lie in the buffer, and perhaps a `*`.
    #[inline]
    fn push(&mut self, kept: usize, star: bool, separator: Option<u8>, classes: &Classes) {
        let alone = star && kept == 0;
        let mut joined = None;
        if alone
            && let Some(last) = self.count.checked_sub(1).map(|last| self.segments[last])
            && let Some(joiner) = last.separator
            && last.alone
            && classes[usize::from(joiner)] & JOINER != 0
            && last.joined.is_none_or(|before| before == joiner)
        {
            joined = Some(joiner);
            self.count -= 1;
            self.len = usize::from(last.start);
        }
        let mut end = self.len + kept;
        if star {
            self.buffer[end] = b'*';
            end += 1;
        }
        self.segments[self.count] = Segment { start: self.len as u16, end: end as u16, separator, alone, joined };
        self.count += 1;
        self.len = end;
        if let Some(separator) = separator {
            self.buffer[end] = separator;
            self.len += 1;
        }
    }
}

/// Where the `*` of a segment with the classes `all` begins, if it has one.
#[inline]
fn star_at(segment: &[u8], all: u8) -> Option<usize> {
    let hex_id = all & !(DIGIT | HEX) == 0 && all & DIGIT != 0 && segment.len() >= HEX_ID;
    if all == DIGIT || hex_id || segment.len() > LONG_SEGMENT || all & ODD != 0 && is_binary(segment) {
        return Some(0);
    }
    segment.iter().position(u8::is_ascii_digit)
}

fn is_binary(segment: &[u8]) -> bool {
    segment.iter().any(u8::is_ascii_control) || std::str::from_utf8(segment).is_err()
}

/// Whether `text` starts with a UUID that ends at a separator or at the end of the key. Its dashes are separators
/// elsewhere, and a group without a digit would be a name.
fn starts_with_uuid(text: &[u8], classes: &Classes) -> bool {
    let Some(uuid) = text.get(..36) else { return false };
    uuid.iter().enumerate().all(|(i, byte)| match i {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    }) && text.get(36).is_none_or(|&next| classes[usize::from(next)] & SEPARATOR != 0)
}

/// A place in the trie: the end of a key (below a group without a separator), or what follows a segment.
#[derive(Clone, Debug, Default)]
struct Node {
    groups: Vec<Group>,
    /// Where the sums are, at the end of a key. Elsewhere it means that the node is cut: all that follows is one `*`.
    cell: Option<u32>,
}

/// The children of a node whose segments end in the same separator. They collapse by themselves, so that a crowd of
/// single names at a level leaves its `user:` and `session:` alone.
#[derive(Clone, Debug)]
struct Group {
    separator: Option<u8>,
    names: Names,
}

#[derive(Clone, Debug)]
enum Names {
    /// In the order of their heads. So few are found as fast as in a hash map, which takes three times the memory.
    Open(Vec<Child>),
    Star(Box<Node>),
}

#[derive(Clone, Debug)]
struct Child {
    /// The first bytes of the name.
    head: u64,
    name: Box<[u8]>,
    node: Node,
}

#[inline]
fn head(name: &[u8]) -> u64 {
    match name.first_chunk() {
        Some(head) => u64::from_le_bytes(*head),
        None => short_word(name),
    }
}

/// The place of a name among the children, or where it would go.
#[inline]
fn find(children: &[Child], head: u64, name: &[u8]) -> Result<usize, usize> {
    let mut at = children.partition_point(|child| child.head < head);
    while let Some(child) = children.get(at)
        && child.head == head
    {
        // No name has a zero, so a short one is all in its head.
        if child.name.len() == name.len() && (name.len() <= 8 || *child.name == *name) {
            return Ok(at);
        }
        at += 1;
    }
    Err(at)
}

/// Most lists stay short, and are many.
fn insert<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.insert(at, item);
}

/// What the nodes of a trie share.
#[derive(Clone, Debug)]
struct Pool {
    cells: Vec<PatternStats>,
    free: Vec<u32>,
    /// Nodes without the root.
    nodes: usize,
    limits: Limits,
}

impl Pool {
    fn put(&mut self, stats: PatternStats) -> u32 {
        match self.free.pop() {
            Some(cell) => {
                self.cells[cell as usize] = stats;
                cell
            }
            None => {
                self.cells.push(stats);
                (self.cells.len() - 1) as u32
            }
        }
    }

    fn take(&mut self, cell: u32) -> PatternStats {
        self.free.push(cell);
        std::mem::take(&mut self.cells[cell as usize])
    }
}

impl Node {
    #[inline]
    fn group(&mut self, separator: Option<u8>) -> &mut Group {
        let at = self.groups.iter().position(|g| g.separator == separator).unwrap_or_else(|| {
            let last = self.groups.len();
            insert(&mut self.groups, last, Group { separator, names: Names::Open(Vec::new()) });
            last
        });
        &mut self.groups[at]
    }

    /// Takes in the groups and sums of `other`, a node of the same level.
    fn absorb(&mut self, mut other: Self, level: usize, pool: &mut Pool) {
        pool.nodes -= 1;
        if self.cell.is_some() || other.cell.is_some() {
            let cell = self.cut(pool);
            let theirs = other.cut(pool);
            let theirs = pool.take(theirs);
            pool.cells[cell as usize].merge(&theirs);
            return;
        }
        for group in other.groups {
            self.group(group.separator).absorb(group, level, pool);
        }
    }

    /// Ends the trie here, with the sums of all that followed.
    fn cut(&mut self, pool: &mut Pool) -> u32 {
        if let Some(cell) = self.cell {
            return cell;
        }
        let mut sum = PatternStats::default();
        for node in std::mem::take(&mut self.groups).into_iter().flat_map(|group| group.names.into_nodes()) {
            pool.nodes -= 1;
            let mut node = node;
            let cell = node.cut(pool);
            sum.merge(&pool.take(cell));
        }
        *self.cell.insert(pool.put(sum))
    }

    /// The weight of the node (the module says why), of which anything over the budget is the same.
    fn weight(&self, level: usize, limits: &Limits) -> u64 {
        if self.cell.is_some() {
            return limits.too_heavy();
        }
        let children: u64 = self.weights(level, limits).iter().map(|(times, weight)| times * weight).sum();
        limits.too_heavy().min(1 + children)
    }

    /// The weights of the children, and how often each counts.
    fn weights(&self, level: usize, limits: &Limits) -> Vec<(u64, u64)> {
        let mut weights = Vec::new();
        for group in &self.groups {
            let weight = |node: &Self| if group.separator.is_none() { 1 } else { node.weight(level + 1, limits) };
            match &group.names {
                Names::Open(names) => weights.extend(names.iter().map(|child| (1, weight(&child.node)))),
                Names::Star(star) => weights.push((limits.fan_out(level) as u64, weight(star))),
            }
        }
        weights
    }

    /// Cuts what a budget of nodes does not pay.
    fn trim(&mut self, level: usize, budget: u64, pool: &mut Pool) {
        if self.cell.is_some() {
            return;
        }
        let room = budget.saturating_sub(1);
        let weights = self.weights(level, &pool.limits);
        let fits = |share: u64| weights.iter().map(|(times, weight)| times * share.min(*weight)).sum::<u64>() <= room;
        if fits(u64::MAX) {
            return;
        }
        // The largest share that fits.
        let (mut share, mut over) = (0, room + 1);
        while share + 1 < over {
            let middle = share.midpoint(over);
            if fits(middle) { share = middle } else { over = middle }
        }
        if share == 0 {
            self.cut(pool);
            return;
        }
        for group in self.groups.iter_mut().filter(|group| group.separator.is_some()) {
            group.names.for_each(|node| node.trim(level + 1, share, pool));
        }
    }

    /// Moves the sums of this node, and of all below, to another pool.
    fn move_cells(&mut self, from: &mut Pool, to: &mut Pool) {
        if let Some(cell) = &mut self.cell {
            *cell = to.put(from.take(*cell));
        }
        for group in &mut self.groups {
            group.names.for_each(|node| node.move_cells(from, to));
        }
    }

    /// Adds the patterns from here on to `out`; `path` is the text so far.
    fn render(&mut self, path: &mut Vec<u8>, pool: &mut Pool, out: &mut Vec<Pattern>) {
        for group in &mut self.groups {
            let separator = group.separator;
            let mut child = |name: &[u8], node: &mut Self| {
                let len = path.len();
                path.extend_from_slice(name);
                path.extend(separator);
                node.render(path, pool, out);
                if let Some(cell) = node.cell {
                    let cut: &[u8] = if separator.is_some() { b"*" } else { b"" };
                    out.push(Pattern { text: [path, cut].concat(), named: None, stats: pool.take(cell) });
                }
                path.truncate(len);
            };
            match &mut group.names {
                Names::Open(names) => names.iter_mut().for_each(|c| child(&c.name, &mut c.node)),
                Names::Star(star) => child(b"*", star),
            }
        }
    }
}

impl Names {
    fn into_nodes(self) -> Vec<Node> {
        match self {
            Self::Open(names) => names.into_iter().map(|child| child.node).collect(),
            Self::Star(star) => vec![*star],
        }
    }

    fn for_each(&mut self, mut visit: impl FnMut(&mut Node)) {
        match self {
            Self::Open(names) => names.iter_mut().for_each(|child| visit(&mut child.node)),
            Self::Star(star) => visit(star),
        }
    }
}

impl Group {
    /// Makes the names one `*`.
    fn collapse(&mut self, level: usize, pool: &mut Pool) {
        if let Names::Open(names) = &mut self.names {
            let names = std::mem::take(names);
            let mut star = Box::new(Node::default());
            pool.nodes += 1;
            for child in names {
                star.absorb(child.node, level + 1, pool);
            }
            self.names = Names::Star(star);
        }
    }

    fn absorb(&mut self, other: Self, level: usize, pool: &mut Pool) {
        match (&mut self.names, other.names) {
            (Names::Open(ours), Names::Open(theirs)) => {
                for child in theirs {
                    match find(ours, child.head, &child.name) {
                        Ok(at) => ours[at].node.absorb(child.node, level + 1, pool),
                        Err(at) => insert(ours, at, child),
                    }
                }
                if ours.len() > pool.limits.fan_out(level) {
                    self.collapse(level, pool);
                }
            }
            (Names::Star(star), theirs) => {
                theirs.into_nodes().into_iter().for_each(|node| star.absorb(node, level + 1, pool));
            }
            (Names::Open(_), Names::Star(mut star)) => {
                let ours = std::mem::replace(&mut self.names, Names::Open(Vec::new()));
                ours.into_nodes().into_iter().for_each(|node| star.absorb(node, level + 1, pool));
                self.names = Names::Star(star);
            }
        }
    }
}

/// Folded names that are a path of the trie as they stand, and their cells. All go when a level collapses or is cut, and
/// so do the shapes.
#[derive(Clone, Debug, Default)]
struct Cache {
    slots: HashTable<Slot>,
    texts: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Slot {
    hash: u64,
    start: u32,
    len: u32,
    cell: u32,
}

impl Cache {
    #[inline]
    fn get(&self, hash: u64, text: &[u8]) -> Option<u32> {
        let same = |slot: &Slot| {
            slot.hash == hash && self.texts.get(slot.start as usize..(slot.start + slot.len) as usize) == Some(text)
        };
        self.slots.find(hash, same).map(|slot| slot.cell)
    }

    fn insert(&mut self, hash: u64, text: &[u8], cell: u32) {
        let start = self.texts.len();
        if self.slots.len() < CACHE_NAMES && start + text.len() <= CACHE_BYTES {
            self.texts.extend_from_slice(text);
            let slot = Slot { hash, start: start as u32, len: text.len() as u32, cell };
            self.slots.insert_unique(hash, slot, |slot| slot.hash);
        }
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.texts.clear();
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

//! The folded segments of all keys, kept small by the two rules.

use super::shape::short_word;
use super::{Limits, Pattern, PatternStats};

/// A place in the trie: the end of a key (below a group without a separator), or what follows a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) groups: Vec<Group>,
    /// Where the sums are, at the end of a key. Elsewhere it means that the node is cut: all that follows is one `*`.
    pub(super) cell: Option<u32>,
}

/// The children of a node whose segments end in the same separator. They collapse by themselves, so that a crowd of
/// single names at a level leaves its `user:` and `session:` alone.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) separator: Option<u8>,
    pub(super) names: Names,
}

#[derive(Clone, Debug)]
pub(super) enum Names {
    /// In the order of their heads. So few are found as fast as in a hash map, which takes three times the memory.
    Open(Vec<Child>),
    Star(Box<Node>),
}

#[derive(Clone, Debug)]
pub(super) struct Child {
    /// The first bytes of the name.
    pub(super) head: u64,
    pub(super) name: Box<[u8]>,
    pub(super) node: Node,
}

#[inline]
pub(super) fn head(name: &[u8]) -> u64 {
    match name.first_chunk() {
        Some(head) => u64::from_le_bytes(*head),
        None => short_word(name),
    }
}

/// The place of a name among the children, or where it would go.
#[inline]
pub(super) fn find(children: &[Child], head: u64, name: &[u8]) -> Result<usize, usize> {
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
pub(super) fn insert<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.insert(at, item);
}

/// What the nodes of a trie share.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) cells: Vec<PatternStats>,
    pub(super) free: Vec<u32>,
    /// Nodes without the root.
    pub(super) nodes: usize,
    pub(super) limits: Limits,
}

impl Pool {
    pub(super) fn put(&mut self, stats: PatternStats) -> u32 {
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

    pub(super) fn take(&mut self, cell: u32) -> PatternStats {
        self.free.push(cell);
        std::mem::take(&mut self.cells[cell as usize])
    }
}

impl Node {
    #[inline]
    pub(super) fn group(&mut self, separator: Option<u8>) -> &mut Group {
        let at = self.groups.iter().position(|g| g.separator == separator).unwrap_or_else(|| {
            let last = self.groups.len();
            insert(&mut self.groups, last, Group { separator, names: Names::Open(Vec::new()) });
            last
        });
        &mut self.groups[at]
    }

    /// Takes in the groups and sums of `other`, a node of the same level.
    pub(super) fn absorb(&mut self, mut other: Self, level: usize, pool: &mut Pool) {
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
    pub(super) fn cut(&mut self, pool: &mut Pool) -> u32 {
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
    pub(super) fn weight(&self, level: usize, limits: &Limits) -> u64 {
        if self.cell.is_some() {
            return limits.too_heavy();
        }
        let children: u64 = self.weights(level, limits).iter().map(|(times, weight)| times * weight).sum();
        limits.too_heavy().min(1 + children)
    }

    /// The weights of the children, and how often each counts.
    pub(super) fn weights(&self, level: usize, limits: &Limits) -> Vec<(u64, u64)> {
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
    pub(super) fn trim(&mut self, level: usize, budget: u64, pool: &mut Pool) {
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
    pub(super) fn move_cells(&mut self, from: &mut Pool, to: &mut Pool) {
        if let Some(cell) = &mut self.cell {
            *cell = to.put(from.take(*cell));
        }
        for group in &mut self.groups {
            group.names.for_each(|node| node.move_cells(from, to));
        }
    }

    /// Adds the patterns from here on to `out`; `path` is the text so far.
    pub(super) fn render(&mut self, path: &mut Vec<u8>, pool: &mut Pool, out: &mut Vec<Pattern>) {
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
    pub(super) fn into_nodes(self) -> Vec<Node> {
        match self {
            Self::Open(names) => names.into_iter().map(|child| child.node).collect(),
            Self::Star(star) => vec![*star],
        }
    }

    pub(super) fn for_each(&mut self, mut visit: impl FnMut(&mut Node)) {
        match self {
            Self::Open(names) => names.iter_mut().for_each(|child| visit(&mut child.node)),
            Self::Star(star) => visit(star),
        }
    }
}

impl Group {
    /// Makes the names one `*`.
    pub(super) fn collapse(&mut self, level: usize, pool: &mut Pool) {
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

    pub(super) fn absorb(&mut self, other: Self, level: usize, pool: &mut Pool) {
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

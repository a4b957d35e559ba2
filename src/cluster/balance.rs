//! Which node should hold which slot: as even by memory as whole slots allow, with few bytes moved.
//!
//! What is asked for, in this order:
//!
//! 1. No node above [`goal`]'s highest, or the largest node as small as the slots allow.
//! 2. No node below its lowest, or the smallest as large as the slots allow.
//! 3. The fewest bytes on another node than before.
//!
//! A slot cannot be divided. One that is heavier than the goal gets a node to itself, and the goal of the others is
//! that of what is left. Where slots are many and small, runs of consecutive slots move, so that ranges stay few. Where
//! they are few, a search that is bounded by a number of steps finds the best of all, or improves what was found.
//!
//! Integers only, and ties go by the order of slots and nodes: the same input gives the same answer everywhere.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Per cent of the mean that a node may be off it.
pub const TOLERANCE_PERCENT: u64 = 5;

/// A slot that has bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its weight, in bytes.
    pub bytes: u64,
    /// The node that holds it; absent if that node is none of those to be balanced: then the slot must move.
    pub home: Option<usize>,
}

/// The least and the most bytes of a node that is within [`TOLERANCE_PERCENT`] of the mean of `total` over `nodes`.
pub fn goal(total: u64, nodes: usize) -> (u64, u64) {
    let (total, nodes) = (u128::from(total), nodes.max(1) as u128);
    let off = |percent: u64| u128::from(percent) * total;
    let lowest = off(100 - TOLERANCE_PERCENT).div_ceil(100 * nodes).min(total / nodes);
    let highest = (off(100 + TOLERANCE_PERCENT) / (100 * nodes)).max(total.div_ceil(nodes));
    (lowest as u64, u64::try_from(highest).unwrap_or(u64::MAX))
}

/// The node of each item, from 0 to `nodes`, which is not 0. Items are in the order of their slots.
pub fn balance(items: &[Item], nodes: usize) -> Vec<usize> {
    let mut at = vec![usize::MAX; items.len()];
    let alone = place_giants(items, nodes, &mut at);
    let others: Vec<usize> = (0..nodes).filter(|node| !alone[*node]).collect();
    let place_of = |node: usize| others.binary_search(&node).ok();
    let rest: Vec<usize> = (0..items.len()).filter(|i| at[*i] == usize::MAX).collect();
    let problem = Problem::new(
        rest.iter().map(|&i| Item { bytes: items[i].bytes, home: items[i].home.and_then(place_of) }).collect(),
        others.len(),
    );
    for (&i, node) in rest.iter().zip(problem.solve()) {
        at[i] = others[node];
    }
    at
}

/// Gives each item that is heavier than the goal of what is left a node to itself. Says which nodes those are.
fn place_giants(items: &[Item], nodes: usize, at: &mut [usize]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&i| (Reverse(items[i].bytes), i));
    let mut left: u64 = items.iter().map(|item| item.bytes).sum();
    let mut giants: Vec<usize> = Vec::new();
    for i in order {
        let (_, highest) = goal(left, nodes - giants.len());
        if items[i].bytes <= highest {
            break;
        }
        left -= items[i].bytes;
        giants.push(i);
    }
    // Everything else on such a node has to move.
    let mut rest = vec![0u64; nodes];
    for (i, item) in items.iter().enumerate() {
        if let Some(home) = item.home.filter(|_| !giants.contains(&i)) {
            rest[home] += item.bytes;
        }
    }
    let mut alone = vec![false; nodes];
    giants.retain(|&i| match items[i].home {
        Some(home) if !alone[home] => {
            alone[home] = true;
            at[i] = home;
            false
        }
        _ => true,
    });
    for i in giants {
        let lightest = (0..nodes).filter(|node| !alone[*node]).min_by_key(|node| (rest[*node], *node));
        let node = lightest.expect("fewer giants than nodes: a single node's goal exceeds every item");
        alone[node] = true;
        at[i] = node;
    }
    alone
}

/// How good a layout is, less being better: bytes that the largest node is above the goal, bytes that the smallest is below
/// it, bytes that move.
type Score = (u64, u64, u64);

/// Who keeps which items, and those that look for a node, in the order of slots.
struct Shed {
    kept: Vec<Option<usize>>,
    pool: Vec<usize>,
}

/// Items none of which is heavier than the goal.
struct Problem {
    items: Vec<Item>,
    nodes: usize,
    lowest: u64,
    highest: u64,
}

impl Problem {
    fn new(items: Vec<Item>, nodes: usize) -> Problem {
        let total = items.iter().map(|item| item.bytes).sum();
        let (lowest, highest) = goal(total, nodes);
        Problem { items, nodes, lowest, highest }
    }

    fn solve(&self) -> Vec<usize> {
        let best = self.best(&[]);
        let (most, least) = best.extremes();
        if most <= self.highest && least >= self.lowest {
            return best.at;
        }
        // Not all slots are worth moving for the last per cent.
        let near = Problem {
            items: self.items.clone(),
            nodes: self.nodes,
            lowest: self.lowest.min(least - least / 100),
            highest: self.highest.max(most + most / 100),
        };
        near.best(&best.at).at
    }

    /// The best layout that is found, or one as good with shorter ranges.
    fn best(&self, known: &[usize]) -> Layout<'_> {
        let starts = [
            self.in_runs(self.shed(2 * self.trifle())),
            self.in_runs(self.shed(0)),
            self.by_size(self.shed(0)),
            if known.is_empty() { self.anew() } else { known.to_vec() },
        ];
        let mut layouts: Vec<Layout<'_>> = starts.into_iter().map(|at| Layout::new(self, at)).collect();
        for layout in &mut layouts {
            layout.repair();
            layout.go_home();
        }
        // Short ranges are worth a hundredth more of bytes.
        let best = layouts.iter().map(Layout::score).min().unwrap_or_default();
        let good = |score: Score| score <= (best.0, best.1, best.2 + best.2 / 100 + self.trifle());
        layouts.retain(|layout| good(layout.score()));
        let found = layouts.into_iter().min_by_key(|layout| (layout.runs(), layout.score()));
        let found = found.expect("one of them is the best");
        if self.items.len() <= SEARCHED_ITEMS { Search::new(self, found).run() } else { found }
    }

    /// Bytes that are not worth a range of their own.
    fn trifle(&self) -> u64 {
        self.highest / 1000
    }

    fn loads(&self, at: &[Option<usize>]) -> Vec<u64> {
        let mut loads = vec![0; self.nodes];
        for (item, node) in self.items.iter().zip(at) {
            if let Some(node) = node {
                loads[*node] += item.bytes;
            }
        }
        loads
    }

    /// Takes from the nodes that have too much, or as much as others lack and so many bytes more for each, a run of slots each.
    fn shed(&self, more: u64) -> Shed {
        let mut kept: Vec<Option<usize>> = self.items.iter().map(|item| item.home).collect();
        let loads = self.loads(&kept);
        let sum = |part: &dyn Fn(u64) -> u64| loads.iter().map(|load| part(*load)).sum::<u64>();
        let homeless: u64 = self.items.iter().filter(|item| item.home.is_none()).map(|item| item.bytes).sum();
        let excess = sum(&|load| load.saturating_sub(self.highest));
        let deficit = sum(&|load| if load < self.lowest { self.lowest - load + more } else { 0 });
        let wanted = excess.max(deficit.saturating_sub(homeless));
        let level = last_true(self.highest, |level| sum(&|load| load.saturating_sub(level)) >= wanted);
        let mut by_home: Vec<Vec<usize>> = vec![Vec::new(); self.nodes];
        for (i, item) in self.items.iter().enumerate() {
            if let Some(home) = item.home {
                by_home[home].push(i);
            }
        }
        for (load, own) in loads.iter().zip(&by_home) {
            for &i in self.lightest_run(own, load.saturating_sub(level)) {
                kept[i] = None;
            }
        }
        let pool = (0..self.items.len()).filter(|i| kept[*i].is_none()).collect();
        Shed { kept, pool }
    }

    /// The consecutive ones of `own` that weigh least but not less than `bytes`; the fewest of equals, then the first.
    fn lightest_run<'o>(&self, own: &'o [usize], bytes: u64) -> &'o [usize] {
        let (mut first, mut sum) = (0, 0);
        let mut best: Option<(u64, usize, usize)> = None;
        if bytes > 0 {
            for (last, &i) in own.iter().enumerate() {
                sum += self.items[i].bytes;
                while sum - self.items[own[first]].bytes >= bytes {
                    sum -= self.items[own[first]].bytes;
                    first += 1;
                }
                let run = (sum, last + 1 - first, first);
                if sum >= bytes && best.is_none_or(|best| run < best) {
                    best = Some(run);
                }
            }
        }
        best.map_or(&[], |(_, count, first)| &own[first..first + count])
    }

    /// Gives the pool, in the order of slots, to one node after the other, each up to the level that all of it makes.
    fn in_runs(&self, Shed { kept, pool }: Shed) -> Vec<usize> {
        let mut loads = self.loads(&kept);
        let bytes: u64 = pool.iter().map(|i| self.items[*i].bytes).sum();
        let most = loads.iter().max().map_or(0, |load| load + bytes);
        let level = last_true(most, |level| loads.iter().map(|load| level.saturating_sub(*load)).sum::<u64>() <= bytes);
        let mut takers: Vec<usize> = (0..self.nodes).filter(|node| loads[*node] < level).collect();
        takers.sort_by_key(|&node| (loads[node], node));
        let mut takers = takers.into_iter().peekable();
        let mut at = kept;
        for i in pool {
            let half = self.items[i].bytes / 2;
            while let Some(&node) = takers.peek()
                && loads[node].saturating_add(half) > level
            {
                takers.next();
            }
            let node = takers.peek().copied().unwrap_or_else(|| smallest(&loads));
            loads[node] += self.items[i].bytes;
            at[i] = Some(node);
        }
        at.into_iter().flatten().collect()
    }

    /// Gives the pool, heaviest first, to the node that has least.
    fn by_size(&self, Shed { kept, mut pool }: Shed) -> Vec<usize> {
        pool.sort_by_key(|&i| (Reverse(self.items[i].bytes), i));
        let loads = self.loads(&kept);
        let mut nodes: BinaryHeap<Reverse<(u64, usize)>> =
            loads.into_iter().enumerate().map(|(node, load)| Reverse((load, node))).collect();
        let mut at = kept;
        for i in pool {
            if let Some(mut node) = nodes.peek_mut() {
                at[i] = Some(node.0.1);
                node.0.0 += self.items[i].bytes;
            }
        }
        at.into_iter().flatten().collect()
    }

    /// Gives all items anew, heaviest first, to the node that has least, and then each node the name of the one whose bytes it
    /// has most of.
    fn anew(&self) -> Vec<usize> {
        let count = self.items.len();
        let at = self.by_size(Shed { kept: vec![None; count], pool: (0..count).collect() });
        let mut common: Vec<(usize, usize, u64)> =
            (self.items.iter().zip(&at)).filter_map(|(item, node)| Some((*node, item.home?, item.bytes))).collect();
        common.sort_unstable();
        common.dedup_by(|next, sum| {
            let same = (next.0, next.1) == (sum.0, sum.1);
            sum.2 += if same { next.2 } else { 0 };
            same
        });
        common.sort_by_key(|&(node, home, bytes)| (Reverse(bytes), node, home));
        let mut name = vec![None; self.nodes];
        let mut taken = vec![false; self.nodes];
        for (node, home, _) in common {
            if name[node].is_none() && !taken[home] {
                name[node] = Some(home);
                taken[home] = true;
            }
        }
        let mut free = (0..self.nodes).filter(|node| !taken[*node]);
        let name: Vec<usize> = name.into_iter().filter_map(|name| name.or_else(|| free.next())).collect();
        at.into_iter().map(|node| name[node]).collect()
    }
}

/// The node that has least, the first of equals.
fn smallest(loads: &[u64]) -> usize {
    (0..loads.len()).min_by_key(|&node| (loads[node], node)).unwrap_or(0)
}

/// The largest number up to `most` for which `is` still holds: it holds for 0, and for nothing above where it first fails.
fn last_true(most: u64, is: impl Fn(u64) -> bool) -> u64 {
    let (mut holds, mut end) = (0, most);
    while holds < end {
        let middle = holds + (end - holds).div_ceil(2);
        if is(middle) { holds = middle } else { end = middle - 1 }
    }
    holds
}

/// Every item on a node.
struct Layout<'p> {
    problem: &'p Problem,
    at: Vec<usize>,
    loads: Vec<u64>,
    /// The items of each node as (bytes, item), lightest first.
    on: Vec<Vec<(u64, usize)>>,
}

/// An exchange between a node and one that has less: an item, and what comes back for it.
struct Exchange {
    low: usize,
    high: usize,
    down: usize,
    up: Option<usize>,
}

impl<'p> Layout<'p> {
    fn new(problem: &'p Problem, at: Vec<usize>) -> Layout<'p> {
        let mut loads = vec![0; problem.nodes];
        let mut on = vec![Vec::new(); problem.nodes];
        for (i, (item, &node)) in problem.items.iter().zip(&at).enumerate() {
            loads[node] += item.bytes;
            on[node].push((item.bytes, i));
        }
        on.iter_mut().for_each(|items| items.sort_unstable());
        Layout { problem, at, loads, on }
    }

    fn score(&self) -> Score {
        let (most, least) = self.extremes();
        let moved = (self.problem.items.iter().zip(&self.at))
            .filter(|(item, node)| item.home != Some(**node))
            .map(|(item, _)| item.bytes)
            .sum();
        (most.saturating_sub(self.problem.highest), self.problem.lowest.saturating_sub(least), moved)
    }

    /// Runs of items that move from one node to one other.
    fn runs(&self) -> usize {
        let ways = self.problem.items.iter().zip(&self.at).map(|(item, node)| (item.home, *node));
        let runs: Vec<_> = ways.collect::<Vec<_>>().chunk_by(|a, b| a == b).map(|run| run[0]).collect();
        runs.into_iter().filter(|(home, node)| *home != Some(*node)).count()
    }

    fn extremes(&self) -> (u64, u64) {
        let most = self.loads.iter().max().copied().unwrap_or(0);
        let least = self.loads.iter().min().copied().unwrap_or(0);
        (most, least)
    }

    fn put(&mut self, item: usize, node: usize) {
        let entry = (self.problem.items[item].bytes, item);
        let from = std::mem::replace(&mut self.at[item], node);
        if let Ok(place) = self.on[from].binary_search(&entry) {
            self.on[from].remove(place);
        }
        let place = self.on[node].binary_search(&entry).unwrap_or_else(|place| place);
        self.on[node].insert(place, entry);
        self.loads[from] -= entry.0;
        self.loads[node] += entry.0;
    }

    /// Moves and swaps items between the largest node and others, and others and the smallest, until the goal is reached or
    /// nothing helps. Each exchange leaves both nodes strictly between what they had, so it comes to an end.
    fn repair(&mut self) {
        loop {
            let nodes = 0..self.loads.len();
            let (Some(high), Some(low)) = (
                nodes.clone().max_by_key(|&node| (self.loads[node], Reverse(node))),
                nodes.clone().min_by_key(|&node| (self.loads[node], node)),
            ) else {
                return;
            };
            let mut exchange = None;
            if self.loads[high] > self.problem.highest {
                exchange = self.best_exchange(nodes.clone().map(|low| (high, low)));
            }
            if exchange.is_none() && self.loads[low] < self.problem.lowest {
                exchange = self.best_exchange(nodes.map(|high| (high, low)));
            }
            let Some(Exchange { low, high, down, up }) = exchange else { return };
            self.put(down, low);
            if let Some(up) = up {
                self.put(up, high);
            }
        }
    }

    /// The exchange that brings a pair of nodes nearest to the goal, for the fewest bytes.
    fn best_exchange(&self, pairs: impl Iterator<Item = (usize, usize)>) -> Option<Exchange> {
        let Problem { lowest, highest, .. } = *self.problem;
        let mut best: Option<((u64, u64, i128, u64), Exchange)> = None;
        for (high, low) in pairs {
            let (more, less) = (self.loads[high], self.loads[low]);
            let gap = more.saturating_sub(less);
            if gap < 2 {
                continue;
            }
            let needed = more.saturating_sub(highest).max(lowest.saturating_sub(less)).clamp(1, gap - 1);
            for &(bytes, down) in &self.on[high] {
                let near = |difference: u64| {
                    let end = self.on[low].partition_point(|(back, _)| *back <= bytes.saturating_sub(difference));
                    self.on[low][end.saturating_sub(1)..].iter().take(2)
                };
                let back = near(needed).chain(near(gap / 2)).map(|&(back, up)| (back, Some(up)));
                for (back, up) in std::iter::once((0, None)).chain(back) {
                    let Some(difference @ 1..) = bytes.checked_sub(back) else { continue };
                    if difference >= gap {
                        continue;
                    }
                    let pair = [more - difference, less + difference];
                    let most = pair[0].max(pair[1]);
                    let moved = self.cost(down, high, low) + up.map_or(0, |up| self.cost(up, low, high));
                    let rank = (most.saturating_sub(highest), lowest.saturating_sub(pair[0].min(pair[1])), moved, most);
                    if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                        best = Some((rank, Exchange { low, high, down, up }));
                    }
                }
            }
        }
        best.map(|(_, exchange)| exchange)
    }

    /// Bytes that move more if the item goes from one node to another.
    fn cost(&self, item: usize, from: usize, to: usize) -> i128 {
        let Item { bytes, home } = self.problem.items[item];
        let cost = |node| if home == Some(node) { 0 } else { i128::from(bytes) };
        cost(to) - cost(from)
    }

    /// Lets items that moved without need stay, or lighter ones go for them.
    fn go_home(&mut self) {
        let (most, least) = self.extremes();
        let (most, least) = (most.max(self.problem.highest), least.min(self.problem.lowest));
        let trifle = self.problem.trifle();
        let mut moved: Vec<usize> =
            (0..self.at.len()).filter(|&i| self.problem.items[i].home.is_some_and(|home| home != self.at[i])).collect();
        moved.sort_by_key(|&i| (Reverse(self.problem.items[i].bytes), i));
        for i in moved {
            let Item { bytes, home: Some(home) } = self.problem.items[i] else { continue };
            let away = self.at[i];
            // What has to go for it so that both nodes stay where they may be.
            let needed =
                (self.loads[home] + bytes).saturating_sub(most).max((least + bytes).saturating_sub(self.loads[away]));
            if needed == 0 {
                self.put(i, home);
                continue;
            }
            let start = self.on[home].partition_point(|(other, _)| *other < needed);
            let lighter =
                self.on[home][start..].iter().find(|(_, other)| self.problem.items[*other].home == Some(home));
            if let Some(&(other_bytes, other)) = lighter
                && other_bytes + trifle < bytes
            {
                self.put(i, home);
                self.put(other, away);
            }
        }
    }
}

/// Up to so many items, all layouts are searched.
const SEARCHED_ITEMS: usize = 64;
/// Sums of loads that a search may work out before it gives what it has: some hundredths of a second.
const SEARCH_STEPS: u64 = 20_000_000;

/// The search for the best layout, branch by branch: the heaviest item first on every node, then the next.
struct Search<'p> {
    problem: &'p Problem,
    /// Heaviest first.
    order: Vec<usize>,
    /// Nodes that nobody calls home: those of them that have the same load are as good as each other.
    strange: Vec<bool>,
    at: Vec<usize>,
    /// Bytes of the items that are placed, and of those to be placed whose home it is.
    placed: Vec<u64>,
    coming: Vec<u64>,
    /// Bytes of the items to be placed, and of those of them that must move.
    left: u64,
    homeless: u64,
    moved: u64,
    best: Score,
    best_at: Vec<usize>,
    steps: u64,
}

impl<'p> Search<'p> {
    fn new(problem: &'p Problem, known: Layout<'p>) -> Search<'p> {
        let mut order: Vec<usize> = (0..problem.items.len()).collect();
        order.sort_by_key(|&i| (Reverse(problem.items[i].bytes), i));
        let homes: Vec<Option<usize>> = problem.items.iter().map(|item| item.home).collect();
        let coming = problem.loads(&homes);
        let left = problem.items.iter().map(|item| item.bytes).sum();
        Search {
            problem,
            order,
            strange: (0..problem.nodes).map(|node| !homes.contains(&Some(node))).collect(),
            at: known.at.clone(),
            placed: vec![0; problem.nodes],
            left,
            homeless: left - coming.iter().sum::<u64>(),
            coming,
            moved: 0,
            best: known.score(),
            best_at: known.at,
            steps: 0,
        }
    }

    fn run(mut self) -> Layout<'p> {
        self.place(0);
        Layout::new(self.problem, self.best_at)
    }

    /// Tries every node for the item at this depth, and what follows from it.
    fn place(&mut self, depth: usize) {
        self.steps += 4 * self.placed.len() as u64;
        if self.steps > SEARCH_STEPS || !self.can_be_better() {
            return;
        }
        let Some(&i) = self.order.get(depth) else {
            self.best = self.score();
            self.best_at.clone_from(&self.at);
            return;
        };
        let Item { bytes, home } = self.problem.items[i];
        self.left -= bytes;
        match home {
            Some(home) => self.coming[home] -= bytes,
            None => self.homeless -= bytes,
        }
        let mut nodes: Vec<usize> = (0..self.placed.len()).collect();
        nodes.sort_by_key(|&node| (home != Some(node), self.placed[node] + self.coming[node], node));
        let mut last_strange = None;
        for node in nodes {
            if self.strange[node] && last_strange.replace(self.placed[node]) == Some(self.placed[node]) {
                continue;
            }
            let moves = if home == Some(node) { 0 } else { bytes };
            self.at[i] = node;
            self.placed[node] += bytes;
            self.moved += moves;
            self.place(depth + 1);
            self.moved -= moves;
            self.placed[node] -= bytes;
        }
        match home {
            Some(home) => self.coming[home] += bytes,
            None => self.homeless += bytes,
        }
        self.left += bytes;
    }

    /// The score of what is placed, once that is everything.
    fn score(&self) -> Score {
        let over = self.placed.iter().map(|load| load.saturating_sub(self.problem.highest)).max();
        let under = self.placed.iter().map(|load| self.problem.lowest.saturating_sub(*load)).max();
        (over.unwrap_or(0), under.unwrap_or(0), self.moved)
    }

    /// Whether what is placed can become something better than the best. Once everything is placed: whether it is better.
    fn can_be_better(&self) -> bool {
        let (best_over, best_under, best_moved) = self.best;
        let sum = |part: &dyn Fn(usize) -> u64| (0..self.placed.len()).map(part).sum::<u64>();
        let over = self.placed.iter().map(|load| load.saturating_sub(self.problem.highest)).max().unwrap_or(0);
        if over != best_over {
            return over < best_over;
        }
        let least = self.problem.lowest - best_under;
        let fills = |level: u64| sum(&|node| level.saturating_sub(self.placed[node])) <= self.left;
        if best_under > 0 && fills(least + 1) {
            return true;
        }
        let most = self.problem.highest + best_over;
        let out = sum(&|node| (self.placed[node] + self.coming[node]).saturating_sub(most));
        let into = sum(&|node| least.saturating_sub(self.placed[node] + self.coming[node]));
        let more = self.homeless + out.max(into.saturating_sub(self.homeless));
        fills(least) && self.moved + more < best_moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift64*: repeatable numbers without a dependency.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
        }

        /// Weights as even, spread or lopsided as slots can be.
        fn weight(&mut self, kind: u64) -> u64 {
            match kind {
                0 => 900 + self.below(200),
                1 => 1 + self.below(10_000),
                _ => 1 + (1 << self.below(16)) + self.below(100),
            }
        }

        fn items(&mut self, count: u64, nodes: u64) -> Vec<Item> {
            let kind = self.below(3);
            let homes = 1 + self.below(nodes + 1); // one node more than there are: its items must move
            let item = |random: &mut Random| Item {
                bytes: random.weight(kind),
                home: Some(random.below(homes) as usize).filter(|home| (*home as u64) < nodes),
            };
            (0..count).map(|_| item(self)).collect()
        }
    }

    fn loads(items: &[Item], at: &[usize], nodes: usize) -> Vec<u64> {
        let mut loads = vec![0; nodes];
        items.iter().zip(at).for_each(|(item, node)| loads[*node] += item.bytes);
        loads
    }

    fn score(items: &[Item], at: &[usize], nodes: usize) -> Score {
        let (lowest, highest) = goal(items.iter().map(|item| item.bytes).sum(), nodes);
        let loads = loads(items, at, nodes);
        let moved = items.iter().zip(at).filter(|(item, node)| item.home != Some(**node)).map(|(item, _)| item.bytes);
        let (most, least) = (loads.iter().max().unwrap(), loads.iter().min().unwrap());
        (most.saturating_sub(highest), lowest.saturating_sub(*least), moved.sum())
    }

    /// Every layout there is: the best score of all.
    fn best_of_all(items: &[Item], nodes: usize) -> Score {
        let mut at = vec![0; items.len()];
        let mut best = score(items, &at, nodes);
        while let Some(i) = at.iter().position(|node| node + 1 < nodes) {
            at[i] += 1;
            at[..i].fill(0);
            best = best.min(score(items, &at, nodes));
        }
        best
    }

    #[test]
    fn the_goal_is_five_per_cent_and_can_always_be_a_mean() {
        assert_eq!(goal(3000, 3), (950, 1050));
        assert_eq!(goal(10, 3), (3, 4));
        assert_eq!(goal(0, 3), (0, 0));
        assert_eq!(goal(u64::MAX, 1).1, u64::MAX);
    }

    #[test]
    fn small_instances_are_solved_exactly() {
        let mut random = Random(1);
        let (mut giants, mut unreachable) = (0, 0);
        for _ in 0..1500 {
            let (nodes, count) = (1 + random.below(4), random.below(9));
            let items = random.items(count, nodes);
            let nodes = nodes as usize;
            let found = score(&items, &balance(&items, nodes), nodes);
            let best = best_of_all(&items, nodes);
            let (_, highest) = goal(items.iter().map(|item| item.bytes).sum(), nodes);
            // One per cent is given up for fewer bytes where the goal cannot be reached.
            let most = |score: Score| highest + score.0;
            assert!(most(found) <= most(best) + most(best) / 100, "{nodes} nodes, {items:?}");
            if items.iter().any(|item| item.bytes > highest) {
                giants += 1; // the others are then as even as they can be, which the score does not ask for
                assert_eq!(found.0, best.0, "{nodes} nodes, {items:?}");
            } else if best.0 + best.1 > 0 {
                unreachable += 1;
                assert!(found.2 <= best.2, "{nodes} nodes, {items:?}");
            } else {
                assert_eq!(found, best, "{nodes} nodes, {items:?}");
            }
        }
        assert!(giants > 100 && unreachable > 100, "{giants}, {unreachable}: the instances are not those meant");
    }

    #[test]
    fn many_small_slots_reach_the_goal_with_hardly_more_bytes_than_must_move() {
        let mut random = Random(2);
        for (from, to) in [(3, 3), (3, 4), (6, 5), (10, 11), (50, 100), (100, 100), (200, 150)] {
            for kind in 0..2 {
                // The homes are uneven runs of slots, as a cluster that has grown has them.
                let mut ends: Vec<u64> = (1..from).map(|_| random.below(16384)).collect();
                ends.sort_unstable();
                let items: Vec<Item> = (0..16384u64)
                    .map(|slot| Item {
                        bytes: random.weight(kind),
                        home: Some(ends.partition_point(|end| *end <= slot)).filter(|home| *home < to),
                    })
                    .collect();
                let at = balance(&items, to);
                let (over, under, moved) = score(&items, &at, to);
                assert_eq!((over, under), (0, 0), "{from} to {to}, weights {kind}");
                let total = items.iter().map(|item| item.bytes).sum();
                let (lowest, highest) = goal(total, to);
                let kept: Vec<Item> = items.iter().copied().filter(|item| item.home.is_some()).collect();
                let homes: Vec<usize> = kept.iter().filter_map(|item| item.home).collect();
                let before = loads(&kept, &homes, to);
                let out: u64 = before.iter().map(|load| load.saturating_sub(highest)).sum();
                let into: u64 = before.iter().map(|load| lowest.saturating_sub(*load)).sum();
                let needed = into.max(total - before.iter().sum::<u64>() + out);
                assert!(moved <= needed + total / 200, "{from} to {to}, weights {kind}: {moved} of {needed}");
                assert_eq!(at, balance(&items, to), "the same answer each time");
            }
        }
    }

    #[test]
    fn whole_runs_move_where_slots_are_small() {
        let mut random = Random(3);
        let items: Vec<Item> =
            (0..16384).map(|slot| Item { bytes: 1000 + random.below(1000), home: Some(slot * 3 / 16384) }).collect();
        let at = balance(&items, 4);
        let runs = at.chunk_by(|a, b| a == b).count();
        assert!(runs < 16, "{runs} runs");
    }

    #[test]
    fn a_heavy_slot_gets_a_node_to_itself_and_the_others_share_the_rest() {
        let item = |bytes, home| Item { bytes, home: Some(home) };
        let items = [item(5000, 0), item(300, 0), item(500, 1), item(500, 1), item(300, 1), item(100, 2)];
        let at = balance(&items, 3);
        assert_eq!(loads(&items, &at, 3), [5000, 800, 900]);
        assert_eq!(at[0], 0, "it stays, for it is the heaviest to move");
    }

    #[test]
    fn edges() {
        assert!(balance(&[], 3).is_empty());
        let item = |bytes, home| Item { bytes, home };
        assert_eq!(balance(&[item(7, Some(0))], 1), [0]);
        assert_eq!(balance(&[item(7, None)], 1), [0]);
        assert_eq!(balance(&[item(7, Some(1))], 3), [1], "one slot holds everything: it stays");
        let at = balance(&[item(7, Some(1)), item(7, Some(1)), item(7, Some(1))], 5);
        assert_eq!(loads(&[item(7, None); 3], &at, 5).iter().max(), Some(&7), "more nodes than slots");
        assert_eq!(at.iter().filter(|node| **node == 1).count(), 1);
    }
}

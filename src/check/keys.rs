//! What the rules ask of single keys, gathered in the pass over the dumps.

use std::sync::Arc;

use toml::Spanned;

use super::rule::Rule;
use super::rules::{BigKey, Bytes, Glob, Level, Rules};
use crate::analyze::integrity::Integrity;
use crate::analyze::{Aggregate, Fold, TopKeys};
use crate::measure::Measured;
use crate::rdb::StoredValue;
use crate::record::{KeyRecord, ValueType};

/// Keys that are named for each rule; the rest is counted.
pub const NAMED_KEYS: usize = 20;

/// The keys that break the rules about keys, and the sums over those that rules are about.
#[derive(Debug)]
pub struct KeySums {
    rules: Arc<Rules>,
    dump: usize,
    node: Box<[u8]>,
    /// No key with less memory or fewer elements is big by any rule.
    least: (u64, u64),
    /// For each rule about big keys.
    pub big: Vec<BigSums>,
    /// For each rule about keys that are to expire.
    pub no_expiry: Vec<ExpirySums>,
    /// For each rule about keys that must not exist.
    pub forbidden: Vec<ForbiddenSums>,
    /// For each ignore the keys that it lets pass.
    pub ignored: Vec<u64>,
}

/// The big keys of a rule.
#[derive(Clone, Debug)]
pub struct BigSums {
    /// How many break it as a warning.
    pub warnings: u64,
    /// How many break it as an error.
    pub errors: u64,
    /// Those that break it the most.
    pub worst: TopKeys,
}

/// Keys that are to expire.
#[derive(Clone, Debug)]
pub struct ExpirySums {
    /// Their memory.
    pub footprint_bytes: u64,
    /// Keys without an expiry among them.
    pub permanent_keys: u64,
    /// Memory of those.
    pub permanent_bytes: u64,
    /// The largest of those.
    pub largest: TopKeys,
}

/// Keys that must not exist.
#[derive(Clone, Debug)]
pub struct ForbiddenSums {
    /// How many there are.
    pub keys: u64,
    /// Their memory.
    pub footprint_bytes: u64,
    /// The largest.
    pub largest: TopKeys,
}

/// The memory that counts for being big, in bytes, and the elements: a string has none.
pub fn size_of(record: &KeyRecord<'_>) -> (u64, u64) {
    let memory = record.footprint_bytes.unwrap_or(0).max(record.memory_bytes.unwrap_or(0));
    let elements = if record.value_type == ValueType::String { 0 } else { record.elements.unwrap_or(0) };
    (memory, elements)
}

/// How a key breaks a rule about big keys: the level, and by how much in per cent of the lowest limit.
pub fn broken(rule: &BigKey, (memory, elements): (u64, u64)) -> Option<(Level, u64)> {
    let by_memory = rule.memory.broken(Bytes(memory)).map(|(level, _)| level);
    let by_elements = rule.elements.broken(elements).map(|(level, _)| level);
    let percent = |part: u64, limit: Option<u64>| {
        limit.map_or(0, |limit| u64::try_from(u128::from(part) * 100 / u128::from(limit.max(1))).unwrap_or(u64::MAX))
    };
    let memory = percent(memory, rule.memory.lowest().map(|Bytes(bytes)| bytes));
    let elements = percent(elements, rule.elements.lowest());
    by_memory.max(by_elements).map(|level| (level, memory.max(elements)))
}

impl KeySums {
    /// Nothing gathered yet, of the dump at this place of the command line, which is of `node`.
    pub fn new(rules: Arc<Rules>, dump: usize, node: &str) -> KeySums {
        let least =
            |limit: fn(&BigKey) -> Option<u64>| rules.big_key.iter().filter_map(limit).min().unwrap_or(u64::MAX);
        let list = || TopKeys::new(NAMED_KEYS);
        KeySums {
            least: (least(|rule| rule.memory.lowest().map(|Bytes(bytes)| bytes)), least(|rule| rule.elements.lowest())),
            big: rules.big_key.iter().map(|_| BigSums { warnings: 0, errors: 0, worst: list() }).collect(),
            no_expiry: rules
                .no_expiry
                .iter()
                .map(|_| ExpirySums { footprint_bytes: 0, permanent_keys: 0, permanent_bytes: 0, largest: list() })
                .collect(),
            forbidden: rules
                .forbidden_keys
                .iter()
                .map(|_| ForbiddenSums { keys: 0, footprint_bytes: 0, largest: list() })
                .collect(),
            ignored: vec![0; rules.ignore.len()],
            node: node.as_bytes().into(),
            rules,
            dump,
        }
    }

    /// Whether an ignore lets a key break a rule.
    fn is_ignored(&mut self, rule: Rule, key: &[u8]) -> bool {
        let ignore = self.rules.ignore.iter().map(Spanned::as_ref).position(|ignore| {
            let means = |glob: &Glob| glob.matches(key) || glob.matches(&self.node);
            ignore.rule == rule && ignore.glob.as_ref().is_none_or(means)
        });
        if let Some(ignore) = ignore {
            self.ignored[ignore] += 1;
        }
        ignore.is_some()
    }

    #[cold]
    fn observe_large(&mut self, record: &KeyRecord<'_>, size: (u64, u64)) {
        let fits = |rule: &BigKey| {
            rule.glob.as_ref().is_none_or(|glob| glob.matches(record.key))
                && (rule.types.is_empty() || rule.types.iter().any(|name| name.is(record.value_type)))
        };
        // The first that fits decides, also when it lets the key pass.
        let Some(at) = self.rules.big_key.iter().position(fits) else { return };
        if let Some((level, percent)) = broken(&self.rules.big_key[at], size)
            && !self.is_ignored(Rule::BigKey, record.key)
        {
            let sums = &mut self.big[at];
            match level {
                Level::Warning => sums.warnings += 1,
                Level::Error => sums.errors += 1,
            }
            sums.worst.observe(percent, self.dump, record);
        }
    }
}

impl Fold for KeySums {
    #[inline]
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        let record = &measured.record();
        let size = size_of(record);
        if size.0 > self.least.0 || size.1 > self.least.1 {
            self.observe_large(record, size);
        }
        let footprint = record.footprint_bytes.unwrap_or(0);
        for at in 0..self.no_expiry.len() {
            if self.rules.no_expiry[at].glob.matches(record.key) {
                self.no_expiry[at].footprint_bytes += footprint;
                if record.expire_at_ms.is_none() && !self.is_ignored(Rule::NoExpiry, record.key) {
                    let sums = &mut self.no_expiry[at];
                    sums.permanent_keys += 1;
                    sums.permanent_bytes += footprint;
                    sums.largest.observe(footprint, self.dump, record);
                }
            }
        }
        for at in 0..self.forbidden.len() {
            if self.rules.forbidden_keys[at].glob.matches(record.key)
                && !self.is_ignored(Rule::ForbiddenKeys, record.key)
            {
                let sums = &mut self.forbidden[at];
                sums.keys += 1;
                sums.footprint_bytes += footprint;
                sums.largest.observe(footprint, self.dump, record);
            }
        }
    }

    fn merge(&mut self, other: KeySums) {
        self.ignored.iter_mut().zip(other.ignored).for_each(|(sum, more)| *sum += more);
        for (sum, more) in self.big.iter_mut().zip(other.big) {
            sum.warnings += more.warnings;
            sum.errors += more.errors;
            sum.worst.merge(more.worst);
        }
        for (sum, more) in self.no_expiry.iter_mut().zip(other.no_expiry) {
            sum.footprint_bytes += more.footprint_bytes;
            sum.permanent_keys += more.permanent_keys;
            sum.permanent_bytes += more.permanent_bytes;
            sum.largest.merge(more.largest);
        }
        for (sum, more) in self.forbidden.iter_mut().zip(other.forbidden) {
            sum.keys += more.keys;
            sum.footprint_bytes += more.footprint_bytes;
            sum.largest.merge(more.largest);
        }
    }
}

/// The sums of a report, and those of the rules.
#[derive(Debug)]
pub struct Checked {
    /// Those of a report.
    pub aggregate: Aggregate,
    /// Those of the rules.
    pub keys: KeySums,
    /// What a server would refuse.
    pub integrity: Integrity,
}

impl Fold for Checked {
    #[inline]
    fn observe(&mut self, measured: &Measured<'_>, value: &StoredValue<'_>) {
        self.aggregate.observe(measured, value);
        self.keys.observe(measured, value);
        self.integrity.observe(measured, value);
    }

    fn merge(&mut self, other: Checked) {
        self.integrity.merge(other.integrity);
        self.aggregate.merge(other.aggregate);
        self.keys.merge(other.keys);
    }

    fn rest(&mut self) {
        self.aggregate.rest();
    }
}

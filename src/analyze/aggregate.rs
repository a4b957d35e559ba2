//! All sums that a report needs, gathered in one pass over the keys.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Fold;
use super::big::BIG_KEYS;
use super::compression::CompressionSample;
use super::contents::SlotContents;
use super::histogram::Histogram;
use super::hot::{COLD_SECONDS, Found, FoundNames, HOT_COUNTER, Watch, estimated_hits};
use super::pattern::{PatternKey, PatternRules, PatternTable};
use super::savings::Savings;
use super::stored;
use super::thresholds::{BigThresholds, Severity};
use super::top::{TopKey, TopKeys};
use crate::cluster::slot::SLOTS;
use crate::escape;
use crate::measure::{Has, Measured};
use crate::prefetch::prefetch;
use crate::rdb::{Fault, StoredValue};
use crate::record::{Encoding, ValueType};

/// What to gather, and by which measure.
#[derive(Clone, Debug, Default)]
pub struct AggregateOptions {
    /// Keys that each list of the largest has.
    pub top: usize,
    /// When a key is big.
    pub big: BigThresholds,
    /// The time that expiries are measured from, in milliseconds since 1970; absent if neither dump nor user tells.
    pub now_ms: Option<i64>,
    /// Place of the dump in the order of the command line, from 0.
    pub dump: usize,
    /// Number of other models that the keys are measured under.
    pub others: usize,
    /// Whether the names in each slot are summed up as well, to be compared with those of other dumps.
    pub compare_names: bool,
    /// Slots that the node of the dump is thought to own: keys elsewhere are remembered as examples.
    pub own_slots: Option<Arc<[bool]>>,
    /// How names become patterns.
    pub patterns: Arc<PatternRules>,
    /// Names whose keys are remembered.
    pub watch: Option<Arc<Watch>>,
}

/// Keys and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of keys.
    pub keys: u64,
    /// Sum of MEMORY USAGE.
    pub memory_bytes: u64,
    /// Sum of what the keys add to used_memory.
    pub footprint_bytes: u64,
    /// Sum of the keys' shares of the key tables, which are part of the footprints.
    pub key_tables_bytes: u64,
    /// Sum of the records' bytes in the dump.
    pub serialized_bytes: u64,
    /// Sum of elements.
    pub elements: u64,
}

impl Totals {
    #[inline(always)]
    fn add(&mut self, key: &Measured<'_>) {
        self.keys += 1;
        self.memory_bytes += key.memory_bytes;
        self.footprint_bytes += key.footprint_bytes;
        self.key_tables_bytes += key.key_tables_bytes;
        self.serialized_bytes += key.serialized_bytes;
        // A stream's length is a claim.
        self.elements = self.elements.wrapping_add(key.elements);
    }

    /// All but the elements, which are claims.
    fn figures(&self) -> [u64; 5] {
        [self.keys, self.memory_bytes, self.footprint_bytes, self.key_tables_bytes, self.serialized_bytes]
    }

    /// The sums without those of a part. What is stored may be forged, so the part may be more than the whole.
    fn less(&self, part: &Totals) -> Totals {
        Totals {
            keys: self.keys.saturating_sub(part.keys),
            memory_bytes: self.memory_bytes.saturating_sub(part.memory_bytes),
            footprint_bytes: self.footprint_bytes.saturating_sub(part.footprint_bytes),
            key_tables_bytes: self.key_tables_bytes.saturating_sub(part.key_tables_bytes),
            serialized_bytes: self.serialized_bytes.saturating_sub(part.serialized_bytes),
            elements: self.elements.wrapping_sub(part.elements),
        }
    }

    /// Takes over the sums of another.
    pub fn merge(&mut self, other: &Totals) {
        self.keys = self.keys.saturating_add(other.keys);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.footprint_bytes = self.footprint_bytes.saturating_add(other.footprint_bytes);
        self.key_tables_bytes = self.key_tables_bytes.saturating_add(other.key_tables_bytes);
        self.serialized_bytes = self.serialized_bytes.saturating_add(other.serialized_bytes);
        self.elements = self.elements.wrapping_add(other.elements);
    }
}

/// The keys of one type and encoding.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    /// Sums.
    pub totals: Totals,
    /// Footprints.
    pub footprints: Histogram,
    /// The largest footprint.
    pub largest_bytes: u64,
    /// The most elements.
    pub most_elements: u64,
    /// Fields of hashes that expire on their own.
    pub fields_with_expiry: u64,
    /// Big keys, and those of them that are critical.
    pub big: (u64, u64),
    /// Sums of (MEMORY USAGE, footprint) under each of the other models.
    pub others: Vec<(u64, u64)>,
}

impl Group {
    /// Takes over the sums of another.
    pub fn merge(&mut self, other: &Group) {
        self.totals.merge(&other.totals);
        self.footprints.merge(&other.footprints);
        self.largest_bytes = self.largest_bytes.max(other.largest_bytes);
        self.most_elements = self.most_elements.max(other.most_elements);
        self.fields_with_expiry = self.fields_with_expiry.saturating_add(other.fields_with_expiry);
        self.big.0 += other.big.0;
        self.big.1 += other.big.1;
        if self.others.len() < other.others.len() {
            self.others.resize(other.others.len(), (0, 0));
        }
        for (sum, more) in self.others.iter_mut().zip(&other.others) {
            sum.0 += more.0;
            sum.1 += more.1;
        }
    }
}

/// The keys of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotTotals {
    /// Number of keys.
    pub keys: u64,
    /// Sum of footprints.
    pub footprint_bytes: u64,
    /// Hits by the access counters.
    pub estimated_hits: u64,
    /// Sum of the names' hashes, if asked for: tells a replica's dump from one of other keys in the same slots.
    pub names: u64,
}

impl SlotTotals {
    #[inline(always)]
    fn merge(&mut self, other: &SlotTotals) {
        self.keys += other.keys;
        self.footprint_bytes += other.footprint_bytes;
        self.estimated_hits += other.estimated_hits;
        self.names = self.names.wrapping_add(other.names);
    }
}

/// Upper ends of the expiry buckets, in milliseconds from the time of the dump; what is later has a bucket of its own.
pub const EXPIRY_BUCKETS: [(i64, &str); 6] = [
    (0, "expired"),
    (3_600_000, "within an hour"),
    (86_400_000, "within a day"),
    (7 * 86_400_000, "within a week"),
    (30 * 86_400_000, "within 30 days"),
    (365 * 86_400_000, "within a year"),
];

/// Upper ends of the idle buckets, in seconds; what is idler has a bucket of its own.
pub const IDLE_BUCKETS: [(u64, &str); 6] = [
    (60, "under a minute"),
    (3600, "under an hour"),
    (86_400, "under a day"),
    (7 * 86_400, "under a week"),
    (30 * 86_400, "under 30 days"),
    (90 * 86_400, "under 90 days"),
];

/// No sum of a dump is above this; a hundred of them can be added up.
const MOST: u64 = 1 << 56;
/// Damaged values that are remembered; the rest is counted.
const DAMAGES: usize = 100;
/// Keys in foreign slots that are remembered; the rest is counted.
const MISPLACED: usize = 20;

/// A key whose value is broken, while the dump around it is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Damage {
    /// Offset of the fault in the RDB stream.
    pub at: u64,
    /// Name of the key.
    #[serde(with = "escape::name")]
    pub key: Box<[u8]>,
    /// What was wrong.
    pub what: String,
}

/// All sums over the keys of one dump, or of several.
#[derive(Debug, Serialize, Deserialize)]
pub struct Aggregate {
    #[serde(skip)]
    options: AggregateOptions,
    /// By type and encoding, see [`group_index`]; modules apart.
    #[serde(with = "stored::groups")]
    groups: Vec<Option<Box<Group>>>,
    modules: BTreeMap<ValueType, Group>,
    /// By slot.
    #[serde(with = "stored::slots")]
    pub slots: Box<[SlotTotals]>,
    /// The last key's slot and what it adds there: by the time it is added, the slot's sums have been fetched.
    #[serde(skip)]
    late: (u16, SlotTotals),
    /// What fills the slots.
    pub contents: SlotContents,
    /// What values would save in another form.
    pub savings: Savings,
    /// By database: sums and keys with an expiry. Those of the last key's database are not up to date: what came since
    /// the last change of databases is the difference to `settled`.
    databases: BTreeMap<u64, (Totals, u64)>,
    #[serde(skip)]
    recent_database: u64,
    #[serde(skip)]
    settled: (Totals, u64),
    /// Keys with an expiry, by [`EXPIRY_BUCKETS`], later ones, and those of dumps whose time is not known.
    expiring: [Totals; EXPIRY_BUCKETS.len() + 2],
    /// Keys and footprints by access counter; empty without LFU data.
    pub freq: Vec<(u64, u64)>,
    /// Keys and footprints by [`IDLE_BUCKETS`], the rest last; empty without LRU data.
    pub idle: Vec<(u64, u64)>,
    /// Largest by footprint, per type; modules together come last.
    pub biggest_of_type: Vec<TopKeys>,
    /// Most elements.
    pub longest: TopKeys,
    /// Highest access counter, then footprint.
    pub hottest: TopKeys,
    /// Big keys, the critical ones first, then by how far beyond a threshold; each with a sample of its value compressed.
    pub gravest: TopKeys,
    /// Hot keys that are big, most estimated hits times footprint first.
    pub hot_and_big: TopKeys,
    /// Largest by idle time times footprint.
    pub coldest: TopKeys,
    /// The names that are watched for, as far as they were found.
    #[serde(with = "stored::found")]
    pub found: FoundNames,
    /// Key patterns.
    pub patterns: PatternTable,
    /// Keys with module metadata, with a broken value, outside the node's slots.
    pub damaged_keys: u64,
    /// The first of the broken values.
    pub damages: Vec<Damage>,
    /// Examples of keys outside the slots that the node is thought to own.
    #[serde(with = "stored::misplaced")]
    pub misplaced: BTreeSet<(u16, Box<[u8]>)>,
}

impl Aggregate {
    /// Nothing gathered yet.
    pub fn new(options: AggregateOptions) -> Aggregate {
        Aggregate {
            groups: (0..MODULE_INDEX * ENCODINGS).map(|_| None).collect(),
            modules: BTreeMap::new(),
            slots: vec![SlotTotals::default(); usize::from(SLOTS)].into(),
            late: Default::default(),
            contents: SlotContents::default(),
            savings: Savings::default(),
            databases: BTreeMap::new(),
            recent_database: 0,
            settled: <(Totals, u64)>::default(),
            expiring: Default::default(),
            freq: Vec::new(),
            idle: Vec::new(),
            biggest_of_type: vec![TopKeys::new(options.top); MODULE_INDEX + 1],
            longest: TopKeys::new(options.top),
            hottest: TopKeys::new(options.top),
            gravest: TopKeys::new(BIG_KEYS),
            hot_and_big: TopKeys::new(options.top),
            coldest: TopKeys::new(options.top),
            found: FoundNames::new(),
            patterns: PatternTable::new(Arc::clone(&options.patterns)),
            damaged_keys: 0,
            damages: Vec::new(),
            misplaced: BTreeSet::new(),
            options,
        }
    }

    /// The groups by type and encoding, in the order of both.
    pub fn groups(&self) -> impl Iterator<Item = (ValueType, Option<Encoding>, &Group)> {
        let plain = self.groups.iter().enumerate().filter_map(|(index, group)| {
            let value_type = ValueType::PLAIN[index / ENCODINGS];
            Some((value_type, Encoding::from_index(index % ENCODINGS), &**group.as_ref()?))
        });
        plain.chain(self.modules.iter().map(|(value_type, group)| (*value_type, Some(Encoding::Raw), group)))
    }

    /// The sums over all keys.
    pub fn totals(&self) -> Totals {
        self.groups().fold(Totals::default(), |mut sum, (_, _, group)| {
            sum.merge(&group.totals);
            sum
        })
    }

    /// Makes what was stored whole again, as that of the dump at this place of the command line.
    ///
    /// # Errors
    /// If it is not what is stored, but forged or damaged.
    pub fn restore(&mut self, dump: usize, patterns: &Arc<PatternRules>) -> Result<(), String> {
        self.options.dump = dump;
        self.patterns.set_rules(Arc::clone(patterns))?;
        self.settled = (self.totals(), self.volatile().keys);
        if !matches!(self.freq.len(), 0 | 256) {
            return Err(format!("{} access counters instead of 256", self.freq.len()));
        }
        if self.biggest_of_type.len() != MODULE_INDEX + 1 {
            return Err(format!("{} types instead of {}", self.biggest_of_type.len(), MODULE_INDEX + 1));
        }
        for list in self.lists() {
            list.for_each(&mut |key| key.dump = dump);
        }
        self.found.values_mut().for_each(|found| found.key.dump = dump);
        match self.figures().find(|figure| *figure > MOST) {
            Some(figure) => Err(format!("{figure} is beyond what a server can have")),
            None => Ok(()),
        }
    }

    /// The figures that are added up with those of other dumps.
    fn figures(&self) -> impl Iterator<Item = u64> {
        let modules = self.modules.values();
        let groups = self.groups.iter().flatten().map(|group| &**group).chain(modules);
        let of_groups = groups.clone().flat_map(|group| {
            let others = group.others.iter().flat_map(|(usage, footprint)| [*usage, *footprint]);
            others.chain([group.big.0, group.big.1, group.fields_with_expiry, group.footprints.total()])
        });
        let totals = groups.map(|group| &group.totals).chain(&self.expiring);
        let totals = totals.chain(self.databases.values().map(|(totals, _)| totals)).flat_map(Totals::figures);
        let slots = self.slots.iter().flat_map(|slot| [slot.keys, slot.footprint_bytes, slot.estimated_hits]);
        let heat = self.freq.iter().chain(&self.idle).flat_map(|(keys, bytes)| [*keys, *bytes]);
        let lists = [&self.longest, &self.hottest, &self.gravest, &self.hot_and_big, &self.coldest]
            .into_iter()
            .chain(&self.biggest_of_type);
        let keys = lists.flat_map(TopKeys::figures);
        let rest = [self.damaged_keys]
            .into_iter()
            .chain(self.found.values().map(|found| found.keys))
            .chain(self.databases.values().map(|(_, expires)| *expires));
        of_groups
            .chain(totals)
            .chain(slots)
            .chain(heat)
            .chain(keys)
            .chain(rest)
            .chain(self.patterns.figures())
            .chain(self.contents.figures())
            .chain(self.savings.figures())
    }

    /// The lists of the largest keys.
    fn lists(&mut self) -> impl Iterator<Item = &mut TopKeys> {
        [&mut self.longest, &mut self.hottest, &mut self.gravest, &mut self.hot_and_big, &mut self.coldest]
            .into_iter()
            .chain(&mut self.biggest_of_type)
    }

    /// Lets `visit` change every name of a key that is here, apart from the patterns.
    pub fn for_each_name(&mut self, visit: &mut dyn FnMut(&mut Box<[u8]>)) {
        for list in self.lists() {
            list.for_each(&mut |key| visit(&mut key.key));
        }
        self.contents.for_each_name(visit);
        self.damages.iter_mut().for_each(|damage| visit(&mut damage.key));
        for mut found in std::mem::take(&mut self.found).into_values() {
            visit(&mut found.key.key);
            self.found.insert(found.key.key.clone(), found);
        }
        for (slot, mut name) in std::mem::take(&mut self.misplaced) {
            visit(&mut name);
            self.misplaced.insert((slot, name));
        }
    }

    /// The largest keys by footprint: each is among the largest of its type.
    pub fn biggest(&self) -> TopKeys {
        let mut lists = self.biggest_of_type.iter().cloned();
        let mut all = lists.next().unwrap_or_else(|| TopKeys::new(0));
        lists.for_each(|keys| all.merge(keys));
        all
    }

    /// The sums over the keys with an expiry.
    pub fn volatile(&self) -> Totals {
        self.expiring.iter().fold(Totals::default(), |mut sum, totals| {
            sum.merge(totals);
            sum
        })
    }

    /// The sums over the keys without an expiry.
    pub fn persistent(&self) -> Totals {
        self.totals().less(&self.volatile())
    }

    /// The sums over the keys with an expiry by [`EXPIRY_BUCKETS`], the rest last; none if no dump's time is known.
    pub fn expiring(&self) -> &[Totals] {
        let known = &self.expiring[..EXPIRY_BUCKETS.len() + 1];
        if known.iter().all(|totals| totals.keys == 0) { &[] } else { known }
    }

    /// Brings the sums of the last key's database up to date; the next key is of `db`.
    #[cold]
    fn settle_database(&mut self, db: u64) {
        let (totals, expires) = (self.totals(), self.volatile().keys);
        if totals.keys > self.settled.0.keys {
            let (sum, sum_expires) = self.databases.entry(self.recent_database).or_default();
            sum.merge(&totals.less(&self.settled.0));
            *sum_expires += expires - self.settled.1;
        }
        self.settled = (totals, expires);
        self.recent_database = db;
    }

    /// The databases: sums and keys with an expiry of each.
    pub fn take_databases(&mut self) -> BTreeMap<u64, (Totals, u64)> {
        self.settle_database(0);
        std::mem::take(&mut self.databases)
    }

    #[inline(always)]
    fn group(&mut self, key: &Measured<'_>) -> &mut Group {
        match self.groups.get_mut(group_index(key.type_index, key.encoding)) {
            Some(group) => group.get_or_insert_default(),
            None => self.modules.entry(key.value_type()).or_default(),
        }
    }

    #[inline(always)]
    fn observe_group(&mut self, key: &Measured<'_>) {
        let others = self.options.others;
        let group = self.group(key);
        group.totals.add(key);
        group.footprints.add(key.footprint_bytes);
        group.largest_bytes = group.largest_bytes.max(key.footprint_bytes);
        group.most_elements = group.most_elements.max(key.elements);
        group.fields_with_expiry += key.fields_with_expiry;
        if others > 0 {
            group.others.resize(others, (0, 0));
            for (sum, measure) in group.others.iter_mut().zip(key.others) {
                sum.0 += measure.usage_bytes;
                sum.1 += measure.real_bytes;
            }
        }
    }

    #[inline(always)]
    fn observe_slot(&mut self, key: &Measured<'_>) {
        self.settle_slot();
        prefetch(&raw const self.slots[usize::from(key.slot)]);
        let names = if self.options.compare_names { name_hash(key.key) } else { 0 };
        let sums = SlotTotals { keys: 1, footprint_bytes: key.footprint_bytes, estimated_hits: 0, names };
        self.late = (key.slot, sums);
    }

    /// Brings the sums of the last key's slot up to date.
    #[inline(always)]
    fn settle_slot(&mut self) {
        let (slot, sums) = &mut self.late;
        self.slots[usize::from(*slot)].merge(sums);
        *sums = SlotTotals::default();
    }

    /// Whether the key is expired, where that can be told.
    #[inline(always)]
    fn observe_expiry(&mut self, key: &Measured<'_>) -> bool {
        if !key.has.knows(Has::EXPIRY) {
            return false;
        }
        let bucket = match self.options.now_ms {
            Some(now_ms) => {
                let left = key.expire_at_ms.saturating_sub(now_ms);
                // As many as have ended by then: a search would have to guess its way.
                EXPIRY_BUCKETS.iter().map(|(until, _)| usize::from(left > *until)).sum()
            }
            None => EXPIRY_BUCKETS.len() + 1,
        };
        self.expiring[bucket].add(key);
        bucket == 0
    }

    /// How hot or idle the key is, where the dump has it.
    #[inline(always)]
    fn observe_heat(&mut self, key: &Measured<'_>) {
        if key.has.knows(Has::FREQ) {
            self.observe_freq(key);
        }
        if key.has.knows(Has::IDLE) {
            self.observe_idle(key);
        }
    }

    #[inline(never)]
    fn observe_freq(&mut self, key: &Measured<'_>) {
        let (freq, footprint) = (key.freq, key.footprint_bytes);
        if self.freq.is_empty() {
            self.freq.resize(256, (0, 0));
        }
        let (keys, bytes) = &mut self.freq[usize::from(freq)];
        *keys += 1;
        *bytes += footprint;
        let dump = self.options.dump;
        let measure = u64::from(freq) << 48 | footprint.min((1 << 48) - 1);
        self.hottest.observe_with(measure, dump, (key.db, key.key), || top_key(dump, key, None));
        self.slots[usize::from(key.slot)].estimated_hits += estimated_hits(freq);
        if freq >= HOT_COUNTER && self.is_big(key) {
            let measure = estimated_hits(freq).saturating_mul(footprint);
            self.hot_and_big.observe_with(measure, dump, (key.db, key.key), || top_key(dump, key, None));
        }
    }

    #[inline(never)]
    fn observe_idle(&mut self, key: &Measured<'_>) {
        let (seconds, footprint) = (key.idle_seconds, key.footprint_bytes);
        if self.idle.is_empty() {
            self.idle.resize(IDLE_BUCKETS.len() + 1, (0, 0));
        }
        let bucket = IDLE_BUCKETS.iter().position(|(until, _)| seconds < *until).unwrap_or(IDLE_BUCKETS.len());
        self.idle[bucket].0 += 1;
        self.idle[bucket].1 += footprint;
        if seconds >= COLD_SECONDS {
            let dump = self.options.dump;
            let measure = footprint.saturating_mul(seconds);
            self.coldest.observe_with(measure, dump, (key.db, key.key), || top_key(dump, key, None));
        }
    }

    #[inline(always)]
    fn is_big(&self, key: &Measured<'_>) -> bool {
        let memory = key.footprint_bytes.max(key.memory_bytes);
        self.options.big.is_big(key.type_index, memory, key.elements, key.largest_element_bytes)
    }

    #[cold]
    fn observe_big(&mut self, key: &Measured<'_>, value: &StoredValue<'_>) {
        // What was passed over has no element that makes it big.
        let crossed = self.options.big.crossed(&key.record());
        let critical = crossed.iter().any(|crossed| crossed.severity == Severity::Critical);
        let percent = crossed.iter().map(|crossed| crossed.percent_of_warning).max().unwrap_or(0);
        let group = self.group(key);
        group.big.0 += 1;
        group.big.1 += u64::from(critical);
        let measure = u64::from(critical) << 63 | percent.min(u64::MAX >> 2);
        let dump = self.options.dump;
        let kept = || top_key(dump, key, CompressionSample::of(value));
        self.gravest.observe_with(measure, dump, (key.db, key.key), kept);
    }

    #[cold]
    fn observe_misplaced(&mut self, slot: u16, name: &[u8]) {
        if self.misplaced.len() >= MISPLACED
            && self.misplaced.last().is_some_and(|(last, key)| (*last, &**key) <= (slot, name))
        {
            return;
        }
        self.misplaced.insert((slot, name.into()));
        if self.misplaced.len() > MISPLACED {
            self.misplaced.pop_last();
        }
    }

    #[cold]
    fn observe_watched(&mut self, key: &Measured<'_>) {
        let found = Found { key: top_key(self.options.dump, key, None), keys: 1 };
        add_found(&mut self.found, key.key.into(), found);
    }

    #[cold]
    fn observe_damage(&mut self, key: &[u8], fault: &Fault) {
        self.damaged_keys += 1;
        self.damages.push(Damage { at: fault.at, key: key.into(), what: fault.kind.to_string() });
        if self.damages.len() >= 2 * DAMAGES {
            self.cut_damages();
        }
    }

    fn cut_damages(&mut self) {
        self.damages.sort();
        self.damages.truncate(DAMAGES);
    }
}

fn top_key(dump: usize, key: &Measured<'_>, compression: Option<CompressionSample>) -> TopKey {
    let open_at = key.has.knows(Has::OPEN_LARGEST).then_some(key.record_at);
    TopKey { open_at, ..TopKey::new(dump, &key.record(), compression) }
}

fn add_found(names: &mut FoundNames, name: Box<[u8]>, found: Found) {
    match names.entry(name) {
        Entry::Vacant(place) => {
            place.insert(found);
        }
        Entry::Occupied(mut known) => known.get_mut().merge(found),
    }
}

/// Where modules stand among the types.
pub(super) const MODULE_INDEX: usize = ValueType::PLAIN.len();
/// Number of encodings, and one more for keys that have none because their value is broken.
pub(super) const ENCODINGS: usize = Encoding::ALL.len() + 1;

/// The place of a plain type's group by [`ValueType::index`]; beyond the end for modules.
#[inline(always)]
pub(super) fn group_index(type_index: usize, encoding: Option<Encoding>) -> usize {
    type_index * ENCODINGS + encoding.map_or(ENCODINGS - 1, |encoding| encoding as usize)
}

/// A hash of a key's name, the same on every machine: eight bytes at a time, multiplied and folded.
#[inline]
pub fn name_hash(key: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(MULTIPLIER);
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = mix(key.len() as u64, MULTIPLIER);
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// The bit that stands for a type in a pattern's set of types.
pub fn type_bit(type_index: usize) -> u16 {
    1 << type_index
}

impl Fold for Aggregate {
    // By itself, so that its registers are its own: what leads here needs all of them, too.
    #[inline(never)]
    fn observe(&mut self, key: &Measured<'_>, value: &StoredValue<'_>) {
        self.contents.prefetch(key.slot, key.footprint_bytes);
        if let Some(fault) = key.fault {
            self.observe_damage(key.key, fault);
        }
        if self.recent_database != key.db {
            self.settle_database(key.db);
        }
        self.observe_group(key);
        if self.is_big(key) {
            self.observe_big(key, value);
        }
        self.observe_slot(key);
        if let Some(saving) = &key.saving {
            self.savings.observe(saving, key.footprint_bytes);
        }
        if let Some(own) = &self.options.own_slots
            && !own[usize::from(key.slot)]
        {
            self.observe_misplaced(key.slot, key.key);
        }
        if let Some(watch) = &self.options.watch
            && watch.has(key.slot, key.key)
        {
            self.observe_watched(key);
        }
        let expired = self.observe_expiry(key);
        self.observe_heat(key);
        let dump = self.options.dump;
        let name = (key.db, key.key);
        self.biggest_of_type[key.type_index].observe_with(key.footprint_bytes, dump, name, || top_key(dump, key, None));
        if key.type_index != ValueType::String.index() {
            self.longest.observe_with(key.elements, dump, name, || top_key(dump, key, None));
        }
        self.patterns.observe(
            key.key,
            &PatternKey {
                memory_bytes: key.footprint_bytes,
                serialized_bytes: key.serialized_bytes,
                elements: key.elements,
                type_bit: type_bit(key.type_index),
                persistent: !key.has.knows(Has::EXPIRY),
                expired,
            },
        );
        // Asked for above; it is there by now.
        self.contents.observe(key.slot, key.key, key.tag, key.footprint_bytes);
    }

    fn open_records(&mut self) -> BTreeSet<u64> {
        let found = self.found.values().filter_map(|found| found.key.open_at).collect::<Vec<u64>>();
        self.lists().flat_map(|list| list.open_records()).chain(found).collect()
    }

    fn close_records(&mut self, largest: &BTreeMap<u64, Option<u64>>) {
        let mut close = |key: &mut TopKey| {
            if let Some(largest) = key.open_at.take().and_then(|at| largest.get(&at)) {
                key.largest_element_bytes = *largest;
            }
        };
        self.found.values_mut().for_each(|found| close(&mut found.key));
        self.lists().for_each(|list| list.for_each(&mut close));
    }

    fn rest(&mut self) {
        self.settle_database(0);
        self.settle_slot();
        self.cut_damages();
        self.patterns.rest();
        let slots = &self.slots;
        self.contents.rest(|slot| slots[usize::from(slot)].footprint_bytes);
    }

    fn merge(&mut self, mut other: Aggregate) {
        self.settle_database(0);
        other.settle_slot();
        for (db, (totals, expires)) in other.take_databases() {
            let (sum, sum_expires) = self.databases.entry(db).or_default();
            sum.merge(&totals);
            *sum_expires += expires;
        }
        for (sum, group) in self.groups.iter_mut().zip(&other.groups) {
            if let Some(group) = group {
                sum.get_or_insert_default().merge(group);
            }
        }
        for (value_type, group) in &other.modules {
            self.modules.entry(*value_type).or_default().merge(group);
        }
        for (sum, slot) in self.slots.iter_mut().zip(&other.slots) {
            sum.merge(slot);
        }
        self.contents.merge(other.contents);
        self.savings.merge(&other.savings);
        for (sum, totals) in self.expiring.iter_mut().zip(&other.expiring) {
            sum.merge(totals);
        }
        self.settled = (self.totals(), self.volatile().keys);
        for (sums, others) in [(&mut self.freq, &other.freq), (&mut self.idle, &other.idle)] {
            sums.resize(sums.len().max(others.len()), (0, 0));
            for (sum, more) in sums.iter_mut().zip(others) {
                sum.0 += more.0;
                sum.1 += more.1;
            }
        }
        self.longest.merge(other.longest);
        self.hottest.merge(other.hottest);
        self.gravest.merge(other.gravest);
        self.hot_and_big.merge(other.hot_and_big);
        self.coldest.merge(other.coldest);
        other.found.into_iter().for_each(|(name, found)| add_found(&mut self.found, name, found));
        for (sum, keys) in self.biggest_of_type.iter_mut().zip(other.biggest_of_type) {
            sum.merge(keys);
        }
        self.patterns.merge(other.patterns);
        self.damaged_keys += other.damaged_keys;
        self.damages.extend(other.damages);
        self.cut_damages();
        self.misplaced.extend(other.misplaced);
        while self.misplaced.len() > MISPLACED {
            self.misplaced.pop_last();
        }
    }
}

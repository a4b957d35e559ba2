//! What was accessed, by logs that were captured beside the dumps: MONITOR, SLOWLOG, or counts that someone took.
//!
//! Logs are read line by line. Memory is bounded: sums by slot are exact, names are counted as far as [`NAMES`] go.

pub mod commands;
mod hits;
pub mod lines;
mod monitor;
mod slowlog;
mod source;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use self::commands::{Command, Touch};
pub use self::source::{LogKind, Source};
use crate::cluster::slot::{SLOTS, slot_of};
use crate::error::{Error, shown_path};
use crate::input::Unpacked;
use crate::input::unpack::{MAGIC_BYTES, is_compressed};

/// Most names that are counted at a time, and bytes of them. When there are more, the rarest are forgotten.
pub const NAMES: usize = 900_000;
const NAME_BYTES: usize = 64 << 20;
/// Most names of commands that are not understood.
const UNKNOWN: usize = 1000;

/// The logs of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFiles {
    /// Captured with MONITOR.
    pub monitor: Vec<PathBuf>,
    /// Saved answers to SLOWLOG GET.
    pub slowlog: Vec<PathBuf>,
    /// Counts of keys.
    pub hits: Vec<PathBuf>,
}

/// Accesses to keys by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ops {
    /// Reads.
    pub reads: u64,
    /// Changes, but those below.
    pub writes: u64,
    /// Numbers in it that were added to.
    pub increments: u64,
}

impl Ops {
    fn add(&mut self, touch: Touch) {
        match touch {
            Touch::Read => self.reads += 1,
            Touch::Write => self.writes += 1,
            Touch::Increment => self.increments += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.reads + self.writes + self.increments
    }

    fn merge(&mut self, other: &Ops) {
        self.reads += other.reads;
        self.writes += other.writes;
        self.increments += other.increments;
    }
}

/// What is known of the accesses to a key or a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Seen by MONITOR.
    pub seen: Ops,
    /// Given as a count.
    pub counted: u64,
    /// In the slow log.
    pub slow: Ops,
    /// Time of the commands in the slow log, in microseconds.
    pub slow_us: u64,
}

impl Hits {
    /// Hits that were seen or counted; those of the slow log are among them already, if it is of the same time.
    pub fn hits(&self) -> u64 {
        self.seen.total().saturating_add(self.counted)
    }

    fn weight(&self) -> u64 {
        self.hits().saturating_add(self.slow.total())
    }

    /// Takes over those of another.
    pub fn merge(&mut self, other: &Hits) {
        self.seen.merge(&other.seen);
        self.counted = self.counted.saturating_add(other.counted);
        self.slow.merge(&other.slow);
        self.slow_us = self.slow_us.saturating_add(other.slow_us);
    }
}

/// Names that were forgotten because there were too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Names, each as often as it was forgotten.
    pub names: u64,
    /// Accesses that went with them.
    pub hits: u64,
    /// What a count may be short by, at most: of a name that was forgotten and came again.
    pub short_by: u64,
}

/// Calls of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many.
    pub calls: u64,
    /// Time of those in the slow log, in microseconds.
    pub slow_us: u64,
}

/// All logs of a run, summed up.
#[derive(Debug)]
pub struct AccessLog {
    /// In the order that they were read in.
    pub sources: Vec<Source>,
    /// What was forgotten.
    pub forgotten: Forgotten,
    names: HashMap<Box<[u8]>, Hits>,
    name_bytes: usize,
    most_names: usize,
    slots: Box<[Hits]>,
    commands: BTreeMap<&'static str, Calls>,
    unknown: BTreeMap<Box<[u8]>, u64>,
}

impl AccessLog {
    /// Reads the logs; none if none is given.
    ///
    /// # Errors
    /// If one cannot be read, or is no such log.
    pub fn read(files: &LogFiles) -> Result<Option<AccessLog>, Error> {
        let all =
            [(LogKind::Monitor, &files.monitor), (LogKind::Slowlog, &files.slowlog), (LogKind::Hits, &files.hits)];
        let mut log = AccessLog::new(NAMES);
        for (kind, path) in all.into_iter().flat_map(|(kind, paths)| paths.iter().map(move |path| (kind, path))) {
            let mut source = Source::new(kind, path);
            let read =
                open(path).map(|reader| BufReader::with_capacity(1 << 18, reader)).and_then(|reader| match kind {
                    LogKind::Monitor => monitor::read(reader, &mut source, &mut log),
                    LogKind::Slowlog => slowlog::read(reader, &mut source, &mut log),
                    LogKind::Hits => hits::read(reader, &mut source, &mut log),
                });
            read.map_err(|error| Error::unreadable(path, error))?;
            if !source.is_understood {
                let line = source.first_malformed_line.unwrap_or(1);
                return Err(Error::usage(format!("{}: line {line}: {}", shown_path(path), kind.expected())));
            }
            log.sources.push(source);
        }
        Ok((!log.sources.is_empty()).then_some(log))
    }

    fn new(most_names: usize) -> AccessLog {
        AccessLog {
            sources: Vec::new(),
            forgotten: Forgotten::default(),
            names: HashMap::new(),
            name_bytes: 0,
            most_names,
            slots: vec![Hits::default(); usize::from(SLOTS)].into(),
            commands: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// A command of this name was called. None if it is not known.
    fn command(&mut self, source: &mut Source, name: &[u8], slow_us: u64) -> Option<Command> {
        source.commands += 1;
        let command = Command::named(name);
        match command {
            Some(command) => {
                let calls = self.commands.entry(command.name).or_default();
                calls.calls += 1;
                calls.slow_us = calls.slow_us.saturating_add(slow_us);
            }
            None => {
                source.not_understood += 1;
                let name = name[..name.len().min(64)].to_ascii_uppercase();
                if self.unknown.len() < UNKNOWN || self.unknown.contains_key(&*name) {
                    *self.unknown.entry(name.into()).or_default() += 1;
                }
            }
        }
        command
    }

    fn hit(&mut self, source: &mut Source, key: &[u8], touch: Touch) {
        self.add(source, key, |hits, _| hits.seen.add(touch));
    }

    fn counted(&mut self, source: &mut Source, key: &[u8], count: u64) {
        self.add(source, key, |hits, _| hits.counted = hits.counted.saturating_add(count));
    }

    /// `is_first`: whether this is the first key of its command, whose slot has the time.
    fn slow_hit(&mut self, source: &mut Source, key: &[u8], touch: Touch, us: u64, is_first: bool) {
        self.add(source, key, |hits, is_slot| {
            hits.slow.add(touch);
            if is_first || !is_slot {
                hits.slow_us = hits.slow_us.saturating_add(us);
            }
        });
    }

    /// Adds to the sums of a name and to those of its slot.
    fn add(&mut self, source: &mut Source, key: &[u8], add: impl Fn(&mut Hits, bool)) {
        let slot = usize::from(slot_of(key));
        source.slots[slot] = true;
        add(&mut self.slots[slot], true);
        if let Some(hits) = self.names.get_mut(key) {
            return add(hits, false);
        }
        if self.names.len() >= self.most_names || self.name_bytes + key.len() > NAME_BYTES {
            self.forget();
        }
        let mut hits = Hits::default();
        add(&mut hits, false);
        self.name_bytes += key.len();
        self.names.insert(key.into(), hits);
    }

    /// Forgets the rarer half of the names, by the count that parts them, so that the order of none matters.
    #[cold]
    fn forget(&mut self) {
        let mut short_by = 0;
        while self.names.len() > self.most_names / 2 || self.name_bytes > NAME_BYTES / 2 {
            let mut weights: Vec<u64> = self.names.values().map(Hits::weight).collect();
            let middle = weights.len() / 2;
            let (_, bound, _) = weights.select_nth_unstable(middle);
            short_by = *bound;
            let (forgotten, name_bytes) = (&mut self.forgotten, &mut self.name_bytes);
            self.names.retain(|name, hits| {
                let keep = hits.weight() > short_by;
                if !keep {
                    forgotten.names += 1;
                    forgotten.hits = forgotten.hits.saturating_add(hits.weight());
                    *name_bytes -= name.len();
                }
                keep
            });
        }
        // The places of those that are gone would make the table grow beyond what it needs.
        self.names.shrink_to_fit();
        self.forgotten.short_by = self.forgotten.short_by.saturating_add(short_by);
    }

    /// The sums by slot.
    pub fn slots(&self) -> &[Hits] {
        &self.slots
    }

    /// The sums over all slots.
    pub fn total(&self) -> Hits {
        self.slots.iter().fold(Hits::default(), |mut sum, hits| {
            sum.merge(hits);
            sum
        })
    }

    /// What is known of a name.
    pub fn of(&self, name: &[u8]) -> Hits {
        self.names.get(name).copied().unwrap_or_default()
    }

    /// Names that are known.
    pub fn names(&self) -> u64 {
        self.names.len() as u64
    }

    /// Whether any log gives hits: of those of the slow log alone, only its own are known.
    pub fn has_hits(&self) -> bool {
        self.sources.iter().any(|source| source.kind != LogKind::Slowlog)
    }

    /// Whether a slow log was given.
    pub fn has_slowlog(&self) -> bool {
        self.sources.iter().any(|source| source.kind == LogKind::Slowlog)
    }

    /// The first `limit` names by some measure, then by name; names without any of it are left out.
    pub fn top(&self, limit: usize, measure: impl Fn(&Hits) -> u64) -> Vec<(&[u8], Hits)> {
        let rank = |(name, hits): &(&[u8], Hits)| (std::cmp::Reverse(measure(hits)), name.to_vec());
        let mut weights: Vec<u64> = self.names.values().map(&measure).filter(|measure| *measure > 0).collect();
        let bound = match weights.len().checked_sub(limit + 1) {
            // The rest may be of the same measure as the last one.
            Some(place) => *weights.select_nth_unstable(place).1,
            None => 0,
        };
        let mut top: Vec<(&[u8], Hits)> = Vec::new();
        let mut of_bound: Vec<&[u8]> = Vec::new();
        for (name, hits) in &self.names {
            match measure(hits) {
                0 => {}
                weight if weight > bound => top.push((name, *hits)),
                weight if weight == bound => of_bound.push(name),
                _ => {}
            }
        }
        let room = limit.saturating_sub(top.len()).min(of_bound.len());
        if room < of_bound.len() && room > 0 {
            of_bound.select_nth_unstable(room);
        }
        top.extend(of_bound[..room].iter().map(|name| (*name, self.of(name))));
        top.sort_by_cached_key(rank);
        top
    }

    /// The commands that were called.
    pub fn commands(&self) -> impl Iterator<Item = (&'static str, Calls)> {
        self.commands.iter().map(|(name, calls)| (*name, *calls))
    }

    /// The names of commands that are not known, as far as they were kept.
    pub fn not_understood(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.unknown.iter().map(|(name, calls)| (&**name, *calls))
    }

    /// For how long the accesses to these slots were watched by MONITOR, in microseconds: where several logs have some of
    /// them, times that overlap count once. None if no log did, or none for long enough to tell.
    pub fn watched_us(&self, is_slot: impl Fn(u16) -> bool) -> Option<u64> {
        let mut spans: Vec<(u64, u64)> = self
            .sources
            .iter()
            .filter(|source| source.kind == LogKind::Monitor)
            .filter(|source| (0..SLOTS).any(|slot| source.slots[usize::from(slot)] && is_slot(slot)))
            .filter_map(|source| source.span_us)
            .collect();
        spans.sort_unstable();
        let (mut sum, mut until) = (0, 0);
        for (first, last) in spans {
            sum += last.saturating_sub(first.max(until));
            until = until.max(last);
        }
        (sum > 0).then_some(sum)
    }
}

/// Opens a log, which may be compressed or a pipe.
fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    let mut first = Vec::new();
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut first)?;
    let compressed = is_compressed(&first);
    let all = Cursor::new(first).chain(file);
    Ok(if compressed { Box::new(Unpacked::new(all)?) } else { Box::new(all) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came of a log.
    pub(super) struct Given {
        pub(super) source: Source,
        pub(super) log: AccessLog,
    }

    pub(super) fn given(read: impl FnOnce(&mut Source, &mut AccessLog) -> io::Result<()>) -> Given {
        let mut given = Given { source: Source::new(LogKind::Monitor, Path::new("log")), log: AccessLog::new(NAMES) };
        read(&mut given.source, &mut given.log).unwrap();
        given
    }

    pub(super) fn ops(reads: u64, writes: u64, increments: u64) -> Ops {
        Ops { reads, writes, increments }
    }

    #[test]
    fn the_rarest_names_are_forgotten() {
        let mut log = AccessLog::new(100);
        let mut source = Source::new(LogKind::Hits, Path::new("log"));
        for n in 0..1000u64 {
            log.counted(&mut source, format!("rare:{n}").as_bytes(), 1);
            log.counted(&mut source, format!("hot:{}", n % 7).as_bytes(), 5);
        }
        assert_eq!(log.total().counted, 6000);
        let top: Vec<(String, u64)> = log
            .top(8, Hits::hits)
            .into_iter()
            .map(|(name, hits)| (String::from_utf8(name.to_vec()).unwrap(), hits.counted))
            .collect();
        assert_eq!(top[..2], [("hot:0".to_owned(), 715), ("hot:1".to_owned(), 715)]);
        assert_eq!(top[6], ("hot:6".to_owned(), 710));
        assert_eq!(top[7].1, 1);
        assert!(log.names() <= 100 && log.forgotten.names > 800 && log.forgotten.names == log.forgotten.hits);
        let kept: u64 = log.names.values().map(Hits::weight).sum();
        assert_eq!(kept + log.forgotten.hits, 6000);
        // Where all are alike, all go: which of them came first does not decide.
        let mut log = AccessLog::new(100);
        (0..101u32).for_each(|n| log.counted(&mut source, &n.to_be_bytes(), 1));
        assert_eq!((log.names(), log.forgotten), (1, Forgotten { names: 100, hits: 100, short_by: 1 }));
    }

    #[test]
    fn ties_go_by_name() {
        let mut log = AccessLog::new(NAMES);
        let mut source = Source::new(LogKind::Hits, Path::new("log"));
        (0..50u8).rev().for_each(|n| log.counted(&mut source, &[b'a' + n % 26, n], u64::from(n % 3)));
        let top: Vec<u8> = log.top(10, Hits::hits).into_iter().map(|(name, _)| name[1]).collect();
        let mut want: Vec<u8> = (0..50).filter(|n| n % 3 == 2).collect();
        want.sort_by_key(|n| [b'a' + n % 26, *n]);
        assert_eq!(top, want[..10]);
        assert_eq!(log.top(100, Hits::hits).len(), 33);
        assert_eq!(log.top(0, Hits::hits).len(), 0);
    }

    #[test]
    fn times_that_overlap_count_once() {
        let mut log = AccessLog::new(NAMES);
        for (span, slot) in [((10, 40), 1), ((20, 60), 1), ((100, 110), 1), ((0, 1000), 2)] {
            let mut source = Source::new(LogKind::Monitor, Path::new("log"));
            source.span_us = Some(span);
            source.slots[slot] = true;
            log.sources.push(source);
        }
        assert_eq!(log.watched_us(|slot| slot == 1), Some(60));
        assert_eq!(log.watched_us(|_| true), Some(1000));
        assert_eq!(log.watched_us(|slot| slot == 3), None);
    }
}

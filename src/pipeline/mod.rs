//! From dumps to sums and rows, on all cores: the only file that knows threads.
//!
//! A dump is a sequence of records without an index, but where a record ends is found much faster than it is decoded.
//! So one thread, the driver, walks ahead over the boundaries and hands out *spans* of whole records to idle workers;
//! when none is idle it decodes a span itself, in one go. With one thread there are only such spans, and nothing is
//! read twice but the values that the lists end up with, where elements had been passed over. Each worker sums up for
//! itself, checksums its span and encodes its rows; spans are numbered, so that rows come out in the order of the file
//! and the checksums are combined in it.

mod check;
mod facts;
mod look;
mod mapped;
mod ordered;
mod stream;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use check::{CheckedDump, check_dump, check_stream, repeated_keys};
pub use facts::{ChecksumState, FileFacts};
pub use look::DumpLook;
pub use mapped::look_at;

use facts::MAX_FACT_BYTES;
use ordered::{Ordered, Piece};
use stream::Behind;

use crate::analyze::Fold;
use crate::cluster::slot_of;
use crate::error::{DumpError, Error};
use crate::input::{DumpInput, Opened};
use crate::measure::{Measured, Measurer};
use crate::memory::{Model, Place};
use crate::rdb::crc64::checksum;
use crate::rdb::{Fault, Item, KeyHead, RdbStr, Reader, StoredValue, TypeByte};
use crate::record::KeyRecord;
use crate::value::Depth;

/// Bytes of records that a worker gets at a time.
const SPAN_BYTES: usize = 256 << 10;
/// Finished spans that may wait for one before them.
const MAX_WAITING: usize = 32;

/// Encodes a row for a key, if it is to have one.
pub trait RowFormat: Sync {
    /// Appends the row for a key of `dump` to `out`.
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut Vec<u8>);

    /// Whether rows are about the bytes of values, so that these have to be read once more.
    fn wants_print(&self) -> bool {
        false
    }
}

/// The dump that a row is of.
#[derive(Clone, Copy, Debug)]
pub struct RowDump<'d> {
    /// Name of its node.
    pub node: &'d str,
    /// The time that its expiries are measured from, in milliseconds since 1970.
    pub now_ms: Option<i64>,
    /// What the key's value looks like from outside, if that is wanted.
    pub print: Option<ValuePrint>,
}

/// What the bytes of a value in a dump look like from outside: values with the same print are the same, if dumps of the
/// same version hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValuePrint {
    /// How it is stored: its type byte, and whether it begins with a compressed string.
    pub stored_as: (u8, bool),
    /// How long it is.
    pub bytes: u64,
    /// CRC-64 of its bytes.
    pub crc: u64,
}

impl ValuePrint {
    fn new(kind: TypeByte, first: Option<u8>, bytes: u64, crc: u64) -> ValuePrint {
        const LZF: u8 = 0xc3;
        ValuePrint { stored_as: (kind.0, first == Some(LZF)), bytes, crc }
    }

    #[cold]
    fn of(value: &StoredValue<'_>) -> ValuePrint {
        let bytes = value.data.get(value.from..value.end).unwrap_or_default();
        ValuePrint::new(value.kind, bytes.first().copied(), bytes.len() as u64, checksum(bytes))
    }
}

/// Where rows go: a format, and a writer that gets them in order.
pub struct Rows<'r> {
    /// How a row looks.
    pub format: &'r dyn RowFormat,
    /// Gets the rows.
    pub out: &'r mut (dyn Write + Send),
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

/// A dump that was read, as far as it could be.
#[derive(Debug)]
pub struct DumpResult<F> {
    /// What it says about itself.
    pub facts: FileFacts,
    /// What was gathered from its keys.
    pub fold: F,
    /// Keys that were read.
    pub keys: u64,
    /// Bytes of the RDB, up to its end or to where the reading ended.
    pub rdb_bytes: u64,
    /// Bytes that follow the end of the RDB; absent for a pipe, which is not read on.
    pub trailing_bytes: Option<u64>,
    /// The first of the bytes that follow.
    pub trailing_start: Vec<u8>,
    /// Whether the bytes are those that were written.
    pub checksum: ChecksumState,
    /// What is wrong between the keys; looked for in depth only.
    pub item_faults: Vec<Fault>,
    /// Why the reading ended early, if it did.
    pub error: Option<DumpError>,
}

impl<F> DumpResult<F> {
    /// The same, with what was gathered taken apart: one part stays in it.
    pub fn split<A, B>(self, split: impl FnOnce(F) -> (A, B)) -> (DumpResult<A>, B) {
        let (fold, rest) = split(self.fold);
        let DumpResult { facts, keys, rdb_bytes, trailing_bytes, trailing_start, checksum, item_faults, error, .. } =
            self;
        (
            DumpResult { facts, fold, keys, rdb_bytes, trailing_bytes, trailing_start, checksum, item_faults, error },
            rest,
        )
    }
}

/// Tells someone how far the run is.
pub trait Progress: Sync {
    /// So many bytes and keys more have been read.
    fn advance(&self, bytes: u64, keys: u64);
}

/// How to read a dump: what makes the models and folds once the dump has said who wrote it.
pub trait Setup<F>: Sync {
    /// The model of the server, and others to compare it with.
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>);
    /// The time that expiries are measured from, in milliseconds since 1970.
    fn now_ms(&self, facts: &FileFacts) -> Option<i64>;
    /// How closely values are looked at.
    fn depth(&self) -> Depth {
        Depth::Plain
    }
    /// An empty sum.
    fn fold(&self, facts: &FileFacts, first_keys: &dyn Fn() -> Vec<u16>) -> F;
}

/// Reads one dump on the threads of the current pool.
///
/// # Errors
/// If rows cannot be written. What is wrong with the dump is in the result.
pub fn read_dump<F: Fold>(
    input: &DumpInput,
    setup: &dyn Setup<F>,
    rows: Option<Rows<'_>>,
    progress: &dyn Progress,
) -> Result<DumpResult<F>, Error> {
    // Whether nothing follows is part of what is looked for in depth.
    let behind = if setup.depth() == Depth::Deep { Behind::Counted } else { Behind::Left };
    with_job(&input.name, setup, rows, progress, |job| match input.source.open() {
        Ok(Opened::Mapped(map)) => mapped::read(job, &map),
        Ok(Opened::Pipe(mut pipe)) => stream::read(job, &mut pipe, behind),
        Ok(Opened::Unpacked(mut unpacked)) => stream::read(job, &mut unpacked, Behind::Counted),
        Err(error) => job.failed(error.into()),
    })
}

/// Reads one dump from a stream.
///
/// # Errors
/// If rows cannot be written. What is wrong with the dump is in the result.
pub fn read_stream_dump<F: Fold>(
    node: &str,
    stream: &mut (dyn Read + Send),
    setup: &dyn Setup<F>,
    rows: Option<Rows<'_>>,
    progress: &dyn Progress,
) -> Result<DumpResult<F>, Error> {
    with_job(node, setup, rows, progress, |job| stream::read(job, stream, Behind::Left))
}

fn with_job<F: Fold>(
    node: &str,
    setup: &dyn Setup<F>,
    rows: Option<Rows<'_>>,
    progress: &dyn Progress,
    read: impl FnOnce(&Job<'_, '_, F>) -> DumpResult<F>,
) -> Result<DumpResult<F>, Error> {
    let (format, out) = match rows {
        Some(Rows { format, out }) => (Some(format), Some(out)),
        None => (None, None),
    };
    let ordered = Ordered::new(out);
    let result = read(&Job { node, setup, format, ordered: &ordered, progress });
    match ordered.into_error() {
        Some(error) => Err(Error::output(None, error)),
        None => Ok(result),
    }
}

/// What reading a dump needs from outside.
struct Job<'j, 'o, F> {
    node: &'j str,
    setup: &'j dyn Setup<F>,
    format: Option<&'j dyn RowFormat>,
    ordered: &'j Ordered<'o>,
    progress: &'j dyn Progress,
}

impl<F: Fold> Job<'_, '_, F> {
    fn failed(&self, error: DumpError) -> DumpResult<F> {
        let facts = FileFacts::default();
        DumpResult {
            fold: self.setup.fold(&facts, &Vec::new),
            facts,
            keys: 0,
            rdb_bytes: 0,
            trailing_bytes: None,
            trailing_start: Vec::new(),
            checksum: ChecksumState::NotReached,
            item_faults: Vec::new(),
            error: Some(error),
        }
    }
}

/// A worker's own state: used for one span at a time, then by whoever needs one.
struct Worker<'m, F> {
    measurer: Measurer<'m>,
    yields: Yield<F>,
}

/// What a worker's keys come to.
struct Yield<F> {
    fold: F,
    rows: Vec<u8>,
    keys: u64,
    now_ms: Option<i64>,
}

impl<'m, F: Fold> Worker<'m, F> {
    fn new(
        job: &Job<'_, '_, F>,
        (model, others): &'m (Model, Vec<Model>),
        facts: &FileFacts,
        first_keys: &dyn Fn() -> Vec<u16>,
    ) -> Worker<'m, F> {
        let depth = match job.setup.depth() {
            Depth::Outlines { .. } if job.format.is_some() => Depth::Plain, // rows tell of every element
            depth => depth,
        };
        Worker {
            measurer: Measurer::new(model, others).with_depth(depth),
            yields: Yield {
                fold: job.setup.fold(facts, first_keys),
                rows: Vec::new(),
                keys: 0,
                now_ms: job.setup.now_ms(facts),
            },
        }
    }

    /// Takes the key of `head` into account, whose value was just read.
    #[inline(always)]
    fn observe(
        &mut self,
        job: &Job<'_, '_, F>,
        head: &KeyHead<'_>,
        place: &Place,
        value: &StoredValue<'_>,
        print: impl FnOnce() -> ValuePrint,
    ) {
        self.yields.take(job, &self.measurer.measure(head, place), value, print);
    }

    /// Takes into account the keys with short strings at `reader`, up to `position` or the first of another kind.
    #[inline(always)]
    fn observe_strings(&mut self, job: &Job<'_, '_, F>, reader: &mut Reader<'_>, place: &mut Place, position: usize) {
        if !self.measurer.takes_strings() {
            return;
        }
        while let Some(string) = reader.next_string(position) {
            let measured = self.measurer.measure_string(&string, place);
            self.yields.take(job, &measured, &string.stored, || ValuePrint::of(&string.stored));
            place.pass_key(string.expire_at_ms.is_some());
        }
    }
}

impl<F: Fold> Yield<F> {
    #[inline(always)]
    fn take(
        &mut self,
        job: &Job<'_, '_, F>,
        key: &Measured<'_>,
        value: &StoredValue<'_>,
        print: impl FnOnce() -> ValuePrint,
    ) {
        self.fold.observe(key, value);
        self.keys += 1;
        if let Some(format) = job.format {
            let print = format.wants_print().then(print);
            format.row(RowDump { node: job.node, now_ms: self.now_ms, print }, &key.record(), &mut self.rows);
        }
    }
}

/// Workers that are not at work: each thread has its own, whose sums stay in the caches of its core.
struct Workers<'m, F, N> {
    /// By thread of the pool, then that of a thread outside, which can only be the one that drives.
    idle: Vec<Mutex<Option<Worker<'m, F>>>>,
    new: N,
}

impl<'m, F: Fold, N: Fn() -> Worker<'m, F>> Workers<'m, F, N> {
    fn new(new: N) -> Workers<'m, F, N> {
        Workers { idle: (0..=rayon::current_num_threads()).map(|_| Mutex::new(None)).collect(), new }
    }

    fn own(&self) -> MutexGuard<'_, Option<Worker<'m, F>>> {
        lock(&self.idle[rayon::current_thread_index().unwrap_or(self.idle.len() - 1)])
    }

    fn take(&self) -> Worker<'m, F> {
        self.own().take().unwrap_or_else(&self.new)
    }

    fn give_back(&self, worker: Worker<'m, F>) {
        let before = self.own().replace(worker);
        debug_assert!(before.is_none(), "a thread works on one span at a time");
    }

    /// All that the workers gathered, and the number of keys.
    fn finish(self) -> (F, u64) {
        let idle = self.idle.into_iter();
        let mut workers = idle.filter_map(|worker| worker.into_inner().unwrap_or_else(PoisonError::into_inner));
        let Yield { fold: mut first, mut keys, .. } = workers.next().unwrap_or_else(&self.new).yields;
        for worker in workers {
            first.merge(worker.yields.fold);
            keys += worker.yields.keys;
        }
        first.rest();
        (first, keys)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere ends the run anyway; what is here is no worse for it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a walk over items ended.
enum Stop<'a> {
    /// Enough was read.
    Enough,
    /// An item that is not a key's; what it says holds for the items behind it.
    Item(Item<'a>),
    /// The end of the slice, between two items.
    End,
    /// The bytes are at fault.
    Fault(Fault, Option<RdbStr<'a>>),
}

/// Walks over the records at `reader` until `target` bytes have passed, an item comes that is not a key's, or the slice
/// ends. With a worker the values are decoded, without one only passed over. Gives where the last whole item that is part
/// of the walk ended.
fn walk<'a, 'm, F: Fold>(
    reader: &mut Reader<'a>,
    place: &mut Place,
    target: usize,
    worker: Option<(&mut Worker<'m, F>, &Job<'_, '_, F>)>,
) -> (usize, Stop<'a>) {
    // On copies, and not where they lie: each key changes them, and what other threads read all the time lies beside.
    let (mut local_reader, mut local_place) = (reader.clone(), place.clone());
    let walked = walk_locally(&mut local_reader, &mut local_place, target, worker);
    (*reader, *place) = (local_reader, local_place);
    walked
}

/// [`walk`], where the reader and the place lie well.
#[inline(always)]
fn walk_locally<'a, 'm, F: Fold>(
    reader: &mut Reader<'a>,
    place: &mut Place,
    target: usize,
    mut worker: Option<(&mut Worker<'m, F>, &Job<'_, '_, F>)>,
) -> (usize, Stop<'a>) {
    let start = reader.position();
    let mut head = KeyHead::default();
    loop {
        let end = start.saturating_add(target);
        match &mut worker {
            None => {
                let (keys, expires) = reader.skip_single_strings(end);
                place.pass_keys(keys, expires);
            }
            Some((worker, job)) => worker.observe_strings(job, reader, place, end),
        }
        let before = reader.position();
        if before - start >= target {
            return (before, Stop::Enough);
        }
        if reader.is_at_end() {
            return (before, Stop::End);
        }
        match reader.next_head(&mut head) {
            Ok(None) => {}
            Ok(Some(item)) => match slot_of_item(&item) {
                Some((slot, keys, expires)) => {
                    place.enter_slot(slot, keys, expires);
                    continue;
                }
                None => return (before, Stop::Item(item)),
            },
            Err(fault) => return (before, Stop::Fault(fault, None)),
        }
        let done = match worker.as_mut() {
            None => reader.finish_value(),
            Some((worker, job)) => worker.measurer.read(reader, &head).map(|()| {
                // Behind a long value nothing is in the cache yet. There is time while the key is put down.
                reader.ask_ahead();
                let value = reader.stored(&head);
                worker.observe(job, &head, place, &value, || ValuePrint::of(&value));
            }),
        };
        if let Err(fault) = done {
            return (before, Stop::Fault(fault, Some(head.key)));
        }
        place.pass_key(head.expire_at_ms.is_some());
    }
}

/// The slot, keys and keys with an expiry that an item announces, if that is what it does.
fn slot_of_item(item: &Item<'_>) -> Option<(u64, u64, u64)> {
    match *item {
        Item::SlotInfo { slot, keys, expires } => Some((slot, keys, expires)),
        Item::Aux { name: RdbStr::Raw(b"slot-info"), value: RdbStr::Raw(value) } => {
            let mut numbers =
                std::str::from_utf8(value).ok()?.split(',').map(|number| number.trim().parse::<u64>().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        }
        _ => None,
    }
}

/// The slots of the first keys, a sample to tell whose dump it is.
fn first_slots(mut reader: Reader<'_>) -> Vec<u16> {
    const SAMPLE: usize = 1000;
    let mut slots = Vec::new();
    let mut scratch = Vec::new();
    while slots.len() < SAMPLE && !reader.is_at_end() {
        match reader.next_item() {
            Ok(Item::Key(head)) => match head.key.bytes(&mut scratch, MAX_FACT_BYTES) {
                Ok(key) => slots.push(slot_of(key)),
                Err(_) => break,
            },
            Ok(Item::End { .. }) | Err(_) => break,
            Ok(_) => {}
        }
    }
    slots
}

/// Accounts for bytes between spans.
fn push_between<F>(job: &Job<'_, '_, F>, number: u64, crc: u64, bytes: usize) {
    job.ordered.push(number, Piece { crc, bytes: bytes as u64, rows: Vec::new() });
}

/// Waits until the rows that are held back for one span are few again; helps with the work meanwhile.
fn wait_for_order<F>(job: &Job<'_, '_, F>) {
    while job.ordered.waiting() > MAX_WAITING {
        if rayon::yield_now().is_none_or(|yielded| yielded == rayon::Yield::Idle) {
            std::thread::yield_now();
        }
    }
}

/// Counts bytes and keys, for who wants to know afterwards.
#[derive(Debug, Default)]
pub struct Counter {
    bytes: AtomicU64,
    keys: AtomicU64,
}

impl Counter {
    /// Bytes and keys so far.
    pub fn get(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.keys.load(Ordering::Relaxed))
    }
}

impl Progress for Counter {
    fn advance(&self, bytes: u64, keys: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.keys.fetch_add(keys, Ordering::Relaxed);
    }
}

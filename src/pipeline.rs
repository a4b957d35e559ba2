//! From dumps to sums and rows, on all cores: the only file that knows threads.
//!
//! A dump is a sequence of records without an index, but where a record ends is found much faster than it is decoded. So
//! one thread, the driver, walks ahead over the boundaries and hands out *spans* of whole records to idle workers; when
//! none is idle it decodes a span itself, in one go. With one thread there are only such spans, and nothing is read
//! twice. Each worker sums up for itself, checksums its span and encodes its rows; spans are numbered, so that rows come
//! out in the order of the file and the checksums are combined in it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::analyze::Fold;
use crate::cluster::placement::SlotPrint;
use crate::cluster::slot::{SLOTS, slot_of};
use crate::error::{DumpError, Error};
use crate::input::{DumpInput, Map, Source, map};
use crate::measure::Measurer;
use crate::memory::{Model, Place};
use crate::rdb::crc64::{self, checksum};
use crate::rdb::header::HEADER_LEN;
use crate::rdb::{Fault, Header, Item, KeyHead, RdbStr, Reader, StreamCursor};
use crate::record::KeyRecord;
use crate::value::MAX_BLOB_BYTES;

/// Bytes of records that a worker gets at a time.
const SPAN_BYTES: usize = 256 << 10;
/// How much of a stream is read at a time; a record longer than [`GIANT_BYTES`] is decoded as it comes.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest record of a stream that is kept in memory whole.
const GIANT_BYTES: usize = 8 << 20;
/// Finished spans that may wait for one before them.
const MAX_WAITING: usize = 32;
/// Longest fact about a file that is kept.
const MAX_FACT_BYTES: u64 = 4096;
/// Facts about a file that are kept.
const MAX_FACTS: usize = 64;

/// Encodes a row for a key, if it is to have one.
pub trait RowFormat: Sync {
    /// Appends the row for a key of `dump` to `out`.
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut RowBuffer);
}

/// The dump that a row is of.
#[derive(Clone, Copy, Debug)]
pub struct RowDump<'d> {
    /// Name of its node.
    pub node: &'d str,
    /// The time that its expiries are measured from, in milliseconds since 1970.
    pub now_ms: Option<i64>,
}

/// Rows of a span, encoded.
#[allow(missing_debug_implementations)] // buffers
pub struct RowBuffer {
    /// Rows of comma-separated values.
    pub csv: csv::Writer<Vec<u8>>,
    /// Rows in any other format.
    pub text: Vec<u8>,
    /// Working memory for one field.
    pub scratch: Vec<u8>,
}

impl Default for RowBuffer {
    fn default() -> RowBuffer {
        RowBuffer { csv: csv::Writer::from_writer(Vec::new()), text: Vec::new(), scratch: Vec::new() }
    }
}

impl RowBuffer {
    /// The rows so far; the buffer is empty again.
    pub fn take(&mut self) -> Vec<u8> {
        let csv = mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new()));
        let mut bytes = csv.into_inner().unwrap_or_default(); // writing to memory cannot fail
        bytes.append(&mut self.text);
        bytes
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

/// What the dump says about itself, apart from its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Magic and version.
    pub header: Option<Header>,
    /// AUX fields, in the order of the file, as name and text; repeated ones (scripts, slots) are left out.
    pub aux: Vec<(String, String)>,
    /// Function libraries.
    pub functions: u64,
    /// Cached scripts (4.0 to 6.2).
    pub scripts: u64,
    /// Modules that keep data outside keys, by the 64-bit id of their type.
    pub module_aux: Vec<u64>,
    /// Whether the dump tells the keys of each slot, so was written by a node of a cluster.
    pub slot_info: bool,
    /// Running slot imports (Valkey 9).
    pub slot_imports: u64,
    /// Keys by the dump's own word (RESIZEDB), where it has one.
    pub announced_keys: Option<u64>,
}

impl FileFacts {
    /// The value of an AUX field.
    pub fn aux(&self, name: &str) -> Option<&str> {
        self.aux.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn add_aux(&mut self, name: RdbStr<'_>, value: RdbStr<'_>) {
        let text = |string: RdbStr<'_>| {
            let bytes = string.bytes(&mut Vec::new(), MAX_FACT_BYTES).map(<[u8]>::to_vec).ok()?;
            (bytes.len() as u64 <= MAX_FACT_BYTES).then(|| crate::escape::Escape::Utf8.text(&bytes))
        };
        match text(name).as_deref() {
            Some("lua") => self.scripts += 1,
            Some("slot-info") => self.slot_info = true,
            Some(name) if self.aux.len() < MAX_FACTS && self.aux(name).is_none() => {
                let value = text(value).unwrap_or_else(|| format!("({} bytes)", value.len()));
                self.aux.push((name.to_owned(), value));
            }
            _ => {}
        }
    }
}

/// Whether the bytes are those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumState {
    /// The checksum is right.
    Right,
    /// It is not.
    Wrong,
    /// The writer did not compute one (`rdbchecksum no`).
    Off,
    /// The version has none.
    None,
    /// The reading ended before it.
    NotReached,
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
    /// Bytes that follow the end of the RDB; absent for standard input, which is not read on.
    pub trailing_bytes: Option<u64>,
    /// The first of the bytes that follow.
    pub trailing_start: Vec<u8>,
    /// Whether the bytes are those that were written.
    pub checksum: ChecksumState,
    /// Why the reading ended early, if it did.
    pub error: Option<DumpError>,
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
    let (format, out) = match rows {
        Some(Rows { format, out }) => (Some(format), Some(out)),
        None => (None, None),
    };
    let ordered = Ordered::new(out);
    let job = Job { node: &input.name, setup, format, ordered: &ordered, progress };
    let result = match &input.source {
        Source::File(path) => match Map::open(path) {
            Ok(map) => read_map(&job, &map),
            Err(error) => job.failed(DumpError::Io(error)),
        },
        Source::Stdin => read_stream(&job, &mut io::stdin().lock()),
    };
    match ordered.into_error() {
        Some(error) => Err(Error::output(None, error)),
        None => Ok(result),
    }
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
    let (format, out) = match rows {
        Some(Rows { format, out }) => (Some(format), Some(out)),
        None => (None, None),
    };
    let ordered = Ordered::new(out);
    let job = Job { node, setup, format, ordered: &ordered, progress };
    let result = read_stream(&job, stream);
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
            error: Some(error),
        }
    }
}

/// A worker's own state: used for one span at a time, then by whoever needs one.
struct Worker<'m, F> {
    measurer: Measurer<'m>,
    fold: F,
    rows: RowBuffer,
    keys: u64,
    now_ms: Option<i64>,
}

impl<F> Worker<'_, F> {
    fn take_rows(&mut self, any: bool) -> Vec<u8> {
        if any { self.rows.take() } else { Vec::new() }
    }
}

/// Workers that are not at work.
struct Workers<'m, F, N> {
    idle: Mutex<Vec<Worker<'m, F>>>,
    new: N,
}

impl<'m, F: Fold, N: Fn() -> Worker<'m, F>> Workers<'m, F, N> {
    fn take(&self) -> Worker<'m, F> {
        lock(&self.idle).pop().unwrap_or_else(&self.new)
    }

    fn give_back(&self, worker: Worker<'m, F>) {
        lock(&self.idle).push(worker);
    }

    /// All that the workers gathered, and the number of keys.
    fn finish(self) -> (F, u64) {
        let mut workers = self.idle.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter();
        let mut first = workers.next().unwrap_or_else(&self.new);
        for worker in workers {
            first.fold.merge(worker.fold);
            first.keys += worker.keys;
        }
        (first.fold, first.keys)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere ends the run anyway; what is here is no worse for it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a span comes to, apart from the sums.
struct Piece {
    crc: u64,
    bytes: u64,
    rows: Vec<u8>,
}

/// Puts the spans' rows and checksums in the order of the file.
struct Ordered<'o> {
    state: Mutex<OrderedState<'o>>,
    failed: AtomicBool,
}

struct OrderedState<'o> {
    next: u64,
    waiting: BTreeMap<u64, Piece>,
    crc: u64,
    out: Option<&'o mut (dyn Write + Send)>,
    error: Option<io::Error>,
}

impl<'o> Ordered<'o> {
    fn new(out: Option<&'o mut (dyn Write + Send)>) -> Ordered<'o> {
        let state = OrderedState { next: 0, waiting: BTreeMap::new(), crc: 0, out, error: None };
        Ordered { state: Mutex::new(state), failed: AtomicBool::new(false) }
    }

    fn push(&self, number: u64, piece: Piece) {
        let mut state = lock(&self.state);
        state.waiting.insert(number, piece);
        while let Some(piece) = { let next = state.next; state.waiting.remove(&next) } {
            state.next += 1;
            state.crc = crc64::combine(state.crc, piece.crc, piece.bytes);
            if state.error.is_none()
                && !piece.rows.is_empty()
                && let Some(out) = &mut state.out
                && let Err(error) = out.write_all(&piece.rows)
            {
                state.error = Some(error);
                self.failed.store(true, Ordering::Relaxed);
            }
        }
    }

    fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    fn crc(&self) -> u64 {
        lock(&self.state).crc
    }

    /// Whether rows can no longer be written, so that going on is in vain.
    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn into_error(self) -> Option<io::Error> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).error
    }
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
#[inline]
fn walk<'a, 'm, F: Fold>(
    reader: &mut Reader<'a>,
    place: &mut Place,
    target: usize,
    mut worker: Option<(&mut Worker<'m, F>, &Job<'_, '_, F>)>,
) -> (usize, Stop<'a>) {
    let start = reader.position();
    loop {
        let before = reader.position();
        if before - start >= target {
            return (before, Stop::Enough);
        }
        if reader.is_at_end() {
            return (before, Stop::End);
        }
        let head = match reader.next_item() {
            Ok(Item::Key(head)) => head,
            Ok(item) => match slot_of_item(&item) {
                Some((slot, keys, expires)) => {
                    place.enter_slot(slot, keys, expires);
                    continue;
                }
                None => return (before, Stop::Item(item)),
            },
            Err(fault) => return (before, Stop::Fault(fault, None)),
        };
        let done = match worker.as_mut() {
            None => reader.finish_value(),
            Some((worker, job)) => match worker.measurer.read(reader, &head, place) {
                Ok(measured) => {
                    worker.fold.observe(&measured);
                    worker.keys += 1;
                    if let Some(format) = job.format {
                        format.row(RowDump { node: job.node, now_ms: worker.now_ms }, &measured.record, &mut worker.rows);
                    }
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
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
            let mut numbers = std::str::from_utf8(value).ok()?.split(',').map(|number| number.trim().parse::<u64>().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        }
        _ => None,
    }
}

/// What the driver keeps while it goes over a dump.
struct Driver {
    facts: FileFacts,
    place: Place,
    next_number: u64,
    /// What the file says its checksum is; the outer level is whether the end was reached.
    end: Option<Option<u64>>,
    error: Option<DumpError>,
}

impl Driver {
    fn new(header: Header) -> Driver {
        let facts = FileFacts { header: Some(header), ..FileFacts::default() };
        Driver { facts, place: Place::default(), next_number: 0, end: None, error: None }
    }

    /// Takes note of an item that is not a key's.
    fn note(&mut self, item: &Item<'_>) {
        match *item {
            Item::Aux { name, value } => self.facts.add_aux(name, value),
            Item::SelectDb(db) => self.place.select_db(db),
            Item::ResizeDb { keys, expires } => {
                let sum = self.facts.announced_keys.unwrap_or(0);
                self.facts.announced_keys = Some(sum.saturating_add(keys));
                self.place.resize_db(keys, expires);
            }
            Item::SlotInfo { .. } => self.facts.slot_info = true,
            Item::SlotImport { .. } => self.facts.slot_imports += 1,
            Item::Function { .. } => self.facts.functions += 1,
            Item::ModuleAux { module } => {
                if !self.facts.module_aux.contains(&module) && self.facts.module_aux.len() < MAX_FACTS {
                    self.facts.module_aux.push(module);
                }
            }
            Item::End { stored_checksum } => self.end = Some(stored_checksum),
            _ => {}
        }
    }

    fn fail(&mut self, fault: Fault, key: Option<RdbStr<'_>>) {
        let key = key.and_then(|key| key.bytes(&mut Vec::new(), MAX_FACT_BYTES).map(<[u8]>::to_vec).ok());
        self.error = Some(DumpError::Fault { fault, key });
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    fn checksum_state(&mut self, computed: u64) -> ChecksumState {
        match self.end {
            None => ChecksumState::NotReached,
            Some(None) => ChecksumState::None,
            Some(Some(0)) => ChecksumState::Off,
            Some(Some(stored)) if stored == computed => ChecksumState::Right,
            Some(Some(stored)) => {
                self.error.get_or_insert(DumpError::Checksum { stored, computed });
                ChecksumState::Wrong
            }
        }
    }
}

/// Bytes of the checksum behind the end opcode, which it does not cover.
fn checksum_bytes(end: Option<Option<u64>>) -> usize {
    if matches!(end, Some(Some(_))) { 8 } else { 0 }
}

fn read_map<F: Fold>(job: &Job<'_, '_, F>, map: &Map) -> DumpResult<F> {
    let data = map.bytes();
    let mut reader = match Reader::new(data) {
        Ok(reader) => reader,
        Err(fault) => return job.failed(DumpError::Fault { fault, key: None }),
    };
    let header = reader.header();
    let mut driver = Driver::new(header);
    let mut covered = 0;

    // What stands before the first key says who wrote the dump.
    loop {
        let before = reader.position();
        match reader.next_item() {
            Ok(Item::Key(_)) => {
                reader = Reader::resume(&data[before..], before as u64, header, driver.place.db);
                break;
            }
            Ok(item) => {
                driver.note(&item);
                if let Some((slot, keys, expires)) = slot_of_item(&item) {
                    driver.place.enter_slot(slot, keys, expires);
                }
                if driver.end.is_some() {
                    reader = Reader::resume(&data[reader.position()..], reader.position() as u64, header, 0);
                    break;
                }
            }
            Err(fault) => {
                driver.fail(fault, None);
                reader = Reader::resume(&data[before..], before as u64, header, 0);
                break;
            }
        }
    }
    let base = reader.offset() as usize;
    let (model, others) = job.setup.models(&driver.facts);
    let first_keys = || first_slots(reader.clone());
    let facts = driver.facts.clone();
    let now_ms = job.setup.now_ms(&facts);
    let workers = Workers {
        idle: Mutex::new(Vec::new()),
        new: || Worker {
            measurer: Measurer::new(&model, &others),
            fold: job.setup.fold(&facts, &first_keys),
            rows: RowBuffer::default(),
            keys: 0,
            now_ms,
        },
    };
    let in_flight = AtomicUsize::new(0);
    // A few spans ahead keep every other thread busy.
    let ahead = (rayon::current_num_threads() - 1) * 2;
    let lost = map::lost_pages();
    let mut walker = reader.clone();
    let decode = |worker: &mut Worker<'_, F>, start: usize, end: usize, place: &Place, number: u64, crc: u64| {
        let keys = worker.keys;
        let mut span = Reader::resume(&data[start..end], start as u64, header, place.db);
        walk(&mut span, &mut place.clone(), usize::MAX, Some((worker, job)));
        finish_span(job, worker, data, (start, end), number, crc, keys, map, lost);
    };
    rayon::in_place_scope_fifo(|scope| {
        while driver.error.is_none() && driver.end.is_none() && !job.ordered.has_failed() {
            let start = base + walker.position();
            let behind = &data[covered..start];
            let crc_behind = checksum(behind);
            let spare = in_flight.load(Ordering::Relaxed) < ahead;
            let place = driver.place.clone();
            let (end, stop) = if spare {
                let (end, stop) = walk::<F>(&mut walker, &mut driver.place, SPAN_BYTES, None);
                let end = base + end;
                job_piece(job, driver.number(), crc_behind, behind.len());
                let number = driver.number();
                in_flight.fetch_add(1, Ordering::Relaxed);
                let (workers, in_flight, decode) = (&workers, &in_flight, &decode);
                scope.spawn_fifo(move |_| {
                    let mut worker = workers.take();
                    decode(&mut worker, start, end, &place, number, checksum(&data[start..end]));
                    workers.give_back(worker);
                    in_flight.fetch_sub(1, Ordering::Relaxed);
                });
                (end, stop)
            } else {
                let mut worker = workers.take();
                let keys = worker.keys;
                let (end, stop) = walk(&mut walker, &mut driver.place, SPAN_BYTES, Some((&mut worker, job)));
                let end = base + end;
                job_piece(job, driver.number(), crc_behind, behind.len());
                let crc = checksum(&data[start..end]);
                finish_span(job, &mut worker, data, (start, end), driver.number(), crc, keys, map, lost);
                workers.give_back(worker);
                (end, stop)
            };
            covered = end;
            match stop {
                Stop::Enough => {}
                Stop::Item(item) => driver.note(&item),
                Stop::Fault(fault, key) => driver.fail(fault, key),
                Stop::End => {
                    let fault = walker.next_item().err();
                    if let Some(fault) = fault {
                        driver.fail(fault, None);
                    }
                }
            }
            while job.ordered.waiting() > MAX_WAITING {
                if rayon::yield_now().is_none_or(|yielded| yielded == rayon::Yield::Idle) {
                    std::thread::yield_now();
                }
            }
        }
    });
    let stop = base + walker.position();
    let rdb_bytes = if driver.error.is_some() { covered } else { stop };
    let crc_end = rdb_bytes.saturating_sub(checksum_bytes(driver.end)).max(covered);
    job_piece(job, driver.number(), checksum(&data[covered..crc_end]), crc_end - covered);
    let computed = job.ordered.crc();
    let checksum = driver.checksum_state(computed);
    let (mut fold, mut keys) = workers.finish();
    if map::lost_pages() != lost
        && let Some(after) = map.is_shortened()
    {
        driver.error = Some(DumpError::Shortened { before: data.len() as u64, after });
        (fold, keys) = (job.setup.fold(&driver.facts, &Vec::new), 0);
    }
    let trailing = &data[rdb_bytes..];
    DumpResult {
        facts: driver.facts,
        fold,
        keys,
        rdb_bytes: rdb_bytes as u64,
        trailing_bytes: Some(if driver.end.is_some() { trailing.len() as u64 } else { 0 }),
        trailing_start: trailing[..trailing.len().min(16)].to_vec(),
        checksum,
        error: driver.error,
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

/// What a dump's slots look like from outside, with the facts about it, and whether it could be read to its end: a
/// quick look that passes over every value. `hash` is of a key's name.
pub fn slot_prints(input: &DumpInput, hash: fn(&[u8]) -> u64) -> (Vec<SlotPrint>, FileFacts, bool) {
    let mut slots = vec![SlotPrint::default(); usize::from(SLOTS)];
    let Source::File(path) = &input.source else { return (slots, FileFacts::default(), false) };
    let Ok(map) = Map::open(path) else { return (slots, FileFacts::default(), false) };
    let Ok(mut reader) = Reader::new(map.bytes()) else { return (slots, FileFacts::default(), false) };
    let mut driver = Driver::new(reader.header());
    let mut scratch = Vec::new();
    let mut released = 0;
    while driver.end.is_none() {
        match reader.next_item() {
            Ok(Item::Key(head)) => {
                if let Ok(key) = head.key.bytes(&mut scratch, MAX_BLOB_BYTES) {
                    let slot = &mut slots[usize::from(slot_of(key))];
                    slot.keys += 1;
                    slot.names = slot.names.wrapping_add(hash(key));
                }
            }
            Ok(item) => driver.note(&item),
            Err(_) => break,
        }
        if reader.position() - released >= CHUNK_BYTES {
            map.release(released..reader.position());
            released = reader.position();
        }
    }
    let complete = driver.end.is_some();
    (slots, driver.facts, complete)
}

/// Accounts for bytes between spans.
fn job_piece<F>(job: &Job<'_, '_, F>, number: u64, crc: u64, bytes: usize) {
    job.ordered.push(number, Piece { crc, bytes: bytes as u64, rows: Vec::new() });
}

/// Hands in what a span came to.
#[allow(clippy::too_many_arguments)]
fn finish_span<F: Fold>(
    job: &Job<'_, '_, F>,
    worker: &mut Worker<'_, F>,
    _data: &[u8],
    (start, end): (usize, usize),
    number: u64,
    crc: u64,
    keys_before: u64,
    map: &Map,
    lost: u64,
) {
    let mut rows = worker.take_rows(job.format.is_some());
    if map::lost_pages() != lost {
        rows.clear(); // zeros may have been read for what was in the file
    }
    job.ordered.push(number, Piece { crc, bytes: (end - start) as u64, rows });
    map.release(start..end);
    job.progress.advance((end - start) as u64, worker.keys - keys_before);
}

fn read_stream<F: Fold>(job: &Job<'_, '_, F>, stream: &mut dyn Read) -> DumpResult<F> {
    let mut input = Window { stream, bytes: Vec::new(), base: 0, ended: false, error: None };
    input.fill(HEADER_LEN);
    let header = match Header::parse(&input.bytes) {
        Ok(header) => header,
        Err(_) if input.error.is_some() => {
            let error = input.error.unwrap_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
            return job.failed(DumpError::Io(error));
        }
        Err(fault) => return job.failed(DumpError::Fault { fault, key: None }),
    };
    let mut driver = Driver::new(header);
    let number = driver.number();
    job_piece(job, number, checksum(&input.bytes[..HEADER_LEN]), HEADER_LEN);
    input.consume(HEADER_LEN);

    // What stands before the first key says who wrote the dump.
    while driver.error.is_none() && driver.end.is_none() {
        let mut reader = Reader::resume(&input.bytes, input.base, header, driver.place.db);
        let item = reader.next_item();
        let used = reader.position();
        match item {
            Ok(Item::Key(_)) => break,
            Ok(item) => {
                driver.note(&item);
                if let Some((slot, keys, expires)) = slot_of_item(&item) {
                    driver.place.enter_slot(slot, keys, expires);
                }
                let number = driver.number();
                let covered = used - checksum_bytes(driver.end);
                job_piece(job, number, checksum(&input.bytes[..covered]), covered);
                input.consume(used);
            }
            Err(fault) => {
                if !(fault.kind.is_truncation() && input.more()) {
                    driver.fail(fault, None);
                }
            }
        }
    }
    let (model, others) = job.setup.models(&driver.facts);
    let first_keys = || first_slots(Reader::resume(&input.bytes, input.base, header, 0));
    let first_slots = first_keys();
    let facts = driver.facts.clone();
    let now_ms = job.setup.now_ms(&facts);
    let workers = Workers {
        idle: Mutex::new(Vec::new()),
        new: || Worker {
            measurer: Measurer::new(&model, &others),
            fold: job.setup.fold(&facts, &|| first_slots.clone()),
            rows: RowBuffer::default(),
            keys: 0,
            now_ms,
        },
    };
    let in_flight = AtomicUsize::new(0);
    let threads = rayon::current_num_threads();
    rayon::in_place_scope_fifo(|scope| {
        while driver.error.is_none() && driver.end.is_none() && !job.ordered.has_failed() {
            let mut reader = Reader::resume(&input.bytes, input.base, header, driver.place.db);
            let place = driver.place.clone();
            let (end, stop) = walk::<F>(&mut reader, &mut driver.place, usize::MAX, None);
            let used = reader.position();
            let mut more = false;
            let mut giant = false;
            match stop {
                Stop::Item(item) => driver.note(&item),
                Stop::Fault(fault, _) if fault.kind.is_truncation() && !input.ended => {
                    more = true;
                    giant = end == 0 && input.bytes.len() >= GIANT_BYTES;
                }
                Stop::Fault(fault, key) => driver.fail(fault, key),
                Stop::End | Stop::Enough => more = true,
            }
            if end > 0 {
                let rest = input.bytes.split_off(end);
                let chunk = mem::replace(&mut input.bytes, rest);
                let at = input.base;
                input.base += end as u64;
                let number = driver.number();
                in_flight.fetch_add(1, Ordering::Relaxed);
                let (workers, in_flight) = (&workers, &in_flight);
                let work = move || {
                    let mut worker = workers.take();
                    let keys = worker.keys;
                    let mut span = Reader::resume(&chunk, at, header, place.db);
                    walk(&mut span, &mut place.clone(), usize::MAX, Some((&mut worker, job)));
                    let rows = worker.take_rows(job.format.is_some());
                    job.ordered.push(number, Piece { crc: checksum(&chunk), bytes: chunk.len() as u64, rows });
                    job.progress.advance(chunk.len() as u64, worker.keys - keys);
                    workers.give_back(worker);
                    in_flight.fetch_sub(1, Ordering::Relaxed);
                };
                if threads > 1 && in_flight.load(Ordering::Relaxed) <= threads {
                    scope.spawn_fifo(move |_| work());
                } else {
                    work();
                }
            }
            if driver.error.is_some() {
                break;
            }
            if giant {
                giant_record(job, &workers, &mut driver, &mut input, header);
                continue;
            }
            if used > end && !more {
                // The item behind the records, which was noted.
                let used = used - end;
                let covered = used - checksum_bytes(driver.end);
                let number = driver.number();
                job_piece(job, number, checksum(&input.bytes[..covered]), covered);
                input.consume(used);
            }
            if more && !input.more() && input.bytes.is_empty() {
                // The stream ends between two items, without the end of the dump.
                let fault = Reader::resume(&[], input.base, header, 0).next_item().err();
                if let Some(fault) = fault {
                    driver.fail(fault, None);
                }
            }
            while job.ordered.waiting() > MAX_WAITING {
                if rayon::yield_now().is_none_or(|yielded| yielded == rayon::Yield::Idle) {
                    std::thread::yield_now();
                }
            }
        }
    });
    if let Some(error) = input.error.take() {
        driver.error = Some(DumpError::Io(error));
    }
    let computed = job.ordered.crc();
    let checksum = driver.checksum_state(computed);
    let (fold, keys) = workers.finish();
    DumpResult {
        facts: driver.facts,
        fold,
        keys,
        rdb_bytes: input.base,
        trailing_bytes: None,
        trailing_start: Vec::new(),
        checksum,
        error: driver.error,
    }
}

/// A stream, and the part of it that is in memory.
struct Window<'s> {
    stream: &'s mut dyn Read,
    bytes: Vec<u8>,
    base: u64,
    ended: bool,
    error: Option<io::Error>,
}

impl Window<'_> {
    /// Makes at least `n` bytes available, if there are as many.
    fn fill(&mut self, n: usize) {
        while self.bytes.len() < n && !self.ended {
            let have = self.bytes.len();
            self.bytes.resize(n, 0);
            let got = self.stream.read(&mut self.bytes[have..]);
            self.bytes.truncate(have + *got.as_ref().unwrap_or(&0));
            match got {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.error = Some(e);
                    self.ended = true;
                }
            }
        }
    }

    /// Reads on; says whether there was anything.
    fn more(&mut self) -> bool {
        let have = self.bytes.len();
        self.fill(have + CHUNK_BYTES);
        self.bytes.len() > have
    }

    fn consume(&mut self, n: usize) {
        self.bytes.drain(..n);
        self.base += n as u64;
    }
}

/// Decodes a record that is too long to be kept in memory, as it comes.
fn giant_record<'m, F: Fold, N: Fn() -> Worker<'m, F>>(
    job: &Job<'_, '_, F>,
    workers: &Workers<'m, F, N>,
    driver: &mut Driver,
    input: &mut Window<'_>,
    header: Header,
) {
    let mut reader = Reader::resume(&input.bytes, input.base, header, driver.place.db);
    let head = match reader.next_item() {
        Ok(Item::Key(head)) => head,
        Err(fault) => {
            if !(fault.kind.is_truncation() && input.more()) {
                driver.fail(fault, None);
            }
            return;
        }
        Ok(item) => return driver.note(&item),
    };
    let mut name = Vec::new();
    let name = match head.key.bytes(&mut name, MAX_BLOB_BYTES) {
        Ok(name) => name.to_vec(),
        Err(fault) => return driver.fail(fault, None),
    };
    let head = KeyHead { key: RdbStr::Raw(&name), ..head };
    let head_bytes = reader.position();
    let mut digest = crc64::digest();
    let mut bytes = head_bytes as u64;
    digest.update(&input.bytes[..head_bytes]);
    input.consume(head_bytes);
    let mut checksum = |read: &[u8]| {
        digest.update(read);
        bytes += read.len() as u64;
        job.progress.advance(read.len() as u64, 0);
    };
    let mut cursor = StreamCursor::new(mem::take(&mut input.bytes), input.base, input.stream, &mut checksum);
    let mut worker = workers.take();
    match worker.measurer.stream(&mut cursor, header.dialect, &head, &driver.place) {
        Ok(measured) => {
            worker.fold.observe(&measured);
            worker.keys += 1;
            if let Some(format) = job.format {
                format.row(RowDump { node: job.node, now_ms: worker.now_ms }, &measured.record, &mut worker.rows);
            }
            driver.place.pass_key(head.expire_at_ms.is_some());
        }
        Err(fault) => driver.fail(fault, Some(head.key)),
    }
    let (window, error) = cursor.finish();
    if error.is_some() {
        input.error = error;
    }
    input.bytes = window;
    input.base += bytes - head_bytes as u64;
    let rows = worker.take_rows(job.format.is_some());
    job.ordered.push(driver.number(), Piece { crc: digest.finalize(), bytes, rows });
    job.progress.advance(0, 1);
    workers.give_back(worker);
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


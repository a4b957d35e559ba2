//! Reading a dump from a pipe, with bounded memory.

use std::io::{self, Read};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::facts::{Driver, checksum_bytes};
use super::ordered::Piece;
use super::{
    DumpResult, Job, Stop, ValuePrint, Worker, Workers, first_slots, push_between, slot_of_item, wait_for_order, walk,
};
use crate::analyze::Fold;
use crate::error::DumpError;
use crate::measure::LONGEST_PASSED_BYTES;
use crate::rdb::crc64::{self, checksum};
use crate::rdb::header::HEADER_LEN;
use crate::rdb::stored::{START_BYTES, StoredValue};
use crate::rdb::{Header, Item, KeyHead, RdbStr, Reader, StreamCursor, Stretch};
use crate::value::{Depth, MAX_BLOB_BYTES, Scratch};

/// How much of a stream is read at a time; a record longer than [`GIANT_BYTES`] is decoded as it comes.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest record of a stream that is kept in memory whole.
const GIANT_BYTES: usize = LONGEST_PASSED_BYTES as usize;

/// What becomes of the bytes behind the end of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// They are not read: a pipe may stay open.
    Left,
    /// They are read and counted, so that whoever makes the stream can tell that its end is in order.
    Counted,
}

pub(super) fn read<F: Fold>(job: &Job<'_, '_, F>, stream: &mut dyn Read, behind: Behind) -> DumpResult<F> {
    let mut input = Window { stream, bytes: Vec::new(), base: 0, ended: false, error: None };
    input.fill(HEADER_LEN);
    let header = match Header::parse(&input.bytes) {
        Ok(header) => header,
        Err(_) if input.error.is_some() => {
            let error = input.error.unwrap_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
            return job.failed(error.into());
        }
        Err(fault) => return job.failed(DumpError::Fault { fault, key: None }),
    };
    let mut driver = Driver::new(header, job.setup.depth());
    let number = driver.number();
    push_between(job, number, checksum(&input.bytes[..HEADER_LEN]), HEADER_LEN);
    input.consume(HEADER_LEN);

    // What stands before the first key says who wrote the dump.
    while driver.error.is_none() && driver.end.is_none() {
        let mut reader = Reader::resume(&input.bytes, input.base, header, driver.place.db);
        let item = reader.next_item();
        let used = reader.position();
        match item {
            Ok(Item::Key(_)) => break,
            Ok(item) => {
                driver.note(&item, input.base);
                if let Some((slot, keys, expires)) = slot_of_item(&item) {
                    driver.place.enter_slot(slot, keys, expires);
                }
                let number = driver.number();
                let covered = used - checksum_bytes(driver.end);
                push_between(job, number, checksum(&input.bytes[..covered]), covered);
                input.consume(used);
            }
            Err(fault) => {
                if !(fault.kind.is_truncation() && input.more()) {
                    driver.fail(fault, None);
                }
            }
        }
    }
    let models = job.setup.models(&driver.facts);
    let first = first_slots(Reader::resume(&input.bytes, input.base, header, 0));
    let first_keys = || first.clone();
    let facts = driver.facts.clone();
    let workers = Workers::new(|| Worker::new(job, &models, &facts, &first_keys));
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
                Stop::Item(item) => driver.note(&item, input.base + end as u64),
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
                    let keys = worker.yields.keys;
                    let mut span = Reader::resume(&chunk, at, header, place.db);
                    walk(&mut span, &mut place.clone(), usize::MAX, Some((&mut worker, job)));
                    let open = worker.yields.fold.open_records();
                    if !open.is_empty() {
                        let stretch = Stretch { data: &chunk, base: at, header };
                        let mut scratch = Scratch::default();
                        let look = |at| (at, stretch.largest_element(at, &mut scratch));
                        worker.yields.fold.close_records(&open.into_iter().map(look).collect());
                    }
                    let rows = job.ordered.take_rows(&mut worker.yields.rows);
                    job.ordered.push(number, Piece { crc: checksum(&chunk), bytes: chunk.len() as u64, rows });
                    job.progress.advance(chunk.len() as u64, worker.yields.keys - keys);
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
                push_between(job, number, checksum(&input.bytes[..covered]), covered);
                input.consume(used);
            }
            if more && !input.more() && input.bytes.is_empty() {
                // The stream ends between two items, without the end of the dump.
                let fault = Reader::resume(&[], input.base, header, 0).next_item().err();
                if let Some(fault) = fault {
                    driver.fail(fault, None);
                }
            }
            wait_for_order(job);
        }
    });
    let rdb_bytes = input.base;
    let (mut trailing_bytes, mut trailing_start) = (None, Vec::new());
    if behind == Behind::Counted && driver.end.is_some() {
        input.fill(16);
        trailing_start = input.bytes[..input.bytes.len().min(16)].to_vec();
        input.skip_all();
        trailing_bytes = Some(input.base - rdb_bytes);
    }
    if let Some(error) = input.error.take() {
        driver.error = Some(error.into());
    }
    let computed = job.ordered.crc();
    let checksum = driver.checksum_state(computed);
    let (fold, keys) = workers.finish();
    DumpResult {
        facts: driver.facts,
        fold,
        keys,
        rdb_bytes,
        trailing_bytes,
        trailing_start,
        checksum,
        item_faults: driver.item_faults,
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
        // As much again as there is: a long item is then looked at anew only a few times.
        self.fill(have + have.max(CHUNK_BYTES));
        self.bytes.len() > have
    }

    fn consume(&mut self, n: usize) {
        self.bytes.drain(..n);
        self.base += n as u64;
    }

    /// Passes over all that is left.
    fn skip_all(&mut self) {
        loop {
            self.consume(self.bytes.len());
            if !self.more() {
                return;
            }
        }
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
        Ok(item) => return driver.note(&item, input.base),
    };
    let mut name = Vec::new();
    let name = match head.key.bytes(&mut name, MAX_BLOB_BYTES) {
        Ok(name) => name.to_vec(),
        Err(fault) => return driver.fail(fault, None),
    };
    let head = KeyHead { key: RdbStr::Raw(&name), ..head };
    let head_bytes = reader.position();
    input.fill(head_bytes + START_BYTES);
    // The stream keeps nothing of the value.
    let data = input.bytes[head_bytes..input.bytes.len().min(head_bytes + START_BYTES)].to_vec();
    let value = StoredValue { kind: head.kind, dialect: header.dialect, from: 0, end: data.len(), data: &data };
    let mut digest = crc64::digest();
    let mut bytes = head_bytes as u64;
    digest.update(&input.bytes[..head_bytes]);
    input.consume(head_bytes);
    // Only for rows that want it.
    let mut print = job.format.filter(|format| format.wants_print()).map(|_| (crc64::digest(), None));
    let mut checksum = |read: &[u8]| {
        digest.update(read);
        bytes += read.len() as u64;
        if let Some((digest, first)) = &mut print {
            digest.update(read);
            *first = first.or(read.first().copied());
        }
        job.progress.advance(read.len() as u64, 0);
    };
    let mut cursor = StreamCursor::new(mem::take(&mut input.bytes), input.base, input.stream, &mut checksum);
    if job.setup.depth() == Depth::Deep {
        cursor = cursor.keeping_long();
    }
    let mut worker = workers.take();
    let read = worker.measurer.stream(&mut cursor, header.dialect, &head);
    let (window, error) = cursor.finish();
    let value_bytes = bytes - head_bytes as u64;
    match read {
        Ok(()) => {
            worker.observe(job, &head, &driver.place, &value, || {
                let (crc, first) = print.map_or((0, None), |(digest, first)| (digest.finalize(), first));
                ValuePrint::new(head.kind, first, value_bytes, crc)
            });
            driver.place.pass_key(head.expire_at_ms.is_some());
        }
        Err(fault) => driver.fail(fault, Some(head.key)),
    }
    if error.is_some() {
        input.error = error;
    }
    input.bytes = window;
    input.base += bytes - head_bytes as u64;
    let rows = job.ordered.take_rows(&mut worker.yields.rows);
    job.ordered.push(driver.number(), Piece { crc: digest.finalize(), bytes, rows });
    job.progress.advance(0, 1);
    workers.give_back(worker);
}

//! Reading a dump that is mapped into memory: boundaries ahead, spans decoded by whoever is free.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::facts::{Driver, checksum_bytes};
use super::look::{self, DumpLook};
use super::ordered::Piece;
use super::{
    DumpResult, Job, SPAN_BYTES, Stop, Worker, Workers, first_slots, push_between, slot_of_item, wait_for_order, walk,
};
use crate::analyze::Fold;
use crate::cluster::slot_of;
use crate::error::DumpError;
use crate::input::{DumpInput, Map, Opened, Source, map};
use crate::memory::Place;
use crate::rdb::crc64::{self, checksum};
use crate::rdb::{Item, Reader, Stretch};
use crate::value::{Depth, MAX_BLOB_BYTES, Scratch};

/// Dumps that are driven in this process: each keeps a thread busy, whatever else there is to do.
static DRIVEN: AtomicUsize = AtomicUsize::new(0);

/// Counts a dump as long as it is driven.
struct Drive;

impl Drive {
    fn begin() -> Drive {
        DRIVEN.fetch_add(1, Ordering::Relaxed);
        Drive
    }

    /// Spans to be handed out ahead: some keep each thread that drives nothing busy while this one decodes a slow span
    /// itself. For a thread that drives its own dump boundaries would be found for nothing.
    fn spans_ahead(&self) -> usize {
        rayon::current_num_threads().saturating_sub(DRIVEN.load(Ordering::Relaxed)) * 4
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        DRIVEN.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn read<F: Fold>(job: &Job<'_, '_, F>, map: &Map) -> DumpResult<F> {
    let data = map.bytes();
    let mut reader = match Reader::new(data) {
        Ok(reader) => reader,
        Err(fault) => return job.failed(DumpError::Fault { fault, key: None }),
    };
    let header = reader.header();
    let mut driver = Driver::new(header, job.setup.depth());
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
                driver.note(&item, before as u64);
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
    let models = job.setup.models(&driver.facts);
    let first_keys = || first_slots(reader.clone());
    let facts = driver.facts.clone();
    let workers = Workers::new(|| Worker::new(job, &models, &facts, &first_keys));
    let in_flight = AtomicUsize::new(0);
    let drive = Drive::begin();
    let lost = map::lost_pages();
    let mut walker = reader.clone();
    let decode = |worker: &mut Worker<'_, F>, start: usize, end: usize, place: &Place, number: u64| {
        let keys = worker.yields.keys;
        let mut span = Reader::resume(&data[start..end], start as u64, header, place.db);
        walk(&mut span, &mut place.clone(), usize::MAX, Some((worker, job)));
        finish_span(job, worker, (start, end), number, keys, map, lost);
    };
    rayon::in_place_scope_fifo(|scope| {
        while driver.error.is_none() && driver.end.is_none() && !job.ordered.has_failed() {
            let start = base + walker.position();
            let behind = &data[covered..start];
            let crc_behind = checksum(behind);
            let spare = in_flight.load(Ordering::Relaxed) < drive.spans_ahead();
            let place = driver.place.clone();
            let (end, stop) = if spare {
                let (end, stop) = walk::<F>(&mut walker, &mut driver.place, SPAN_BYTES, None);
                let end = base + end;
                push_between(job, driver.number(), crc_behind, behind.len());
                let number = driver.number();
                in_flight.fetch_add(1, Ordering::Relaxed);
                let (workers, in_flight, decode) = (&workers, &in_flight, &decode);
                scope.spawn_fifo(move |_| {
                    let mut worker = workers.take();
                    decode(&mut worker, start, end, &place, number);
                    workers.give_back(worker);
                    in_flight.fetch_sub(1, Ordering::Relaxed);
                });
                (end, stop)
            } else {
                let mut worker = workers.take();
                let keys = worker.yields.keys;
                let (end, stop) = walk(&mut walker, &mut driver.place, SPAN_BYTES, Some((&mut worker, job)));
                let end = base + end;
                push_between(job, driver.number(), crc_behind, behind.len());
                finish_span(job, &mut worker, (start, end), driver.number(), keys, map, lost);
                workers.give_back(worker);
                (end, stop)
            };
            covered = end;
            match stop {
                Stop::Enough => {}
                Stop::Item(item) => driver.note(&item, end as u64),
                Stop::Fault(fault, key) => driver.fail(fault, key),
                Stop::End => {
                    let fault = walker.next_item().err();
                    if let Some(fault) = fault {
                        driver.fail(fault, None);
                    }
                }
            }
            wait_for_order(job);
        }
        drop(drive); // what is left to wait for leaves this thread idle
    });
    let stop = base + walker.position();
    let rdb_bytes = if driver.error.is_some() { covered } else { stop };
    let crc_end = rdb_bytes.saturating_sub(checksum_bytes(driver.end)).max(covered);
    push_between(job, driver.number(), checksum(&data[covered..crc_end]), crc_end - covered);
    let computed = job.ordered.crc();
    let checksum = driver.checksum_state(computed);
    let (mut fold, mut keys) = workers.finish();
    let open = fold.open_records();
    if !open.is_empty() {
        let stretch = Stretch { data, base: 0, header };
        let look = |scratch: &mut Scratch, at| (at, stretch.largest_element(at, scratch));
        fold.close_records(&open.into_par_iter().map_init(Scratch::default, look).collect());
    }
    if let Some(bytes_after) = map.changed() {
        driver.error = Some(DumpError::Changed { bytes_before: data.len() as u64, bytes_after });
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
        item_faults: driver.item_faults,
        error: driver.error,
    }
}

/// Hands in what a span came to.
fn finish_span<F: Fold>(
    job: &Job<'_, '_, F>,
    worker: &mut Worker<'_, F>,
    (start, end): (usize, usize),
    number: u64,
    keys_before: u64,
    map: &Map,
    lost: u64,
) {
    // Behind decoding, which asks for most of these bytes ahead: taken first, the sum would wait for them.
    let crc = checksum(&map.bytes()[start..end]);
    let mut rows = job.ordered.take_rows(&mut worker.yields.rows);
    if map::lost_pages() != lost {
        rows.clear(); // zeros may have been read for what was in the file
    }
    let done = job.ordered.push(number, Piece { crc, bytes: (end - start) as u64, rows });
    map.release_before(done as usize);
    job.progress.advance((end - start) as u64, worker.yields.keys - keys_before);
}

/// A quick look at a dump that passes over every value; of standard input there is nothing to be seen beforehand. `hash`
/// is of a key's name.
pub fn look_at(input: &DumpInput, hash: fn(&[u8]) -> u64) -> DumpLook {
    let mut look = DumpLook::default();
    if input.source == Source::Stdin {
        return look;
    }
    let map = match input.source.open() {
        Ok(Opened::Mapped(map)) => map,
        Ok(Opened::Pipe(_)) => return look,
        Ok(Opened::Unpacked(mut unpacked)) => return look::through(&mut unpacked, hash),
        Err(error) => return DumpLook { error: Some(error.into()), ..look },
    };
    let mut reader = match Reader::new(map.bytes()) {
        Ok(reader) => reader,
        Err(fault) => return DumpLook { error: Some(DumpError::Fault { fault, key: None }), ..look },
    };
    let mut driver = Driver::new(reader.header(), Depth::Plain);
    let mut scratch = Vec::new();
    let mut digest = crc64::digest();
    let mut summed = 0;
    while driver.end.is_none() && driver.error.is_none() {
        match reader.next_item() {
            Ok(Item::Key(head)) => {
                if let Ok(key) = head.key.bytes(&mut scratch, MAX_BLOB_BYTES) {
                    let slot = &mut look.slots[usize::from(slot_of(key))];
                    slot.keys += 1;
                    slot.names = slot.names.wrapping_add(hash(key));
                }
            }
            Ok(item) => driver.note(&item, 0),
            Err(fault) => driver.fail(fault, None),
        }
        let end = reader.position() - checksum_bytes(driver.end);
        if end - summed >= SPAN_BYTES || driver.end.is_some() {
            digest.update(&map.bytes()[summed..end]);
            map.release_before(end);
            summed = end;
        }
    }
    driver.checksum_state(digest.finalize());
    DumpLook { facts: driver.facts, error: driver.error, ..look }
}

//! Reading that counts its work, and the dumps and parts of dumps that it is done on.

use std::ops::Range;

use rdbscope::pipeline::CheckedDump;
use rdbscope::rdb::{Fault, Item, RdbStr, Reader};
use rdbscope::value::{Packed, Score, Scratch, StreamFacts, StreamId, Visit};

use super::*;

/// Counts what it is told, and looks at every byte of it.
#[derive(Default)]
pub struct Work {
    pub calls: u64,
    scratch: Vec<u8>,
}

impl Work {
    fn see(&mut self, text: RdbStr<'_>) {
        self.calls += 1;
        let _ = (text.len(), text.as_int());
        // Unpacking what claims to be long must fail without memory; a megabyte is enough for any fixture.
        let _ = text.bytes(&mut self.scratch, 1 << 20);
    }
}

impl Visit for Work {
    fn string(&mut self, value: RdbStr<'_>) {
        self.see(value);
    }
    fn packed(&mut self, packed: Packed<'_>) {
        self.calls += 1;
        let _ = (packed.len, packed.claimed_entries);
    }
    fn element(&mut self, element: RdbStr<'_>) {
        self.see(element);
    }
    fn score(&mut self, score: Score<'_>) {
        match score {
            Score::Entry(text) => self.see(text),
            Score::Number(_) => self.calls += 1,
        }
    }
    fn field(&mut self, name: RdbStr<'_>) {
        self.see(name);
    }
    fn field_value(&mut self, value: RdbStr<'_>) {
        self.see(value);
    }
    fn stream_node(&mut self, _: StreamId, listpack: RdbStr<'_>) {
        self.see(listpack);
    }
    fn stream(&mut self, _: StreamFacts) {
        self.calls += 1;
    }
    fn stream_group(&mut self, name: RdbStr<'_>, _: u64) {
        self.see(name);
    }
    fn stream_pending(&mut self, _: StreamId) {
        self.calls += 1;
    }
    fn stream_consumer(&mut self, name: RdbStr<'_>, _: u64) {
        self.see(name);
    }
    fn stream_consumer_pending(&mut self, _: StreamId) {
        self.calls += 1;
    }
    fn stream_producer(&mut self, name: RdbStr<'_>, _: u64) {
        self.see(name);
    }
    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        self.see(request);
    }
    fn module_number(&mut self, _: u64) {
        self.calls += 1;
    }
    fn module_string(&mut self, value: RdbStr<'_>) {
        self.see(value);
    }
}

/// Every entry of a packed container takes two bytes or more of at most 88 times its compressed length (LZF), and all
/// else at least one byte of the file.
pub fn most_calls(bytes: usize) -> u64 {
    100 + 50 * bytes as u64
}

/// Reads on to the end or the first error, values too; skipping and decoding must agree on where each value ends. Gives
/// how it ended, and whether any value was broken inside.
pub fn read_all(mut reader: Reader<'_>, length: usize) -> (Result<(), Fault>, bool) {
    let mut scratch = Scratch::default();
    let mut work = Work::default();
    let mut broken = false;
    let end = loop {
        if reader.is_at_end() && length == 0 {
            break Ok(());
        }
        match reader.next_item() {
            Ok(Item::End { .. }) => break Ok(()),
            Ok(Item::Key(head)) => {
                let mut skipping = reader.clone();
                let skipped = skipping.finish_value();
                let decoded = reader.value(&head, &mut scratch, &mut work);
                match skipped {
                    Ok(()) => {
                        assert_eq!(
                            reader.offset(),
                            skipping.offset(),
                            "skipping and decoding differ on {head:?}: {decoded:?}"
                        );
                        assert!(reader.finish_value().is_ok());
                        broken |= decoded.is_err();
                    }
                    Err(fault) => {
                        assert!(decoded.is_err(), "decoded what cannot be skipped: {fault:?} in {head:?}");
                        assert_eq!(reader.next_item().err(), Some(fault), "and says it again");
                        break Err(fault);
                    }
                }
            }
            Ok(_) => {}
            Err(fault) => break Err(fault),
        }
        assert!(work.calls <= most_calls(length), "{} calls for {length} bytes", work.calls);
    };
    assert!(work.calls <= most_calls(length), "{} calls for {length} bytes", work.calls);
    (end, broken)
}

/// Where each item of a sound dump lies, and the database it is in.
pub fn items(bytes: &[u8]) -> Vec<(Range<usize>, u64)> {
    let mut reader = Reader::new(bytes).unwrap();
    let mut found = Vec::new();
    loop {
        let (start, db) = (reader.offset() as usize, reader.db());
        let item = reader.next_item().unwrap();
        reader.finish_value().unwrap();
        found.push((start..reader.offset() as usize, db));
        if matches!(item, Item::End { .. }) {
            return found;
        }
    }
}

/// All fixtures and all hand-made dumps, without what follows their RDB.
pub fn everything() -> Vec<(String, Vec<u8>)> {
    let recorded = dumps().into_iter().map(|(name, path)| (name, std::fs::read(path).unwrap()));
    let made = hand_made().into_iter().map(|dump| (dump.name.to_owned(), dump.bytes));
    recorded
        .chain(made)
        .map(|(name, mut bytes)| {
            let end = items(&bytes).last().unwrap().0.end;
            bytes.truncate(end);
            (name, bytes)
        })
        .collect()
}

/// Everything that a file and a pipe must agree on.
pub fn figures(checked: &CheckedDump) -> impl PartialEq + std::fmt::Debug {
    let error = checked.error.as_ref().map(ToString::to_string);
    let repeats: Vec<(u64, u64)> = checked.repeats.iter().map(|key| (key.record_at, key.first_at)).collect();
    // Of a dump that has no end nothing can follow it.
    let counts = (checked.keys, checked.damaged_values, checked.repeated_keys, checked.trailing_bytes.unwrap_or(0));
    (
        error,
        repeats,
        counts,
        checked.damages.clone(),
        checked.item_faults.clone(),
        checked.checksum,
        checked.facts.clone(),
    )
}

//! What a dump looks like before it is read for its figures.

use std::io::Read;

use super::facts::FileFacts;
use super::stream::{self, Behind};
use super::{Counter, Setup, with_job};
use crate::analyze::Fold;
use crate::cluster::placement::SlotPrint;
use crate::cluster::slot::SLOTS;
use crate::error::DumpError;
use crate::measure::Measured;
use crate::memory::{Allocator, Model, ModelOptions, Server, Thresholds};
use crate::rdb::StoredValue;

/// What a dump looks like from outside.
#[derive(Debug)]
pub struct DumpLook {
    /// Per slot.
    pub slots: Vec<SlotPrint>,
    /// What it says about itself.
    pub facts: FileFacts,
    /// Why reading ended early, if it did, or that the checksum is wrong.
    pub error: Option<DumpError>,
}

impl Default for DumpLook {
    fn default() -> DumpLook {
        DumpLook { slots: no_slots(), facts: FileFacts::default(), error: None }
    }
}

fn no_slots() -> Vec<SlotPrint> {
    vec![SlotPrint::default(); usize::from(SLOTS)]
}

/// Looks at a dump that can only be read through, with all threads.
pub(super) fn through(stream: &mut dyn Read, hash: fn(&[u8]) -> u64) -> DumpLook {
    let looked =
        with_job("", &Prints { hash }, None, &Counter::default(), |job| stream::read(job, stream, Behind::Counted));
    match looked {
        Ok(result) => DumpLook { slots: result.fold.slots, facts: result.facts, error: result.error },
        Err(_) => DumpLook::default(), // there are no rows to be written
    }
}

/// A model where nobody asks for the memory.
pub(super) fn any_model() -> Model {
    Model::new(ModelOptions {
        server: Server::newest(),
        allocator: Allocator::Jemalloc,
        cluster: false,
        thresholds: Thresholds::default(),
    })
}

/// Gathers the print of each slot, and is how to begin.
struct Prints {
    hash: fn(&[u8]) -> u64,
}

struct PrintFold {
    hash: fn(&[u8]) -> u64,
    slots: Vec<SlotPrint>,
}

impl Setup<PrintFold> for Prints {
    fn models(&self, _: &FileFacts) -> (Model, Vec<Model>) {
        (any_model(), Vec::new())
    }

    fn now_ms(&self, _: &FileFacts) -> Option<i64> {
        None
    }

    fn fold(&self, _: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> PrintFold {
        PrintFold { hash: self.hash, slots: no_slots() }
    }
}

impl Fold for PrintFold {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        let slot = &mut self.slots[usize::from(measured.slot)];
        slot.keys += 1;
        slot.names = slot.names.wrapping_add((self.hash)(measured.key));
    }

    fn merge(&mut self, other: PrintFold) {
        for (sum, slot) in self.slots.iter_mut().zip(other.slots) {
            sum.keys += slot.keys;
            sum.names = sum.names.wrapping_add(slot.names);
        }
    }
}

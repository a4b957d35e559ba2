//! A second look into dumps, for what could not be known when they were read first.

use std::collections::BTreeSet;

use super::dumps::Run;
use crate::analyze::{Fold, TopKey};
use crate::error::Error;
use crate::measure::Measured;
use crate::memory::Model;
use crate::pipeline::{self, DumpResult, FileFacts, RowFormat, Rows, Setup};
use crate::rdb::StoredValue;

/// Reads one dump of a run into what `fold` begins.
pub fn read<F: Fold>(
    run: &Run,
    dump: usize,
    fold: &(dyn Fn(&FileFacts) -> F + Sync),
    rows: Option<(&dyn RowFormat, &mut (dyn std::io::Write + Send))>,
) -> Result<DumpResult<F>, Error> {
    let bar = run.bar();
    let rows = rows.map(|(format, out)| Rows { format, out });
    let result = pipeline::read_dump(&run.inputs[dump], &Again { run, fold }, rows, &bar);
    bar.finish();
    result
}

/// The keys of these dumps that have one of the names, in any database.
pub fn find(run: &Run, dumps: &[usize], names: &BTreeSet<Box<[u8]>>) -> Result<Vec<TopKey>, Error> {
    let mut found = Vec::new();
    for &dump in dumps {
        found.extend(read(run, dump, &|_| Named { names, dump, found: Vec::new() }, None)?.fold.found);
    }
    Ok(found)
}

/// Keeps the keys that have one of the names.
pub struct Named<'n> {
    pub names: &'n BTreeSet<Box<[u8]>>,
    pub dump: usize,
    pub found: Vec<TopKey>,
}

impl Fold for Named<'_> {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        if self.names.contains(measured.key) {
            self.found.push(TopKey::new(self.dump, &measured.record(), None));
        }
    }

    fn merge(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    fn rest(&mut self) {
        self.found.sort_by(|one, other| (one.db, &one.key).cmp(&(other.db, &other.key)));
    }
}

struct Again<'a, F> {
    run: &'a Run,
    fold: &'a (dyn Fn(&FileFacts) -> F + Sync),
}

impl<F> Setup<F> for Again<'_, F> {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        let (own, _) = self.run.models(facts);
        (own, Vec::new())
    }

    fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.run.options.now_ms(facts)
    }

    fn fold(&self, facts: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> F {
        (self.fold)(facts)
    }
}

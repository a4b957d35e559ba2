//! The rows: one for each key, or for the largest.

use std::io::{self, Write};

use super::args::{BigArgs, Format, KeysArgs, NameArgs, TextArgs};
use super::dumps::{Run, say_faults};
use super::filter::KeyFilter;
use super::target::{TargetFile, keep_apart};
use crate::analyze::{Fold, TopKeys};
use crate::error::{DumpError, Error, Exit};
use crate::escape::Escape;
use crate::measure::Measured;
use crate::memory::Model;
use crate::output::columns::{Csv, Filter as _, JsonLines};
use crate::pipeline::{self, FileFacts, RowDump, RowFormat, Rows, Setup};
use crate::rdb::StoredValue;
use crate::record::KeyRecord;

/// Writes the rows that the arguments ask for.
pub fn keys(args: &KeysArgs) -> Result<Exit, Error> {
    if !args.input.from.is_empty() {
        return Err(Error::usage("--from: a summary has no rows of keys; give the dumps"));
    }
    let run = Run::new(&args.input, &NameArgs::default(), &BigArgs::default(), 0)?;
    let filter = KeyFilter::new(&args.filter)?;
    keep_apart(args.output.as_deref(), run.files())?;
    let mut file = args.output.as_deref().map(TargetFile::create).transpose()?;
    let mut stdout = io::stdout();
    let out: &mut (dyn Write + Send) = match &mut file {
        Some(file) => file,
        None => &mut stdout,
    };
    let mut exit = Exit::Done;
    let written = write_keys(&run, args, &filter, out, &mut exit);
    match written.map_err(|error| error.with_path(args.output.as_deref())) {
        // What was found until the reader left still counts.
        Err(error) if error.is_broken_pipe() => return Ok(exit),
        written => written?,
    }
    if let Some(file) = file {
        file.commit()?;
    }
    Ok(exit)
}

fn write_keys(
    run: &Run,
    args: &KeysArgs,
    filter: &KeyFilter,
    out: &mut (dyn Write + Send),
    exit: &mut Exit,
) -> Result<(), Error> {
    if args.format == Format::Csv {
        out.write_all(Csv::header().as_bytes()).map_err(|e| Error::output(None, e))?;
    }
    let bar = run.bar();
    let (counted, left_out) = run.counted();
    *exit = left_out;
    let mut top = args.top.map(TopKeys::new);
    for i in counted {
        let input = &run.inputs[i];
        let setup = KeysSetup { run, filter, dump: i, top: args.top };
        let format = RowsOf { args, filter };
        let rows = if top.is_some() { None } else { Some(Rows { format: &format, out }) };
        let result = pipeline::read_dump(input, &setup, rows, &bar)?;
        let damaged_keys = result.fold.damaged_keys;
        say_faults(&input.path_text(), result.error.as_ref(), damaged_keys);
        *exit = (*exit).max(Exit::of_dump(result.error.as_ref().map(DumpError::exit), damaged_keys));
        if let (Some(top), Some(more)) = (&mut top, result.fold.top) {
            top.merge(more);
        }
    }
    if let Some(top) = top {
        let format = RowsOf { args, filter: &KeyFilter::default() };
        let mut buffer = Vec::new();
        for key in top.into_sorted() {
            let dump = RowDump { node: &run.inputs[key.dump].name, now_ms: None, print: None };
            format.row(dump, &key.record(), &mut buffer);
        }
        out.write_all(&buffer).map_err(|e| Error::output(None, e))?;
    }
    bar.finish();
    out.flush().map_err(|e| Error::output(None, e))
}

/// Rows in the format and with the filter of the command line.
struct RowsOf<'a> {
    args: &'a KeysArgs,
    filter: &'a KeyFilter,
}

impl RowFormat for RowsOf<'_> {
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut Vec<u8>) {
        let TextArgs { escape, spreadsheet } = self.args.text;
        let filter = self.filter;
        match self.args.format {
            Format::Csv => Csv { escape, spreadsheet, filter }.row(dump, record, out),
            Format::Jsonl => {
                // JSON has no raw bytes.
                let escape = if escape == Escape::Raw { Escape::Utf8 } else { escape };
                JsonLines { escape, filter }.row(dump, record, out);
            }
        }
    }
}

/// The largest keys that pass the filter, and how many values are broken.
struct FilteredTop<'f> {
    filter: &'f KeyFilter,
    now_ms: Option<i64>,
    dump: usize,
    /// None if rows are written for all keys.
    top: Option<TopKeys>,
    damaged_keys: u64,
}

impl Fold for FilteredTop<'_> {
    fn observe(&mut self, measured: &Measured<'_>, _: &StoredValue<'_>) {
        self.damaged_keys += u64::from(measured.fault.is_some());
        if let Some(top) = &mut self.top {
            let record = &measured.record();
            if self.filter.matches(record, self.now_ms) {
                top.observe(measured.footprint_bytes, self.dump, record);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.damaged_keys += other.damaged_keys;
        if let (Some(top), Some(more)) = (&mut self.top, other.top) {
            top.merge(more);
        }
    }
}

struct KeysSetup<'a> {
    run: &'a Run,
    filter: &'a KeyFilter,
    dump: usize,
    top: Option<usize>,
}

impl<'a> Setup<FilteredTop<'a>> for KeysSetup<'a> {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        self.run.models(facts)
    }

    fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.run.options.now_ms(facts)
    }

    fn fold(&self, facts: &FileFacts, _: &dyn Fn() -> Vec<u16>) -> FilteredTop<'a> {
        FilteredTop {
            filter: self.filter,
            now_ms: self.run.options.now_ms(facts),
            dump: self.dump,
            top: self.top.map(TopKeys::new),
            damaged_keys: 0,
        }
    }
}

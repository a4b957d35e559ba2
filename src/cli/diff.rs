//! Two states compared: by their sums, key by key, or whether a key was split without loss.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{BigArgs, DiffArgs, Format, InputArgs, NameArgs, ReadingArgs};
use super::dumps::{Run, say_faults};
use super::look::{self, Named, read};
use super::run::{REPORT_TOP, say};
use super::target::{TargetFile, keep_apart, to_stdout};
use crate::analyze::TopKey;
use crate::analyze::summary::KeyRow;
use crate::diff::keys::{Comparable, KeyFigures, compare_keys};
use crate::diff::sorted::{Merge, Sorter};
use crate::diff::split::{Pieces, Split, SplitCheck, Verdict};
use crate::diff::{self, KeyCounts, Side, Which};
use crate::error::{DumpError, Error, Exit, quoted};
use crate::escape::Escape;
use crate::glob;
use crate::output::diff as output;
use crate::output::differences::DifferenceRows;
use crate::pipeline::{RowDump, RowFormat};
use crate::record::{KeyRecord, ValueType};
use crate::report::stored::Gathered;

/// Compares what the arguments name.
pub fn diff(args: &DiffArgs) -> Result<Exit, Error> {
    if !args.reading.model.compare.is_empty() {
        return Err(Error::usage("--compare: two states are compared under one model; --server gives it"));
    }
    if args.json && args.keys && args.output.is_none() {
        return Err(Error::usage("--json: the rows of --keys go to standard output; give them a file with -o"));
    }
    let old_nodes = args.nodes_old.as_deref().or(args.nodes.as_deref());
    let mut old = state(&args.old, old_nodes, args)?;
    let mut new = state(&args.new, args.nodes.as_deref(), args)?;
    if args.old == "-" && args.new == "-" {
        return Err(Error::usage("standard input can be given only once"));
    }
    agree(&mut old, &mut new)?;
    for (option, given) in [("--keys", args.keys), ("--split", !args.split.is_empty())] {
        if given && !(old.is_of_dumps() && new.is_of_dumps()) {
            return Err(Error::usage(format!(
                "{option}: a summary has no rows of keys, and a pipe is read once; give dumps"
            )));
        }
    }
    if !args.split.is_empty() {
        return splits(args, &old, &new);
    }
    let can_read_again = (old.is_of_dumps(), new.is_of_dumps());
    keep_apart(args.output.as_deref(), old.files().chain(new.files()))?;
    let rows = args.output.as_deref().map(TargetFile::create).transpose()?;
    let before = side(&mut old)?;
    let after = side(&mut new)?;
    let exit = before.exit.max(after.exit);
    let counts = if args.keys { Some(keys(args, (&old, &before), (&new, &after), rows)) } else { None };
    let counts = match counts.transpose() {
        Err(error) if error.is_broken_pipe() => return Ok(exit),
        counts => counts?,
    };
    if let (Some(counts), None) = (&counts, &args.output) {
        output::count_lines(counts).iter().for_each(|line| say(line));
        return Ok(exit);
    }
    let dumps = |side: &Side| side.nodes.iter().map(|node| node.dump).collect::<Vec<_>>();
    let (dumps_of_old, dumps_of_new) = (dumps(&before), dumps(&after));
    let mut find = |which, names: &BTreeSet<Box<[u8]>>| {
        let (run, dumps, can_read) = match which {
            Which::Old => (&old, &dumps_of_old, can_read_again.0),
            Which::New => (&new, &dumps_of_new, can_read_again.1),
        };
        if can_read { look::find(run, dumps, names).map(Some) } else { Ok(None) }
    };
    let mut diff = diff::compare(before, after, &mut find)?;
    diff.keys = counts;
    print(args.json, &diff, |out| output::write(&diff, out))?;
    Ok(exit)
}

/// Prints the document as JSON, or as `text` does it.
pub fn print(
    json: bool,
    document: &impl serde::Serialize,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    to_stdout(|out| {
        if json {
            serde_json::to_writer_pretty(&mut *out, document).map_err(io::Error::from).and_then(|()| writeln!(out))
        } else {
            text(out)
        }
    })
}

/// Splits what names a state at its commas, unless it is a path with commas, into dumps and summaries.
pub fn inputs(list: &str, nodes: Option<&Path>, reading: &ReadingArgs) -> InputArgs {
    let parts: Vec<&str> = if Path::new(list).exists() { vec![list] } else { list.split(',').collect() };
    let (from, dumps): (Vec<&str>, Vec<&str>) =
        parts.into_iter().partition(|part| Gathered::is_summary(Path::new(part)));
    InputArgs {
        dumps: dumps.into_iter().map(str::to_owned).collect(),
        from: from.into_iter().map(PathBuf::from).collect(),
        nodes: nodes.map(Path::to_owned),
        reading: reading.clone(),
    }
}

fn state(list: &str, nodes: Option<&Path>, args: &DiffArgs) -> Result<Run, Error> {
    let names = NameArgs { patterns: args.patterns.clone(), redact: None };
    let big = BigArgs { thresholds: args.thresholds.clone(), ..BigArgs::default() };
    let mut run = Run::new(&inputs(list, nodes, &args.reading), &names, &big, REPORT_TOP)?;
    run.looks_inside = true;
    Ok(run)
}

/// Measures dumps as the summaries on the other side were, and makes sure that both sides are measured alike.
fn agree(old: &mut Run, new: &mut Run) -> Result<(), Error> {
    match (old.is_stored(), new.is_stored()) {
        (true, false) => new.adopt(&old.options)?,
        (false, true) => old.adopt(&new.options)?,
        _ => {}
    }
    match old.options.of_sums().difference(&new.options.of_sums()) {
        Some(difference) => Err(Error::usage(format!("OLD and NEW cannot be compared: {difference}"))),
        None => Ok(()),
    }
}

fn side(run: &mut Run) -> Result<Side, Error> {
    let dumps = run.dumps()?;
    Ok(Side::new(dumps, &run.options, run.topology.as_ref()))
}

/// Writes the rows of the keys that differ, to standard output if not to a file.
fn keys(
    args: &DiffArgs,
    (old_run, old): (&Run, &Side),
    (new_run, new): (&Run, &Side),
    file: Option<TargetFile>,
) -> Result<KeyCounts, Error> {
    let (mut before, mut after) = (sorted(old_run, old)?, sorted(new_run, new)?);
    let matched = diff::match_nodes(
        &old.nodes.iter().map(|node| node.key()).collect::<Vec<_>>(),
        &new.nodes.iter().map(|node| node.key()).collect::<Vec<_>>(),
    );
    let comparable = |before: u32, after: u32| {
        let (before, after) = (before as usize, after as usize);
        let (one, other) = (&old.nodes[before], &new.nodes[after]);
        Comparable {
            same_node: matched[after].is_some_and(|(node, _)| node == before),
            bytes: one.format.is_some() && one.format == other.format,
            memory: one.model == other.model,
        }
    };
    let names = |side: &Side| side.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    let rows = DifferenceRows {
        escape: args.text.escape,
        spreadsheet: args.text.spreadsheet,
        old_nodes: names(old),
        new_nodes: names(new),
    };
    let mut file = file;
    let mut stdout = io::BufWriter::with_capacity(1 << 16, io::stdout());
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => &mut stdout,
    };
    let mut buffer = Vec::new();
    let mut failed = false;
    let mut write = |out: &mut dyn Write, bytes: &[u8]| out.write_all(bytes).inspect_err(|_| failed = true);
    if args.format == Format::Csv {
        write(out, DifferenceRows::header().as_bytes())
            .map_err(|error| Error::output(args.output.as_deref(), error))?;
    }
    let counts = compare_keys(&mut before, &mut after, &comparable, &mut |difference| {
        buffer.clear();
        match args.format {
            Format::Csv => rows.csv(difference, &mut buffer),
            Format::Jsonl => rows.json_line(difference, &mut buffer),
        }
        write(out, &buffer)
    });
    let counts = counts.map_err(|error| match failed {
        true => Error::output(args.output.as_deref(), error),
        false => temporary(error),
    })?;
    out.flush().map_err(|error| Error::output(args.output.as_deref(), error))?;
    if let Some(file) = file {
        file.commit()?;
    }
    Ok(counts)
}

/// All keys of a side, by database and name.
fn sorted(run: &Run, side: &Side) -> Result<Merge, Error> {
    let mut sorter = Sorter::default();
    for (node, dump) in (0u32..).zip(side.nodes.iter().map(|node| node.dump)) {
        read(run, dump, &|_| (), Some((&Entries { node }, &mut sorter)))
            .map_err(|error| error.with_path(Some(&std::env::temp_dir())))?;
    }
    sorter.finish().map_err(temporary)
}

fn temporary(error: io::Error) -> Error {
    Error::output(Some(&std::env::temp_dir()), error)
}

/// Keys as entries to be sorted.
struct Entries {
    node: u32,
}

impl RowFormat for Entries {
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut Vec<u8>) {
        if let Some(print) = dump.print {
            KeyFigures::append(self.node, record, print, out);
        }
    }

    fn wants_print(&self) -> bool {
        true
    }
}

/// Verifies what `--split` says.
fn splits(args: &DiffArgs, old: &Run, new: &Run) -> Result<Exit, Error> {
    let (dumps_of_old, exit_of_old) = old.counted();
    let (dumps_of_new, exit_of_new) = new.counted();
    let mut exit = exit_of_old.max(exit_of_new);
    // Each `=` may be the one behind the key's name.
    let candidates = |split: &str| -> Vec<(Box<[u8]>, String)> {
        let at = split.match_indices('=').map(|(at, _)| at);
        at.map(|at| (split.as_bytes()[..at].into(), split[at + 1..].to_owned())).collect()
    };
    let names: BTreeSet<Box<[u8]>> =
        args.split.iter().flat_map(|split| candidates(split)).map(|(name, _)| name).collect();
    let mut found: Vec<TopKey> = Vec::new();
    for &dump in &dumps_of_old {
        let result = read(old, dump, &|_| Named { names: &names, dump, found: Vec::new() }, None)?;
        exit = exit.max(said(old, dump, result.error.as_ref(), 0));
        found.extend(result.fold.found);
    }
    let mut wanted: Vec<(String, Split, Vec<TopKey>)> = Vec::new();
    for split in &args.split {
        let known = candidates(split).into_iter().find(|(name, _)| found.iter().any(|key| key.key == *name));
        let Some((name, glob)) = known else {
            if !split.contains('=') {
                return Err(Error::usage(format!("--split: {} has no `=` between key and glob", quoted(split))));
            }
            let shown = Escape::Utf8.text(split.as_bytes());
            return Err(Error::usage(format!("--split: OLD has no key that {} begins with", quoted(&shown))));
        };
        let pieces = glob::regex(glob.as_bytes()).map_err(|e| Error::usage(format!("--split: {e}")))?;
        let databases: BTreeSet<u64> = found.iter().filter(|key| key.key == name).map(|key| key.db).collect();
        for db in databases {
            let of_db: Vec<TopKey> = found.iter().filter(|key| key.key == name && key.db == db).cloned().collect();
            let is_string = of_db.iter().all(|key| key.value_type == ValueType::String);
            wanted.push((glob.clone(), Split { db, key: name.clone(), is_string, pieces: pieces.clone() }, of_db));
        }
    }
    let splits: Vec<&Split> = wanted.iter().map(|(_, split, _)| split).collect();
    // What is wrong with OLD has been said.
    let before = pieces(old, &dumps_of_old, &splits, &mut |_, _| ())?;
    let after = pieces(new, &dumps_of_new, &splits, &mut |dump, error| exit = exit.max(said(new, dump, error, 0)))?;
    let row = |run: &Run, key: &TopKey| KeyRow::new(&run.inputs[key.dump].name, &key.record(), Escape::Utf8);
    let checks: Vec<SplitCheck> = wanted
        .into_iter()
        .zip(before.into_iter().zip(after))
        .map(|((glob, _, keys), (before, after))| {
            let keys = keys.iter().map(|key| row(old, key)).collect();
            SplitCheck::new(Escape::Utf8.text(glob.as_bytes()), keys, &before, after, &|key| row(new, key))
        })
        .collect();
    let complete = exit == Exit::Done;
    let document = output::SplitDocument::new(complete, &checks);
    print(args.json, &document, |out| output::write_splits(&document, out))?;
    let all_there = checks.iter().all(|check| check.verdict == Verdict::Ok);
    Ok(exit.max(if all_there { Exit::Done } else { Exit::Findings }))
}

/// The pieces of each split in these dumps.
fn pieces(
    run: &Run,
    dumps: &[usize],
    splits: &[&Split],
    ended: &mut dyn FnMut(usize, Option<&DumpError>),
) -> Result<Vec<Pieces>, Error> {
    let none = |dump: usize, now_ms: Option<i64>| -> Vec<Pieces> {
        splits.iter().map(|split| Pieces::new((*split).clone(), dump, now_ms)).collect()
    };
    let mut all = none(0, None);
    for &dump in dumps {
        let result = read(run, dump, &|facts| none(dump, run.options.now_ms(facts)), None)?;
        ended(dump, result.error.as_ref());
        crate::analyze::Fold::merge(&mut all, result.fold);
    }
    Ok(all)
}

/// Says what is wrong with a dump, and gives the code for it.
fn said(run: &Run, dump: usize, error: Option<&DumpError>, damaged_keys: u64) -> Exit {
    say_faults(&run.inputs[dump].path_text(), error, damaged_keys);
    Exit::of_dump(error.map(DumpError::exit), damaged_keys)
}

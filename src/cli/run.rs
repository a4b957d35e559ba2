//! Does what the arguments ask for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser as _;

use super::args::{
    Cli, Command, Format, InputArgs, KeysArgs, ModelArgs, OverviewArgs, PlanArgs, ReportArgs, TargetArgs, TextArgs,
    YesNo,
};
use super::filter::KeyFilter;
use super::progress::Bar;
use super::target::TargetFile;
use crate::analyze::aggregate::{Aggregate, AggregateOptions, name_hash};
use crate::analyze::big::BigThresholds;
use crate::analyze::{Fold, Rebalance, Summary, TopKeys};
use crate::cluster::placement::{self, DumpPrint, Placed};
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::Topology;
use crate::error::{Error, Exit};
use crate::escape::Escape;
use crate::input::{DumpInput, Source, find_dumps};
use crate::measure::Measured;
use crate::memory::{Model, Server, Thresholds};
use crate::output::columns::{Csv, Filter, JsonLines};
use crate::output::{html, json, plan as plan_output, runbook, text};
use crate::pipeline::{self, DumpLook, DumpResult, FileFacts, RowDump, RowFormat, Rows, Setup};
use crate::record::KeyRecord;
use crate::report::{DamageCount, ReadDump, RebalanceOptions, RunOptions, exit_of, summarize};

/// Keys in each list of a report.
const REPORT_TOP: usize = 100;
/// Keys in each list of the overview.
const OVERVIEW_TOP: usize = 10;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Report(args)) => in_pool(&args.input, || report(&args)),
        Some(Command::Keys(args)) => in_pool(&args.input, || keys(&args)),
        Some(Command::Plan(args)) => in_pool(&args.input, || plan(&args)),
        None => in_pool(&cli.overview.input, || overview(&cli.overview)),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(error) if error.is_broken_pipe() => Exit::Done,
        Err(error) => {
            say(&format!("error: {error}"));
            error.exit()
        }
    };
    ExitCode::from(exit as u8)
}

/// Says something on standard error; if nobody can hear it, that is all right.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "rdbscope: {text}");
}

fn in_pool<T: Send>(args: &InputArgs, run: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let threads = args.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::usage(format!("cannot start {threads} threads: {e}")))?;
    pool.install(run)
}

/// Everything that a run reads but the dumps.
struct Run {
    inputs: Vec<DumpInput>,
    options: RunOptions,
    topology: Option<Topology>,
    progress: bool,
}

impl Run {
    fn new(args: &InputArgs, top: usize) -> Result<Run, Error> {
        let read = |path: &std::path::Path| fs::read(path).map_err(|e| Error::unreadable(path, e));
        let topology = match &args.nodes {
            Some(path) => {
                Some(Topology::parse(&read(path)?).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?)
            }
            None => None,
        };
        let model = &args.model;
        let mut thresholds = Thresholds::default();
        if let Some(path) = &model.config {
            let text = read(path)?;
            thresholds
                .read_config(&String::from_utf8_lossy(&text))
                .map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
        }
        let (compare, compare_settings) = comparisons(model, &thresholds)?;
        let options = RunOptions {
            server: model.server,
            allocator: model.allocator,
            cluster_mode: model.cluster_mode.map(|mode| mode == YesNo::Yes),
            thresholds,
            has_nodes: topology.is_some(),
            now_ms: model.now.as_deref().map(parse_time).transpose()?,
            compare,
            compare_settings,
            big: BigThresholds::default(),
            top,
            rebalance: None,
        };
        Ok(Run { inputs: find_dumps(&args.dumps)?, options, topology, progress: !args.no_progress })
    }

    fn bar(&self) -> Bar {
        Bar::new(self.inputs.iter().map(|input| input.source.known_bytes()).sum(), self.progress)
    }

    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        let (own, others) = self.options.models(facts);
        (Model::new(own), others.into_iter().map(Model::new).collect())
    }

    fn aggregate(&self, dump: usize, facts: &FileFacts, first_slots: &dyn Fn() -> Vec<u16>) -> Aggregate {
        let own_slots = self.topology.as_ref().and_then(|topology| {
            let slots = first_slots();
            let node = placement::owner_of_most(topology, slots.into_iter().map(|slot| (slot, 1)))?;
            Some(Arc::from_iter((0..SLOTS).map(|slot| topology.owner(slot) == Some(node))))
        });
        Aggregate::new(AggregateOptions {
            top: self.options.top,
            big: self.options.big,
            now_ms: self.options.now_ms(facts),
            dump,
            others: self.options.compare.len() + self.options.compare_settings.len(),
            compare_names: self.inputs.len() > 1,
            own_slots,
        })
    }

    /// Reads all dumps at once, the largest first, into sums.
    fn aggregates(&self) -> Result<Vec<ReadDump>, Error> {
        let bar = self.bar();
        let size = |input: &DumpInput| match &input.source {
            Source::File(path) => fs::metadata(path).map_or(0, |meta| meta.len()),
            Source::Stdin => u64::MAX, // someone waits at the other end
        };
        let mut order: Vec<usize> = (0..self.inputs.len()).collect();
        order.sort_by_key(|&i| (size(&self.inputs[i]), std::cmp::Reverse(i)));
        let queue = Mutex::new(order);
        let results: Mutex<BTreeMap<usize, Result<DumpResult<Aggregate>, Error>>> = Mutex::default();
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        rayon::scope_fifo(|scope| {
            for _ in 0..rayon::current_num_threads().min(self.inputs.len()) {
                scope.spawn_fifo(|_| {
                    while let Some(i) = next() {
                        let setup = AggregateSetup { run: self, dump: i };
                        let result = pipeline::read_dump(&self.inputs[i], &setup, None, &bar);
                        results.lock().unwrap_or_else(PoisonError::into_inner).insert(i, result);
                    }
                });
            }
        });
        bar.finish();
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.inputs
            .iter()
            .zip(results.into_values())
            .map(|(input, result)| Ok(ReadDump { input: input.clone(), result: result? }))
            .collect()
    }

    /// The dumps that count, found by their slots before any row is written. Names the others, and says what is wrong
    /// with them; the code is what that alone would end the program with.
    fn counted(&self) -> (Vec<usize>, Exit) {
        if self.inputs.len() < 2 {
            return (vec![0], Exit::Done);
        }
        let looks: Vec<DumpLook> = self.inputs.iter().map(|input| pipeline::look_at(input, name_hash)).collect();
        let dumps: Vec<DumpPrint<'_>> = looks
            .iter()
            .map(|look| DumpPrint {
                slots: &look.slots,
                replication: look.facts.aux("repl-id"),
                offset: look.facts.aux("repl-offset").and_then(|offset| offset.parse().ok()),
                complete: look.error.is_none(),
            })
            .collect();
        let placed: Vec<Placed> = placement::place(&dumps, self.topology.as_ref());
        let mut exit = Exit::Done;
        let mut counted = Vec::new();
        for (i, (input, placed)) in self.inputs.iter().zip(&placed).enumerate() {
            let Some(other) = placed.same_as else {
                counted.push(i);
                continue;
            };
            say(&format!(
                "{}: holds the same slots and keys as {}, as a replica's dump does; it is left out",
                input.name, self.inputs[other].name
            ));
            if let Some(error) = &looks[i].error {
                say(&format!("{}: {error}", input.path_text()));
                exit = exit.max(error.exit());
            }
        }
        (counted, exit)
    }

    /// Says what is wrong with a dump, if anything is.
    fn say_errors<F: DamageCount>(&self, input: &DumpInput, result: &DumpResult<F>) {
        if let Some(error) = &result.error {
            say(&format!("{}: {error}", input.path_text()));
        }
        match result.fold.damaged_keys() {
            0 => {}
            1 => say(&format!("{}: one value is broken inside", input.path_text())),
            n => say(&format!("{}: {n} values are broken inside", input.path_text())),
        }
    }
}

fn parse_time(text: &str) -> Result<i64, Error> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| time.as_millisecond())
        .map_err(|_| Error::usage(format!("--now: `{text}` is no time; write 2026-01-31T12:00:00Z, for example")))
}

/// What `--compare` asks for: servers, and the settings that each `name=value` changes.
type Comparisons = (Vec<Server>, Vec<(String, Thresholds)>);

fn comparisons(model: &ModelArgs, thresholds: &Thresholds) -> Result<Comparisons, Error> {
    let mut compare = Vec::new();
    let mut settings = Vec::new();
    for text in &model.compare {
        match text.split_once('=') {
            None => compare.push(text.parse().map_err(|e| Error::usage(format!("--compare: {e}")))?),
            Some((name, value)) => {
                let mut changed = thresholds.clone();
                let known = changed.set(name, value).map_err(|e| Error::usage(format!("--compare: {e}")))?;
                if !known {
                    return Err(Error::usage(format!("--compare: `{name}` is no setting that decides encodings")));
                }
                settings.push((text.clone(), changed));
            }
        }
    }
    Ok((compare, settings))
}

struct AggregateSetup<'r> {
    run: &'r Run,
    dump: usize,
}

impl Setup<Aggregate> for AggregateSetup<'_> {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        self.run.models(facts)
    }

    fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.run.options.now_ms(facts)
    }

    fn fold(&self, facts: &FileFacts, first_slots: &dyn Fn() -> Vec<u16>) -> Aggregate {
        self.run.aggregate(self.dump, facts, first_slots)
    }
}

fn overview(args: &OverviewArgs) -> Result<Exit, Error> {
    let run = Run::new(&args.input, OVERVIEW_TOP)?;
    let (summary, exit) = summary_of(&run)?;
    let stdout_error = |error| Error::output(None, error);
    if args.json {
        json::write(&summary, &mut io::stdout().lock()).map_err(stdout_error)?;
    } else {
        let mut out = anstream::stdout().lock();
        text::write(&summary, &mut out).and_then(|()| out.flush()).map_err(stdout_error)?;
    }
    Ok(exit)
}

fn summary_of(run: &Run) -> Result<(Summary, Exit), Error> {
    let dumps = run.aggregates()?;
    for dump in &dumps {
        run.say_errors(&dump.input, &dump.result);
    }
    Ok(summarize(dumps, &run.options, run.topology.as_ref()))
}

fn report(args: &ReportArgs) -> Result<Exit, Error> {
    let mut run = Run::new(&args.input, REPORT_TOP)?;
    run.options.rebalance = args.target.is_given().then(|| args.target.options());
    let page = TargetFile::create(&args.output)?;
    let json = args.json.as_deref().map(TargetFile::create).transpose()?;
    let mut csv = args.csv.as_deref().map(TargetFile::create).transpose()?;
    let (summary, exit) = match &mut csv {
        None => summary_of(&run)?,
        Some(csv) => {
            let dumps =
                aggregates_with_rows(&run, csv, &args.text).map_err(|error| error.with_path(args.csv.as_deref()))?;
            for dump in &dumps {
                run.say_errors(&dump.input, &dump.result);
            }
            summarize(dumps, &run.options, run.topology.as_ref())
        }
    };
    if args.target.is_given() {
        match &summary.rebalance {
            Some(rebalance) => args.target.check(rebalance)?,
            None => say(&why_no_plan(&summary, &args.target, &args.input)),
        }
    }
    page.write_all_and_commit(|out| html::render(&summary, out))?;
    if let Some(json) = json {
        json.write_all_and_commit(|out| json::write(&summary, out))?;
    }
    if let Some(csv) = csv {
        csv.commit()?;
    }
    say(&format!("wrote {}", args.output.display()));
    Ok(exit)
}

fn plan(args: &PlanArgs) -> Result<Exit, Error> {
    let mut run = Run::new(&args.input, REPORT_TOP)?;
    run.options.rebalance = Some(args.target.options());
    let (summary, exit) = summary_of(&run)?;
    let Some(rebalance) = &summary.rebalance else {
        // A dump that could not be read has been complained about, and may be the reason.
        return if exit == Exit::Done {
            Err(Error::usage(why_no_plan(&summary, &args.target, &args.input)))
        } else {
            Ok(exit)
        };
    };
    args.target.check(rebalance)?;
    let mut out = anstream::stdout().lock();
    let written = if args.json {
        plan_output::write_json(rebalance, summary.complete, &mut out)
    } else if args.commands {
        out.write_all(runbook::runbook(rebalance).as_bytes())
    } else {
        plan_output::write(rebalance, &mut out)
    };
    written.and_then(|()| out.flush()).map_err(|error| Error::output(None, error))?;
    Ok(exit)
}

impl TargetArgs {
    fn is_given(&self) -> bool {
        self.nodes_target.is_some() || !self.remove.is_empty()
    }

    fn options(&self) -> RebalanceOptions {
        RebalanceOptions { nodes_target: self.nodes_target.map(usize::from), leaving: self.remove.clone() }
    }

    /// Whether the nodes that are to leave are among those of the plan.
    fn check(&self, rebalance: &Rebalance) -> Result<(), Error> {
        let names: Vec<&str> = rebalance.plan.nodes.iter().map(|node| node.node.name.as_str()).collect();
        match self.remove.iter().find(|name| !names.contains(&name.as_str())) {
            Some(unknown) => {
                Err(Error::usage(format!("--remove: `{unknown}` is none of the nodes: {}", names.join(", "))))
            }
            None => Ok(()),
        }
    }
}

/// Why there is nothing to plan.
fn why_no_plan(summary: &Summary, target: &TargetArgs, input: &InputArgs) -> String {
    let why = match summary.nodes.len() {
        0 | 1 if !target.is_given() => {
            "there is one node; give the dumps of all masters, or --nodes-target to spread this one"
        }
        0 | 1 => "there is one node, and one there is to be",
        _ if summary.nodes.len() <= target.remove.len() => "--remove leaves no node",
        _ if input.nodes.is_some() => "fewer than two of the dumps are of masters in the nodes file",
        _ => "the dumps have keys in the same slots, so they are not of one cluster; give --nodes if they are",
    };
    format!("no plan: {why}")
}

/// Reads the dumps one after the other, each with all threads, so that rows come in their order.
fn aggregates_with_rows(run: &Run, out: &mut (dyn Write + Send), text: &TextArgs) -> Result<Vec<ReadDump>, Error> {
    let all = KeyFilter::default();
    let format = Csv { escape: text.escape, spreadsheet: text.spreadsheet, filter: &all };
    out.write_all(Csv::header().as_bytes()).map_err(|e| Error::output(None, e))?;
    let (counted, _) = run.counted();
    let bar = run.bar();
    let mut dumps = Vec::new();
    for (i, input) in run.inputs.iter().enumerate() {
        let setup = AggregateSetup { run, dump: i };
        let rows = counted.contains(&i).then_some(Rows { format: &format, out });
        let result = pipeline::read_dump(input, &setup, rows, &bar)?;
        dumps.push(ReadDump { input: input.clone(), result });
    }
    bar.finish();
    Ok(dumps)
}

fn keys(args: &KeysArgs) -> Result<Exit, Error> {
    let run = Run::new(&args.input, 0)?;
    let filter = KeyFilter::new(&args.filter)?;
    let mut file = args.output.as_deref().map(TargetFile::create).transpose()?;
    let mut stdout = io::stdout();
    let out: &mut (dyn Write + Send) = match &mut file {
        Some(file) => file,
        None => &mut stdout,
    };
    let exit = write_keys(&run, args, &filter, out).map_err(|error| error.with_path(args.output.as_deref()))?;
    if let Some(file) = file {
        file.commit()?;
    }
    Ok(exit)
}

fn write_keys(run: &Run, args: &KeysArgs, filter: &KeyFilter, out: &mut (dyn Write + Send)) -> Result<Exit, Error> {
    if args.format == Format::Csv {
        out.write_all(Csv::header().as_bytes()).map_err(|e| Error::output(None, e))?;
    }
    let bar = run.bar();
    let (counted, mut exit) = run.counted();
    let mut top = args.top.map(TopKeys::new);
    for i in counted {
        let input = &run.inputs[i];
        let setup = KeysSetup { run, filter, dump: i, top: args.top };
        let format = RowsOf { args, filter };
        let rows = if top.is_some() { None } else { Some(Rows { format: &format, out }) };
        let result = pipeline::read_dump(input, &setup, rows, &bar)?;
        run.say_errors(input, &result);
        exit = exit.max(exit_of(&result));
        if let (Some(top), Some(more)) = (&mut top, result.fold.top) {
            top.merge(more);
        }
    }
    if let Some(top) = top {
        let format = RowsOf { args, filter: &KeyFilter::default() };
        let mut buffer = Vec::new();
        for key in top.into_sorted() {
            let dump = RowDump { node: &run.inputs[key.dump].name, now_ms: None };
            format.row(dump, &key.record(), &mut buffer);
        }
        out.write_all(&buffer).map_err(|e| Error::output(None, e))?;
    }
    bar.finish();
    out.flush().map_err(|e| Error::output(None, e))?;
    Ok(exit)
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
    fn observe(&mut self, measured: &Measured<'_>) {
        self.damaged_keys += u64::from(measured.fault.is_some());
        let record = &measured.record;
        if let Some(top) = &mut self.top
            && self.filter.matches(record, self.now_ms)
        {
            top.observe(record.footprint_bytes.unwrap_or(0), self.dump, record);
        }
    }

    fn merge(&mut self, other: Self) {
        self.damaged_keys += other.damaged_keys;
        if let (Some(top), Some(more)) = (&mut self.top, other.top) {
            top.merge(more);
        }
    }
}

impl DamageCount for FilteredTop<'_> {
    fn damaged_keys(&self) -> u64 {
        self.damaged_keys
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

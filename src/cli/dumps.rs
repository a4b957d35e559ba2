//! Reads what a command is given: dumps, stored summaries, and the options that both are read with.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;

use super::args::{BigArgs, InputArgs, LogArgs, ModelArgs, NameArgs, TextArgs, ThresholdArgs, YesNo};
use super::filter::KeyFilter;
use super::progress::Bar;
use super::run::say;
use crate::access::{AccessLog, LogFiles};
use crate::analyze::aggregate::{Aggregate, AggregateOptions, name_hash};
use crate::analyze::cost::CostModel;
use crate::analyze::hot::Watch;
use crate::analyze::integrity::Integrity;
use crate::analyze::pattern::{PatternOptions, PatternRules, PatternTable};
use crate::analyze::summary::DumpRole;
use crate::analyze::thresholds::BigThresholds;
use crate::analyze::{Fold, Summary};
use crate::check::keys::{Checked, KeySums};
use crate::check::{InDepth, Rules};
use crate::cluster::placement::{self, DumpPrint, Placed};
use crate::cluster::slot::SLOTS;
use crate::cluster::topology::Topology;
use crate::error::{Error, Exit, shown_path};
use crate::input::{Absent, DumpInput, Source, find_dumps};
use crate::memory::{Model, Server, Thresholds};
use crate::output::columns::Csv;
use crate::pipeline::{self, DumpLook, DumpResult, FileFacts, Rows, Setup};
use crate::report::stored::{self, Gathered};
use crate::report::{KeyName, ReadDump, RunOptions, redact, summarize, watch};
use crate::value::Depth;

/// Everything that a run reads but the dumps.
pub struct Run {
    pub inputs: Vec<DumpInput>,
    pub options: RunOptions,
    pub topology: Option<Topology>,
    /// The text that the topology is of.
    nodes: Option<String>,
    patterns: Arc<PatternRules>,
    /// The dumps of stored summaries.
    stored: Vec<ReadDump>,
    log: Option<AccessLog>,
    /// Names of the log that are looked for in the dumps.
    watch: Option<Arc<Watch>>,
    /// Names that were looked for in the stored dumps.
    watched: Option<Watch>,
    /// What names are hashed with.
    secret: Option<Vec<u8>>,
    /// Whether the sums are to be stored.
    pub store: bool,
    /// Whether values are looked into where the sums do not need it: they may be compared with ones that were.
    pub looks_inside: bool,
    progress: bool,
}

/// All that a check goes by.
pub struct CheckedRun {
    pub summary: Summary,
    pub exit: Exit,
    pub keys: KeySums,
    pub in_depth: Vec<InDepth>,
    pub patterns: PatternTable,
}

/// The patterns of the dumps that count.
pub fn patterns_that_count(summary: &Summary, tables: Vec<PatternTable>) -> PatternTable {
    let counted = summary.dumps.iter().zip(tables).filter(|(dump, _)| dump.role == DumpRole::Counted);
    let mut tables = counted.map(|(_, table)| table);
    let mut all = tables.next().unwrap_or_default();
    tables.for_each(|table| all.merge(table));
    all
}

/// A secret that is shorter could be guessed.
const SECRET_BYTES: usize = 16;

impl Run {
    /// A run with lists of `top` keys.
    pub fn new(args: &InputArgs, names: &NameArgs, big: &BigArgs, top: usize) -> Result<Run, Error> {
        Run::with_absent(args, names, big, top, Absent::Error)
    }

    /// The same, for a command that has its own way with dumps that are not there.
    pub fn with_absent(
        args: &InputArgs,
        names: &NameArgs,
        big: &BigArgs,
        top: usize,
        absent: Absent,
    ) -> Result<Run, Error> {
        let read = |path: &Path| fs::read(path).map_err(|e| Error::unreadable(path, e));
        let in_file = |path: &Path, what: String| Error::usage(format!("{}: {what}", shown_path(path)));
        let model = &args.reading.model;
        let mut thresholds = Thresholds::default();
        if let Some(path) = &model.config {
            let text = read(path)?;
            thresholds.read_config(&String::from_utf8_lossy(&text)).map_err(|e| in_file(path, e.to_string()))?;
        }
        let (compare, compare_settings) = comparisons(model, &thresholds)?;
        let mut options = RunOptions {
            server: model.server,
            allocator: model.allocator,
            cluster_mode: model.cluster_mode.map(|mode| mode == YesNo::Yes),
            thresholds,
            now_ms: model.now.as_deref().map(parse_time).transpose()?,
            compare,
            compare_settings,
            big: big.thresholds.parse()?,
            costs: big.costs()?,
            patterns: PatternOptions {
                separators: names.patterns.separators.clone(),
                groups: names.patterns.group.clone(),
            },
            ..RunOptions::new(top)
        };
        let mut stored = Vec::new();
        let mut watched = None;
        let mut nodes = None;
        let given = args.nodes.as_deref().map(|path| Ok::<_, Error>((path, read(path)?))).transpose()?;
        options.has_nodes = given.is_some();
        if let Some(gathered) = Gathered::read(&args.from)? {
            let RunOptions { has_nodes, redacted, .. } = gathered.options;
            let kept = RunOptions { has_nodes, redacted, ..options.clone() };
            let plain = RunOptions { has_nodes, redacted, ..RunOptions::new(top) };
            if plain.difference(&kept).is_some()
                && let Some(difference) = gathered.options.difference(&kept)
            {
                let how = "the sums are as they were read, first in the summary, then on the command line";
                return Err(Error::usage(format!("{}: {difference}: {how}", shown_path(&args.from[0]))));
            }
            options = RunOptions { top, costs: options.costs, ..gathered.options };
            stored = gathered.dumps;
            watched = Some(Watch::new(gathered.watched.iter().map(|KeyName(name)| &**name)));
            nodes = gathered.nodes;
        }
        if let Some((path, text)) = given {
            let text = String::from_utf8(text).map_err(|_| in_file(path, "is no text".to_owned()))?;
            Topology::parse(text.as_bytes()).map_err(|e| in_file(path, e.to_string()))?;
            nodes = Some(text);
        }
        let secret = names.redact.as_deref().map(|path| secret(path, &read(path)?)).transpose()?;
        if options.redacted && secret.is_some() {
            return Err(Error::usage("the names in the summary are redacted already"));
        }
        options.redacted |= secret.is_some();
        Ok(Run {
            inputs: find_dumps(&args.dumps, absent)?,
            topology: nodes.as_deref().and_then(|text| Topology::parse(text.as_bytes()).ok()),
            nodes,
            patterns: Arc::new(PatternRules::new(&options.patterns).map_err(Error::usage)?),
            options,
            stored,
            log: None,
            watch: None,
            watched,
            secret,
            looks_inside: false,
            store: false,
            progress: !args.reading.no_progress,
        })
    }

    /// The files that are read as dumps.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::File(path) => Some(path.as_path()),
            Source::Stdin => None,
        })
    }

    /// Reads the logs that the dumps are joined to.
    pub fn with_logs(mut self, args: &LogArgs) -> Result<Run, Error> {
        let LogArgs { monitor, slowlog, hits } = args;
        let files = LogFiles { monitor: monitor.clone(), slowlog: slowlog.clone(), hits: hits.clone() };
        self.log = AccessLog::read(&files)?;
        let Some(log) = &self.log else { return Ok(self) };
        if self.options.redacted {
            return Err(Error::usage("--redact: the names in logs cannot be hidden; leave out the logs"));
        }
        let watch = watch(log);
        if self.watched.as_ref().is_some_and(|watched| !watched.covers(&watch)) {
            return Err(Error::usage("--from: the summary was made without these logs; give the dumps"));
        }
        self.watch = Some(Arc::new(watch));
        Ok(self)
    }

    pub fn bar(&self) -> Bar {
        Bar::new(self.inputs.iter().map(|input| input.source.known_bytes()).sum(), self.progress)
    }

    pub fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
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
            dump: self.stored.len() + dump,
            others: self.options.compare.len() + self.options.compare_settings.len(),
            compare_names: self.inputs.len() + self.stored.len() > 1 || self.store,
            own_slots,
            patterns: Arc::clone(&self.patterns),
            watch: self.watch.clone(),
        })
    }

    /// Reads all dumps and puts them together, with those of the stored summaries: the summary, the code to end with,
    /// and what the summary was made of, if that is wanted.
    pub fn summary(mut self) -> Result<(Summary, Exit, Option<Box<RawValue>>), Error> {
        let dumps = self.aggregates()?;
        self.put_together(dumps)
    }

    /// All dumps: those of the stored summaries, and the others, which are read now. What is wrong with these is said.
    pub fn dumps(&mut self) -> Result<Vec<ReadDump>, Error> {
        let read = self.aggregates()?;
        Ok(self.with_stored(read))
    }

    /// Whether everything is in dumps that can be read again.
    pub fn is_of_dumps(&self) -> bool {
        self.stored.is_empty() && self.inputs.iter().all(|input| input.source != Source::Stdin)
    }

    /// Whether some of it is in stored summaries.
    pub fn is_stored(&self) -> bool {
        !self.stored.is_empty()
    }

    /// Takes over the options that others' sums were made with, as far as they decide these sums.
    pub fn adopt(&mut self, options: &RunOptions) -> Result<(), Error> {
        let RunOptions { has_nodes, redacted, .. } = self.options;
        self.options =
            RunOptions { has_nodes, redacted, compare: Vec::new(), compare_settings: Vec::new(), ..options.clone() };
        self.patterns = Arc::new(PatternRules::new(&options.patterns).map_err(Error::usage)?);
        Ok(())
    }

    /// As [`Run::summary`], with rows for all keys.
    pub fn summary_with_rows(
        mut self,
        out: &mut (dyn Write + Send),
        text: &TextArgs,
    ) -> Result<(Summary, Exit, Option<Box<RawValue>>), Error> {
        let dumps = self.aggregates_with_rows(out, text)?;
        self.put_together(dumps)
    }

    fn with_stored(&mut self, read: Vec<ReadDump>) -> Vec<ReadDump> {
        let mut dumps = std::mem::take(&mut self.stored);
        for dump in read {
            say_faults(&dump.path, dump.error.as_ref(), dump.fold.damaged_keys);
            dumps.push(dump);
        }
        if let Some(secret) = &self.secret {
            redact(&mut dumps, secret);
        }
        dumps
    }

    fn put_together(&mut self, read: Vec<ReadDump>) -> Result<(Summary, Exit, Option<Box<RawValue>>), Error> {
        let dumps = self.with_stored(read);
        let store = || stored::to_store(&self.options, self.nodes.as_deref(), self.watch.as_deref(), &dumps);
        let gathered = self.store.then(store).transpose().map_err(|error| Error::output(None, error.into()))?;
        let (summary, exit) = summarize(dumps, &self.options, self.topology.as_ref(), self.log.as_ref());
        Ok((summary, exit, gathered))
    }

    /// Reads all dumps at once, the largest first, into sums.
    fn aggregates(&self) -> Result<Vec<ReadDump>, Error> {
        let results = self.read_all(|dump| AggregateSetup { run: self, dump })?;
        Ok(self.inputs.iter().zip(results).map(|(input, result)| ReadDump::new(input, result)).collect())
    }

    /// Reads all dumps at once, the largest first; `setup` is for the dump at that place of the command line.
    fn read_all<F: Fold, S: Setup<F>>(&self, setup: impl Fn(usize) -> S + Sync) -> Result<Vec<DumpResult<F>>, Error> {
        let bar = self.bar();
        let size = |input: &DumpInput| match &input.source {
            Source::File(path) => fs::metadata(path).map_or(0, |meta| meta.len()),
            Source::Stdin => u64::MAX, // someone waits at the other end
        };
        let mut order: Vec<usize> = (0..self.inputs.len()).collect();
        order.sort_by_key(|&i| (size(&self.inputs[i]), std::cmp::Reverse(i)));
        let queue = Mutex::new(order);
        let results: Mutex<BTreeMap<usize, Result<DumpResult<F>, Error>>> = Mutex::default();
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        rayon::scope_fifo(|scope| {
            for _ in 0..rayon::current_num_threads().min(self.inputs.len()) {
                scope.spawn_fifo(|_| {
                    while let Some(i) = next() {
                        let result = pipeline::read_dump(&self.inputs[i], &setup(i), None, &bar);
                        results.lock().unwrap_or_else(PoisonError::into_inner).insert(i, result);
                    }
                });
            }
        });
        bar.finish();
        results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    /// Reads all dumps and checks them: what the rules ask of keys, over the dumps that count, and the summary.
    pub fn check(mut self, rules: &Arc<Rules>) -> Result<CheckedRun, Error> {
        let results = self.read_all(|dump| CheckSetup { run: &self, rules, dump })?;
        let (mut dumps, mut sums, mut in_depth) = (Vec::new(), Vec::new(), Vec::new());
        for (input, result) in self.inputs.iter().zip(results) {
            let (mut result, (keys, mut integrity)) =
                result.split(|Checked { aggregate, keys, integrity }| (aggregate, (keys, integrity)));
            let (repeated_keys, repeats) = pipeline::repeated_keys(input, &result.facts, &mut integrity)?;
            let item_faults = std::mem::take(&mut result.item_faults);
            in_depth.push(InDepth { repeated_keys, repeats, item_faults });
            dumps.push(ReadDump::new(input, result));
            sums.push(keys);
        }
        let patterns: Vec<PatternTable> = dumps.iter().map(|dump| dump.fold.patterns.clone()).collect();
        let (summary, exit, _) = self.put_together(dumps)?;
        let sound = in_depth.iter().all(InDepth::is_sound);
        let exit = if sound { exit } else { exit.max(Exit::Damaged) };
        let patterns = patterns_that_count(&summary, patterns);
        let mut all = KeySums::new(Arc::clone(rules), 0, "");
        for (dump, sums) in summary.dumps.iter().zip(sums) {
            if dump.role == DumpRole::Counted {
                all.merge(sums);
            }
        }
        Ok(CheckedRun { summary, exit, keys: all, in_depth, patterns })
    }

    /// Folds names as others were, so that their patterns can be compared.
    pub fn fold_like(&mut self, patterns: &PatternOptions) -> Result<(), Error> {
        self.options.patterns = patterns.clone();
        self.patterns = Arc::new(PatternRules::new(patterns).map_err(Error::usage)?);
        Ok(())
    }

    /// The dumps that count, found by their slots before any row is written. Names the others, and says what is wrong
    /// with them; the code is what that alone would end the program with.
    pub fn counted(&self) -> (Vec<usize>, Exit) {
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

    /// Reads the dumps one after the other, each with all threads, so that rows come in their order.
    fn aggregates_with_rows(&self, out: &mut (dyn Write + Send), text: &TextArgs) -> Result<Vec<ReadDump>, Error> {
        let all = KeyFilter::default();
        let format = Csv { escape: text.escape, spreadsheet: text.spreadsheet, filter: &all };
        out.write_all(Csv::header().as_bytes()).map_err(|e| Error::output(None, e))?;
        let (counted, _) = self.counted();
        let bar = self.bar();
        let mut dumps = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let setup = AggregateSetup { run: self, dump: i };
            let rows = counted.contains(&i).then_some(Rows { format: &format, out });
            let result = pipeline::read_dump(input, &setup, rows, &bar)?;
            dumps.push(ReadDump::new(input, result));
        }
        bar.finish();
        Ok(dumps)
    }
}

/// Says what is wrong with a dump, if anything is.
pub fn say_faults(path: &str, error: Option<&impl Display>, damaged_keys: u64) {
    if let Some(error) = error {
        say(&format!("{path}: {error}"));
    }
    match damaged_keys {
        0 => {}
        1 => say(&format!("{path}: one value is broken inside")),
        n => say(&format!("{path}: {n} values are broken inside")),
    }
}

/// The secret in a file, without the newline that editors put at its end.
fn secret(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let secret = bytes.trim_ascii_end();
    if secret.len() < SECRET_BYTES {
        let what = format!("{} bytes are too short for a secret: it needs {SECRET_BYTES}", secret.len());
        return Err(Error::usage(format!("{}: {what}", shown_path(path))));
    }
    Ok(secret.to_vec())
}

impl ThresholdArgs {
    /// From where on a key is big.
    fn parse(&self) -> Result<BigThresholds, Error> {
        let mut thresholds = BigThresholds::default();
        self.big.iter().try_for_each(|text| thresholds.set(text)).map_err(|e| Error::usage(format!("--big: {e}")))?;
        Ok(thresholds)
    }
}

impl BigArgs {
    /// What costs are estimated from.
    fn costs(&self) -> Result<CostModel, Error> {
        let mut costs = CostModel::default();
        self.cost.iter().try_for_each(|text| costs.set(text)).map_err(|e| Error::usage(format!("--cost: {e}")))?;
        let migrate = &mut costs.migrate;
        migrate.link_bytes_per_second = self.link_speed.unwrap_or(migrate.link_bytes_per_second);
        migrate.timeout_ms = self.migrate_timeout.unwrap_or(migrate.timeout_ms);
        Ok(costs)
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

struct CheckSetup<'r> {
    run: &'r Run,
    rules: &'r Arc<Rules>,
    dump: usize,
}

impl Setup<Checked> for CheckSetup<'_> {
    fn models(&self, facts: &FileFacts) -> (Model, Vec<Model>) {
        self.run.models(facts)
    }

    fn now_ms(&self, facts: &FileFacts) -> Option<i64> {
        self.run.options.now_ms(facts)
    }

    fn fold(&self, facts: &FileFacts, first_slots: &dyn Fn() -> Vec<u16>) -> Checked {
        let node = &self.run.inputs[self.dump].name;
        Checked {
            aggregate: self.run.aggregate(self.dump, facts, first_slots),
            keys: KeySums::new(Arc::clone(self.rules), self.dump, node),
            integrity: Integrity::default(),
        }
    }

    fn depth(&self) -> Depth {
        Depth::Deep
    }
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

    /// What holds no element that makes a key big need not be unpacked. An integer's text is up to twice as long as what
    /// holds it.
    fn depth(&self) -> Depth {
        match self.run.looks_inside {
            true => Depth::Plain,
            false => Depth::Outlines { bytes: self.run.options.big.small_element_bytes() / 2 },
        }
    }
}

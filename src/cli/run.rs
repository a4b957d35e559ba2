//! Does what the arguments ask for.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use super::args::{Cli, Command, InputArgs, NameArgs, OverviewArgs, PlanArgs, ReadingArgs, ReportArgs, TargetArgs};
use super::check::check;
use super::diff::diff;
use super::dumps::Run;
use super::forecast::forecast;
use super::keys::keys;
use super::target::{TargetFile, keep_apart, to_stdout};
use crate::analyze::{Rebalance, Summary};
use crate::error::{Error, Exit};
use crate::output::{html, json, plan as plan_output, runbook, text};
use crate::report::RebalanceOptions;

/// Keys in each list of a report.
pub const REPORT_TOP: usize = 100;
/// Keys in each list of the overview.
const OVERVIEW_TOP: usize = 10;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(unix)]
    if let Err(error) = super::signals::listen() {
        say(&format!("note: a signal may leave temporary files behind: {error}"));
    }
    let done = match cli.command {
        Some(Command::Report(args)) => in_pool(&args.input.reading, || report(&args)),
        Some(Command::Keys(args)) => in_pool(&args.input.reading, || keys(&args)),
        Some(Command::Plan(args)) => in_pool(&args.input.reading, || plan(&args)),
        Some(Command::Check(args)) => in_pool(&args.input.reading, || check(&args)),
        Some(Command::Diff(args)) => in_pool(&args.reading, || diff(&args)),
        Some(Command::Forecast(args)) => in_pool(&args.reading, || forecast(&args)),
        None => in_pool(&cli.overview.input.reading, || overview(&cli.overview)),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(error) => {
            say(&format!("error: {error}"));
            error.exit()
        }
    };
    ExitCode::from(exit as u8)
}

/// Says something on standard error; if nobody can hear it, that is all right.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "rdbscope: {text}");
}

fn in_pool<T: Send>(args: &ReadingArgs, run: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let threads = args.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::usage(format!("cannot start {threads} threads: {e}")))?;
    pool.install(run)
}

fn overview(args: &OverviewArgs) -> Result<Exit, Error> {
    let run = Run::new(&args.input, &args.names, &args.big, OVERVIEW_TOP)?.with_logs(&args.logs)?;
    let (summary, exit, _) = run.summary()?;
    to_stdout(|out| if args.json { json::write(&summary, out) } else { text::write(&summary, out) })?;
    Ok(exit)
}

fn report(args: &ReportArgs) -> Result<Exit, Error> {
    if args.csv.is_some() && !args.input.from.is_empty() {
        return Err(Error::usage("--csv: a summary has no rows of keys; give the dumps"));
    }
    if args.csv.is_some() && args.names.redact.is_some() {
        return Err(Error::usage("--redact: rows are written before the patterns are known that tell what to hide"));
    }
    let mut run = Run::new(&args.input, &args.names, &args.big, REPORT_TOP)?.with_logs(&args.logs)?;
    run.options.rebalance = args.target.is_given().then(|| args.target.options());
    run.store = args.json.is_some();
    let outputs = [Some(&args.output), args.json.as_ref(), args.csv.as_ref()].into_iter().flatten();
    let logs = args.logs.monitor.iter().chain(&args.logs.slowlog).chain(&args.logs.hits);
    let others = args.input.from.iter().chain(&args.input.nodes).chain(logs).map(PathBuf::as_path);
    keep_apart(outputs.map(PathBuf::as_path), run.files().chain(others))?;
    let page = TargetFile::create(&args.output)?;
    let json = args.json.as_deref().map(TargetFile::create).transpose()?;
    let mut csv = args.csv.as_deref().map(TargetFile::create).transpose()?;
    let (summary, exit, gathered) = match &mut csv {
        None => run.summary()?,
        Some(csv) => run.summary_with_rows(csv, &args.text).map_err(|error| error.with_path(args.csv.as_deref()))?,
    };
    if args.target.is_given() {
        match &summary.rebalance {
            Some(rebalance) => args.target.check(rebalance)?,
            None => say(&why_no_plan(&summary, &args.target, &args.input)),
        }
    }
    page.write_all_and_commit(|out| html::render(&summary, out))?;
    if let (Some(json), Some(gathered)) = (json, gathered) {
        json.write_all_and_commit(|out| json::write_with(&summary, &gathered, out))?;
    }
    if let Some(csv) = csv {
        csv.commit()?;
    }
    say(&format!("wrote {}", args.output.display()));
    Ok(exit)
}

fn plan(args: &PlanArgs) -> Result<Exit, Error> {
    let mut run = Run::new(&args.input, &NameArgs::default(), &args.big, REPORT_TOP)?;
    run.options.rebalance = Some(args.target.options());
    let (summary, exit, _) = run.summary()?;
    let Some(rebalance) = &summary.rebalance else {
        // A dump that could not be read has been complained about, and may be the reason.
        return if exit == Exit::Done {
            Err(Error::usage(why_no_plan(&summary, &args.target, &args.input)))
        } else {
            Ok(exit)
        };
    };
    args.target.check(rebalance)?;
    to_stdout(|out| {
        if args.json {
            plan_output::write_json(rebalance, summary.complete, out)
        } else if args.commands {
            out.write_all(runbook::runbook(rebalance).as_bytes())
        } else {
            plan_output::write(rebalance, out)
        }
    })?;
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

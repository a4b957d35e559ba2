//! The nightly check.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstream::StripStream;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{BigArgs, CheckArgs, CheckForm, FailOn, NameArgs};
use super::dumps::{CheckedRun, Run, patterns_that_count};
use super::run::{REPORT_TOP, say};
use super::target::{TargetFile, keep_apart, to_stdout};
use crate::analyze::Summary;
use crate::analyze::pattern::{PatternOptions, PatternTable, align};
use crate::check::{self, Baseline, CheckReport, Evidence, Level, Rules};
use crate::cluster::topology::Topology;
use crate::error::{Error, Exit, shown_path};
use crate::input::Absent;
use crate::output::check::{github, json, junit, markdown, prometheus, sarif, text};
use crate::report::stored::Gathered;
use crate::report::{RunOptions, summarize};

/// The rules file that is read without being asked for.
const USUAL_RULES: &str = "rdbscope.toml";

/// Checks what the arguments name.
pub fn check(args: &CheckArgs) -> Result<Exit, Error> {
    if let Some(rule) = args.explain {
        to_stdout(|out| text::explain(rule, out))?;
        return Ok(Exit::Done);
    }
    if !args.input.from.is_empty() {
        return Err(Error::usage("--from: a summary is no backup; give the dumps"));
    }
    let mut rules = read_rules(args.rules.as_deref())?;
    // A dump that is not there is what the check is to find.
    let mut run = Run::with_absent(&args.input, &NameArgs::default(), &BigArgs::default(), REPORT_TOP, Absent::Dump)?;
    let read = [&args.rules, &args.baseline, &args.input.nodes].into_iter().flatten().map(PathBuf::as_path);
    let files = args.output.iter().map(|output| output.path.as_path()).filter(|path| *path != Path::new("-"));
    keep_apart(files, run.files().chain(read))?;
    let targets = Targets::create(args)?;
    let baseline = args.baseline.as_deref().map(|path| baseline(path, &run.options)).transpose()?;
    if let Some(baseline) = &baseline {
        run.fold_like(&baseline.pattern_options)?;
    }
    let now = match run.options.now_ms {
        Some(ms) => Timestamp::from_millisecond(ms).map_err(|error| Error::usage(format!("--now: {error}")))?,
        None => Timestamp::now(),
    };
    let expired_ignores = rules.take_expired(now.to_zoned(TimeZone::UTC).date());
    let rules = Arc::new(rules);
    let CheckedRun { summary, exit: read, keys, in_depth, patterns } = run.check(&rules)?;
    let baseline = baseline.map(|base| Baseline { patterns: align(base.patterns, patterns), summary: base.summary });
    let fail_on = match args.fail_on {
        FailOn::Error => Some(Level::Error),
        FailOn::Warning => Some(Level::Warning),
        FailOn::Never => None,
    };
    let report = check::check(Evidence {
        rules: &rules,
        expired_ignores: &expired_ignores,
        keys,
        summary,
        in_depth,
        baseline: baseline.as_ref(),
        now,
        fail_on,
        is_whole: read == Exit::Done,
    });
    let found = if report.passed { Exit::Done } else { Exit::Findings };
    let exit = read.max(found);
    match targets.write(&report) {
        // What is known of the dumps is graver than that not all could be told.
        Err(error) if exit > error.exit() => {
            say(&format!("error: {error}"));
            Ok(exit)
        }
        written => written.map(|()| exit),
    }
}

fn read_rules(path: Option<&Path>) -> Result<Rules, Error> {
    let usual = Path::new(USUAL_RULES);
    // A link to nothing is there, and wrong.
    let is_there = || usual.symlink_metadata().is_ok();
    let Some(path) = path.or_else(|| is_there().then_some(usual)) else { return Ok(Rules::default()) };
    let at_fault = |what: &dyn fmt::Display| Error::usage(format!("{}: {what}", shown_path(path)));
    let bytes = fs::read(path).map_err(|error| at_fault(&format_args!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| at_fault(&"is no UTF-8"))?;
    Rules::parse(&text).map_err(|what| at_fault(&what))
}

/// The stored state to compare with.
struct StoredBaseline {
    summary: Summary,
    patterns: PatternTable,
    pattern_options: PatternOptions,
}

fn baseline(path: &Path, checked: &RunOptions) -> Result<StoredBaseline, Error> {
    let at_fault = |what: &str| Error::usage(format!("--baseline: {}: {what}", shown_path(path)));
    let Gathered { options, nodes, dumps, .. } =
        Gathered::read(&[path.to_owned()])?.ok_or_else(|| at_fault("is no summary"))?;
    // What decides no sum that is compared, or is taken over from the baseline.
    let alike = RunOptions {
        patterns: options.patterns.clone(),
        redacted: options.redacted,
        big: options.big,
        ..checked.of_sums()
    };
    if let Some(difference) = options.of_sums().difference(&alike) {
        return Err(at_fault(&format!("{difference}: first in the baseline, then on the command line")));
    }
    let topology = nodes.as_deref().and_then(|text| Topology::parse(text.as_bytes()).ok());
    let patterns = dumps.iter().map(|dump| dump.fold.patterns.clone()).collect();
    let (summary, _) = summarize(dumps, &options, topology.as_ref(), None);
    if !summary.complete {
        return Err(at_fault("is of a dump that was not whole: what grew since cannot be told"));
    }
    let patterns = patterns_that_count(&summary, patterns);
    Ok(StoredBaseline { summary, patterns, pattern_options: options.patterns })
}

/// Where the result goes.
struct Targets {
    files: Vec<(CheckForm, TargetFile)>,
    /// What goes to standard output in place of the text.
    stdout: Option<CheckForm>,
    github: bool,
}

impl Targets {
    fn create(args: &CheckArgs) -> Result<Targets, Error> {
        let mut targets = Targets { files: Vec::new(), stdout: None, github: false };
        for output in &args.output {
            if output.form == CheckForm::Github {
                targets.github = true;
            } else if output.path == Path::new("-") {
                if targets.stdout.replace(output.form).is_some() {
                    return Err(Error::usage("--output: only one form can go to standard output"));
                }
            } else {
                targets.files.push((output.form, TargetFile::create(&output.path)?));
            }
        }
        if targets.github && targets.stdout.is_some() {
            return Err(Error::usage("--output: github goes to standard output; give the other form a file"));
        }
        Ok(targets)
    }

    /// Writes them all; the first that fails does not keep the others.
    fn write(self, report: &CheckReport) -> Result<(), Error> {
        let mut done = Ok(());
        for (form, file) in self.files {
            done = done.and(file.write_all_and_commit(|out| write(form, report, out)));
        }
        done = done.and(to_stdout(|out| match (self.stdout, self.github) {
            (Some(form), _) => write(form, report, out),
            (None, false) => text::write(report, out),
            (None, true) => {
                let mut plain = StripStream::new(Vec::new());
                text::write(report, &mut plain)?;
                github::write_inert(&String::from_utf8_lossy(&plain.into_inner()), out)?;
                github::write(report, out)
            }
        }));
        let step = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| self.github && !path.is_empty());
        match step.map(PathBuf::from) {
            Some(path) => done.and(append_markdown(&path, report).map_err(|error| Error::output(Some(&path), error))),
            None => done,
        }
    }
}

fn append_markdown(path: &Path, report: &CheckReport) -> io::Result<()> {
    let mut text = Vec::new();
    markdown::write(report, &mut text)?;
    File::options().append(true).create(true).open(path)?.write_all(&text)
}

fn write(form: CheckForm, report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    match form {
        CheckForm::Json => json::write(report, out),
        CheckForm::Junit => junit::write(report, out),
        CheckForm::Github => github::write(report, out),
        CheckForm::Markdown => markdown::write(report, out),
        CheckForm::Sarif => sarif::write(report, out),
        CheckForm::Prometheus => prometheus::write(report, out),
    }
}

//! The nightly check.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{BigArgs, CheckArgs, CheckForm, FailOn, NameArgs};
use super::dumps::{CheckedRun, Run, patterns_that_count};
use super::run::REPORT_TOP;
use super::target::{TargetFile, to_stdout};
use crate::analyze::Summary;
use crate::analyze::pattern::{PatternOptions, PatternTable, align};
use crate::check::{self, Baseline, CheckReport, Evidence, Level, Rules};
use crate::cluster::topology::Topology;
use crate::error::{Error, Exit};
use crate::output::check::{github, json, junit, markdown, prometheus, sarif, text};
use crate::report::stored::Gathered;
use crate::report::summarize;

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
    let targets = Targets::create(args)?;
    let mut run = Run::new(&args.input, &NameArgs::default(), &BigArgs::default(), REPORT_TOP)?;
    let baseline = args.baseline.as_deref().map(baseline).transpose()?;
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
    });
    targets.write(&report)?;
    let found = if report.passed { Exit::Done } else { Exit::Findings };
    Ok(read.max(found))
}

fn read_rules(path: Option<&Path>) -> Result<Rules, Error> {
    let usual = Path::new(USUAL_RULES);
    let Some(path) = path.or_else(|| usual.exists().then_some(usual)) else { return Ok(Rules::default()) };
    let bytes = fs::read(path).map_err(|error| Error::unreadable(path, error))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::usage(format!("{}: is no UTF-8", path.display())))?;
    Rules::parse(&text).map_err(|what| Error::usage(format!("{}: {what}", path.display())))
}

/// The stored state to compare with.
struct StoredBaseline {
    summary: Summary,
    patterns: PatternTable,
    pattern_options: PatternOptions,
}

fn baseline(path: &Path) -> Result<StoredBaseline, Error> {
    let none = || Error::usage(format!("{}: is no summary", path.display()));
    let Gathered { options, nodes, dumps, .. } = Gathered::read(&[path.to_owned()])?.ok_or_else(none)?;
    let topology = nodes.as_deref().and_then(|text| Topology::parse(text.as_bytes()).ok());
    let patterns = dumps.iter().map(|dump| dump.fold.patterns.clone()).collect();
    let (summary, _) = summarize(dumps, &options, topology.as_ref(), None);
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
        Ok(targets)
    }

    fn write(self, report: &CheckReport) -> Result<(), Error> {
        for (form, file) in self.files {
            file.write_all_and_commit(|out| write(form, report, out))?;
        }
        to_stdout(|out| {
            match self.stdout {
                Some(form) => write(form, report, out)?,
                None => text::write(report, out)?,
            }
            if self.github { github::write(report, out) } else { Ok(()) }
        })?;
        match std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from).filter(|_| self.github) {
            Some(path) => append_markdown(&path, report).map_err(|error| Error::output(Some(&path), error)),
            None => Ok(()),
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

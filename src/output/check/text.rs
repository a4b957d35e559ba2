//! For people, on a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::verdict;
use crate::check::{CheckReport, Finding, Level, Rule};
use crate::output::text::{BOLD, heading};
use crate::units::{bytes, count};

/// Findings of a rule that are printed; the rest is counted.
const SHOWN: usize = 20;

/// Prints the result. Styles are ANSI sequences; a writer that cannot show them takes them out.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let style = AnsiColor::Green.on_default().bold();
    let style = if report.passed { style } else { AnsiColor::Red.on_default().bold() };
    writeln!(out, "{style}{}{style:#}", verdict(report))?;
    for dump in &report.dumps {
        let state = if dump.whole { "whole" } else { "NOT WHOLE" };
        let saved =
            dump.saved_at.as_deref().map_or(String::new(), |time| format!(", saved {}", time.replace(".000Z", "Z")));
        writeln!(
            out,
            "  {}: {state}, checksum {}, {} keys, {}{saved}",
            dump.name,
            dump.checksum,
            count(dump.keys),
            bytes(dump.rdb_bytes)
        )?;
    }
    for level in [Level::Error, Level::Warning] {
        for rule in Rule::ALL {
            let found: Vec<&Finding> =
                report.findings.iter().filter(|finding| (finding.level, finding.rule) == (level, rule)).collect();
            of_rule(level, rule, &found, out)?;
        }
    }
    if !report.ignored.is_empty() {
        heading(out, "Ignored")?;
        for ignored in &report.ignored {
            let Finding { rule, .. } = ignored.finding;
            writeln!(out, "  {rule}: {} (until {}: {})", ignored.finding.sentence(), ignored.until, ignored.reason)?;
        }
    }
    if !report.not_checked.is_empty() {
        heading(out, "Not checked")?;
        for entry in &report.not_checked {
            writeln!(out, "  {}: {}", entry.rule, entry.why)?;
        }
    }
    Ok(())
}

fn of_rule(level: Level, rule: Rule, found: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let style: Style = match level {
        Level::Error => AnsiColor::Red.on_default().bold(),
        Level::Warning => AnsiColor::Yellow.on_default().bold(),
    };
    let about = rule.about();
    writeln!(out, "\n{style}{}{style:#} {BOLD}{rule}{BOLD:#}: {}", level.as_str(), about.title)?;
    for finding in found.iter().take(SHOWN) {
        writeln!(out, "  {}", finding.sentence())?;
    }
    if found.len() > SHOWN {
        writeln!(out, "  and {} more", count((found.len() - SHOWN) as u64))?;
    }
    writeln!(out, "  What to do: {}", about.remedy)
}

/// Prints what a rule means.
///
/// # Errors
/// Those of the writer.
pub fn explain(rule: Rule, out: &mut dyn Write) -> io::Result<()> {
    let about = rule.about();
    writeln!(out, "{BOLD}{rule}{BOLD:#}: {}\n\n{}\n\nWhat to do: {}", about.title, about.meaning, about.remedy)?;
    if about.setting.is_empty() {
        return writeln!(out, "\nIt is always checked.");
    }
    writeln!(out, "\nIn rdbscope.toml:\n")?;
    about.setting.lines().try_for_each(|line| writeln!(out, "    {line}"))
}

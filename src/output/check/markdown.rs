//! Markdown, for a step's summary or a comment.

use std::io::{self, Write};

use super::verdict;
use crate::check::{CheckReport, Finding, Level, Rule};
use crate::units::{bytes, count};

/// Findings of a rule that are shown; the rest is counted.
const SHOWN: usize = 10;

/// Writes the result.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let sign = if report.passed { "✅" } else { "❌" };
    writeln!(out, "## {sign} rdbscope {}\n", verdict(report))?;
    writeln!(out, "| dump | | checksum | keys | RDB | saved |\n|---|---|---|--:|--:|---|")?;
    for dump in &report.dumps {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            escaped(&dump.name),
            if dump.whole { "whole" } else { "**not whole**" },
            dump.checksum,
            count(dump.keys),
            bytes(dump.rdb_bytes),
            dump.saved_at.as_deref().map_or(String::new(), |time| time.replace(".000Z", "Z"))
        )?;
    }
    for level in [Level::Error, Level::Warning] {
        for rule in Rule::ALL {
            let found: Vec<&Finding> =
                report.findings.iter().filter(|finding| (finding.level, finding.rule) == (level, rule)).collect();
            if found.is_empty() {
                continue;
            }
            let about = rule.about();
            writeln!(out, "\n### {} `{rule}`: {}\n", capital(level), about.title)?;
            for finding in found.iter().take(SHOWN) {
                writeln!(out, "- {}", escaped(&finding.sentence()))?;
            }
            if found.len() > SHOWN {
                writeln!(out, "- and {} more", found.len() - SHOWN)?;
            }
            writeln!(out, "\n{}", escaped(about.remedy))?;
        }
    }
    if !report.ignored.is_empty() {
        writeln!(out, "\n<details><summary>{} ignored</summary>\n", report.ignored.len())?;
        for ignored in &report.ignored {
            let (rule, text) = (ignored.finding.rule, escaped(&ignored.finding.sentence()));
            writeln!(out, "- `{rule}`: {text} (until {}: {})", ignored.until, escaped(&ignored.reason))?;
        }
        writeln!(out, "\n</details>")?;
    }
    for entry in &report.not_checked {
        writeln!(out, "\n`{}` was not checked: {}", entry.rule, escaped(&entry.why))?;
    }
    Ok(())
}

fn capital(level: Level) -> &'static str {
    match level {
        Level::Error => "Error",
        Level::Warning => "Warning",
    }
}

/// Text that stays text: no markup, no HTML, no line of its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            _ if character.is_control() => escaped.push(' '),
            _ => {
                if "\\`*_{}[]()#+-!|~@:".contains(character) {
                    escaped.push('\\');
                }
                escaped.push(character);
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::check::tests::{HOSTILE, report};

    #[test]
    fn names_stay_text() {
        assert_eq!(
            escaped(HOSTILE),
            "\\]\\]&gt;&lt;x a=\"b\"&gt;&amp; \\:\\:error\\:\\:100%\\|\\`\\*\\_\\[a\\]\\(b\\)\\\\"
        );
        let mut out = Vec::new();
        write(&report(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("## ❌ rdbscope failed: the dump is whole, 1 error, 1 warning\n"));
        assert!(text.contains("### Error `big-key`") && text.contains("### Warning `no-expiry`"));
        assert!(!text.contains("<x") && !text.contains("\n::error"));
        assert!(text.contains("moves soon") && text.contains("`dump-age` was not checked: no time"));
    }
}

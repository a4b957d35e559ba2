//! The result of a check in the forms that people and CI systems read.

pub mod github;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod prometheus;
pub mod sarif;
pub mod text;

use crate::check::{CheckReport, Level};

/// How many findings have a level.
fn counts(report: &CheckReport) -> (usize, usize) {
    let of = |level| report.findings.iter().filter(|finding| finding.level == level).count();
    (of(Level::Error), of(Level::Warning))
}

/// The result in a sentence.
fn verdict(report: &CheckReport) -> String {
    let plural = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let whole = report.dumps.iter().filter(|dump| dump.whole).count();
    let dumps = match (whole, report.dumps.len()) {
        (1, 1) => "the dump is whole".to_owned(),
        (_, 1) => "the dump is not whole".to_owned(),
        (whole, all) if whole == all => format!("all {all} dumps are whole"),
        (whole, all) => format!("{whole} of {all} dumps are whole"),
    };
    let found = match counts(report) {
        (0, 0) => "no rule is broken".to_owned(),
        (0, warnings) => plural(warnings, "warning"),
        (errors, 0) => plural(errors, "error"),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    };
    format!("{}: {dumps}, {found}", if report.passed { "passed" } else { "failed" })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::check::{DumpVerdict, Finding, Ignored, NotChecked, Rule, SCHEMA, Subject};

    /// A name that means something to each of the forms.
    pub(crate) const HOSTILE: &str = "]]><x a=\"b\">&\n::error::100%|`*_[a](b)\\";

    /// A report with one finding of each kind, hostile names, something ignored and something not checked.
    pub(crate) fn report() -> CheckReport {
        let finding = |level, rule: Rule, text: &str| Finding {
            level,
            rule,
            subject: Subject {
                path: Some("/backup/a,b:c.rdb".to_owned()),
                node: Some("node-1".to_owned()),
                key: Some(HOSTILE.to_owned()),
                at_byte: Some(77),
                ..Subject::default()
            },
            text: format!("{HOSTILE} {text}"),
            advice: rule.about().remedy,
        };
        CheckReport {
            schema: SCHEMA,
            rdbscope: "0.0.0",
            passed: false,
            fail_on: Some(Level::Error),
            checked_at: "2026-01-02T03:04:05Z".to_owned(),
            dumps: vec![DumpVerdict {
                name: "node-1".to_owned(),
                path: "/backup/a,b:c.rdb".to_owned(),
                whole: true,
                checksum: "right",
                keys: 12_345,
                rdb_bytes: 1 << 20,
                saved_at: Some("2026-01-01T00:00:00Z".to_owned()),
            }],
            keys: 12_345,
            footprint_bytes: 5 << 20,
            findings: vec![
                finding(Level::Error, Rule::BigKey, "is big"),
                finding(Level::Warning, Rule::NoExpiry, "stays"),
            ],
            ignored: vec![Ignored {
                finding: finding(Level::Error, Rule::BigKey, "is known"),
                reason: "moves soon".to_owned(),
                until: "2026-12-31".to_owned(),
            }],
            not_checked: vec![NotChecked { rule: Rule::DumpAge, why: "no time".to_owned() }],
            summary: None,
        }
    }

    #[test]
    fn the_verdict_counts() {
        let mut report = report();
        assert_eq!(verdict(&report), "failed: the dump is whole, 1 error, 1 warning");
        report.findings.clear();
        report.dumps.push(DumpVerdict { whole: false, ..report.dumps[0].clone() });
        assert_eq!(verdict(&report), "failed: 1 of 2 dumps are whole, no rule is broken");
        report.passed = true;
        report.dumps.pop();
        assert_eq!(verdict(&report), "passed: the dump is whole, no rule is broken");
    }
}

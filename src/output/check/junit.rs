//! JUnit's XML, which most CI systems read: a test for each dump, and one for each rule.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::check::{CheckReport, Finding, Rule};

/// Writes the result. A test fails for findings at or above what the run is to fail on; the others are its output.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let mut dumps = TestSuite::new("dumps");
    for dump in &report.dumps {
        let found = report.findings.iter().filter(|finding| {
            let is_about = finding.subject.path.as_ref() == Some(&dump.path);
            is_about
                && matches!(
                    finding.rule,
                    Rule::Unreadable | Rule::DamagedDump | Rule::BrokenValues | Rule::RepeatedKeys
                )
        });
        dumps.add_test_case(case(&dump.path, report, found.collect()));
    }
    let mut rules = TestSuite::new("rules");
    for rule in Rule::ALL {
        let found: Vec<&Finding> = report.findings.iter().filter(|finding| finding.rule == rule).collect();
        let not_checked = report.not_checked.iter().find(|entry| entry.rule == rule);
        let mut case = case(rule.name(), report, found);
        if let (Some(entry), TestCaseStatus::Success { .. }) = (not_checked, &case.status) {
            let mut status = TestCaseStatus::skipped();
            status.set_message(entry.why.as_str());
            case.status = status;
        }
        rules.add_test_case(case);
    }
    let mut xml = Report::new("rdbscope");
    xml.add_test_suites([dumps, rules]);
    xml.serialize(out).map_err(io::Error::other)
}

fn case(name: &str, report: &CheckReport, found: Vec<&Finding>) -> TestCase {
    let (grave, light): (Vec<&Finding>, Vec<&Finding>) =
        found.into_iter().partition(|finding| report.fail_on.is_some_and(|level| finding.level >= level));
    let lines = |findings: &[&Finding]| -> String {
        findings
            .iter()
            .map(|finding| format!("{}: {}\n{}\n", finding.level.as_str(), finding.sentence(), finding.advice))
            .collect()
    };
    let status = match grave.first() {
        None => TestCaseStatus::success(),
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(first.rule.name()).set_message(first.sentence()).set_description(lines(&grave));
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname("rdbscope");
    if !light.is_empty() {
        case.set_system_out(lines(&light));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::check::tests::report;

    #[test]
    fn names_cannot_break_the_xml() {
        let mut out = Vec::new();
        write(&report(), &mut out).unwrap();
        let xml = String::from_utf8(out).unwrap();
        assert!(xml.contains("<testsuites name=\"rdbscope\" tests=\"24\" skipped=\"1\" failures=\"1\""), "{xml}");
        assert!(xml.contains("]]&gt;&lt;x a=&quot;b&quot;&gt;&amp;") && !xml.contains("<x a="));
        assert!(xml.contains("<skipped message=\"no time\"/>"));
        assert!(xml.contains("<system-out>warning: /backup/a,b:c.rdb: ]]&gt;"));
    }
}

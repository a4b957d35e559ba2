//! SARIF 2.1.0, which code scanning reads.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::check::{CheckReport, Finding, Rule};

/// Writes the result as one log with one run.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            let about = rule.about();
            json!({
                "id": rule.name(),
                "shortDescription": { "text": about.title },
                "fullDescription": { "text": about.meaning },
                "help": { "text": about.remedy },
            })
        })
        .collect();
    // Code scanning refuses a log in which a result has no file. What is of no dump alone is shown at the first.
    let path_of = |finding: &Finding| -> String {
        let of_node = || report.dumps.iter().find(|dump| finding.subject.node.as_ref() == Some(&dump.name));
        let of_dump = || of_node().or(report.dumps.first()).map(|dump| &dump.path);
        let path = finding.subject.path.as_ref().or_else(of_dump).filter(|path| *path != "-");
        path.cloned().unwrap_or_else(|| "standard-input.rdb".to_owned())
    };
    let result = |finding: &Finding| result(finding, &path_of(finding));
    let ignored = report.ignored.iter().map(|ignored| {
        let mut result = result(&ignored.finding);
        result["suppressions"] = json!([{
            "kind": "external",
            "justification": format!("{} (until {})", ignored.reason, ignored.until),
        }]);
        result
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rdbscope",
                "semanticVersion": report.rdbscope,
                "rules": rules,
            } },
            "results": report.findings.iter().map(result).chain(ignored).collect::<Vec<Value>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn result(finding: &Finding, path: &str) -> Value {
    let subject = &finding.subject;
    let mut location = json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(path) } },
        "logicalLocations": [{ "fullyQualifiedName": subject.text() }],
    });
    if let Some(at) = subject.at_byte {
        location["physicalLocation"]["region"] = json!({ "byteOffset": at });
    }
    json!({
        "ruleId": finding.rule.name(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": finding.level.as_str(),
        "message": { "text": finding.sentence() },
        "locations": [location],
    })
}

/// A path as a URI reference: what is no plain character of a path becomes `%XX`.
fn uri(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Subject;
    use crate::output::check::tests::{HOSTILE, report};

    #[test]
    fn results_name_their_rule_and_place() {
        let mut out = Vec::new();
        write(&report(), &mut out).unwrap();
        let log: Value = serde_json::from_slice(&out).unwrap();
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("big-key"), &json!("error")));
        let location = &result["locations"][0];
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "/backup/a%2Cb%3Ac.rdb");
        assert_eq!(location["physicalLocation"]["region"]["byteOffset"], 77);
        assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], HOSTILE);
        let mut of_node = report();
        of_node.findings[0].subject = Subject { node: Some("elsewhere".to_owned()), ..Subject::default() };
        let mut out = Vec::new();
        write(&of_node, &mut out).unwrap();
        let log: Value = serde_json::from_slice(&out).unwrap();
        for result in log["runs"][0]["results"].as_array().unwrap() {
            let file = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert!(file.as_str().is_some_and(|file| !file.is_empty()), "{result}");
        }
        assert_eq!(run["results"][2]["suppressions"][0]["justification"], "moves soon (until 2026-12-31)");
    }
}

//! Annotations of GitHub Actions: workflow commands on standard output.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::check::{CheckReport, Finding, Level};

/// Annotations that are printed: GitHub shows ten of each level for a step, and fifty for a job.
const SHOWN: usize = 10;

/// Prints an annotation for each finding, gravest first.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    for level in [Level::Error, Level::Warning] {
        let found: Vec<&Finding> = report.findings.iter().filter(|finding| finding.level == level).collect();
        for finding in found.iter().take(SHOWN) {
            let file = finding.subject.path.as_deref().filter(|path| *path != "-");
            let file = file.map_or(String::new(), |path| format!("file={},", property(path)));
            let title = property(&format!("{}: {}", finding.rule, finding.rule.about().title));
            writeln!(
                out,
                "::{} {file}title={title}::{}",
                level.as_str(),
                data(&format!("{}\n{}", finding.sentence(), finding.advice))
            )?;
        }
        if found.len() > SHOWN {
            writeln!(out, "::{} title=rdbscope::{} more findings of this level", level.as_str(), found.len() - SHOWN)?;
        }
    }
    Ok(())
}

/// Prints a text of which nothing is taken for a workflow command, whatever names are in it: GitHub looks for some of them in
/// the middle of lines, too.
///
/// # Errors
/// Those of the writer.
pub fn write_inert(text: &str, out: &mut dyn Write) -> io::Result<()> {
    // Nobody can put into the text what stands for all of it.
    let token: String = Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "::stop-commands::{token}\n{text}\n::{token}::")
}

/// A message as workflow commands want it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::check::tests::report;

    #[test]
    fn a_text_is_inert_until_its_end() {
        let mut out = Vec::new();
        write_inert("  \"##[add-mask]x\"\n::error::no", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let token = lines[0].strip_prefix("::stop-commands::").unwrap();
        assert!(token.len() == 32 && lines[1..3] == ["  \"##[add-mask]x\"", "::error::no"]);
        assert_eq!(lines[3], format!("::{token}::"));
    }

    #[test]
    fn names_cannot_make_commands() {
        let mut out = Vec::new();
        write(&report(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("::error file=/backup/a%2Cb%3Ac.rdb,title=big-key%3A a key is big%2C by memory"));
        assert!(lines[0].contains("&%0A::error::100%25|") && lines[1].starts_with("::warning file="));
        let mut many = report();
        many.findings = vec![many.findings[0].clone(); SHOWN + 2];
        let mut out = Vec::new();
        write(&many, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("::error title=rdbscope::2 more findings of this level\n"));
    }
}

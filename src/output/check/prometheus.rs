//! Gauges for node_exporter's textfile collector. Alert rules and a dashboard in `monitoring/` use these names.

use std::io::{self, Write};

use jiff::Timestamp;
use prometheus::{Encoder as _, GaugeVec, Opts, Registry, TextEncoder};

use crate::analyze::Summary;
use crate::check::{CheckReport, Level, Rule};

/// Patterns that have gauges, those with most memory.
const PATTERNS: usize = 50;
/// Keys that have gauges, the largest.
const KEYS: usize = 20;
/// Characters of a label's value; more would burden who stores it.
const LABEL: usize = 120;

/// Writes the gauges, sorted by name and labels.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let mut gauges = Gauges { registry: Registry::new() };
    gauges.of_check(report).map_err(io::Error::other)?;
    if let Some(summary) = &report.summary {
        gauges.of_summary(summary).map_err(io::Error::other)?;
    }
    TextEncoder::new().encode(&gauges.registry.gather(), &mut Writer(out)).map_err(io::Error::other)
}

struct Writer<'w>(&'w mut dyn Write);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct Gauges {
    registry: Registry,
}

type Done = prometheus::Result<()>;

impl Gauges {
    /// A gauge with its values; labels that are cut alike are one.
    fn gauge<'l>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl IntoIterator<Item = (Vec<&'l str>, f64)>,
    ) -> Done {
        let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in values {
            let labels: Vec<String> = labels.into_iter().map(label).collect();
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let gauge = gauge.get_metric_with_label_values(&labels)?;
            gauge.set(gauge.get().max(value));
        }
        self.registry.register(Box::new(gauge))
    }

    fn of_check(&mut self, report: &CheckReport) -> Done {
        let one = |value: f64| [(Vec::new(), value)];
        self.gauge(
            "rdbscope_check_passed",
            "Whether the check found nothing that it is to fail on.",
            &[],
            one(f64::from(u8::from(report.passed))),
        )?;
        let checked_at = seconds(&report.checked_at).unwrap_or(0.0);
        self.gauge("rdbscope_check_timestamp_seconds", "When the check ran.", &[], one(checked_at))?;
        let of = |level: Level, rule: Rule| {
            report.findings.iter().filter(|finding| (finding.level, finding.rule) == (level, rule)).count() as f64
        };
        let levels = [Level::Error, Level::Warning];
        let findings = levels.into_iter().flat_map(|level| {
            Rule::ALL.into_iter().map(move |rule| (vec![level.as_str(), rule.name()], of(level, rule)))
        });
        self.gauge("rdbscope_check_findings", "Broken rules, by level and rule.", &["level", "rule"], findings)?;
        let whole = report.dumps.iter().map(|dump| (vec![dump.name.as_str()], f64::from(u8::from(dump.whole))));
        self.gauge("rdbscope_dump_whole", "Whether the dump of the node is whole.", &["node"], whole)?;
        let saved = report
            .dumps
            .iter()
            .filter_map(|dump| Some((vec![dump.name.as_str()], seconds(dump.saved_at.as_deref()?)?)));
        self.gauge(
            "rdbscope_dump_saved_timestamp_seconds",
            "When the dump was saved, by its own word.",
            &["node"],
            saved,
        )?;
        let size = report.dumps.iter().map(|dump| (vec![dump.name.as_str()], dump.rdb_bytes as f64));
        self.gauge("rdbscope_dump_size_bytes", "Bytes of the RDB.", &["node"], size)
    }

    fn of_summary(&mut self, summary: &Summary) -> Done {
        let nodes = || summary.nodes.iter().map(|node| (vec![node.name.as_str()], node));
        let memory = nodes().map(|(labels, node)| (labels, node.totals.footprint_bytes as f64));
        self.gauge("rdbscope_node_memory_bytes", "What the keys of the node add to used_memory.", &["node"], memory)?;
        let keys = nodes().map(|(labels, node)| (labels, node.totals.keys as f64));
        self.gauge("rdbscope_node_keys", "Keys of the node.", &["node"], keys)?;
        let used = nodes().filter_map(|(labels, node)| Some((labels, node.used_memory_bytes? as f64)));
        self.gauge("rdbscope_node_used_memory_bytes", "used_memory when the dump was saved.", &["node"], used)?;
        let imbalance = summary.imbalance.iter().map(|even| (Vec::new(), even.max_to_mean_per_mille as f64 / 1000.0));
        self.gauge("rdbscope_node_imbalance_ratio", "Memory of the largest node by the mean.", &[], imbalance)?;
        let types = || summary.types.iter().map(|row| (vec![row.value_type.as_str()], &row.totals));
        let memory = types().map(|(labels, totals)| (labels, totals.footprint_bytes as f64));
        self.gauge("rdbscope_type_memory_bytes", "What the keys of the type add to used_memory.", &["type"], memory)?;
        let keys = types().map(|(labels, totals)| (labels, totals.keys as f64));
        self.gauge("rdbscope_type_keys", "Keys of the type.", &["type"], keys)?;
        let big = summary.types.iter().map(|row| (vec![row.value_type.as_str()], row.big_keys as f64));
        self.gauge("rdbscope_type_big_keys", "Keys of the type that are big by the usual thresholds.", &["type"], big)?;
        let patterns = || summary.patterns.iter().take(PATTERNS).map(|row| (vec![row.pattern.as_str()], row));
        let memory = patterns().map(|(labels, row)| (labels, row.footprint_bytes as f64));
        self.gauge("rdbscope_pattern_memory_bytes", "Memory of the patterns that have most.", &["pattern"], memory)?;
        let keys = patterns().map(|(labels, row)| (labels, row.keys as f64));
        self.gauge("rdbscope_pattern_keys", "Keys of these patterns.", &["pattern"], keys)?;
        let largest = || {
            let rows = summary.biggest.iter().take(KEYS);
            rows.map(|key| (vec![key.node.as_str(), key.value_type.as_str(), key.key.as_str()], key))
        };
        let labels = &["node", "type", "key"];
        let memory = largest().map(|(labels, key)| (labels, key.footprint_bytes.unwrap_or(0) as f64));
        self.gauge("rdbscope_key_memory_bytes", "Memory of the largest keys.", labels, memory)?;
        let elements = largest().filter_map(|(labels, key)| Some((labels, key.num_elements? as f64)));
        self.gauge("rdbscope_key_elements", "Elements of these keys.", labels, elements)
    }
}

fn seconds(time: &str) -> Option<f64> {
    let time: Timestamp = time.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}

/// A label's value, cut.
fn label(text: &str) -> String {
    match text.char_indices().nth(LABEL) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::check::tests::{HOSTILE, report};

    #[test]
    fn gauges_of_a_check() {
        let mut report = report();
        report.dumps[0].name = HOSTILE.to_owned();
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("rdbscope_check_findings{level=\"error\",rule=\"big-key\"} 1\n"), "{text}");
        assert!(text.contains("rdbscope_check_findings{level=\"error\",rule=\"growth\"} 0\n"));
        assert!(text.contains("rdbscope_check_passed 0\n"));
        assert!(text.contains("rdbscope_check_timestamp_seconds 1767323045\n"), "{text}");
        assert!(text.contains("rdbscope_dump_whole{node=\"]]><x a=\\\"b\\\">&\\n::error::100%|`*_[a](b)\\\\\"} 1\n"));
        assert_eq!(label(&"é".repeat(200)).chars().count(), LABEL + 1);
    }
}

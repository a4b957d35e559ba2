//! What has changed since the baseline, against the rules.

use super::Subject;
use super::evaluate::{Findings, share_text};
use super::rule::Rule;
use super::rules::{Level, Limits, Rules};
use crate::analyze::pattern::AlignedPattern;
use crate::analyze::summary::{NodeRow, Summary};
use crate::error::quoted;
use crate::escape::glob_text;
use crate::units::{bytes, count};

/// The state to compare with.
#[derive(Debug)]
pub struct Baseline {
    /// Its figures.
    pub summary: Summary,
    /// The patterns of it and of what is checked, side by side.
    pub patterns: Vec<AlignedPattern>,
}

/// Checks the rules about changes.
pub(super) fn compare(summary: &Summary, baseline: Option<&Baseline>, rules: &Rules, findings: &mut Findings) {
    let Some(Baseline { summary: baseline, patterns }) = baseline else { return };
    let (before, after) = (baseline.totals.keys, summary.totals.keys);
    let change = (after as f64 - before as f64) / before.max(1) as f64;
    let text = |what: &str, limit: f64| {
        format!(
            "{} keys, {} in the baseline: {what} of {}; {} allowed",
            count(after),
            count(before),
            share_text(change.abs()),
            share_text(limit)
        )
    };
    if let Some((level, limit)) = rules.key_count.loss.broken(-change) {
        findings.add(level, Rule::KeyCount, Subject::default(), text("a loss", limit));
    }
    if let Some((level, limit)) = rules.key_count.growth.broken(change) {
        findings.add(level, Rule::KeyCount, Subject::default(), text("a growth", limit));
    }
    let mut gone: Vec<&NodeRow> = baseline.nodes.iter().collect();
    for node in &summary.nodes {
        // By name or by identity; a single node is the same whatever its dump is called tonight.
        let is_same = |before: &NodeRow| before.name == node.name || before.id.is_some() && before.id == node.id;
        let are_single = summary.nodes.len() == 1 && baseline.nodes.len() == 1;
        let Some(place) = gone.iter().position(|before| are_single || is_same(before)) else {
            findings.not_checked(Rule::Growth, format!("the baseline has no node {}", quoted(&node.name)));
            continue;
        };
        let before = gone.remove(place);
        let (before, after) = (before.totals.footprint_bytes, node.totals.footprint_bytes);
        if let Some((level, text)) = growth(before, after, rules.growth.node, rules) {
            let subject = Subject { node: Some(node.name.clone()), ..Subject::default() };
            findings.add(level, Rule::Growth, subject, text);
        }
    }
    for node in gone {
        findings.not_checked(Rule::Growth, format!("no dump is of the node {} of the baseline", quoted(&node.name)));
    }
    self::patterns(patterns, rules, findings);
}

/// How the patterns have changed.
fn patterns(patterns: &[AlignedPattern], rules: &Rules, findings: &mut Findings) {
    for AlignedPattern { text, old, new, .. } in patterns {
        let subject = || Subject { pattern: Some(glob_text(text)), ..Subject::default() };
        if old.keys > 0 {
            if let Some((level, text)) = growth(old.memory_bytes, new.memory_bytes, rules.growth.pattern, rules) {
                findings.add(level, Rule::Growth, subject(), text);
            }
        } else if new.memory_bytes >= rules.new_pattern.at_least.0
            && new.keys > 0
            && let Some(level) = rules.new_pattern.level.level()
        {
            let text = format!(
                "{} keys, {}, of a pattern that the baseline has not",
                count(new.keys),
                bytes(new.memory_bytes)
            );
            findings.add(level, Rule::NewPattern, subject(), text);
        }
    }
}

/// How a growth breaks its limits.
fn growth(before: u64, after: u64, limits: Limits<f64>, rules: &Rules) -> Option<(Level, String)> {
    let more = after.checked_sub(before).filter(|more| *more >= rules.growth.at_least.0)?;
    let share = more as f64 / before.max(1) as f64;
    let (level, limit) = limits.broken(share)?;
    let text = format!(
        "{}, {} in the baseline: {} more ({}); {} allowed",
        bytes(after),
        bytes(before),
        bytes(more),
        share_text(share),
        share_text(limit)
    );
    Some((level, text))
}

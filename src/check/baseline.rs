//! What has changed since the baseline, against the rules.

use super::Subject;
use super::evaluate::share_text;
use super::rule::Rule;
use super::rules::{Level, Limits, Rules};
use crate::analyze::pattern::AlignedPattern;
use crate::analyze::summary::Summary;
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

/// Checks the rules about changes; `add` gets what breaks them.
pub(super) fn compare(
    summary: &Summary,
    baseline: Option<&Baseline>,
    rules: &Rules,
    add: &mut impl FnMut(Level, Rule, Subject, String),
) {
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
        add(level, Rule::KeyCount, Subject::default(), text("a loss", limit));
    }
    if let Some((level, limit)) = rules.key_count.growth.broken(change) {
        add(level, Rule::KeyCount, Subject::default(), text("a growth", limit));
    }
    for node in &summary.nodes {
        let before = baseline.nodes.iter().find(|before| before.name == node.name);
        if let Some(before) = before
            && let Some((level, text)) =
                growth(before.totals.footprint_bytes, node.totals.footprint_bytes, rules.growth.node, rules)
        {
            add(level, Rule::Growth, Subject { node: Some(node.name.clone()), ..Subject::default() }, text);
        }
    }
    self::patterns(patterns, rules, add);
}

/// How the patterns have changed.
fn patterns(patterns: &[AlignedPattern], rules: &Rules, add: &mut impl FnMut(Level, Rule, Subject, String)) {
    for AlignedPattern { text, old, new, .. } in patterns {
        let subject = || Subject { pattern: Some(glob_text(text)), ..Subject::default() };
        if old.keys > 0 {
            if let Some((level, text)) = growth(old.memory_bytes, new.memory_bytes, rules.growth.pattern, rules) {
                add(level, Rule::Growth, subject(), text);
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
            add(level, Rule::NewPattern, subject(), text);
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

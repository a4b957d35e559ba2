//! Slots that hold far more than their share, told as findings.

use crate::analyze::slots::SlotRow;
use crate::analyze::summary::{Finding, FindingKind, Summary};
use crate::analyze::thresholds::Severity;
use crate::error::quoted;
use crate::units;

/// A slot is heavy from so many times the mean of the slots with keys on, and from so many per cent of its node's memory on;
/// both, and so many bytes at least.
const TIMES_MEAN: u64 = 10;
const PERCENT_OF_NODE: u64 = 5;
const LEAST_BYTES: u64 = 16 << 20;
/// Slots that get a finding.
const FINDINGS: usize = 5;

/// From how many bytes on a slot is heavy.
fn heavy_from(summary: &Summary, slot: &SlotRow) -> u64 {
    let mean = summary.slots.bins.iter().sum::<u64>() / summary.slots.with_keys.max(1);
    mean.saturating_mul(TIMES_MEAN).max(slot.node_bytes / (100 / PERCENT_OF_NODE)).max(LEAST_BYTES)
}

/// The findings about heavy slots; none where there is no cluster.
pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    if summary.cluster.is_none() && !summary.dumps.iter().any(|dump| dump.cluster_mode) {
        return Vec::new();
    }
    let heavy = |slot: &&SlotRow| slot.footprint_bytes > heavy_from(summary, slot);
    summary.slots.heaviest.iter().filter(heavy).take(FINDINGS).map(|slot| finding(summary, slot)).collect()
}

fn finding(summary: &Summary, slot: &SlotRow) -> Finding {
    let bytes = slot.footprint_bytes;
    let most = |part: u64| part * 2 >= bytes;
    let one_node = summary.imbalance.as_ref().map(|imbalance| imbalance.mean_bytes);
    let (cause, advice) = match (&slot.largest_key, &slot.main_tag) {
        (Some(key), _) if most(key.footprint_bytes) => (
            format!("its key {} alone takes {}", quoted(&key.key), units::bytes(key.footprint_bytes)),
            "A key lives in one slot: neither moving the slot nor adding nodes divides it. Split the key.".to_owned(),
        ),
        (_, Some(tag)) if most(tag.footprint_bytes) => {
            let parts = tag.footprint_bytes.div_ceil(heavy_from(summary, slot)).max(2);
            (
                format!(
                    "{} keys with the hash tag {} take {}",
                    units::count(tag.keys),
                    quoted(&tag.tag),
                    units::bytes(tag.footprint_bytes)
                ),
                format!(
                    "Keys with the same tag live in one slot: neither moving the slot nor adding nodes divides them. Spread the \
                     tag: put a number from 0 to {} into it, as in {{tenant:7:0}} for {{tenant:7}}, chosen by what follows \
                     the tag.",
                    units::count(parts - 1)
                ),
            )
        }
        _ => (
            format!("{} keys, none of them the most of it", units::count(slot.keys)),
            "Give the slot a node with few others; `rdbscope plan` says how. Look for a large key or hash tag in it."
                .to_owned(),
        ),
    };
    let too_much = one_node.is_some_and(|mean| bytes > mean);
    let beyond = if too_much { ", more than one node of the cluster would hold if all were even" } else { "" };
    Finding {
        severity: if too_much { Severity::Critical } else { Severity::Warning },
        kind: FindingKind::SlotConcentration,
        text: format!(
            "slot {} holds {}, {} of {}{beyond}: {cause}",
            slot.slot,
            units::bytes(bytes),
            units::percent(bytes, slot.node_bytes),
            slot.node
        ),
        advice,
        big_key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::slots::{SlotKeyRow, TagRow};
    use crate::analyze::summary::Imbalance;
    use crate::report::tests::summary_of_nothing;

    const MIB: u64 = 1 << 20;

    /// A cluster whose one slot of note has so many MiB on a node of so many, among 1000 slots of a tenth of a MiB.
    fn with_slot(mib: u64, node_mib: u64, key_mib: u64, tag_mib: u64) -> Summary {
        let mut summary = summary_of_nothing();
        summary.slots.with_keys = 1000;
        summary.slots.bins = vec![100 * MIB];
        summary.imbalance = Some(Imbalance {
            largest_node: "n".to_owned(),
            largest_bytes: node_mib * MIB,
            mean_bytes: 400 * MIB,
            max_to_mean_per_mille: 1000,
            estimated_hits_max_to_min_per_mille: None,
            causes: Vec::new(),
        });
        summary.slots.heaviest = vec![SlotRow {
            slot: 7,
            node: "n".to_owned(),
            node_bytes: node_mib * MIB,
            keys: 12,
            footprint_bytes: mib * MIB,
            largest_key: Some(SlotKeyRow { key: "big".to_owned(), footprint_bytes: key_mib * MIB }),
            main_tag: Some(TagRow {
                tag: "t".to_owned(),
                slot: 7,
                node: "n".to_owned(),
                keys: 11,
                footprint_bytes: tag_mib * MIB,
            }),
        }];
        summary.cluster = Some(crate::report::tests::cluster());
        summary
    }

    #[test]
    fn only_a_slot_of_more_than_its_share_is_told() {
        // 16 MiB are the least, 5 % of the node, ten times the mean of 0.1 MiB.
        for (mib, node_mib, told) in [(16, 100, false), (17, 100, true), (17, 340, false), (18, 340, true)] {
            assert_eq!(findings(&with_slot(mib, node_mib, 0, 0)).len(), usize::from(told), "{mib} of {node_mib}");
        }
        let mut crowded = with_slot(40, 100, 0, 0);
        crowded.slots.bins = vec![4000 * MIB];
        assert!(findings(&crowded).is_empty(), "ten times the mean");
        let mut alone = with_slot(400, 500, 0, 0);
        alone.cluster = None;
        assert!(findings(&alone).is_empty(), "no cluster");
    }

    #[test]
    fn the_cause_is_a_key_or_a_tag_that_is_half_of_it() {
        let text = |key, tag| {
            let finding = findings(&with_slot(100, 500, key, tag)).remove(0);
            (finding.severity, finding.text, finding.advice)
        };
        let (severity, words, advice) = text(50, 100);
        assert_eq!(severity, Severity::Warning);
        assert_eq!(words, "slot 7 holds 100.0 MiB, 20.0 % of n: its key \"big\" alone takes 50.0 MiB");
        assert!(advice.contains("Split the key"));
        let (_, words, advice) = text(49, 50);
        assert!(words.ends_with("11 keys with the hash tag \"t\" take 50.0 MiB"), "{words}");
        assert!(advice.contains("from 0 to 1"), "{advice}");
        assert!(text(49, 49).1.ends_with("12 keys, none of them the most of it"));
    }

    #[test]
    fn more_than_an_even_node_is_critical() {
        assert_eq!(findings(&with_slot(400, 500, 400, 0))[0].severity, Severity::Warning);
        let beyond = findings(&with_slot(401, 500, 400, 0)).remove(0);
        assert_eq!(beyond.severity, Severity::Critical);
        assert!(beyond.text.contains("more than one node"), "{}", beyond.text);
    }
}

//! What stands out.

use super::{big, hot, permanent, savings, slots};
use crate::analyze::summary::*;
use crate::analyze::thresholds::Severity;
use crate::units;

/// What stands out, gravest first; within the same gravity, in the order of the checks.
pub(super) fn findings(summary: &Summary) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, kind, text: String, advice: &str| {
        findings.push(Finding { severity, kind, text, advice: advice.to_owned(), big_key: None });
    };
    for dump in &summary.dumps {
        let name = &dump.name;
        match (&dump.role, &dump.error) {
            (DumpRole::Unread, Some(error)) => add(
                Severity::Critical,
                FindingKind::DumpUnread,
                format!("{name}: nothing could be read: {error}"),
                "Give the dump itself, unpacked; all figures on this page are without it.",
            ),
            (_, Some(error)) => add(
                Severity::Critical,
                FindingKind::DumpDamaged,
                format!("{name}: {error}; {} keys were read up to there", units::count(dump.totals.keys)),
                "Do not rely on this backup. Copy it again if the transfer may have cut it, else save anew with BGSAVE.",
            ),
            _ => {}
        }
        if dump.damaged_keys > 0 {
            let first = dump.damages.first().map_or(String::new(), |damage| {
                format!(
                    "; the first is {}: {} at byte {}",
                    crate::error::quoted(&damage.key),
                    damage.what,
                    damage.at_byte
                )
            });
            add(
                Severity::Critical,
                FindingKind::ValuesDamaged,
                format!("{name}: {} values are broken inside{first}", units::count(dump.damaged_keys)),
                "A server may refuse to load this dump, or crash on these keys. Look for the cause: memory, disk, a faulty migration.",
            );
        }
        if let DumpRole::SameAs(other) = &dump.role {
            add(
                Severity::Info,
                FindingKind::ReplicaDump,
                format!("{name} holds the same slots and keys as {other}, as a replica's dump does; it is not counted"),
                "Give one dump per master.",
            );
        }
        for note in dump.notes.iter().filter(|note| note.starts_with("no node")) {
            add(
                Severity::Warning,
                FindingKind::UnmatchedDump,
                format!("{name}: {note}"),
                "Check that the dumps and the nodes file are of the same cluster.",
            );
        }
    }
    if let Some(cluster) = &summary.cluster {
        for master in &cluster.missing_masters {
            add(
                Severity::Critical,
                FindingKind::MissingMaster,
                format!(
                    "no dump of master {} ({}), which owns {} slots: {}",
                    master.address,
                    master.id.get(..8).unwrap_or(&master.id),
                    units::count(master.slots_count),
                    master.slots
                ),
                "Add its dump, or one of a replica of it: the cluster's figures are without these slots.",
            );
        }
        if cluster.uncovered_count > 0 && cluster.missing_masters.is_empty() {
            add(
                Severity::Warning,
                FindingKind::UncoveredSlots,
                format!("{} slots have no owner: {}", units::count(cluster.uncovered_count), cluster.uncovered),
                "Requests for these slots fail; assign them with `redis-cli --cluster fix`.",
            );
        }
        if cluster.misplaced_keys > 0 {
            let example = cluster.misplaced_examples.first().map_or(String::new(), |key| {
                format!("; for example {} on {} (slot {})", crate::error::quoted(&key.key), key.node, key.slot)
            });
            add(
                Severity::Warning,
                FindingKind::MisplacedKeys,
                format!(
                    "{} keys lie on a node that does not own their slot (slots {}){example}",
                    units::count(cluster.misplaced_keys),
                    cluster.misplaced_slots
                ),
                "Clients cannot reach them. They are left from a migration that did not finish: check CLUSTER NODES for open slots, and `redis-cli --cluster check`.",
            );
        }
        if cluster.shared_count > 0 {
            add(
                Severity::Warning,
                FindingKind::MisplacedKeys,
                format!(
                    "{} slots have keys in more than one dump: {}",
                    units::count(cluster.shared_count),
                    cluster.shared
                ),
                "Give the cluster's nodes file with --nodes to learn which node is wrong.",
            );
        }
    }
    imbalance_findings(summary, &mut add);
    findings.extend(slots::findings(summary));
    findings.extend(big::findings(&summary.big_keys));
    findings.extend(hot::findings(summary));
    let mut add = |severity, kind, text: String, advice: &str| {
        findings.push(Finding { severity, kind, text, advice: advice.to_owned(), big_key: None });
    };
    let mut versions: Vec<&str> = summary.dumps.iter().filter_map(|dump| dump.modelled_as.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        add(
            Severity::Info,
            FindingKind::Incomparable,
            format!("the dumps are of different servers: {}", versions.join(", ")),
            "Memory is worked out for each as its own server has it; --server REDIS-OR-VALKEY-VERSION makes them comparable.",
        );
    }
    if let Some(expired) = summary.expiry.buckets.first()
        && expired.keys * 20 > summary.totals.keys
    {
        add(
            Severity::Info,
            FindingKind::ExpiredKeys,
            format!(
                "{} keys ({}) had expired when the dumps were saved and still took {}",
                units::count(expired.keys),
                units::percent(expired.keys, summary.totals.keys),
                units::bytes(expired.footprint_bytes)
            ),
            "The server deletes expired keys lazily; `active-expire-effort` makes it faster.",
        );
    }
    findings.extend(permanent::findings(summary));
    findings.extend(savings::findings(summary));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

pub(super) fn imbalance_findings(summary: &Summary, add: &mut impl FnMut(Severity, FindingKind, String, &str)) {
    let Some(imbalance) = &summary.imbalance else { return };
    if let Some(ratio @ 3001..) = imbalance.estimated_hits_max_to_min_per_mille {
        add(
            Severity::Warning,
            FindingKind::HotNode,
            format!(
                "the hottest node has {} the hits of the coolest, by the keys' access counters",
                units::ratio(ratio as f64 / 1000.0)
            ),
            "Look at the hottest keys: copies under several names, a cache in the client or reads from replicas spread them.",
        );
    }
    let severity = match imbalance.max_to_mean_per_mille {
        2001.. => Severity::Critical,
        1301.. => Severity::Warning,
        _ => return,
    };
    let causes = imbalance.causes.iter().find(|causes| causes.node == imbalance.largest_node);
    let (cause, advice) = match causes {
        Some(causes) if causes.undivided_bytes() * 2 > causes.difference_bytes => (
            format!("; {}", causes.in_words()),
            "A key lives in one slot, and so do keys with the same hash tag: moving slots or adding nodes cannot spread them. Split them first.",
        ),
        Some(causes) => {
            (format!("; {}", causes.in_words()), "Move slots from this node to the others; `rdbscope plan` says which.")
        }
        None => (String::new(), "Move slots from this node to the others; `rdbscope plan` says which."),
    };
    add(
        severity,
        FindingKind::NodeImbalance,
        format!(
            "{} holds {}, {} the mean of the nodes ({}){cause}",
            imbalance.largest_node,
            units::bytes(imbalance.largest_bytes),
            units::ratio(imbalance.max_to_mean_per_mille as f64 / 1000.0),
            units::bytes(imbalance.mean_bytes)
        ),
        advice,
    );
}

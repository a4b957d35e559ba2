//! The largest keys of two states: new, gone, grown, shrunk, moved; and what is known of those that one state does not list.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::change::{Change, Fate};
use super::side::{KeyId, Side};
use crate::analyze::TopKey;
use crate::analyze::summary::{KeyRow, LeftOut};
use crate::analyze::thresholds::{BigThresholds, Severity};
use crate::escape::Escape;

/// One of the largest keys, before and after.
#[derive(Clone, Debug, Serialize)]
pub struct LargeKey {
    /// Its database.
    pub database: u64,
    /// Its name.
    pub key: String,
    /// What became of it.
    pub fate: Fate,
    /// Whether a side where it is absent has no such key for certain. If not, it may only be smaller than what is listed.
    pub certain: bool,
    /// What it had at most on the side that does not list it, where that is not certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted_at_most_bytes: Option<u64>,
    /// Whether it is on another node than before.
    pub moved: bool,
    /// How big it was, and is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_severity: Option<Severity>,
    #[allow(missing_docs)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_severity: Option<Severity>,
    /// Its memory; nothing on a side that does not have it, or may not have it.
    pub footprint_bytes: Change,
    /// Its elements.
    pub elements: Change,
    /// The key before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<KeyRow>,
    /// The key after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<KeyRow>,
}

impl LargeKey {
    /// The graver of what it was and is.
    pub fn severity(&self) -> Option<Severity> {
        self.old_severity.max(self.new_severity)
    }
}

/// Finds keys by their names in the dumps of a side; none if it has no dumps.
pub type Find<'f, E> = dyn FnMut(Which, &BTreeSet<Box<[u8]>>) -> Result<Option<Vec<TopKey>>, E> + 'f;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Which {
    Old,
    New,
}

/// The largest keys of either side that differ, the big ones first, then by change; no more than `limit`.
///
/// # Errors
/// Those of `find`.
pub fn compare_largest<E>(
    old: &mut Side,
    new: &mut Side,
    old_of_new: &[Option<usize>],
    big: &BigThresholds,
    limit: usize,
    find: &mut Find<'_, E>,
) -> Result<(Vec<LargeKey>, LeftOut), E> {
    let ids: BTreeSet<KeyId> = old.largest.iter().chain(&new.largest).cloned().collect();
    for (which, side) in [(Which::Old, &mut *old), (Which::New, &mut *new)] {
        let missing = |id: &&KeyId| side.unlisted_at_most_bytes.is_some() && !side.listed.contains_key(*id);
        let names: BTreeSet<Box<[u8]>> = ids.iter().filter(missing).map(|(_, name)| name.clone()).collect();
        if !names.is_empty()
            && let Some(found) = find(which, &names)?
        {
            found.into_iter().for_each(|key| side.list(key));
            // What a damaged dump does not show may still have been there.
            if side.summary.complete {
                side.unlisted_at_most_bytes = None;
            }
        }
    }
    let mut rows = Vec::new();
    for id in &ids {
        let of = |side: &Side| side.listed.get(id).cloned().unwrap_or_default();
        for (before, after) in pair(of(old), of(new), |before, after| {
            let node = new.node_of(after).and_then(|node| old_of_new[node]);
            node.is_some() && node == old.node_of(before)
        }) {
            rows.extend(row(id, before, after, old, new, old_of_new, big));
        }
    }
    rows.sort_by_cached_key(|row: &LargeKey| {
        let change = row.footprint_bytes.size();
        (Reverse(row.severity()), Reverse(change), row.key.clone(), row.database)
    });
    let mut left_out = LeftOut::default();
    for row in rows.iter().skip(limit) {
        left_out.rows += 1;
        left_out.keys += 1;
        left_out.footprint_bytes = left_out.footprint_bytes.saturating_add(row.footprint_bytes.new);
    }
    rows.truncate(limit);
    Ok((rows, left_out))
}

/// Keys of the same name on several nodes of a side: those on the same node belong together, then those that are left, in
/// their order.
pub fn pair<T>(old: Vec<T>, new: Vec<T>, same_node: impl Fn(&T, &T) -> bool) -> Vec<(Option<T>, Option<T>)> {
    let mut new: Vec<Option<T>> = new.into_iter().map(Some).collect();
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for before in old {
        match new.iter_mut().find(|after| after.as_ref().is_some_and(|after| same_node(&before, after))) {
            Some(after) => pairs.push((Some(before), after.take())),
            None => alone.push(before),
        }
    }
    let mut rest = new.into_iter().flatten();
    for before in alone {
        pairs.push((Some(before), rest.next()));
    }
    pairs.extend(rest.map(|after| (None, Some(after))));
    pairs
}

fn row(
    (database, name): &KeyId,
    before: Option<TopKey>,
    after: Option<TopKey>,
    old: &Side,
    new: &Side,
    old_of_new: &[Option<usize>],
    big: &BigThresholds,
) -> Option<LargeKey> {
    let bytes = |key: &Option<TopKey>| key.as_ref().and_then(|key| key.footprint_bytes).unwrap_or(0);
    let elements = |key: &Option<TopKey>| key.as_ref().and_then(|key| key.elements).unwrap_or(0);
    let footprint_bytes = Change::new(bytes(&before), bytes(&after));
    let elements = Change::new(elements(&before), elements(&after));
    let moved = match (&before, &after) {
        (Some(before), Some(after)) => new.node_of(after).and_then(|node| old_of_new[node]) != old.node_of(before),
        _ => false,
    };
    let fate = match (&before, &after) {
        (None, _) => Fate::New,
        (_, None) => Fate::Gone,
        (Some(one), Some(other)) if one.value_type != other.value_type && footprint_bytes.change >= 0 => Fate::Grown,
        _ if footprint_bytes.change > 0 => Fate::Grown,
        _ if footprint_bytes.change < 0 => Fate::Shrunk,
        _ if elements.change > 0 => Fate::Grown,
        _ if elements.change < 0 => Fate::Shrunk,
        _ => Fate::Same,
    };
    if fate == Fate::Same && !moved {
        return None;
    }
    let unlisted_at_most_bytes = match fate {
        Fate::New => old.unlisted_at_most_bytes,
        Fate::Gone => new.unlisted_at_most_bytes,
        _ => None,
    };
    let severity = |key: &Option<TopKey>| {
        key.as_ref().and_then(|key| big.crossed(&key.record()).iter().map(|crossed| crossed.severity).max())
    };
    Some(LargeKey {
        database: *database,
        key: Escape::Utf8.text(name),
        fate,
        certain: unlisted_at_most_bytes.is_none(),
        unlisted_at_most_bytes: unlisted_at_most_bytes.filter(|bytes| *bytes < u64::MAX),
        moved,
        old_severity: severity(&before),
        new_severity: severity(&after),
        footprint_bytes,
        elements,
        old: before.as_ref().map(|key| old.row(key)),
        new: after.as_ref().map(|key| new.row(key)),
    })
}

//! The dumps of a run: which count, and what is said of each.

use super::{ReadDump, RunOptions, add_totals, saved_at_seconds};
use crate::analyze::aggregate::Aggregate;
use crate::analyze::summary::*;
use crate::cluster::placement::{self, DumpPrint, Placed, SlotPrint};
use crate::cluster::topology::Topology;
use crate::escape::Escape;
use crate::memory::baseline::empty_server_bytes;
use crate::pipeline::ChecksumState;
use crate::rdb::Dialect;
use crate::units;
use crate::value::ModuleName;

pub(super) fn place_all(dumps: &[ReadDump], topology: Option<&Topology>) -> Vec<Placed> {
    let prints: Vec<Vec<SlotPrint>> = dumps
        .iter()
        .map(|dump| dump.fold.slots.iter().map(|slot| SlotPrint { keys: slot.keys, names: slot.names }).collect())
        .collect();
    let dumps: Vec<DumpPrint<'_>> = dumps
        .iter()
        .zip(&prints)
        .map(|(dump, slots)| DumpPrint {
            slots,
            replication: dump.facts.aux("repl-id"),
            offset: dump.facts.aux("repl-offset").and_then(|offset| offset.parse().ok()),
            complete: dump.error.is_none(),
        })
        .collect();
    placement::place(&dumps, topology)
}

pub(super) fn dump_row(dump: &ReadDump, placed: &Placed, names: &[String], options: &RunOptions) -> DumpRow {
    let facts = &dump.facts;
    let role = match (placed.same_as, facts.header, dump.keys) {
        (Some(other), _, _) => DumpRole::SameAs(names[other].clone()),
        (None, None, 0) => DumpRole::Unread,
        _ => DumpRole::Counted,
    };
    let totals = aggregate_totals(&dump.fold);
    let (model, _) = options.models(facts);
    let read = facts.header.is_some();
    let used_memory_bytes: Option<u64> = facts.aux("used-mem").and_then(|bytes| bytes.parse().ok());
    let empty = empty_server_bytes(model.server.family(), model.cluster).filter(|_| read);
    let other_bytes = match (used_memory_bytes, empty) {
        (Some(used), Some(empty)) => {
            Some(used as i64 - empty as i64 - i64::try_from(totals.footprint_bytes).unwrap_or(i64::MAX))
        }
        _ => None,
    };
    let mut damages = dump.fold.damages.clone();
    damages.sort();
    damages.truncate(20);
    DumpRow {
        name: dump.name.clone(),
        path: dump.path.clone(),
        role,
        format: facts.header.map(|header| {
            let magic = if header.dialect == Dialect::Redis { "REDIS" } else { "VALKEY" };
            format!("{magic} {}", header.version)
        }),
        written_by: match (facts.aux("valkey-ver"), facts.aux("redis-ver")) {
            (Some(version), _) => Some(format!("valkey {version}")),
            (None, Some(version)) => Some(format!("redis {version}")),
            (None, None) => None,
        },
        modelled_as: read.then(|| model.server.to_string()),
        cluster_mode: model.cluster,
        saved_at: saved_at_seconds(facts).and_then(|s| s.checked_mul(1000)).map(units::rfc3339_ms),
        complete: dump.error.is_none() && dump.fold.damaged_keys == 0,
        checksum: match dump.checksum {
            ChecksumState::Right => "right",
            ChecksumState::Wrong => "wrong",
            ChecksumState::Off => "off",
            ChecksumState::None => "none",
            ChecksumState::NotReached => "not reached",
        },
        error: dump.error.as_ref().map(ToString::to_string),
        error_at_byte: dump.error.as_ref().and_then(|error| error.at_byte),
        damaged_keys: dump.fold.damaged_keys,
        damages: damages
            .into_iter()
            .map(|damage| DamageRow { at_byte: damage.at, key: Escape::Utf8.text(&damage.key), what: damage.what })
            .collect(),
        notes: notes(dump),
        trailing_bytes: dump.trailing_bytes.filter(|bytes| *bytes > 0),
        rdb_bytes: dump.rdb_bytes,
        totals,
        used_memory_bytes,
        empty_server_bytes: empty,
        other_bytes,
        aux: facts.aux.iter().map(|(name, value)| AuxRow { name: name.clone(), value: value.clone() }).collect(),
        policy: match (dump.fold.freq.is_empty(), dump.fold.idle.is_empty()) {
            (false, _) => Some("LFU"),
            (true, false) => Some("LRU"),
            _ => None,
        },
        functions: facts.functions,
        modules: facts.module_aux.iter().map(|id| ModuleName::from_id(*id).as_str().to_owned()).collect(),
    }
}

pub(super) fn notes(dump: &ReadDump) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(bytes @ 1..) = dump.trailing_bytes {
        let bytes_text = units::count(bytes);
        if dump.trailing_commands {
            notes.push(format!(
                "{bytes_text} bytes of append-only commands follow the RDB; what they change is not counted"
            ));
        } else {
            notes.push(format!("{bytes_text} bytes follow the end of the RDB; servers ignore them"));
        }
    }
    if dump.checksum == ChecksumState::Off {
        notes.push("written with `rdbchecksum no`: damage to it may go unseen".to_owned());
    }
    if dump.facts.slot_imports > 0 {
        notes.push(format!("saved while {} slot imports were running", dump.facts.slot_imports));
    }
    notes
}

pub(super) fn aggregate_totals(aggregate: &Aggregate) -> TotalsRow {
    let mut sum = TotalsRow::default();
    aggregate.groups().for_each(|(_, _, group)| add_totals(&mut sum, &(&group.totals).into()));
    sum
}

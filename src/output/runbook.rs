//! The rebalance plan as a shell script, in the commands of the servers.
//!
//! No name of a key is in it. Names of nodes, which are those of files, are quoted, and in comments free of control
//! characters; what is not known is a word in angle brackets, which no server takes for an id or an address.

use std::fmt::Write as _;

use crate::analyze::rebalance::Rebalance;
use crate::cluster::migrate::SlotMigration;
use crate::cluster::plan::{Fate, Load, Move, PlannedNode};
use crate::cluster::topology::join_ranges;
use crate::escape::Escape;
use crate::units::{bytes, count, duration_ms};

/// The plan as a script for `sh`.
pub fn runbook(rebalance: &Rebalance) -> String {
    let plan = &rebalance.plan;
    let mut script = String::from("#!/bin/sh\n");
    comment(&mut script, &format!("Moves {}.", contents(plan.moved)));
    before(&mut script, rebalance);
    match rebalance.migration {
        SlotMigration::MigrateSlots => script.push_str(MIGRATE_SLOTS),
        SlotMigration::MigrationImport => script.push_str(MIGRATION_IMPORT),
        SlotMigration::SetSlot => {
            script.push_str(&SET_SLOT.replace("@TIMEOUT@", &rebalance.migrate_model.timeout_ms.to_string()))
        }
    }
    for step in &plan.moves {
        let (from, to) = (Words::new(&plan.nodes[step.from]), Words::new(&plan.nodes[step.to]));
        script.push('\n');
        let (giver, taker) = (shown(&plan.nodes[step.from].node.name), shown(&plan.nodes[step.to].node.name));
        comment(&mut script, &format!("{giver} to {taker}: {}", contents(step.load)));
        commands(&mut script, rebalance.migration, step, &from, &to);
    }
    after(&mut script, rebalance);
    script
}

fn contents(load: Load) -> String {
    format!("{} slots with {} keys, {}", count(load.slots), count(load.keys), bytes(load.bytes))
}

fn comment(script: &mut String, text: &str) {
    let _ = writeln!(script, "# {text}");
}

/// What has to be done or known before.
fn before(script: &mut String, rebalance: &Rebalance) {
    let plan = &rebalance.plan;
    for node in plan.nodes.iter().filter(|node| node.fate == Fate::Joins) {
        comment(
            script,
            &format!("Before: {} has to be a master of the cluster, without slots.", shown(&node.node.name)),
        );
    }
    if plan.nodes.iter().any(|node| node.node.id.is_none() || node.node.address.is_none()) {
        comment(script, "Before: fill in what is in angle brackets; CLUSTER NODES tells ids and addresses.");
    }
    if !rebalance.slow_keys.is_empty() {
        let timeout = duration_ms(rebalance.migrate_model.timeout_ms);
        let what = match rebalance.migration {
            SlotMigration::SetSlot => "Before: split or delete these, which would not move within MIGRATE's",
            _ => "Know that these take longer than MIGRATE's",
        };
        comment(script, &format!("{what} {timeout}:"));
        for slow in &rebalance.slow_keys {
            // Keys come escaped.
            let key = crate::error::quoted(&slow.key.key);
            comment(script, &format!("  slot {}, about {}: {key}", slow.key.slot, duration_ms(slow.estimate_ms)));
        }
    }
    if !rebalance.slow_keys_complete {
        comment(script, "Only the largest keys were looked at: more may be as slow.");
    }
    for note in &rebalance.notes {
        comment(script, &shown(note));
    }
}

fn after(script: &mut String, rebalance: &Rebalance) {
    for node in rebalance.plan.nodes.iter().filter(|node| node.fate == Fate::Leaves) {
        script.push('\n');
        comment(
            script,
            &format!("After: once {} has no slots, take it out with CLUSTER FORGET.", shown(&node.node.name)),
        );
    }
}

/// Id, host and port of a node as words of the shell.
struct Words {
    id: String,
    host: String,
    port: String,
}

impl Words {
    fn new(node: &PlannedNode) -> Words {
        let unknown = |what: &str| format!("<{what} of {}>", shown(&node.node.name));
        let (host, port) =
            node.node.address.as_deref().and_then(|address| address.rsplit_once(':')).unwrap_or_default();
        let word = |known: &str, what: &str| if known.is_empty() { quoted(&unknown(what)) } else { quoted(known) };
        Words {
            id: word(node.node.id.as_deref().unwrap_or_default(), "id"),
            host: word(host, "host"),
            port: word(port, "port"),
        }
    }
}

/// A text without control characters.
fn shown(text: &str) -> String {
    Escape::Utf8.text(text.as_bytes())
}

/// A text as one word of the shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn commands(script: &mut String, migration: SlotMigration, step: &Move, from: &Words, to: &Words) {
    let listed = |between: &str| {
        step.ranges.iter().map(|range| format!("{}{between}{}", range.first, range.last)).collect::<Vec<_>>().join(" ")
    };
    // Writing to a string does not fail.
    let _ = match migration {
        SlotMigration::MigrateSlots => {
            let (at, slots) = (format!("-h {} -p {}", from.host, from.port), listed(" "));
            let _ = writeln!(script, "$CLI -e {at} CLUSTER MIGRATESLOTS SLOTSRANGE {slots} NODE {}", to.id);
            writeln!(script, "wait_for {} {} '{}'", from.host, from.port, listed("-"))
        }
        SlotMigration::MigrationImport => {
            let (at, slots) = (format!("-h {} -p {}", to.host, to.port), listed(" "));
            let _ = writeln!(script, "task=$($CLI -e {at} CLUSTER MIGRATION IMPORT {slots})");
            writeln!(script, "wait_for {} {} \"$task\"", to.host, to.port)
        }
        SlotMigration::SetSlot => {
            let words = [&from.host, &from.port, &from.id, &to.host, &to.port, &to.id].map(String::as_str).join(" ");
            writeln!(script, "move_slots {words} {}", join_ranges(&step.ranges))
        }
    };
}

/// What the commands of Valkey 9 need. They run on the node that has the slots, and go on in the background.
const MIGRATE_SLOTS: &str = r#"# For Valkey 9.0 and later. A password goes into REDISCLI_AUTH, options such as --tls into CLI.
set -eu
CLI=${CLI:-valkey-cli}

# wait_for HOST PORT RANGES: until the slots have changed hands
wait_for() {
  while :; do
    states=$($CLI -e -h "$1" -p "$2" CLUSTER GETSLOTMIGRATIONS |
      awk -v ranges="$3" 'last == "slot_ranges" { ours = $0 == ranges } last == "state" && ours { print } { last = $0 }')
    case " $(echo $states) " in
      *" success "*) return ;;
      "  ") echo "$1:$2: no migration of slots $3 is known" >&2; exit 1 ;;
    esac
    echo "$states" | grep -qvxE 'failed|cancelled' || { echo "$1:$2: the migration of slots $3 failed" >&2; exit 1; }
    sleep 1
  done
}
"#;

/// What the commands of Redis 8.4 need. They run on the node that is to have the slots, and go on in the background.
const MIGRATION_IMPORT: &str = r#"# For Redis 8.4 and later. A password goes into REDISCLI_AUTH, options such as --tls into CLI.
set -eu
CLI=${CLI:-redis-cli}

# wait_for HOST PORT TASK: until the slots have changed hands
wait_for() {
  while :; do
    state=$($CLI -e -h "$1" -p "$2" CLUSTER MIGRATION STATUS ID "$3" | awk 'last == "state" { print } { last = $0 }')
    case $state in
      completed) return ;;
      failed | canceled | "") echo "$1:$2: migration $3 is ${state:-not known}" >&2; exit 1 ;;
    esac
    sleep 1
  done
}
"#;

/// What older servers need: one slot after the other, some keys at a time. The names of keys stay as the client prints them,
/// in quotes and escaped, and it reads them the same way: none of them is ever a word of the shell.
const SET_SLOT: &str = r#"# For every server since Redis 3.0.6. A password goes into REDISCLI_AUTH and, for the nodes among themselves, into
# MIGRATE_AUTH as 'AUTH password' or 'AUTH2 user password'; options such as --tls go into CLI.
set -eu
export LC_ALL=C
CLI=${CLI:-redis-cli}
MIGRATE_AUTH=${MIGRATE_AUTH:-}

# expect REPLY COMMAND...
expect() {
  wanted=$1
  shift
  reply=$($CLI "$@")
  [ "$reply" = "$wanted" ] || { echo "$*: $reply" >&2; exit 1; }
}

# move_slot SLOT
move_slot() {
  expect OK -h "$to_host" -p "$to_port" CLUSTER SETSLOT "$1" IMPORTING "$from_id"
  expect OK -h "$from_host" -p "$from_port" CLUSTER SETSLOT "$1" MIGRATING "$to_id"
  while :; do
    left=$($CLI -h "$from_host" -p "$from_port" CLUSTER COUNTKEYSINSLOT "$1")
    [ "$left" != 0 ] || break
    keys=$($CLI -h "$from_host" -p "$from_port" --no-raw CLUSTER GETKEYSINSLOT "$1" 10 |
      sed -n 's/^ *[0-9]*) "/"/p' | tr '\n' ' ')
    [ -n "$keys" ] || { echo "slot $1 on $from_host:$from_port: $left keys, but none can be listed" >&2; exit 1; }
    reply=$(printf 'MIGRATE %s %s "" 0 @TIMEOUT@ %s KEYS %s\n' "$to_host" "$to_port" "$MIGRATE_AUTH" "$keys" |
      $CLI -h "$from_host" -p "$from_port")
    case $reply in
      OK | NOKEY) ;;
      *) echo "slot $1 to $to_host:$to_port: $reply" >&2; exit 1 ;;
    esac
  done
  expect OK -h "$to_host" -p "$to_port" CLUSTER SETSLOT "$1" NODE "$to_id"
  expect OK -h "$from_host" -p "$from_port" CLUSTER SETSLOT "$1" NODE "$to_id"
}

# move_slots FROM_HOST FROM_PORT FROM_ID TO_HOST TO_PORT TO_ID RANGE...
move_slots() {
  from_host=$1 from_port=$2 from_id=$3 to_host=$4 to_port=$5 to_id=$6
  shift 6
  for range; do
    slot=${range%-*}
    while [ "$slot" -le "${range#*-}" ]; do
      move_slot "$slot"
      slot=$((slot + 1))
    done
  done
}
"#;

//! What to do about a big key, by its type and shape: what to run now, what to avoid, what to change for good.
//!
//! Commands have `KEY` where the key's name goes: a name can hold anything, and no quoting is safe in every shell and client.

use serde::Serialize;

use super::big::BigKey;
use super::summary::KeyRow;
use super::thresholds::TypeLimits;
use crate::memory::Server;
use crate::record::ValueType;
use crate::units::{bytes, count, duration_ms, duration_us};

/// From where on a pause of the server is worth a word, in microseconds.
const PAUSE_US: u64 = 1000;

/// What to do, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runbook {
    /// To run now.
    pub now: Vec<Step>,
    /// Not to run, or not while it is so big.
    pub avoid: Vec<Step>,
    /// To change for good.
    pub change: Vec<Step>,
}

/// A command, and what for; either may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// With `KEY` for the name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// In words.
    pub text: String,
}

/// A step of these words.
pub(super) fn step(command: impl Into<String>, text: impl Into<String>) -> Step {
    Step { command: command.into(), text: text.into() }
}

/// The runbook for a big key on `server`, whose MIGRATE is given `timeout_ms`.
pub fn runbook(big: &BigKey, limits: &TypeLimits, timeout_ms: u64, server: Server) -> Runbook {
    let (key, costs) = (&big.key, big.costs);
    let mut runbook = of_type(big, limits, server);
    runbook.now.push(delete(key, server));
    if costs.del_us >= PAUSE_US {
        let takes = duration_us(costs.del_us);
        runbook.avoid.push(step("DEL KEY", format!("blocks the server for about {takes}.")));
        if costs.unlink_us < PAUSE_US && server.has_unlink() {
            let setting = "as DEL does, unless lazyfree-lazy-expire and lazyfree-lazy-server-del are on.";
            runbook.avoid.push(step("", format!("An expiry, or a RENAME or SET over it: blocks {setting}")));
        }
    }
    if costs.migrate_us / 1000 > timeout_ms {
        let (takes, timeout) = (duration_us(costs.migrate_us), duration_ms(timeout_ms));
        runbook.avoid.push(step(
            "MIGRATE",
            format!("and resharding slot {}: it takes about {takes}, and the timeout is {timeout}.", key.slot),
        ));
    }
    let at = if key.value_type == ValueType::String { 0 } else { runbook.change.len() };
    runbook.change.splice(at..at, compress(big));
    if key.value_type != ValueType::String
        && let Some(largest) = key.len_largest_element.filter(|bytes| *bytes > limits.largest_element_bytes.warning)
    {
        runbook.change.push(step(
            "",
            format!(
                "Its largest element has {}: splitting the key does not make that smaller. Compress it, cut it, or keep it \
                 elsewhere and a pointer to it here.",
                bytes(largest)
            ),
        ));
    }
    if key.expiry.is_none() {
        runbook.change.push(step("EXPIRE KEY", "with a time, if it is not meant to stay: it never expires now."));
    }
    if big.pieces.is_some()
        && key.value_type != ValueType::String
        && let Some(elements) = key.num_elements
    {
        runbook.change.push(step(
            "",
            format!(
                "After a split, the pieces have to have {} elements together; another dump shows it.",
                count(elements)
            ),
        ));
    }
    runbook
}

/// How to get rid of it without a pause.
fn delete(key: &KeyRow, server: Server) -> Step {
    let unused = "once nothing reads it any more";
    if key.value_type == ValueType::String {
        let command = if server.has_unlink() { "UNLINK KEY" } else { "DEL KEY" };
        return step(command, format!("{unused}: a string is freed in one piece, not in the background."));
    }
    if server.has_unlink() {
        return step("UNLINK KEY", format!("{unused}: the memory is freed in the background."));
    }
    let batches = match key.value_type {
        ValueType::List => "LTRIM KEY 0 -1001 until it is short",
        ValueType::Set => "SSCAN and SREM in batches",
        ValueType::Zset => "ZREMRANGEBYRANK KEY 0 999 until it is short",
        ValueType::Hash => "HSCAN and HDEL in batches",
        _ => "in batches",
    };
    step("", format!("This server has no UNLINK: {unused}, {batches}, then DEL KEY."))
}

/// What compressing it would do, if that was measured and is worth a word.
fn compress(big: &BigKey) -> Option<Step> {
    let value_type = big.key.value_type;
    let measured = big.compression?;
    let words = measured.in_words();
    if !measured.is_worthwhile {
        let text = format!("It does not compress ({words}). Move it to object storage and keep a pointer.");
        return (value_type == ValueType::String).then(|| step("", text));
    }
    let what = match value_type {
        ValueType::String => "it in the client, or move it to object storage and keep a pointer",
        ValueType::List => "its elements in the client, each by itself",
        ValueType::Hash => "the values of its fields in the client, each by itself",
        ValueType::Stream => "the values of its entries in the client, each by itself",
        _ => "its members in the client, each by itself and everywhere alike, for they are found by their bytes",
    };
    Some(step("", format!("Compress {what}: {words}, about {} less in all.", bytes(measured.saved_bytes))))
}

/// As many elements as are not big, neither by number nor by memory.
fn bound(key: &KeyRow, limits: &TypeLimits) -> u64 {
    let memory = key.footprint_bytes.unwrap_or(0).max(key.size_in_bytes.unwrap_or(0)).max(1);
    let light =
        u128::from(key.num_elements.unwrap_or(0)) * u128::from(limits.memory_bytes.warning) / u128::from(memory);
    u64::try_from(light).unwrap_or(u64::MAX).clamp(1, limits.elements.warning.max(1))
}

/// Into what to split it, and where the pieces would land.
fn split(big: &BigKey, limits: &TypeLimits, how: &str) -> Step {
    let key = &big.key;
    let Some(pieces) = big.pieces else {
        return step("", "Splitting does not help: its elements are what is large.");
    };
    let each = match key.value_type {
        ValueType::String => format!("at most {}", bytes(limits.memory_bytes.warning)),
        _ => format!("about {} each", count(key.num_elements.unwrap_or(0).div_ceil(pieces.max(1)))),
    };
    let last = pieces.saturating_sub(1);
    let land = big.landing.as_ref().map_or(String::new(), |landing| format!(" {}", landing.in_words(pieces)));
    step("", format!("Split it into {} or more, {each}: KEY:0 to KEY:{last}, {how}.{land}", count(pieces)))
}

fn of_type(big: &BigKey, limits: &TypeLimits, server: Server) -> Runbook {
    let (key, costs) = (&big.key, big.costs);
    let read = match costs.read_us {
        ..PAUSE_US => "less than 1 ms".to_owned(),
        us => format!("about {}", duration_us(us)),
    };
    let whole = |command: &str| step(command, format!("blocks the server for {read}, and sends all of it."));
    let bound = bound(key, limits);
    let split = |how: &str| split(big, limits, how);
    let unbounded = |what: &str| {
        step(
            "",
            format!(
                "Nothing bounds {what}: let the application remove what is old, or begin a new one for each day or week, with an expiry."
            ),
        )
    };
    match key.value_type {
        ValueType::String => Runbook {
            now: vec![step("GETRANGE KEY 0 1023", "shows what it is without sending all of it.")],
            avoid: vec![
                step(
                    "GET KEY",
                    format!("where it is called often: {} on the link each time.", duration_us(costs.transfer_us)),
                ),
                step("SET KEY", "for a small change; SETRANGE and APPEND send only what is new."),
            ],
            change: match big.compression {
                Some(_) => vec![split("each read by itself")],
                None => vec![
                    step("", "Compress it in the client, or move it to object storage and keep a pointer."),
                    split("each read by itself"),
                ],
            },
        },
        ValueType::List => Runbook {
            now: vec![
                step("LRANGE KEY 0 999", "and on by windows, to look at it or to copy it."),
                step(format!("LTRIM KEY -{bound} -1"), "if only the newest at its tail are needed: the rest is gone."),
            ],
            avoid: vec![
                whole("LRANGE KEY 0 -1"),
                step("LINDEX, LSET, LINSERT, LREM", "away from the ends: they walk through it."),
            ],
            change: vec![
                step(
                    format!("LTRIM KEY -{bound} -1"),
                    format!("after each RPUSH keeps it bounded; after LPUSH it is LTRIM KEY 0 {}.", bound - 1),
                ),
                split("a new one begun when one is full"),
                step("", "A queue that grows has too few readers; a stream with MAXLEN bounds itself."),
            ],
        },
        ValueType::Set => Runbook {
            now: vec![step("SSCAN KEY 0 COUNT 500", "and on from the cursor; SREM in batches what can go.")],
            avoid: vec![
                whole("SMEMBERS KEY"),
                step(
                    "SUNION, SDIFF",
                    "with it: they go through all members, SINTER through those of the smallest set.",
                ),
            ],
            change: vec![split("the piece by a hash of the member"), unbounded("a set")],
        },
        ValueType::Zset => Runbook {
            now: vec![
                step("ZRANGE KEY 0 999", "and on by ranks, or ZSCAN."),
                step("ZREMRANGEBYRANK KEY 0 999", "in steps, if the lowest can go."),
            ],
            avoid: vec![
                whole("ZRANGE KEY 0 -1"),
                step("ZUNIONSTORE, ZINTERSTORE", "with it: they go through all members of a set, and write a new one."),
            ],
            change: vec![
                step(
                    format!("ZREMRANGEBYRANK KEY 0 -{}", bound.saturating_add(1)),
                    "after each ZADD keeps the highest, once it is that short; ZREMRANGEBYSCORE where scores are times.",
                ),
                split("by time window or by a hash of the member"),
            ],
        },
        ValueType::Hash => Runbook {
            now: vec![step("HSCAN KEY 0 COUNT 500", "and on from the cursor; HDEL in batches what can go.")],
            avoid: vec![whole("HGETALL KEY"), step("HKEYS KEY, HVALS KEY", "likewise; HMGET asks for what is needed.")],
            change: vec![
                split("by purpose, or by a hash of the field"),
                match key.fields_with_expiry.unwrap_or(0) {
                    0 if server.has_field_expiry() => step(
                        "HEXPIRE KEY",
                        "gives fields a time of their own: none has one, and nothing else bounds a hash.",
                    ),
                    0 => unbounded("a hash"),
                    n => step("", format!("{} of its fields expire on their own; the others stay.", count(n))),
                },
            ],
        },
        ValueType::Stream => Runbook {
            now: vec![
                step("XRANGE KEY - + COUNT 1000", "and on from the last id."),
                step("XINFO GROUPS KEY", "shows a group that lags, or does not acknowledge."),
                step(
                    format!("XTRIM KEY MAXLEN ~ {bound}"),
                    "if the oldest entries can go; again until it answers 0, for it removes a part at a time.",
                ),
            ],
            avoid: vec![whole("XRANGE KEY - +"), step("XREAD", "without COUNT.")],
            change: vec![
                step(format!("XADD KEY MAXLEN ~ {bound} * ..."), "keeps it bounded."),
                split("one for each day, say"),
            ],
        },
        ValueType::Module(_) => Runbook {
            change: vec![step("", "The module's documentation says how such a value can be split or bounded.")],
            ..Runbook::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::big::{BigKey, Judgement};
    use crate::analyze::compression::CompressionSample;
    use crate::analyze::cost::COST_MODEL;
    use crate::analyze::pieces::SlotOwners;
    use crate::analyze::thresholds::{BigThresholds, Measure};
    use crate::analyze::top::TopKey;
    use crate::analyze::top::tests::record;
    use crate::record::{Encoding, KeyRecord};

    fn key(value_type: ValueType) -> KeyRecord<'static> {
        KeyRecord {
            value_type,
            encoding: Some(Encoding::Skiplist),
            elements: Some(1_200_000),
            largest_element_bytes: Some(3 << 20),
            serialized_bytes: 900_000_000,
            ..record(b"$(reboot)", 1_000_000_000)
        }
    }

    fn big(record: KeyRecord<'_>, sample: Option<CompressionSample>, server: &str) -> BigKey {
        let owners = SlotOwners { nodes: vec!["node-a".to_owned()], owners: vec![Some(0); 16_384] };
        let judgement = Judgement { thresholds: &BigThresholds::default(), costs: &COST_MODEL, owners: &owners };
        judgement.big_key(&TopKey::new(0, &record, sample), "a", server.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_shape_decides() {
        for value_type in
            [ValueType::String, ValueType::List, ValueType::Set, ValueType::Zset, ValueType::Hash, ValueType::Stream]
        {
            let big = big(key(value_type), None, "redis-7.2");
            let all: Vec<&Step> =
                [&big.runbook.now, &big.runbook.avoid, &big.runbook.change].into_iter().flatten().collect();
            assert!(all.iter().all(|step| !step.text.is_empty() && !step.command.contains("reboot")), "{all:?}");
            let has = |text: &str| all.iter().any(|step| step.text.contains(text) || step.command.contains(text));
            assert!(has("UNLINK KEY") && has("never expires") && has("the timeout is 5 s"), "{all:?}");
            assert!(has("KEY:0 to KEY:") && has(" on node-a (slots "), "{all:?}");
            let is_string = value_type == ValueType::String;
            assert_eq!(has("1,200,000 elements together"), !is_string, "{all:?}");
            let has_lengths = !is_string && value_type != ValueType::Stream;
            assert_eq!(has("largest element has 3.00 MiB"), has_lengths, "{all:?}");
        }
        let small = KeyRecord {
            expire_at_ms: Some(0),
            serialized_bytes: 9,
            footprint_bytes: Some(99),
            memory_bytes: Some(99),
            largest_element_bytes: None,
            encoding: Some(Encoding::Quicklist),
            ..key(ValueType::List)
        };
        let text = format!("{:?}", big(small, None, "redis-7.2").runbook);
        assert!(text.contains("LTRIM KEY -10000 -1"));
        assert!(!text.contains("MIGRATE") && !text.contains("never expires") && !text.contains("largest element"));
    }

    #[test]
    fn few_large_elements_cannot_be_spread() {
        let few = KeyRecord { elements: Some(3), largest_element_bytes: Some(400 << 20), ..key(ValueType::Hash) };
        let found = big(few, None, "redis-7.2");
        assert_eq!(found.pieces, None);
        let text = format!("{:?}", found.runbook);
        assert!(text.contains("its elements are what is large") && !text.contains("KEY:0"), "{text}");
        // A thousand elements of a megabyte: it is their memory that bounds them.
        let heavy = KeyRecord { elements: Some(1000), ..key(ValueType::List) };
        let found = big(heavy, None, "redis-7.2");
        assert_eq!(found.pieces, Some(96));
        assert!(format!("{:?}", found.runbook).contains("LTRIM KEY -10 -1"), "{:?}", found.runbook);
        // One element that is large, in a key that is not.
        let one = KeyRecord { elements: Some(2), footprint_bytes: Some(4 << 20), memory_bytes: None, ..few };
        let one = big(KeyRecord { largest_element_bytes: Some(3 << 20), ..one }, None, "redis-7.2");
        assert_eq!(one.crossed.iter().map(|crossed| crossed.measure).collect::<Vec<_>>(), [Measure::LargestElement]);
        assert!(format!("{:?}", one.runbook).contains("Its largest element has 3.00 MiB"));
    }

    #[test]
    fn commands_are_those_of_the_server() {
        let book = |value_type, server| format!("{:?}", big(key(value_type), None, server).runbook);
        for value_type in [ValueType::List, ValueType::Set, ValueType::Zset, ValueType::Hash] {
            let old = book(value_type, "redis-3.2");
            assert!(!old.contains("UNLINK KEY") && old.contains("no UNLINK") && !old.contains("lazyfree"), "{old}");
        }
        assert!(book(ValueType::String, "redis-3.2").contains("DEL KEY"));
        assert!(book(ValueType::Hash, "redis-7.4").contains("HEXPIRE KEY"));
        assert!(book(ValueType::Hash, "valkey-9.0").contains("HEXPIRE KEY"));
        for server in ["redis-7.2", "valkey-8.1"] {
            assert!(book(ValueType::Hash, server).contains("Nothing bounds a hash"), "{server}");
        }
    }

    #[test]
    fn compression_is_told_where_it_helps() {
        let sample = |compressed_bytes, elements, elements_bytes| {
            Some(CompressionSample { sample_bytes: 65_536, compressed_bytes, elements, elements_bytes })
        };
        let text = |value_type, sample| format!("{:?}", big(key(value_type), sample, "redis-7.2").runbook);
        let string = text(ValueType::String, sample(15_073, 1, 1_000_000_000));
        assert!(string.contains("a sample of 64.0 KiB with zstd -3 makes it 23.0 % of its size"), "{string}");
        assert!(string.contains("about 734.3 MiB less in all"), "{string}");
        assert!(text(ValueType::String, sample(65_000, 1, 1_000_000_000)).contains("It does not compress"));
        let hash = text(ValueType::Hash, sample(32_768, 128, 65_536));
        assert!(hash.contains("Compress the values of its fields") && hash.contains("about 293.0 MiB less"), "{hash}");
        // Halved, but a small part of the key.
        assert!(!text(ValueType::Hash, sample(32_768, 4096, 65_536)).contains("ompress the"));
    }
}

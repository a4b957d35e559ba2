//! What to do about a big key, by its type and shape: what to run now, what to avoid, what to change for good.
//!
//! Commands have `KEY` where the key's name goes: a name can hold anything, and no quoting is safe in every shell and client.

use serde::Serialize;

use super::big::BigThresholds;
use super::cost::Costs;
use super::summary::KeyRow;
use crate::cluster::migrate::MIGRATE_TIMEOUT_MS;
use crate::record::ValueType;
use crate::units::{bytes, count, duration_ms, duration_us};

/// From where on an element is a burden by itself, in bytes.
const HUGE_ELEMENT_BYTES: u64 = 1 << 20;

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

fn step(command: impl Into<String>, text: impl Into<String>) -> Step {
    Step { command: command.into(), text: text.into() }
}

/// The runbook for a key that is to be split into `pieces`, if that helps.
pub fn runbook(key: &KeyRow, pieces: Option<u64>, costs: Costs, thresholds: &BigThresholds) -> Runbook {
    let mut runbook = of_type(key, pieces, costs, thresholds);
    runbook.now.push(match key.value_type {
        ValueType::String => step("UNLINK KEY", "once nothing reads it any more."),
        _ => step("UNLINK KEY", "once nothing reads it any more: the memory is freed in the background."),
    });
    if costs.del_us >= 1000 {
        runbook.avoid.push(step("DEL KEY", format!("blocks the server for about {}.", duration_us(costs.del_us))));
    }
    if costs.migrate_us / 1000 > MIGRATE_TIMEOUT_MS {
        let (takes, timeout) = (duration_us(costs.migrate_us), duration_ms(MIGRATE_TIMEOUT_MS));
        runbook.avoid.push(step(
            "MIGRATE",
            format!("and resharding slot {}: it takes about {takes}, and the timeout is {timeout}.", key.slot),
        ));
    }
    if key.value_type != ValueType::String
        && let Some(huge @ HUGE_ELEMENT_BYTES..) = key.len_largest_element
    {
        runbook.change.push(step(
            "",
            format!(
                "Its largest element has {}: splitting does not make that smaller. Compress it, or keep it elsewhere.",
                bytes(huge)
            ),
        ));
    }
    if key.expiry.is_none() {
        runbook.change.push(step("EXPIRE KEY", "with a time, if it is not meant to stay: it never expires now."));
    }
    if pieces.is_some()
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

/// As many elements as are not big, neither by number nor by memory.
fn bound(key: &KeyRow, thresholds: &BigThresholds) -> u64 {
    let memory = key.footprint_bytes.unwrap_or(0).max(key.size_in_bytes.unwrap_or(0)).max(1);
    let light =
        u128::from(key.num_elements.unwrap_or(0)) * u128::from(thresholds.memory_warning_bytes) / u128::from(memory);
    u64::try_from(light).unwrap_or(u64::MAX).clamp(1, thresholds.elements_warning.max(1))
}

fn of_type(key: &KeyRow, pieces: Option<u64>, costs: Costs, thresholds: &BigThresholds) -> Runbook {
    let read = match costs.read_us {
        ..1000 => "less than 1 ms".to_owned(),
        us => format!("about {}", duration_us(us)),
    };
    let whole = |command: &str| step(command, format!("blocks the server for {read}, and sends all of it."));
    let bound = bound(key, thresholds);
    let split = |how: &str| {
        let Some(pieces) = pieces else {
            return step("", "Its elements are what is large: compress them, cut them, or keep them elsewhere.");
        };
        let each = match key.value_type {
            ValueType::String => format!("at most {}", bytes(thresholds.memory_warning_bytes)),
            _ => format!("about {} each", count(key.num_elements.unwrap_or(0).div_ceil(pieces.max(1)))),
        };
        let last = pieces.saturating_sub(1);
        step("", format!("Split it into {} or more, {each}: KEY:0 to KEY:{last}, {how}.", count(pieces)))
    };
    match key.value_type {
        ValueType::String => Runbook {
            now: vec![step("GETRANGE KEY 0 1023", "shows what it is without sending all of it.")],
            avoid: vec![step(
                "GET KEY",
                format!("where it is called often: {} on the link each time.", duration_us(costs.transfer_us)),
            )],
            change: vec![
                step("", "Compress it in the client, or move it to object storage and keep a pointer."),
                split("each read by itself"),
            ],
        },
        ValueType::List => Runbook {
            now: vec![
                step("LRANGE KEY 0 999", "and on by windows, to look at it or to copy it."),
                step(format!("LTRIM KEY -{bound} -1"), "if only the newest at its tail are needed: the rest is gone."),
            ],
            avoid: vec![
                whole("LRANGE KEY 0 -1"),
                step("LINDEX, LINSERT, LREM", "away from the ends: they walk through it."),
            ],
            change: vec![
                step(format!("LTRIM KEY -{bound} -1"), "after each RPUSH keeps it bounded."),
                split("a new one begun when one is full"),
                step("", "A queue that grows has too few readers; a stream with MAXLEN bounds itself."),
            ],
        },
        ValueType::Set => Runbook {
            now: vec![step("SSCAN KEY 0 COUNT 500", "and on from the cursor; SREM in batches what can go.")],
            avoid: vec![whole("SMEMBERS KEY"), step("SINTER, SUNION, SDIFF", "with it: they go through all members.")],
            change: vec![split("the piece by a hash of the member")],
        },
        ValueType::Zset => Runbook {
            now: vec![
                step("ZRANGE KEY 0 999", "and on by ranks, or ZSCAN."),
                step("ZREMRANGEBYRANK KEY 0 999", "in steps, if the lowest can go."),
            ],
            avoid: vec![
                whole("ZRANGE KEY 0 -1"),
                step("ZUNION, ZINTER, ZDIFF", "with it: they go through all members."),
            ],
            change: vec![
                step(format!("ZREMRANGEBYRANK KEY 0 -{}", bound + 1), "after each ZADD keeps the highest."),
                split("by time window or by a hash of the member"),
            ],
        },
        ValueType::Hash => Runbook {
            now: vec![step("HSCAN KEY 0 COUNT 500", "and on from the cursor; HDEL in batches what can go.")],
            avoid: vec![whole("HGETALL KEY"), step("HKEYS KEY, HVALS KEY", "likewise; HMGET asks for what is needed.")],
            change: vec![split("by purpose, or by a hash of the field")],
        },
        ValueType::Stream => Runbook {
            now: vec![
                step("XRANGE KEY - + COUNT 1000", "and on from the last id."),
                step("XINFO GROUPS KEY", "shows a group that lags, or does not acknowledge."),
                step(format!("XTRIM KEY MAXLEN ~ {bound}"), "if the oldest entries can go."),
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
    use crate::analyze::top::tests::record;
    use crate::escape::Escape;

    fn key(value_type: ValueType) -> KeyRow {
        KeyRow {
            value_type,
            encoding: Some("skiplist"),
            num_elements: Some(1_200_000),
            len_largest_element: Some(3 << 20),
            serialized_bytes: 900_000_000,
            footprint_bytes: Some(1_000_000_000),
            ..KeyRow::new("a", &record(b"$(reboot)", 1), Escape::Utf8)
        }
    }

    #[test]
    fn the_shape_decides() {
        let thresholds = BigThresholds::default();
        for value_type in
            [ValueType::String, ValueType::List, ValueType::Set, ValueType::Zset, ValueType::Hash, ValueType::Stream]
        {
            let big = thresholds.big_key(&key(value_type)).unwrap();
            let all: Vec<&Step> =
                [&big.runbook.now, &big.runbook.avoid, &big.runbook.change].into_iter().flatten().collect();
            assert!(all.iter().all(|step| !step.text.is_empty() && !step.command.contains("reboot")), "{all:?}");
            let has = |text: &str| all.iter().any(|step| step.text.contains(text) || step.command.contains(text));
            assert!(has("UNLINK KEY") && has("never expires") && has("the timeout is 5 s"), "{all:?}");
            let collection = value_type != ValueType::String;
            assert_eq!(has("3.00 MiB") && has("1,200,000 elements together"), collection);
            assert!(
                has(if collection {
                    "into 120 or more, about 10,000 each: KEY:0 to KEY:119"
                } else {
                    "into 96 or more"
                }),
                "{all:?}"
            );
        }
        let small = KeyRow {
            expiry: Some("2026".to_owned()),
            serialized_bytes: 9,
            footprint_bytes: Some(99),
            len_largest_element: None,
            ..key(ValueType::List)
        };
        let big = thresholds.big_key(&small).unwrap();
        let text = format!("{:?}", big.runbook);
        assert!(text.contains("LTRIM KEY -10000 -1"));
        assert!(!text.contains("MIGRATE") && !text.contains("never expires") && !text.contains("largest element"));
    }

    #[test]
    fn few_large_elements_cannot_be_spread() {
        let thresholds = BigThresholds::default();
        let few = KeyRow { num_elements: Some(3), len_largest_element: Some(400 << 20), ..key(ValueType::Hash) };
        let big = thresholds.big_key(&few).unwrap();
        assert_eq!(big.pieces, None);
        let text = format!("{:?}", big.runbook);
        assert!(text.contains("Its elements are what is large") && !text.contains("KEY:0"), "{text}");
        // A thousand elements of a megabyte: it is their memory that bounds them.
        let heavy = KeyRow { num_elements: Some(1000), ..key(ValueType::List) };
        let big = thresholds.big_key(&heavy).unwrap();
        assert_eq!(big.pieces, Some(96));
        assert!(format!("{:?}", big.runbook).contains("LTRIM KEY -10 -1"), "{:?}", big.runbook);
    }
}

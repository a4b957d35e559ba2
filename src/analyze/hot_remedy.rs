//! What to do about a hot key, by what is done to it.

use super::access::HitsRow;
use super::remedy::{Step, step};
use crate::record::ValueType;
use crate::units::{bytes, count, percent};

/// What is done to a key, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is read.
    Read,
    /// Numbers in it are added to.
    Counted,
    /// It is written.
    Written,
    /// Nobody says.
    Unknown,
}

impl Use {
    /// By the hits whose commands are known: four of five are reads, or one of five adds to a number.
    pub fn of(hits: Option<&HitsRow>) -> Use {
        let Some(hits) = hits else { return Use::Unknown };
        let known = hits.reads + hits.writes + hits.increments;
        match known {
            0 => Use::Unknown,
            _ if hits.increments >= known.div_ceil(5) => Use::Counted,
            _ if hits.reads >= (known - known / 5) => Use::Read,
            _ => Use::Written,
        }
    }

    /// What other names of the key are to it.
    pub fn names_are(self) -> &'static str {
        match self {
            Use::Read | Use::Unknown => "copies",
            Use::Counted => "shards",
            Use::Written => "parts",
        }
    }
}

/// How hot a key is, in words.
pub fn why(hits: Option<(&HitsRow, u64)>, has_hits: bool, counter: Option<(u8, u64)>) -> String {
    let mut parts = Vec::new();
    if let Some((hits, total)) = hits {
        let what = if has_hits { "hits" } else { "calls in the slow log" };
        parts.push(format!("{} {what} ({} of all)", count(hits.hits), percent(hits.hits, total)));
        if let Some(rate @ 1000..) = hits.hits_per_second_per_mille {
            parts.push(format!("{} a second", count(rate / 1000)));
        }
        let known = hits.reads + hits.writes + hits.increments;
        for (part, name) in [(hits.reads, "reads"), (hits.writes, "writes"), (hits.increments, "increments")] {
            if part > 0 {
                parts.push(format!("{} {name}", percent(part, known)));
            }
        }
    }
    if let Some((counter, estimate)) = counter {
        let more = if counter == u8::MAX { " or more" } else { "" };
        parts.push(format!("access counter {counter}: about {} hits{more}", count(estimate)));
    }
    parts.join(", ")
}

/// The steps for a key that has `names` names on as many nodes.
pub fn steps(usage: Use, value_type: Option<ValueType>, footprint_bytes: Option<u64>, names: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let each = match names {
        0 | 1 => String::new(),
        names => format!(" Each of {} nodes then has about {} of its hits.", names, percent(1, names as u64)),
    };
    let copies = |when: &str| {
        let more = footprint_bytes.filter(|_| names > 1).map_or(String::new(), |footprint| {
            format!(" They take {} more.", bytes(footprint.saturating_mul(names as u64 - 1)))
        });
        step(
            "",
            format!(
                "{when}Keep copies under the names below: write all of them, with the same expiry; read one of them at \
                 random.{each}{more}"
            ),
        )
    };
    let cache = |when: &str| {
        step(
            "CLIENT TRACKING ON",
            format!("{when}Cache it in the client, for a second or until the server says that it has changed."),
        )
    };
    let replicas = |when: &str| {
        step("READONLY", format!("{when}Read it from replicas, where an answer that lags behind will do."))
    };
    let shards = |when: &str| {
        step(
            "",
            format!("{when}Count in shards: add to one of the names below at random; to read, sum all of them.{each}"),
        )
    };
    match usage {
        Use::Read => {
            steps.push(cache(""));
            if names > 1 {
                steps.push(copies(""));
            }
            steps.push(replicas(""));
        }
        Use::Counted => {
            if names > 1 {
                steps.push(shards(""));
            }
            steps.push(step("", "Add up in the client and send the sum once a second: many hits become one."));
        }
        Use::Written => {
            steps.push(step("", "Gather writes in the client, and send many as one: copies would multiply them."));
            if names > 1 {
                let how = match value_type {
                    Some(ValueType::List | ValueType::Stream) => {
                        "Deal what is added over the names below, and have readers for each."
                    }
                    Some(ValueType::String) => {
                        "Where only a part of the value changes each time, keep that part apart."
                    }
                    _ => "Split it by a hash of the field or member over the names below.",
                };
                steps.push(step("", format!("{how}{each}")));
            }
        }
        Use::Unknown => {
            steps.push(cache("If it is mostly read: "));
            if names > 1 {
                steps.push(copies("If it is mostly read: "));
                steps.push(shards("If it is a counter: "));
            }
            steps.push(replicas("If it is mostly read: "));
            steps.push(step("", "A MONITOR log of some seconds, given with --monitor, says which of these it is."));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(reads: u64, writes: u64, increments: u64) -> HitsRow {
        HitsRow { hits: reads + writes + increments, reads, writes, increments, ..HitsRow::default() }
    }

    #[test]
    fn what_is_done_to_a_key_decides() {
        let uses = [(8, 2, 0), (7, 3, 0), (8, 0, 2), (0, 0, 1), (0, 9, 1), (0, 0, 0)];
        assert_eq!(
            uses.map(|(reads, writes, increments)| Use::of(Some(&hits(reads, writes, increments)))),
            [Use::Read, Use::Written, Use::Counted, Use::Counted, Use::Written, Use::Unknown]
        );
        let text = |usage, names| format!("{:?}", steps(usage, Some(ValueType::Hash), Some(1 << 20), names));
        assert!(text(Use::Read, 3).contains("They take 2.00 MiB more") && text(Use::Read, 3).contains("READONLY"));
        assert!(text(Use::Read, 3).contains("Each of 3 nodes then has about 33.3 % of its hits."));
        assert!(text(Use::Counted, 3).contains("sum all of them") && !text(Use::Counted, 3).contains("READONLY"));
        assert!(text(Use::Written, 3).contains("hash of the field") && !text(Use::Written, 3).contains("copies under"));
        for usage in [Use::Read, Use::Counted, Use::Written, Use::Unknown] {
            assert!(!text(usage, 1).contains("names below"), "{usage:?}");
        }
        assert_eq!(
            why(Some((&hits(75, 25, 0), 400)), true, Some((255, 311_500))),
            "100 hits (25.0 % of all), 75.0 % reads, 25.0 % writes, access counter 255: about 311,500 hits or more"
        );
    }
}

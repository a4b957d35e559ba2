//! Many short elements at a time: what one by one comes to, in loops whose sums stay in registers.

use super::Meter;
use super::set::SetStage;
use crate::memory::model::Cost;
use crate::memory::score;
use crate::memory::server::Family;
use crate::rdb::run::{Run, SIMPLE_LENS};
use crate::rdb::string::canonical_int;
use crate::value::{intset, listpack, ziplist};

impl Meter<'_> {
    /// Whether elements may come many at a time: not where each is an object.
    #[inline]
    pub(super) fn takes_runs(&self) -> bool {
        !self.model.boxes_elements()
    }

    /// Whether members of a set may: not as long as it depends on each how the loader holds the next.
    #[inline]
    pub(super) fn takes_members(&self) -> bool {
        self.takes_runs() && (!self.v.want_stage || self.v.set_stage == SetStage::Table)
    }

    /// Members of a set.
    pub(super) fn run_of_members(&mut self, members: &Run<'_, 1, 0>) {
        debug_assert!(self.takes_members() && self.v.want_table);
        let model = self.model;
        let (cost, longest) = sum(members, model.short_sds());
        self.v.longest = self.v.longest.max(longest);
        self.v.count += members.elements();
        self.v.table += cost;
        if self.v.want_ints {
            let (mut ints, mut width) = (0, self.v.int_width);
            for int in members.texts().filter_map(canonical_int).chain(members.ints()) {
                ints += 1;
                width = width.max(intset::width_of(int));
            }
            self.v.ints += ints;
            self.v.int_width = width;
        }
        if self.v.want_stage {
            self.pack_strings(members);
        }
    }

    /// Members of a sorted set, with their scores.
    pub(super) fn run_of_scored(&mut self, members: &Run<'_, 1, 8>) {
        debug_assert!(self.takes_runs() && self.v.want_table);
        let model = self.model;
        let (nodes, longest) = sum(members, model.short_znodes());
        self.v.longest = self.v.longest.max(longest);
        self.v.count += members.elements();
        self.v.znodes += nodes;
        if self.v.want_packed {
            self.pack_strings(members);
            let shortest = model.options.server.family().at_least(Family::R72);
            for (_, score) in members.scores() {
                let (len, int) = score::packed_form(score, shortest);
                self.pack(len, int);
            }
            self.long_member();
        }
    }

    /// Fields of a hash.
    pub(super) fn run_of_fields(&mut self, fields: &Run<'_, 2, 0>) {
        debug_assert!(self.takes_runs() && self.v.want_table);
        let model = self.model;
        let (strings, longest) = sum(fields, model.short_sds());
        if model.splits_hash_entries() {
            self.v.table += strings;
            self.v.table += model.dict_entries(fields.elements());
        } else {
            for [name, value] in fields.lens() {
                self.v.table += model.hash_entry(u64::from(*name), u64::from(*value), false);
            }
        }
        self.v.longest = self.v.longest.max(longest);
        if self.v.want_packed {
            self.pack_strings(fields);
            let limit = model.options.thresholds.hash_max_listpack_value;
            if longest > limit {
                let before = fields.lens().iter().take_while(|lens| lens.iter().all(|len| u64::from(*len) <= limit));
                self.long_field(self.v.count + before.count() as u64);
            }
        }
        self.v.count += fields.elements();
    }

    /// Adds the strings to the packed form that the value would have, in any order: what an entry of a ziplist takes depends
    /// on the one before it only if that is long, which only the one before all of these can be.
    fn pack_strings<const STRINGS: usize, const BEHIND: usize>(&mut self, run: &Run<'_, STRINGS, BEHIND>) {
        let (bytes, previous) = match self.model.layout.listpack {
            true => (packed(run, listpack::entry_bytes), 0),
            false => (packed(run, |len, int| ziplist::entry_bytes(len, int, 0)), self.v.previous_entry),
        };
        self.v.packed_bytes += bytes + ziplist::previous_bytes(previous) - ziplist::previous_bytes(0);
        self.v.previous_entry = 0;
    }
}

/// The sum of what `entry` says of all strings.
#[inline(always)]
fn packed<const STRINGS: usize, const BEHIND: usize>(
    run: &Run<'_, STRINGS, BEHIND>,
    entry: impl Fn(u64, Option<i64>) -> u64,
) -> u64 {
    let texts = run.texts().map(|text| entry(text.len() as u64, canonical_int(text))).sum::<u64>();
    texts + run.ints().map(|int| entry(0, Some(int))).sum::<u64>()
}

/// What all strings cost by their lengths, and the longest of those.
#[inline]
fn sum<const STRINGS: usize, const BEHIND: usize>(run: &Run<'_, STRINGS, BEHIND>, costs: &[Cost]) -> (Cost, u64) {
    let costs = &costs[..SIMPLE_LENS];
    let (mut sum, mut longest) = (Cost::default(), 0);
    for len in run.lens().as_flattened() {
        let cost = costs[usize::from(*len) % SIMPLE_LENS];
        // Nothing to saturate: the run is short.
        sum.usage += cost.usage;
        sum.real += cost.real;
        longest = longest.max(*len);
    }
    (sum, u64::from(longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::model::{KeyFacts, Model, ModelOptions};
    use crate::memory::{Allocator, Measure, Saving, Thresholds};
    use crate::rdb::{Cursor, Dialect, SliceCursor, StreamCursor, TypeByte};
    use crate::record::ValueType;
    use crate::value::{Scratch, decode};

    /// A string in one of the forms that a file has: an integer, the text of one, of a number, short, long, compressed.
    fn string(form: usize, n: usize) -> Vec<u8> {
        let text = |text: String| [&[text.len() as u8], text.as_bytes()].concat();
        match form {
            0 => vec![0xc0, n as u8],
            1 => [&[0xc1][..], &(n as i16).to_le_bytes()].concat(),
            2 => [&[0xc2][..], &(n as i32 * -70_001).to_le_bytes()].concat(),
            3 => text(format!("{}", n as u64 * 10_000_000_007)),
            4 => text(format!("0{n}")),
            5 => text(format!("name:{n}")),
            6 => text("x".repeat(n % 64)),
            7 => [&[0x40, (65 + n % 100) as u8][..], &vec![b'v'; 65 + n % 100]].concat(),
            8 => [&[0x41, 44][..], &[b'v'; 300]].concat(),
            9 => [&[0x80, 0, 0, 0x40, 0][..], &[b'v'; 0x4000]].concat(),
            10 => [&[0x40, 254][..], &[b'v'; 254]].concat(), // long enough for what follows it in a ziplist to tell
            _ => b"\xc3\x06\x15\x01aa\xe0\x0a\x00".to_vec(), // 21 times `a`
        }
    }

    /// The strings of a value: mostly in one form, now and then, at one of so many, in another.
    const MIXES: [(usize, usize, usize); 14] = [
        (5, 5, 1),
        (2, 2, 1),
        (1, 5, 40),
        (3, 5, 700),
        (0, 4, 3),
        (5, 7, 50),
        (5, 7, 450),
        (6, 8, 100),
        (5, 9, 90),
        (6, 11, 7),
        (5, 10, 7),
        (3, 2, 2),
        (5, 1, 2),
        (5, 3, 10),
    ];
    const KINDS: [(TypeByte, ValueType); 3] =
        [(TypeByte::SET, ValueType::Set), (TypeByte::ZSET_2, ValueType::Zset), (TypeByte::HASH, ValueType::Hash)];

    /// A value of so many elements; of a hash, every other one has the mix in its names and not in its values.
    fn value(kind: TypeByte, count: usize, (most, other, every): (usize, usize, usize)) -> Vec<u8> {
        let mut value = [&[0x80][..], &(count as u32).to_be_bytes()].concat();
        for n in 0..count {
            let form = if n % every == every - 1 { other } else { most };
            match kind {
                TypeByte::SET => value.extend(string(form, n)),
                TypeByte::ZSET_2 => value.extend([string(form, n), (n as f64 * 0.37).to_le_bytes().to_vec()].concat()),
                _ if count.is_multiple_of(2) => value.extend([string(5, n), string(form, n)].concat()),
                _ => value.extend([string(form, n), string(5, n)].concat()),
            }
        }
        value
    }

    fn models() -> Vec<Model> {
        let values = |value| Thresholds {
            hash_max_listpack_value: value,
            set_max_listpack_value: value,
            zset_max_listpack_value: value,
            ..Thresholds::default()
        };
        let few = Thresholds {
            hash_max_listpack_entries: 100,
            set_max_intset_entries: 0,
            set_max_listpack_entries: 100,
            zset_max_listpack_entries: 0,
            ..values(20)
        };
        let servers = [
            "redis-3.0",
            "redis-4.0",
            "redis-6.2",
            "redis-7.0",
            "redis-7.2",
            "redis-7.4",
            "redis-8.2",
            "redis-8.6",
            "valkey-8.0",
            "valkey-8.1",
            "valkey-9.0",
        ];
        let of = |server: &str| {
            [Thresholds::default(), values(9), few.clone()].map(|thresholds| {
                let server = server.parse().unwrap();
                Model::new(ModelOptions { server, allocator: Allocator::Jemalloc, cluster: false, thresholds })
            })
        };
        servers.into_iter().flat_map(of).collect()
    }

    /// What a value comes to that is read from `cursor`, and what it would as a packed one.
    fn measured(
        model: &Model,
        (stored, kind): (TypeByte, ValueType),
        cursor: &mut impl Cursor,
    ) -> (Measure, Option<Saving>, u64, u64, Option<u64>) {
        let mut meter = Meter::new(model);
        meter.begin();
        let mut visit = meter.typed(kind, stored);
        assert_eq!(decode(cursor, stored, Dialect::Redis, &mut Scratch::default(), &mut visit), Ok(None));
        let key = KeyFacts { key_len: 3, expires: false, evicts: false, metadata_classes: 0 };
        let measure = meter.finish(kind, stored, &key, 0);
        let saving = meter.saving(kind, &key, measure.encoding, measure.real_bytes);
        let packed_bytes = (meter.v.want_packed || meter.v.want_stage).then_some(meter.v.packed_bytes);
        (measure, saving, meter.elements(), meter.longest(), packed_bytes)
    }

    /// What elements come to many at a time, as they lie in memory, is what they come to one by one, as a stream has them.
    #[test]
    fn many_at_a_time_are_measured_as_one_by_one() {
        let models = models();
        let mut savings = 0;
        for kind in KINDS {
            for count in [1, 17, 100, 128, 129, 300, 512, 513, 600, 2048, 2049] {
                for mix in MIXES {
                    let bytes = value(kind.0, count, mix);
                    for model in &models {
                        let mut memory = SliceCursor::new(&bytes, 0);
                        let many = measured(model, kind, &mut memory);
                        let (mut rest, mut ignore) = (&bytes[..], |_: &[u8]| {});
                        let mut stream = StreamCursor::new(Vec::new(), 0, &mut rest, &mut ignore);
                        assert_eq!(many, measured(model, kind, &mut stream), "{kind:?} of {count}, {mix:?}, {model:?}");
                        assert_eq!((memory.offset(), stream.offset()), (bytes.len() as u64, bytes.len() as u64));
                        savings += usize::from(many.1.is_some());
                    }
                }
            }
        }
        assert!(savings > 100, "{savings}");
    }
}

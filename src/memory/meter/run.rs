//! Many short elements at a time: what one by one comes to, in loops whose sums stay in registers.

use super::Meter;
use super::set::SetStage;
use crate::memory::model::Cost;
use crate::memory::score;
use crate::memory::server::Family;
use crate::rdb::run::{self, Run};
use crate::rdb::string::canonical_int;
use crate::value::{intset, listpack};

impl Meter<'_> {
    /// Whether nothing of an element depends on the one before it, and no element is an object.
    #[inline]
    pub(super) fn takes_runs(&self) -> bool {
        self.model.layout.listpack || !(self.v.want_packed || self.v.want_stage || self.model.boxes_elements())
    }

    /// Members of a set; not while the loader has no table yet, if it matters when it makes one.
    pub(super) fn run_of_members(&mut self, members: &Run<'_, 1, 0>) {
        let model = self.model;
        let (cost, longest) = sum(members, &model.sds);
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
            self.pack_all(members);
        }
    }

    /// Whether the loader may still change its mind about how to hold a set, and that matters.
    pub(super) fn is_in_stages(&self) -> bool {
        self.v.want_stage && self.v.set_stage != SetStage::Table
    }

    /// Members of a sorted set, with their scores.
    pub(super) fn run_of_scored(&mut self, members: &Run<'_, 1, 8>) {
        let model = self.model;
        let (nodes, longest) = sum(members, &model.znodes);
        self.v.longest = self.v.longest.max(longest);
        self.v.count += members.elements();
        self.v.znodes += nodes;
        if !self.v.want_packed {
            return;
        }
        self.pack_all(members);
        let thresholds = &model.options.thresholds;
        let shortest = model.options.server.family().at_least(Family::R72);
        let mut scores = 0;
        for (_, score) in members.behind() {
            let (len, int) = score::packed_form(f64::from_le_bytes(score), shortest);
            scores += listpack::entry_bytes(len, int);
        }
        self.v.packed_bytes += scores;
        self.give_up_packing(longest, thresholds.zset_max_listpack_entries, thresholds.zset_max_listpack_value);
    }

    /// Fields of a hash.
    pub(super) fn run_of_fields(&mut self, fields: &Run<'_, 2, 0>) {
        let model = self.model;
        let (strings, longest) = sum(fields, &model.sds);
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
            self.pack_all(fields);
            let limit = model.options.thresholds.hash_max_listpack_value;
            if longest > limit {
                let before = fields.lens().iter().take_while(|lens| lens.iter().all(|len| u64::from(*len) <= limit));
                self.long_field(self.v.count + before.count() as u64, longest);
            }
        }
        self.v.count += fields.elements();
    }

    /// Adds the strings to the listpack that the value would have.
    fn pack_all<const STRINGS: usize, const BEHIND: usize>(&mut self, run: &Run<'_, STRINGS, BEHIND>) {
        let mut bytes = 0;
        for text in run.texts() {
            bytes += listpack::entry_bytes(text.len() as u64, canonical_int(text));
        }
        for int in run.ints() {
            bytes += listpack::entry_bytes(0, Some(int));
        }
        self.v.packed_bytes += bytes;
    }
}

/// What all strings cost by their lengths, and the longest of those.
#[inline]
fn sum<const STRINGS: usize, const BEHIND: usize>(run: &Run<'_, STRINGS, BEHIND>, costs: &[Cost]) -> (Cost, u64) {
    let costs = &costs[..run::LENS];
    let (mut sum, mut longest) = (Cost::default(), 0);
    for len in run.lens().as_flattened() {
        let cost = costs[usize::from(*len) % run::LENS];
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
    use crate::memory::{Allocator, Thresholds};
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
            _ => b"\xc3\x06\x15\x01aa\xe0\x0a\x00".to_vec(), // 21 times `a`
        }
    }

    /// The strings of a value: mostly in one form, now and then in another.
    const MIXES: [(usize, usize, usize); 13] = [
        // (most, others, one of how many)
        (5, 5, 1),
        (2, 2, 1),
        (1, 5, 40),
        (3, 5, 700),
        (0, 4, 3),
        (5, 7, 50),
        (5, 7, 450),
        (6, 8, 100),
        (5, 9, 90),
        (6, 10, 7),
        (3, 2, 2),
        (5, 1, 2),
        (5, 3, 10),
    ];

    fn value(kind: TypeByte, count: usize, (most, other, every): (usize, usize, usize)) -> Vec<u8> {
        let mut value = [&[0x80][..], &(count as u32).to_be_bytes()].concat();
        for n in 0..count {
            let form = if n % every == every - 1 { other } else { most };
            match kind {
                TypeByte::SET => value.extend(string(form, n)),
                TypeByte::ZSET_2 => value.extend([string(form, n), (n as f64 * 0.37).to_le_bytes().to_vec()].concat()),
                _ => value.extend([string(5, n), string(form, n)].concat()),
            }
        }
        value
    }

    /// What elements come to many at a time, as they lie in memory, is what they come to one by one, as a stream has them.
    #[test]
    fn many_at_a_time_are_measured_as_one_by_one() {
        let small = Thresholds {
            hash_max_listpack_value: 9,
            set_max_listpack_value: 9,
            zset_max_listpack_value: 9,
            ..Thresholds::default()
        };
        let key = KeyFacts { key_len: 3, expires: false, evicts: false, metadata_classes: 0 };
        let kinds =
            [(TypeByte::SET, ValueType::Set), (TypeByte::ZSET_2, ValueType::Zset), (TypeByte::HASH, ValueType::Hash)];
        let mut savings = 0;
        for (stored, kind) in kinds {
            for count in [1, 17, 100, 128, 129, 300, 512, 513, 600, 2048, 2049] {
                for mix in MIXES {
                    let bytes = value(stored, count, mix);
                    for server in [
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
                    ] {
                        for thresholds in [Thresholds::default(), small.clone()] {
                            let server = server.parse().unwrap();
                            let options =
                                ModelOptions { server, allocator: Allocator::Jemalloc, cluster: false, thresholds };
                            let model = Model::new(options);
                            let mut meter = Meter::new(&model);
                            let mut finish = |read: &mut dyn FnMut(&mut Meter<'_>)| {
                                meter.begin();
                                read(&mut meter);
                                let measure = meter.finish(kind, stored, &key, 0);
                                let saving = meter.saving(kind, &key, measure.encoding, measure.real_bytes);
                                (measure, saving, meter.elements(), meter.longest())
                            };
                            let many = finish(&mut |meter| {
                                let mut cursor = SliceCursor::new(&bytes, 0);
                                let mut visit = meter.typed(kind, stored);
                                let read =
                                    decode(&mut cursor, stored, Dialect::Redis, &mut Scratch::default(), &mut visit);
                                assert_eq!((read, cursor.offset()), (Ok(None), bytes.len() as u64));
                            });
                            let one_by_one = finish(&mut |meter| {
                                let (mut rest, mut ignore) = (&bytes[..], |_: &[u8]| {});
                                let mut cursor = StreamCursor::new(Vec::new(), 0, &mut rest, &mut ignore);
                                let mut visit = meter.typed(kind, stored);
                                let read =
                                    decode(&mut cursor, stored, Dialect::Redis, &mut Scratch::default(), &mut visit);
                                assert_eq!((read, cursor.offset()), (Ok(None), bytes.len() as u64));
                            });
                            assert_eq!(many, one_by_one, "{kind:?} of {count}, {mix:?}, {:?}", model.options());
                            savings += usize::from(many.1.is_some());
                        }
                    }
                }
            }
        }
        assert!(savings > 100, "{savings}");
    }
}

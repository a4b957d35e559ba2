//! What compressing values in the client would save, measured: a sample of a value is compressed with a real codec.

use serde::{Deserialize, Serialize};

use crate::rdb::lzf::inflate_start;
use crate::rdb::{RdbStr, StoredValue};
use crate::value::{StreamId, Visit, listpack};

/// The codec and its level, as people call it.
pub const CODEC: &str = "zstd -3";
const LEVEL: i32 = 3;
/// Bytes of a value that are compressed; the element that reaches beyond them is the last.
const SAMPLE_BYTES: usize = 64 << 10;
/// Shorter elements are taken as they are: a frame of their own would hardly make them smaller.
const SHORTEST: usize = 64;
/// Longest node of a stream that is unpacked.
const MAX_NODE_BYTES: u64 = 8 << 20;

/// A sample of a value, and what it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressionSample {
    /// Bytes that were compressed: of a string its start, of a collection its first elements, each by itself.
    pub sample_bytes: u64,
    /// What they came to, or the elements themselves where that is less.
    pub compressed_bytes: u64,
    /// Elements that the sample is of, or begins: members, items, values of fields, entries of a stream; 1 for a string.
    pub elements: u64,
    /// Bytes of these elements in full.
    pub elements_bytes: u64,
}

impl CompressionSample {
    /// Compresses the start of a value; absent if it has none of what a client could compress.
    pub fn of(value: &StoredValue<'_>) -> Option<CompressionSample> {
        let mut sampler = Sampler {
            codec: zstd::bulk::Compressor::new(LEVEL).ok()?,
            sample: CompressionSample { sample_bytes: 0, compressed_bytes: 0, elements: 0, elements_bytes: 0 },
            text: Vec::new(),
            packed: Vec::new(),
            node: Vec::new(),
            last_is_raw: false,
        };
        let missing = value.visit_start(&mut sampler);
        let mut sample = sampler.sample;
        if sampler.last_is_raw {
            sample.elements_bytes = sample.elements_bytes.saturating_add(missing);
        }
        (sample.sample_bytes > 0 && sample.elements > 0).then_some(sample)
    }

    /// Bytes that compressing all of the key's elements, of which there are so many, would save.
    pub fn saved_bytes(&self, elements: u64) -> u64 {
        let all = u128::from(self.elements_bytes) * u128::from(elements) / u128::from(self.elements.max(1));
        let saved = self.sample_bytes.saturating_sub(self.compressed_bytes);
        u64::try_from(all.saturating_mul(u128::from(saved)) / u128::from(self.sample_bytes.max(1))).unwrap_or(u64::MAX)
    }
}

/// Takes the elements of a value until there are enough of them.
struct Sampler<'c> {
    codec: zstd::bulk::Compressor<'c>,
    sample: CompressionSample,
    /// Of an element: its start as text; what it is compressed. A stream's node, unpacked.
    text: Vec<u8>,
    packed: Vec<u8>,
    node: Vec<u8>,
    /// Whether the string that came last counts, and is stored as it is.
    last_is_raw: bool,
}

impl Sampler<'_> {
    fn is_full(&self) -> bool {
        self.sample.sample_bytes >= SAMPLE_BYTES as u64
    }

    fn element(&mut self, element: RdbStr<'_>) {
        self.last_is_raw = false;
        if self.is_full() {
            return;
        }
        self.sample.elements += 1;
        self.part(element);
    }

    /// Adds a string that is an element, or lies in one.
    fn part(&mut self, part: RdbStr<'_>) {
        self.last_is_raw = matches!(part, RdbStr::Raw(_));
        self.sample.elements_bytes = self.sample.elements_bytes.saturating_add(part.len());
        let mut text = std::mem::take(&mut self.text);
        match part {
            RdbStr::Raw(bytes) => self.compress(&bytes[..bytes.len().min(SAMPLE_BYTES)]),
            RdbStr::Lzf { packed, .. } => {
                text.resize(SAMPLE_BYTES, 0);
                let there = inflate_start(packed, &mut text);
                self.compress(&text[..there]);
            }
            RdbStr::Int(_) | RdbStr::Unread { .. } => {
                self.sample.sample_bytes += part.len();
                self.sample.compressed_bytes += part.len();
            }
        }
        self.text = text;
    }

    fn compress(&mut self, bytes: &[u8]) {
        self.sample.sample_bytes += bytes.len() as u64;
        let mut least = bytes.len();
        if bytes.len() >= SHORTEST {
            self.packed.resize(zstd::compress_bound(SAMPLE_BYTES), 0);
            if let Ok(packed) = self.codec.compress_to_buffer(bytes, &mut self.packed[..]) {
                least = least.min(packed);
            }
        }
        self.sample.compressed_bytes += least as u64;
    }
}

impl Visit for Sampler<'_> {
    fn string(&mut self, value: RdbStr<'_>) {
        Sampler::element(self, value);
    }

    fn element(&mut self, element: RdbStr<'_>) {
        Sampler::element(self, element);
    }

    fn field(&mut self, _: RdbStr<'_>) {
        self.last_is_raw = false;
    }

    fn field_value(&mut self, value: RdbStr<'_>) {
        Sampler::element(self, value);
    }

    /// The strings in a node are the values of its entries, and once the names of their fields.
    fn stream_node(&mut self, _: StreamId, listpack: RdbStr<'_>) {
        if self.is_full() {
            return;
        }
        let mut node = std::mem::take(&mut self.node);
        if let Ok(bytes) = listpack.bytes(&mut node, MAX_NODE_BYTES) {
            let mut first = true;
            // A node that the start of the value has only in part is no listpack.
            let _ = listpack::each_entry(bytes, |entry| {
                if std::mem::take(&mut first) {
                    let claimed = u64::try_from(entry.as_int().unwrap_or(0)).unwrap_or(0);
                    self.sample.elements = self.sample.elements.saturating_add(claimed);
                } else if let RdbStr::Raw(_) = entry {
                    self.part(entry);
                }
            });
        }
        self.last_is_raw = false;
        self.node = node;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Dialect, TypeByte};

    fn length(n: usize) -> Vec<u8> {
        [&[0x80][..], &(n as u32).to_be_bytes()].concat()
    }

    fn sample(kind: TypeByte, data: &[u8]) -> Option<CompressionSample> {
        CompressionSample::of(&StoredValue { kind, dialect: Dialect::Redis, data, from: 0, end: data.len() })
    }

    /// Bytes in which nothing repeats.
    fn noise(len: usize) -> Vec<u8> {
        let mut seed = 1u64;
        let next = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (seed >> 56) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn a_string_is_compressed_in_one_piece() {
        let text = b"the same words again and again, ".repeat(1 << 15);
        let found = sample(TypeByte::STRING, &[length(text.len()), text.clone()].concat()).unwrap();
        assert_eq!((found.sample_bytes, found.elements, found.elements_bytes), (65_536, 1, 1 << 20));
        assert!(found.compressed_bytes < 200);
        assert!((1_040_000..1 << 20).contains(&found.saved_bytes(1)), "{}", found.saved_bytes(1));
        // Compressed in the dump, it gives the same sample.
        let packed = lzf::compress(&text).unwrap();
        let stored = [&[0xc3][..], &length(packed.len()), &length(text.len()), &packed].concat();
        assert_eq!(sample(TypeByte::STRING, &stored), Some(found));
        // And so it does if it goes on behind what is looked at.
        let cut = &packed[..packed.len() - 1];
        let stored = [&[0xc3][..], &length(packed.len()), &length(text.len()), cut].concat();
        assert_eq!(sample(TypeByte::STRING, &stored), Some(found));

        let noise = noise(1 << 20);
        let found = sample(TypeByte::STRING, &[length(noise.len()), noise].concat()).unwrap();
        assert_eq!((found.compressed_bytes, found.saved_bytes(1)), (65_536, 0));
        assert_eq!(sample(TypeByte::STRING, b"\xc0\x05").unwrap().saved_bytes(1), 0);
    }

    #[test]
    fn elements_are_compressed_each_by_itself() {
        // Short ones count as they are, though all are the same.
        let short = [length(3000), b"\x23some bytes, always of the same text".repeat(3000)].concat();
        let found = sample(TypeByte::SET, &short).unwrap();
        assert_eq!(found.sample_bytes, found.compressed_bytes);
        assert_eq!(found.saved_bytes(3000), 0);
        // Of fields, only the values count; names may be as long as they like.
        let mut hash = length(4);
        for text in [b"a".repeat(1000), b"b".repeat(3000), b"c".repeat(90_000), b"d".repeat(9)] {
            hash.extend([length(200), noise(200), length(text.len()), text].concat());
        }
        let found = sample(TypeByte::HASH, &hash).unwrap();
        assert_eq!((found.elements, found.sample_bytes, found.elements_bytes), (3, 4000 + 65_536, 94_000));
        assert!(found.compressed_bytes < 100);
        assert!((185_000..188_000).contains(&found.saved_bytes(6)), "{}", found.saved_bytes(6));
    }

    #[test]
    fn an_element_beyond_the_start_counts_in_full() {
        let long = b"xy".repeat(500_000);
        let found = sample(TypeByte::LIST, &[length(2), length(long.len()), long.clone()].concat()).unwrap();
        assert_eq!((found.elements, found.sample_bytes, found.elements_bytes), (1, 65_536, 1_000_000));
        // Not if it is a field's name that is cut off.
        let hash =
            [length(1), length(5), b"field".to_vec(), length(3), b"abc".to_vec(), length(long.len()), long].concat();
        assert_eq!(sample(TypeByte::HASH, &hash).unwrap().elements_bytes, 3);
    }

    #[test]
    fn what_has_nothing_to_compress_has_no_sample() {
        assert_eq!(sample(TypeByte::SET, b"\x00"), None);
        assert_eq!(sample(TypeByte::HASH, b""), None);
        assert_eq!(sample(TypeByte::MODULE_2, b"\x81\x00"), None);
    }
}

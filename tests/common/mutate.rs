//! Damage from a seed: the same number gives the same damaged dump.

use rdbscope::rdb::{Header, Item, Reader};

use super::*;

/// Numbers from a seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// A sound dump taken apart: its header, its items without the end.
#[derive(Clone, Debug)]
pub struct Parts {
    pub name: String,
    header: Vec<u8>,
    items: Vec<Vec<u8>>,
}

impl Parts {
    pub fn of(name: &str, bytes: &[u8]) -> Parts {
        let mut items: Vec<Vec<u8>> = work::items(bytes).into_iter().map(|(range, _)| bytes[range].to_vec()).collect();
        items.pop();
        // The largest would be most of the time and no more of the ways.
        items.retain(|item| item.len() < 20_000);
        Parts { name: name.to_owned(), header: bytes[..9].to_vec(), items }
    }

    /// A dump of a few of the items that follow each other, without an end.
    fn some(&self, random: &mut Random) -> Vec<u8> {
        let mut dump = self.header.clone();
        if !self.items.is_empty() {
            let start = random.below(self.items.len());
            let count = 1 + random.below(8);
            dump.extend(self.items[start..].iter().take(count).flatten());
        }
        dump
    }
}

/// Lengths that lie: short and long forms, large and small.
const LIES: [&[u8]; 9] = [
    &[0],
    &[0x3f],
    &[0x7f, 0xff],
    &[0x80, 0, 0, 0, 3],
    &[0x80, 0xff, 0xff, 0xff, 0xff],
    &[0x81, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xc2, 1, 2, 3, 4],
    &[0xc3, 3, 0x40, 0x80],
];

/// The damaged dump of this seed, and what it was made of. Most have a checksum that is right or off, so that not it but the
/// structure tells.
pub fn mutation(parts: &[Parts], seed: u64) -> (String, Vec<u8>) {
    let random = &mut Random::new(seed);
    let from = &parts[random.below(parts.len())];
    let mut bytes = from.some(random);
    let has_end = random.below(20) > 0;
    if has_end {
        bytes.push(0xff);
    }
    for _ in 0..1 + random.below(3) {
        // Seldom in the header: most of what could be there is no RDB at all.
        let floor = if random.below(50) == 0 { 0 } else { 9.min(bytes.len() - 1) };
        let at = floor + random.below(bytes.len() - floor);
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.byte(),
            3 => bytes.truncate(at + 1),
            4 => {
                let inserted: Vec<u8> = (0..1 + random.below(4)).map(|_| random.byte()).collect();
                bytes.splice(at..at, inserted);
            }
            5 => {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes.drain(at..end);
                if bytes.is_empty() {
                    bytes.push(b'R');
                }
            }
            6 => {
                let lie = LIES[random.below(LIES.len())];
                bytes.splice(at..at + 1, lie.iter().copied());
            }
            _ => {
                let other = parts[random.below(parts.len())].some(random);
                bytes.truncate(at + 1);
                bytes.extend(&other[random.below(other.len())..]);
                bytes.push(0xff);
            }
        }
    }
    if Header::parse(&bytes).is_ok_and(Header::has_checksum) {
        let sum = match random.below(4) {
            0 => 0,
            1 => 1,
            _ => end_of_data(&bytes).map_or(0, |end| crc(&bytes[..end])),
        };
        match end_of_data(&bytes) {
            Some(end) => {
                bytes.truncate(end);
                bytes.extend(sum.to_le_bytes());
            }
            None => bytes.extend(sum.to_le_bytes()),
        }
    }
    (format!("seed {seed}, of {}", from.name), bytes)
}

/// Where the checksum belongs, if the damaged dump still has an end.
fn end_of_data(bytes: &[u8]) -> Option<usize> {
    let with_sum = [bytes, &[0; 8]].concat();
    let mut reader = Reader::new(&with_sum).ok()?;
    loop {
        if let Item::End { .. } = reader.next_item().ok()? {
            return Some(reader.position() - 8);
        }
    }
}

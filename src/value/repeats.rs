//! What comes twice among any number of names, in bounded memory.
//!
//! Each name leaves a *print*: 80 bits of its hash, and the offset at which it stands. The prints are sorted in pieces,
//! which go to a temporary file when there are many, and are merged at the end: equal hashes then lie side by side. Two of
//! `n` different names have the same hash with a chance of n²/2⁸¹: one in ten billion for 15 million names.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// Bits of an offset in a print: dumps are shorter than 256 TiB.
const OFFSET_BITS: u32 = 48;
const OFFSET_MASK: u128 = (1 << OFFSET_BITS) - 1;
/// Prints that are held in memory: 8 MiB of them.
const HELD: usize = 1 << 19;
/// Bytes of a print in a file.
const PRINT_BYTES: usize = size_of::<u128>();
/// Prints that are read of a piece at a time.
const READ: usize = 512;

/// Finds names that come twice.
#[derive(Debug, Default)]
pub struct Repeats {
    held: Vec<u128>,
    pieces: Vec<Piece>,
    /// Where this one's own pieces go, one behind the other.
    file: Option<Arc<File>>,
    error: Option<io::Error>,
}

/// Sorted prints in a temporary file.
#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    start: u64,
    prints: usize,
}

impl Repeats {
    /// Takes a name that stands at offset `at`; `space` tells names apart that are alike but do not clash.
    pub fn add(&mut self, space: u64, name: &[u8], at: u64) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(space);
        hasher.write(name);
        let high = u128::from(hasher.finish());
        hasher.write_u8(0xff);
        let low = u128::from(hasher.finish() as u16);
        self.held.push((high << 16 | low) << OFFSET_BITS | u128::from(at) & OFFSET_MASK);
        if self.held.len() >= HELD {
            self.spill();
        }
    }

    /// Takes over the names that another was given.
    pub fn merge(&mut self, mut other: Repeats) {
        self.pieces.append(&mut other.pieces);
        self.error = self.error.take().or(other.error);
        for print in other.held {
            self.held.push(print);
            if self.held.len() >= HELD {
                self.spill();
            }
        }
    }

    /// Gives each name that came before as the offsets of its first coming and of this one, in no order of names; begins
    /// anew.
    ///
    /// # Errors
    /// If the temporary files could not be written or read. What was given until then stands.
    pub fn drain(&mut self, mut each: impl FnMut(u64, u64)) -> io::Result<()> {
        let pieces = std::mem::take(&mut self.pieces);
        self.file = None;
        if let Some(error) = self.error.take() {
            self.held.clear();
            return Err(error);
        }
        self.held.sort_unstable();
        let mut first: Option<u128> = None;
        let mut take = |print: u128| match first {
            Some(first) if first >> OFFSET_BITS == print >> OFFSET_BITS => {
                each((first & OFFSET_MASK) as u64, (print & OFFSET_MASK) as u64);
            }
            _ => first = Some(print),
        };
        let merged = if pieces.is_empty() {
            self.held.iter().copied().for_each(take);
            Ok(())
        } else {
            merge_sorted(&self.held, pieces, &mut take)
        };
        self.held.clear();
        merged
    }

    /// Puts what is held into a file.
    #[cold]
    fn spill(&mut self) {
        self.held.sort_unstable();
        match self.write_held() {
            Ok(piece) => self.pieces.push(piece),
            Err(error) => self.error = Some(error),
        }
        self.held.clear();
    }

    fn write_held(&mut self) -> io::Result<Piece> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new(tempfile::tempfile()?))),
        };
        let start = (&*file).seek(SeekFrom::End(0))?;
        let mut out = BufWriter::new(&*file);
        self.held.iter().try_for_each(|print| out.write_all(&print.to_le_bytes()))?;
        out.flush()?;
        drop(out);
        Ok(Piece { file, start, prints: self.held.len() })
    }
}

/// Gives the prints of all pieces and of `held`, each of them sorted, in one order.
fn merge_sorted(held: &[u128], pieces: Vec<Piece>, take: &mut impl FnMut(u128)) -> io::Result<()> {
    let mut held = held.iter().copied().peekable();
    let mut pieces: Vec<Reading> = pieces.into_iter().map(Reading::new).collect();
    let mut heap = BinaryHeap::with_capacity(pieces.len());
    for (at, piece) in pieces.iter_mut().enumerate() {
        if let Some(print) = piece.next()? {
            heap.push(Reverse((print, at)));
        }
    }
    while let Some(Reverse((print, at))) = heap.pop() {
        while let Some(before) = held.next_if(|held| *held <= print) {
            take(before);
        }
        take(print);
        if let Some(next) = pieces[at].next()? {
            heap.push(Reverse((next, at)));
        }
    }
    held.for_each(take);
    Ok(())
}

/// A piece that is read through.
struct Reading {
    piece: Piece,
    window: Vec<u8>,
    at: usize,
}

impl Reading {
    fn new(piece: Piece) -> Reading {
        Reading { piece, window: Vec::new(), at: 0 }
    }

    fn next(&mut self) -> io::Result<Option<u128>> {
        if self.at == self.window.len() {
            let prints = self.piece.prints.min(READ);
            self.piece.prints -= prints;
            self.window.resize(prints * PRINT_BYTES, 0);
            let mut file = &*self.piece.file;
            file.seek(SeekFrom::Start(self.piece.start))?;
            file.read_exact(&mut self.window)?;
            self.piece.start += self.window.len() as u64;
            self.at = 0;
        }
        let Some(print) = self.window[self.at..].first_chunk() else { return Ok(None) };
        self.at += PRINT_BYTES;
        Ok(Some(u128::from_le_bytes(*print)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(repeats: &mut Repeats) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        repeats.drain(|first, again| found.push((first, again))).unwrap();
        found.sort_unstable();
        found
    }

    #[test]
    fn finds_what_comes_twice_and_begins_anew() {
        let mut repeats = Repeats::default();
        for (at, name) in [b"a".as_slice(), b"b", b"a", b"", b"ab", b"a"].into_iter().enumerate() {
            repeats.add(0, name, at as u64);
        }
        repeats.add(1, b"a", 9); // in another database
        assert_eq!(found(&mut repeats), [(0, 2), (0, 5)]);
        repeats.add(0, b"b", 7);
        assert_eq!(found(&mut repeats), []);
    }

    #[test]
    fn finds_it_in_files_as_well() {
        // Three pieces' worth, over two collectors; every 100,000th name comes again in the other one.
        let names = 3 * HELD as u64;
        let (mut one, mut other) = (Repeats::default(), Repeats::default());
        for n in 0..names {
            one.add(0, &n.to_le_bytes(), n);
            if n % 100_000 == 0 {
                other.add(0, &n.to_le_bytes(), names + n);
            }
        }
        assert_eq!(one.pieces.len(), 3);
        one.add(0, &5u64.to_le_bytes(), names + 5); // found between a piece and what is held
        one.merge(other);
        let mut expected: Vec<(u64, u64)> = (0..names).step_by(100_000).map(|n| (n, names + n)).collect();
        expected.push((5, names + 5));
        expected.sort_unstable();
        assert_eq!(found(&mut one), expected);
    }
}

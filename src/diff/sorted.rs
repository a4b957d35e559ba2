//! More keys than memory holds, in the order of their databases and names: runs in temporary files, merged.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};

/// Bytes that are sorted in memory.
const BUFFER_BYTES: usize = 16 << 20;
/// Runs that become one: so that files stay few.
const FAN_IN: usize = 32;
/// Bytes of a run that are read ahead, or written behind.
const FILE_BUFFER_BYTES: usize = 32 << 10;

/// Bytes before the rest of an entry: its length.
const LENGTH_BYTES: usize = 4;
/// Bytes before the name: database, length of the name.
const HEAD_BYTES: usize = 12;

/// Appends an entry of a key: what [`Sorter`] takes. `rest` is about the key, in any form.
pub fn append_entry(out: &mut Vec<u8>, db: u64, name: &[u8], rest: &[u8]) {
    // Names are at most 512 MiB, the longest string that dumps may have.
    out.extend_from_slice(&((HEAD_BYTES + name.len() + rest.len()) as u32).to_le_bytes());
    out.extend_from_slice(&db.to_be_bytes());
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(rest);
}

/// An entry that was sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted(Box<[u8]>);

impl Sorted {
    /// Database and name of the key.
    pub fn key(&self) -> (u64, &[u8]) {
        let (db, name, _) = parts(&self.0);
        (db, name)
    }

    /// What is about the key.
    pub fn rest(&self) -> &[u8] {
        parts(&self.0).2
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Sorted) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Sorted) -> Ordering {
        parts(&self.0).cmp(&parts(&other.0))
    }
}

fn parts(entry: &[u8]) -> (u64, &[u8], &[u8]) {
    let db = entry.first_chunk().map_or(0, |db| u64::from_be_bytes(*db));
    let len = entry.get(8..HEAD_BYTES).and_then(|len| len.first_chunk()).map_or(0, |len| u32::from_le_bytes(*len));
    let (name, rest) = entry.get(HEAD_BYTES..).unwrap_or_default().split_at_checked(len as usize).unwrap_or_default();
    (db, name, rest)
}

/// Takes entries in any order. Files are only made when there are more than memory is to hold.
#[derive(Debug)]
pub struct Sorter {
    buffer: Vec<u8>,
    /// Where in the buffer each entry begins.
    starts: Vec<usize>,
    /// Runs in files, and how often they have been merged; the more often, the earlier.
    levels: Vec<Vec<File>>,
    buffer_bytes: usize,
}

impl Default for Sorter {
    fn default() -> Sorter {
        Sorter::with_buffer(BUFFER_BYTES)
    }
}

impl Sorter {
    fn with_buffer(buffer_bytes: usize) -> Sorter {
        Sorter { buffer: Vec::new(), starts: Vec::new(), levels: Vec::new(), buffer_bytes }
    }

    fn add(&mut self, entry: &[u8]) -> io::Result<()> {
        if !self.buffer.is_empty() && self.buffer.len() + entry.len() > self.buffer_bytes {
            self.spill()?;
        }
        if self.buffer.len() + entry.len() > self.buffer.capacity() {
            // Twice as much as there is, but not beyond the limit.
            let wanted = (2 * self.buffer.capacity()).max(1 << 16).min(self.buffer_bytes);
            self.buffer.reserve_exact(wanted.max(self.buffer.len() + entry.len()) - self.buffer.len());
        }
        self.starts.push(self.buffer.len());
        self.buffer.extend_from_slice(entry);
        Ok(())
    }

    /// Writes what is in memory to a file.
    fn spill(&mut self) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, tempfile::tempfile()?);
        sort(&self.buffer, &mut self.starts);
        for &start in &self.starts {
            file.write_all(framed(&self.buffer, start))?;
        }
        self.buffer.clear();
        self.starts.clear();
        self.keep(0, file)
    }

    /// Puts a run that is written among those of its level, and merges these if they are many.
    fn keep(&mut self, level: usize, file: BufWriter<File>) -> io::Result<()> {
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(file);
        if self.levels[level].len() < FAN_IN {
            return Ok(());
        }
        let runs = std::mem::take(&mut self.levels[level]);
        let mut merged = BufWriter::with_capacity(FILE_BUFFER_BYTES, tempfile::tempfile()?);
        let mut entries = Merge::new(runs.into_iter().map(Run::of_file).collect())?;
        while let Some(Sorted(entry)) = entries.next()? {
            merged.write_all(&(entry.len() as u32).to_le_bytes())?;
            merged.write_all(&entry)?;
        }
        self.keep(level + 1, merged)
    }

    /// All entries, sorted.
    ///
    /// # Errors
    /// If a temporary file cannot be written or read.
    pub fn finish(mut self) -> io::Result<Merge> {
        if self.levels.is_empty() {
            sort(&self.buffer, &mut self.starts);
            return Merge::new(vec![Run::Memory { buffer: self.buffer, starts: self.starts.into_iter() }]);
        }
        if !self.starts.is_empty() {
            self.spill()?;
        }
        Merge::new(self.levels.into_iter().flatten().map(Run::of_file).collect())
    }
}

/// Takes whole entries, as many as there are.
impl Write for Sorter {
    fn write(&mut self, entries: &[u8]) -> io::Result<usize> {
        let mut rest = entries;
        while let Some(length) = rest.first_chunk::<LENGTH_BYTES>() {
            let end = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
            let (entry, behind) = rest.split_at_checked(end).ok_or(io::ErrorKind::InvalidData)?;
            self.add(entry)?;
            rest = behind;
        }
        Ok(entries.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The entry that begins there, with its length.
fn framed(buffer: &[u8], start: usize) -> &[u8] {
    let rest = &buffer[start..];
    let length = rest.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    &rest[..(LENGTH_BYTES + length).min(rest.len())]
}

fn sort(buffer: &[u8], starts: &mut [usize]) {
    let entry = |start: usize| parts(&framed(buffer, start)[LENGTH_BYTES..]);
    starts.sort_unstable_by(|one, other| entry(*one).cmp(&entry(*other)));
}

#[derive(Debug)]
enum Run {
    Memory { buffer: Vec<u8>, starts: std::vec::IntoIter<usize> },
    File(BufReader<File>),
}

impl Run {
    fn of_file(file: File) -> Run {
        Run::File(BufReader::with_capacity(FILE_BUFFER_BYTES, file))
    }

    fn next(&mut self) -> io::Result<Option<Sorted>> {
        match self {
            Run::Memory { buffer, starts } => {
                Ok(starts.next().map(|start| Sorted(framed(buffer, start)[LENGTH_BYTES..].into())))
            }
            Run::File(file) => {
                let mut length = [0; LENGTH_BYTES];
                match file.read_exact(&mut length) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    other => other?,
                }
                let mut entry = vec![0; u32::from_le_bytes(length) as usize];
                file.read_exact(&mut entry)?;
                Ok(Some(Sorted(entry.into())))
            }
        }
    }
}

/// Sorted runs as one.
#[derive(Debug)]
pub struct Merge {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Sorted, usize)>>,
}

impl Merge {
    fn new(mut runs: Vec<Run>) -> io::Result<Merge> {
        let mut heads = BinaryHeap::new();
        for (i, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|entry| Reverse((entry, i))));
        }
        Ok(Merge { runs, heads })
    }

    /// The next entry.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    #[allow(clippy::should_implement_trait)] // an iterator would hand errors on only as items
    pub fn next(&mut self) -> io::Result<Option<Sorted>> {
        let Some(Reverse((entry, i))) = self.heads.pop() else { return Ok(None) };
        self.heads.extend(self.runs[i].next()?.map(|next| Reverse((next, i))));
        Ok(Some(entry))
    }

    /// The key that comes next.
    pub fn peek(&self) -> Option<(u64, &[u8])> {
        self.heads.peek().map(|Reverse((entry, _))| entry.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_depend_on_the_room_there_is() {
        let mut entries: Vec<(u64, Vec<u8>, Vec<u8>)> = (0..20_000u64)
            .map(|n| (n % 3, format!("key:{}", n * 7919 % 5000).into_bytes(), n.to_le_bytes().to_vec()))
            .collect();
        entries.push((0, Vec::new(), b"no name".to_vec()));
        entries.push((u64::MAX, b"\xff\xff".to_vec(), Vec::new()));
        let sorted = |buffer_bytes: usize, step: usize| {
            let mut sorter = Sorter::with_buffer(buffer_bytes);
            for chunk in entries.chunks(step) {
                let mut bytes = Vec::new();
                chunk.iter().for_each(|(db, name, rest)| append_entry(&mut bytes, *db, name, rest));
                sorter.write_all(&bytes).unwrap();
            }
            let mut merge = sorter.finish().unwrap();
            let mut found = Vec::new();
            while let Some(entry) = merge.next().unwrap() {
                let (db, name) = entry.key();
                found.push((db, name.to_vec(), entry.rest().to_vec()));
            }
            found
        };
        let mut expected = entries.clone();
        expected.sort();
        // In memory, in a few files, in files that are merged to others, and with entries larger than the room.
        for (buffer_bytes, step) in [(1 << 30, 7), (100_000, 1000), (400, 1), (1, 20_000)] {
            assert!(sorted(buffer_bytes, step) == expected, "{buffer_bytes}");
        }
    }
}

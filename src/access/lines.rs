//! Lines of a log, each of bounded length, and the quoted words in them.

use std::io::{self, BufRead};

/// Bytes of a line that are looked at; of longer ones, the rest is passed over.
pub const LINE_BYTES: usize = 1 << 16;

/// Reads lines one at a time into a buffer that does not outgrow [`LINE_BYTES`].
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
}

/// A line without its end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its first bytes.
    pub bytes: &'l [u8],
    /// Whether it goes on.
    pub is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    /// Nothing read yet.
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader, line: Vec::new(), number: 0 }
    }

    /// The next line, if there is one.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut is_any, mut is_cut) = (false, false);
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                break;
            }
            is_any = true;
            let end = memchr::memchr(b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = LINE_BYTES - self.line.len();
            is_cut |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !is_any {
            return Ok(None);
        }
        if !is_cut && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, bytes: &self.line, is_cut }))
    }
}

/// The words of a command.
#[derive(Clone, Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    /// No words, in the memory of those before.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends a word.
    pub fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    /// Appends the word that `text` begins with, in quotes and with escapes as servers and redis-cli write them, and gives
    /// what comes after it. None if it is no such word, or has no end.
    pub fn push_quoted<'t>(&mut self, text: &'t [u8]) -> Option<&'t [u8]> {
        let start = self.bytes.len();
        let rest = unquote(text, &mut self.bytes);
        match rest {
            Some(_) => self.ends.push(self.bytes.len()),
            None => self.bytes.truncate(start),
        }
        rest
    }

    /// All words.
    pub fn list(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }
}

/// Takes the escapes out of a quoted word; gives what comes after it.
fn unquote<'t>(text: &'t [u8], out: &mut Vec<u8>) -> Option<&'t [u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let plain = memchr::memchr2(b'"', b'\\', rest)?;
        out.extend_from_slice(&rest[..plain]);
        let is_end = rest[plain] == b'"';
        rest = &rest[plain + 1..];
        if is_end {
            return Some(rest);
        }
        let (escape, after) = rest.split_first()?;
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'x' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                out.push((digit(digits[0])? << 4 | digit(digits[1])?) as u8);
                rest = after;
            }
            other => out.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_the_next_one_is_found() {
        let text = [&vec![b'a'; LINE_BYTES + 7][..], b"\r\nb\r\n\nc"].concat();
        let mut lines = Lines::new(io::BufReader::with_capacity(100, &text[..]));
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.number, line.bytes.len(), line.is_cut), (1, LINE_BYTES, true));
        for (number, bytes) in [(2, &b"b"[..]), (3, b""), (4, b"c")] {
            let line = lines.next_line().unwrap().unwrap();
            assert_eq!((line.number, line.bytes, line.is_cut), (number, bytes, false));
        }
        assert!(lines.next_line().unwrap().is_none());
    }

    #[test]
    fn quotes_and_escapes_come_off() {
        let mut words = Words::default();
        assert_eq!(words.push_quoted(br#""a\"b\\ \n\r\t\a\b\x00\xfF" "x""#), Some(&b" \"x\""[..]));
        assert_eq!(words.push_quoted(br#""""#), Some(&b""[..]));
        for broken in [&b"a"[..], b"\"a", b"\"\\", b"\"\\x1", b"\"\\xg0\"", b""] {
            assert_eq!(words.push_quoted(broken), None);
        }
        assert_eq!(words.list(), [&b"a\"b\\ \n\r\t\x07\x08\x00\xff"[..], b""]);
    }
}

//! Bounded reading: bytes, lengths and strings, from a slice or from a stream.

use std::io::{self, Read};

use super::fault::{Fault, FaultKind, Parse};
use super::lzf;
use super::run::{self, Columns, Run};
use super::string::RdbStr;

/// A place in an RDB stream from which to read on.
///
/// [`SliceCursor`] reads a mapped file, [`StreamCursor`] a pipe; the decoding is the same code for both. What a method
/// returns is only borrowed until the next call, since a stream moves its window.
pub trait Cursor {
    /// Absolute offset of the next byte in the RDB stream, from 0.
    fn offset(&self) -> u64;

    /// The next `n` bytes.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    fn take(&mut self, n: usize) -> Parse<&[u8]>;

    /// Passes over `n` bytes.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    fn skip(&mut self, n: u64) -> Parse<()>;

    /// The next `n` bytes where only their number may matter: a stream does not keep long ones.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    fn raw_string(&mut self, n: u64) -> Parse<RdbStr<'_>>;

    /// The next byte.
    ///
    /// # Errors
    /// `Truncated` at the end of the data.
    #[inline(always)]
    fn byte(&mut self) -> Parse<u8> {
        Ok(self.take(1)?[0])
    }

    /// `N` bytes by value.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Parse<[u8; N]> {
        let at = self.offset();
        self.take(N)?.first_chunk().copied().ok_or(Fault { at, kind: FaultKind::Truncated { needed: N as u64 } })
    }

    /// A millisecond time: 8 bytes, little endian.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    #[inline]
    fn millis(&mut self) -> Parse<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A binary double: 8 bytes, little endian.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    #[inline]
    fn double(&mut self) -> Parse<f64> {
        self.array().map(f64::from_le_bytes)
    }

    /// A length where only a length may stand.
    ///
    /// # Errors
    /// `BadLength` for a string encoding or an unknown form, `Truncated`.
    #[inline]
    fn length(&mut self) -> Parse<u64> {
        let at = self.offset();
        match self.length_or_encoding()? {
            Length::Plain(n) => Ok(n),
            Length::Encoding(e) => Err(Fault { at, kind: FaultKind::BadLength { byte: 0xc0 | e } }),
        }
    }

    /// A number of elements, each of which takes at least one byte of the rest.
    ///
    /// # Errors
    /// As [`Cursor::length`]; `BadCount` for the number that means "unknown" elsewhere.
    #[inline]
    fn count(&mut self) -> Parse<u64> {
        let at = self.offset();
        match self.length()? {
            u64::MAX => Err(Fault { at, kind: FaultKind::BadCount { claimed: u64::MAX } }),
            n => Ok(n),
        }
    }

    /// The head of a string: a length, or one of the special encodings.
    ///
    /// # Errors
    /// `BadLength` for an unknown form, `Truncated`.
    #[inline(always)]
    fn length_or_encoding(&mut self) -> Parse<Length> {
        let at = self.offset();
        let first = self.byte()?;
        if first < 0x40 {
            return Ok(Length::Plain(u64::from(first))); // nearly always
        }
        match first >> 6 {
            1 => Ok(Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?))),
            3 => Ok(Length::Encoding(first & 0x3f)),
            _ => match first {
                0x80 => Ok(Length::Plain(u64::from(u32::from_be_bytes(self.array()?)))),
                0x81 => Ok(Length::Plain(u64::from_be_bytes(self.array()?))),
                byte => Err(Fault { at, kind: FaultKind::BadLength { byte } }),
            },
        }
    }

    /// A string in any stored form; a stream passes over the bytes of a long one.
    ///
    /// # Errors
    /// `BadLength`, `BadStringEncoding`, `Truncated`.
    #[inline(always)]
    fn string(&mut self) -> Parse<RdbStr<'_>> {
        let at = self.offset();
        match self.length_or_encoding()? {
            Length::Plain(n) => self.raw_string(n),
            Length::Encoding(e @ 0..=2) => self.integer(e).map(RdbStr::Int),
            Length::Encoding(e) => compressed_string(self, at, e, false),
        }
    }

    /// A string that is stored as it is, or the encoding of another, of which the first byte is read.
    ///
    /// # Errors
    /// `BadLength`, `Truncated`.
    #[inline(always)]
    fn string_or_encoding(&mut self) -> Parse<Form<'_>> {
        string_or_encoding(self)
    }

    /// The integer that follows the first byte of a string in the encoding 0, 1 or 2.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline(always)]
    fn integer(&mut self, encoding: u8) -> Parse<i64> {
        match encoding {
            0 => self.array().map(|b| i64::from(i8::from_le_bytes(b))),
            1 => self.array().map(|b| i64::from(i16::from_le_bytes(b))),
            _ => self.array().map(|b| i64::from(i32::from_le_bytes(b))),
        }
    }

    /// A string whose bytes are wanted: a packed blob, a name.
    ///
    /// # Errors
    /// As [`Cursor::string`].
    #[inline]
    fn blob(&mut self) -> Parse<RdbStr<'_>> {
        let at = self.offset();
        match self.length_or_encoding()? {
            Length::Plain(n) => Ok(RdbStr::Raw(self.take_claimed(n)?)),
            Length::Encoding(e @ 0..=2) => self.integer(e).map(RdbStr::Int),
            Length::Encoding(e) => compressed_string(self, at, e, true),
        }
    }

    /// The next `n` bytes, where `n` is a claim of any size.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    #[inline(always)]
    fn take_claimed(&mut self, n: u64) -> Parse<&[u8]> {
        let at = self.offset();
        match usize::try_from(n) {
            Ok(n) => self.take(n),
            Err(_) => Err(Fault { at, kind: FaultKind::Truncated { needed: n } }),
        }
    }

    /// Takes the next elements, as long as all of their strings are simple: see [`Run`]. At most `most`, and no more than
    /// `columns` has room for; a cursor may leave any of them.
    #[inline(always)]
    fn take_run<'r, const STRINGS: usize, const BEHIND: usize>(
        &'r mut self,
        most: u64,
        columns: &'r mut Columns,
    ) -> Run<'r, STRINGS, BEHIND> {
        let _ = (most, columns);
        Run::none()
    }

    /// Passes over the elements that [`Cursor::take_run`] would take, and gives their number.
    #[inline(always)]
    fn skip_run<const STRINGS: usize, const BEHIND: usize>(&mut self, most: u64) -> u64 {
        let _ = most;
        0
    }

    /// Passes over a string in any form.
    ///
    /// # Errors
    /// As [`Cursor::string`].
    #[inline(always)]
    fn skip_string(&mut self) -> Parse<()> {
        let at = self.offset();
        match self.length_or_encoding()? {
            Length::Plain(n) => self.skip(n),
            Length::Encoding(e @ 0..=2) => self.skip(1 << e),
            Length::Encoding(3) => {
                let (packed, _) = lzf_lengths(self)?;
                self.skip(packed)
            }
            Length::Encoding(e) => Err(Fault { at, kind: FaultKind::BadStringEncoding { byte: 0xc0 | e } }),
        }
    }
}

/// What the first bytes of a string say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A number of bytes or elements.
    Plain(u64),
    /// A string encoding: the low six bits of `11eeeeee`.
    Encoding(u8),
}

/// How a string is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// As it is.
    Plain(RdbStr<'a>),
    /// In an encoding: the low six bits of `11eeeeee`.
    Encoding(u8),
}

/// The packed and the unpacked length of a compressed string. What LZF cannot do is refused here, as the servers refuse it
/// when they load it, so that no length is beyond reason from here on.
#[inline]
fn lzf_lengths<C: Cursor + ?Sized>(cursor: &mut C) -> Parse<(u64, u64)> {
    let at = cursor.offset();
    let packed = cursor.length()?;
    let unpacked = cursor.length()?;
    lzf::check_claim(packed, unpacked).map_err(|kind| Fault { at, kind })?;
    Ok((packed, unpacked))
}

#[inline(always)]
fn string_or_encoding<C: Cursor + ?Sized>(cursor: &mut C) -> Parse<Form<'_>> {
    match cursor.length_or_encoding()? {
        Length::Plain(n) => cursor.raw_string(n).map(Form::Plain),
        Length::Encoding(e) => Ok(Form::Encoding(e)),
    }
}

/// A string in the LZF form, or none, after its first byte at `at`; its bytes are wanted if it is to be had `whole`.
///
/// # Errors
/// As [`Cursor::string`].
#[inline(never)]
pub(crate) fn compressed_string<C: Cursor + ?Sized>(
    cursor: &mut C,
    at: u64,
    encoding: u8,
    whole: bool,
) -> Parse<RdbStr<'_>> {
    if encoding != 3 {
        return Err(Fault { at, kind: FaultKind::BadStringEncoding { byte: 0xc0 | encoding } });
    }
    let (clen, len) = lzf_lengths(cursor)?;
    let at = cursor.offset();
    let packed = if whole { RdbStr::Raw(cursor.take_claimed(clen)?) } else { cursor.raw_string(clen)? };
    Ok(match packed {
        RdbStr::Raw(packed) => RdbStr::Lzf { packed, len, at },
        _ => RdbStr::Unread { len },
    })
}

/// Reads from memory; what it returns is never copied.
#[derive(Clone, Debug)]
pub struct SliceCursor<'a> {
    data: &'a [u8],
    pos: usize,
    base: u64,
}

impl<'a> SliceCursor<'a> {
    /// Reads `data`, whose first byte is at `base` in the RDB stream.
    pub fn new(data: &'a [u8], base: u64) -> SliceCursor<'a> {
        SliceCursor { data, pos: 0, base }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Goes to the byte `pos` of the slice; past the end means the end.
    pub fn seek(&mut self, pos: usize) {
        self.pos = pos.min(self.data.len());
    }

    /// The slice that is read, from its start.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// As [`Cursor::take`], borrowed for as long as the slice lives.
    ///
    /// # Errors
    /// `Truncated` if there are fewer.
    #[inline(always)]
    pub fn take_ref(&mut self, n: usize) -> Parse<&'a [u8]> {
        let rest = &self.data[self.pos..];
        if n > rest.len() {
            return Err(self.truncated(n as u64));
        }
        self.pos += n;
        Ok(&rest[..n])
    }

    /// As [`Cursor::blob`], borrowed for as long as the slice lives.
    ///
    /// # Errors
    /// As [`Cursor::string`].
    #[inline(always)]
    pub fn string_ref(&mut self) -> Parse<RdbStr<'a>> {
        let at = self.offset();
        match self.length_or_encoding()? {
            Length::Plain(n) => {
                let n = usize::try_from(n).map_err(|_| self.truncated(n))?;
                Ok(RdbStr::Raw(self.take_ref(n)?))
            }
            Length::Encoding(3) => {
                let (clen, len) = lzf_lengths(self)?;
                let at = self.offset();
                let clen = usize::try_from(clen).map_err(|_| self.truncated(clen))?;
                Ok(RdbStr::Lzf { packed: self.take_ref(clen)?, len, at })
            }
            Length::Encoding(e @ 0..=2) => self.integer(e).map(RdbStr::Int),
            Length::Encoding(e) => Err(Fault { at, kind: FaultKind::BadStringEncoding { byte: 0xc0 | e } }),
        }
    }

    #[cold]
    fn truncated(&self, n: u64) -> Fault {
        let rest = (self.data.len() - self.pos) as u64;
        Fault { at: self.base + self.data.len() as u64, kind: FaultKind::Truncated { needed: n.saturating_sub(rest) } }
    }
}

impl Cursor for SliceCursor<'_> {
    #[inline(always)]
    fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    #[inline]
    fn take(&mut self, n: usize) -> Parse<&[u8]> {
        self.take_ref(n)
    }

    #[inline(always)]
    fn byte(&mut self) -> Parse<u8> {
        match self.data.get(self.pos) {
            Some(&byte) => {
                self.pos += 1;
                Ok(byte)
            }
            None => Err(self.truncated(1)),
        }
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) -> Parse<()> {
        if n > (self.data.len() - self.pos) as u64 {
            return Err(self.truncated(n));
        }
        self.pos += n as usize;
        Ok(())
    }

    #[inline(always)]
    fn raw_string(&mut self, n: u64) -> Parse<RdbStr<'_>> {
        Ok(RdbStr::Raw(self.take_claimed(n)?))
    }

    #[inline(always)]
    fn string_or_encoding(&mut self) -> Parse<Form<'_>> {
        // Nearly all strings are short and there: one look at the bytes, one step forward.
        if let Some(&[first, ref rest @ ..]) = self.data.get(self.pos..)
            && first < 0x40
            && let Some(string) = rest.get(..usize::from(first))
        {
            self.pos += 1 + string.len();
            return Ok(Form::Plain(RdbStr::Raw(string)));
        }
        string_or_encoding(self)
    }

    #[inline(always)]
    fn take_run<'r, const STRINGS: usize, const BEHIND: usize>(
        &'r mut self,
        most: u64,
        columns: &'r mut Columns,
    ) -> Run<'r, STRINGS, BEHIND> {
        let rest = &self.data[self.pos..];
        // Of a collection that is none of such elements, each would pay for the search.
        if run::skip::<STRINGS, BEHIND>(rest, most.min(1)).0 == 0 {
            return Run::none();
        }
        let run = Run::find(rest, most, columns);
        self.pos += run.bytes();
        run
    }

    #[inline(always)]
    fn skip_run<const STRINGS: usize, const BEHIND: usize>(&mut self, most: u64) -> u64 {
        let (elements, bytes) = run::skip::<STRINGS, BEHIND>(&self.data[self.pos..], most);
        self.pos += bytes;
        elements
    }
}

/// Strings longer than this are passed over by a stream unless their bytes are wanted.
const KEEP_BYTES: u64 = 64 << 10;
/// How much a stream reads at a time.
const READ_BYTES: usize = 256 << 10;

/// Reads from a pipe through a window that grows only as data arrives.
///
/// An I/O error ends the data; [`StreamCursor::finish`] gives it.
pub struct StreamCursor<'r> {
    input: &'r mut dyn Read,
    checksum: &'r mut dyn FnMut(&[u8]),
    window: Vec<u8>,
    pos: usize,
    base: u64,
    keep_bytes: u64,
    error: Option<io::Error>,
}

impl std::fmt::Debug for StreamCursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamCursor").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

impl<'r> StreamCursor<'r> {
    /// Reads on from `input` after the bytes in `window`, the first of which is at `base` in the RDB stream.
    ///
    /// Every byte is given to `checksum` once it has been read past.
    pub fn new(
        window: Vec<u8>,
        base: u64,
        input: &'r mut dyn Read,
        checksum: &'r mut dyn FnMut(&[u8]),
    ) -> StreamCursor<'r> {
        StreamCursor { input, checksum, window, pos: 0, base, keep_bytes: KEEP_BYTES, error: None }
    }

    /// Gives the bytes of long strings too, which takes as much memory as the longest.
    pub fn keeping_long(self) -> StreamCursor<'r> {
        StreamCursor { keep_bytes: u64::MAX, ..self }
    }

    /// Ends the reading: the bytes that were read from the input but not consumed, and the error that ended it early.
    pub fn finish(mut self) -> (Vec<u8>, Option<io::Error>) {
        self.forget_consumed();
        (self.window, self.error)
    }

    fn forget_consumed(&mut self) {
        (self.checksum)(&self.window[..self.pos]);
        self.window.drain(..self.pos);
        self.base += self.pos as u64;
        self.pos = 0;
    }

    /// Makes `n` bytes available, or as many as there are.
    fn fill(&mut self, n: usize) -> usize {
        if self.window.len() - self.pos < n {
            self.forget_consumed();
        }
        while self.window.len() - self.pos < n && self.error.is_none() {
            let have = self.window.len();
            self.window.resize(have + READ_BYTES, 0);
            let got = self.input.read(&mut self.window[have..]);
            self.window.truncate(have + *got.as_ref().unwrap_or(&0));
            match got {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.error = Some(e),
            }
        }
        self.window.len() - self.pos
    }

    #[cold]
    fn truncated(&self, needed: u64) -> Fault {
        Fault { at: self.base + self.window.len() as u64, kind: FaultKind::Truncated { needed } }
    }
}

impl Cursor for StreamCursor<'_> {
    fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    fn take(&mut self, n: usize) -> Parse<&[u8]> {
        let have = self.fill(n);
        if have < n {
            return Err(self.truncated((n - have) as u64));
        }
        self.pos += n;
        Ok(&self.window[self.pos - n..self.pos])
    }

    fn skip(&mut self, mut n: u64) -> Parse<()> {
        loop {
            let have = (self.window.len() - self.pos) as u64;
            if n <= have {
                self.pos += n as usize;
                return Ok(());
            }
            self.pos = self.window.len();
            n -= have;
            if self.fill(1) == 0 {
                return Err(self.truncated(n));
            }
        }
    }

    fn raw_string(&mut self, n: u64) -> Parse<RdbStr<'_>> {
        if n > self.keep_bytes {
            self.skip(n)?;
            return Ok(RdbStr::Unread { len: n });
        }
        Ok(RdbStr::Raw(self.take_claimed(n)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &[u8]) -> Parse<u64> {
        SliceCursor::new(bytes, 0).length()
    }

    #[test]
    fn reads_lengths_of_every_form() {
        assert_eq!(length(&[0x3f]), Ok(63));
        assert_eq!(length(&[0x40, 0x40]), Ok(64));
        assert_eq!(length(&[0x7f, 0xff]), Ok(16383));
        assert_eq!(length(&[0x80, 0, 0, 0x40, 0]), Ok(16384));
        assert_eq!(length(&[0x81, 0, 0, 0, 1, 0, 0, 0, 0]), Ok(1 << 32));
        assert_eq!(length(&[0x40, 0x05]), Ok(5), "a longer form than needed is accepted");
    }

    #[test]
    fn refuses_what_is_no_length() {
        assert_eq!(length(&[0x82]).unwrap_err().kind, FaultKind::BadLength { byte: 0x82 });
        assert_eq!(length(&[0xc2, 0, 0, 0, 0]).unwrap_err().kind, FaultKind::BadLength { byte: 0xc2 });
        assert_eq!(length(&[0x80, 0]).unwrap_err(), Fault { at: 2, kind: FaultKind::Truncated { needed: 3 } });
    }

    #[test]
    fn reads_strings_of_every_form() {
        let string = |bytes: &'static [u8]| SliceCursor::new(bytes, 0).string_ref();
        assert_eq!(string(b"\x03abc"), Ok(RdbStr::Raw(b"abc")));
        assert_eq!(string(b"\xc0\xf6"), Ok(RdbStr::Int(-10)));
        assert_eq!(string(b"\xc1\x39\x30"), Ok(RdbStr::Int(12345)));
        assert_eq!(string(b"\xc2\x00\xca\x9a\x3b"), Ok(RdbStr::Int(1_000_000_000)));
        assert_eq!(string(b"\xc3\x02\x15\x01a"), Ok(RdbStr::Lzf { packed: b"\x01a", len: 21, at: 3 }));
        assert_eq!(string(b"\xc4").unwrap_err().kind, FaultKind::BadStringEncoding { byte: 0xc4 });
        assert_eq!(string(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff").unwrap_err().at, 9);
    }

    /// Gives its bytes one at a time, as a slow pipe would.
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(buf.len()).min(1);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn a_stream_reads_what_a_slice_reads() {
        let mut data = vec![0x80];
        data.extend((KEEP_BYTES as u32 + 1).to_be_bytes());
        data.extend(vec![b'x'; KEEP_BYTES as usize + 1]);
        data.extend(b"\x02ab\xc0\x05\x40");
        let mut input = Drip(&data);
        let mut seen = Vec::new();
        let mut checksum = |bytes: &[u8]| seen.extend_from_slice(bytes);
        let mut stream = StreamCursor::new(Vec::new(), 0, &mut input, &mut checksum);
        assert_eq!(stream.string(), Ok(RdbStr::Unread { len: KEEP_BYTES + 1 }));
        assert_eq!(stream.blob(), Ok(RdbStr::Raw(b"ab")));
        assert_eq!(stream.string(), Ok(RdbStr::Int(5)));
        let end = Fault { at: data.len() as u64, kind: FaultKind::Truncated { needed: 1 } };
        assert_eq!(stream.length(), Err(end));
        stream.finish();
        assert_eq!(seen, data, "every consumed byte reaches the checksum once");
    }
}

//! The sequence of items in a dump.

use super::constants::{Dialect, Opcode, TypeByte};
use super::cursor::{Cursor, SliceCursor};
use super::fault::{Fault, FaultKind, Parse};
use super::header::{HEADER_LEN, Header};
use super::skip::{skip_module_items, skip_value};
use super::stored::StoredValue;
use super::string::RdbStr;
use crate::prefetch::prefetch;
use crate::value::{self, Scratch, Visit};

/// How far ahead bytes are asked for: soon enough, and from the next page, where a processor does not look ahead by itself.
const AHEAD_BYTES: usize = 4096;
/// Bytes that a processor asks for at a time.
const LINE_BYTES: usize = 64;

/// One thing that a dump says, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A fact about the file or its writer, as name and text.
    Aux {
        /// Name, `redis-ver` for example.
        name: RdbStr<'a>,
        /// Value; integers may be stored as such.
        value: RdbStr<'a>,
    },
    /// The keys that follow are of this database.
    SelectDb(u64),
    /// How many keys the database had; a hint, not to be trusted.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// How many keys the slot had whose keys follow; a hint (Redis 7.4 and later in cluster mode).
    SlotInfo {
        /// Hash slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// Slots were being imported while this was saved (Valkey 9).
    SlotImport {
        /// Name of the import job, 40 bytes.
        job: &'a [u8],
    },
    /// The source of a function library.
    Function {
        /// Code of the library.
        code: RdbStr<'a>,
        /// Whether it is in the form of 7.0's release candidates, which no released server takes.
        is_pre_release: bool,
    },
    /// Data that a module keeps outside its keys.
    ModuleAux {
        /// Module type and version of its encoding.
        module: u64,
    },
    /// A key; its value comes next in the file.
    Key(KeyHead<'a>),
    /// The end of the data.
    End {
        /// The checksum that follows, if the version has one; 0 means that the writer did not compute it.
        stored_checksum: Option<u64>,
    },
}

/// What stands before a key's value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyHead<'a> {
    /// Number of the database.
    pub db: u64,
    /// Name of the key.
    pub key: RdbStr<'a>,
    /// How the value is stored.
    pub kind: TypeByte,
    /// When the key expires, in milliseconds since 1970; may lie in the past.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access, where the server ran an LRU policy.
    pub idle_seconds: Option<u64>,
    /// Access counter (logarithmic, 0 to 255), where the server ran an LFU policy.
    pub freq: Option<u8>,
    /// Number of module metadata classes attached to the key that a server cannot leave out (Redis 8.6).
    pub metadata_classes: u64,
    /// Offset in the RDB stream of the first byte of the record.
    pub record_at: u64,
    /// Offset in the RDB stream of the first byte of the value.
    pub value_at: u64,
}

/// A key whose value is a string, both in one of the shorter forms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortString<'a> {
    pub(crate) db: u64,
    pub(crate) key: &'a [u8],
    pub(crate) value: RdbStr<'a>,
    pub(crate) expire_at_ms: Option<i64>,
    pub(crate) idle_seconds: Option<u64>,
    pub(crate) freq: Option<u8>,
    /// Offsets in the RDB stream of the record's first byte, and of the one behind it.
    pub(crate) record_at: u64,
    pub(crate) end_at: u64,
    pub(crate) stored: StoredValue<'a>,
}

impl Default for KeyHead<'_> {
    /// Of a string without a name, at the start of a dump.
    #[inline]
    fn default() -> Self {
        KeyHead {
            db: 0,
            key: RdbStr::Raw(b""),
            kind: TypeByte::STRING,
            expire_at_ms: None,
            idle_seconds: None,
            freq: None,
            metadata_classes: 0,
            record_at: 0,
            value_at: 0,
        }
    }
}

/// Reads the items of a dump, or of a part of one, from memory. Nothing is copied.
///
/// After [`Item::Key`], read the value with [`Reader::value`] or leave it: the next call passes over it.
///
/// ```
/// use rdbscope::rdb::{Item, Reader, RdbStr};
/// use rdbscope::value::{Scratch, Visit};
///
/// /// Counts the elements of lists and sets, wherever they are packed.
/// #[derive(Default)]
/// struct Elements(u64);
/// impl Visit for Elements {
///     fn element(&mut self, _: RdbStr<'_>) {
///         self.0 += 1;
///     }
/// }
///
/// // A dump of an empty key's worth: SELECTDB 0, the set {"a", "b"}, the string v="1", EOF, no checksum (RDB 3).
/// let dump = b"REDIS0003\xfe\x00\x02\x01s\x02\x01a\x01b\x00\x01v\xc0\x01\xff";
/// let mut reader = Reader::new(dump)?;
/// let mut scratch = Scratch::default();
/// let mut keys = Vec::new();
/// loop {
///     match reader.next_item()? {
///         Item::Key(head) if head.key == RdbStr::Raw(b"s") => {
///             let mut elements = Elements::default();
///             reader.value(&head, &mut scratch, &mut elements)?;
///             keys.push((head.key, elements.0));
///         }
///         Item::Key(head) => keys.push((head.key, 0)), // the value is passed over
///         Item::End { .. } => break,
///         _ => {}
///     }
/// }
/// assert_eq!(keys, [(RdbStr::Raw(b"s"), 2), (RdbStr::Raw(b"v"), 0)]);
/// # Ok::<(), rdbscope::rdb::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    cursor: SliceCursor<'a>,
    header: Header,
    db: u64,
    pending: Option<TypeByte>,
    /// Bytes before this have been asked for.
    asked: usize,
}

impl<'a> Reader<'a> {
    /// Reads a dump from its first byte.
    ///
    /// # Errors
    /// If `data` does not begin as a dump of a known version does.
    pub fn new(data: &'a [u8]) -> Result<Reader<'a>, Fault> {
        let header = Header::parse(data)?;
        let mut cursor = SliceCursor::new(data, 0);
        cursor.seek(HEADER_LEN);
        Ok(Reader { cursor, header, db: 0, pending: None, asked: 0 })
    }

    /// Reads a part of a dump that begins with the first byte of an item.
    ///
    /// `base` is the offset of `data` in the RDB stream, `db` the database selected there.
    pub fn resume(data: &'a [u8], base: u64, header: Header, db: u64) -> Reader<'a> {
        Reader { cursor: SliceCursor::new(data, base), header, db, pending: None, asked: 0 }
    }

    /// Magic and version of the dump.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Offset in the RDB stream of the next byte to be read.
    pub fn offset(&self) -> u64 {
        self.cursor.offset()
    }

    /// Bytes read of the slice, pending values not counted.
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Database of the keys that follow.
    pub fn db(&self) -> u64 {
        self.db
    }

    /// Whether the slice holds no further byte.
    pub fn is_at_end(&self) -> bool {
        self.pending.is_none() && self.cursor.position() >= self.cursor.data().len()
    }

    /// Goes back to `position`, the start of an item or of the value of the key just read.
    pub fn seek(&mut self, position: usize) {
        self.cursor.seek(position);
    }

    /// The next item; passes over the value of a key that was not read.
    ///
    /// # Errors
    /// If the bytes are no item, or end before one does. Reading cannot go on then.
    pub fn next_item(&mut self) -> Result<Item<'a>, Fault> {
        let mut head = KeyHead::default();
        Ok(self.next_head(&mut head)?.unwrap_or(Item::Key(head)))
    }

    /// As [`Reader::next_item`], but a key's head is put into `head`, which saves copies; `None` then.
    ///
    /// # Errors
    /// As [`Reader::next_item`].
    #[inline(always)]
    pub fn next_head(&mut self, head: &mut KeyHead<'a>) -> Result<Option<Item<'a>>, Fault> {
        self.finish_value()?;
        *head = KeyHead { db: self.db, record_at: self.cursor.offset(), ..KeyHead::default() };
        loop {
            let at = self.cursor.offset();
            let byte = self.cursor.byte()?;
            if byte <= TypeByte::STREAM_LISTPACKS_4.0 {
                head.kind = TypeByte(byte);
                if !head.kind.is_known(self.header.dialect) {
                    return Err(Fault { at, kind: FaultKind::UnknownType { byte } });
                }
                head.key = self.cursor.string_ref()?;
                head.value_at = self.cursor.offset();
                self.pending = Some(head.kind);
                return Ok(None);
            }
            match Opcode(byte) {
                Opcode::EXPIRETIME_MS => head.expire_at_ms = Some(self.cursor.millis()?),
                Opcode::EXPIRETIME => {
                    let seconds = i32::from_le_bytes(self.cursor.array()?);
                    head.expire_at_ms = Some(i64::from(seconds) * 1000);
                }
                Opcode::FREQ => head.freq = Some(self.cursor.byte()?),
                Opcode::IDLE => head.idle_seconds = Some(self.cursor.length()?),
                Opcode::ENTERPRISE_RAM_LRU | Opcode::ENTERPRISE_SLOT_NUM => {
                    self.cursor.length()?;
                }
                Opcode::KEY_META_OR_SLOT_IMPORT if self.header.dialect == Dialect::Redis => {
                    head.metadata_classes = self.key_meta(at)?;
                }
                opcode => return self.other_item(opcode, at).map(Some),
            }
        }
    }

    /// Reads the value of `head`, the key that [`Reader::next_item`] gave last, telling `visit` what is in it.
    ///
    /// # Errors
    /// If the value is not what its type says. Where only its content is at fault, reading goes on behind it with the
    /// next item; where its end cannot be found, the next item gives the error again.
    #[inline(always)]
    pub fn value<V: Visit>(&mut self, head: &KeyHead<'_>, scratch: &mut Scratch, visit: &mut V) -> Result<(), Fault> {
        let start = self.cursor.position();
        match value::decode(&mut self.cursor, head.kind, self.header.dialect, scratch, visit) {
            Ok(content) => {
                self.pending = None;
                content.map_or(Ok(()), Err)
            }
            Err(fault) => {
                self.cursor.seek(start);
                Err(fault)
            }
        }
    }

    /// The value of `head`, the key that [`Reader::next_item`] gave last, once it has been read.
    #[inline(always)]
    pub fn stored(&self, head: &KeyHead<'_>) -> StoredValue<'a> {
        let end = self.cursor.position();
        let from = end - (self.cursor.offset() - head.value_at) as usize;
        StoredValue { kind: head.kind, dialect: self.header.dialect, data: self.cursor.data(), from, end }
    }

    /// Passes over the value of the key just read, if it was not read.
    ///
    /// # Errors
    /// If the end of the value cannot be found.
    #[inline(always)]
    pub fn finish_value(&mut self) -> Result<(), Fault> {
        if let Some(kind) = self.pending {
            skip_value(&mut self.cursor, kind, self.header.dialect)?;
            self.pending = None;
        }
        Ok(())
    }

    /// Asks for what comes next, as far as that has not been done.
    #[inline(always)]
    pub(crate) fn ask_ahead(&mut self) {
        let (data, at) = (self.cursor.data().as_ptr(), self.cursor.position());
        let (mut asked, end) = (self.asked.max(at), at + AHEAD_BYTES);
        // Two lines are enough for most records; whether one would do, a processor could not guess.
        loop {
            prefetch(data.wrapping_add(asked));
            prefetch(data.wrapping_add(asked + LINE_BYTES));
            asked += 2 * LINE_BYTES;
            if asked >= end {
                break;
            }
        }
        self.asked = end;
    }

    /// Passes over keys whose values are stored as a single string, until one ends at `position` or behind it or something else
    /// comes. Says how many keys there were, and how many with an expiry.
    pub(crate) fn skip_single_strings(&mut self, position: usize) -> (u64, u64) {
        let (mut keys, mut expires) = (0, 0);
        while let Some(has_expiry) = self.skip_single_string(position) {
            keys += 1;
            expires += u64::from(has_expiry);
        }
        (keys, expires)
    }

    /// Passes over one such key, and says whether it has an expiry.
    #[inline(always)]
    fn skip_single_string(&mut self, position: usize) -> Option<bool> {
        if self.cursor.position() >= position || self.pending.is_some() {
            return None;
        }
        self.ask_ahead();
        let data = self.cursor.data();
        let before = BeforeKey::read(data, self.cursor.position())?;
        if !before.kind.is_single_string() {
            return None;
        }
        let value = string_end(data, before.end)?;
        self.cursor.seek(string_end(data, value)?);
        Some(before.expire_at_ms.is_some())
    }

    /// The next key with its value, if it begins before `position` and is a short string under a short name, neither of them
    /// compressed; nothing has been read otherwise.
    ///
    /// Takes nothing that [`Reader::next_head`] and [`Reader::value`] would not take, a fraction of their time, and is no
    /// more than a short cut: most dumps are mostly such keys.
    #[inline(always)]
    pub(crate) fn next_string(&mut self, position: usize) -> Option<ShortString<'a>> {
        let start = self.cursor.position();
        if start >= position || self.pending.is_some() {
            return None;
        }
        let data = self.cursor.data();
        // Where a string ends is known only once it has been read: having to wait for one is having to wait for all.
        self.ask_ahead();
        let BeforeKey { expire_at_ms, idle_seconds, freq, kind, end } = BeforeKey::read(data, start)?;
        if kind != TypeByte::STRING {
            return None;
        }
        let (key, from) = short_string(data, end)?;
        let RdbStr::Raw(key) = key else { return None };
        let (value, end) = short_string(data, from)?;
        let record_at = self.cursor.offset();
        self.cursor.seek(end);
        let stored = StoredValue { kind: TypeByte::STRING, dialect: self.header.dialect, data, from, end };
        Some(ShortString {
            db: self.db,
            record_at,
            end_at: self.cursor.offset(),
            expire_at_ms,
            idle_seconds,
            freq,
            key,
            value,
            stored,
        })
    }

    fn other_item(&mut self, opcode: Opcode, at: u64) -> Parse<Item<'a>> {
        let cursor = &mut self.cursor;
        Ok(match opcode {
            Opcode::AUX => Item::Aux { name: cursor.string_ref()?, value: cursor.string_ref()? },
            Opcode::SELECTDB => {
                self.db = cursor.length()?;
                Item::SelectDb(self.db)
            }
            Opcode::RESIZEDB => Item::ResizeDb { keys: cursor.length()?, expires: cursor.length()? },
            Opcode::SLOT_INFO => {
                Item::SlotInfo { slot: cursor.length()?, keys: cursor.length()?, expires: cursor.length()? }
            }
            Opcode::KEY_META_OR_SLOT_IMPORT => self.slot_import()?,
            Opcode::FUNCTION2 => Item::Function { code: cursor.string_ref()?, is_pre_release: false },
            Opcode::FUNCTION_PRE_GA => {
                cursor.skip_string()?;
                cursor.skip_string()?;
                if cursor.length()? != 0 {
                    cursor.skip_string()?;
                }
                Item::Function { code: cursor.string_ref()?, is_pre_release: true }
            }
            Opcode::MODULE_AUX => {
                let module = cursor.length()?;
                let at = cursor.offset();
                let found = cursor.length()?;
                if found != 2 {
                    return Err(Fault { at, kind: FaultKind::BadModuleAux { found } });
                }
                cursor.length()?;
                skip_module_items(cursor)?;
                Item::ModuleAux { module }
            }
            Opcode::EOF => {
                let stored_checksum =
                    if self.header.has_checksum() { Some(u64::from_le_bytes(cursor.array()?)) } else { None };
                Item::End { stored_checksum }
            }
            Opcode(byte) => return Err(Fault { at, kind: FaultKind::UnknownType { byte } }),
        })
    }

    fn key_meta(&mut self, at: u64) -> Parse<u64> {
        let classes = self.cursor.length()?;
        if classes > 7 {
            return Err(Fault { at, kind: FaultKind::BadKeyMeta { classes } });
        }
        let mut needed = 0;
        for _ in 0..classes {
            // The lowest bit says that a server without the module may leave the metadata out, and so it does.
            let flags = u32::from_le_bytes(self.cursor.array()?) & 7;
            needed += u64::from(flags & 1 == 0);
            skip_module_items(&mut self.cursor)?;
        }
        Ok(needed)
    }

    fn slot_import(&mut self) -> Parse<Item<'a>> {
        let at = self.cursor.offset();
        let job = match self.cursor.string_ref()? {
            RdbStr::Raw(job) if job.len() == 40 => job,
            other => return Err(Fault { at, kind: FaultKind::BadImportName { length: other.len() } }),
        };
        for _ in 0..self.cursor.count()? {
            let at = self.cursor.offset();
            let (start, end) = (self.cursor.length()?, self.cursor.length()?);
            if start > end || end >= u64::from(crate::cluster::slot::SLOTS) {
                return Err(Fault { at, kind: FaultKind::BadSlot { found: end.max(start) } });
            }
        }
        Ok(Item::SlotImport { job })
    }
}

/// What servers put before a key, in their order: a type alone mostly.
struct BeforeKey {
    expire_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    freq: Option<u8>,
    kind: TypeByte,
    /// Where it ends and the key begins.
    end: usize,
}

impl BeforeKey {
    #[inline(always)]
    fn read(data: &[u8], mut at: usize) -> Option<BeforeKey> {
        let (mut expire_at_ms, mut idle_seconds, mut freq) = (None, None, None);
        let mut first = *data.get(at)?;
        if first == Opcode::EXPIRETIME_MS.0 {
            expire_at_ms = Some(i64::from_le_bytes(*data.get(at + 1..)?.first_chunk()?));
            at += 9;
            first = *data.get(at)?;
        }
        if first == Opcode::IDLE.0 {
            let mut cursor = SliceCursor::new(data, 0);
            cursor.seek(at + 1);
            idle_seconds = Some(cursor.length().ok()?);
            at = cursor.position();
            first = *data.get(at)?;
        } else if first == Opcode::FREQ.0 {
            freq = Some(*data.get(at + 1)?);
            at += 2;
            first = *data.get(at)?;
        }
        Some(BeforeKey { expire_at_ms, idle_seconds, freq, kind: TypeByte(first), end: at + 1 })
    }
}

/// The string at `at` and where it ends, if it is within `data` and of the shorter forms: up to 16,383 bytes, or an integer.
#[inline(always)]
fn short_string(data: &[u8], at: usize) -> Option<(RdbStr<'_>, usize)> {
    let rest = data.get(at..)?;
    let (start, end) = match *rest.first()? {
        len @ 0..=0x3f => (1, 1 + usize::from(len)),
        high @ 0x40..=0x7f => (2, 2 + (usize::from(high & 0x3f) << 8 | usize::from(*rest.get(1)?))),
        0xc0 => return Some((RdbStr::Int(i64::from(*rest.get(1)? as i8)), at + 2)),
        0xc1 => return Some((RdbStr::Int(i64::from(i16::from_le_bytes(*rest[1..].first_chunk()?))), at + 3)),
        0xc2 => return Some((RdbStr::Int(i64::from(i32::from_le_bytes(*rest[1..].first_chunk()?))), at + 5)),
        _ => return None,
    };
    Some((RdbStr::Raw(rest.get(start..end)?), at + end))
}

/// Where the string at `at` ends, if that is within `data`.
#[inline(always)]
fn string_end(data: &[u8], at: usize) -> Option<usize> {
    match short_string(data, at) {
        Some((_, end)) => Some(end),
        None => other_string_end(data, at),
    }
}

/// The same of strings in the longer forms, and of compressed ones.
#[inline(never)]
fn other_string_end(data: &[u8], at: usize) -> Option<usize> {
    let mut cursor = SliceCursor::new(data, 0);
    cursor.seek(at);
    cursor.skip_string().ok()?;
    Some(cursor.position())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strings of every form, some with an expiry, an idle time, an access counter before them, hashes and a set between
    /// them; cut off at every place.
    #[test]
    fn the_short_cuts_end_where_the_long_way_does() {
        let expiry: &[u8] = b"\xfc\x01\x02\x03\x04\x05\x06\x07\x08";
        let long = [&b"\x00\x01k\x41\x00"[..], &[b'x'; 256]].concat(); // 256 bytes, a length of 14 bits
        let longer = [&b"\x00\x01k\x80\x00\x00\x00\x02xy"[..]].concat(); // a length of 32 bits
        let records: [&[u8]; 20] = [
            b"\x00\x01k\x03abc",
            b"\xf9\x07\x00\x01k\x00",
            b"\xf8\x05\x00\x01k\x00",
            expiry,
            b"\xf8\x80\x00\x01\x00\x00\x00\x01k\x00",
            b"\x10\x01h\x02{}",            // a hash in a listpack, by its type byte
            b"\x10\x01h\xc3\x02\x15\x01a", // compressed
            b"\x00\x40\x01k\x01v",         // a name with a length of 14 bits
            b"\x00\xc3\x02\x15\x01a\x01v", // a name that is compressed
            expiry,
            b"\x00\x02kk\xc0\x05",
            &long,
            b"\x00\xc1\x39\x30\xc2\x01\x02\x03\x04",
            b"\x00\x00\x00",
            b"\x02\x01s\x01\x01a", // the set
            expiry,
            b"\x00\x01k\x00",
            &longer,
            b"\x00\x01k\xc3\x02\x15\x01a", // compressed
            b"\x00\x01k\xc4",              // no encoding
        ];
        let data = records.concat();
        let (redis, valkey) = (Header::parse(b"REDIS0011").unwrap(), Header::parse(b"VALKEY080").unwrap());
        let is_single = |head: &KeyHead<'_>| head.kind.is_single_string();
        let is_short = |head: &KeyHead<'_>| {
            let form = data.get(head.value_at as usize);
            let is_raw = matches!(head.key, RdbStr::Raw(_));
            head.kind == TypeByte::STRING && is_raw && matches!(form, Some(0..0x80 | 0xc0..=0xc2))
        };
        for (end, header) in (0..=data.len()).flat_map(|end| [(end, redis), (end, valkey)]) {
            let is_whole = end == data.len();
            let data = &data[..end];
            let mut slow = Reader::resume(data, 0, header, 0);
            let mut keys = 0;
            while !slow.is_at_end() {
                let start = slow.position();
                // From each record on, to each place behind it.
                for until in start..=end {
                    let resume = || Reader::resume(&data[start..], start as u64, header, 0);
                    let long_way = |is_taken: &dyn Fn(&KeyHead<'_>) -> bool| {
                        let mut reader = resume();
                        let (mut end, mut keys, mut expiring) = (reader.offset(), 0, 0);
                        while reader.position() < until - start
                            && let Ok(Item::Key(head)) = reader.next_item()
                            && is_taken(&head)
                            && reader.finish_value().is_ok()
                        {
                            keys += 1;
                            expiring += u64::from(head.expire_at_ms.is_some());
                            end = reader.offset();
                        }
                        (end, keys, expiring)
                    };
                    let mut passing = resume();
                    let (passed, expiring) = passing.skip_single_strings(until - start);
                    assert_eq!((passing.offset(), passed, expiring), long_way(&is_single));
                    let (mut reading, mut read, mut expiring) = (resume(), 0, 0);
                    while let Some(string) = reading.next_string(until - start) {
                        read += 1;
                        expiring += u64::from(string.expire_at_ms.is_some());
                        assert_eq!(string.end_at, reading.offset());
                    }
                    assert_eq!((reading.offset(), read, expiring), long_way(&is_short));
                }
                if slow.next_item().and_then(|_| slow.finish_value()).is_err() {
                    break;
                }
                keys += 1;
            }
            assert!(!is_whole || keys == 16, "{keys}");
        }
    }
}

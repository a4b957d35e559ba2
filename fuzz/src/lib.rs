//! What must hold for any bytes: the fuzz targets only say which bytes.

use rdbscope::rdb::{Cursor, Dialect, Fault, Header, Item, RdbStr, Reader, SliceCursor, StreamCursor, TypeByte};
use rdbscope::value::{self, Check, Packed, Score, Scratch, StreamFacts, StreamId, Visit};

/// Longest string that a visitor unpacks.
const UNPACKED: u64 = 1 << 20;

/// Counts what it is told, sums up every byte of it.
#[derive(Debug, Default, PartialEq)]
struct Told {
    calls: u64,
    sum: u64,
    scratch: Vec<u8>,
}

impl Told {
    fn number(&mut self, n: u64) {
        self.calls += 1;
        self.sum = self.sum.wrapping_mul(31).wrapping_add(n);
    }

    fn text(&mut self, text: RdbStr<'_>) {
        self.number(text.len());
        let mut scratch = std::mem::take(&mut self.scratch);
        if let Ok(bytes) = text.bytes(&mut scratch, UNPACKED) {
            let sum = bytes.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            self.number(sum);
        }
        self.scratch = scratch;
    }
}

impl Visit for Told {
    fn string(&mut self, value: RdbStr<'_>) {
        self.text(value);
    }
    fn collection(&mut self, count: u64) {
        self.number(count);
    }
    fn packed(&mut self, packed: Packed<'_>) {
        self.number(packed.len);
    }
    fn plain_node(&mut self, element: RdbStr<'_>) {
        self.text(element);
    }
    fn element(&mut self, element: RdbStr<'_>) {
        self.text(element);
    }
    fn score(&mut self, score: Score<'_>) {
        match score {
            Score::Number(number) => self.number(number.to_bits()),
            Score::Entry(entry) => self.text(entry),
        }
    }
    fn field(&mut self, name: RdbStr<'_>) {
        self.text(name);
    }
    fn field_value(&mut self, value: RdbStr<'_>) {
        self.text(value);
    }
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        self.number(expire_at_ms.map_or(0, |ms| ms as u64));
    }
    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        self.number(first.ms ^ first.seq);
        self.text(listpack);
    }
    fn stream(&mut self, facts: StreamFacts) {
        self.number(facts.length);
    }
    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {
        self.number(pending);
        self.text(name);
    }
    fn stream_pending(&mut self, id: StreamId) {
        self.number(id.ms ^ id.seq);
    }
    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {
        self.number(pending);
        self.text(name);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.number(id.ms ^ id.seq);
    }
    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {
        self.number(entries);
        self.text(name);
    }
    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        self.text(request);
    }
    fn module(&mut self, id: u64) {
        self.number(id);
    }
    fn module_number(&mut self, bits: u64) {
        self.number(bits);
    }
    fn module_string(&mut self, value: RdbStr<'_>) {
        self.text(value);
    }
}

/// Most calls that so many bytes can lead to: each tells of a byte of the file, or of two of what it unpacks to.
fn most_calls(bytes: usize) -> u64 {
    200 + 100 * bytes as u64
}

/// What decoding gives: the fault that ends it or is inside, and where it ended.
type Decoded = (Result<Option<Fault>, Fault>, u64);

fn decode<C: Cursor>(mut cursor: C, kind: TypeByte, dialect: Dialect, told: &mut Told) -> Decoded {
    let decoded = value::decode(&mut cursor, kind, dialect, &mut Scratch::default(), told);
    (decoded, cursor.offset())
}

/// Decodes a value of type `kind` in every way; all must agree on it and on where it ends, within work that its length allows.
pub fn value(data: &[u8], kind: TypeByte, dialect: Dialect) {
    let mut told = Told::default();
    let (decoded, end) = decode(SliceCursor::new(data, 0), kind, dialect, &mut told);
    assert!(told.calls <= most_calls(data.len()), "{} calls for {} bytes", told.calls, data.len());

    let mut skipping = SliceCursor::new(data, 0);
    let skipped = rdbscope::rdb::skip::skip_value(&mut skipping, kind, dialect);
    assert_eq!(skipped.is_ok(), decoded.is_ok(), "skipped {skipped:?}, decoded {decoded:?}");
    if skipped.is_ok() {
        assert_eq!(skipping.offset(), end);
    }

    let mut streamed = Told::default();
    let (mut rest, mut ignore) = (data, |_: &[u8]| {});
    let cursor = StreamCursor::new(Vec::new(), 0, &mut rest, &mut ignore).keeping_long();
    let of_stream = decode(cursor, kind, dialect, &mut streamed);
    assert_eq!(of_stream.0, decoded);
    assert_eq!((streamed.calls, streamed.sum), (told.calls, told.sum));
    if decoded.is_ok() {
        assert_eq!(of_stream.1, end);
    }

    // In depth the same is told and more is found.
    let (mut check, mut deep) = (Check::default(), Told::default());
    let mut cursor = SliceCursor::new(data, 0);
    let mut scratch = Scratch::default();
    let in_depth = value::decode(&mut cursor, kind, dialect, &mut scratch, &mut check.value(kind, 0, &mut deep));
    let found = check.finish(in_depth == Ok(None));
    assert_eq!(in_depth.is_ok(), decoded.is_ok());
    if let (Ok(in_depth), Ok(plain)) = (in_depth, decoded) {
        assert_eq!(cursor.offset(), end);
        assert!(plain.is_none() || in_depth.is_some(), "in depth {plain:?} goes unseen");
        if in_depth.or(found).is_none() {
            assert_eq!((deep.calls, deep.sum), (told.calls, told.sum));
        }
    }
}

/// Puts `data` into a string, as a value of type `kind`.
pub fn blob(data: &[u8], kind: TypeByte) {
    let mut stored = vec![0x80];
    stored.extend((data.len() as u32).to_be_bytes());
    stored.extend(data);
    value(&stored, kind, Dialect::Redis);
}

/// Reads the items of a dump to the end or the first error; skipping and decoding must agree on where each value ends.
pub fn items(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    let Ok(mut reader) = Reader::new(data) else { panic!("a header and no reader") };
    let mut told = Told::default();
    let mut scratch = Scratch::default();
    loop {
        let before = reader.offset();
        match reader.next_item() {
            Ok(Item::Key(head)) => {
                value(&data[head.value_at as usize..], head.kind, header.dialect);
                let mut skipping = reader.clone();
                let skipped = skipping.finish_value();
                let decoded = reader.value(&head, &mut scratch, &mut told);
                match skipped {
                    Ok(()) => assert_eq!(reader.offset(), skipping.offset(), "{head:?}: {decoded:?}"),
                    Err(fault) => {
                        assert!(decoded.is_err());
                        assert_eq!(reader.next_item().err(), Some(fault), "and says it again");
                        return;
                    }
                }
            }
            Ok(Item::End { .. }) | Err(_) => return,
            Ok(_) => {}
        }
        assert!(reader.offset() > before, "no progress at {before}");
    }
}

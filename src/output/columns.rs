//! The columns of a key's row, once for every format.

use crate::analyze::summary::KeyRow;
use crate::escape::Escape;
use crate::pipeline::{RowBuffer, RowDump, RowFormat};
use crate::record::KeyRecord;
use crate::units;

/// Names of the columns, in their order. The first eight are those that scripts around the classic tools parse.
pub const COLUMNS: [&str; 15] = [
    "database",
    "type",
    "key",
    "size_in_bytes",
    "encoding",
    "num_elements",
    "len_largest_element",
    "expiry",
    "node",
    "slot",
    "serialized_bytes",
    "freq",
    "idle_seconds",
    "footprint_bytes",
    "fields_with_expiry",
];

/// Which keys get a row.
pub trait Filter: Sync {
    /// Whether this one does; `now_ms` is the time that its expiry is measured from.
    fn matches(&self, record: &KeyRecord<'_>, now_ms: Option<i64>) -> bool;
}

/// Rows of comma-separated values (RFC 4180).
#[allow(missing_debug_implementations)] // a filter has none
pub struct Csv<'f> {
    /// How key names become text.
    pub escape: Escape,
    /// Whether a name that a spreadsheet would run as a formula gets an apostrophe before it.
    pub spreadsheet: bool,
    /// Which keys get a row.
    pub filter: &'f dyn Filter,
}

impl Csv<'_> {
    /// The line that names the columns.
    pub fn header() -> String {
        COLUMNS.join(",") + "\n"
    }

    fn key<'b>(&self, record: &KeyRecord<'b>, scratch: &'b mut Vec<u8>) -> &'b [u8] {
        scratch.clear();
        self.escape.append(record.key, scratch);
        if self.spreadsheet && matches!(scratch.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')) {
            scratch.insert(0, b'\'');
        }
        scratch
    }
}

impl RowFormat for Csv<'_> {
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut RowBuffer) {
        if !self.filter.matches(record, dump.now_ms) {
            return;
        }
        let RowBuffer { csv, scratch, .. } = out;
        let mut number = itoa::Buffer::new();
        // Writing to memory cannot fail.
        let mut field = |bytes: &[u8]| csv.write_field(bytes).unwrap_or(());
        field(number.format(record.db).as_bytes());
        field(record.value_type.as_str().as_bytes());
        field(self.key(record, scratch));
        let mut optional = |value: Option<u64>, field: &mut dyn FnMut(&[u8])| match value {
            Some(value) => field(number.format(value).as_bytes()),
            None => field(b""),
        };
        optional(record.memory_bytes, &mut field);
        field(record.encoding.map_or("", |encoding| encoding.as_str()).as_bytes());
        optional(record.elements, &mut field);
        optional(record.largest_element_bytes, &mut field);
        match record.expire_at_ms {
            Some(ms) => field(units::rfc3339_ms(ms).as_bytes()),
            None => field(b""),
        }
        field(dump.node.as_bytes());
        optional(Some(u64::from(record.slot)), &mut field);
        optional(Some(record.serialized_bytes), &mut field);
        optional(record.freq.map(u64::from), &mut field);
        optional(record.idle_seconds, &mut field);
        optional(record.footprint_bytes, &mut field);
        optional(record.fields_with_expiry, &mut field);
        csv.write_record(None::<&[u8]>).unwrap_or(());
    }
}

/// One JSON object per line; what is absent has no member.
#[allow(missing_debug_implementations)] // a filter has none
pub struct JsonLines<'f> {
    /// How key names become text.
    pub escape: Escape,
    /// Which keys get a row.
    pub filter: &'f dyn Filter,
}

impl RowFormat for JsonLines<'_> {
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut RowBuffer) {
        if !self.filter.matches(record, dump.now_ms) {
            return;
        }
        let row = KeyRow::new(dump.node, record, self.escape);
        // Writing to memory cannot fail, and a row has no keys that JSON has not.
        let _ = serde_json::to_writer(&mut out.text, &row);
        out.text.push(b'\n');
    }
}

//! The columns of a key's row, once for every format.

use crate::analyze::summary::KeyRow;
use crate::escape::Escape;
use crate::pipeline::{RowDump, RowFormat};
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

    fn append_key(&self, key: &[u8], out: &mut Vec<u8>) {
        append_key(key, self.escape, self.spreadsheet, out);
    }
}

/// Appends a name as a field; for spreadsheets, one that would be run as a formula gets an apostrophe before it.
pub(super) fn append_key(key: &[u8], escape: Escape, spreadsheet: bool, out: &mut Vec<u8>) {
    let start = out.len();
    escape.append(key, out);
    if spreadsheet && matches!(out.get(start), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')) {
        out.insert(start, b'\'');
    }
    quote_if_needed(out, start);
}

/// Puts what was appended from `start` on between quotes, with its own doubled, if it would not be one field otherwise.
pub(super) fn quote_if_needed(out: &mut Vec<u8>, start: usize) {
    // All bytes are looked at: fields are short, and a search that may end early takes them one by one.
    let needed = out[start..].iter().fold(false, |needed, byte| needed | matches!(byte, b'"' | b',' | b'\n' | b'\r'));
    if !needed {
        return;
    }
    let field = out.split_off(start);
    out.push(b'"');
    for byte in field {
        if byte == b'"' {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

impl RowFormat for Csv<'_> {
    // By hand, as rows are most of the time of a run that writes them: the crate `csv`, which the tests read them with, takes
    // three times as long, for fields that but for two cannot need quotes.
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut Vec<u8>) {
        if !self.filter.matches(record, dump.now_ms) {
            return;
        }
        let mut buffer = itoa::Buffer::new();
        let mut number = |number: Option<u64>, out: &mut Vec<u8>| {
            out.push(b',');
            if let Some(number) = number {
                out.extend_from_slice(buffer.format(number).as_bytes());
            }
        };
        out.extend_from_slice(itoa::Buffer::new().format(record.db).as_bytes());
        out.push(b',');
        out.extend_from_slice(record.value_type.as_str().as_bytes());
        out.push(b',');
        self.append_key(record.key, out);
        number(record.memory_bytes, out);
        out.push(b',');
        out.extend_from_slice(record.encoding.map_or("", |encoding| encoding.as_str()).as_bytes());
        number(record.elements, out);
        number(record.largest_element_bytes, out);
        out.push(b',');
        if let Some(ms) = record.expire_at_ms {
            units::append_rfc3339_ms(ms, out);
        }
        out.push(b',');
        let node_at = out.len();
        out.extend_from_slice(dump.node.as_bytes());
        quote_if_needed(out, node_at);
        number(Some(u64::from(record.slot)), out);
        number(Some(record.serialized_bytes), out);
        number(record.freq.map(u64::from), out);
        number(record.idle_seconds, out);
        number(record.footprint_bytes, out);
        number(record.fields_with_expiry, out);
        out.push(b'\n');
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
    fn row(&self, dump: RowDump<'_>, record: &KeyRecord<'_>, out: &mut Vec<u8>) {
        if !self.filter.matches(record, dump.now_ms) {
            return;
        }
        let row = KeyRow::new(dump.node, record, self.escape);
        // Writing to memory cannot fail, and a row has no keys that JSON has not.
        let _ = serde_json::to_writer(&mut *out, &row);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_as_csv_has_it() {
        for field in ["plain", "a,b", "say \"hi\"", "two\nlines", "\r", "\"", "", "semi;colon", "\"a\",\"b\""] {
            let mut ours = b"before,".to_vec();
            ours.extend_from_slice(field.as_bytes());
            quote_if_needed(&mut ours, 7);
            let mut theirs = csv::Writer::from_writer(Vec::new());
            theirs.write_record(["before", field]).unwrap();
            ours.push(b'\n');
            assert_eq!(ours, theirs.into_inner().unwrap());
        }
    }
}

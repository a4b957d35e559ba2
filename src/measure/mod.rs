//! From a key's head and value to a [`Measured`] key: one decoding that feeds the facts and every memory model.

mod measured;
mod parts;

pub use measured::{Has, Measured};

use parts::{Facts, Parts};

use crate::memory::{KeyFacts, KeyTables, Measure, Meter, Model, Place, Text};
use crate::rdb::string::MAX_INT_LEN;
use crate::rdb::{Cursor, Dialect, Fault, KeyHead, RdbStr, Reader, ShortString, SliceCursor, StoredValue, TypeByte};
use crate::record::ValueType;
use crate::value::{self, Check, Depth, MAX_BLOB_BYTES, Scratch};

/// Records longer than this are read whole: a stream does not keep them, so that nobody could look into them later.
pub(crate) const LONGEST_PASSED_BYTES: u64 = 8 << 20;

/// Measures keys under one model, and under others for comparison. Used again for each key.
#[derive(Debug)]
pub struct Measurer<'m> {
    gauge: Gauge<'m>,
    others: Vec<Gauge<'m>>,
    other_measures: Vec<Measure>,
    scratch: Scratch,
    /// What looks at each value more closely, where that is wanted.
    check: Option<Box<Check>>,
    /// Longest packed container that is passed over if its header and length say what it costs.
    pass_bytes: u64,
    key: Vec<u8>,
    /// Of the value that was read last: what it says of itself, the offset of its end in the RDB stream, what is wrong.
    facts: Facts,
    end: u64,
    fault: Option<Fault>,
}

/// What measures under one model.
#[derive(Debug)]
struct Gauge<'m> {
    model: &'m Model,
    meter: Meter<'m>,
    tables: KeyTables,
}

impl<'m> Gauge<'m> {
    fn new(model: &'m Model) -> Gauge<'m> {
        Gauge { model, meter: Meter::new(model), tables: KeyTables::new(model) }
    }

    /// What the value that was visited costs, with its key's share of the key tables, which is given apart as well.
    #[inline(always)]
    fn finish(
        &mut self,
        value_type: ValueType,
        head: &KeyHead<'_>,
        end: u64,
        place: &Place,
        key: &KeyFacts,
    ) -> (Measure, u64) {
        let mut measure = self.meter.finish(value_type, head.kind, key, end - head.value_at);
        let share = self.tables.share(self.model, place, key.key_len, key.expires);
        measure.real_bytes += share;
        (measure, share)
    }
}

impl<'m> Measurer<'m> {
    /// Measures under `model`, and compares with `others`.
    pub fn new(model: &'m Model, others: &'m [Model]) -> Measurer<'m> {
        Measurer {
            gauge: Gauge::new(model),
            others: others.iter().map(Gauge::new).collect(),
            other_measures: Vec::new(),
            scratch: Scratch::default(),
            check: None,
            pass_bytes: 0,
            key: Vec::new(),
            facts: Facts::new(),
            end: 0,
            fault: None,
        }
    }

    /// The same, with values looked at as closely as `depth` says.
    pub fn with_depth(self, depth: Depth) -> Measurer<'m> {
        let (pass_bytes, check) = match depth {
            Depth::Outlines { bytes } => (bytes, None),
            Depth::Plain => (0, None),
            Depth::Deep => (0, Some(Box::default())),
        };
        Measurer { pass_bytes, check, ..self }
    }

    /// Reads the value of `head` from `reader`, to be measured next.
    ///
    /// # Errors
    /// If the end of the value cannot be found: reading cannot go on.
    #[inline(always)]
    pub fn read<'d>(&mut self, reader: &mut Reader<'d>, head: &KeyHead<'d>) -> Result<(), Fault> {
        if self.check.is_some() {
            return self.read_deep(reader, head);
        }
        let (mut parts, scratch) = self.begin(head.kind);
        if let Err(fault) = reader.value(head, scratch, &mut parts) {
            reader.finish_value()?;
            self.fault = Some(fault);
        }
        self.end = reader.offset();
        if self.facts.has_passed && self.end - head.record_at > LONGEST_PASSED_BYTES {
            self.read_whole(&reader.stored(head), head);
        }
        Ok(())
    }

    /// Reads a long value once more, and passes over nothing: a stream that does not keep it had to do so, and what comes of a dump
    /// is not to depend on how it is read.
    #[cold]
    fn read_whole(&mut self, value: &StoredValue<'_>, head: &KeyHead<'_>) {
        let (mut parts, scratch) = self.begin(head.kind);
        parts.pass_bytes = 0;
        let bytes = value.data.get(value.from..value.end).unwrap_or_default();
        let mut cursor = SliceCursor::new(bytes, head.value_at);
        let read = value::decode(&mut cursor, value.kind, value.dialect, scratch, &mut parts);
        self.fault = read.unwrap_or_else(Some);
    }

    #[cold]
    #[inline(never)]
    fn read_deep<'d>(&mut self, reader: &mut Reader<'d>, head: &KeyHead<'d>) -> Result<(), Fault> {
        let Some(mut check) = self.check.take() else { return Ok(()) };
        let (mut parts, scratch) = self.begin(head.kind);
        let read = reader.value(head, scratch, &mut check.value(head.kind, head.value_at, &mut parts));
        let found = check.finish(read.is_ok());
        self.check = Some(check);
        if read.is_err() {
            reader.finish_value()?;
        }
        self.fault = read.err().or(found);
        self.end = reader.offset();
        Ok(())
    }

    /// Reads the value of `head` from a stream, piece by piece as it comes, to be measured next.
    ///
    /// # Errors
    /// If the end of the value cannot be found: reading cannot go on.
    pub fn stream<C: Cursor>(&mut self, cursor: &mut C, dialect: Dialect, head: &KeyHead<'_>) -> Result<(), Fault> {
        let mut check = self.check.take();
        let (mut parts, scratch) = self.begin(head.kind);
        // Nobody can look at the value again.
        parts.pass_bytes = 0;
        let read = match &mut check {
            None => value::decode(cursor, head.kind, dialect, scratch, &mut parts),
            Some(check) => {
                let mut checked = check.value(head.kind, head.value_at, &mut parts);
                let read = value::decode(cursor, head.kind, dialect, scratch, &mut checked);
                let found = check.finish(read == Ok(None));
                read.map(|fault| fault.or(found))
            }
        };
        self.check = check;
        self.fault = read?;
        self.end = cursor.offset();
        Ok(())
    }

    #[inline(always)]
    fn begin(&mut self, stored: TypeByte) -> (Parts<'_, 'm>, &mut Scratch) {
        self.gauge.meter.begin();
        self.others.iter_mut().for_each(|other| other.meter.begin());
        self.facts.begin(stored);
        self.fault = None;
        let kind = ValueType::of(stored);
        let parts = Parts {
            facts: &mut self.facts,
            gauge: &mut self.gauge,
            others: &mut self.others,
            kind,
            stored,
            pass_bytes: self.pass_bytes,
        };
        (parts, &mut self.scratch)
    }

    /// Measures the key of `head` with the value just read; `place` is where in the dump the key stands.
    #[inline(always)]
    pub fn measure<'k, 'd: 'k>(&'k mut self, head: &KeyHead<'d>, place: &Place) -> Measured<'k> {
        let name = match head.key {
            RdbStr::Raw(key) => key,
            other => other.bytes(&mut self.key, MAX_BLOB_BYTES).unwrap_or_else(|broken| {
                self.fault = Some(broken);
                b""
            }),
        };
        let key = KeyFacts {
            key_len: name.len() as u64,
            expires: head.expire_at_ms.is_some(),
            evicts: head.freq.is_some() || head.idle_seconds.is_some(),
            metadata_classes: head.metadata_classes,
        };
        let value_type = self.facts.value_type();
        let passed = self.facts.passed;
        let (elements, largest) = (self.gauge.meter.elements(), self.gauge.meter.longest());
        self.other_measures.clear();
        let mut measured = Measured::new(head.db, name, head.expire_at_ms, head.idle_seconds, head.freq);
        measured.type_index = value_type.index();
        measured.module = &self.facts.module;
        measured.serialized_bytes = self.end - head.record_at;
        measured.record_at = head.record_at;
        if self.fault.is_some() {
            measured.fault = self.fault.as_ref();
            return measured;
        }
        if !self.others.is_empty() {
            let others = self.others.iter_mut().map(|other| other.finish(value_type, head, self.end, place, &key).0);
            self.other_measures.extend(others);
            measured.others = &self.other_measures;
        }
        let (measure, share) = self.gauge.finish(value_type, head, self.end, place, &key);
        measured.take(measure, share);
        let real_bytes = measure.real_bytes - share;
        measured.saving = self.gauge.meter.saving(value_type, &key, measure.encoding, real_bytes);
        let known = match value_type {
            ValueType::Module(_) => {
                let elements = self.gauge.meter.module_elements();
                measured.elements = elements.unwrap_or(0);
                Has::ELEMENTS.only_if(elements.is_some())
            }
            ValueType::Stream => {
                measured.elements = self.facts.stream_entries;
                Has::ELEMENTS
            }
            _ => {
                measured.elements = elements;
                measured.largest_element_bytes = largest;
                measured.fields_with_expiry = self.gauge.meter.fields_with_expiry();
                let is_hash = value_type == ValueType::Hash;
                let known = Has::ELEMENTS.with(Has::LARGEST).with(Has::FIELDS.only_if(is_hash));
                // No element is longer than what holds it, but for the text of an integer.
                let is_open = passed > 0 && passed.max(MAX_INT_LEN as u64) > largest;
                known.with(Has::OPEN_LARGEST.only_if(is_open))
            }
        };
        measured.has = measured.has.with(known);
        measured
    }

    /// Whether [`Measurer::measure_string`] gives all that is wanted of a string.
    pub(crate) fn takes_strings(&self) -> bool {
        self.check.is_none() && self.others.is_empty()
    }

    /// Measures a key with a short string: as [`Measurer::read`] and [`Measurer::measure`] would, without what other
    /// values need.
    #[inline(always)]
    pub(crate) fn measure_string<'k, 'd: 'k>(&'k mut self, string: &ShortString<'d>, place: &Place) -> Measured<'k> {
        let key = KeyFacts {
            key_len: string.key.len() as u64,
            expires: string.expire_at_ms.is_some(),
            evicts: string.freq.is_some() || string.idle_seconds.is_some(),
            metadata_classes: 0,
        };
        let text = Text::of(string.value);
        let measure = text.measure(self.gauge.model, &key);
        let share = self.gauge.tables.share(self.gauge.model, place, key.key_len, key.expires);
        let mut measured = Measured::new(string.db, string.key, string.expire_at_ms, string.idle_seconds, string.freq);
        measured.serialized_bytes = string.end_at - string.record_at;
        measured.record_at = string.record_at;
        if text.is_number {
            measured.saving = text.saving(self.gauge.model, &key, measure.real_bytes);
        }
        measured.take(Measure { real_bytes: measure.real_bytes + share, ..measure }, share);
        measured.elements = text.len;
        measured.largest_element_bytes = text.len;
        measured.has = measured.has.with(Has::ELEMENTS).with(Has::LARGEST);
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Allocator, ModelOptions, Thresholds};
    use crate::rdb::{Header, Item};

    /// Strings of every form, with and without an expiry, an access counter and an idle time, on servers of every way to hold
    /// them: what the short cut makes of them is what the long way does.
    #[test]
    fn short_strings_are_measured_as_all_values_are() {
        let expiry: &[u8] = b"\xfc\x01\x02\x03\x04\x05\x06\x07\x08";
        let freq: &[u8] = b"\xf9\x07";
        let idle: &[u8] = b"\xf8\x40\x64"; // 100 seconds
        let values: [&[u8]; 9] = [
            b"\x00",
            b"\x03abc",
            b"\x0212",
            b"\x03007",
            b"\xc0\x05",
            b"\xc1\x39\x30",
            b"\xc2\xff\xff\xff\xff",
            b"\x05{tag}",
            &[b'x'; 64],
        ];
        let mut data = Vec::new();
        for value in values {
            let value = if value.len() == 64 { [&b"\x40\x40"[..], value].concat() } else { value.to_vec() };
            for name in [&b"\x00"[..], b"\x05k:123", b"\x07a{tag}b"] {
                for head in [&[][..], expiry, freq, idle, &[expiry, freq].concat(), &[expiry, idle].concat()] {
                    data.extend([head, b"\x00", name, &value].concat());
                }
            }
        }
        let header = Header::parse(b"REDIS0011").unwrap();
        let mut compared = 0;
        for server in
            ["redis-2.8", "redis-4.0", "redis-6.2", "redis-7.4", "redis-8.6", "valkey-8.0", "valkey-8.1", "valkey-9.1"]
        {
            let (allocator, thresholds) = (Allocator::Jemalloc, Thresholds::default());
            let options = ModelOptions { server: server.parse().unwrap(), allocator, cluster: true, thresholds };
            let model = Model::new(options);
            let (mut short, mut long) = (Measurer::new(&model, &[]), Measurer::new(&model, &[]));
            let (mut fast, mut slow) = (Reader::resume(&data, 100, header, 3), Reader::resume(&data, 100, header, 3));
            let mut place = Place::default();
            place.select_db(3);
            place.resize_db(1000, 300);
            while let Some(string) = fast.next_string(usize::MAX) {
                let Item::Key(head) = slow.next_item().unwrap() else { panic!("no key") };
                long.read(&mut slow, &head).unwrap();
                let (stored, expires) = (slow.stored(&head), head.expire_at_ms.is_some());
                assert_eq!(format!("{:?}", string.stored), format!("{stored:?}"));
                let one = format!("{:?}", short.measure_string(&string, &place));
                assert_eq!(one, format!("{:?}", long.measure(&head, &place)), "{server}");
                place.pass_key(expires);
                compared += 1;
            }
            assert!(fast.is_at_end() && slow.is_at_end());
        }
        assert_eq!(compared, 8 * values.len() * 3 * 6);
    }
}

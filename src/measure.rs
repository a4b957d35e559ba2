//! From a key's head and value to a [`KeyRecord`]: one decoding that feeds the facts and every memory model.

use crate::cluster::slot::slot_and_tag;
use crate::memory::{KeyFacts, KeyTables, Measure, Meter, Model, Place, Saving, Text, TypedMeter};
use crate::rdb::string::MAX_INT_LEN;
use crate::rdb::{
    Cursor, Dialect, Fault, KeyHead, RdbStr, Reader, Run, ShortString, SliceCursor, StoredValue, TypeByte,
};
use crate::record::{Encoding, KeyRecord, ValueType};
use crate::value::{
    self, Check, Depth, MAX_BLOB_BYTES, ModuleName, Packed, Score, Scratch, StreamFacts, StreamId, Visit,
};

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

/// A measured key and what is wrong with its value, if anything is.
///
/// What most sums are made of are plain words, 0 where [`Measured::has`] says that they are absent. They are read right after
/// they were written, and a processor hands on only what is read as it was written: where two words are read at once it
/// waits for both to reach the cache. So no two that are added to neighbours in a sum may be neighbours here.
#[derive(Debug)]
#[repr(C)]
pub struct Measured<'k> {
    /// As in [`KeyRecord`].
    pub memory_bytes: u64,
    /// As in [`KeyRecord`].
    pub key_tables_bytes: u64,
    /// As in [`KeyRecord`].
    pub elements: u64,
    /// As in [`KeyRecord`].
    pub footprint_bytes: u64,
    /// As in [`KeyRecord`].
    pub serialized_bytes: u64,
    /// As in [`KeyRecord`].
    pub expire_at_ms: i64,
    /// As in [`KeyRecord`].
    pub largest_element_bytes: u64,
    /// As in [`KeyRecord`].
    pub idle_seconds: u64,
    /// As in [`KeyRecord`].
    pub fields_with_expiry: u64,
    /// Number of the database.
    pub db: u64,
    /// Name of the key.
    pub key: &'k [u8],
    /// Its hash tag, if it has one.
    pub tag: Option<&'k [u8]>,
    /// Hash slot.
    pub slot: u16,
    /// Which of the figures are known.
    pub has: Has,
    /// Place of the value's type among the types: [`ValueType::index`].
    pub type_index: usize,
    /// Encoding after loading; absent if the value is broken.
    pub encoding: Option<Encoding>,
    /// As in [`KeyRecord`].
    pub freq: u8,
    /// The type of a module's value.
    pub module: &'k ModuleName,
    /// What its value would save in another form.
    pub saving: Option<Saving>,
    /// Its costs under the models that are compared with; empty if the value is broken.
    pub others: &'k [Measure],
    /// Offset in the RDB stream of the first byte of the record.
    pub record_at: u64,
    /// What is wrong with the value.
    pub fault: Option<&'k Fault>,
}

/// Which figures of a key are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Has(u8);

impl Has {
    /// Memory, footprint and share of the key tables: the value is not broken.
    pub const MEMORY: Has = Has(1);
    /// Elements.
    pub const ELEMENTS: Has = Has(1 << 1);
    /// The largest element.
    pub const LARGEST: Has = Has(1 << 2);
    /// Fields with an expiry.
    pub const FIELDS: Has = Has(1 << 3);
    /// An expiry.
    pub const EXPIRY: Has = Has(1 << 4);
    /// An access counter.
    pub const FREQ: Has = Has(1 << 5);
    /// An idle time.
    pub const IDLE: Has = Has(1 << 6);
    /// That there may be a larger element than the one that is known, in containers that were passed over as [`Depth::Outlines`] wants
    /// it: [`crate::rdb::Stretch`] looks for it.
    pub const OPEN_LARGEST: Has = Has(1 << 7);

    /// This figure if it is known, else none.
    #[inline(always)]
    fn only_if(self, has: bool) -> Has {
        Has(self.0 * u8::from(has))
    }

    /// What is known by either.
    #[inline(always)]
    fn with(self, other: Has) -> Has {
        Has(self.0 | other.0)
    }

    /// `figure` if this is known.
    #[inline(always)]
    fn then<T>(self, known: Has, figure: T) -> Option<T> {
        self.knows(known).then_some(figure)
    }

    /// Whether the figure `which` is known.
    #[inline(always)]
    pub fn knows(self, which: Has) -> bool {
        self.0 & which.0 != 0
    }
}

impl<'k> Measured<'k> {
    /// A string of which nothing else is known.
    #[inline(always)]
    fn new(db: u64, key: &'k [u8], expire_at_ms: Option<i64>, freq: Option<u8>) -> Measured<'k> {
        let (slot, tag) = slot_and_tag(key);
        Measured {
            db,
            key,
            tag,
            slot,
            has: Has::EXPIRY.only_if(expire_at_ms.is_some()).with(Has::FREQ.only_if(freq.is_some())),
            type_index: ValueType::String.index(),
            encoding: None,
            freq: freq.unwrap_or(0),
            memory_bytes: 0,
            footprint_bytes: 0,
            key_tables_bytes: 0,
            serialized_bytes: 0,
            elements: 0,
            largest_element_bytes: 0,
            fields_with_expiry: 0,
            expire_at_ms: expire_at_ms.unwrap_or(0),
            idle_seconds: 0,
            module: &ModuleName::UNKNOWN,
            saving: None,
            others: &[],
            record_at: 0,
            fault: None,
        }
    }

    /// Takes over what the key costs, with a share of the key tables.
    #[inline(always)]
    fn take(&mut self, measure: Measure, share: u64) {
        self.encoding = Some(measure.encoding);
        self.memory_bytes = measure.usage_bytes;
        self.footprint_bytes = measure.real_bytes;
        self.key_tables_bytes = share;
        self.has = self.has.with(Has::MEMORY);
    }

    /// The type of the value.
    #[inline(always)]
    pub fn value_type(&self) -> ValueType {
        match ValueType::PLAIN.get(self.type_index) {
            Some(plain) => *plain,
            None => ValueType::Module(*self.module),
        }
    }

    /// All that is known of the key.
    #[inline]
    pub fn record(&self) -> KeyRecord<'k> {
        let has = self.has;
        KeyRecord {
            db: self.db,
            key: self.key,
            value_type: self.value_type(),
            encoding: self.encoding,
            elements: has.then(Has::ELEMENTS, self.elements),
            largest_element_bytes: has.then(Has::LARGEST, self.largest_element_bytes),
            fields_with_expiry: has.then(Has::FIELDS, self.fields_with_expiry),
            serialized_bytes: self.serialized_bytes,
            memory_bytes: has.then(Has::MEMORY, self.memory_bytes),
            footprint_bytes: has.then(Has::MEMORY, self.footprint_bytes),
            key_tables_bytes: has.then(Has::MEMORY, self.key_tables_bytes),
            expire_at_ms: has.then(Has::EXPIRY, self.expire_at_ms),
            freq: has.then(Has::FREQ, self.freq),
            idle_seconds: has.then(Has::IDLE, self.idle_seconds),
            slot: self.slot,
        }
    }
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
            facts: Facts {
                stored: TypeByte::STRING,
                module: ModuleName::UNKNOWN,
                stream_entries: 0,
                has_passed: false,
                passed: 0,
                fields_with_expiry: 0,
            },
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
        let Facts { passed, fields_with_expiry, .. } = self.facts;
        let (elements, largest) = (self.gauge.meter.elements(), self.gauge.meter.longest());
        self.other_measures.clear();
        let mut measured = Measured::new(head.db, name, head.expire_at_ms, head.freq);
        measured.type_index = value_type.index();
        measured.module = &self.facts.module;
        measured.idle_seconds = head.idle_seconds.unwrap_or(0);
        measured.has = measured.has.with(Has::IDLE.only_if(head.idle_seconds.is_some()));
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
                measured.fields_with_expiry = fields_with_expiry;
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
            evicts: string.freq.is_some(),
            metadata_classes: 0,
        };
        let text = Text::of(string.value);
        let measure = text.measure(self.gauge.model, &key);
        let share = self.gauge.tables.share(self.gauge.model, place, key.key_len, key.expires);
        let mut measured = Measured::new(string.db, string.key, string.expire_at_ms, string.freq);
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

/// What a value says of itself whatever server holds it.
#[derive(Debug)]
struct Facts {
    stored: TypeByte,
    /// The type of a module's value.
    module: ModuleName,
    stream_entries: u64,
    /// Whether containers were passed over, and the bytes of the longest whose elements may be of any length.
    has_passed: bool,
    passed: u64,
    fields_with_expiry: u64,
}

impl Facts {
    /// Nothing yet, of a value stored so.
    #[inline(always)]
    fn begin(&mut self, stored: TypeByte) {
        self.stored = stored;
        if matches!(ValueType::of(stored), ValueType::Module(_)) {
            self.module = ModuleName::UNKNOWN;
        }
        self.stream_entries = 0;
        self.has_passed = false;
        self.passed = 0;
        self.fields_with_expiry = 0;
    }

    #[inline(always)]
    fn value_type(&self) -> ValueType {
        match ValueType::of(self.stored) {
            ValueType::Module(_) => ValueType::Module(self.module),
            plain => plain,
        }
    }
}

/// Hands the parts of a value to the facts and to every meter.
#[derive(Debug)]
struct Parts<'v, 'm> {
    facts: &'v mut Facts,
    gauge: &'v mut Gauge<'m>,
    others: &'v mut [Gauge<'m>],
    kind: ValueType,
    stored: TypeByte,
    pass_bytes: u64,
}

impl<'m> Parts<'_, 'm> {
    #[cold]
    #[inline(never)]
    fn each_other(&mut self, visit: impl Fn(&mut TypedMeter<'_, 'm>)) {
        for other in self.others.iter_mut() {
            visit(&mut other.meter.typed(self.kind, self.stored));
        }
    }
}

/// Gives a part to every meter. The one that is always there gets it in registers; no closure or loop could do that.
macro_rules! each {
    ($parts:ident.$($call:tt)*) => {
        $parts.gauge.meter.typed($parts.kind, $parts.stored).$($call)*;
        if !$parts.others.is_empty() {
            $parts.each_other(move |meter| meter.$($call)*);
        }
    };
}

impl Visit for Parts<'_, '_> {
    #[inline(always)]
    fn string(&mut self, value: RdbStr<'_>) {
        each!(self.string(value));
    }

    fn collection(&mut self, count: u64) {
        each!(self.collection(count));
    }

    fn packed(&mut self, packed: Packed<'_>) {
        each!(self.packed(packed));
    }

    fn pass(&mut self, packed: &Packed<'_>, elements: u64) -> bool {
        let (kind, stored) = (self.kind, self.stored);
        // Only the fields themselves tell which of them expire.
        let expiring = matches!(stored, TypeByte::HASH_LISTPACK_EX | TypeByte::HASH_LISTPACK_EX_PRE_GA);
        if packed.len > self.pass_bytes
            || expiring
            || self.gauge.meter.typed(kind, stored).wants_entries()
            || self.others.iter_mut().any(|other| other.meter.typed(kind, stored).wants_entries())
        {
            return false;
        }
        let alone = packed.string_alone();
        self.facts.has_passed = true;
        if alone.is_none() {
            self.facts.passed = self.facts.passed.max(packed.len);
        }
        each!(self.passed(elements, alone.unwrap_or(0)));
        true
    }

    fn plain_node(&mut self, element: RdbStr<'_>) {
        each!(self.plain_node(element));
    }

    #[inline(always)]
    fn element(&mut self, element: RdbStr<'_>) {
        each!(self.element(element));
    }

    #[inline(always)]
    fn set_member(&mut self, member: RdbStr<'_>) {
        each!(self.set_member(member));
    }

    #[inline(always)]
    fn zset_member(&mut self, member: RdbStr<'_>) {
        each!(self.zset_member(member));
    }

    #[inline(always)]
    fn score(&mut self, score: Score<'_>) {
        each!(self.score(score));
    }

    #[inline(always)]
    fn field(&mut self, name: RdbStr<'_>) {
        each!(self.field(name));
    }

    #[inline(always)]
    fn field_value(&mut self, value: RdbStr<'_>) {
        each!(self.field_value(value));
    }

    #[inline(always)]
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        self.facts.fields_with_expiry += u64::from(expire_at_ms.is_some());
        each!(self.field_expiry(expire_at_ms));
    }

    fn set_members(&mut self, members: &Run<'_, 1, 0>) {
        each!(self.set_members(members));
    }

    fn zset_members(&mut self, members: &Run<'_, 1, 8>) {
        each!(self.zset_members(members));
    }

    fn fields(&mut self, fields: &Run<'_, 2, 0>) {
        each!(self.fields(fields));
    }

    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        each!(self.stream_node(first, listpack));
    }

    fn stream(&mut self, facts: StreamFacts) {
        self.facts.stream_entries = facts.length;
        each!(self.stream(facts));
    }

    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {
        each!(self.stream_group(name, pending));
    }

    fn stream_pending(&mut self, id: StreamId) {
        each!(self.stream_pending(id));
    }

    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {
        each!(self.stream_consumer(name, pending));
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        each!(self.stream_consumer_pending(id));
    }

    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {
        each!(self.stream_producer(name, entries));
    }

    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        each!(self.stream_idempotent(request));
    }

    fn module(&mut self, id: u64) {
        self.facts.module = ModuleName::from_id(id);
        each!(self.module(id));
    }

    fn module_number(&mut self, bits: u64) {
        each!(self.module_number(bits));
    }

    fn module_string(&mut self, value: RdbStr<'_>) {
        each!(self.module_string(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Allocator, ModelOptions, Thresholds};
    use crate::rdb::{Header, Item};

    /// Strings of every form, with and without an expiry and an access counter, on servers of every way to hold them: what
    /// the short cut makes of them is what the long way does.
    #[test]
    fn short_strings_are_measured_as_all_values_are() {
        let expiry: &[u8] = b"\xfc\x01\x02\x03\x04\x05\x06\x07\x08";
        let freq: &[u8] = b"\xf9\x07";
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
                for head in [&[][..], expiry, freq, &[expiry, freq].concat()] {
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
        assert_eq!(compared, 8 * values.len() * 3 * 4);
    }
}

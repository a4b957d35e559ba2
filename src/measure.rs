//! From a key's head and value to a [`KeyRecord`]: one decoding that feeds the facts and every memory model.

use crate::cluster::slot::slot_and_tag;
use crate::memory::{KeyFacts, KeyTables, Measure, Meter, Model, Place, Saving, TypedMeter};
use crate::rdb::{Cursor, Dialect, Fault, KeyHead, RdbStr, Reader, TypeByte};
use crate::record::{KeyRecord, ValueType};
use crate::value::{
    self, Check, Depth, MAX_BLOB_BYTES, ModuleName, Packed, Score, Scratch, StreamFacts, StreamId, Visit,
};

/// Measures keys under one model, and under others for comparison. Used again for each key.
#[derive(Debug)]
pub struct Measurer<'m> {
    gauge: Gauge<'m>,
    others: Vec<Gauge<'m>>,
    other_measures: Vec<Measure>,
    scratch: Scratch,
    /// What looks at each value more closely, where that is wanted.
    check: Option<Box<Check>>,
    key: Vec<u8>,
    /// Of the value that was read last: what it says of itself, the offset of its end in the RDB stream, what is wrong.
    facts: Facts,
    end: u64,
    fault: Option<Fault>,
}

/// A measured key and what is wrong with its value, if anything is.
#[derive(Debug)]
pub struct Measured<'k> {
    /// What is known of the key.
    pub record: KeyRecord<'k>,
    /// Its hash tag, if it has one.
    pub tag: Option<&'k [u8]>,
    /// What its value would save in another form.
    pub saving: Option<Saving>,
    /// Its costs under the models that are compared with; empty if the value is broken.
    pub others: &'k [Measure],
    /// Offset in the RDB stream of the first byte of the record.
    pub record_at: u64,
    /// What is wrong with the value.
    pub fault: Option<&'k Fault>,
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
            key: Vec::new(),
            facts: Facts::new(TypeByte::STRING),
            end: 0,
            fault: None,
        }
    }

    /// The same, with values looked at as closely as `depth` says.
    pub fn with_depth(self, depth: Depth) -> Measurer<'m> {
        let check = match depth {
            Depth::Plain => None,
            Depth::Deep => Some(Box::default()),
        };
        Measurer { check, ..self }
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
        Ok(())
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
        self.facts = Facts::new(stored);
        self.fault = None;
        let kind = self.facts.value_type;
        let parts = Parts { facts: &mut self.facts, gauge: &mut self.gauge, others: &mut self.others, kind, stored };
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
        let Facts { value_type, elements, largest, fields_with_expiry } = self.facts;
        let (slot, tag) = slot_and_tag(name);
        self.other_measures.clear();
        let nothing_known = KeyRecord {
            db: head.db,
            key: name,
            value_type,
            encoding: None,
            elements: None,
            largest_element_bytes: None,
            fields_with_expiry: None,
            serialized_bytes: self.end - head.record_at,
            memory_bytes: None,
            footprint_bytes: None,
            key_tables_bytes: None,
            expire_at_ms: head.expire_at_ms,
            freq: head.freq,
            idle_seconds: head.idle_seconds,
            slot,
        };
        if self.fault.is_some() {
            let (record, others) = (nothing_known, &self.other_measures[..]);
            return Measured {
                record,
                tag,
                saving: None,
                others,
                record_at: head.record_at,
                fault: self.fault.as_ref(),
            };
        }
        if !self.others.is_empty() {
            let others = self.others.iter_mut().map(|other| other.finish(value_type, head, self.end, place, &key).0);
            self.other_measures.extend(others);
        }
        let (measure, share) = self.gauge.finish(value_type, head, self.end, place, &key);
        let is_module = matches!(value_type, ValueType::Module(_));
        let sized = !is_module && value_type != ValueType::Stream;
        Measured {
            record: KeyRecord {
                encoding: Some(measure.encoding),
                elements: if is_module { self.gauge.meter.module_elements() } else { Some(elements) },
                largest_element_bytes: sized.then_some(largest),
                fields_with_expiry: (value_type == ValueType::Hash).then_some(fields_with_expiry),
                memory_bytes: Some(measure.usage_bytes),
                footprint_bytes: Some(measure.real_bytes),
                key_tables_bytes: Some(share),
                ..nothing_known
            },
            tag,
            saving: self.gauge.meter.saving(value_type, &key, measure.encoding, measure.real_bytes - share, largest),
            others: &self.other_measures,
            record_at: head.record_at,
            fault: None,
        }
    }
}

/// What a value says of itself whatever server holds it.
#[derive(Debug)]
struct Facts {
    value_type: ValueType,
    elements: u64,
    largest: u64,
    fields_with_expiry: u64,
}

impl Facts {
    fn new(kind: TypeByte) -> Facts {
        Facts { value_type: ValueType::of(kind), elements: 0, largest: 0, fields_with_expiry: 0 }
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
        self.facts.elements = value.len();
        self.facts.largest = value.len();
        each!(self.string(value));
    }

    fn collection(&mut self, count: u64) {
        each!(self.collection(count));
    }

    fn packed(&mut self, packed: Packed<'_>) {
        each!(self.packed(packed));
    }

    fn plain_node(&mut self, element: RdbStr<'_>) {
        each!(self.plain_node(element));
    }

    #[inline(always)]
    fn element(&mut self, element: RdbStr<'_>) {
        self.facts.elements += 1;
        self.facts.largest = self.facts.largest.max(element.len());
        each!(self.element(element));
    }

    #[inline(always)]
    fn score(&mut self, score: Score<'_>) {
        each!(self.score(score));
    }

    #[inline(always)]
    fn field(&mut self, name: RdbStr<'_>) {
        self.facts.elements += 1;
        self.facts.largest = self.facts.largest.max(name.len());
        each!(self.field(name));
    }

    #[inline(always)]
    fn field_value(&mut self, value: RdbStr<'_>) {
        self.facts.largest = self.facts.largest.max(value.len());
        each!(self.field_value(value));
    }

    #[inline(always)]
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        self.facts.fields_with_expiry += u64::from(expire_at_ms.is_some());
        each!(self.field_expiry(expire_at_ms));
    }

    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        each!(self.stream_node(first, listpack));
    }

    fn stream(&mut self, facts: StreamFacts) {
        self.facts.elements = facts.length;
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
        self.facts.value_type = ValueType::Module(ModuleName::from_id(id));
        each!(self.module(id));
    }

    fn module_number(&mut self, bits: u64) {
        each!(self.module_number(bits));
    }

    fn module_string(&mut self, value: RdbStr<'_>) {
        each!(self.module_string(value));
    }
}

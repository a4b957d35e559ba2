//! From a key's head and value to a [`KeyRecord`]: one decoding that feeds the facts and every memory model.

use crate::cluster::slot_of;
use crate::memory::{KeyFacts, KeyTables, Measure, Meter, Model, Place, TypedMeter};
use crate::rdb::{Cursor, Dialect, Fault, KeyHead, RdbStr, Reader, TypeByte};
use crate::record::{KeyRecord, ValueType};
use crate::value::{self, MAX_BLOB_BYTES, ModuleName, Packed, Score, Scratch, StreamFacts, StreamId, Visit};

/// Measures keys under one model, and under others for comparison. Used again for each key.
#[derive(Debug)]
pub struct Measurer<'m> {
    meters: Vec<Meter<'m>>,
    measures: Vec<Measure>,
    tables: Vec<(KeyTables, &'m Model)>,
    scratch: Scratch,
    key: Vec<u8>,
}

/// A measured key and what is wrong with its value, if anything is.
#[derive(Debug)]
pub struct Measured<'k> {
    /// What is known of the key.
    pub record: KeyRecord<'k>,
    /// Its costs under the model and then under each of the others; empty if the value is broken.
    pub measures: &'k [Measure],
    /// What is wrong with the value.
    pub fault: Option<Fault>,
}

impl<'m> Measurer<'m> {
    /// Measures under `model`, and compares with `others`.
    pub fn new(model: &'m Model, others: &'m [Model]) -> Measurer<'m> {
        let all = || std::iter::once(model).chain(others);
        Measurer {
            meters: all().map(Meter::new).collect(),
            measures: Vec::new(),
            tables: all().map(|model| (KeyTables::new(model), model)).collect(),
            scratch: Scratch::default(),
            key: Vec::new(),
        }
    }

    /// Reads the value of `head` from `reader` and measures it; `place` is where in the dump the key stands.
    ///
    /// # Errors
    /// If the end of the value cannot be found: reading cannot go on.
    #[inline]
    pub fn read<'k, 'd: 'k>(
        &'k mut self,
        reader: &mut Reader<'d>,
        head: &KeyHead<'d>,
        place: &Place,
    ) -> Result<Measured<'k>, Fault> {
        self.begin();
        let mut facts = Facts::new(head.kind);
        let value = {
            let scratch = &mut self.scratch;
            let mut parts = Parts::new(&mut facts, &mut self.meters, head.kind);
            reader.value(head, scratch, &mut parts)
        };
        let fault = match value {
            Ok(()) => None,
            Err(fault) => {
                reader.finish_value()?;
                Some(fault)
            }
        };
        let end = reader.offset();
        Ok(self.finish(head, facts, place, end, fault))
    }

    /// Reads the value of `head` from a stream and measures it, piece by piece as it comes.
    ///
    /// # Errors
    /// If the end of the value cannot be found: reading cannot go on.
    pub fn stream<'k, 'd: 'k, C: Cursor>(
        &'k mut self,
        cursor: &mut C,
        dialect: Dialect,
        head: &KeyHead<'d>,
        place: &Place,
    ) -> Result<Measured<'k>, Fault> {
        self.begin();
        let mut facts = Facts::new(head.kind);
        let mut parts = Parts::new(&mut facts, &mut self.meters, head.kind);
        let fault = value::decode(cursor, head.kind, dialect, &mut self.scratch, &mut parts)?;
        Ok(self.finish(head, facts, place, cursor.offset(), fault))
    }

    fn begin(&mut self) {
        self.meters.iter_mut().for_each(Meter::begin);
        self.measures.clear();
    }

    #[inline]
    fn finish<'k, 'd: 'k>(
        &'k mut self,
        head: &KeyHead<'d>,
        facts: Facts,
        place: &Place,
        end: u64,
        mut fault: Option<Fault>,
    ) -> Measured<'k> {
        let name = match head.key {
            RdbStr::Raw(key) => key,
            other => other.bytes(&mut self.key, MAX_BLOB_BYTES).unwrap_or_else(|broken| {
                fault = Some(broken);
                b""
            }),
        };
        let serialized_bytes = end - head.record_at;
        let key = KeyFacts {
            key_len: name.len() as u64,
            expires: head.expire_at_ms.is_some(),
            evicts: head.freq.is_some() || head.idle_seconds.is_some(),
            metadata_classes: head.metadata_classes,
        };
        let value_type = facts.value_type;
        let mut record = KeyRecord {
            db: head.db,
            key: name,
            value_type,
            encoding: None,
            elements: None,
            largest_element_bytes: None,
            fields_with_expiry: None,
            serialized_bytes,
            memory_bytes: None,
            footprint_bytes: None,
            key_tables_bytes: None,
            expire_at_ms: head.expire_at_ms,
            freq: head.freq,
            idle_seconds: head.idle_seconds,
            slot: slot_of(name),
        };
        if fault.is_none() {
            for (meter, (tables, model)) in self.meters.iter_mut().zip(&mut self.tables) {
                let mut measure = meter.finish(value_type, head.kind, &key, end - head.value_at);
                let share = tables.share(model, place, key.key_len, key.expires);
                measure.real_bytes += share;
                if self.measures.is_empty() {
                    record.key_tables_bytes = Some(share);
                }
                self.measures.push(measure);
            }
            record.elements = match value_type {
                ValueType::Module(_) => self.meters[0].module_elements(),
                _ => Some(facts.elements),
            };
            record.largest_element_bytes =
                (!matches!(value_type, ValueType::Stream | ValueType::Module(_))).then_some(facts.largest);
            record.fields_with_expiry = (value_type == ValueType::Hash).then_some(facts.fields_with_expiry);
            record.encoding = Some(self.measures[0].encoding);
            record.memory_bytes = Some(self.measures[0].usage_bytes);
            record.footprint_bytes = Some(self.measures[0].real_bytes);
        }
        Measured { record, measures: &self.measures, fault }
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
pub struct Parts<'v, 'm> {
    facts: &'v mut Facts,
    meters: &'v mut [Meter<'m>],
    kind: ValueType,
    stored: TypeByte,
}

impl<'v, 'm> Parts<'v, 'm> {
    fn new(facts: &'v mut Facts, meters: &'v mut [Meter<'m>], stored: TypeByte) -> Parts<'v, 'm> {
        Parts { kind: facts.value_type, facts, meters, stored }
    }

    #[inline]
    fn each(&mut self, mut visit: impl FnMut(&mut TypedMeter<'_, 'm>)) {
        for meter in self.meters.iter_mut() {
            visit(&mut meter.typed(self.kind, self.stored));
        }
    }
}

impl Visit for Parts<'_, '_> {
    #[inline]
    fn string(&mut self, value: RdbStr<'_>) {
        self.facts.elements = value.len();
        self.facts.largest = value.len();
        self.each(|meter| meter.string(value));
    }

    fn collection(&mut self, count: u64) {
        self.each(|meter| meter.collection(count));
    }

    fn packed(&mut self, packed: Packed<'_>) {
        self.each(|meter| meter.packed(packed));
    }

    fn plain_node(&mut self, element: RdbStr<'_>) {
        self.each(|meter| meter.plain_node(element));
    }

    #[inline]
    fn element(&mut self, element: RdbStr<'_>) {
        self.facts.elements += 1;
        self.facts.largest = self.facts.largest.max(element.len());
        self.each(|meter| meter.element(element));
    }

    #[inline]
    fn score(&mut self, score: Score<'_>) {
        self.each(|meter| meter.score(score));
    }

    #[inline]
    fn field(&mut self, name: RdbStr<'_>) {
        self.facts.elements += 1;
        self.facts.largest = self.facts.largest.max(name.len());
        self.each(|meter| meter.field(name));
    }

    #[inline]
    fn field_value(&mut self, value: RdbStr<'_>) {
        self.facts.largest = self.facts.largest.max(value.len());
        self.each(|meter| meter.field_value(value));
    }

    #[inline]
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {
        self.facts.fields_with_expiry += u64::from(expire_at_ms.is_some());
        self.each(|meter| meter.field_expiry(expire_at_ms));
    }

    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {
        self.each(|meter| meter.stream_node(first, listpack));
    }

    fn stream(&mut self, facts: StreamFacts) {
        self.facts.elements = facts.length;
        self.each(|meter| meter.stream(facts));
    }

    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {
        self.each(|meter| meter.stream_group(name, pending));
    }

    fn stream_pending(&mut self, id: StreamId) {
        self.each(|meter| meter.stream_pending(id));
    }

    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {
        self.each(|meter| meter.stream_consumer(name, pending));
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.each(|meter| meter.stream_consumer_pending(id));
    }

    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {
        self.each(|meter| meter.stream_producer(name, entries));
    }

    fn stream_idempotent(&mut self, request: RdbStr<'_>) {
        self.each(|meter| meter.stream_idempotent(request));
    }

    fn module(&mut self, id: u64) {
        self.facts.value_type = ValueType::Module(ModuleName::from_id(id));
        self.each(|meter| meter.module(id));
    }

    fn module_number(&mut self, bits: u64) {
        self.each(|meter| meter.module_number(bits));
    }

    fn module_string(&mut self, value: RdbStr<'_>) {
        self.each(|meter| meter.module_string(value));
    }
}

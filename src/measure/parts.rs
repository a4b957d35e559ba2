//! The parts of a value, on their way to the facts and to every meter.

use super::Gauge;
use crate::memory::TypedMeter;
use crate::rdb::{RdbStr, Run, TypeByte};
use crate::record::ValueType;
use crate::value::{ModuleName, Packed, Score, StreamFacts, StreamId, Visit};

/// What a value says of itself whatever server holds it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) stored: TypeByte,
    /// The type of a module's value.
    pub(super) module: ModuleName,
    pub(super) stream_entries: u64,
    /// Whether containers were passed over, and the bytes of the longest whose elements may be of any length.
    pub(super) has_passed: bool,
    pub(super) passed: u64,
}

impl Facts {
    /// Of no value.
    pub(super) fn new() -> Facts {
        Facts { stored: TypeByte::STRING, module: ModuleName::UNKNOWN, stream_entries: 0, has_passed: false, passed: 0 }
    }

    /// Nothing yet, of a value stored so.
    #[inline(always)]
    pub(super) fn begin(&mut self, stored: TypeByte) {
        self.stored = stored;
        if matches!(ValueType::of(stored), ValueType::Module(_)) {
            self.module = ModuleName::UNKNOWN;
        }
        self.stream_entries = 0;
        self.has_passed = false;
        self.passed = 0;
    }

    #[inline(always)]
    pub(super) fn value_type(&self) -> ValueType {
        match ValueType::of(self.stored) {
            ValueType::Module(_) => ValueType::Module(self.module),
            plain => plain,
        }
    }
}

/// Hands the parts of a value to the facts and to every meter.
#[derive(Debug)]
pub(super) struct Parts<'v, 'm> {
    pub(super) facts: &'v mut Facts,
    pub(super) gauge: &'v mut Gauge<'m>,
    pub(super) others: &'v mut [Gauge<'m>],
    pub(super) kind: ValueType,
    pub(super) stored: TypeByte,
    pub(super) pass_bytes: u64,
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

//! What is known of a key, as the sums over keys read it.

use crate::cluster::slot::slot_and_tag;
use crate::memory::{Measure, Saving};
use crate::rdb::Fault;
use crate::record::{Encoding, KeyRecord, ValueType};
use crate::value::ModuleName;

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
    /// That there may be a larger element than the one that is known, in containers that were passed over as
    /// [`crate::value::Depth::Outlines`] wants it: [`crate::rdb::Stretch`] looks for it.
    pub const OPEN_LARGEST: Has = Has(1 << 7);

    /// This figure if it is known, else none.
    #[inline(always)]
    pub(super) fn only_if(self, has: bool) -> Has {
        Has(self.0 * u8::from(has))
    }

    /// What is known by either.
    #[inline(always)]
    pub(super) fn with(self, other: Has) -> Has {
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
    pub(super) fn new(
        db: u64,
        key: &'k [u8],
        expire_at_ms: Option<i64>,
        idle_seconds: Option<u64>,
        freq: Option<u8>,
    ) -> Measured<'k> {
        let (slot, tag) = slot_and_tag(key);
        let has = Has::EXPIRY.only_if(expire_at_ms.is_some());
        Measured {
            db,
            key,
            tag,
            slot,
            has: has.with(Has::IDLE.only_if(idle_seconds.is_some())).with(Has::FREQ.only_if(freq.is_some())),
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
            idle_seconds: idle_seconds.unwrap_or(0),
            module: &ModuleName::UNKNOWN,
            saving: None,
            others: &[],
            record_at: 0,
            fault: None,
        }
    }

    /// Takes over what the key costs, with a share of the key tables.
    #[inline(always)]
    pub(super) fn take(&mut self, measure: Measure, share: u64) {
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

//! Sums over the keys of a dump, and what they say together.
//!
//! Everything that is gathered is a commutative sum ([`Fold`]): any order of the keys, and any split over threads, gives
//! the same result. Percentages, ranks and shares are worked out once, in the [`Summary`].

pub mod access;
pub mod aggregate;
pub mod big;
pub mod causes;
pub mod compression;
pub mod contents;
pub mod cost;
pub mod histogram;
pub mod hot;
pub mod hot_remedy;
pub mod integrity;
pub mod pattern;
pub mod pieces;
pub mod rebalance;
pub mod remedy;
pub mod savings;
pub mod slots;
mod stored;
pub mod summary;
pub mod thresholds;
pub mod top;

pub use aggregate::Aggregate;
pub use integrity::Integrity;
pub use rebalance::Rebalance;
pub use summary::Summary;
pub use top::{TopKey, TopKeys};

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::Measured;
use crate::rdb::StoredValue;

/// Something that is gathered from keys in any order.
pub trait Fold: Send {
    /// Takes a key into account, whose value the dump has as `value`.
    fn observe(&mut self, measured: &Measured<'_>, value: &StoredValue<'_>);
    /// Takes over what another gathered.
    fn merge(&mut self, other: Self);
    /// Offsets in the RDB stream of the records whose largest elements are yet to be looked for, where keys came without
    /// ([`crate::measure::Has::OPEN_LARGEST`]) and it matters. Asked while those records can still be read, of a dump that is
    /// mapped after [`Fold::rest`]. Only with [`crate::value::Depth::Outlines`] there are any.
    fn open_records(&mut self) -> BTreeSet<u64> {
        BTreeSet::new()
    }
    /// Bytes of the largest elements of those records, absent where a value was found to be broken.
    fn close_records(&mut self, _: &BTreeMap<u64, Option<u64>>) {}
    /// The dump has been read: what only serves to take keys into account can go.
    fn rest(&mut self) {}
}

/// Gathers nothing.
impl Fold for () {
    fn observe(&mut self, _: &Measured<'_>, _: &StoredValue<'_>) {}
    fn merge(&mut self, (): ()) {}
}

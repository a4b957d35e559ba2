//! Slots of keys, and which node owns them.

pub mod balance;
pub mod copies;
pub mod migrate;
pub mod placement;
pub mod plan;
pub mod slot;
pub mod topology;

pub use slot::slot_of;
pub use topology::{SlotRange, Topology};

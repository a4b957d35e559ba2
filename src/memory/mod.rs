//! What a value costs in a server's memory.
//!
//! A [`Model`] is a server (a row of [`layout`]), an allocator and settings; a [`Meter`] follows the parts of a value
//! as they are decoded and says in the end what MEMORY USAGE would answer and what the value really takes. The rules
//! here know records and visitors, not the bytes of a dump; several meters can follow the same value.
//!
//! To add a server version: a variant of [`Family`] with its first version in [`server`], a row in [`layout`], and a rule
//! in [`model`] or [`meter`] where it differs in more than sizes.

pub mod alloc;
pub mod baseline;
pub mod keyspace;
pub mod layout;
pub mod meter;
pub mod model;
mod modules;
pub mod rax;
mod score;
pub mod server;
pub mod tables;
pub mod thresholds;

pub use alloc::Allocator;
pub use keyspace::{KeyTables, Place};
pub use meter::{Measure, Meter, Near, Saving, Text, TypedMeter, Waste};
pub use model::{Cost, KeyFacts, Model, ModelOptions};
pub use server::{Family, Server};
pub use thresholds::{Setting, Thresholds};

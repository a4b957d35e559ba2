//! Reads Redis and Valkey RDB dumps: which keys are big, which are hot, and how memory lies over a cluster.
//!
//! The program is a thin layer over this library. Its folders are the stages of the work:
//!
//! ```text
//! input     files, directories, pipes           -> bytes
//! rdb       magic, opcodes, keys, extents       -> rdb::Item, with borrowed data
//! value     what lies inside a value            -> calls of a value::Visit
//! memory    what that costs on a server         -> memory::Measure
//! measure   one decoding for all of it          -> record::KeyRecord
//! access    logs of what was accessed           -> access::AccessLog
//! analyze   sums in any order                   -> analyze::Aggregate, analyze::Summary
//! cluster   slots, owners, replicas
//! diff      two states compared, key by key if wanted
//! forecast  when a node will be full
//! pipeline  all of the above on all cores
//! report    the dumps of a run put together     -> analyze::Summary
//! check     rules that dumps have to keep       -> check::CheckReport
//! output    CSV, JSON, terminal, HTML
//! ```
//!
//! To read dumps in another program, begin with [`rdb::Reader`]: it has a runnable example. To get the memory of keys, see
//! [`measure::Measurer`]:
//!
//! ```
//! use rdbscope::measure::Measurer;
//! use rdbscope::memory::{Allocator, Model, ModelOptions, Place, Thresholds};
//! use rdbscope::rdb::{Item, Reader};
//!
//! let dump = b"REDIS0003\xfe\x00\x00\x09user:1000\x05hello\xff";
//! let model = Model::new(ModelOptions {
//!     server: "redis-7.2".parse()?,
//!     allocator: Allocator::Jemalloc,
//!     cluster: false,
//!     thresholds: Thresholds::default(),
//! });
//! let mut measurer = Measurer::new(&model, &[]);
//! let mut reader = Reader::new(dump).map_err(|fault| fault.kind.to_string())?;
//! while let Ok(item) = reader.next_item() {
//!     match item {
//!         Item::Key(head) => {
//!             measurer.read(&mut reader, &head).map_err(|fault| fault.kind.to_string())?;
//!             let measured = measurer.measure(&head, &Place::default());
//!             assert_eq!(measured.record().memory_bytes, Some(72)); // what MEMORY USAGE user:1000 answers
//!         }
//!         Item::End { .. } => break,
//!         _ => {}
//!     }
//! }
//! # Ok::<(), String>(())
//! ```

pub mod access;
pub mod analyze;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod diff;
pub mod error;
pub mod escape;
pub mod forecast;
pub mod glob;
pub mod input;
pub mod measure;
pub mod memory;
pub mod output;
pub mod pipeline;
mod prefetch;
pub mod rdb;
pub mod record;
pub mod report;
pub mod units;
pub mod value;

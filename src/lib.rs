//! rdbscope reads Redis and Valkey RDB dumps.
pub mod analyze;
pub mod cli;
pub mod cluster;
pub mod error;
pub mod escape;
pub mod input;
pub mod measure;
pub mod memory;
pub mod output;
pub mod pipeline;
pub mod rdb;
pub mod record;
pub mod report;
pub mod units;
pub mod value;

//! All integration tests: `cargo test --test all golden::` runs those of one file.

mod common;

mod access;
mod access_redis;
mod big;
mod browser;
mod check;
mod check_oracle;
mod checksum;
mod ci;
mod cli;
mod cluster;
mod compressed;
mod contents;
mod debian_redis;
mod diff;
mod equivalence;
mod faults;
mod forecast;
mod golden;
mod integrity;
mod large_cluster;
mod memory;
mod mutations;
mod plan;
mod plan_redis;
mod robustness;
mod stored;
mod truth;
mod worked;

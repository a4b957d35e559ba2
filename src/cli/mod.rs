//! The command line.

mod args;
mod filter;
mod progress;
mod run;
mod target;

pub use run::main;

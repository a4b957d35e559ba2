//! The command line.

mod args;
mod check;
mod dumps;
mod filter;
mod keys;
mod progress;
mod run;
mod target;

pub use run::main;

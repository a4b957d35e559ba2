//! The command line.

mod args;
mod check;
mod diff;
mod dumps;
mod filter;
mod forecast;
mod keys;
mod look;
mod progress;
mod run;
mod target;

pub use run::main;

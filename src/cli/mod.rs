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
#[cfg(unix)]
mod signals;
mod target;

pub use run::main;

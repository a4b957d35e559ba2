//! How far the run is, on standard error when someone is looking.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::Progress;
use crate::units;

/// A line with bytes, keys, speed and the time left; silent where standard error is no terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    keys: AtomicU64,
}

impl Bar {
    /// For `total_bytes` to be read; absent for a stream.
    pub fn new(total_bytes: Option<u64>, wanted: bool) -> Bar {
        if !wanted || !std::io::stderr().is_terminal() {
            return Bar { bar: ProgressBar::hidden(), keys: AtomicU64::new(0) };
        }
        let (bar, template) = match total_bytes {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {binary_bytes} of {binary_total_bytes}, {msg}, {binary_bytes_per_sec}, {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {binary_bytes}, {msg}, {binary_bytes_per_sec}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, keys: AtomicU64::new(0) }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn advance(&self, bytes: u64, keys: u64) {
        let keys = self.keys.fetch_add(keys, Ordering::Relaxed) + keys;
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} keys", units::count(keys)));
            self.bar.inc(bytes);
        }
    }
}

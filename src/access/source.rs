//! The logs by themselves: of which kind they are, and what became of their lines.

use std::path::Path;

use serde::Serialize;

use crate::cluster::slot::SLOTS;

/// Kind of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogKind {
    Monitor,
    Slowlog,
    Hits,
}

impl LogKind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            LogKind::Monitor => "MONITOR",
            LogKind::Slowlog => "SLOWLOG",
            LogKind::Hits => "counts",
        }
    }

    /// What is wrong with a file in which nothing is.
    pub(super) fn expected(self) -> &'static str {
        match self {
            LogKind::Monitor => {
                "no command as MONITOR prints it; expected lines like: 1700000000.123456 [0 127.0.0.1:5000] \"GET\" \"a\""
            }
            LogKind::Slowlog => {
                "no entry of a slow log; expected what `redis-cli SLOWLOG GET` or `redis-cli --no-raw SLOWLOG GET` prints"
            }
            LogKind::Hits => "no count of a key; expected lines like: user:1,1200",
        }
    }
}

/// A log, and what became of it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Kind of the log.
    pub kind: LogKind,
    /// Where it is.
    pub path: String,
    /// Lines, or records of a CSV.
    pub lines: u64,
    /// Commands, entries or counts that were understood as such.
    pub commands: u64,
    /// Those that have no key.
    pub without_keys: u64,
    /// Those whose command is not known.
    pub not_understood: u64,
    /// Those that are longer than what the log, or this program, keeps of them.
    pub cut_lines: u64,
    /// Keys whose names the server cut.
    pub cut_names: u64,
    /// Lines that are no such thing.
    pub malformed_lines: u64,
    /// The first of them, from 1.
    pub first_malformed_line: Option<u64>,
    /// Whether anything in it was understood.
    pub is_understood: bool,
    /// The earliest and the latest time in it, in microseconds since 1970.
    pub span_us: Option<(u64, u64)>,
    /// Slots that were accessed.
    pub(super) slots: Box<[bool]>,
}

impl Source {
    pub(super) fn new(kind: LogKind, path: &Path) -> Source {
        Source {
            kind,
            path: crate::error::shown_path(path),
            lines: 0,
            commands: 0,
            without_keys: 0,
            not_understood: 0,
            cut_lines: 0,
            cut_names: 0,
            malformed_lines: 0,
            first_malformed_line: None,
            is_understood: false,
            span_us: None,
            slots: vec![false; usize::from(SLOTS)].into(),
        }
    }

    pub(super) fn malformed(&mut self, line: u64) {
        self.malformed_lines += 1;
        self.first_malformed_line.get_or_insert(line);
    }

    pub(super) fn saw(&mut self, at_us: u64) {
        let (first, last) = self.span_us.unwrap_or((at_us, at_us));
        self.span_us = Some((first.min(at_us), last.max(at_us)));
    }
}

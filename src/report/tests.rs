//! Summaries for the tests of what is made from them.

use super::{RunOptions, summarize};
use crate::analyze::summary::{ClusterRow, Summary};

/// The summary of no dump.
pub(crate) fn summary_of_nothing() -> Summary {
    summarize(Vec::new(), &RunOptions::new(10), None, None).0
}

/// A cluster of which all is well.
pub(crate) fn cluster() -> ClusterRow {
    ClusterRow {
        owners_from: "nodes file",
        uncovered: String::new(),
        uncovered_count: 0,
        shared: String::new(),
        shared_count: 0,
        missing_masters: Vec::new(),
        misplaced_keys: 0,
        misplaced_slots: String::new(),
        misplaced_examples: Vec::new(),
    }
}

//! The summary as one JSON document.

use std::io::{self, Write};

use crate::analyze::Summary;

/// Writes the summary, indented, with a newline at its end.
///
/// # Errors
/// Those of the writer.
pub fn write(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, summary)?;
    writeln!(out)
}

//! The summary as one JSON document.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::analyze::Summary;

/// Writes the summary as [`write()`] does, with what it was made of on a line of its own: all that another run needs.
///
/// # Errors
/// Those of the writer.
pub fn write_with(summary: &Summary, gathered: &RawValue, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'d> {
        #[serde(flatten)]
        summary: &'d Summary,
        gathered: &'d RawValue,
    }
    serde_json::to_writer_pretty(&mut *out, &Document { summary, gathered })?;
    writeln!(out)
}

/// Writes the summary, indented, with a newline at its end.
///
/// # Errors
/// Those of the writer.
pub fn write(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, summary)?;
    writeln!(out)
}

//! One JSON document.

use std::io::{self, Write};

use crate::check::CheckReport;

/// Writes the result, indented, with a newline at its end.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

//! The page.
use std::io::{self, Write};
use crate::analyze::Summary;
/// Writes the page.
pub fn render(_summary: &Summary, _out: &mut dyn Write) -> io::Result<()> { Ok(()) }

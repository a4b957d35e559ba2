//! Where output goes: files appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// The error without the temporary name that the message would show.
fn without_path(error: io::Error) -> io::Error {
    io::Error::from(error.kind())
}

/// A file that is written under a temporary name beside its own, and gets its name when it is whole.
#[derive(Debug)]
pub struct TargetFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl TargetFile {
    /// Prepares to write `path`: where that is not possible, it fails here, before any work.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path) -> Result<TargetFile, Error> {
        let fail = |error| Error::output(Some(path), error);
        if path.is_dir() {
            return Err(fail(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{name}.");
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any new file has it, less what the umask takes.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(dir).map_err(|error| fail(without_path(error)))?;
        Ok(TargetFile { path: path.to_owned(), file: BufWriter::with_capacity(1 << 18, file) })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written to its end, or renamed.
    pub fn commit(self) -> Result<(), Error> {
        let path = self.path;
        let fail = |error| Error::output(Some(&path), error);
        let file = self.file.into_inner().map_err(|e| fail(e.into_error()))?;
        file.persist(&path).map_err(|e| fail(e.error))?;
        Ok(())
    }

    /// Writes the whole content and gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_all_and_commit(mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        write(&mut self.file).map_err(|error| Error::output(Some(&self.path), error))?;
        self.commit()
    }
}

impl Write for TargetFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

//! Where output goes: files appear whole or not at all, even when a signal ends the program.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::{Error, shown_path};

/// Temporary names of files that are not whole yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the files that are not whole, for a program that ends at once. As long as the result is held, no file is begun and
/// none gets its name.
pub fn remove_unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    let files = unfinished();
    for file in files.iter() {
        let _ = fs::remove_file(file); // whose run has failed is gone already
    }
    files
}

/// Writes to standard output. Its reader may leave before the end; what was found still decides how the program ends.
///
/// # Errors
/// If it cannot be written for any other reason.
pub fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::output(None, error)),
        _ => Ok(()),
    }
}

/// The error without the temporary name that the message would show.
fn without_path(error: io::Error) -> io::Error {
    io::Error::from(error.kind())
}

/// Makes sure that no output is an input, nor two outputs the same file.
///
/// # Errors
/// If one is.
pub fn keep_apart<'p>(
    outputs: impl IntoIterator<Item = &'p Path>,
    inputs: impl IntoIterator<Item = &'p Path>,
) -> Result<(), Error> {
    let is_file = |path: &Path| !path.exists() || path.is_file();
    let resolved = |path: &Path| {
        path.canonicalize().unwrap_or_else(|_| {
            let name = path.file_name().unwrap_or_default();
            match path.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir }) {
                Some(dir) => dir.canonicalize().unwrap_or_else(|_| dir.to_owned()).join(name),
                None => path.to_owned(),
            }
        })
    };
    let inputs: BTreeSet<PathBuf> = inputs.into_iter().map(resolved).collect();
    let mut seen = BTreeSet::new();
    for output in outputs.into_iter().filter(|path| is_file(path)) {
        if inputs.contains(&resolved(output)) {
            return Err(Error::usage(format!("{}: is read, and cannot be written to", shown_path(output))));
        }
        if !seen.insert(resolved(output)) {
            return Err(Error::usage(format!("{}: two outputs cannot be one file", shown_path(output))));
        }
    }
    Ok(())
}

/// A file that is written under a temporary name beside its own, and gets its name when it is whole.
///
/// What is there but is no file, a pipe or `/dev/null`, is written to as it is; a link leads to the file behind it.
#[derive(Debug)]
pub struct TargetFile {
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Temporary(BufWriter<NamedTempFile>),
    Device(BufWriter<File>),
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
        if path.exists() && !path.is_file() {
            let device = File::options().write(true).open(path).map_err(fail)?;
            return Ok(TargetFile { path: path.to_owned(), out: Out::Device(BufWriter::new(device)) });
        }
        let resolved = path.canonicalize();
        let path = resolved.as_deref().unwrap_or(path);
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
        let mut unfinished = unfinished();
        let file = builder.tempfile_in(dir).map_err(|error| fail(without_path(error)))?;
        unfinished.insert(file.path().to_owned());
        Ok(TargetFile { path: path.to_owned(), out: Out::Temporary(BufWriter::with_capacity(1 << 18, file)) })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written to its end, or renamed.
    pub fn commit(self) -> Result<(), Error> {
        let path = self.path;
        let fail = |error| Error::output(Some(&path), error);
        match self.out {
            Out::Device(mut device) => device.flush().map_err(fail),
            Out::Temporary(file) => {
                let file = file.into_inner().map_err(|e| fail(e.into_error()))?;
                let mut unfinished = unfinished();
                unfinished.remove(file.path());
                file.persist(&path).map_err(|e| fail(e.error))?;
                Ok(())
            }
        }
    }

    /// Writes the whole content and gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_all_and_commit(mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        write(&mut self).map_err(|error| Error::output(Some(&self.path), error))?;
        self.commit()
    }
}

impl Write for TargetFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Out::Temporary(file) => file.write(bytes),
            Out::Device(device) => device.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Temporary(file) => file.flush(),
            Out::Device(device) => device.flush(),
        }
    }
}

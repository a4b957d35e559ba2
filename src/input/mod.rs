//! Bytes from the world: which files a run reads, and how. Knows no RDB but its first bytes.

pub mod map;
pub mod unpack;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

pub use map::Map;
pub use unpack::Unpacked;

use unpack::{MAGIC_BYTES, is_compressed};

use crate::error::{Error, shown_path};
use crate::escape::Escape;

/// Where a dump comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// The bytes of a dump, by the way they come.
#[allow(missing_debug_implementations)] // a stream is anyone's
pub enum Opened {
    /// A file, mapped.
    Mapped(Map),
    /// A pipe, which may have more to give when the dump has ended.
    Pipe(Box<dyn Read + Send>),
    /// Compressed data of a file or a pipe, to be read to their end.
    Unpacked(Unpacked),
}

impl Source {
    /// Opens the dump; the first bytes tell whether it is compressed.
    ///
    /// # Errors
    /// If it cannot be opened, or the first bytes cannot be read.
    pub fn open(&self) -> io::Result<Opened> {
        match self {
            Source::File(path) => {
                let map = Map::open(path)?;
                if is_compressed(map.bytes()) {
                    return Ok(Opened::Unpacked(Unpacked::new(map.into_file())?));
                }
                Ok(Opened::Mapped(map))
            }
            Source::Stdin => {
                let mut first = Vec::new();
                io::stdin().take(MAGIC_BYTES as u64).read_to_end(&mut first)?;
                let compressed = is_compressed(&first);
                let all = Cursor::new(first).chain(io::stdin());
                Ok(if compressed { Opened::Unpacked(Unpacked::new(all)?) } else { Opened::Pipe(Box::new(all)) })
            }
        }
    }

    /// Bytes of the dump, where they are known before it is read: not of a pipe, nor of a compressed file.
    pub fn known_bytes(&self) -> Option<u64> {
        let Source::File(path) = self else { return None };
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let mut first = Vec::new();
        File::open(path).ok()?.take(MAGIC_BYTES as u64).read_to_end(&mut first).ok()?;
        (!is_compressed(&first)).then_some(meta.len())
    }
}

/// A dump to be read, and the name of the node it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpInput {
    /// Name of the node, unique in the run.
    pub name: String,
    /// Where the dump comes from.
    pub source: Source,
}

impl DumpInput {
    /// The path as text without control characters, or `-` for standard input.
    pub fn path_text(&self) -> String {
        match &self.source {
            Source::File(path) => shown_path(path),
            Source::Stdin => "-".to_owned(),
        }
    }
}

/// What becomes of an argument of which no dump can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is an error: the run is not the one that was asked for.
    Error,
    /// It is a dump that cannot be read.
    Dump,
}

/// Finds the dumps that the arguments name: files, directories (every `*.rdb` in them, compressed or not, and the base file
/// of an append-only directory), `-` for standard input, each perhaps as `NAME=PATH`.
///
/// # Errors
/// If a path does not exist or cannot be read or a directory holds no dump, where `absent` has it so; if a name is given twice.
pub fn find_dumps(arguments: &[String], absent: Absent) -> Result<Vec<DumpInput>, Error> {
    let mut dumps: Vec<(Option<String>, Source)> = Vec::new();
    for argument in arguments {
        let (name, path) = match argument.split_once('=') {
            // A file that has `=` in its name is meant as it is.
            Some((name, path)) if !name.is_empty() && !Path::new(argument).exists() => (Some(name.to_owned()), path),
            _ => (None, argument.as_str()),
        };
        if path == "-" {
            if dumps.iter().any(|(_, source)| *source == Source::Stdin) {
                return Err(Error::usage("standard input can be given only once"));
            }
            dumps.push((name.or_else(|| Some("stdin".to_owned())), Source::Stdin));
            continue;
        }
        let path = Path::new(path);
        let files = match files_of(path) {
            Err(_) if absent == Absent::Dump => {
                dumps.push((name, Source::File(path.to_owned()))); // opening it fails again
                continue;
            }
            files => files.map_err(|e| Error::unreadable(path, e))?,
        };
        let Some(files) = files else {
            dumps.push((name, Source::File(path.to_owned())));
            continue;
        };
        let single = files.len() == 1;
        for file in files {
            let name = name.as_ref().map(|name| if single { name.clone() } else { format!("{name}/{}", stem(&file)) });
            dumps.push((name, Source::File(file)));
        }
    }
    let names = unique_names(&dumps)?;
    let shown = |name: String| Escape::Utf8.text(name.as_bytes());
    Ok(dumps.into_iter().zip(names).map(|((_, source), name)| DumpInput { name: shown(name), source }).collect())
}

/// The dumps in a directory; none if the path is no directory.
fn files_of(path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(None);
    }
    let files = dumps_in(path)?;
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no *.rdb file in this directory"));
    }
    Ok(Some(files))
}

/// The dumps in a directory, by name: its `*.rdb` files, compressed or not (of an append-only directory, the base file), and those of an
/// `appendonlydir` below it.
fn dumps_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() && uncompressed_name(&path).extension().is_some_and(|extension| extension == "rdb") {
            files.push(path);
        } else if path.is_dir() && path.file_name().is_some_and(|name| name == "appendonlydir") {
            files.extend(dumps_in(&path)?);
        }
    }
    files.sort();
    Ok(files)
}

/// The path without what the compressors append to a name.
fn uncompressed_name(path: &Path) -> PathBuf {
    let compressed = path.extension().is_some_and(|extension| ["gz", "zst", "lz4"].iter().any(|end| extension == *end));
    if compressed { path.with_extension("") } else { path.to_owned() }
}

fn stem(path: &Path) -> String {
    uncompressed_name(path).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name for each dump: the one given, else that of the file, with as much of its directories as tells it apart.
fn unique_names(dumps: &[(Option<String>, Source)]) -> Result<Vec<String>, Error> {
    let at_depth = |source: &Source, depth: usize| match source {
        Source::Stdin => "stdin".to_owned(),
        Source::File(path) => {
            let mut parts: Vec<String> = path
                .parent()
                .into_iter()
                .flat_map(Path::components)
                .filter(|part| matches!(part, std::path::Component::Normal(_)))
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            let kept = parts.split_off(parts.len().saturating_sub(depth));
            kept.into_iter().chain([stem(path)]).collect::<Vec<_>>().join("/")
        }
    };
    const MAX_DEPTH: usize = 64;
    for depth in 0..MAX_DEPTH {
        let names: Vec<String> =
            dumps.iter().map(|(name, source)| name.clone().unwrap_or_else(|| at_depth(source, depth))).collect();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        names.iter().for_each(|name| *seen.entry(name).or_default() += 1);
        let Some((twice, _)) = seen.iter().find(|(_, count)| **count > 1) else {
            return Ok(names);
        };
        let given = dumps.iter().filter(|(name, _)| name.as_deref() == Some(*twice)).count();
        if given > 1 || depth + 1 == MAX_DEPTH {
            return Err(Error::usage(format!("two dumps have the name `{twice}`; give one another as NAME=PATH")));
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_dumps_apart() {
        let file = |path: &str| (None, Source::File(path.into()));
        let names = |dumps: &[(Option<String>, Source)]| unique_names(dumps).unwrap();
        assert_eq!(names(&[file("/x/a.rdb"), file("/x/b.rdb")]), ["a", "b"]);
        assert_eq!(names(&[file("/n1/dump.rdb"), file("/n2/dump.rdb")]), ["n1/dump", "n2/dump"]);
        assert_eq!(names(&[file("/x/a.rdb.gz"), file("/x/b.zst"), file("/x/gz.rdb")]), ["a", "b", "gz"]);
        assert!(unique_names(&[file("/x/a.rdb"), file("/x/a.rdb")]).is_err());
    }
}

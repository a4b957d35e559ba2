//! What a summary was made of, stored with it: so that the page can be drawn again without the dumps, and summaries of
//! different nodes can be put together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{KeyName, ReadDump, RunOptions};
use crate::analyze::hot::Watch;
use crate::analyze::pattern::PatternRules;
use crate::cluster::topology::Topology;
use crate::error::{Error, shown_path};

/// Version of what is stored: another one cannot be read.
const VERSION: u32 = 1;

/// What is stored.
#[derive(Serialize)]
struct Stored<'s> {
    version: u32,
    options: &'s RunOptions,
    nodes: Option<&'s str>,
    watched: Vec<KeyName>,
    dumps: &'s [ReadDump],
}

/// What was stored, of one run or of several put together.
#[derive(Debug, Deserialize)]
pub struct Gathered {
    /// What the run was asked for.
    pub options: RunOptions,
    /// The text of the nodes file that it was given.
    pub nodes: Option<String>,
    /// Names of logs that were looked for in the dumps.
    pub watched: Vec<KeyName>,
    /// The dumps, read.
    pub dumps: Vec<ReadDump>,
}

/// What is stored, as the text of one line.
///
/// # Errors
/// None that is known.
pub fn to_store(
    options: &RunOptions,
    nodes: Option<&str>,
    watch: Option<&Watch>,
    dumps: &[ReadDump],
) -> serde_json::Result<Box<RawValue>> {
    let watched = watch.into_iter().flat_map(Watch::names).map(|name| KeyName(name.into())).collect();
    serde_json::value::to_raw_value(&Stored { version: VERSION, options, nodes, watched, dumps })
}

impl Gathered {
    /// Reads the summaries at these paths and puts what they were made of together.
    ///
    /// # Errors
    /// If one cannot be read, is no summary of this version, or differs from the others in what it was asked for.
    pub fn read(paths: &[PathBuf]) -> Result<Option<Gathered>, Error> {
        let mut all: Option<Gathered> = None;
        for path in paths {
            let bytes = fs::read(path).map_err(|e| Error::unreadable(path, e))?;
            let stored =
                Gathered::parse(&bytes).map_err(|what| Error::usage(format!("{}: {what}", shown_path(path))))?;
            match &mut all {
                None => all = Some(stored),
                Some(all) => all.add(stored, path).map_err(|what| {
                    Error::usage(format!("{} and {}: {what}", shown_path(&paths[0]), shown_path(path)))
                })?,
            }
        }
        Ok(all)
    }

    /// Whether a file begins like a summary.
    pub fn is_summary(path: &Path) -> bool {
        use std::io::Read as _;
        let mut start = [0; 1];
        fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"{"
    }

    fn parse(bytes: &[u8]) -> Result<Gathered, String> {
        #[derive(Deserialize)]
        struct Document<'d> {
            schema: Option<String>,
            #[serde(borrow)]
            gathered: Option<&'d RawValue>,
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let what = |error: serde_json::Error| format!("is no whole summary: {error}");
        if bytes.first() != Some(&b'{') {
            return Err("is no summary; `rdbscope report --json FILE` writes one".to_owned());
        }
        let document: Document<'_> = serde_json::from_slice(bytes).map_err(what)?;
        let gathered = match (&document.schema, document.gathered) {
            (Some(_), Some(gathered)) => gathered.get(),
            (Some(_), None) => {
                return Err("has only figures; `rdbscope report --json FILE` writes a summary that has all".to_owned());
            }
            (None, _) => return Err("is no summary; `rdbscope report --json FILE` writes one".to_owned()),
        };
        let Version { version } = serde_json::from_str(gathered).map_err(what)?;
        if version != VERSION {
            return Err(format!(
                "is of version {version}, and this program reads version {VERSION}: read the dumps again"
            ));
        }
        let mut gathered: Gathered = serde_json::from_str(gathered).map_err(what)?;
        gathered.restore(0).map_err(|error| format!("is no whole summary: {error}"))?;
        Ok(gathered)
    }

    fn restore(&mut self, first: usize) -> Result<(), String> {
        let rules = Arc::new(PatternRules::new(&self.options.patterns)?);
        for (dump, at) in self.dumps.iter_mut().zip(first..) {
            dump.fold.restore(at, &rules)?;
        }
        Ok(())
    }

    /// Takes over the dumps of another, from the file at `path`.
    fn add(&mut self, other: Gathered, path: &Path) -> Result<(), String> {
        if let Some(difference) = self.options.difference(&other.options) {
            return Err(format!("they cannot be put together: {difference}"));
        }
        match (&self.nodes, &other.nodes) {
            (None, _) => self.nodes = other.nodes,
            (Some(ours), Some(theirs)) if !same_owners(ours, theirs) => {
                return Err(
                    "their nodes files do not agree on who owns which slot; give the right one as --nodes".to_owned()
                );
            }
            _ => {}
        }
        // Looked for in all of them, or as good as not.
        self.watched.retain(|name| other.watched.contains(name));
        let taken: BTreeSet<String> = self.dumps.iter().map(|dump| dump.name.clone()).collect();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        for mut dump in other.dumps {
            if taken.contains(&dump.name) {
                dump.name = format!("{stem}/{}", dump.name);
            }
            if taken.contains(&dump.name) {
                return Err(format!(
                    "both have a dump called `{}`; name dumps as NAME=PATH when they are read",
                    dump.name
                ));
            }
            self.dumps.push(dump);
        }
        self.restore(0)
    }
}

fn same_owners(ours: &str, theirs: &str) -> bool {
    match (Topology::parse(ours.as_bytes()), Topology::parse(theirs.as_bytes())) {
        (Ok(ours), Ok(theirs)) => ours.owns_like(&theirs),
        _ => false,
    }
}

impl RunOptions {
    /// The first thing in which the options differ, as far as they decide the sums over keys.
    pub fn difference(&self, other: &RunOptions) -> Option<String> {
        let members = |options: &RunOptions| match serde_json::to_value(options) {
            Ok(serde_json::Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        let (ours, theirs) = (members(self), members(other));
        ours.iter().find(|(name, value)| theirs.get(*name) != Some(*value)).map(|(name, value)| {
            let theirs = theirs.get(name).cloned().unwrap_or_default();
            format!("`{}` is {value} in one and {theirs} in the other", name.replace('_', "-"))
        })
    }
}

//! Which keys get a row.

use regex::bytes::{Regex, RegexBuilder};

use super::args::{ExpiryFilter, FilterArgs};
use crate::error::Error;
use crate::glob;
use crate::output::columns::Filter;
use crate::record::KeyRecord;

/// The conditions of the command line, all of which must hold.
#[derive(Debug, Default)]
pub struct KeyFilter {
    databases: Vec<u64>,
    types: Vec<String>,
    names: Vec<Regex>,
    min_memory_bytes: Option<u64>,
    min_elements: Option<u64>,
    expiry: Option<ExpiryFilter>,
}

impl KeyFilter {
    /// The filter that `args` describe.
    ///
    /// # Errors
    /// If a pattern is none.
    pub fn new(args: &FilterArgs) -> Result<KeyFilter, Error> {
        let mut names = Vec::new();
        if let Some(glob) = &args.glob {
            names.push(compile("--match", &glob::to_regex(glob.as_bytes()))?);
        }
        if let Some(regex) = &args.regex {
            names.push(compile("--regex", regex)?);
        }
        Ok(KeyFilter {
            databases: args.db.clone(),
            types: args.types.iter().map(|name| name.to_ascii_lowercase()).collect(),
            names,
            min_memory_bytes: args.min_memory,
            min_elements: args.min_elements,
            expiry: args.expiry,
        })
    }
}

impl Filter for KeyFilter {
    fn matches(&self, record: &KeyRecord<'_>, now_ms: Option<i64>) -> bool {
        let expires = match self.expiry {
            None => true,
            Some(ExpiryFilter::None) => record.expire_at_ms.is_none(),
            Some(ExpiryFilter::Any) => record.expire_at_ms.is_some(),
            Some(ExpiryFilter::Expired) => {
                record.expire_at_ms.zip(now_ms).is_some_and(|(at_ms, now_ms)| at_ms <= now_ms)
            }
        };
        expires
            && (self.databases.is_empty() || self.databases.contains(&record.db))
            && (self.types.is_empty()
                || self.types.iter().any(|name| record.value_type.as_str().eq_ignore_ascii_case(name)))
            && self.min_memory_bytes.is_none_or(|min| record.footprint_bytes.is_some_and(|bytes| bytes >= min))
            && self.min_elements.is_none_or(|min| record.elements.is_some_and(|elements| elements >= min))
            && self.names.iter().all(|name| name.is_match(record.key))
    }
}

fn compile(option: &str, pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern).build().map_err(|e| Error::usage(format!("{option}: {e}")))
}

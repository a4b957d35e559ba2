//! Which keys get a row.

use regex::bytes::{Regex, RegexBuilder};

use super::args::{ExpiryFilter, FilterArgs};
use crate::error::Error;
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
            names.push(compile("--match", &glob_to_regex(glob.as_bytes()))?);
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

/// The glob of KEYS and SCAN as a regular expression over bytes: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before
/// what is meant as it is (`util.c:stringmatchlen`).
fn glob_to_regex(glob: &[u8]) -> String {
    let mut regex = String::from("(?s-u)^");
    let mut rest = glob;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'*' => regex.push_str(".*"),
            b'?' => regex.push('.'),
            b'[' => rest = class_to_regex(after, &mut regex),
            b'\\' if !after.is_empty() => {
                push_byte(after[0], &mut regex);
                rest = &after[1..];
            }
            _ => push_byte(byte, &mut regex),
        }
    }
    regex.push('$');
    regex
}

/// A class after its `[`; gives what follows it. One that is never closed ends with the glob, as in the servers.
fn class_to_regex<'g>(mut rest: &'g [u8], regex: &mut String) -> &'g [u8] {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    loop {
        match *rest {
            [] => break,
            [b']', ref after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', byte, ref after @ ..] => {
                ranges.push((byte, byte));
                rest = after;
            }
            [start, b'-', end, ref after @ ..] => {
                ranges.push((start.min(end), start.max(end)));
                rest = after;
            }
            [byte, ref after @ ..] => {
                ranges.push((byte, byte));
                rest = after;
            }
        }
    }
    if ranges.is_empty() {
        // No byte is in an empty class, every byte outside of it.
        regex.push_str(if negated { "." } else { "[^\\x00-\\xff]" });
        return rest;
    }
    regex.push_str(if negated { "[^" } else { "[" });
    for (start, end) in ranges {
        push_byte(start, regex);
        regex.push('-');
        push_byte(end, regex);
    }
    regex.push(']');
    rest
}

fn push_byte(byte: u8, regex: &mut String) {
    regex.push_str(&format!("\\x{byte:02x}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_the_servers_have_it() {
        let matches =
            |glob: &str, key: &[u8]| compile("--match", &glob_to_regex(glob.as_bytes())).unwrap().is_match(key);
        assert!(matches("user:*", b"user:1\n2") && !matches("user:*", b"xuser:1"));
        assert!(matches("h?llo", b"hello") && matches("h?llo", b"h\xffllo") && !matches("h?llo", b"hllo"));
        assert!(matches("h[ae]llo", b"hallo") && !matches("h[ae]llo", b"hillo"));
        assert!(matches("h[^e]llo", b"hallo") && !matches("h[^e]llo", b"hello"));
        assert!(matches("h[a-c]llo", b"hbllo") && matches("h[c-a]llo", b"hbllo"));
        assert!(matches("a\\*b", b"a*b") && !matches("a\\*b", b"axb"));
        assert!(matches("größe.*", "größe.1".as_bytes()) && matches("a.b", b"a.b") && !matches("a.b", b"axb"));
        assert!(matches("[", b"") == matches("[]", b""));
    }
}

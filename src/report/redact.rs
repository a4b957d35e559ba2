//! Names without what is variable in them: what patterns have a `*` for becomes a keyed hash.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::ReadDump;

/// Bytes of the hash that a name shows: enough that few of a million differ in nothing else.
const HASH_BYTES: usize = 6;

/// Replaces what is variable in the names of all keys that the dumps' sums have. What the patterns show stays.
///
/// The same part under the same `secret` gets the same hash in every name and every run.
pub fn redact(dumps: &mut [ReadDump], secret: &[u8]) {
    let mut tables = dumps.iter().map(|dump| dump.fold.patterns.clone());
    let Some(mut patterns) = tables.next() else { return };
    tables.for_each(|table| patterns.merge(table));
    patterns.rest();
    for dump in dumps {
        dump.for_each_name(&mut |name| {
            let redacted = match patterns.glob_of(name) {
                Some(glob) => without_stars(&glob, name, secret),
                None => hash(secret, name),
            };
            *name = redacted.into();
        });
    }
}

/// The glob with a hash of what each `*` stands for in `name`; only a hash if it does not match.
fn without_stars(glob: &[u8], name: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut parts = literals(glob).into_iter();
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first.as_slice()) else { return hash(secret, name) };
    let mut redacted = first;
    let mut parts = parts.peekable();
    while let Some(literal) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.ends_with(&literal).then(|| rest.len() - literal.len())
        } else {
            memchr::memmem::find(rest, &literal)
        };
        let Some(at) = at else { return hash(secret, name) };
        redacted.extend(hash(secret, &rest[..at]));
        redacted.extend_from_slice(&literal);
        rest = &rest[at + literal.len()..];
    }
    if rest.is_empty() { redacted } else { hash(secret, name) }
}

/// What stands before, between and behind the `*` of a glob, without its escapes.
fn literals(glob: &[u8]) -> Vec<Vec<u8>> {
    let mut literals = vec![Vec::new()];
    let mut bytes = glob.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'*' => literals.push(Vec::new()),
            _ => {
                let byte = if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte };
                literals.last_mut().into_iter().for_each(|literal| literal.push(byte));
            }
        }
    }
    literals
}

/// Nothing stays nothing.
fn hash(secret: &[u8], part: &[u8]) -> Vec<u8> {
    if part.is_empty() {
        return Vec::new();
    }
    // Keys of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Vec::new() };
    mac.update(part);
    mac.finalize().into_bytes()[..HASH_BYTES].iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(glob: &str, name: &str) -> String {
        String::from_utf8(without_stars(glob.as_bytes(), name.as_bytes(), b"secret")).unwrap()
    }

    #[test]
    fn only_what_the_pattern_shows_stays() {
        let id = String::from_utf8(hash(b"secret", b"1234")).unwrap();
        assert_eq!(id.len(), 2 * HASH_BYTES);
        assert_eq!(redacted("user:*", "user:1234"), format!("user:{id}"));
        assert_eq!(redacted("user:*:a", "user:1234:a"), format!("user:{id}:a"));
        assert_eq!(redacted("*:*", "1234:1234"), format!("{id}:{id}"));
        assert_eq!(redacted("a\\*:*", "a*:1234"), format!("a*:{id}"));
        assert_eq!(redacted("user:*", "user:"), "user:");
        assert_eq!(redacted("config", "config"), "config");
        assert_ne!(hash(b"other", b"1234"), hash(b"secret", b"1234"));
    }

    #[test]
    fn a_name_that_does_not_match_shows_nothing() {
        for (glob, name) in [("user:*", "session:1234"), ("a*b", "a1c"), ("a", "ab"), ("a*b*c", "abx")] {
            assert_eq!(redacted(glob, name), String::from_utf8(hash(b"secret", name.as_bytes())).unwrap(), "{name}");
        }
    }
}

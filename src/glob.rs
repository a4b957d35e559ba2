//! Globs as KEYS, SCAN and ACLs have them.

use regex::bytes::Regex;

/// The regular expression that matches what a glob matches.
///
/// # Errors
/// If the expression would be too large.
pub fn regex(glob: &[u8]) -> Result<Regex, regex::Error> {
    Regex::new(&to_regex(glob))
}

/// The glob of KEYS and SCAN as a regular expression over bytes: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before
/// what is meant as it is (`util.c:stringmatchlen`).
pub fn to_regex(glob: &[u8]) -> String {
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
        let matches = |glob: &str, key: &[u8]| regex(glob.as_bytes()).unwrap().is_match(key);
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

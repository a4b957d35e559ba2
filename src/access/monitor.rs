//! What `redis-cli MONITOR` prints: a line for each command, with its time, database and client.
//!
//! ```text
//! 1700000000.123456 [0 127.0.0.1:5000] "GET" "user:1"
//! 1700000000.123499 [0 lua] "INCR" "visits"
//! ```
//!
//! A script comes before the commands that it runs. Where these are seen, they count; where a script runs none, the keys it
//! was given do.

use std::io::{self, BufRead};

use super::commands::Touch;
use super::lines::{Lines, Words};
use super::{AccessLog, Source};

/// What a line says besides the words of the command.
struct Head<'l> {
    at_us: u64,
    is_script: bool,
    words: &'l [u8],
}

/// Reads a log to its end.
pub(super) fn read(reader: impl BufRead, source: &mut Source, log: &mut AccessLog) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut words = Words::default();
    // The keys of the script on the last line.
    let mut of_script: Vec<(Box<[u8]>, Touch)> = Vec::new();
    while let Some(line) = lines.next_line()? {
        source.lines += 1;
        // The answer to MONITOR itself.
        let text = line.bytes.strip_prefix(b"+").unwrap_or(line.bytes);
        if text == b"OK" || text.is_empty() {
            source.is_understood |= text == b"OK";
            continue;
        }
        words.clear();
        let head = head(text).filter(|head| is_command(head.words, line.is_cut, &mut words));
        let Some(head) = head else {
            source.malformed(line.number);
            continue;
        };
        source.is_understood = true;
        source.cut_lines += u64::from(line.is_cut);
        source.saw(head.at_us);
        let unseen = std::mem::take(&mut of_script);
        if !head.is_script {
            unseen.iter().for_each(|(key, touch)| log.hit(source, key, *touch));
        }
        let words = words.list();
        let Some(command) = log.command(source, words[0], 0) else { continue };
        let mut keys = 0;
        command.keys(&words, |key, touch| {
            keys += 1;
            if command.is_script() {
                of_script.push((key.into(), touch));
            } else {
                log.hit(source, key, touch);
            }
        });
        source.without_keys += u64::from(keys == 0);
    }
    of_script.iter().for_each(|(key, touch)| log.hit(source, key, *touch));
    Ok(())
}

/// The part of a line before the words.
fn head(line: &[u8]) -> Option<Head<'_>> {
    let (time, rest) = line.split_at(memchr::memchr(b' ', line)?);
    let rest = rest.strip_prefix(b" [")?;
    let (place, words) = rest.split_at(memchr::memmem::find(rest, b"] \"")?);
    let mut place = place.splitn(2, |byte| *byte == b' ');
    number(place.next()?)?;
    let client = place.next()?;
    Some(Head { at_us: time_us(time)?, is_script: client == b"lua", words: &words[2..] })
}

/// Takes the words apart. Of a line that is cut, those that are whole.
fn is_command(text: &[u8], is_cut: bool, words: &mut Words) -> bool {
    let Some(mut rest) = words.push_quoted(text) else { return false };
    while let Some(next) = rest.strip_prefix(b" ") {
        match words.push_quoted(next) {
            Some(after) => rest = after,
            None => return is_cut,
        }
    }
    rest.is_empty() || is_cut
}

fn number(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// `1700000000.123456` in microseconds.
fn time_us(text: &[u8]) -> Option<u64> {
    let (seconds, micros) = text.split_at(memchr::memchr(b'.', text)?);
    let micros = &micros[1..];
    let seconds = number(seconds).filter(|seconds| *seconds < 1 << 40)?;
    (micros.len() == 6).then_some(seconds * 1_000_000 + number(micros)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Given, given, ops};

    fn monitor(text: &[u8]) -> Given {
        given(|source, log| super::read(text, source, log))
    }

    #[test]
    fn lines_of_a_real_log() {
        // From Redis 7.0.15 and redis-cli.
        let given = monitor(
            br#"OK
1795386438.178381 [0 127.0.0.1:39422] "set" "user:1" "a\"b"
1795386438.185285 [0 127.0.0.1:39428] "get" "user:1"
1795386438.201569 [0 [::1]:39442] "incr" "c\n\x01\xc3\xa9"
1795386438.209704 [0 unix:/tmp/redis.sock] "mget" "a" "b" "c"
1795386438.224637 [0 127.0.0.1:39464] "eval" "redis.call('get',KEYS[1]) return 1" "1" "k1"
1795386438.224720 [0 lua] "get" "k1"
1795386438.235509 [0 127.0.0.1:39470] "eval" "return 1" "2" "k1" "k2"
1795386438.268207 [0 127.0.0.1:39490] "COMMAND" "DOCS"
1795386438.288526 [15 127.0.0.1:39498] "set" "" "x"
1795386439.268207 [0 127.0.0.1:39490] "FROBNICATE" "DOCS"
"#,
        );
        let source = &given.source;
        assert_eq!((source.lines, source.commands, source.without_keys, source.not_understood), (11, 10, 1, 1));
        assert_eq!((source.malformed_lines, source.is_understood), (0, true));
        assert_eq!(source.span_us, Some((1_795_386_438_178_381, 1_795_386_439_268_207)));
        assert_eq!(given.log.not_understood().collect::<Vec<_>>(), [(&b"FROBNICATE"[..], 1)]);
        for (name, hits) in [
            (&b"user:1"[..], ops(1, 1, 0)),
            (b"c\n\x01\xc3\xa9", ops(0, 0, 1)),
            (b"b", ops(1, 0, 0)),
            (b"k1", ops(1, 1, 0)),
            (b"k2", ops(0, 1, 0)),
            (b"", ops(0, 1, 0)),
        ] {
            assert_eq!(given.log.of(name).seen, hits, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_such_line_is_counted() {
        let long = format!("1.000000 [0 a:1] \"MSET\" \"k\" \"1\" \"l\" \"{}\"\n", "x".repeat(1 << 17));
        let text = [
            b"+OK\r\n+1.000000 [0 a:1] \"GET\" \"a\"\r\n1.00000 [0 a:1] \"GET\" \"a\"\n\xff\xfe\n".as_slice(),
            b"1.000000 [x a:1] \"GET\" \"a\"\n1.000000 [0 a:1] GET a\n1.000000 [0 a:1] \"GET\" \"a\n",
            b"1.000000 [0 a:1] \"GET\"x\n99999999999999999999.000000 [0 a:1] \"GET\" \"a\"\n",
            long.as_bytes(),
            b"1.000000 [0 a:1] \"EVAL\" \"\" \"1\" \"s\"",
        ];
        let given = monitor(&text.concat());
        assert_eq!((given.source.malformed_lines, given.source.first_malformed_line), (7, Some(3)));
        assert_eq!((given.source.commands, given.source.cut_lines), (3, 1));
        assert_eq!(given.log.of(b"k").seen, ops(0, 1, 0));
        assert_eq!(given.log.of(b"l").seen, ops(0, 1, 0));
        assert_eq!(given.log.of(b"s").seen, ops(0, 1, 0));
        assert_eq!(given.log.of(b"a").seen, ops(1, 0, 0));
    }
}

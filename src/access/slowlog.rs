//! The saved answer to SLOWLOG GET, as redis-cli prints it: numbered (on a terminal, or with `--no-raw`), or raw (in a pipe).
//!
//! An entry is an id, a time, a duration in microseconds, the command's words and, since 4.0, the client's address and name.
//! The raw form has each on a line of its own and nothing between entries, so where an entry begins is told by what its first
//! lines look like; a word with a newline in it is torn there. The numbered form is exact.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::commands::Command;
use super::lines::{Lines, Words};
use super::{AccessLog, Source};

/// Words of an entry that are looked at; servers keep 32, which newlines may tear into more.
const WORDS: usize = 512;
/// Bytes of a word from where on servers cut it.
const CUT_BYTES: usize = 128;
/// Times that an entry may be of: 2001 to 2106.
const TIMES: std::ops::Range<u64> = 1_000_000_000..1 << 32;

/// Reads a log to its end.
pub(super) fn read(reader: impl BufRead, source: &mut Source, log: &mut AccessLog) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut form = Form::Unknown;
    while let Some(line) = lines.next_line()? {
        source.lines += 1;
        if let Form::Unknown = form {
            if line.bytes.is_empty() || line.bytes.starts_with(b"(empty ") {
                source.is_understood = true; // nothing was slow
                continue;
            }
            if prefixes(line.bytes).1 > 0 {
                form = Form::Numbered(Numbered::default());
            } else if number(line.bytes).is_some() {
                form = Form::Raw(Raw::default());
            }
        }
        match &mut form {
            Form::Unknown => source.malformed(line.number),
            Form::Numbered(numbered) => numbered.line(line.bytes, line.number, source, log),
            Form::Raw(raw) => raw.line(line.bytes, line.number, source, log),
        }
    }
    match form {
        Form::Unknown => {}
        Form::Numbered(numbered) => numbered.entry.iter().for_each(|entry| entry.count(source, log)),
        Form::Raw(raw) => raw.end(source, log),
    }
    Ok(())
}

/// How the log is written; not known before its first line that tells.
enum Form {
    Unknown,
    Numbered(Numbered),
    Raw(Raw),
}

#[derive(Default)]
struct Entry {
    line: u64,
    id: u64,
    at_seconds: u64,
    duration_us: u64,
    words: Words,
}

impl Entry {
    fn count(&self, source: &mut Source, log: &mut AccessLog) {
        let mut words = self.words.list();
        if words.is_empty() {
            return source.malformed(self.line);
        }
        source.is_understood = true;
        source.saw(self.at_seconds.saturating_mul(1_000_000));
        if words.len() > 1 && words.last().is_some_and(|word| is_note(word, b" more arguments)")) {
            source.cut_lines += 1;
            words.pop();
        }
        let Some(command) = log.command(source, words[0], self.duration_us) else { return };
        let mut keys = 0u64;
        command.keys(&words, |key, touch| {
            if key.len() > CUT_BYTES && is_note(&key[CUT_BYTES..], b" more bytes)") {
                source.cut_names += 1;
            } else {
                // The time is one for all of them: the slot, which they share in a cluster, has it once.
                log.slow_hit(source, key, touch, self.duration_us, keys == 0);
            }
            keys += 1;
        });
        source.without_keys += u64::from(keys == 0);
    }
}

/// Whether this is `... (12 more bytes)` or the like.
fn is_note(word: &[u8], end: &[u8]) -> bool {
    let count = word.strip_prefix(b"... (").and_then(|rest| rest.strip_suffix(end));
    count.is_some_and(|count| number(count).is_some())
}

fn number(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The numbers before what a line says: the column and the number of the last, how many there are, and the rest.
fn prefixes(line: &[u8]) -> ((usize, u64), usize, &[u8]) {
    let (mut last, mut count, mut at) = ((0, 0), 0, 0);
    loop {
        let rest = line[at..].trim_ascii_start();
        let Some(close) = memchr::memchr(b')', rest) else { break };
        let Some(digits) = rest.get(..close).filter(|digits| !digits.is_empty()).and_then(number) else { break };
        if rest.get(close + 1) != Some(&b' ') {
            break;
        }
        at = line.len() - rest.len() + close + 2;
        last = (at, digits);
        count += 1;
    }
    (last, count, &line[at..])
}

#[derive(Default)]
struct Numbered {
    entry: Option<Entry>,
    /// Where the numbers of an entry's fields end.
    column: usize,
}

impl Numbered {
    fn line(&mut self, line: &[u8], line_number: u64, source: &mut Source, log: &mut AccessLog) {
        if line.is_empty() {
            return;
        }
        let ((column, field), count, rest) = prefixes(line);
        let integer = rest.strip_prefix(b"(integer) ").and_then(number);
        if let (2, 1, Some(id)) = (count, field, integer) {
            if let Some(entry) = self.entry.replace(Entry { line: line_number, id, ..Entry::default() }) {
                entry.count(source, log);
            }
            self.column = column;
            return;
        }
        let Some(entry) = &mut self.entry else { return source.malformed(line_number) };
        let is_good = match (count, column == self.column, field, integer) {
            (1, true, 2, Some(seconds)) => {
                entry.at_seconds = seconds;
                true
            }
            (1, true, 3, Some(micros)) => {
                entry.duration_us = micros;
                true
            }
            (1, true, 4.., _) => true,
            (1 | 2, false, ..) => entry.words.push_quoted(rest).is_some_and(<[u8]>::is_empty),
            _ => false,
        };
        if !is_good {
            source.malformed(line_number);
        }
    }
}

#[derive(Default)]
struct Raw {
    entry: Option<Entry>,
    words: usize,
    /// Lines that may be the beginning of an entry: as many as that takes.
    ahead: VecDeque<(u64, Vec<u8>)>,
}

/// Lines that tell an entry: id, time, duration and the command.
const HEAD_LINES: usize = 4;

impl Raw {
    fn line(&mut self, line: &[u8], number: u64, source: &mut Source, log: &mut AccessLog) {
        self.ahead.push_back((number, line.to_vec()));
        if self.ahead.len() == HEAD_LINES {
            self.step(source, log);
        }
    }

    fn end(mut self, source: &mut Source, log: &mut AccessLog) {
        while !self.ahead.is_empty() {
            self.step(source, log);
        }
        self.finish(source, log);
    }

    /// Takes the first of the lines, or as many as begin an entry.
    fn step(&mut self, source: &mut Source, log: &mut AccessLog) {
        if let Some(entry) = self.begins() {
            self.finish(source, log);
            self.entry = Some(entry);
            self.words = 0;
            self.ahead.drain(..HEAD_LINES - 1);
            return;
        }
        let Some((number, line)) = self.ahead.pop_front() else { return };
        match &mut self.entry {
            Some(entry) if self.words < WORDS => {
                entry.words.push(&line);
                self.words += 1;
            }
            _ => source.malformed(number),
        }
    }

    fn begins(&self) -> Option<Entry> {
        let line = |index: usize| self.ahead.get(index).map(|(_, line)| line.as_slice());
        let id = line(0).and_then(number)?;
        let at_seconds = line(1).and_then(number).filter(|seconds| TIMES.contains(seconds))?;
        let duration_us = line(2).and_then(number)?;
        let command = line(3)?;
        let follows = match &self.entry {
            None => true,
            Some(entry) => {
                // Ids go down by one, but not where the logs of several servers stand in one file.
                entry.id.checked_sub(1) == Some(id)
                    || (Command::named(command).is_some() && client(&entry.words.list()) > 0)
            }
        };
        follows.then(|| Entry { line: self.ahead[0].0, id, at_seconds, duration_us, words: Words::default() })
    }

    fn finish(&mut self, source: &mut Source, log: &mut AccessLog) {
        let Some(mut entry) = self.entry.take() else { return };
        let words = entry.words.list();
        let keep = words.len() - client(&words);
        let mut kept = Words::default();
        words[..keep].iter().for_each(|word| kept.push(word));
        entry.words = kept;
        entry.count(source, log);
    }
}

/// How many of the words at the end are the client's address and name.
fn client(words: &[&[u8]]) -> usize {
    let is_address = |word: &[u8]| {
        let port = memchr::memrchr(b':', word).map(|colon| &word[colon + 1..]);
        port.is_some_and(|port| !port.is_empty() && number(port).is_some())
    };
    match words {
        [_, .., address, _] if is_address(address) => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Given, given, ops};

    fn slowlog(text: &str) -> Given {
        given(|source, log| super::read(text.as_bytes(), source, log))
    }

    // Both from Redis 7.0.15 and redis-cli; what comes to 128 bytes is cut there.
    fn long() -> String {
        "k".repeat(128)
    }

    fn raw() -> String {
        format!(
            "15\n1795386438\n13\nset\n{}... (172 more bytes)\n1\n127.0.0.1:39534\n\n\
             14\n1795386438\n37\nmset\n1\n2\n3\n4\n... (50 more arguments)\n127.0.0.1:39520\nworker\n\
             12\n1795386437\n7\nset\n\nx\n127.0.0.1:39498\n\n\
             11\n1795386437\n1\nMULTI\n127.0.0.1:39490\n\n\
             10\n1795386430\n90000\nHGETALL\nbig\n/tmp/redis.sock:0\n\n",
            long()
        )
    }

    fn numbered() -> String {
        format!(
            " 1) 1) (integer) 15\r\n    2) (integer) 1795386438\r\n    3) (integer) 13\r\n    4) 1) \"set\"\r\n       \
             2) \"{}... (172 more bytes)\"\r\n       3) \"1\"\r\n    5) \"127.0.0.1:39534\"\r\n    6) \"\"\r\n \
             2) 1) (integer) 14\r\n    2) (integer) 1795386438\r\n    3) (integer) 37\r\n    4)  1) \"mset\"\r\n        \
             2) \"1\"\r\n        3) \"2\"\r\n        4) \"3\"\r\n        5) \"4\"\r\n       10) \"... (50 more arguments)\"\r\n    \
             5) \"127.0.0.1:39520\"\r\n    6) \"worker\"\r\n \
             3) 1) (integer) 12\r\n    2) (integer) 1795386437\r\n    3) (integer) 7\r\n    4) 1) \"set\"\r\n       2) \"\"\r\n       \
             3) \"x\"\r\n    5) \"127.0.0.1:39498\"\r\n    6) \"\"\r\n \
             4) 1) (integer) 11\n    2) (integer) 1795386437\n    3) (integer) 1\n    4) 1) \"MULTI\"\n    5) \"127.0.0.1:39490\"\n    6) \"\"\n\
             10) 1) (integer) 10\n    2) (integer) 1795386430\n    3) (integer) 90000\n    4) 1) \"HGETALL\"\n       2) \"big\"\n    \
             5) \"/tmp/redis.sock:0\"\n    6) \"\"\n",
            long()
        )
    }

    #[test]
    fn both_forms_say_the_same() {
        for text in [raw(), numbered()] {
            let given = slowlog(&text);
            let source = &given.source;
            assert_eq!((source.malformed_lines, source.commands, source.without_keys), (0, 5, 1), "{text}");
            assert_eq!((source.cut_lines, source.cut_names), (1, 1));
            assert_eq!(source.span_us, Some((1_795_386_430_000_000, 1_795_386_438_000_000)));
            let big = given.log.of(b"big");
            assert_eq!((big.slow, big.slow_us), (ops(1, 0, 0), 90_000));
            assert_eq!(given.log.of(b"").slow_us, 7);
            assert_eq!(given.log.of(b"1").slow, ops(0, 1, 0));
            assert_eq!(given.log.of(b"3").slow_us, 37);
            assert_eq!(given.log.of(b"2").slow, ops(0, 0, 0));
            assert_eq!(given.log.total().slow_us, 37 + 7 + 90_000);
        }
    }

    #[test]
    fn logs_of_old_servers_and_of_several() {
        let old = "1\n1600000000\n20000\nLRANGE\nlist\n0\n-1\n0\n1600000000\n15000\nGET\na\n";
        let given = slowlog(old);
        assert_eq!((given.source.commands, given.source.malformed_lines), (2, 0));
        assert_eq!(given.log.of(b"list").slow_us, 20_000);
        let two = format!("{}{}", raw(), raw());
        assert_eq!(slowlog(&two).source.commands, 10);
        let two = format!(
            "{}{}",
            numbered(),
            "1) 1) (integer) 3\n   2) (integer) 1795386438\n   3) (integer) 5\n   4) 1) \"GET\"\n      2) \"x\"\n"
        );
        assert_eq!(slowlog(&two).log.of(b"x").slow_us, 5);
    }

    #[test]
    fn what_is_no_slow_log_is_counted() {
        for empty in ["\n", "(empty array)\n", "(empty list or set)\n"] {
            let given = slowlog(empty);
            assert_eq!((given.source.is_understood, given.source.malformed_lines), (true, 0));
        }
        let given = slowlog("127.0.0.1:6379> slowlog get\nnonsense\n");
        assert_eq!((given.source.is_understood, given.source.first_malformed_line), (false, Some(1)));
        let given = slowlog("17\nnonsense\n");
        assert_eq!((given.source.is_understood, given.source.malformed_lines), (false, 2));
        let given = slowlog(" 1) 1) (integer) 15\n    4) 1) set\n       2) \"unfinished\nfoo\n");
        assert_eq!((given.source.is_understood, given.source.malformed_lines), (false, 4));
    }
}

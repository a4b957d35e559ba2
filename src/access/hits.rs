//! Counts that someone took himself: a CSV of keys and how often each was used, in quotes where need be (RFC 4180).
//!
//! ```text
//! key,count
//! user:1,1200
//! "a,b",3
//! ```
//!
//! The first record may name the columns; without, the key comes first and the count second.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader};

use super::lines::LINE_BYTES;
use super::{AccessLog, Source};

/// Fields of a record that are looked at.
const FIELDS: usize = 64;

/// Reads the counts to their end.
pub(super) fn read(mut reader: impl BufRead, source: &mut Source, log: &mut AccessLog) -> io::Result<()> {
    let mut csv = Reader::new();
    let (mut output, mut ends) = (vec![0; LINE_BYTES], [0; FIELDS]);
    let (mut written, mut fields) = (0, 0);
    let (mut key, mut count) = (0, 1);
    let mut is_too_long = false;
    let mut line = 1;
    loop {
        let input = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            input => input?,
        };
        let (result, read, wrote, ended) = csv.read_record(input, &mut output[written..], &mut ends[fields..]);
        reader.consume(read);
        written += wrote;
        fields += ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            // What does not fit is passed over.
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                is_too_long = true;
                (written, fields) = (0, 0);
            }
            ReadRecordResult::Record => {
                source.lines += 1;
                let field = |index: usize| {
                    let end = ends[..fields].get(index)?;
                    let start = if index == 0 { 0 } else { ends[index - 1] };
                    output.get(start..*end)
                };
                let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<u64>().ok();
                match (field(key), field(count).and_then(number)) {
                    (Some(name), Some(hits)) if !is_too_long => {
                        source.is_understood = true;
                        source.commands += 1;
                        log.counted(source, name, hits);
                    }
                    _ if source.lines == 1 && fields > 1 && !is_too_long => {
                        let named = |names: &[&str]| {
                            (0..fields).find(|index| {
                                field(*index).is_some_and(|field| {
                                    let field = field.trim_ascii();
                                    names.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
                                })
                            })
                        };
                        key = named(&["key", "name"]).unwrap_or(0);
                        count = named(&["count", "hits"]).unwrap_or(usize::from(key == 0));
                    }
                    _ => source.malformed(line),
                }
                (written, fields, is_too_long) = (0, 0, false);
                line = csv.line();
            }
            ReadRecordResult::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Given, given};
    use super::*;

    fn hits(text: &[u8]) -> Given {
        given(|source, log| super::read(text, source, log))
    }

    #[test]
    fn with_and_without_a_header() {
        for text in [
            &b"user:1,1200\r\n\"a,\"\"b\n\",3\r\n\xff\x00, 7\nuser:1,1\n"[..],
            b"Key,Count\nuser:1,1201\n\"a,\"\"b\n\",3\n\xff\x00,7",
            b"hits,node,key\n1201,n1,user:1\n3,n2,\"a,\"\"b\n\"\n7,,\xff\x00\n",
        ] {
            let given = hits(text);
            assert_eq!(given.source.malformed_lines, 0);
            assert_eq!(given.log.of(b"user:1").counted, 1201);
            assert_eq!(given.log.of(b"a,\"b\n").counted, 3);
            assert_eq!(given.log.of(b"\xff\x00").counted, 7);
            assert_eq!(given.log.total().counted, 1211);
        }
    }

    #[test]
    fn what_is_no_count_is_said() {
        let given = hits(b"a,1\nb\nc,-1\nd,many\ne,99999999999999999999\nf,2\n");
        assert_eq!((given.source.malformed_lines, given.source.first_malformed_line), (4, Some(2)));
        assert_eq!(given.log.total().counted, 3);
        let long = [&b"a,1\n\""[..], &vec![b'x'; LINE_BYTES + 9], b"\",1\nb,1\n\"never closed,1\nc,1\n"].concat();
        let given = hits(&long);
        assert_eq!((given.source.malformed_lines, given.log.total().counted), (2, 2));
        let wide = [&b"a,1\n"[..], &vec![b','; 1000], b"\nb,1\n"].concat();
        assert_eq!(hits(&wide).log.total().counted, 2);
        assert!(!hits(b"").source.is_understood);
    }
}

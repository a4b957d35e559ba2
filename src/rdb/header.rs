//! The nine bytes at the start of a dump.

use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::{map, value};
use serde::{Deserialize, Serialize};

use super::constants::Dialect;
use super::fault::{Fault, FaultKind, Parse};

/// Length of magic and version together, the same in both dialects.
pub const HEADER_LEN: usize = 9;

/// Newest version with magic `REDIS` that is understood (Redis 8.6).
pub const NEWEST_REDIS: u32 = 13;
/// Newest version with magic `VALKEY` that is understood (Valkey 9.1).
pub const NEWEST_VALKEY: u32 = 80;
/// First version with magic `VALKEY`.
const FIRST_VALKEY: u32 = 80;

/// Magic and version of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whose meaning the ambiguous bytes have.
    pub dialect: Dialect,
    /// RDB version: 1 to 13 for Redis, 80 for Valkey 9.
    pub version: u32,
}

impl Header {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// `Truncated` with fewer than nine bytes that could still become a header, `NotRdb` if they are none,
    /// `NewerVersion` and `ForeignVersion` for versions that this program does not read.
    pub fn parse(data: &[u8]) -> Parse<Header> {
        let fault = |kind| Fault { at: 0, kind };
        if data.is_empty() {
            return Err(fault(FaultKind::Empty));
        }
        let Some(head) = data.first_chunk::<HEADER_LEN>() else {
            let begins_well = [b"REDIS".as_slice(), b"VALKEY"].iter().any(|magic| {
                let n = magic.len().min(data.len());
                data[..n] == magic[..n]
            });
            if begins_well {
                return Err(Fault {
                    at: data.len() as u64,
                    kind: FaultKind::Truncated { needed: (HEADER_LEN - data.len()) as u64 },
                });
            }
            let mut found = [0; HEADER_LEN];
            found[..data.len()].copy_from_slice(data);
            return Err(fault(FaultKind::NotRdb { found }));
        };
        let Ok((_, Header { dialect, version })) = magic_and_version(head) else {
            return Err(fault(FaultKind::NotRdb { found: *head }));
        };
        match (dialect, version) {
            (Dialect::Redis, 1..=NEWEST_REDIS) | (Dialect::Valkey, FIRST_VALKEY..=NEWEST_VALKEY) => {
                Ok(Header { dialect, version })
            }
            (Dialect::Redis, 14..) | (Dialect::Valkey, 81..) => Err(fault(FaultKind::NewerVersion { version })),
            _ => Err(fault(FaultKind::ForeignVersion { version })),
        }
    }

    /// Whether eight bytes of checksum follow the end of the data.
    pub fn has_checksum(self) -> bool {
        self.version >= 5
    }
}

fn magic_and_version(input: &[u8]) -> IResult<&[u8], Header> {
    alt((
        map((value(Dialect::Redis, tag("REDIS")), digits(4)), |(dialect, version)| Header { dialect, version }),
        map((value(Dialect::Valkey, tag("VALKEY")), digits(3)), |(dialect, version)| Header { dialect, version }),
    ))
    .parse(input)
}

fn digits(n: usize) -> impl Fn(&[u8]) -> IResult<&[u8], u32> {
    move |input| {
        map(take_while_m_n(n, n, |b: u8| b.is_ascii_digit()), |text: &[u8]| {
            text.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        })
        .parse(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_magics() {
        assert_eq!(Header::parse(b"REDIS0011rest"), Ok(Header { dialect: Dialect::Redis, version: 11 }));
        assert_eq!(Header::parse(b"VALKEY080"), Ok(Header { dialect: Dialect::Valkey, version: 80 }));
        assert!(!Header::parse(b"REDIS0004").unwrap().has_checksum());
    }

    #[test]
    fn refuses_what_is_no_rdb() {
        for bad in [b"REDIS001x".as_slice(), b"redis0011", b"*2\r\n$6\r\nSELECT", b"\x1f\x8b"] {
            assert!(matches!(Header::parse(bad).unwrap_err().kind, FaultKind::NotRdb { .. }), "{bad:?}");
        }
        assert_eq!(Header::parse(b"").unwrap_err().kind, FaultKind::Empty);
        assert_eq!(Header::parse(b"REDIS").unwrap_err(), Fault { at: 5, kind: FaultKind::Truncated { needed: 4 } });
    }

    #[test]
    fn refuses_versions_it_does_not_know() {
        let kind = |data: &[u8]| Header::parse(data).unwrap_err().kind;
        assert_eq!(kind(b"REDIS0014"), FaultKind::NewerVersion { version: 14 });
        assert_eq!(kind(b"VALKEY081"), FaultKind::NewerVersion { version: 81 });
        assert_eq!(kind(b"REDIS0000"), FaultKind::ForeignVersion { version: 0 });
        assert_eq!(kind(b"REDIS0080"), FaultKind::NewerVersion { version: 80 });
        assert_eq!(kind(b"VALKEY011"), FaultKind::ForeignVersion { version: 11 });
    }
}

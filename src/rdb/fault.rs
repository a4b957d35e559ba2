//! What can be wrong with the bytes of a dump.

use std::fmt;

/// A refusal: what was found wrong, and at which byte.
///
/// Small and `Copy`, because every read returns one; the file's name and the key are added where they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Absolute offset in the RDB stream of the first byte that could not be accepted, from 0.
    pub at: u64,
    /// What was wrong there.
    pub kind: FaultKind,
}

/// Every way in which a dump can be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // `Display` below says what each means
pub enum FaultKind {
    /// The data ends where `needed` more bytes were claimed.
    Truncated {
        needed: u64,
    },
    /// There is nothing at all.
    Empty,
    /// Not an RDB: the first bytes are neither `REDIS` nor `VALKEY` with digits.
    NotRdb {
        found: [u8; 9],
    },
    /// The version belongs to a later server.
    NewerVersion {
        version: u32,
    },
    /// `VALKEY` with a version below 80, `REDIS` with 0 or 80 and above.
    ForeignVersion {
        version: u32,
    },
    UnknownType {
        byte: u8,
    },
    PreGaModule,
    BadLength {
        byte: u8,
    },
    BadStringEncoding {
        byte: u8,
    },
    LzfClaim {
        packed: u64,
        unpacked: u64,
    },
    LzfBroken {
        inside: u64,
    },
    BadModuleOpcode {
        opcode: u64,
    },
    BadModuleAux {
        found: u64,
    },
    BadCount {
        claimed: u64,
    },
    BadScore,
    EmptyBlob {
        what: &'static str,
    },
    BlobHeader {
        what: &'static str,
        claimed: u64,
        actual: u64,
    },
    BlobEntry {
        what: &'static str,
        byte: u8,
    },
    BlobCount {
        what: &'static str,
        claimed: u64,
        actual: u64,
    },
    BlobEnd {
        what: &'static str,
    },
    OddEntries {
        what: &'static str,
        entries: u64,
    },
    BadContainer {
        found: u64,
    },
    BadFieldExpiry {
        found: i64,
    },
    BadStreamKey {
        length: u64,
    },
    BadSlot {
        found: u64,
    },
    BadImportName {
        length: u64,
    },
    BadKeyMeta {
        classes: u64,
    },
    TooLarge {
        bytes: u64,
        limit: u64,
    },
}

impl FaultKind {
    /// Whether the data simply stops too early.
    pub fn is_truncation(self) -> bool {
        matches!(self, FaultKind::Truncated { .. })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FaultKind::*;
        match *self {
            Truncated { needed: 1 } => write!(f, "file ends here, but one more byte was expected"),
            Truncated { needed } => write!(f, "file ends here, but {needed} more bytes were expected"),
            Empty => write!(f, "no RDB: the file is empty"),
            NotRdb { found } => {
                write!(f, "no RDB: expected `REDIS` or `VALKEY` and a version, found `{}`", found.escape_ascii())
            }
            NewerVersion { version } => {
                write!(f, "RDB version {version} is newer than this program knows (Redis 1 to 13, Valkey 80)")
            }
            ForeignVersion { version } => write!(f, "RDB version {version} does not go with this magic"),
            UnknownType { byte } => write!(f, "unknown opcode or value type {byte:#04x}"),
            PreGaModule => write!(f, "module value of a 4.0 release candidate (type 6), which cannot be skipped"),
            BadLength { byte } => write!(f, "expected a length, found {byte:#04x}"),
            BadStringEncoding { byte } => write!(f, "unknown string encoding {byte:#04x}"),
            LzfClaim { packed, unpacked } => {
                write!(f, "compressed string of {packed} bytes claims to hold {unpacked}, which LZF cannot do")
            }
            LzfBroken { inside } => write!(f, "compressed string is broken {inside:#x} bytes into its data"),
            BadModuleOpcode { opcode } => write!(f, "unknown module opcode {opcode}"),
            BadModuleAux { found } => write!(f, "module aux without its `when` field (opcode {found}, expected 2)"),
            BadCount { claimed } => {
                write!(f, "{claimed} elements are claimed, more than the rest of the file can hold")
            }
            BadScore => write!(f, "score is not a number"),
            EmptyBlob { what } => write!(f, "empty {what}"),
            BlobHeader { what, claimed, actual } => {
                write!(f, "{what} claims {claimed} bytes in its header but has {actual}")
            }
            BlobEntry { what, byte } => write!(f, "{what} entry is broken (byte {byte:#04x})"),
            BlobCount { what, claimed, actual } => write!(f, "{what} claims {claimed} entries but has {actual}"),
            BlobEnd { what } => write!(f, "{what} does not end where its header says"),
            OddEntries { what, entries } => write!(f, "{what} has {entries} entries, which does not pair up"),
            BadContainer { found } => write!(f, "unknown quicklist container {found}, expected 1 or 2"),
            BadFieldExpiry { found } => write!(f, "hash field expiry {found} is out of range"),
            BadStreamKey { length } => write!(f, "stream node key has {length} bytes, expected 16"),
            BadSlot { found } => write!(f, "slot {found} is out of range"),
            BadImportName { length } => write!(f, "slot import job name has {length} bytes, expected 40"),
            BadKeyMeta { classes } => write!(f, "key metadata has {classes} classes, expected at most 7"),
            TooLarge { bytes, limit } => write!(f, "value needs {bytes} bytes of working memory, the limit is {limit}"),
        }
    }
}

/// What every reading function of this crate returns.
pub(crate) type Parse<T> = Result<T, Fault>;

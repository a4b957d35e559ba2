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
    BlobTail {
        what: &'static str,
        claimed: u64,
        actual: u64,
    },
    BlobBacklen {
        what: &'static str,
    },
    OddEntries {
        what: &'static str,
        entries: u64,
    },
    /// Parts that the servers write in ascending order are not.
    Order {
        what: &'static str,
    },
    /// A part comes twice where the servers refuse that.
    Repeated {
        what: &'static str,
        first_at: u64,
    },
    EmptyValue,
    BadContainer {
        found: u64,
    },
    BadFieldExpiry {
        found: i64,
    },
    BadStreamKey {
        length: u64,
    },
    /// A node of a stream does not hold what it has to at this place.
    BadStreamNode {
        expected: &'static str,
    },
    /// What a stream says of itself is not what is in it.
    StreamCount {
        what: &'static str,
        claimed: u64,
        actual: u64,
    },
    /// The pending entries of a group are not those of its consumers.
    StreamPending {
        group: u64,
        consumers: u64,
    },
    /// An ID of a stream lies behind one that bounds it.
    StreamBound {
        what: &'static str,
    },
    BadFunction {
        expected: &'static str,
    },
    PreGaFunction,
    /// What would tell is not to be had, for a reason outside the dump.
    NotCompared {
        why: std::io::ErrorKind,
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
            BlobTail { what, claimed, actual } => {
                write!(f, "{what} claims its last entry at offset {claimed}, but it is at {actual}")
            }
            BlobBacklen { what } => write!(f, "length behind an entry of a {what} is not that of the entry"),
            OddEntries { what, entries } => write!(f, "{what} has {entries} entries, which does not pair up"),
            Order { what } => write!(f, "{what} are not in ascending order"),
            Repeated { what, first_at } => write!(f, "{what} comes twice, first at byte {first_at}"),
            EmptyValue => write!(f, "value has no elements, which servers drop or refuse"),
            BadContainer { found } => write!(f, "unknown quicklist container {found}, expected 1 or 2"),
            BadFieldExpiry { found } => write!(f, "hash field expiry {found} is out of range"),
            BadStreamKey { length } => write!(f, "stream node key has {length} bytes, expected 16"),
            BadStreamNode { expected } => write!(f, "stream node is broken, expected {expected}"),
            StreamCount { what, claimed, actual } => {
                write!(f, "stream claims {claimed} {what} but has {actual}")
            }
            StreamPending { group, consumers } => {
                write!(f, "group has {group} pending entries, but they are not the {consumers} of its consumers")
            }
            StreamBound { what } => write!(f, "stream has {what}"),
            BadFunction { expected } => write!(f, "function library is broken, expected {expected}"),
            PreGaFunction => write!(f, "function of a 7.0 release candidate, which released servers refuse"),
            NotCompared { why } => write!(f, "members could not be compared in a temporary file: {why}"),
            BadSlot { found } => write!(f, "slot {found} is out of range"),
            BadImportName { length } => write!(f, "slot import job name has {length} bytes, expected 40"),
            BadKeyMeta { classes } => write!(f, "key metadata has {classes} classes, expected at most 7"),
            TooLarge { bytes, limit } => write!(f, "value needs {bytes} bytes of working memory, the limit is {limit}"),
        }
    }
}

/// What every reading function of this crate returns.
pub(crate) type Parse<T> = Result<T, Fault>;

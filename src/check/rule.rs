//! The rules by name: what each means, and what to do when it is broken.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A rule that a backup can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // `about` says what each is
pub enum Rule {
    Unreadable,
    DamagedDump,
    BrokenValues,
    RepeatedKeys,
    NoChecksum,
    TrailingBytes,
    MissingMaster,
    UncoveredSlots,
    MisplacedKeys,
    BigKey,
    NodeImbalance,
    HeavySlot,
    NoExpiry,
    ExpiredKeys,
    DumpAge,
    MaxMemory,
    KeyCount,
    Growth,
    NewPattern,
    ForbiddenKeys,
    Module,
    Server,
    ExpiredIgnore,
}

/// What `--explain` says of a rule.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// In one line.
    pub title: &'static str,
    /// What it means, and why it matters.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// How it is set in the rules file; empty if it cannot be.
    pub setting: &'static str,
}

impl Rule {
    /// All rules, in the order in which they are listed.
    pub const ALL: [Rule; 23] = [
        Rule::Unreadable,
        Rule::DamagedDump,
        Rule::BrokenValues,
        Rule::RepeatedKeys,
        Rule::NoChecksum,
        Rule::TrailingBytes,
        Rule::MissingMaster,
        Rule::UncoveredSlots,
        Rule::MisplacedKeys,
        Rule::BigKey,
        Rule::NodeImbalance,
        Rule::HeavySlot,
        Rule::NoExpiry,
        Rule::ExpiredKeys,
        Rule::DumpAge,
        Rule::MaxMemory,
        Rule::KeyCount,
        Rule::Growth,
        Rule::NewPattern,
        Rule::ForbiddenKeys,
        Rule::Module,
        Rule::Server,
        Rule::ExpiredIgnore,
    ];

    /// Its name, as in the rules file and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Unreadable => "unreadable",
            Rule::DamagedDump => "damaged-dump",
            Rule::BrokenValues => "broken-values",
            Rule::RepeatedKeys => "repeated-keys",
            Rule::NoChecksum => "no-checksum",
            Rule::TrailingBytes => "trailing-bytes",
            Rule::MissingMaster => "missing-master",
            Rule::UncoveredSlots => "uncovered-slots",
            Rule::MisplacedKeys => "misplaced-keys",
            Rule::BigKey => "big-key",
            Rule::NodeImbalance => "node-imbalance",
            Rule::HeavySlot => "heavy-slot",
            Rule::NoExpiry => "no-expiry",
            Rule::ExpiredKeys => "expired-keys",
            Rule::DumpAge => "dump-age",
            Rule::MaxMemory => "max-memory",
            Rule::KeyCount => "key-count",
            Rule::Growth => "growth",
            Rule::NewPattern => "new-pattern",
            Rule::ForbiddenKeys => "forbidden-keys",
            Rule::Module => "module",
            Rule::Server => "server",
            Rule::ExpiredIgnore => "expired-ignore",
        }
    }

    /// What it means.
    pub fn about(self) -> About {
        let about = |title, meaning, remedy, setting| About { title, meaning, remedy, setting };
        match self {
            Rule::Unreadable => about(
                "a dump cannot be opened, or is no RDB",
                "Nothing of this dump was checked: it may be missing, empty, of another program, or of a format that is newer than this program.",
                "Look at the file and at the job that wrote it. A backup that cannot be read is none.",
                "",
            ),
            Rule::DamagedDump => about(
                "a dump is cut short, or its bytes are not those that were written",
                "The structure does not hold up to the end, or the checksum is wrong. A server refuses to load such a file, or loads a part of it.",
                "Copy it again if the transfer may have cut it, and compare sizes and checksums at both ends; else save anew with BGSAVE. Keep the last backup that is whole.",
                "",
            ),
            Rule::BrokenValues => about(
                "values are broken inside, while the dump around them is whole",
                "An encoding inside a value contradicts itself: lengths, order, counts or duplicates. A server that sanitizes refuses the dump; one that does not may crash when the key is used.",
                "Look at the keys that are named on the server that wrote them; suspect memory and disks. Delete and write them again from their source.",
                "",
            ),
            Rule::RepeatedKeys => about(
                "a key is in a dump twice",
                "A server refuses to load a dump that has the same key twice in a database.",
                "The dump was put together from others, or by a program that is no server: save anew with BGSAVE, or repair that program.",
                "",
            ),
            Rule::NoChecksum => about(
                "a dump was written without a checksum",
                "With `rdbchecksum no` the last eight bytes are zero: a flipped bit in a value goes unseen.",
                "Set `rdbchecksum yes`: it costs about 10 per cent of the saving time.",
                "[no-checksum]\nlevel = \"warning\"    # off, warning, error",
            ),
            Rule::TrailingBytes => about(
                "bytes follow the end of a dump",
                "Servers ignore them, unless they are the commands of an append-only file. They may be of a second dump, or of a log that was written into the same file.",
                "Look at what the job writes to the file. Commands of an append-only file are not counted here: check the RDB of the same server as well.",
                "[trailing-bytes]\nlevel = \"warning\"    # off, warning, error",
            ),
            Rule::MissingMaster => about(
                "a master that owns slots has no dump",
                "The nodes file names a master of which no dump was given, nor one of a replica: the backup of the cluster is not whole, and all sums are without it.",
                "Add its dump, or one of its replicas'. Look at why the job of that node did not deliver.",
                "[missing-master]\nlevel = \"error\"    # off, warning, error",
            ),
            Rule::UncoveredSlots => about(
                "slots have no owner",
                "No node of the nodes file owns them; requests for their keys fail.",
                "`redis-cli --cluster check`, then `--cluster fix`.",
                "[uncovered-slots]\nlevel = \"warning\"    # off, warning, error",
            ),
            Rule::MisplacedKeys => about(
                "keys lie on a node that does not own their slot",
                "Clients cannot reach them. They are left from a migration that did not finish, or the nodes file is of another time.",
                "`redis-cli --cluster check`; finish or undo the migration of these slots.",
                "[misplaced-keys]\nlevel = \"warning\"    # off, warning, error",
            ),
            Rule::BigKey => about(
                "a key is big, by memory or by elements",
                "One value blocks the server's only thread while it is read whole, deleted or moved, and cannot be spread over nodes.",
                "Split it, bound it, or compress it; the page of `rdbscope report` has a runbook for each.",
                "[[big-key]]              # the first whose match and type fit a key decides\nmatch = \"cache:*\"        # a glob; all keys if not given\ntype = [\"hash\", \"set\"]   # all types if not given\nmemory = { warning = \"10MB\", error = \"100MB\" }\nelements = { warning = 10_000, error = 100_000 }",
            ),
            Rule::NodeImbalance => about(
                "one node holds much more than the mean of the nodes",
                "It reaches its memory limit first, and evicts or refuses writes while the others have room.",
                "`rdbscope plan` says which slots to move. A key lives in one slot: if a single key makes the difference, split it.",
                "[node-imbalance]\nmax-to-mean = { warning = 1.3, error = 2.0 }",
            ),
            Rule::HeavySlot => about(
                "one slot holds a large part of its node's memory",
                "A slot cannot be divided: a big key or a hash tag that gathers too much pins that memory to one node, however many there are.",
                "Find the key or the tag in the page's table of slots; split the key, or put more into the tag.",
                "[heavy-slot]\nshare-of-node = { warning = 0.2, error = 0.5 }\nat-least = \"64MB\"",
            ),
            Rule::NoExpiry => about(
                "keys that should expire do not",
                "Keys of this pattern are meant to be temporary. Those without a time to live stay for good, and memory grows until something is evicted.",
                "Find the code path that writes them without EX or EXPIRE (SET without EX drops a time to live); set one on those that are there.",
                "[[no-expiry]]\nmatch = \"session:*\"\nshare = { warning = 0.01, error = 0.2 }    # of the memory of these keys",
            ),
            Rule::ExpiredKeys => about(
                "keys that have expired still take memory",
                "The server deletes expired keys lazily, some at a time. A large share of them means that it cannot keep up, or that nobody reads these keys.",
                "Raise `active-expire-effort`, or SCAN over the keys once; spread times to live so that they do not end together.",
                "[expired-keys]\nshare = { warning = 0.25 }    # of all keys",
            ),
            Rule::DumpAge => about(
                "a dump is too old",
                "Measured from the time that the dump itself says it was saved, not from the file's: a job that copies the same stale dump every night is found out.",
                "Look at why BGSAVE does not run or does not succeed: `rdb_last_bgsave_status` in INFO, disk space, fork failures.",
                "[dump-age]\nhours = { warning = 26, error = 50 }",
            ),
            Rule::MaxMemory => about(
                "a node is near its memory limit",
                "At maxmemory a server evicts keys or refuses writes, by its policy. Measured by used_memory as the dump has it, else by the sum of the keys.",
                "Delete or move data, or raise the limit. `rdbscope forecast` says when it will be reached.",
                "[max-memory]\nmaxmemory = \"4GB\"                     # of each node\n# maxmemory = { node-1 = \"4GB\", node-2 = \"8GB\" }\nshare = { warning = 0.8, error = 0.95 }",
            ),
            Rule::KeyCount => about(
                "the number of keys differs much from the baseline's",
                "A sudden loss is a flush, a failed import or a wrong dump; a sudden growth a leak.",
                "`rdbscope diff` says which nodes, types and patterns changed.",
                "[key-count]    # needs --baseline\nloss = { warning = 0.1, error = 0.5 }\ngrowth = { warning = 0.5 }",
            ),
            Rule::Growth => about(
                "a pattern or a node has grown much since the baseline",
                "Memory that grows faster than the rest is tomorrow's limit.",
                "`rdbscope diff` shows by what; look for a missing time to live or bound.",
                "[growth]    # needs --baseline\npattern = { warning = 0.5, error = 2.0 }\nnode = { warning = 0.3, error = 1.0 }\nat-least = \"64MB\"    # smaller growth is never told",
            ),
            Rule::NewPattern => about(
                "keys of a pattern that the baseline has not",
                "A new feature, a typo in a prefix, or another application that writes to this cluster.",
                "Find out who writes them. If they are to stay, make a new baseline.",
                "[new-pattern]    # needs --baseline\nlevel = \"warning\"    # off, warning, error\nat-least = \"1MB\"",
            ),
            Rule::ForbiddenKeys => about(
                "there are keys that must not exist",
                "The rules forbid names like these: of another environment, of a retired feature, with personal data.",
                "Delete them with UNLINK, and find out who writes them.",
                "[[forbidden-keys]]\nmatch = \"test:*\"\nlevel = \"error\"    # warning, error",
            ),
            Rule::Module => about(
                "a module that is not on the list has data in a dump",
                "A server without the module cannot load this dump.",
                "Install the module where the dump is to be restored, or remove its keys.",
                "[module]\nallowed = [\"vectorset\"]\nlevel = \"error\"    # warning, error",
            ),
            Rule::Server => about(
                "a dump was written by a server that is not on the list",
                "A node that was upgraded early, or left behind. A dump cannot be loaded by an older server.",
                "Bring the nodes to the same version.",
                "[server]\nallowed = [\"redis-7.2\", \"valkey-8\"]    # any version that begins so\nlevel = \"warning\"    # warning, error",
            ),
            Rule::ExpiredIgnore => about(
                "an ignore has passed its date",
                "It does not hold any more: what it hid is told again.",
                "Fix the cause, or give it a new date with a reason that still holds.",
                "[[ignore]]\nrule = \"big-key\"\nmatch = \"legacy:*\"       # key, pattern, module or node; all if not given\nreason = \"moved by the end of the year, TICKET-123\"\nuntil = 2026-12-31",
            ),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(name: &str) -> Result<Rule, String> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
            format!("there is no rule `{name}`; the rules are {}", names.join(", "))
        })
    }
}

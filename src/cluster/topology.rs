//! Who owns which slot, as a cluster node tells it.
//!
//! Reads the file a node keeps (`nodes.conf`) and what `CLUSTER NODES` answers. Both have one line
//! per node:
//!
//! ```text
//! <id> <ip:port@bus-port[,hostname[,name=value...]]> <flags> <master id or ->
//!     <ping> <pong> <epoch> <link> [slots ...]
//! ```
//!
//! Servers before 4.0 print no bus port. Only the file has the pairs after the hostname, and a line
//! of `vars`.

use std::collections::HashMap;
use std::{fmt, iter};

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{char, digit1, i64, space0, u64};
use nom::combinator::{all_consuming, map, opt, rest, value, verify};
use nom::error::{ErrorKind, ParseError};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

use super::slot::SLOTS;

/// Consecutive slots, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRange {
    /// The lowest slot.
    pub first: u16,
    /// The highest slot, not below `first`.
    pub last: u16,
}

impl SlotRange {
    /// How many slots these are.
    pub fn count(self) -> usize {
        (self.first..=self.last).len()
    }
}

/// `0-5460`, or `7000` for a single slot.
impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// The ranges that cover `slots`, which come in ascending order; repeated slots count once.
pub fn ranges(slots: impl IntoIterator<Item = u16>) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = Vec::new();
    for slot in slots {
        if ranges.last().is_none_or(|range| range.last != slot) {
            let (first, last) = (slot, slot);
            append(&mut ranges, SlotRange { first, last });
        }
    }
    ranges
}

/// Adds `next` at the end of `ranges`, as part of the last range if it follows that one directly.
fn append(ranges: &mut Vec<SlotRange>, next: SlotRange) {
    match ranges.last_mut() {
        Some(range) if range.last.checked_add(1) == Some(next.first) => range.last = next.last,
        _ => ranges.push(next),
    }
}

/// All of `ranges` as one text, as CLUSTER NODES has them: `0-5460 7000`.
pub fn join_ranges(ranges: &[SlotRange]) -> String {
    ranges.iter().map(SlotRange::to_string).collect::<Vec<_>>().join(" ")
}

/// At most `at_most` of `ranges` and how many are left out: `0-5460, 7000 and 12 more`.
///
/// No ranges at all read `none`. If `at_most` is 0, only their number is given: `12 ranges`.
pub fn format_ranges(ranges: &[SlotRange], at_most: usize) -> String {
    let (shown, hidden) = ranges.split_at(at_most.min(ranges.len()));
    let listed = shown.iter().map(SlotRange::to_string).collect::<Vec<_>>();
    let listed = listed.join(", ");
    match (shown.is_empty(), hidden.len()) {
        (true, 0) => "none".to_owned(),
        (true, 1) => "1 range".to_owned(),
        (true, hidden) => format!("{hidden} ranges"),
        (false, 0) => listed,
        (false, hidden) => format!("{listed} and {hidden} more"),
    }
}

/// What a node is to the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns slots, or may.
    Master,
    /// Holds a copy of a master's keys.
    Replica {
        /// The id of the master, which the text need not list.
        of: String,
    },
    /// Neither is known: a handshake, no address yet, or a replica whose master the server does not
    /// know.
    Other,
}

/// One line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNode {
    /// The node's id: 40 hexadecimal digits on Redis and Valkey.
    pub id: String,
    /// `ip:port` as printed, without the bus port. The ip is empty if the node does not know it.
    pub address: String,
    /// The announced hostname.
    pub hostname: Option<String>,
    /// The flags as printed, such as `myself`, `master`, `fail?`.
    pub flags: Vec<String>,
    /// What the flags and the master's id amount to.
    pub role: Role,
    /// The slots the node owns: ascending, adjacent ones merged. Those it is migrating are among
    /// them, those it is importing are not.
    pub slots: Vec<SlotRange>,
    /// Slots on their way from this node, each with the id of the node they go to.
    pub migrating: Vec<(u16, String)>,
    /// Slots on their way to this node, each with the id of the node they come from.
    pub importing: Vec<(u16, String)>,
    /// The id shared by a master and its replicas; only `nodes.conf` of newer servers has it.
    pub shard_id: Option<String>,
}

/// All nodes of a cluster and the owner of each slot, as one node sees them.
#[derive(Clone, PartialEq, Eq)]
pub struct Topology {
    /// The nodes in the order of the text.
    pub nodes: Vec<ClusterNode>,
    /// For each slot the index of its owner in `nodes`, or [`NOBODY`].
    owners: Vec<u16>,
}

/// What `owners` holds for a slot that no node owns.
const NOBODY: u16 = u16::MAX;

impl Topology {
    /// Reads the text of a `nodes.conf` or the answer to `CLUSTER NODES`.
    ///
    /// # Errors
    ///
    /// The first line that is not what it should be; a slot with two owners; a node listed twice; no
    /// node at all. If the text is one that users confuse with this one, such as the answer to
    /// `CLUSTER SLOTS`, the error says what to save instead.
    pub fn parse(text: &[u8]) -> Result<Topology, TopologyError> {
        let text = decode(text)?;
        let mut topology = Topology { nodes: Vec::new(), owners: vec![NOBODY; usize::from(SLOTS)] };
        let mut lines_of_ids: HashMap<&str, usize> = HashMap::new();
        let mut lines = (1..).zip(text.lines().map(str::trim));
        while let Some((number, line)) = lines.next() {
            let fail = |what| TopologyError { line: number, what };
            if line.is_empty() || line.starts_with(PASSWORD_WARNING) {
                continue;
            }
            if line.split(BLANKS).next() == Some("vars") {
                vars_line(line).map_err(|error| fail(explain(error)))?;
                continue;
            }
            let (_, parsed) = node_line(line).map_err(|error| {
                let following = lines.clone().map(|(_, line)| line);
                let other = lines_of_ids.is_empty().then(|| mistaken(line, following));
                fail(other.flatten().unwrap_or_else(|| explain(error)))
            })?;
            if let Some(earlier) = lines_of_ids.insert(parsed.id, number) {
                return Err(fail(format!(
                    "node {} is listed twice, first on line {earlier}; {ONE_NODE_ONLY}",
                    parsed.id
                )));
            }
            topology.add(parsed).map_err(fail)?;
        }
        if topology.nodes.is_empty() {
            return Err(TopologyError {
                line: text.lines().count().max(1),
                what: format!("no line describes a node; {SAVE_THIS}"),
            });
        }
        Ok(topology)
    }

    /// The index in `nodes` of the master that owns `slot`, or `None` if nobody does.
    pub fn owner(&self, slot: u16) -> Option<usize> {
        let owner = *self.owners.get(usize::from(slot))?;
        (owner != NOBODY).then_some(usize::from(owner))
    }

    /// The nodes that are masters, with or without slots, each with its index in `nodes`.
    ///
    /// A node that owns slots is among them whatever its flags say.
    pub fn masters(&self) -> impl Iterator<Item = (usize, &ClusterNode)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.role == Role::Master || !node.slots.is_empty())
    }

    /// The slots that no node owns: keys there can be neither read nor written on the cluster.
    pub fn unowned_slots(&self) -> Vec<SlotRange> {
        let owners = (0..SLOTS).zip(&self.owners);
        ranges(owners.filter_map(|(slot, owner)| (*owner == NOBODY).then_some(slot)))
    }

    /// Adds the node of one line, or says what is wrong with it.
    fn add(&mut self, line: NodeLine<'_>) -> Result<(), String> {
        let index = u16::try_from(self.nodes.len())
            .ok()
            .filter(|index| *index != NOBODY)
            .ok_or_else(|| format!("more than {NOBODY} nodes"))?;
        let flagged = |names: [&str; 2]| line.flags.iter().any(|flag| names.contains(flag));
        let replica = flagged(["slave", "replica"]);
        let role = match line.master {
            Some(master) if replica => Role::Replica { of: master.to_owned() },
            _ if flagged(["master", "primary"]) && !replica => Role::Master,
            _ => Role::Other,
        };
        let mut node = ClusterNode {
            id: line.id.to_owned(),
            address: line.address.endpoint.to_owned(),
            hostname: line.address.hostname.map(str::to_owned),
            flags: line.flags.iter().map(|flag| (*flag).to_owned()).collect(),
            role,
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
            shard_id: line.address.shard_id.map(str::to_owned),
        };
        let mut owned = Vec::new();
        for word in line.slots {
            match word {
                SlotWord::Owned { .. } if replica => {
                    return Err("a replica cannot own slots".to_owned());
                }
                SlotWord::Owned { first, last } => {
                    let (first, last) = (checked_slot(first)?, checked_slot(last)?);
                    if first > last {
                        return Err(format!("the slot range {first}-{last} runs backwards"));
                    }
                    self.claim(first, last, index, &node)?;
                    owned.push(SlotRange { first, last });
                }
                SlotWord::Migrating { slot, to } => {
                    node.migrating.push((checked_slot(slot)?, to.to_owned()));
                }
                SlotWord::Importing { slot, from } => {
                    node.importing.push((checked_slot(slot)?, from.to_owned()));
                }
            }
        }
        owned.sort_unstable();
        for range in owned {
            append(&mut node.slots, range);
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Makes `node`, which will get `index`, the owner of the slots from `first` to `last`.
    fn claim(&mut self, first: u16, last: u16, index: u16, node: &ClusterNode) -> Result<(), String> {
        for (slot, owner) in (first..=last).zip(self.owners.iter_mut().skip(usize::from(first))) {
            match self.nodes.get(usize::from(*owner)) {
                None if *owner == NOBODY => *owner = index,
                None => return Err(format!("slot {slot} is listed twice")),
                Some(other) => {
                    return Err(format!(
                        "slot {slot} has two owners, {} ({}) and {} ({}); {ONE_NODE_ONLY}",
                        other.address, other.id, node.address, node.id,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Leaves out the table of owners, which the nodes' slots tell in less.
impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// Why a text is not a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyError {
    /// The line at fault, counted from 1; the last line if the fault is that something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for TopologyError {}

/// Ends every error about a text of another kind.
const SAVE_THIS: &str = "give a nodes.conf or what `redis-cli CLUSTER NODES` prints";
/// Ends every error about views of several nodes in one text.
const ONE_NODE_ONLY: &str = "the text must be what a single node says";
/// The start of what redis-cli prints on stderr, caught by `2>&1`.
const PASSWORD_WARNING: &str = "Warning: Using a password";

/// The text without its byte order mark.
fn decode(text: &[u8]) -> Result<&str, TopologyError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let first_line = |what: &str| TopologyError { line: 1, what: format!("{what}; {SAVE_THIS}") };
    if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
        return Err(TopologyError { line: 1, what: "this text is UTF-16; save it as UTF-8".to_owned() });
    }
    if is_dump(text) {
        return Err(first_line("this is an RDB dump"));
    }
    str::from_utf8(text).map_err(|error| {
        let valid = text.get(..error.valid_up_to()).unwrap_or_default();
        TopologyError {
            line: 1 + valid.iter().filter(|byte| **byte == b'\n').count(),
            what: format!("this is not text; {SAVE_THIS}"),
        }
    })
}

/// Whether `bytes` begin like an RDB file: `REDIS0011`, `VALKEY080`.
fn is_dump(bytes: &[u8]) -> bool {
    [&b"REDIS"[..], b"VALKEY"].iter().any(|magic| {
        let version = bytes.strip_prefix(*magic).and_then(|rest| rest.get(..3));
        version.is_some_and(|version| version.iter().all(u8::is_ascii_digit))
    })
}

/// What a text is if not node lines, judged by the first line that should have been one and those
/// following it.
fn mistaken<'a>(line: &'a str, mut following: impl Iterator<Item = &'a str>) -> Option<String> {
    let number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| line.starts_with(prefix));
    let kind = if starts(&["[ERR]", "[OK]", "[WARNING]", ">>>", "M: ", "S: "])
        || line.contains(" -> ") && line.contains(" keys | ")
    {
        "this is what `redis-cli --cluster` prints"
    } else if starts(&["{", "["]) {
        "this is JSON"
    } else if starts(&["\""]) {
        return Some("this is a quoted string; save what `redis-cli --raw CLUSTER NODES` prints".to_owned());
    } else if starts(&["1) "]) {
        let mut first_lines = iter::once(line).chain(following.take(2));
        if first_lines.any(|line| line.contains("\"slots\"") || line.contains("\"nodes\"")) {
            "this is the answer to CLUSTER SHARDS"
        } else if line.contains("(integer)") {
            "this is the answer to CLUSTER SLOTS"
        } else {
            "this is a list, the answer to another command"
        }
    } else if line == "slots" || line == "nodes" {
        "this is the answer to CLUSTER SHARDS"
    } else if number(line) && following.next().is_some_and(number) {
        "this is the answer to CLUSTER SLOTS"
    } else if starts(&["cluster_enabled:", "cluster_state:"]) {
        "this is the answer to CLUSTER INFO"
    } else if starts(&["ERR ", "-ERR ", "(error) ", "NOAUTH ", "NOPERM "]) {
        return Some(format!("this is a server's error, {}", quoted(line)));
    } else {
        return None;
    };
    Some(format!("{kind}; {SAVE_THIS}"))
}

/// The words of a node's line.
struct NodeLine<'a> {
    id: &'a str,
    address: Address<'a>,
    flags: Vec<&'a str>,
    master: Option<&'a str>,
    slots: Vec<SlotWord<'a>>,
}

/// The second word of a line.
struct Address<'a> {
    endpoint: &'a str,
    hostname: Option<&'a str>,
    shard_id: Option<&'a str>,
}

/// A word after the link state. Slot numbers are as printed, not yet checked.
#[derive(Clone)]
enum SlotWord<'a> {
    Owned { first: u64, last: u64 },
    Migrating { slot: u64, to: &'a str },
    Importing { slot: u64, from: &'a str },
}

/// A word that is not what the grammar asks for.
#[derive(Debug)]
struct Fault<'a> {
    expected: &'static str,
    found: &'a str,
}

impl<'a> ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(found: &'a str, _: ErrorKind) -> Self {
        Fault { expected: "something else", found }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// What separates words.
const BLANKS: [char; 2] = [' ', '\t'];

/// `<id> <address> <flags> <master> <ping> <pong> <epoch> <link> [slots ...]`
fn node_line(line: &str) -> IResult<&str, NodeLine<'_>, Fault<'_>> {
    let (mut left, (id, address, flags, master, ..)) = (
        word("a node id", name),
        word("an address like 127.0.0.1:7000@17000", address),
        word("flags like `myself,master`", separated_list1(char(','), flag)),
        word("the id of a master or `-`", alt((value(None, char('-')), map(name, Some)))),
        word("the time of a ping", i64),
        word("the time of a pong", i64),
        word("a configuration epoch", u64),
        word("`connected` or `disconnected`", alt((tag("connected"), tag("disconnected")))),
    )
        .parse(line)?;
    let mut slots = Vec::new();
    while !left.is_empty() {
        let (after, slot) = word("a slot or a slot range", slot_word).parse(left)?;
        slots.push(slot);
        left = after;
    }
    Ok((left, NodeLine { id, address, flags, master, slots }))
}

/// `vars currentEpoch 6 lastVoteEpoch 0`: nothing of use here, but it must be whole.
fn vars_line(line: &str) -> IResult<&str, (), Fault<'_>> {
    let (mut left, _) = word("`vars`", tag("vars")).parse(line)?;
    while !left.is_empty() {
        (left, _) = (word("a name", name), word("a number", u64)).parse(left)?;
    }
    Ok((left, ()))
}

/// The next word of a line, which `grammar` must read to its end; an error calls it `expected`.
fn word<'a, O>(
    expected: &'static str,
    grammar: impl Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = O, Error = Fault<'a>> {
    let mut grammar = all_consuming(grammar);
    move |line: &'a str| {
        let blank = |c: char| BLANKS.contains(&c);
        let (left, found) = preceded(space0, take_till(blank)).parse(line)?;
        match grammar.parse(found) {
            Ok((_, output)) => Ok((left, output)),
            Err(_) => Err(nom::Err::Failure(Fault { expected, found })),
        }
    }
}

/// An id, or the name of a variable.
fn name(word: &str) -> IResult<&str, &str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    take_while1(plain).parse(word)
}

/// `master`, `fail?`
fn flag(word: &str) -> IResult<&str, &str> {
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '?' | '_');
    take_while1(plain).parse(word)
}

/// `127.0.0.1:7000@17000,host.example,shard-id=65f7`; an IPv6 address has colons of its own, so the
/// port is after the last one.
fn address(word: &str) -> IResult<&str, Address<'_>> {
    let has_port = |endpoint: &str| {
        let (_, port) = endpoint.rsplit_once(':').unwrap_or_default();
        port.parse::<u16>().is_ok() && !port.starts_with('+')
    };
    let (word, endpoint) = verify(take_till(|c| c == '@' || c == ','), has_port).parse(word)?;
    let (word, _bus_port) = opt(preceded(char('@'), digit1)).parse(word)?;
    let (word, more) = opt(preceded(char(','), rest)).parse(word)?;
    let mut more = more.unwrap_or_default().split(',').peekable();
    let hostname = more.next_if(|host: &&str| !host.contains('='));
    Ok((
        word,
        Address {
            endpoint,
            hostname: hostname.filter(|host| !host.is_empty()),
            shard_id: more.find_map(|pair| pair.strip_prefix("shard-id=")),
        },
    ))
}

/// `7000`, `0-5460`, `[77->-id]` or `[93-<-id]`
fn slot_word(word: &str) -> IResult<&str, SlotWord<'_>> {
    let moving = |arrow| delimited(char('['), separated_pair(u64, tag(arrow), name), char(']'));
    alt((
        map(moving("->-"), |(slot, to)| SlotWord::Migrating { slot, to }),
        map(moving("-<-"), |(slot, from)| SlotWord::Importing { slot, from }),
        map((u64, opt(preceded(char('-'), u64))), |(first, last)| SlotWord::Owned {
            first,
            last: last.unwrap_or(first),
        }),
    ))
    .parse(word)
}

/// `slot` as a slot, if there is one of that number.
fn checked_slot(slot: u64) -> Result<u16, String> {
    match u16::try_from(slot) {
        Ok(slot) if slot < SLOTS => Ok(slot),
        _ => Err(format!("slot {slot} is above {}", SLOTS - 1)),
    }
}

/// The message for a line that the grammar refuses.
fn explain(error: nom::Err<Fault<'_>>) -> String {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => {
            format!("expected {}, found {}", fault.expected, quoted(fault.found))
        }
        nom::Err::Incomplete(_) => "the line is cut short".to_owned(),
    }
}

/// At most 40 characters of `found` between backquotes, with control characters made visible.
fn quoted(found: &str) -> String {
    const MOST: usize = 40;
    if found.is_empty() {
        return "the end of the line".to_owned();
    }
    let mut text = String::from("`");
    for c in found.chars().take(MOST) {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if found.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text.push('`');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `nodes.conf` of a Redis 8.6 cluster.
    const REDIS_FILE: &str = "\
3328a43c5a0bb30cec98942f15a4cf8b52b80f84 127.0.0.1:27601@37601,,tls-port=0,shard-id=03eae04afc895c38248ed78baa3f1ba01e8a07e6 master - 0 1795359436073 2 connected 5461-10922
92d87e221ad091ef1c8a9e48b449c60f5064dabf 127.0.0.1:27604@37604,,tls-port=0,shard-id=03eae04afc895c38248ed78baa3f1ba01e8a07e6 slave 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 0 1795359436173 2 connected
fa8e669811bd2ffbd2459605145ad4aa9821e282 127.0.0.1:27600@37600,,tls-port=0,shard-id=624431869ada0d3052f151251a7ebf833c16b75f myself,master - 0 0 1 connected 0-5460
3580db712a9b6eeed713fd241cebf7c43dd24b16 127.0.0.1:27605@37605,,tls-port=0,shard-id=aa034481f5ac51910482b11e86dad25f56a8f24a slave 363dbe6eeb05fd3262ac196376453e5888611eb8 0 1795359436000 3 disconnected
363dbe6eeb05fd3262ac196376453e5888611eb8 127.0.0.1:27602@37602,,tls-port=0,shard-id=aa034481f5ac51910482b11e86dad25f56a8f24a master - 0 1795359436079 3 connected 10923-16383
78acf91849fe8a533716062dbcd09fcc8a08e491 127.0.0.1:27603@37603,,tls-port=0,shard-id=624431869ada0d3052f151251a7ebf833c16b75f slave fa8e669811bd2ffbd2459605145ad4aa9821e282 0 1795359436079 1 connected
vars currentEpoch 6 lastVoteEpoch 0
";

    /// What `CLUSTER NODES` answers on the same cluster.
    const REDIS_ANSWER: &str = "\
3328a43c5a0bb30cec98942f15a4cf8b52b80f84 127.0.0.1:27601@37601 master - 0 1795359436786 2 connected 5461-10922
92d87e221ad091ef1c8a9e48b449c60f5064dabf 127.0.0.1:27604@37604 slave 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 0 1795359436173 2 connected
fa8e669811bd2ffbd2459605145ad4aa9821e282 127.0.0.1:27600@37600 myself,master - 0 0 1 connected 0-5460
3580db712a9b6eeed713fd241cebf7c43dd24b16 127.0.0.1:27605@37605 slave 363dbe6eeb05fd3262ac196376453e5888611eb8 0 1795359438929 3 connected
363dbe6eeb05fd3262ac196376453e5888611eb8 127.0.0.1:27602@37602 master - 0 1795359436079 3 connected 10923-16383
78acf91849fe8a533716062dbcd09fcc8a08e491 127.0.0.1:27603@37603 slave fa8e669811bd2ffbd2459605145ad4aa9821e282 0 1795359438000 1 connected
";

    /// `nodes.conf` of a Valkey 8.1 cluster.
    const VALKEY_FILE: &str = "\
ec0096918d4e98b4c8d96afb05a86126d97f3f6b 127.0.0.1:27501@37501,,tls-port=0,shard-id=b62708a42d1794b9cd876ae395b92c1d23a70c93 master - 0 1795359424946 2 disconnected 5461-10922
34661fbb6401642faa8e47ecdc029abbb3594c57 127.0.0.1:27504@37504,,tls-port=0,shard-id=fa105bb7f3a764954e41c3f0e4c808e9dc62fa04 slave 0b16d81e564d3c04ec59c97cf46a55caff8e0689 0 1795359424946 3 disconnected
913617ac0504f3b0d52c955172c4a4ec3505c14f 127.0.0.1:27505@37505,,tls-port=0,shard-id=b373a209051acefa48b799c24351901ed6a523f4 slave b73d7b685c011babd594d3d00e903d0969c88c5a 0 1795359424946 1 disconnected
0b16d81e564d3c04ec59c97cf46a55caff8e0689 127.0.0.1:27502@37502,,tls-port=0,shard-id=fa105bb7f3a764954e41c3f0e4c808e9dc62fa04 master - 0 1795359424946 3 disconnected 10923-16383
cc3933dd81f5797a2672671217c8c0ed938b2673 127.0.0.1:27503@37503,,tls-port=0,shard-id=b62708a42d1794b9cd876ae395b92c1d23a70c93 slave ec0096918d4e98b4c8d96afb05a86126d97f3f6b 0 1795359424946 2 disconnected
b73d7b685c011babd594d3d00e903d0969c88c5a 127.0.0.1:27500@37500,,tls-port=0,shard-id=b373a209051acefa48b799c24351901ed6a523f4 myself,master - 0 0 1 connected 0-5460
vars currentEpoch 6 lastVoteEpoch 0
";

    /// A line in the middle of resharding, in the words of the command's documentation.
    const RESHARDING: &str = "a1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected \
        0-76 78-100 77 [77->-e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca] \
        [93-<-292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f] 16383";

    fn range(first: u16, last: u16) -> SlotRange {
        SlotRange { first, last }
    }

    fn parse(text: &str) -> Topology {
        Topology::parse(text.as_bytes()).unwrap()
    }

    /// The only node of a text of one line.
    fn node(line: &str) -> ClusterNode {
        let mut topology = parse(line);
        assert_eq!(topology.nodes.len(), 1);
        topology.nodes.remove(0)
    }

    /// The error of a text, as the user reads it.
    fn refusal(text: impl AsRef<[u8]>) -> String {
        Topology::parse(text.as_ref()).unwrap_err().to_string()
    }

    /// A master `id` at port 7000 that owns `slots`.
    fn master(id: &str, slots: &str) -> String {
        format!("{id} 127.0.0.1:7000@17000 master - 0 0 1 connected {slots}\n")
    }

    #[test]
    fn reads_a_file_of_redis() {
        let topology = parse(REDIS_FILE);
        assert_eq!(topology.nodes.len(), 6);
        assert_eq!(
            topology.nodes[2],
            ClusterNode {
                id: "fa8e669811bd2ffbd2459605145ad4aa9821e282".to_owned(),
                address: "127.0.0.1:27600".to_owned(),
                hostname: None,
                flags: vec!["myself".to_owned(), "master".to_owned()],
                role: Role::Master,
                slots: vec![range(0, 5460)],
                migrating: vec![],
                importing: vec![],
                shard_id: Some("624431869ada0d3052f151251a7ebf833c16b75f".to_owned()),
            }
        );
        let of = "363dbe6eeb05fd3262ac196376453e5888611eb8".to_owned();
        assert_eq!(topology.nodes[3].role, Role::Replica { of });
        assert!(topology.nodes[3].slots.is_empty());

        for (slot, owner) in [(0, 2), (5460, 2), (5461, 0), (10922, 0), (10923, 4), (16383, 4)] {
            assert_eq!(topology.owner(slot), Some(owner), "slot {slot}");
        }
        assert_eq!(topology.owner(16384), None);
        assert_eq!(topology.owner(u16::MAX), None);
        assert_eq!(topology.unowned_slots(), []);
        let masters = topology.masters().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!(masters, [0, 2, 4]);
    }

    #[test]
    fn reads_the_answer_of_redis() {
        let mut file = parse(REDIS_FILE);
        for node in &mut file.nodes {
            assert!(node.shard_id.take().is_some());
        }
        assert_eq!(parse(REDIS_ANSWER), file);
    }

    #[test]
    fn reads_a_file_of_valkey() {
        let topology = parse(VALKEY_FILE);
        let slots = topology.nodes.iter().map(|node| node.slots.clone());
        assert_eq!(
            slots.collect::<Vec<_>>(),
            [vec![range(5461, 10922)], vec![], vec![], vec![range(10923, 16383)], vec![], vec![range(0, 5460)],]
        );
        assert_eq!(topology.unowned_slots(), []);
    }

    #[test]
    fn reads_every_form_of_address() {
        for (word, endpoint, hostname, shard_id) in [
            ("10.0.0.1:7000@17000", "10.0.0.1:7000", None, None),
            ("10.0.0.1:7000", "10.0.0.1:7000", None, None),
            (":7000@17000", ":7000", None, None),
            (":0@0", ":0", None, None),
            ("::1:7000@17000", "::1:7000", None, None),
            ("2001:db8::2:7000@17000,h", "2001:db8::2:7000", Some("h"), None),
            ("fe80::1%eth0:7000", "fe80::1%eth0:7000", None, None),
            ("redis-0.svc:7000@17000", "redis-0.svc:7000", None, None),
            ("1.2.3.4:1@2,a.example", "1.2.3.4:1", Some("a.example"), None),
            ("1.2.3.4:1@2,", "1.2.3.4:1", None, None),
            ("1.2.3.4:1,host", "1.2.3.4:1", Some("host"), None),
            ("1.2.3.4:1@2,,tls-port=0,shard-id=ab", "1.2.3.4:1", None, Some("ab")),
            ("1.2.3.4:1@2,h,shard-id=ab,nodename=n", "1.2.3.4:1", Some("h"), Some("ab")),
            ("1.2.3.4:1@2,shard-id=ab", "1.2.3.4:1", None, Some("ab")),
        ] {
            let node = node(&format!("a1 {word} master - 0 0 1 connected"));
            assert_eq!(node.address, endpoint, "{word}");
            assert_eq!(node.hostname.as_deref(), hostname, "{word}");
            assert_eq!(node.shard_id.as_deref(), shard_id, "{word}");
        }
    }

    #[test]
    fn tells_roles_from_flags() {
        let replica = Role::Replica { of: "m-1".to_owned() };
        for (flags, of, role) in [
            ("master", "-", Role::Master),
            ("myself,master,fail?", "-", Role::Master),
            ("master,fail,noaddr", "-", Role::Master),
            ("primary", "-", Role::Master),
            ("slave", "m-1", replica.clone()),
            ("myself,slave,nofailover", "m-1", replica.clone()),
            ("replica", "m-1", replica),
            ("slave", "-", Role::Other),
            ("handshake", "-", Role::Other),
            ("noaddr", "-", Role::Other),
            ("noflags", "-", Role::Other),
        ] {
            let node = node(&format!("a1 :0@0 {flags} {of} 0 0 0 disconnected"));
            assert_eq!(node.role, role, "{flags} {of}");
            assert_eq!(node.flags.join(","), flags);
        }
    }

    #[test]
    fn masters_are_those_flagged_and_those_with_slots() {
        let text = "a :1 master - 0 0 1 connected\n\
            b :2 slave a 0 0 1 connected\n\
            c :3 fail - 0 0 1 connected 7\n\
            d :4 handshake - 0 0 1 connected\n";
        let topology = parse(text);
        let masters = topology.masters().map(|(index, node)| (index, node.id.as_str()));
        assert_eq!(masters.collect::<Vec<_>>(), [(0, "a"), (2, "c")]);
        assert_eq!(topology.owner(7), Some(2));
    }

    #[test]
    fn reads_slots_on_the_move() {
        let node = node(RESHARDING);
        assert_eq!(node.slots, [range(0, 100), range(16383, 16383)]);
        let to = "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca".to_owned();
        assert_eq!(node.migrating, [(77, to)]);
        let from = "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f".to_owned();
        assert_eq!(node.importing, [(93, from)]);

        let importing = parse("a1 :1 master - 0 0 1 connected [93-<-b1]");
        assert_eq!(importing.owner(93), None);
    }

    #[test]
    fn lists_slots_without_owner() {
        let topology = parse(&master("a1", "1-5 7 9-16382"));
        let unowned = topology.unowned_slots();
        assert_eq!(unowned, [range(0, 0), range(6, 6), range(8, 8), range(16383, 16383)]);
        assert_eq!(topology.owner(0), None);
        let none = parse("a1 :0@0 myself,master - 0 0 0 connected");
        assert_eq!(none.unowned_slots(), [range(0, 16383)]);
    }

    #[test]
    fn accepts_other_line_ends_and_blank_lines() {
        let expected = parse(REDIS_FILE);
        for text in [
            REDIS_FILE.replace('\n', "\r\n"),
            REDIS_FILE.replace('\n', " \n\n"),
            format!("\u{FEFF}{REDIS_FILE}"),
            format!("{REDIS_FILE}\n\n\n"),
            format!("  {}", REDIS_FILE.replace('\n', "\n  ")),
            REDIS_FILE.replace(' ', "\t"),
            REDIS_FILE.trim_end().to_owned(),
            format!("Warning: Using a password with '-a' may not be safe.\n{REDIS_FILE}"),
            format!("vars currentEpoch 6 lastVoteEpoch 0\n{REDIS_FILE}"),
        ] {
            assert_eq!(parse(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn rejects_a_text_without_nodes() {
        for (text, line) in [("", 1), ("\n\n", 2), ("\u{FEFF}", 1), ("\nvars currentEpoch 6 lastVoteEpoch 0\n", 2)] {
            let expected = format!(
                "line {line}: no line describes a node; \
                give a nodes.conf or what `redis-cli CLUSTER NODES` prints"
            );
            assert_eq!(refusal(text), expected);
        }
    }

    #[test]
    fn rejects_malformed_words() {
        const SLOT: &str = "expected a slot or a slot range";
        const ADDRESS: &str = "expected an address like 127.0.0.1:7000@17000";
        for (line, what) in [
            ("?! :1 master - 0 0 1 connected", "expected a node id, found `?!`".to_owned()),
            ("a1 7000 master - 0 0 1 connected", format!("{ADDRESS}, found `7000`")),
            ("a1 h:70000 master - 0 0 1 connected", format!("{ADDRESS}, found `h:70000`")),
            ("a1 h:+7 master - 0 0 1 connected", format!("{ADDRESS}, found `h:+7`")),
            ("a1 h:@1 master - 0 0 1 connected", format!("{ADDRESS}, found `h:@1`")),
            ("a1 h:1@x master - 0 0 1 connected", format!("{ADDRESS}, found `h:1@x`")),
            ("a1", format!("{ADDRESS}, found the end of the line")),
            ("a1 :1 - 0 0 1 connected", "expected flags like `myself,master`, found `-`".to_owned()),
            ("a1 :1 master,, - 0 0 1 connected", "expected flags like `myself,master`, found `master,,`".to_owned()),
            ("a1 :1 slave ? 0 0 1 connected", "expected the id of a master or `-`, found `?`".to_owned()),
            ("a1 :1 master - x 0 1 connected", "expected the time of a ping, found `x`".to_owned()),
            ("a1 :1 master - 0 connected", "expected the time of a pong, found `connected`".to_owned()),
            ("a1 :1 master - 0 0 -1 connected", "expected a configuration epoch, found `-1`".to_owned()),
            ("a1 :1 master - 0 0 1", "expected `connected` or `disconnected`, found the end of the line".to_owned()),
            (
                "a1 :1 master - 0 0 1 connectedly",
                "expected `connected` or `disconnected`, found `connectedly`".to_owned(),
            ),
            ("a1 :1 master - 0 0 1 connected 12x", format!("{SLOT}, found `12x`")),
            ("a1 :1 master - 0 0 1 connected 1-", format!("{SLOT}, found `1-`")),
            ("a1 :1 master - 0 0 1 connected 1-2-3", format!("{SLOT}, found `1-2-3`")),
            ("a1 :1 master - 0 0 1 connected -5", format!("{SLOT}, found `-5`")),
            ("a1 :1 master - 0 0 1 connected [5]", format!("{SLOT}, found `[5]`")),
            ("a1 :1 master - 0 0 1 connected [5->-b", format!("{SLOT}, found `[5->-b`")),
            ("a1 :1 master - 0 0 1 connected [5->-]", format!("{SLOT}, found `[5->-]`")),
            ("a1 :1 master - 0 0 1 connected [5--b]", format!("{SLOT}, found `[5--b]`")),
            ("a1 :1 master - 0 0 1 connected 99999999999999999999", format!("{SLOT}, found `99999999999999999999`")),
            ("vars currentEpoch", "expected a number, found the end of the line".to_owned()),
            ("vars 6! 6", "expected a name, found `6!`".to_owned()),
            ("# a comment", "expected a node id, found `#`".to_owned()),
        ] {
            let text = format!("b1 :9 master - 0 0 1 connected\r\n\r\n{line}\r\n");
            assert_eq!(refusal(text), format!("line 3: {what}"));
        }
    }

    #[test]
    fn rejects_slots_that_do_not_exist() {
        for (word, slot) in [
            ("16384", "16384"),
            ("0-16384", "16384"),
            ("65536-65540", "65536"),
            ("[16384->-b]", "16384"),
            ("[70000-<-b]", "70000"),
        ] {
            let expected = format!("line 1: slot {slot} is above 16383");
            assert_eq!(refusal(master("a1", word)), expected);
        }
    }

    #[test]
    fn rejects_ranges_that_run_backwards() {
        let expected = "line 1: the slot range 8-7 runs backwards";
        assert_eq!(refusal(master("a1", "0-5 8-7")), expected);
        assert_eq!(parse(&master("a1", "7-7")).nodes[0].slots, [range(7, 7)]);
    }

    #[test]
    fn rejects_slots_claimed_twice() {
        let text = master("a1", "0-100") + &master("b1", "101-200 100");
        assert_eq!(
            refusal(text),
            "line 2: slot 100 has two owners, 127.0.0.1:7000 (a1) and 127.0.0.1:7000 (b1); \
            the text must be what a single node says"
        );
        let expected = "line 1: slot 7 is listed twice";
        assert_eq!(refusal(master("a1", "7-9 0-7")), expected);
        let replica = "a1 :1 slave b1 0 0 1 connected 5";
        assert_eq!(refusal(replica), "line 1: a replica cannot own slots");
    }

    #[test]
    fn rejects_nodes_listed_twice() {
        let text = REDIS_ANSWER.repeat(2);
        assert_eq!(
            refusal(text),
            "line 7: node 3328a43c5a0bb30cec98942f15a4cf8b52b80f84 is listed twice, \
            first on line 1; the text must be what a single node says"
        );
    }

    #[test]
    fn rejects_more_nodes_than_it_can_count() {
        let mut topology = parse(&master("a1", "0"));
        let first = topology.nodes[0].clone();
        topology.nodes.resize(65534, first);
        let (_, line) = node_line("b1 :1 master - 0 0 1 connected 16383").unwrap();
        assert_eq!(topology.add(line), Ok(()));
        assert_eq!(topology.owner(16383), Some(65534));
        let (_, line) = node_line("c1 :1 master - 0 0 1 connected").unwrap();
        assert_eq!(topology.add(line), Err("more than 65535 nodes".to_owned()));
    }

    #[test]
    fn says_what_another_text_is() {
        for (text, what) in [
            ("[\n [\n  0,\n  5460,\n", "this is JSON"),
            ("{\"slots\":[0,5460]}", "this is JSON"),
            (
                "1) 1) (integer) 0\n   2) (integer) 5460\n   3) 1) \"127.0.0.1\"\n",
                "this is the answer to CLUSTER SLOTS",
            ),
            ("0\n5460\n127.0.0.1\n27600\n", "this is the answer to CLUSTER SLOTS"),
            (
                "1) 1) \"slots\"\n   2) 1) (integer) 0\n      2) (integer) 5460\n",
                "this is the answer to CLUSTER SHARDS",
            ),
            ("1) 1# \"slots\" => 1) (integer) 0\n         2) (integer) 5460\n", "this is the answer to CLUSTER SHARDS"),
            ("slots\n0\n5460\nnodes\nid\n", "this is the answer to CLUSTER SHARDS"),
            ("1) \"a1 127.0.0.1:7003@17003 slave", "this is a list, the answer to another command"),
            ("cluster_state:ok\ncluster_slots_assigned:0", "this is the answer to CLUSTER INFO"),
            (
                "127.0.0.1:7000 (fa8e6698...) -> 0 keys | 5461 slots | 1 slaves.\n",
                "this is what `redis-cli --cluster` prints",
            ),
            ("M: fa8e 127.0.0.1:7000\n", "this is what `redis-cli --cluster` prints"),
            (">>> Calling cluster nodes\n", "this is what `redis-cli --cluster` prints"),
            ("REDIS0011\n", "this is an RDB dump"),
            ("VALKEY080\n", "this is an RDB dump"),
        ] {
            let expected = format!("line 1: {what}; give a nodes.conf or what `redis-cli CLUSTER NODES` prints");
            assert_eq!(refusal(text), expected);
            // Nor does what redis-cli or a shell puts before it hide the kind of the text.
            if !what.contains("dump") {
                let preceded = format!("\u{FEFF}Warning: Using a password ...\n\n{text}");
                assert_eq!(refusal(preceded), expected.replace("line 1", "line 3"));
            }
        }
    }

    #[test]
    fn says_what_to_do_about_errors_and_encodings() {
        assert_eq!(
            refusal("\"a1 127.0.0.1:7000@17000 master - 0 0 1 connected\\n\"\n"),
            "line 1: this is a quoted string; save what `redis-cli --raw CLUSTER NODES` prints"
        );
        assert_eq!(
            refusal("ERR This instance has cluster support disabled\n"),
            "line 1: this is a server's error, `ERR This instance has cluster support di…`"
        );
        assert_eq!(
            refusal("NOAUTH Authentication required.\n"),
            "line 1: this is a server's error, `NOAUTH Authentication required.`"
        );
        for mark in [[0xFF, 0xFE], [0xFE, 0xFF]] {
            assert_eq!(refusal(mark), "line 1: this text is UTF-16; save it as UTF-8");
        }
        assert_eq!(
            refusal([REDIS_ANSWER.as_bytes(), b"\xFF\xFE\n"].concat()),
            "line 7: this is not text; give a nodes.conf or what `redis-cli CLUSTER NODES` prints"
        );
    }

    #[test]
    fn keeps_the_guess_to_the_first_node() {
        let text = format!("{REDIS_ANSWER}[1,2]\n");
        assert_eq!(refusal(text), "line 7: expected a node id, found `[1,2]`");
    }

    #[test]
    fn shows_control_characters_and_cuts_long_words() {
        assert_eq!(refusal("\0\x1B[1m"), "line 1: expected a node id, found `\\u{0}\\u{1b}[1m`");
        let expected = format!("line 1: expected a node id, found `{}…`", "é".repeat(40));
        assert_eq!(refusal("é".repeat(41)), expected);
        assert_eq!(refusal("é".repeat(40)), expected.replace('…', ""));
    }

    #[test]
    fn merges_slots_to_ranges() {
        assert_eq!(ranges([]), []);
        assert_eq!(ranges([7]), [range(7, 7)]);
        assert_eq!(ranges([0, 1, 1, 2, 4, 6, 7]), [range(0, 2), range(4, 4), range(6, 7)]);
        assert_eq!(ranges(0..SLOTS), [range(0, 16383)]);
        assert_eq!(ranges([65534, 65535, 65535]), [range(65534, 65535)]);
    }

    #[test]
    fn prints_ranges() {
        let list = [range(0, 5460), range(7000, 7000), range(8000, 8001)];
        for (ranges, at_most, text) in [
            (&list[..], 9, "0-5460, 7000, 8000-8001"),
            (&list, 3, "0-5460, 7000, 8000-8001"),
            (&list, 2, "0-5460, 7000 and 1 more"),
            (&list, 1, "0-5460 and 2 more"),
            (&list, 0, "3 ranges"),
            (&list[..1], 1, "0-5460"),
            (&list[..1], 0, "1 range"),
            (&[], 5, "none"),
            (&[], 0, "none"),
        ] {
            assert_eq!(format_ranges(ranges, at_most), text);
        }
        assert_eq!(range(0, 5460).count(), 5461);
        assert_eq!(range(7000, 7000).count(), 1);
    }

    #[test]
    fn debug_leaves_out_the_table() {
        let shown = format!("{:?}", parse(REDIS_FILE));
        assert!(shown.len() < 4000, "{} bytes", shown.len());
    }

    #[test]
    fn survives_mutations() {
        // xorshift64*
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move |below: usize| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below.max(1)
        };
        let seeds = [REDIS_FILE, REDIS_ANSWER, VALKEY_FILE, RESHARDING];
        let bytes = b" \n\r\t,:@-<>[]?=+\"{}0123456789abmsv\0\xC3\xEF\xFF";
        let (mut accepted, mut refused) = (0, 0);
        for round in 0..4_000 {
            let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
            for _ in 0..=random(4) {
                let at = random(text.len());
                let to = (at + random(60)).min(text.len());
                match random(6) {
                    0 if !text.is_empty() => text[at] = bytes[random(bytes.len())],
                    1 if !text.is_empty() => text[at] ^= 1 << random(8),
                    2 => text.insert(at, bytes[random(bytes.len())]),
                    3 => drop(text.drain(at..to)),
                    4 => {
                        let part = text[at..to].to_vec();
                        let target = random(text.len());
                        text.splice(target..target, part);
                    }
                    _ if random(8) == 0 => text.truncate(at),
                    _ => {}
                }
            }
            let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
            match Topology::parse(&text) {
                Ok(topology) => {
                    accepted += 1;
                    assert!(!topology.nodes.is_empty());
                    let mut owned = 0;
                    for (index, node) in topology.nodes.iter().enumerate() {
                        for range in &node.slots {
                            owned += range.count();
                            assert_eq!(topology.owner(range.first), Some(index));
                            assert_eq!(topology.owner(range.last), Some(index));
                        }
                    }
                    let unowned = topology.unowned_slots();
                    let unowned = unowned.into_iter().map(SlotRange::count).sum::<usize>();
                    assert_eq!(owned + unowned, usize::from(SLOTS));
                }
                Err(error) => {
                    refused += 1;
                    assert!((1..=lines).contains(&error.line), "{error}");
                    assert!(!error.what.is_empty());
                }
            }
        }
        // Both outcomes are worth nothing unless both are common.
        assert!(accepted > 500 && refused > 500, "{accepted} and {refused}");
    }
}

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

    /// Whether the slots belong to the same nodes, by their ids, as in another view of the cluster.
    pub fn owns_like(&self, other: &Topology) -> bool {
        let id = |topology: &Topology, slot| topology.owner(slot).map(|node| topology.nodes[node].id.clone());
        (0..SLOTS).all(|slot| id(self, slot) == id(other, slot))
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
mod tests;

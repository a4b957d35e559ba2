//! What decoding tells about a value.

use super::{intset, listpack, ziplist};
use crate::rdb::{RdbStr, Run};

/// A container in which the servers pack small values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names of the servers' sources
pub enum PackedFormat {
    Ziplist,
    Listpack,
    Intset,
    Zipmap,
}

impl PackedFormat {
    /// Its name, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            PackedFormat::Ziplist => "ziplist",
            PackedFormat::Listpack => "listpack",
            PackedFormat::Intset => "intset",
            PackedFormat::Zipmap => "zipmap",
        }
    }
}

/// A packed container, before its entries, of which it is not yet known whether they are in order.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// How the bytes are laid out.
    pub format: PackedFormat,
    /// Bytes of the container, unpacked; a claim if the file has it compressed.
    pub len: u64,
    /// The first of them, unpacked: the header is among them, if there is one.
    pub start: &'a [u8],
    /// Number of entries by the header; absent if that is broken, cannot be true or does not say.
    pub claimed_entries: Option<u64>,
    /// Bytes of the compressed form, if the file has it compressed.
    pub compressed_bytes: Option<u64>,
}

impl<'a> Packed<'a> {
    /// A container of `len` bytes that begins with `start`.
    #[inline]
    pub(super) fn new(format: PackedFormat, len: u64, start: &'a [u8], compressed_bytes: Option<u64>) -> Packed<'a> {
        let entries = match format {
            PackedFormat::Listpack => listpack::claimed_entries(start, len),
            PackedFormat::Ziplist => ziplist::claimed_entries(start, len),
            PackedFormat::Intset => intset::claimed_entries(start, len),
            PackedFormat::Zipmap => None, // counts fields, and few of them
        };
        let claimed_entries = entries.filter(|entries| *entries > 0);
        Packed { format, len, start, claimed_entries, compressed_bytes }
    }

    /// Length of the string that is the only entry, if the container's length tells it.
    pub fn string_alone(&self) -> Option<u64> {
        match (self.format, self.claimed_entries) {
            (PackedFormat::Listpack, Some(1)) => listpack::string_alone(self.len),
            _ => None,
        }
    }
}

/// A score as the file holds it.
#[derive(Clone, Copy, Debug)]
pub enum Score<'a> {
    /// A number, stored as such.
    Number(f64),
    /// An entry of a packed container: an integer, or the text of a number.
    Entry(RdbStr<'a>),
}

/// An ID of a stream entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

/// What a stream says of itself behind its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFacts {
    /// Number of entries: XLEN.
    pub length: u64,
    /// The last ID that was given out.
    pub last_id: StreamId,
    /// The highest ID of an entry that was deleted; absent before Redis 7.0.
    pub max_deleted_id: Option<StreamId>,
    /// Entries ever added; absent before Redis 7.0.
    pub entries_added: Option<u64>,
    /// Number of consumer groups that follow.
    pub groups: u64,
}

/// Receives the parts of a value in the order of the file; every method may be left out.
///
/// A visitor stores what it needs: nothing that it is given lives longer than the call. Which calls come:
///
/// | value | calls |
/// |---|---|
/// | string | `string` |
/// | list | per node `packed` or `plain_node`, per element `element` unless `pass`ed over; `collection` first if stored element by element |
/// | set | `collection` or `packed`, then unless `pass`ed over per member `set_member`, which is an `element` if left out |
/// | sorted set | `collection` or `packed`, then unless `pass`ed over per member `zset_member` (an `element` if left out), `score` |
/// | hash | `collection` or `packed`, then unless `pass`ed over per field `field`, `field_value`, `field_expiry` |
/// | stream | per node `stream_node`; `stream`; per group `stream_group`, its `stream_pending`s, and per consumer `stream_consumer`, its `stream_consumer_pending`s; per idempotent producer `stream_producer` and its `stream_idempotent`s |
/// | module | `module`, per item `module_number` or `module_string` |
///
/// Members and fields with simple strings ([`Run`]) of plain sets, sorted sets with binary scores and hashes without expiries
/// may come many at a time, before and behind others that come by themselves. Who takes them so has to take them by
/// themselves, too.
#[allow(unused_variables)]
pub trait Visit {
    /// Whether decoding is to find everything that a server would refuse. Known when compiled, so that whoever does not
    /// ask for it pays nothing; [`super::Checked`] does.
    const CHECKS: bool = false;

    /// What comes next stands at this offset of the RDB stream; entries of a packed container stand where that does. Comes
    /// only with [`Visit::CHECKS`].
    #[inline]
    fn place(&mut self, at: u64) {}

    /// The value of a string.
    #[inline]
    fn string(&mut self, value: RdbStr<'_>) {}

    /// A list, set, sorted set or hash begins that is stored element by element (or a list of nodes); `count` of them are claimed.
    #[inline]
    fn collection(&mut self, count: u64) {}

    /// A packed container begins; its entries come as elements or fields.
    #[inline]
    fn packed(&mut self, packed: Packed<'_>) {}

    /// Asks, once a packed container has begun and where its header tells the number of its elements or fields, whether to pass over
    /// it: its entries do not come then, are not even unpacked, and nobody sees whether they are in order.
    #[inline]
    fn pass(&mut self, packed: &Packed<'_>, elements: u64) -> bool {
        false
    }

    /// A node of a list that is a single large element, which comes next as `element`.
    #[inline]
    fn plain_node(&mut self, element: RdbStr<'_>) {}

    /// An element of a list, a member of a set or of a sorted set.
    #[inline]
    fn element(&mut self, element: RdbStr<'_>) {}

    /// A member of a set, for who has to know; else an `element`.
    #[inline(always)]
    fn set_member(&mut self, member: RdbStr<'_>) {
        self.element(member);
    }

    /// A member of a sorted set, for who has to know; else an `element`.
    #[inline(always)]
    fn zset_member(&mut self, member: RdbStr<'_>) {
        self.element(member);
    }

    /// The score of the member that came last.
    #[inline]
    fn score(&mut self, score: Score<'_>) {}

    /// A field of a hash.
    #[inline]
    fn field(&mut self, name: RdbStr<'_>) {}

    /// The value of the field that came last.
    #[inline]
    fn field_value(&mut self, value: RdbStr<'_>) {}

    /// When the field that came last expires, in milliseconds since 1970. Comes for every field that comes by itself.
    #[inline]
    fn field_expiry(&mut self, expire_at_ms: Option<i64>) {}

    /// Members of a set, many at a time: else a `set_member` each.
    #[inline]
    fn set_members(&mut self, members: &Run<'_, 1, 0>) {
        members.tell(self);
    }

    /// Members of a sorted set and their scores, many at a time: else a `zset_member` and a `score` each.
    #[inline]
    fn zset_members(&mut self, members: &Run<'_, 1, 8>) {
        members.tell(self);
    }

    /// Fields that do not expire, many at a time: else a `field`, a `field_value` and a `field_expiry` each.
    #[inline]
    fn fields(&mut self, fields: &Run<'_, 2, 0>) {
        fields.tell(self);
    }

    /// A node of a stream: its first ID and the listpack that holds its entries.
    #[inline]
    fn stream_node(&mut self, first: StreamId, listpack: RdbStr<'_>) {}

    /// A stream's own facts.
    #[inline]
    fn stream(&mut self, facts: StreamFacts) {}

    /// A consumer group begins; `pending` of its entries are not yet acknowledged.
    #[inline]
    fn stream_group(&mut self, name: RdbStr<'_>, pending: u64) {}

    /// An entry that the group has delivered and not seen acknowledged.
    #[inline]
    fn stream_pending(&mut self, id: StreamId) {}

    /// A consumer of the group begins; `pending` of the group's entries are his.
    #[inline]
    fn stream_consumer(&mut self, name: RdbStr<'_>, pending: u64) {}

    /// An entry that is pending for the consumer.
    #[inline]
    fn stream_consumer_pending(&mut self, id: StreamId) {}

    /// An idempotent producer begins (Redis 8.6); `entries` of its requests are remembered.
    #[inline]
    fn stream_producer(&mut self, name: RdbStr<'_>, entries: u64) {}

    /// A request that is remembered for the producer.
    #[inline]
    fn stream_idempotent(&mut self, request: RdbStr<'_>) {}

    /// A module's value begins; `id` holds the name of its type and the version of its encoding.
    #[inline]
    fn module(&mut self, id: u64) {}

    /// A number in a module's value: the bits of an integer or of a floating point number.
    #[inline]
    fn module_number(&mut self, bits: u64) {}

    /// A string in a module's value.
    #[inline]
    fn module_string(&mut self, value: RdbStr<'_>) {}
}

impl Run<'_, 1, 0> {
    /// Tells the members of a set one by one.
    pub fn tell<V: Visit + ?Sized>(&self, visit: &mut V) {
        self.each(|[member], []| visit.set_member(member));
    }
}

impl Run<'_, 1, 8> {
    /// Tells the members of a sorted set and their scores one by one.
    pub fn tell<V: Visit + ?Sized>(&self, visit: &mut V) {
        self.each(|[member], score| {
            visit.zset_member(member);
            visit.score(Score::Number(f64::from_le_bytes(score)));
        });
    }
}

impl Run<'_, 2, 0> {
    /// Tells the fields of a hash one by one.
    pub fn tell<V: Visit + ?Sized>(&self, visit: &mut V) {
        self.each(|[name, value], []| {
            visit.field(name);
            visit.field_value(value);
            visit.field_expiry(None);
        });
    }
}

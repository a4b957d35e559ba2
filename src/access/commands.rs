//! Which arguments of a command are keys, and what it does to them: as COMMAND INFO has it, for Redis to 8 and Valkey to 9.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a command does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Reads it.
    Read,
    /// Changes it.
    Write,
    /// Adds to a number in it: such changes can be spread over several keys and summed.
    Increment,
}

use Touch::{Increment, Read, Write};

/// Where the keys stand; the command itself has place 0.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// There are none.
    None,
    /// From one place to another by steps; places below zero count from the end.
    Range(usize, isize, usize),
    /// The keys that follow their number, which stands at this place.
    Numbered(usize),
    /// The keys of a script, behind their number.
    Script,
    /// One that is written, then those that it is made from, behind their number.
    Made,
    /// The same without a number: all that follow.
    MadeOfRest,
    /// The same with the one that is written in the second place.
    BitOp,
    /// One that is written, one that is read.
    MadeOfOne,
    /// One that is read, one that is written.
    Copied,
    /// The second argument, if the first is one of these.
    Of(&'static str),
    /// The first half of what follows STREAMS.
    Streams,
    /// The first, and what follows STORE or STOREDIST.
    Stored,
    /// The third, or what follows KEYS.
    Migrate,
}

const FIRST: Keys = Keys::Range(1, 1, 1);
const ALL: Keys = Keys::Range(1, -1, 1);
const BEFORE_TIMEOUT: Keys = Keys::Range(1, -2, 1);
const TWO: Keys = Keys::Range(1, 2, 1);

/// The commands by what they do to which arguments.
const GROUPS: &[(Touch, Keys, &str)] = &[
    (
        Read,
        FIRST,
        "bitcount bitfield_ro bitpos dump expiretime geodist geohash geopos georadius_ro georadiusbymember_ro geosearch get \
         getbit getrange hexists hexpiretime hget hgetall hkeys hlen hmget hpexpiretime hpttl hrandfield hscan hstrlen httl \
         hvals lindex llen lpos lrange pexpiretime pttl scard sismember smembers smismember sort_ro srandmember sscan strlen \
         substr ttl type vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vsim xlen xpending xrange \
         xrevrange zcard zcount zlexcount zmscore zrandmember zrange zrangebylex zrangebyscore zrank zrevrange \
         zrevrangebylex zrevrangebyscore zrevrank zscan zscore digest \
         json.get json.type json.strlen json.arrlen json.arrindex json.objkeys json.objlen json.resp bf.exists bf.mexists \
         bf.info bf.card cf.exists cf.mexists cf.count cf.info cms.query cms.info topk.query topk.count topk.list topk.info \
         tdigest.quantile tdigest.rank tdigest.cdf tdigest.info ts.get ts.range ts.revrange ts.info",
    ),
    (
        Write,
        FIRST,
        "append bitfield expire expireat geoadd getdel getex getset hdel hexpire hexpireat hgetdel hgetex hmset hpersist \
         hpexpire hpexpireat hset hsetex hsetnx linsert lpop lpush lpushx lrem lset ltrim move persist pexpire pexpireat \
         pfadd psetex restore restore-asking rpop rpush rpushx sadd set setbit setex setnx setrange spop srem vadd vrem \
         vsetattr xack xackdel xadd xautoclaim xclaim xdel xdelex xsetid xtrim zadd zincrby zpopmax zpopmin zrem \
         zremrangebylex zremrangebyrank zremrangebyscore delex delifeq \
         json.set json.del json.forget json.merge json.arrappend json.arrinsert json.arrpop json.arrtrim json.clear \
         json.strappend json.toggle json.nummultby bf.add bf.madd bf.insert bf.reserve cf.add cf.addnx cf.insert \
         cf.insertnx cf.del cf.reserve cms.initbydim cms.initbyprob topk.add topk.reserve tdigest.create tdigest.add \
         tdigest.reset ts.create ts.add ts.alter ts.del",
    ),
    (
        Increment,
        FIRST,
        "incr incrby incrbyfloat decr decrby hincrby hincrbyfloat json.numincrby cms.incrby topk.incrby ts.incrby ts.decrby",
    ),
    (Read, ALL, "exists mget pfcount sdiff sinter sunion touch watch"),
    (Write, ALL, "del unlink"),
    (Write, BEFORE_TIMEOUT, "blpop brpop bzpopmax bzpopmin"),
    (Write, Keys::Range(1, -1, 2), "mset msetnx"),
    (Write, Keys::Range(1, -1, 3), "json.mset ts.madd"),
    (Read, BEFORE_TIMEOUT, "json.mget"),
    (Read, TWO, "lcs stralgo"),
    (Write, TWO, "blmove brpoplpush lmove rename renamenx rpoplpush smove"),
    (Read, Keys::Copied, "copy"),
    (Write, Keys::MadeOfOne, "geosearchstore zrangestore"),
    (Write, Keys::MadeOfRest, "pfmerge sdiffstore sinterstore sunionstore"),
    (Write, Keys::Made, "zdiffstore zinterstore zunionstore"),
    (Write, Keys::BitOp, "bitop"),
    (Read, Keys::Numbered(1), "sintercard zdiff zinter zintercard zunion"),
    (Write, Keys::Numbered(1), "lmpop zmpop"),
    (Write, Keys::Numbered(2), "blmpop bzmpop"),
    (Write, Keys::Numbered(3), "msetex"),
    (Write, Keys::Script, "eval evalsha fcall"),
    (Read, Keys::Script, "eval_ro evalsha_ro fcall_ro"),
    (Read, Keys::Streams, "xread"),
    (Write, Keys::Streams, "xreadgroup"),
    (Read, Keys::Stored, "sort georadius georadiusbymember"),
    (Write, Keys::Migrate, "migrate"),
    (Read, Keys::Of("encoding freq idletime refcount"), "object"),
    (Read, Keys::Of("usage"), "memory"),
    (Read, Keys::Of("consumers groups stream"), "xinfo"),
    (Write, Keys::Of("create createconsumer delconsumer destroy setid"), "xgroup"),
    (Read, Keys::Of("object"), "debug"),
    (
        Read,
        Keys::None,
        "acl asking auth bgrewriteaof bgsave client cluster command commandlog config dbsize discard echo exec failover \
         flushall flushdb function hello info keys lastsave latency lolwut module monitor multi pfdebug pfselftest ping \
         psubscribe psync publish pubsub punsubscribe quit randomkey readonly readwrite replconf replicaof reset role save \
         scan script select sentinel shutdown slaveof slowlog spublish ssubscribe subscribe sunsubscribe swapdb sync time \
         unsubscribe unwatch wait waitaof",
    ),
];

static TABLE: LazyLock<HashMap<&'static [u8], Command>> = LazyLock::new(|| {
    let named = |&(touch, keys, names): &(Touch, Keys, &'static str)| {
        names.split_ascii_whitespace().map(move |name| (name.as_bytes(), Command { name, touch, keys }))
    };
    GROUPS.iter().flat_map(named).collect()
});

/// The longest name in the table.
const NAME_BYTES: usize = 32;

/// What is known of a command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name, in small letters.
    pub name: &'static str,
    touch: Touch,
    keys: Keys,
}

impl Command {
    /// The command of this name, in whatever case.
    pub fn named(name: &[u8]) -> Option<Command> {
        let mut lower = [0; NAME_BYTES];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        TABLE.get(&*lower).copied()
    }

    /// Whether it runs a script: its keys are those that the script may touch.
    pub fn is_script(self) -> bool {
        matches!(self.keys, Keys::Script)
    }

    /// Calls `each` with every key among the arguments, the first of which is the command itself, and what is done to it.
    pub fn keys<'a, A: AsRef<[u8]>>(self, args: &'a [A], mut each: impl FnMut(&'a [u8], Touch)) {
        let count = args.len();
        let mut take = |index: usize, touch: Touch| {
            if let Some(arg) = args.get(index) {
                each(arg.as_ref(), touch);
            }
        };
        let is = |index: usize, word: &str| args[index].as_ref().eq_ignore_ascii_case(word.as_bytes());
        // As many as there are, whatever the number says.
        let numbered = |at: usize| {
            let number = args.get(at).and_then(|arg| std::str::from_utf8(arg.as_ref()).ok()?.parse().ok());
            at + 1..(at + 1).saturating_add(number.unwrap_or(0)).min(count)
        };
        let touch = self.touch;
        match self.keys {
            Keys::None => {}
            Keys::Range(first, last, step) => {
                let last = if last < 0 { count.saturating_add_signed(last) } else { last.unsigned_abs() };
                (first..=last).step_by(step).filter(|_| last > 0).for_each(|index| take(index, touch));
            }
            Keys::Numbered(at) => numbered(at).for_each(|index| take(index, touch)),
            Keys::Script => numbered(2).for_each(|index| take(index, touch)),
            Keys::Made => {
                take(1, Write);
                numbered(2).for_each(|index| take(index, Read));
            }
            Keys::MadeOfRest => (1..count).for_each(|index| take(index, if index == 1 { Write } else { Read })),
            Keys::BitOp => (2..count).for_each(|index| take(index, if index == 2 { Write } else { Read })),
            Keys::MadeOfOne => {
                take(1, Write);
                take(2, Read);
            }
            Keys::Copied => {
                take(1, Read);
                take(2, Write);
            }
            Keys::Of(subcommands) => {
                if count > 2 && subcommands.split(' ').any(|subcommand| is(1, subcommand)) {
                    take(2, touch);
                }
            }
            Keys::Streams => {
                if let Some(at) = (1..count).find(|&index| is(index, "streams")) {
                    let streams = (count - at - 1) / 2;
                    (at + 1..at + 1 + streams).for_each(|index| take(index, touch));
                }
            }
            Keys::Stored => {
                take(1, Read);
                // The last one counts, as in the server.
                if let Some(at) = (2..count).rev().find(|&index| is(index, "store") || is(index, "storedist")) {
                    take(at + 1, Write);
                }
            }
            Keys::Migrate => match (6..count).find(|&index| is(index, "keys")) {
                Some(at) => (at + 1..count).for_each(|index| take(index, touch)),
                None => take(3, touch),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(line: &str) -> Vec<(String, Touch)> {
        let args: Vec<&str> = line.split(' ').collect();
        let mut found = Vec::new();
        Command::named(args[0].as_bytes())
            .unwrap()
            .keys(&args, |key, touch| found.push((String::from_utf8(key.to_vec()).unwrap(), touch)));
        found
    }

    fn names(line: &str) -> Vec<String> {
        keys(line).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn keys_are_found_among_the_arguments() {
        assert_eq!(keys("GET a"), [("a".to_owned(), Read)]);
        assert_eq!(keys("hIncrBy a f 1"), [("a".to_owned(), Increment)]);
        assert_eq!(names("MSET a 1 b 2 c"), ["a", "b", "c"]);
        assert_eq!(names("BLPOP a b 0"), ["a", "b"]);
        assert_eq!(names("BLPOP"), [""; 0]);
        assert_eq!(names("MGET"), [""; 0]);
        assert_eq!(names("PING"), [""; 0]);
        assert_eq!(names("EVAL script 2 a b c"), ["a", "b"]);
        assert_eq!(names("EVAL script 9999999999999999999999 a"), [""; 0]);
        assert_eq!(names("FCALL f 18446744073709551615 a b"), ["a", "b"]);
        assert_eq!(keys("COPY a b"), [("a".to_owned(), Read), ("b".to_owned(), Write)]);
        assert_eq!(
            keys("ZUNIONSTORE d 2 a b WEIGHTS 1 2"),
            [("d".to_owned(), Write), ("a".to_owned(), Read), ("b".to_owned(), Read)]
        );
        assert_eq!(keys("BITOP AND d a"), [("d".to_owned(), Write), ("a".to_owned(), Read)]);
        assert_eq!(names("XREAD COUNT 2 STREAMS a b 0 0"), ["a", "b"]);
        assert_eq!(names("XREADGROUP GROUP g c STREAMS a >"), ["a"]);
        assert_eq!(keys("SORT a BY w_* STORE d"), [("a".to_owned(), Read), ("d".to_owned(), Write)]);
        assert_eq!(names("GEORADIUS a 1 2 3 km STOREDIST d"), ["a", "d"]);
        assert_eq!(names("MIGRATE h 1 a 0 5000"), ["a"]);
        assert_eq!(names("MIGRATE h 1  0 5000 AUTH p KEYS a b"), ["a", "b"]);
        assert_eq!(names("OBJECT FREQ a"), ["a"]);
        assert_eq!(names("OBJECT HELP a"), [""; 0]);
        assert_eq!(names("XGROUP CREATE a g 0"), ["a"]);
        assert_eq!(names("BLMPOP 0 2 a b LEFT"), ["a", "b"]);
        assert!(Command::named(b"nosuch").is_none() && Command::named(&[b'g'; 99]).is_none());
    }

    #[test]
    fn each_command_stands_in_one_group() {
        let all: Vec<&str> = GROUPS.iter().flat_map(|(_, _, names)| names.split_ascii_whitespace()).collect();
        assert_eq!(all.len(), TABLE.len());
        assert!(all.iter().all(|name| name.len() <= NAME_BYTES));
    }
}

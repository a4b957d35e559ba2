use std::collections::{BTreeMap, BTreeSet};

use super::cache::{CACHE_BYTES, CACHE_NAMES};
use super::classes::{JOINERS, ODD, SEPARATORS};
use super::*;

/// Redis's `stringmatchlen`, without ranges in brackets, which no pattern has.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        [b'?', rest @ ..] => !text.is_empty() && glob(rest, &text[1..]),
        [b'[', ..] => panic!("a bracket that is not escaped"),
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A key of few parts, so that keys share them; `wild` ones have odd bytes too.
    fn key(&mut self, words: usize, wild: bool) -> Vec<u8> {
        const ODD: [&[u8]; 16] = [
            b"*",
            b"?",
            b"[a-b]",
            b"\\",
            b"a*b",
            b"\xff\xfe",
            "\u{e9}t\u{e9}".as_bytes(),
            b"\x00\x01",
            b"12",
            b"v2",
            b"",
            b"deadbeef",
            b"0123abcdef",
            b"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            b"2024-01-31",
            &[b'\\'; 41],
        ];
        let mut key = Vec::new();
        for part in 0..self.below(if wild { 12 } else { 6 }) {
            if part > 0 || wild && self.below(5) == 0 {
                let separators: &[u8] = if wild { SEPARATORS } else { b"::." };
                key.push(separators[self.below(separators.len())]);
            }
            if wild && self.below(2) == 0 {
                key.extend_from_slice(ODD[self.below(ODD.len())]);
            } else {
                key.push(b'g' + self.below(words) as u8);
            }
        }
        key
    }

    fn stats(&mut self) -> PatternKey {
        let n = self.next();
        PatternKey {
            memory_bytes: n % 100,
            serialized_bytes: n % 70,
            elements: n % 7,
            type_bit: 1 << (n % 16),
            persistent: n & 16 == 0,
            expired: n & 96 == 0,
        }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    fn limits(&mut self) -> Limits {
        Limits {
            root_fan_out: 1 + self.below(6),
            fan_out: 1 + self.below(5),
            max_segments: self.below(9),
            max_nodes: 1 + self.below(10) * self.below(20),
        }
    }
}

type Segment = (Vec<u8>, Option<u8>);

/// The fold as its rules say it, slowly.
fn plain_fold(key: &[u8], max_segments: usize) -> Vec<Segment> {
    let mut out: Vec<(Vec<u8>, Option<u8>, Option<u8>)> = Vec::new();
    let mut rest = key;
    loop {
        let dashes = [8, 13, 18, 23];
        let uuid = rest.len() >= 36
            && (0..36).all(|i| if dashes.contains(&i) { rest[i] == b'-' } else { rest[i].is_ascii_hexdigit() })
            && rest.get(36).is_none_or(|next| SEPARATORS.contains(next));
        let tail = out.len() == max_segments;
        let len = match rest.iter().position(|byte| SEPARATORS.contains(byte)) {
            _ if uuid && !tail => 36,
            Some(end) if !tail => end,
            _ => rest.len(),
        };
        let (text, separator) = (&rest[..len], rest.get(len).copied());
        let digit = text.iter().position(u8::is_ascii_digit);
        let hex_id = digit.is_some() && len >= 8 && text.iter().all(u8::is_ascii_hexdigit);
        let binary = text.iter().any(|&byte| byte < 0x20 || byte == 0x7f) || std::str::from_utf8(text).is_err();
        let mut folded = Vec::new();
        if !(tail || uuid || hex_id || binary || len > 40) {
            for &byte in &text[..digit.unwrap_or(len)] {
                folded.extend(b"*?[\\".contains(&byte).then_some(b'\\'));
                folded.push(byte);
            }
            folded.extend(digit.map(|_| b'*'));
        } else {
            folded.push(b'*');
        }
        let joined = match out.last() {
            Some((before, Some(joiner), joined)) if folded == b"*" && before == b"*" => {
                Some(*joiner).filter(|joiner| JOINERS.contains(joiner) && joined.is_none_or(|j| j == *joiner))
            }
            _ => None,
        };
        if joined.is_some() {
            out.pop();
        }
        out.push((folded, separator, joined));
        match separator {
            Some(_) => rest = &rest[len + 1..],
            None => return out.into_iter().map(|(text, separator, _)| (text, separator)).collect(),
        }
    }
}

/// The fold, after a comparison with the plain one.
fn fold(key: &[u8], max_segments: usize) -> String {
    let mut folded = Folded::new();
    folded.fold(key, max_segments, PatternRules::default().classes());
    let segments: Vec<_> = folded.segments().map(|(text, separator)| (text.to_vec(), separator)).collect();
    assert_eq!(segments, plain_fold(key, max_segments), "{}", key.escape_ascii());
    let text: Vec<u8> = segments.into_iter().flat_map(|(text, separator)| text.into_iter().chain(separator)).collect();
    assert_eq!(text, folded.text());
    String::from_utf8(text).unwrap()
}

fn table(limits: Limits, keys: &[(Vec<u8>, PatternKey)]) -> PatternTable {
    let mut table = PatternTable::with_limits(Arc::default(), limits);
    keys.iter().for_each(|(key, stats)| table.observe(key, stats));
    table
}

/// The result by its definition, from all keys at once and with no state.
mod oracle {
    use super::*;

    struct Tree {
        stats: PatternStats,
        /// How often a child counts, its text and itself.
        children: Vec<(u64, Vec<u8>, Tree)>,
    }

    fn grow(keys: &[(&[Segment], PatternKey)], level: usize, limits: &Limits) -> Tree {
        let mut tree = Tree { stats: PatternStats::default(), children: Vec::new() };
        let mut groups: BTreeMap<Option<u8>, BTreeSet<&[u8]>> = BTreeMap::new();
        for (path, stats) in keys {
            tree.stats.add(stats);
            if let [(text, separator), ..] = path {
                groups.entry(*separator).or_default().insert(text);
            }
        }
        for (separator, names) in groups {
            let star = names.len() > limits.fan_out(level);
            let (times, names) =
                if star { (limits.fan_out(level), vec![&b"*"[..]]) } else { (1, names.into_iter().collect()) };
            for name in names {
                let below: Vec<_> = keys
                    .iter()
                    .filter(|(path, _)| path[0].1 == separator && (star || path[0].0 == name))
                    .map(|(path, stats)| (&path[1..], *stats))
                    .collect();
                let text = [name, separator.as_slice()].concat();
                tree.children.push((times as u64, text, grow(&below, level + 1, limits)));
            }
        }
        tree
    }

    fn weight(tree: &Tree) -> u64 {
        1 + tree.children.iter().map(|(times, _, child)| times * weight(child)).sum::<u64>()
    }

    fn list(tree: &Tree, budget: u64, path: &[u8], out: &mut Vec<Pattern>) {
        let cost =
            |share: u64| tree.children.iter().map(|(times, _, child)| times * weight(child).min(share)).sum::<u64>();
        let fits = |share: u64| cost(share) < budget;
        let share = if fits(u64::MAX) { u64::MAX } else { (0..budget).rev().find(|&share| fits(share)).unwrap_or(0) };
        let cut: &[u8] = if tree.children.is_empty() { b"" } else { b"*" };
        if tree.children.is_empty() || share == 0 {
            return out.push(Pattern { text: [path, cut].concat(), named: None, stats: tree.stats.clone() });
        }
        for (_, text, child) in &tree.children {
            list(child, share, &[path, text].concat(), out);
        }
    }

    pub fn patterns(keys: &[(Vec<u8>, PatternKey)], limits: &Limits) -> Vec<Pattern> {
        let paths: Vec<_> = keys.iter().map(|(key, stats)| (plain_fold(key, limits.max_segments), *stats)).collect();
        let keys: Vec<_> = paths.iter().map(|(path, stats)| (&path[..], *stats)).collect();
        let mut out = Vec::new();
        list(&grow(&keys, 0, limits), limits.max_nodes as u64, b"", &mut out);
        out.retain(|pattern| pattern.stats.keys > 0);
        out.sort_by(|a, b| (b.stats.memory_bytes, &a.text).cmp(&(a.stats.memory_bytes, &b.text)));
        out
    }
}

#[test]
fn folds_segments() {
    for (key, pattern) in [
        ("", ""),
        ("user:1000:profile", "user:*:profile"),
        ("user1000.v2|item12abc", "user*.v*|item*"),
        ("s:deadbeef0:deadbeef:dead1", "s:*:deadbeef:dead*"),
        ("u:550e8400-e29b-41d4-a716-446655440000:x", "u:*:x"),
        ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "*"),
        ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeef", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeef"),
        ("log:2024-01-31", "log:*"),
        ("10.0.0.1:6379", "*:*"),
        ("2024-01-31_10.30", "*_*"),
        ("post:12:34", "post:*:*"),
        ("{user7}.followers", "{user*}.followers"),
        ("a::b:", "a::b:"),
        ("w*?[x]\\", "w\\*\\?\\[x]\\\\"),
        ("caf\u{e9}:\u{fc}1", "caf\u{e9}:\u{fc}*"),
        ("bin:\x01\x02", "bin:*"),
        ("a:b:c:d:e:f:g:h:i:j", "a:b:c:d:e:f:g:h:*"),
    ] {
        assert_eq!(fold(key.as_bytes(), 8), pattern, "{key}");
    }
    assert_eq!(fold(b"bin:\xff\xfe", 8), "bin:*");
    assert_eq!(fold(&[b'x'; 40], 8), "x".repeat(40));
    assert_eq!(fold(&[b'x'; 41], 8), "*");
    assert_eq!(fold(&[b'x'; 5000], 8), "*");
    // The longest fold there is.
    assert_eq!(fold([[b'*'; 40].as_slice(), b":"].concat().repeat(9).as_slice(), 8).len(), 8 * 81 + 1);
}

#[test]
fn folds_as_the_rules_say() {
    let mut random = Random(5);
    for _ in 0..50_000 {
        fold(&random.key(20, true), random.below(9));
    }
}

#[test]
fn names_of_one_shape_fold_alike() {
    let mut random = Random(6);
    let mut folds = BTreeMap::new();
    let mut shared = 0;
    for round in 0..300_000 {
        // Few bytes, so that shapes meet: digits, hex digits, dashes where a UUID has them or nearly.
        let mut key = match round % 3 {
            0 => random.key(3, true),
            1 => (0..random.below(24)).map(|_| b"0019abfgz:-"[random.below(11)]).collect(),
            _ => {
                let mut key = b"0a1bc2de-0a1b-c2de-abcd-000011112222".to_vec();
                (0..random.below(4)).for_each(|_| key[random.below(36)] = b"09af-:x"[random.below(7)]);
                [&b"u:"[random.below(3)..], &key, &b":x"[random.below(3)..]].concat()
            }
        };
        key.truncate(70);
        let mut folded = Folded::new();
        let rules = PatternRules::default();
        folded.fold(&key, MAX_SEGMENTS, rules.classes());
        assert_eq!(Shape::of(&key).is_some(), Shape::in_parts(&key).is_some());
        // As the processor at hand makes it, and as any can.
        for (way, shape) in [Shape::of(&key), Shape::in_parts(&key)].into_iter().enumerate() {
            let Some(shape) = shape else { continue };
            let entry =
                folds.entry(format!("{way} {shape:?}")).or_insert_with(|| (key.clone(), folded.text().to_vec()));
            let (one, other) = (entry.0.escape_ascii(), key.escape_ascii());
            assert_eq!(entry.1, folded.text(), "{one} and {other} are of one shape");
            shared += usize::from(entry.0 != key);
        }
    }
    assert!(shared > 100_000, "names that share a shape: {shared}");
    // Ids of one length are of one shape, whatever their digits.
    for (one, other) in [
        ("user:1000:profile", "user:2345:profile"),
        ("s:98024b1f-6cce-49e2-8498-efd2d2078bef", "s:ab633acb-abcd-4d44-badb-746e55ec89d6"),
        ("cache:page:b2e6fa191076a5c1", "cache:page:0000000000000000"),
        ("2024-01-31", "1999-12-01"),
        ("a1", "a2"),
    ] {
        for make in [Shape::of, Shape::in_parts] {
            let shape = |name: &str| format!("{:?}", make(name.as_bytes()).unwrap());
            assert_eq!(shape(one), shape(other));
        }
    }
}

#[test]
fn only_printable_names_have_a_shape() {
    for byte in 0..=255u8 {
        let special = PatternRules::default().classes()[usize::from(byte)] & ODD != 0;
        for len in [1, 7, 8, 15, 16, 17, 64] {
            let mut name = vec![b'x'; len];
            name[len - 1] = byte;
            assert_eq!(Shape::of(&name).is_none(), special, "{byte} {len}");
            assert_eq!(Shape::in_parts(&name).is_none(), special, "{byte} {len}");
        }
    }
    for make in [Shape::of, Shape::in_parts] {
        assert!(make(&[b'x'; 65]).is_none());
        assert!(make(b"").is_some());
    }
}

#[test]
fn is_what_the_definition_says_in_any_order_and_split() {
    let mut random = Random(1);
    let mut cut = 0;
    for round in 0..2000 {
        let limits = random.limits();
        let words = 1 + random.below(20);
        let count = random.below(150);
        let mut keys: Vec<_> = (0..count).map(|_| (random.key(words, round % 2 == 0), random.stats())).collect();
        let expected = oracle::patterns(&keys, &limits);
        cut += usize::from(expected != oracle::patterns(&keys, &Limits { max_nodes: 1 << 40, ..limits }));
        assert_eq!(table(limits, &keys).finish(), expected, "{limits:?}");

        random.shuffle(&mut keys);
        assert_eq!(table(limits, &keys).finish(), expected, "{limits:?}");

        let mut tables: Vec<_> = Vec::new();
        let mut rest = &keys[..];
        for _ in 0..random.below(5) {
            let (part, others) = rest.split_at(random.below(rest.len() + 1));
            tables.push(table(limits, part));
            rest = others;
        }
        tables.push(table(limits, rest));
        while tables.len() > 1 {
            let other = tables.swap_remove(random.below(tables.len()));
            let into = random.below(tables.len());
            tables[into].merge(other);
            // A trim at any time changes nothing.
            if random.below(3) == 0 {
                tables[into].trim();
            }
        }
        assert_eq!(tables.pop().unwrap().finish(), expected, "{limits:?}");
    }
    assert!((500..1500).contains(&cut), "limits that test something: {cut}");
}

#[test]
fn observes_on_after_a_merge() {
    let mut random = Random(2);
    for _ in 0..500 {
        let limits = random.limits();
        let keys: Vec<_> = (0..120).map(|_| (random.key(12, false), random.stats())).collect();
        let mut first = table(limits, &keys[..40]);
        first.merge(table(limits, &keys[40..80]));
        keys[80..].iter().for_each(|(key, stats)| first.observe(key, stats));
        assert_eq!(first.finish(), oracle::patterns(&keys, &limits), "{limits:?}");
    }
}

#[test]
fn patterns_match_their_keys_and_are_unique() {
    let mut random = Random(3);
    for _ in 0..2000 {
        let limits = if random.below(4) == 0 { Limits::default() } else { random.limits() };
        let mut table = PatternTable::with_limits(Arc::default(), limits);
        // One bit for each key tells where it was counted.
        let keys: Vec<_> = (0..random.below(50)).map(|_| random.key(8, true)).collect();
        for (bit, key) in keys.iter().enumerate() {
            table.observe(key, &PatternKey { elements: 1 << bit, ..PatternKey::default() });
        }
        table.rest();
        let globs: Vec<Option<Vec<u8>>> = keys.iter().map(|key| table.glob_of(key)).collect();
        let mut texts = BTreeSet::new();
        let mut seen = 0;
        for pattern in table.finish() {
            for (bit, key) in keys.iter().enumerate() {
                if pattern.stats.elements >> bit & 1 == 1 {
                    assert!(glob(&pattern.text, key), "{:?} {:?}", pattern.text.escape_ascii(), key.escape_ascii());
                    assert_eq!(globs[bit].as_ref(), Some(&pattern.text));
                    seen += 1;
                }
            }
            assert!(texts.insert(pattern.text));
        }
        assert_eq!(seen, keys.len());
    }
}

#[test]
fn equal_hashes_are_told_apart() {
    let mut cache = Cache::default();
    cache.insert(7, b"ab", 1);
    cache.insert(7, b"cd", 2);
    assert_eq!([&b"ab"[..], b"cd", b"ac"].map(|text| cache.get(7, text)), [Some(1), Some(2), None]);
}

#[test]
fn a_crowd_leaves_its_neighbours_alone() {
    let mut table = PatternTable::default();
    let letters = |n: u32| -> String { (0..4).map(|at| char::from(b'g' + (n >> (4 * at) & 15) as u8)).collect() };
    for n in 0..1000 {
        table.observe(letters(n).as_bytes(), &PatternKey::default());
        table.observe(format!("user:{n}:profile").as_bytes(), &PatternKey::default());
        table.observe(format!("shop:{}:cart", letters(n)).as_bytes(), &PatternKey::default());
    }
    // Names of a collapsed level do not fill the cache.
    assert_eq!(table.cache.slots.len(), 1);
    let patterns: Vec<_> = table.finish().into_iter().map(|p| (p.text, p.stats.keys)).collect();
    assert_eq!(patterns, [(b"*".to_vec(), 1000), (b"shop:*:cart".to_vec(), 1000), (b"user:*:profile".to_vec(), 1000)]);
}

#[test]
fn memory_is_bounded() {
    let limits = Limits { max_nodes: 2000, ..Limits::default() };
    let mut table = PatternTable::with_limits(Arc::default(), limits);
    let mut random = Random(4);
    for _ in 0..200_000 {
        let key =
            [0; 5].map(|_| format!("{}{}", char::from(b'g' + random.below(12) as u8), "z".repeat(random.below(5))));
        table.observe(key.join(":").as_bytes(), &PatternKey::default());
        assert!(table.pool.nodes <= 2520 && table.pool.cells.len() <= 2600);
        assert!(table.cache.slots.len() <= CACHE_NAMES && table.cache.texts.len() <= CACHE_BYTES);
    }
    table.trim();
    assert!(table.pool.nodes <= 2000);
    let patterns = table.finish();
    assert_eq!(patterns.iter().map(|p| p.stats.keys).sum::<u64>(), 200_000);
    assert!(patterns.len() > 10, "{}", patterns.len());
}

#[test]
fn a_stored_table_goes_on_as_if_it_had_not_been() {
    let mut random = Random(5);
    for round in 0..300 {
        let keys: Vec<(Vec<u8>, PatternKey)> = (0..random.below(400))
            .map(|n| (random.key(8, true), PatternKey { memory_bytes: n as u64, ..PatternKey::default() }))
            .collect();
        let (some, more) = keys.split_at(keys.len() / 2);
        let limits = Limits::default();
        let mut whole = table(limits, &keys);
        let stored: Vec<String> = [some, more]
            .into_iter()
            .map(|keys| {
                let (mut one, mut reverse) = (table(limits, keys), PatternTable::default());
                keys.iter().rev().for_each(|(key, stats)| reverse.observe(key, stats));
                one.rest();
                reverse.rest();
                let text = serde_json::to_string(&one).unwrap();
                assert_eq!(text, serde_json::to_string(&reverse).unwrap(), "the order of the keys shows");
                text
            })
            .collect();
        let mut restored: PatternTable = serde_json::from_str(&stored[0]).unwrap();
        restored.merge(serde_json::from_str(&stored[1]).unwrap());
        whole.rest();
        restored.rest();
        assert_eq!(serde_json::to_string(&whole).unwrap(), serde_json::to_string(&restored).unwrap());
        assert_eq!(whole.finish(), restored.finish(), "round {round}");
    }
}

#[test]
fn users_rules_come_first() {
    let options = PatternOptions {
        separators: Some("|".to_owned()),
        groups: vec!["jobs=^job|^task".to_owned(), "[0-9]{5}".to_owned()],
    };
    let mut table = PatternTable::new(Arc::new(PatternRules::new(&options).unwrap()));
    for name in ["job:1", "task|12345", "x:98765", "a:b|c", "a:b|d7", "a:1|z"] {
        table.observe(name.as_bytes(), &PatternKey::default());
    }
    assert_eq!(table.glob_of(b"job:1"), None);
    let found: Vec<_> =
        table.finish().into_iter().map(|p| (String::from_utf8(p.text).unwrap(), p.named, p.stats.keys)).collect();
    let glob = |text: &str| (text.to_owned(), None, 1);
    let named = |text: &str, regex: &str, keys| (text.to_owned(), Some(regex.to_owned()), keys);
    assert_eq!(
        found,
        [
            named("[0-9]{5}", "[0-9]{5}", 1),
            glob("a:*|z"),
            glob("a:b|c"),
            glob("a:b|d*"),
            named("jobs", "^job|^task", 2)
        ]
    );
}

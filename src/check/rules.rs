//! The rules file: `rdbscope.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use regex::bytes::Regex;
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, de};
use toml::Spanned;
use toml::value::Date;

use super::rule::Rule;
use crate::glob;
use crate::record::ValueType;
use crate::units;

/// How grave a broken rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To be looked at.
    Warning,
    /// Not to be let pass.
    Error,
}

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// A level, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// The rule is not checked.
    Off,
    /// A warning.
    Warning,
    /// An error.
    Error,
}

impl Switch {
    /// The level, if it is on.
    pub fn level(self) -> Option<Level> {
        match self {
            Switch::Off => None,
            Switch::Warning => Some(Level::Warning),
            Switch::Error => Some(Level::Error),
        }
    }
}

/// Beyond these a rule is broken. Without either it is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "WrittenLimits<T>", bound(deserialize = "T: Limit + Deserialize<'de>"))]
pub struct Limits<T> {
    /// For a warning.
    pub warning: Option<T>,
    /// For an error.
    pub error: Option<T>,
}

/// What can be a limit.
pub trait Limit: Copy {
    /// Whether something can be beyond it, and something not.
    fn is_limit(self) -> bool;
}

impl Limit for u64 {
    fn is_limit(self) -> bool {
        true
    }
}

impl Limit for Bytes {
    fn is_limit(self) -> bool {
        true
    }
}

impl Limit for f64 {
    fn is_limit(self) -> bool {
        self.is_finite() && self >= 0.0
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct WrittenLimits<T> {
    #[serde(default = "none")]
    warning: Option<T>,
    #[serde(default = "none")]
    error: Option<T>,
}

impl<T: Limit> TryFrom<WrittenLimits<T>> for Limits<T> {
    type Error = &'static str;

    fn try_from(written: WrittenLimits<T>) -> Result<Limits<T>, &'static str> {
        let WrittenLimits { warning, error } = written;
        if [warning, error].into_iter().flatten().any(|limit| !limit.is_limit()) {
            return Err("a limit is a number from 0 on");
        }
        if warning.is_none() && error.is_none() {
            return Err("neither `warning` nor `error` is given");
        }
        Ok(Limits { warning, error })
    }
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Default for Limits<T> {
    fn default() -> Limits<T> {
        Limits { warning: None, error: None }
    }
}

impl<T: Copy + PartialOrd> Limits<T> {
    /// A warning beyond one, an error beyond the other.
    pub const fn both(warning: T, error: T) -> Limits<T> {
        Limits { warning: Some(warning), error: Some(error) }
    }

    /// The gravest limit that `value` is beyond.
    pub fn broken(&self, value: T) -> Option<(Level, T)> {
        let beyond = |limit: Option<T>| limit.filter(|limit| value > *limit);
        beyond(self.error)
            .map(|limit| (Level::Error, limit))
            .or_else(|| beyond(self.warning).map(|limit| (Level::Warning, limit)))
    }

    /// The lower of the two.
    pub fn lowest(&self) -> Option<T> {
        match (self.warning, self.error) {
            (Some(warning), Some(error)) if error < warning => Some(error),
            (warning, error) => warning.or(error),
        }
    }
}

/// A number of bytes: `"10MB"`, `65536`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"10MB\", or a number of bytes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                units::parse_bytes(text).map(Bytes).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
                u64::try_from(bytes).map(Bytes).map_err(|_| E::custom("a size cannot be negative"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A glob on names.
#[derive(Clone, Debug)]
pub struct Glob {
    /// As it was written.
    pub text: String,
    regex: Regex,
}

impl Glob {
    /// Whether a name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Glob, D::Error> {
        let text = String::deserialize(deserializer)?;
        let regex = glob::regex(text.as_bytes()).map_err(de::Error::custom)?;
        Ok(Glob { text, regex })
    }
}

/// A type of values; `module` is any module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeName(&'static str);

impl TypeName {
    /// Whether the type is meant.
    pub fn is(self, value_type: ValueType) -> bool {
        match value_type {
            ValueType::Module(_) => self.0 == "module",
            plain => plain.as_str() == self.0,
        }
    }
}

impl TypeName {
    fn named<E: de::Error>(name: &str) -> Result<TypeName, E> {
        let known = crate::analyze::summary::TYPE_NAMES;
        let found = known.into_iter().find(|known| *known == name);
        found.map(TypeName).ok_or_else(|| E::custom(format!("`{name}` is no type; the types are {}", known.join(", "))))
    }
}

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TypeName, D::Error> {
        TypeName::named(&String::deserialize(deserializer)?)
    }
}

/// One name or several.
fn types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TypeName>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<TypeName>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a type such as \"hash\", or a list of types")
        }
        fn visit_str<E: de::Error>(self, name: &str) -> Result<Vec<TypeName>, E> {
            Ok(vec![TypeName::named(name)?])
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Vec<TypeName>, A::Error> {
            let mut types = Vec::new();
            while let Some(name) = names.next_element()? {
                types.push(name);
            }
            Ok(types)
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// When a key is big.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // `Rule::about` says what each is
pub struct BigKey {
    #[serde(default, rename = "match")]
    pub glob: Option<Glob>,
    #[serde(default, rename = "type", deserialize_with = "types")]
    pub types: Vec<TypeName>,
    #[serde(default)]
    pub memory: Limits<Bytes>,
    #[serde(default)]
    pub elements: Limits<u64>,
}

/// A level for a rule that has no limits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct OnOff {
    pub level: Switch,
}

/// How uneven nodes may be.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct NodeImbalance {
    pub max_to_mean: Limits<f64>,
}

/// How much of a node a slot may hold.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct HeavySlot {
    pub share_of_node: Limits<f64>,
    #[serde(default = "default_slot_bytes")]
    pub at_least: Bytes,
}

fn default_slot_bytes() -> Bytes {
    Bytes(64 << 20)
}

/// Which keys are to expire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NoExpiry {
    #[serde(rename = "match")]
    pub glob: Glob,
    pub share: Limits<f64>,
}

/// How many keys may have expired.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ExpiredKeys {
    pub share: Limits<f64>,
}

/// How old a dump may be.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DumpAge {
    pub hours: Limits<f64>,
}

/// How much memory the nodes have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MaxMemory {
    pub maxmemory: NodeBytes,
    #[serde(default = "default_memory_share")]
    pub share: Limits<f64>,
}

fn default_memory_share() -> Limits<f64> {
    Limits::both(0.8, 0.95)
}

/// Bytes of each node, or of each by name.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum NodeBytes {
    Each(Bytes),
    ByName(BTreeMap<String, Bytes>),
}

impl NodeBytes {
    /// Those of a node.
    pub fn of(&self, node: &str) -> Option<u64> {
        match self {
            NodeBytes::Each(Bytes(bytes)) => Some(*bytes),
            NodeBytes::ByName(nodes) => nodes.get(node).map(|Bytes(bytes)| *bytes),
        }
    }

    /// The nodes that are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let by_name = match self {
            NodeBytes::Each(_) => None,
            NodeBytes::ByName(nodes) => Some(nodes),
        };
        by_name.into_iter().flat_map(|nodes| nodes.keys().map(String::as_str))
    }
}

impl<'de> Deserialize<'de> for NodeBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeBytes, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = NodeBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"10GB\", or one for each node by its name")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<NodeBytes, E> {
                Bytes::deserialize(text.into_deserializer()).map(NodeBytes::Each)
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<NodeBytes, E> {
                Bytes::deserialize(bytes.into_deserializer()).map(NodeBytes::Each)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut nodes: A) -> Result<NodeBytes, A::Error> {
                let mut by_name = BTreeMap::new();
                while let Some((name, bytes)) = nodes.next_entry()? {
                    by_name.insert(name, bytes);
                }
                Ok(NodeBytes::ByName(by_name))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How the number of keys may change.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct KeyCount {
    #[serde(default)]
    pub loss: Limits<f64>,
    #[serde(default)]
    pub growth: Limits<f64>,
}

/// How much memory may grow.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Growth {
    #[serde(default)]
    pub pattern: Limits<f64>,
    #[serde(default)]
    pub node: Limits<f64>,
    #[serde(default = "default_slot_bytes")]
    pub at_least: Bytes,
}

/// Whether patterns may come up.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct NewPattern {
    pub level: Switch,
    #[serde(default = "default_pattern_bytes")]
    pub at_least: Bytes,
}

fn default_pattern_bytes() -> Bytes {
    Bytes(1 << 20)
}

/// Keys that must not exist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Forbidden {
    #[serde(rename = "match")]
    pub glob: Glob,
    #[serde(default = "error_level")]
    pub level: Level,
}

fn error_level() -> Level {
    Level::Error
}

/// What is allowed; anything else breaks the rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Allowed {
    pub allowed: Vec<String>,
    #[serde(default = "error_level")]
    pub level: Level,
}

/// What is known and let pass for a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Which rule.
    #[serde(deserialize_with = "rule")]
    pub rule: Rule,
    /// Which keys, patterns, modules or nodes; all if absent.
    #[serde(default, rename = "match")]
    pub glob: Option<Glob>,
    /// Why.
    #[serde(deserialize_with = "reason")]
    pub reason: String,
    /// The last day on which it holds.
    #[serde(deserialize_with = "day")]
    pub until: Day,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub jiff::civil::Date);

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    let time = toml::value::Datetime::deserialize(deserializer)?;
    let Some(Date { year, month, day }) = time.date else {
        return Err(de::Error::custom("a date such as 2026-12-31 is needed"));
    };
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8);
    date.map(Day).map_err(de::Error::custom)
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reason = String::deserialize(deserializer)?;
    if reason.trim().is_empty() { Err(de::Error::custom("a reason is needed")) } else { Ok(reason) }
}

fn rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
    Rule::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// All rules. What the file does not name is as in [`Rules::default`].
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)] // `Rule::about` says what each is
pub struct Rules {
    pub no_checksum: OnOff,
    pub trailing_bytes: OnOff,
    pub missing_master: OnOff,
    pub uncovered_slots: OnOff,
    pub misplaced_keys: OnOff,
    pub big_key: Vec<BigKey>,
    pub node_imbalance: NodeImbalance,
    pub heavy_slot: HeavySlot,
    pub no_expiry: Vec<NoExpiry>,
    pub expired_keys: ExpiredKeys,
    pub dump_age: DumpAge,
    pub max_memory: Option<MaxMemory>,
    pub key_count: KeyCount,
    pub growth: Growth,
    pub new_pattern: NewPattern,
    pub forbidden_keys: Vec<Forbidden>,
    pub module: Option<Allowed>,
    pub server: Option<Allowed>,
    pub ignore: Vec<Spanned<Ignore>>,
}

impl Default for Rules {
    fn default() -> Rules {
        let on = |level| OnOff { level };
        Rules {
            no_checksum: on(Switch::Warning),
            trailing_bytes: on(Switch::Warning),
            missing_master: on(Switch::Error),
            uncovered_slots: on(Switch::Warning),
            misplaced_keys: on(Switch::Warning),
            big_key: vec![BigKey {
                glob: None,
                types: Vec::new(),
                memory: Limits::both(Bytes(10 << 20), Bytes(100 << 20)),
                elements: Limits::both(10_000, 100_000),
            }],
            node_imbalance: NodeImbalance { max_to_mean: Limits::both(1.3, 2.0) },
            heavy_slot: HeavySlot { share_of_node: Limits::both(0.2, 0.5), at_least: default_slot_bytes() },
            no_expiry: Vec::new(),
            expired_keys: ExpiredKeys { share: Limits { warning: Some(0.25), error: None } },
            dump_age: DumpAge::default(),
            max_memory: None,
            key_count: KeyCount { loss: Limits::both(0.1, 0.5), growth: Limits { warning: Some(0.5), error: None } },
            growth: Growth {
                pattern: Limits { warning: Some(0.5), error: None },
                node: Limits { warning: Some(0.3), error: None },
                at_least: default_slot_bytes(),
            },
            new_pattern: NewPattern { level: Switch::Warning, at_least: default_pattern_bytes() },
            forbidden_keys: Vec::new(),
            module: None,
            server: None,
            ignore: Vec::new(),
        }
    }
}

impl Rules {
    /// Reads the text of a rules file.
    ///
    /// # Errors
    /// What is wrong, and the line it is in with the line itself.
    pub fn parse(text: &str) -> Result<Rules, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Takes away the ignores that do not hold on a day any more.
    pub fn take_expired(&mut self, today: jiff::civil::Date) -> Vec<Ignore> {
        let expired = self.ignore.extract_if(.., |ignore| ignore.as_ref().until.0 < today);
        expired.map(Spanned::into_inner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let rules = Rules::parse(
            "[[big-key]]\nmatch = 'cache:*'\ntype = 'hash'\nmemory = { warning = '1MB' }\n\n\
             [node-imbalance]\nmax-to-mean = { error = 3 }\n\n\
             [max-memory]\nmaxmemory = { a = '1GB', b = 2000 }\n\n\
             [[ignore]]\nrule = 'big-key'\nreason = 'known'\nuntil = 2026-12-31\n",
        )
        .unwrap();
        let big = &rules.big_key[0];
        assert!(big.glob.as_ref().unwrap().matches(b"cache:1") && big.types == [TypeName("hash")]);
        assert_eq!(big.memory, Limits { warning: Some(Bytes(1 << 20)), error: None });
        assert_eq!(big.elements, Limits::default());
        assert_eq!(rules.node_imbalance.max_to_mean.broken(2.5), None);
        assert_eq!(rules.expired_keys.share.broken(0.26), Some((Level::Warning, 0.25)));
        let maxmemory = rules.max_memory.unwrap().maxmemory;
        assert_eq!([maxmemory.of("a"), maxmemory.of("b"), maxmemory.of("c")], [Some(1 << 30), Some(2000), None]);
        assert_eq!(rules.ignore[0].as_ref().until, Day(jiff::civil::date(2026, 12, 31)));
    }

    #[test]
    fn errors_point_at_the_line() {
        for (text, line, what) in [
            ("[big-keys]\n", 1, "unknown field `big-keys`"),
            ("\n[[big-key]]\nmemroy = { warning = 1 }\n", 3, "unknown field `memroy`"),
            ("[node-imbalance]\nmax-to-mean = { warning = 'much' }\n", 2, "invalid type"),
            ("[[big-key]]\nmemory = { warning = '10 elephants' }\n", 2, "10 elephants"),
            ("[[big-key]]\ntype = ['hash', 'heap']\n", 2, "`heap` is no type"),
            ("[[ignore]]\nrule = 'big'\nreason = 'x'\nuntil = 2026-01-01\n", 2, "there is no rule `big`"),
            ("[[ignore]]\nrule = 'big-key'\nreason = ' '\nuntil = 2026-01-01\n", 3, "a reason is needed"),
            ("[[ignore]]\nrule = 'big-key'\nreason = 'x'\n", 1, "missing field `until`"),
            ("[[ignore]]\nrule = 'big-key'\nreason = 'x'\nuntil = 12:00:00\n", 4, "a date such as"),
            ("[no-checksum]\nlevel = 'loud'\n", 2, "unknown variant `loud`"),
            ("[key-count\n", 1, "key-count"),
            ("[[big-key]]\ntype = [\n  'hash',\n  'heap',\n]\n", 2, "`heap` is no type"), // where the list begins
            ("[dump-age]\nhours = { warning = -1 }\n", 2, "a limit is a number from 0 on"),
            ("[expired-keys]\nshare = { warning = nan }\n", 2, "a limit is a number from 0 on"),
            ("[expired-keys]\nshare = {}\n", 2, "neither `warning` nor `error`"),
            ("[max-memory]\nmaxmemory.a = '1GB'\nmaxmemory.b = 'much'\n", 3, "much"),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert!(error.contains(&format!("line {line}")) && error.contains(what), "{text}{error}");
        }
    }

    #[test]
    fn every_rule_is_explained_with_a_setting_that_can_be_read() {
        for rule in Rule::ALL {
            let about = rule.about();
            assert!(about.title.len() > 10 && about.meaning.len() > 20 && about.remedy.len() > 20, "{rule}");
            assert_eq!(rule.name().parse(), Ok(rule));
            if !about.setting.is_empty() {
                Rules::parse(about.setting).unwrap_or_else(|error| panic!("{rule}: {error}"));
            }
        }
        assert!("big".parse::<Rule>().unwrap_err().contains("big-key"));
    }

    #[test]
    fn limits_hold_up_to_their_value() {
        let limits = Limits::both(10, 100);
        assert_eq!(
            [10, 11, 101].map(|value| limits.broken(value)),
            [None, Some((Level::Warning, 10)), Some((Level::Error, 100))]
        );
        assert_eq!(limits.lowest(), Some(10));
        assert_eq!(Limits { warning: None, error: Some(3) }.lowest(), Some(3));
    }
}

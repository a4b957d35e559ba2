//! From where on a key is big: by its memory, its elements and its largest element, each type with thresholds of its own.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::summary::{KeyRow, TYPE_NAMES};
use crate::record::{KeyRecord, ValueType};
use crate::units;

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth acting on.
    Warning,
    /// Hurts, or will.
    Critical,
}

impl Severity {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What a key can be big by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Its bytes of memory.
    Memory,
    /// Its elements.
    Elements,
    /// The bytes of its largest element.
    LargestElement,
}

impl Measure {
    /// In words, as what a key is big by.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Memory => "memory",
            Measure::Elements => "elements",
            Measure::LargestElement => "its largest element",
        }
    }
}

/// What a measure must be above to be a warning, and to be critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Above it, a warning.
    pub warning: u64,
    /// Above it, critical.
    pub critical: u64,
}

impl Limits {
    /// Nothing is above these.
    pub const NONE: Limits = Limits { warning: u64::MAX, critical: u64::MAX };

    fn none() -> Limits {
        Limits::NONE
    }

    fn is_none(&self) -> bool {
        *self == Limits::NONE
    }

    fn severity(&self, value: u64) -> Option<Severity> {
        match value {
            _ if value > self.critical => Some(Severity::Critical),
            _ if value > self.warning => Some(Severity::Warning),
            _ => None,
        }
    }

    /// `value` in per cent of the threshold for a warning.
    fn percent(&self, value: u64) -> u64 {
        u64::try_from(u128::from(value) * 100 / u128::from(self.warning.max(1))).unwrap_or(u64::MAX)
    }
}

/// The thresholds of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeLimits {
    /// Bytes of memory.
    pub memory_bytes: Limits,
    /// Elements.
    #[serde(default = "Limits::none", skip_serializing_if = "Limits::is_none")]
    pub elements: Limits,
    /// Bytes of the largest element.
    #[serde(default = "Limits::none", skip_serializing_if = "Limits::is_none")]
    pub largest_element_bytes: Limits,
}

/// What a key is big by, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Crossed {
    /// Which of its measures is above its threshold.
    pub measure: Measure,
    /// How grave that is.
    pub severity: Severity,
    /// The measure in per cent of the threshold for a warning.
    pub percent_of_warning: u64,
}

/// From where on a key is big.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigThresholds {
    /// By [`ValueType::index`].
    types: [TypeLimits; TYPE_NAMES.len()],
}

/// Elements, and bytes of memory, from which on a key is usually said to be big.
const ELEMENTS: Limits = Limits { warning: 10_000, critical: 100_000 };
const MEMORY_BYTES: Limits = Limits { warning: 10 << 20, critical: 100 << 20 };
/// An element goes through the server in one piece: at 1 MiB it takes 8 ms of a link of 1 Gbit/s, and is a thousand times
/// what an element usually has; at 10 MiB it would be a big key by itself.
const LARGEST_ELEMENT_BYTES: Limits = Limits { warning: 1 << 20, critical: 10 << 20 };
/// The types whose elements have lengths: list, set, zset, hash; what a stream's or a module's have is not known.
const WITH_ELEMENTS: Range<usize> = 1..5;
/// A critical threshold that is not given is so many times that of the warning.
const CRITICAL_FACTOR: u64 = 10;

impl Default for BigThresholds {
    fn default() -> BigThresholds {
        let limits = |value_type: usize| TypeLimits {
            memory_bytes: MEMORY_BYTES,
            // The bytes of a string are its memory.
            elements: if value_type == 0 { Limits::NONE } else { ELEMENTS },
            largest_element_bytes: if WITH_ELEMENTS.contains(&value_type) {
                LARGEST_ELEMENT_BYTES
            } else {
                Limits::NONE
            },
        };
        BigThresholds { types: std::array::from_fn(limits) }
    }
}

impl BigThresholds {
    /// The thresholds of a type.
    #[inline(always)]
    pub fn of(&self, value_type: ValueType) -> &TypeLimits {
        &self.types[value_type.index()]
    }

    /// The types by name, with their thresholds.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, &TypeLimits)> {
        TYPE_NAMES.into_iter().zip(&self.types)
    }

    /// Elements of at most so many bytes make no key big.
    pub fn small_element_bytes(&self) -> u64 {
        let warnings = self.types[WITH_ELEMENTS].iter().map(|limits| limits.largest_element_bytes.warning);
        warnings.min().unwrap_or(u64::MAX)
    }

    /// Whether a key of the type with this [`ValueType::index`] is big with so much memory, so many elements, and the largest of so many bytes.
    #[inline(always)]
    pub fn is_big(&self, type_index: usize, memory: u64, elements: u64, largest_element_bytes: u64) -> bool {
        let limits = &self.types[type_index];
        memory > limits.memory_bytes.warning
            || elements > limits.elements.warning
            || largest_element_bytes > limits.largest_element_bytes.warning
    }

    /// What a key is big by; nothing if it is not big.
    pub fn crossed(&self, record: &KeyRecord<'_>) -> Vec<Crossed> {
        let limits = self.of(record.value_type);
        let measures = [
            (Measure::Memory, memory(record), limits.memory_bytes),
            (Measure::Elements, record.elements.unwrap_or(0), limits.elements),
            (Measure::LargestElement, record.largest_element_bytes.unwrap_or(0), limits.largest_element_bytes),
        ];
        let crossed = |(measure, value, limits): (Measure, u64, Limits)| {
            let severity = limits.severity(value)?;
            Some(Crossed { measure, severity, percent_of_warning: limits.percent(value) })
        };
        measures.into_iter().filter_map(crossed).collect()
    }

    /// How grave a listed key is, if it is big.
    pub fn severity_of_row(&self, key: &KeyRow) -> Option<Severity> {
        let limits = self.of(key.value_type);
        let memory = key.footprint_bytes.unwrap_or(0).max(key.size_in_bytes.unwrap_or(0));
        let by_memory = limits.memory_bytes.severity(memory);
        let by_elements = limits.elements.severity(key.num_elements.unwrap_or(0));
        by_memory.max(by_elements).max(limits.largest_element_bytes.severity(key.len_largest_element.unwrap_or(0)))
    }

    /// All of them in words, types with the same ones together.
    pub fn in_words(&self) -> String {
        let mut groups: Vec<(Vec<&str>, &TypeLimits)> = Vec::new();
        for (name, limits) in self.types() {
            match groups.iter_mut().find(|(_, of_group)| *of_group == limits) {
                Some((names, _)) => names.push(name),
                None => groups.push((vec![name], limits)),
            }
        }
        let group = |(names, limits): &(Vec<&str>, &TypeLimits)| {
            let TypeLimits { memory_bytes, elements, largest_element_bytes } = limits;
            let bytes = |limits: &Limits| (units::bytes(limits.warning), units::bytes(limits.critical));
            let (warning, critical) = bytes(memory_bytes);
            let mut words = format!("{} above {warning} (critical {critical})", names.join(", "));
            if !elements.is_none() {
                let Limits { warning, critical } = *elements;
                words += &format!(" or {} elements ({})", units::count(warning), units::count(critical));
            }
            if !largest_element_bytes.is_none() {
                let (warning, critical) = bytes(largest_element_bytes);
                words += &format!(" or an element of {warning} ({critical})");
            }
            words
        };
        groups.iter().map(group).collect::<Vec<_>>().join("; ")
    }

    /// Changes what `text` says: `list=5000/50000`, `hash=64MB`, `string=1MB`, `memory=20MB/200MB`, `elements=5000`, `element=512KB`.
    ///
    /// # Errors
    /// Says how to write it.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("`{text}` is no threshold; write {EXAMPLES}"));
        };
        let name = name.trim();
        let has_unit =
            value.starts_with(|c: char| c.is_ascii_digit()) && value.ends_with(|c: char| c.is_ascii_alphabetic());
        let collections = 1..TYPE_NAMES.len();
        match TYPE_NAMES.iter().position(|known| *known == name) {
            Some(0) => self.types[0].memory_bytes = byte_limits(value)?,
            Some(index) if has_unit => self.types[index].memory_bytes = byte_limits(value)?,
            Some(index) => self.types[index].elements = count_limits(value)?,
            None => {
                let of = |types: &mut [TypeLimits], part: fn(&mut TypeLimits) -> &mut Limits, limits: Limits| {
                    types.iter_mut().for_each(|of_type| *part(of_type) = limits);
                };
                match name {
                    "memory" => of(&mut self.types, |limits| &mut limits.memory_bytes, byte_limits(value)?),
                    "elements" => {
                        of(&mut self.types[collections], |limits| &mut limits.elements, count_limits(value)?);
                    }
                    "element" => {
                        let limits = byte_limits(value)?;
                        of(&mut self.types[WITH_ELEMENTS], |limits| &mut limits.largest_element_bytes, limits);
                    }
                    _ => {
                        let names = TYPE_NAMES.join(", ");
                        return Err(format!(
                            "`{name}` has no threshold; those that have are {names}, memory, elements, element"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

const EXAMPLES: &str = "list=5000, hash=5000/50000, string=1MB, memory=20MB/200MB or element=512KB, for example";

/// The bytes of memory of a key, by the larger of what it adds and of what the server says of it.
#[inline(always)]
fn memory(record: &KeyRecord<'_>) -> u64 {
    record.footprint_bytes.unwrap_or(0).max(record.memory_bytes.unwrap_or(0))
}

fn byte_limits(text: &str) -> Result<Limits, String> {
    limits(text, units::parse_bytes)
}

fn count_limits(text: &str) -> Result<Limits, String> {
    limits(text, |count| {
        count.parse().map_err(|_| format!("`{count}` is no number of elements; write 5000 or 5000/50000, for example"))
    })
}

/// The thresholds of `warning/critical`, or of `warning` alone.
fn limits<E: From<String>>(text: &str, parse: impl Fn(&str) -> Result<u64, E>) -> Result<Limits, E> {
    let (warning, critical) = match text.split_once('/') {
        Some((warning, critical)) => (parse(warning)?, parse(critical)?),
        None => {
            let warning = parse(text)?;
            (warning, warning.saturating_mul(CRITICAL_FACTOR))
        }
    };
    match (warning, critical) {
        (0, _) => Err(E::from(format!("`{text}`: a threshold is above 0"))),
        _ if critical < warning => Err(E::from(format!("`{text}`: critical, the second, is not below the warning"))),
        _ => Ok(Limits { warning, critical }),
    }
}

impl Serialize for BigThresholds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.types())
    }
}

impl<'de> Deserialize<'de> for BigThresholds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BigThresholds, D::Error> {
        let types: BTreeMap<String, TypeLimits> = BTreeMap::deserialize(deserializer)?;
        let mut thresholds = BigThresholds::default();
        for (limits, name) in thresholds.types.iter_mut().zip(TYPE_NAMES) {
            *limits = *types.get(name).ok_or_else(|| de::Error::custom(format!("{name} has no thresholds")))?;
        }
        Ok(thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::top::tests::record;

    fn of_type(value_type: ValueType) -> KeyRecord<'static> {
        KeyRecord { value_type, ..record(b"k", 100) }
    }

    #[test]
    fn each_measure_counts_by_itself() {
        let thresholds = BigThresholds::default();
        let crossed = |record: KeyRecord<'_>| {
            let crossed = thresholds.crossed(&record);
            let (elements, largest) = (record.elements.unwrap_or(0), record.largest_element_bytes.unwrap_or(0));
            let is_big = thresholds.is_big(record.value_type.index(), memory(&record), elements, largest);
            assert_eq!(!crossed.is_empty(), is_big);
            crossed
        };
        let set = of_type(ValueType::Set);
        assert_eq!(crossed(KeyRecord { elements: Some(10_000), ..set }), []);
        let by = |measure, severity, percent_of_warning| Crossed { measure, severity, percent_of_warning };
        assert_eq!(
            crossed(KeyRecord { elements: Some(10_001), largest_element_bytes: Some(11 << 20), ..set }),
            [by(Measure::Elements, Severity::Warning, 100), by(Measure::LargestElement, Severity::Critical, 1100)]
        );
        assert_eq!(
            crossed(KeyRecord { memory_bytes: Some(200 << 20), ..set }),
            [by(Measure::Memory, Severity::Critical, 2000)]
        );
        let string = of_type(ValueType::String);
        let long = Some(10 << 20);
        assert_eq!(crossed(KeyRecord { elements: long, largest_element_bytes: long, ..string }), []);
        assert_eq!(crossed(KeyRecord { elements: None, largest_element_bytes: None, ..set }), []);
    }

    #[test]
    fn thresholds_are_set_by_type_and_for_all() {
        let mut thresholds = BigThresholds::default();
        for text in ["memory=1MB/3MB", "string=2MB", "elements=500", "hash=7/9", "list=64KB", "element=1KB/1KB"] {
            thresholds.set(text).unwrap();
        }
        let of = |value_type| thresholds.of(value_type);
        assert_eq!(of(ValueType::String).memory_bytes, Limits { warning: 2 << 20, critical: 20 << 20 });
        assert_eq!(of(ValueType::String).elements, Limits::NONE);
        assert_eq!(of(ValueType::Set).memory_bytes, Limits { warning: 1 << 20, critical: 3 << 20 });
        assert_eq!(of(ValueType::Set).elements, Limits { warning: 500, critical: 5000 });
        assert_eq!(of(ValueType::Hash).elements, Limits { warning: 7, critical: 9 });
        assert_eq!(of(ValueType::List).memory_bytes, Limits { warning: 64 << 10, critical: 640 << 10 });
        assert_eq!(of(ValueType::Zset).largest_element_bytes, Limits { warning: 1024, critical: 1024 });
        for (bad, says) in [
            ("list", "write list=5000"),
            ("lists=5", "has no threshold"),
            ("list=many", "is no number of elements"),
            ("list=-1", "is no number of elements"),
            ("hash=10/5", "not below the warning"),
            ("hash=0", "above 0"),
            ("memory=lots", "is no size"),
            ("string=1MB/x", "is no size"),
        ] {
            let error = thresholds.set(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
        assert_eq!(
            BigThresholds::default().in_words(),
            "string above 10.0 MiB (critical 100.0 MiB); list, set, zset, hash above 10.0 MiB (critical 100.0 MiB) or \
             10,000 elements (100,000) or an element of 1.00 MiB (10.0 MiB); stream, module above 10.0 MiB (critical 100.0 \
             MiB) or 10,000 elements (100,000)"
        );
        assert!(thresholds.in_words().contains("; hash above 1.00 MiB (critical 3.00 MiB) or 7 elements (9) or"));
        let json = serde_json::to_value(BigThresholds::default()).unwrap();
        assert_eq!(json["list"]["elements"]["warning"], 10_000);
        let stored = serde_json::to_string(&thresholds).unwrap();
        assert_eq!(serde_json::from_str::<BigThresholds>(&stored).unwrap(), thresholds);
        assert!(json["string"]["elements"].is_null());
    }
}

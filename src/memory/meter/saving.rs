//! What a value could save in another form: packed, were a setting higher, or as an integer.

use super::{Kind, Meter, Text};
use crate::memory::model::{Cost, KeyFacts, Model};
use crate::memory::server::Family;
use crate::memory::thresholds::Setting;
use crate::rdb::RdbStr;
use crate::record::{Encoding, ValueType};
use crate::value::{PackedFormat, intset};

/// How far above a setting a value may be to be told: so many times.
pub const ABOVE: u64 = 4;
/// Of so many members of a set one may be no integer, for it to be a set of integers with a few others.
const FEW: u64 = 20;
/// Longest text of a number that is of interest: more digits than an integer can have are none.
const NUMBER_BYTES: usize = 20;

/// Why a value takes more than it might.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waste {
    /// It would be packed if this setting were up to twice as high, or else up to four times, and for no other reason.
    Setting(Setting, Near),
    /// A set that would be an intset but for a few members.
    FewOthers,
    /// A number in a form that servers do not keep as an integer: leading zeros, signs, spaces or decimals.
    PlainNumber,
}

/// How far a value is above a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// At most twice.
    Twice,
    /// At most four times.
    FourTimes,
}

/// What a value would save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// Why it does not.
    pub waste: Waste,
    /// What it would take less of used_memory, in bytes.
    pub saved_bytes: u64,
}

impl Text {
    /// What the string would save as an integer; it has taken `real_bytes` with its key, the key tables not counted.
    #[inline(always)]
    pub fn saving(&self, model: &Model, key: &KeyFacts, real_bytes: u64) -> Option<Saving> {
        if self.is_number { number_saving(model, key, real_bytes) } else { None }
    }
}

#[cold]
fn number_saving(model: &Model, key: &KeyFacts, real_bytes: u64) -> Option<Saving> {
    // An integer that is not shared.
    let (_, mut other) = model.string(key, 0, Some(i64::MAX));
    other += model.key(key);
    saved(Waste::PlainNumber, real_bytes, other)
}

impl Meter<'_> {
    /// Packs no more if nothing can come of it under these limits.
    #[inline]
    pub(super) fn give_up_packing(&mut self, max_entries: u64, max_value: u64) {
        if self.v.kind == Kind::Plain && out_of_reach((self.v.claimed, self.v.longest), (max_entries, max_value)) {
            self.v.want_packed = false;
        }
    }

    /// What the value just measured would save; it has taken `real_bytes` with its key, the key tables not counted.
    #[inline(always)]
    pub fn saving(&self, kind: ValueType, key: &KeyFacts, encoding: Encoding, real_bytes: u64) -> Option<Saving> {
        if let (ValueType::String, Some(text)) = (kind, &self.v.string) {
            return text.saving(self.model, key, real_bytes);
        }
        match encoding {
            Encoding::Hashtable | Encoding::Skiplist => self.packed_saving(kind, key, real_bytes),
            _ => None,
        }
    }

    #[inline(never)]
    fn packed_saving(&self, kind: ValueType, key: &KeyFacts, real_bytes: u64) -> Option<Saving> {
        let (waste, packed) = match kind {
            ValueType::Hash => self.hash_waste()?,
            ValueType::Set => self.set_waste()?,
            ValueType::Zset => self.zset_waste()?,
            _ => return None,
        };
        let mut other = self.model.object(key);
        other += self.model.key(key);
        other += packed;
        saved(waste, real_bytes, other)
    }

    fn hash_waste(&self) -> Option<(Waste, Cost)> {
        let thresholds = &self.model.options.thresholds;
        let family = self.model.options.server.family();
        if family == Family::V90 && self.v.fields_with_expiry > 0 {
            return None; // in a table, always
        }
        let one_by_one = matches!(self.v.kind, Kind::Plain | Kind::Packed(PackedFormat::Zipmap));
        let waste = above(
            (Setting::HashEntries, self.v.count, thresholds.hash_max_listpack_entries),
            (Setting::HashValue, if one_by_one { self.v.longest } else { 0 }, thresholds.hash_max_listpack_value),
        )?;
        Some((waste, self.packed_hash(self.v.fields_with_expiry > 0 && family.at_least(Family::R74)).1))
    }

    fn zset_waste(&self) -> Option<(Waste, Cost)> {
        let thresholds = &self.model.options.thresholds;
        let longest = if self.v.kind == Kind::Plain { self.v.longest } else { 0 };
        let waste = above(
            (Setting::ZsetEntries, self.v.count, thresholds.zset_max_listpack_entries),
            (Setting::ZsetValue, longest, thresholds.zset_max_listpack_value),
        )?;
        Some((waste, self.packed_cost()))
    }

    fn set_waste(&self) -> Option<(Waste, Cost)> {
        let thresholds = &self.model.options.thresholds;
        let packs = self.model.options.server.family().at_least(Family::R72);
        let n = self.v.count;
        let intset = || self.model.packed(intset::HEADER_BYTES as u64 + self.v.int_width.max(2) * n);
        let of_integers =
            |n| above((Setting::IntsetEntries, n, thresholds.set_max_intset_entries), (Setting::IntsetEntries, 0, 0));
        let (longest, is_plain) = match self.v.kind {
            Kind::Packed(PackedFormat::Intset) => return Some((of_integers(n)?, intset())),
            Kind::Packed(_) => (0, false),
            _ => (self.v.longest, true),
        };
        if is_plain && self.v.ints == n {
            return Some((of_integers(n)?, intset()));
        }
        // The loader makes a table of what has more members than an intset may have, whatever they are.
        if is_plain && n > thresholds.set_max_intset_entries {
            return None;
        }
        if is_plain && (n - self.v.ints) * FEW <= n {
            return Some((Waste::FewOthers, intset()));
        }
        if !packs {
            return None;
        }
        let waste = above(
            (Setting::SetEntries, n, thresholds.set_max_listpack_entries),
            (Setting::SetValue, longest, thresholds.set_max_listpack_value),
        )?;
        Some((waste, self.packed_cost()))
    }
}

fn saved(waste: Waste, real_bytes: u64, other: Cost) -> Option<Saving> {
    let saved_bytes = real_bytes.checked_sub(other.real).filter(|saved| *saved > 0)?;
    Some(Saving { waste, saved_bytes })
}

/// The one of two settings that alone is in the way, if it is near enough. Each is given with what the value has and the limit.
fn above(one: (Setting, u64, u64), other: (Setting, u64, u64)) -> Option<Waste> {
    let (setting, has, limit) = match (one.1 > one.2, other.1 > other.2) {
        (true, false) => one,
        (false, true) => other,
        _ => return None,
    };
    match has {
        _ if has <= limit.saturating_mul(2) => Some(Waste::Setting(setting, Near::Twice)),
        _ if has <= limit.saturating_mul(ABOVE) => Some(Waste::Setting(setting, Near::FourTimes)),
        _ => None,
    }
}

/// Whether a text that is no integer for a server is a number all the same.
#[inline(always)]
pub(super) fn is_number(value: RdbStr<'_>) -> bool {
    match value {
        RdbStr::Raw(text @ [b'0'..=b'9' | b'+' | b'-' | b'.' | b' ', ..]) if text.len() <= NUMBER_BYTES => {
            is_number_text(text)
        }
        _ => false,
    }
}

fn is_number_text(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    points <= 1 && digits.len() > points && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether a value of so many elements, one of them so long, is not packed under these limits of both, nor would be under any
/// that [`above`] tells: nobody has to know what it would take.
#[inline]
fn out_of_reach((entries, longest): (u64, u64), (max_entries, max_value): (u64, u64)) -> bool {
    longest > max_value && (entries > max_entries || longest > max_value.saturating_mul(ABOVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_reach_saves_nothing() {
        let figures = [0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 2048, 2049, u64::MAX];
        let mut far = 0;
        for (entries, longest) in figures.iter().flat_map(|n| figures.map(|m| (*n, m))) {
            for limits in [(0, 0), (512, 64), (128, 64), (u64::MAX, 64), (512, u64::MAX), (1, 1)] {
                if out_of_reach((entries, longest), limits) {
                    let entries = (Setting::HashEntries, entries, limits.0);
                    let value = (Setting::HashValue, longest, limits.1);
                    assert_eq!(above(entries, value), None, "{entries:?} {value:?}");
                    assert!(longest > limits.1, "it is not packed");
                    far += 1;
                }
            }
        }
        assert!(far > 100, "{far}");
    }

    #[test]
    fn numbers_that_are_no_integers() {
        for text in ["007", "12.50", "+5", "-0", " 12", "12 ", "1.", ".5", "00000000000000000001"] {
            assert!(is_number(RdbStr::Raw(text.as_bytes())), "{text}");
            assert_eq!(RdbStr::Raw(text.as_bytes()).as_int(), None, "{text}");
        }
        for text in ["", " ", ".", "-", "+-5", "1.2.3", "1e5", "0x1f", "a1", "2026-01-01", "000000000000000000001"] {
            assert!(!is_number(RdbStr::Raw(text.as_bytes())), "{text}");
        }
    }

    #[test]
    fn one_setting_alone_within_its_reach() {
        let entries = |has| (Setting::HashEntries, has, 512);
        let value = |has| (Setting::HashValue, has, 64);
        let near = |setting, near| Some(Waste::Setting(setting, near));
        for (one, other, expected) in [
            (entries(512), value(64), None),
            (entries(513), value(64), near(Setting::HashEntries, Near::Twice)),
            (entries(1024), value(64), near(Setting::HashEntries, Near::Twice)),
            (entries(1025), value(64), near(Setting::HashEntries, Near::FourTimes)),
            (entries(2048), value(64), near(Setting::HashEntries, Near::FourTimes)),
            (entries(2049), value(64), None),
            (entries(512), value(65), near(Setting::HashValue, Near::Twice)),
            (entries(512), value(256), near(Setting::HashValue, Near::FourTimes)),
            (entries(512), value(257), None),
            (entries(513), value(65), None),
            ((Setting::HashEntries, u64::MAX, u64::MAX / 2 + 1), value(0), near(Setting::HashEntries, Near::Twice)),
            ((Setting::HashEntries, 1, 0), value(0), None),
        ] {
            assert_eq!(above(one, other), expected, "{one:?} {other:?}");
        }
    }
}

//! What values would save in another form: sums, and the rows of a summary.

use serde::{Deserialize, Serialize};

use crate::memory::{Near, Saving, Setting, Waste};

/// Keys, what they take, and what they would take less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Number of keys.
    pub keys: u64,
    /// Sum of their footprints.
    pub footprint_bytes: u64,
    /// What they would take less, in bytes.
    pub saved_bytes: u64,
}

impl Saved {
    /// Takes over the sums of another.
    pub fn merge(&mut self, other: &Saved) {
        self.keys += other.keys;
        self.footprint_bytes += other.footprint_bytes;
        self.saved_bytes += other.saved_bytes;
    }
}

/// Sums over the keys that would save memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Savings {
    /// By [`Setting`]: up to twice above it, and from there up to four times.
    pub settings: [[Saved; 2]; Setting::ALL.len()],
    /// Sets of integers with a few other members.
    pub few_others: Saved,
    /// Numbers that are no integers for the server.
    pub plain_numbers: Saved,
}

impl Savings {
    /// Takes a key into account.
    #[cold]
    pub fn observe(&mut self, saving: &Saving, footprint_bytes: u64) {
        let sum = match saving.waste {
            Waste::Setting(setting, near) => &mut self.settings[setting as usize][usize::from(near == Near::FourTimes)],
            Waste::FewOthers => &mut self.few_others,
            Waste::PlainNumber => &mut self.plain_numbers,
        };
        sum.merge(&Saved { keys: 1, footprint_bytes, saved_bytes: saving.saved_bytes });
    }

    /// All sums.
    pub(super) fn figures(&self) -> impl Iterator<Item = u64> {
        let sums = self.settings.iter().flatten().chain([&self.few_others, &self.plain_numbers]);
        sums.flat_map(|sum| [sum.keys, sum.footprint_bytes, sum.saved_bytes])
    }

    /// Takes over the sums of another.
    pub fn merge(&mut self, other: &Savings) {
        for (sum, more) in self.settings.iter_mut().flatten().zip(other.settings.iter().flatten()) {
            sum.merge(more);
        }
        self.few_others.merge(&other.few_others);
        self.plain_numbers.merge(&other.plain_numbers);
    }
}

/// What would save memory.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SavingsRow {
    /// Settings that keep values from being packed which are not far above them.
    pub settings: Vec<SettingRow>,
    /// Other forms of values.
    pub forms: Vec<FormRow>,
    /// Patterns of small strings, and what they would take as fields of hashes; those that save most.
    pub small_strings: Vec<SmallStringsRow>,
    /// Fields of each such hash.
    pub fields_per_hash: u64,
}

/// A setting, and the values that are kept from being packed by it alone.
#[derive(Clone, Debug, Serialize)]
pub struct SettingRow {
    /// Its name on the modelled server.
    pub setting: &'static str,
    /// What it is set to.
    pub value: u64,
    /// Values for which twice that would do.
    pub within_twice: Saved,
    /// Values for which four times that would do, the former included.
    pub within_four_times: Saved,
}

/// What kind of form would save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Sets of integers with a few other members.
    MixedIntegerSets,
    /// Numbers with leading zeros, signs, spaces or decimals.
    PlainNumbers,
    /// Long strings that the server compressed for the dump; the saving is at least so much.
    CompressibleStrings,
}

/// Values that would save in another form.
#[derive(Clone, Debug, Serialize)]
pub struct FormRow {
    /// Which form.
    pub form: Form,
    /// Sums.
    #[serde(flatten)]
    pub saved: Saved,
}

/// A pattern of small strings.
#[derive(Clone, Debug, Serialize)]
pub struct SmallStringsRow {
    /// A glob that matches the names.
    pub pattern: String,
    /// Average bytes of a value.
    pub value_bytes: u64,
    /// Average bytes of a key with all that it takes.
    pub key_footprint_bytes: u64,
    /// Sums; the saving is worked out for a hash of average fields.
    #[serde(flatten)]
    pub saved: Saved,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_sum_and_sums_merge() {
        let saving = |waste, saved_bytes| Saving { waste, saved_bytes };
        let all = [
            (saving(Waste::Setting(Setting::ZsetValue, Near::FourTimes), 5), 10),
            (saving(Waste::Setting(Setting::HashEntries, Near::Twice), 7), 20),
            (saving(Waste::FewOthers, 1), 30),
            (saving(Waste::PlainNumber, 2), 40),
        ];
        let mut one = Savings::default();
        all.iter().for_each(|(saving, bytes)| one.observe(saving, *bytes));
        assert_eq!(one.settings[6], [Saved::default(), Saved { keys: 1, footprint_bytes: 10, saved_bytes: 5 }]);
        assert_eq!(one.settings[0], [Saved { keys: 1, footprint_bytes: 20, saved_bytes: 7 }, Saved::default()]);
        let mut two = one.clone();
        two.merge(&one);
        let mut twice = Savings::default();
        all.iter().chain(&all).for_each(|(saving, bytes)| twice.observe(saving, *bytes));
        assert_eq!(two, twice);
        assert_eq!(twice.few_others, Saved { keys: 2, footprint_bytes: 60, saved_bytes: 2 });
        assert_eq!(twice.plain_numbers.keys, 2);
    }
}

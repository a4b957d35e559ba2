//! The patterns of two tables side by side, as fine as both can have them.
//!
//! Two tables may have folded the same names differently: `user:alice` where there are few users, `user:*` where there are
//! many. The trie of the union of their keys folds for both; it depends on the names alone, not on how many keys or bytes
//! they stand for, so each table gets it by taking in the other without its sums.

use std::collections::BTreeMap;

use super::{PatternStats, PatternTable};

/// A pattern and what the keys of each of two tables add up to; a table without such keys has none there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedPattern {
    /// As [`super::Pattern::text`].
    pub text: Vec<u8>,
    /// As [`super::Pattern::named`].
    pub named: Option<String>,
    /// Sums over the keys of the first table.
    pub old: PatternStats,
    /// Sums over the keys of the second table.
    pub new: PatternStats,
}

/// The patterns of the keys of both tables, which have the same rules and limits, by text.
pub fn align(old: PatternTable, new: PatternTable) -> Vec<AlignedPattern> {
    let (names_of_old, names_of_new) = (old.without_sums(), new.without_sums());
    let mut rows: BTreeMap<(Vec<u8>, Option<String>), (PatternStats, PatternStats)> = BTreeMap::new();
    for (mut table, other, is_old) in [(old, names_of_new, true), (new, names_of_old, false)] {
        table.merge(other);
        for pattern in table.finish() {
            let (old, new) = rows.entry((pattern.text, pattern.named)).or_default();
            if is_old { old } else { new }.merge(&pattern.stats);
        }
    }
    rows.into_iter().map(|((text, named), (old, new))| AlignedPattern { text, named, old, new }).collect()
}

impl PatternTable {
    /// The same names, for which there are no keys.
    fn without_sums(&self) -> PatternTable {
        let mut names = self.clone();
        names.pool.cells.iter_mut().chain(&mut names.named).for_each(|sums| *sums = PatternStats::default());
        names
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{PatternKey, PatternOptions, PatternRules};
    use super::*;

    fn table(names: &[String]) -> PatternTable {
        let mut table = PatternTable::default();
        for name in names {
            table.observe(name.as_bytes(), &PatternKey { memory_bytes: 10, ..PatternKey::default() });
        }
        table
    }

    fn aligned(old: &[String], new: &[String]) -> Vec<(String, u64, u64)> {
        let text = |row: &AlignedPattern| String::from_utf8(row.text.clone()).unwrap();
        let rows = align(table(old), table(new));
        rows.iter().map(|row| (text(row), row.old.keys, row.new.keys)).collect()
    }

    /// Names of letters, so that none is folded by itself.
    fn letters(prefix: &str, count: usize) -> Vec<String> {
        let letter = |n: usize| char::from(b'g' + n as u8);
        (0..count).map(|n| format!("{prefix}{}{}", letter(n / 16), letter(n % 16))).collect()
    }

    #[test]
    fn what_one_side_folds_is_folded_for_both() {
        let few = [letters("user:", 3), letters("job:", 2)].concat();
        let many = [letters("user:", 200), letters("job:", 2)].concat();
        let both = [("job:gg", 1, 1), ("job:gh", 1, 1), ("user:*", 3, 200)];
        let rows = |rows: &[(&str, u64, u64)]| -> Vec<(String, u64, u64)> {
            rows.iter().map(|(text, old, new)| ((*text).to_owned(), *old, *new)).collect()
        };
        assert_eq!(aligned(&few, &many), rows(&both));
        assert_eq!(aligned(&many, &few), rows(&both.map(|(text, old, new)| (text, new, old))));
        // Neither is folded alone, but what both have together is.
        let all = letters("user:", 80);
        let (first, second) = all.split_at(40);
        assert_eq!(aligned(first, second), rows(&[("user:*", 40, 40)]));
    }

    #[test]
    fn only_what_is_new_or_gone_is() {
        let old = [letters("user:", 3), vec!["gone:x".to_owned()]].concat();
        let new = [letters("user:", 3), vec!["new:y".to_owned()]].concat();
        let rows = aligned(&old, &new);
        let of = |name: &str| rows.iter().find(|(text, ..)| text == name).map(|(_, old, new)| (*old, *new));
        assert_eq!((of("gone:x"), of("new:y"), of("user:gg")), (Some((1, 0)), Some((0, 1)), Some((1, 1))));
        assert!(aligned(&[], &[]).is_empty());
    }

    #[test]
    fn named_groups_stand_side_by_side() {
        let options = PatternOptions { groups: vec!["jobs=^job".to_owned()], ..PatternOptions::default() };
        let rules = Arc::new(PatternRules::new(&options).unwrap());
        let table = |names: &[&str]| {
            let mut table = PatternTable::new(Arc::clone(&rules));
            names.iter().for_each(|name| table.observe(name.as_bytes(), &PatternKey::default()));
            table
        };
        let rows = align(table(&["job:1", "a"]), table(&["job:2", "job:3"]));
        let jobs = rows.iter().find(|row| row.named.is_some()).unwrap();
        assert_eq!((&*jobs.text, jobs.old.keys, jobs.new.keys), (&b"jobs"[..], 1, 2));
    }
}

//! What the user says about names: other separators, and groups of his own.

use regex::bytes::{Regex, RegexSet};
use serde::{Deserialize, Serialize};

use super::classes::{Classes, JOINERS, SEPARATORS, classes};

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternOptions {
    /// Characters that end a segment of a name; the usual ones if absent.
    pub separators: Option<String>,
    /// Groups of keys that are not folded, as `NAME=REGEX` or only the expression; the first that matches has the key.
    pub groups: Vec<String>,
}

/// A group of keys that the user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGroup {
    /// Its name.
    pub name: String,
    /// The expression that the keys' names contain a match of.
    pub regex: String,
}

/// How names become patterns.
#[derive(Debug)]
pub struct PatternRules {
    classes: Box<Classes>,
    usual: bool,
    named: Vec<NamedGroup>,
    /// None if there are no named groups.
    regexes: Option<RegexSet>,
}

/// The classes by the usual separators.
pub(super) static USUAL: Classes = classes(SEPARATORS, JOINERS);

impl Default for PatternRules {
    fn default() -> PatternRules {
        PatternRules { classes: Box::new(USUAL), usual: true, named: Vec::new(), regexes: None }
    }
}

impl PatternRules {
    /// The rules that the options ask for.
    ///
    /// # Errors
    /// If a separator cannot be one, or an expression is none: which, and why.
    pub fn new(options: &PatternOptions) -> Result<PatternRules, String> {
        let mut rules = PatternRules::default();
        if let Some(separators) = &options.separators {
            if let Some(other) = separators.chars().find(|c| !c.is_ascii_punctuation() || "*?[\\".contains(*c)) {
                return Err(format!(
                    "{other:?} cannot separate: only ASCII punctuation can, without *, ?, [ and \\, which globs have"
                ));
            }
            *rules.classes = classes(separators.as_bytes(), JOINERS);
            rules.usual = *rules.classes == USUAL;
        }
        for group in &options.groups {
            let (name, regex) = match group.split_once('=') {
                Some((name, regex)) if is_name(name) => (name, regex),
                _ => (group.as_str(), group.as_str()),
            };
            // One by one, so that the message is about this one.
            Regex::new(regex).map_err(|error| error.to_string())?;
            rules.named.push(NamedGroup { name: name.to_owned(), regex: regex.to_owned() });
        }
        if !rules.named.is_empty() {
            let all = RegexSet::new(rules.named.iter().map(|group| &group.regex)).map_err(|error| error.to_string())?;
            rules.regexes = Some(all);
        }
        Ok(rules)
    }

    /// The groups that the user names.
    pub fn named(&self) -> &[NamedGroup] {
        &self.named
    }

    #[inline(always)]
    pub(super) fn named_group(&self, key: &[u8]) -> Option<usize> {
        // Out of line, so that keys without groups pay for one comparison.
        #[cold]
        fn first_match(regexes: &RegexSet, key: &[u8]) -> Option<usize> {
            regexes.matches(key).iter().next()
        }
        first_match(self.regexes.as_ref()?, key)
    }

    #[inline]
    pub(super) fn are_usual(&self) -> bool {
        self.usual
    }

    pub(super) fn classes(&self) -> &Classes {
        &self.classes
    }
}

/// Whether the text before a `=` is a name, and not the start of an expression.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || " _-.:/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_cannot_be() {
        let separators = |text: &str| {
            PatternRules::new(&PatternOptions { separators: Some(text.to_owned()), ..PatternOptions::default() })
        };
        assert!(separators(":|").is_ok() && separators("").is_ok());
        assert!(separators(std::str::from_utf8(SEPARATORS).unwrap()).unwrap().are_usual());
        for wrong in ["a", "1", "*", "\u{e9}", ": "] {
            assert!(separators(wrong).unwrap_err().contains("cannot separate"), "{wrong}");
        }
        let groups =
            |text: &str| PatternRules::new(&PatternOptions { groups: vec![text.to_owned()], ..Default::default() });
        assert!(groups("bad=(").unwrap_err().contains("unclosed"));
        let named = |text: &str| {
            let group = groups(text).unwrap().named()[0].clone();
            (group.name, group.regex)
        };
        assert_eq!(named("user sessions=^s:"), ("user sessions".to_owned(), "^s:".to_owned()));
        assert_eq!(named("^a=b$"), ("^a=b$".to_owned(), "^a=b$".to_owned()));
    }
}

//! Whether dumps are whole and keep the rules.

pub mod baseline;
pub mod evaluate;
pub mod keys;
pub mod rule;
pub mod rules;

use serde::Serialize;

pub use baseline::Baseline;
pub use evaluate::{Evidence, InDepth, check};
pub use rule::Rule;
pub use rules::{Level, Rules};

use crate::analyze::Summary;

/// Name and version of the JSON document.
pub const SCHEMA: &str = "rdbscope-check/1";

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the program.
    pub rdbscope: &'static str,
    /// Whether every dump is whole, and no finding as grave as what the run is to fail on.
    pub passed: bool,
    /// What the run is to fail on; absent if on nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Level>,
    /// The time that ages and ignores are measured by, RFC 3339.
    pub checked_at: String,
    /// The dumps, and whether each is whole.
    pub dumps: Vec<DumpVerdict>,
    /// Keys in all dumps that count.
    pub keys: u64,
    /// What they add to used_memory.
    pub footprint_bytes: u64,
    /// What breaks a rule, gravest first.
    pub findings: Vec<Finding>,
    /// What breaks a rule, but is known and let pass.
    pub ignored: Vec<Ignored>,
    /// Rules that could not be checked, and why.
    pub not_checked: Vec<NotChecked>,
    /// The figures behind it, for outputs that show them.
    #[serde(skip)]
    pub summary: Option<Box<Summary>>,
}

/// A dump that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct DumpVerdict {
    /// Name of its node.
    pub name: String,
    /// Path, or `-`.
    pub path: String,
    /// Whether it was read to its end, with a checksum that is not wrong and no broken value.
    pub whole: bool,
    /// `right`, `wrong`, `off`, `none` or `not reached`.
    pub checksum: &'static str,
    /// Keys in it.
    pub keys: u64,
    /// Bytes of the RDB that were read.
    pub rdb_bytes: u64,
    /// When it was saved, by its own word, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_at: Option<String>,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub level: Level,
    /// Which rule.
    pub rule: Rule,
    /// What it is about.
    pub subject: Subject,
    /// What is wrong, and how far over the limit, in words.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Finding {
    /// What is wrong, and with which dump, node or pattern.
    pub fn sentence(&self) -> String {
        let Subject { path, node, pattern, .. } = &self.subject;
        let place = match (self.rule, path, node) {
            (Rule::BigKey, ..) => None,
            (_, Some(path), _) => Some(path),
            (Rule::NodeImbalance | Rule::MaxMemory | Rule::Growth, None, Some(node)) => Some(node),
            (Rule::Growth | Rule::NewPattern, None, None) => pattern.as_ref(),
            _ => None,
        };
        place.map_or_else(|| self.text.clone(), |place| format!("{place}: {}", self.text))
    }
}

/// What a finding is about. What does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Path of the dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Offset in the dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_byte: Option<u64>,
    /// Name of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Pattern of keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u16>,
    /// Module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

impl Subject {
    /// The names by which an ignore can mean it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.key, &self.pattern, &self.module, &self.node].into_iter().flatten().map(String::as_str)
    }

    /// In one word, for outputs that have a column for it.
    pub fn text(&self) -> String {
        let slot = self.slot.map(|slot| format!("slot {slot}"));
        let names = [&self.key, &self.pattern, &self.module];
        let name = names.into_iter().flatten().next().cloned().or(slot);
        name.or_else(|| self.node.clone()).or_else(|| self.path.clone()).unwrap_or_else(|| "cluster".to_owned())
    }
}

/// A finding that is let pass.
#[derive(Clone, Debug, Serialize)]
pub struct Ignored {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it is let pass.
    pub reason: String,
    /// Until when.
    pub until: String,
}

/// A rule that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotChecked {
    /// Which.
    pub rule: Rule,
    /// Why.
    pub why: String,
}

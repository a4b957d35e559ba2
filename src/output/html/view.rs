//! Texts, figures and lists as the templates want them.

use std::collections::BTreeSet;

use crate::analyze::summary::{Summary, TYPE_NAMES};
use crate::record::ValueType;
use crate::units;
pub(super) use crate::units::plural;

/// Characters of a name that are shown, and that its `title` has.
pub(super) const NAME_SHOWN: usize = 120;
pub(super) const NAME_TITLE: usize = 500;
/// Rows of a list that are seen at once; the rest is folded away.
pub(super) const SHOWN: usize = 20;
/// Rows of a list that are on the page at all.
pub(super) const LISTED: usize = 100;

/// A figure of a table: what is shown, its exact value for the `title`, and what its column is sorted by; the last two are
/// empty where the text says it already. Without a text there is no figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figure {
    pub(super) text: String,
    pub(super) exact: String,
    pub(super) value: String,
}

impl Figure {
    pub(super) fn bytes(bytes: u64) -> Figure {
        let exact = if bytes < 1024 { String::new() } else { format!("{} bytes", units::count(bytes)) };
        Figure { text: units::bytes(bytes), exact, value: bytes.to_string() }
    }

    /// Bytes that may be below nothing.
    pub(super) fn signed(bytes: i64) -> Figure {
        let figure = Figure::bytes(bytes.unsigned_abs());
        if bytes >= 0 {
            return figure;
        }
        let minus = |text: String| if text.is_empty() { text } else { format!("\u{2212}{text}") };
        Figure { text: minus(figure.text), exact: minus(figure.exact), value: bytes.to_string() }
    }

    pub(super) fn count(n: u64) -> Figure {
        let value = if n < 1000 { String::new() } else { n.to_string() };
        Figure { text: units::count(n), exact: String::new(), value }
    }

    /// A number, of which none is no figure.
    pub(super) fn count_if_any(n: u64) -> Figure {
        if n == 0 { Figure::default() } else { Figure::count(n) }
    }

    /// `part` of `whole` in per cent.
    pub(super) fn share(part: u64, whole: u64) -> Figure {
        let value = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        Figure { text: units::percent(part, whole), exact: String::new(), value: format!("{value:.6}") }
    }

    pub(super) fn duration(ms: u64) -> Figure {
        Figure { text: units::duration_ms(ms), exact: String::new(), value: ms.to_string() }
    }

    pub(super) fn micros(us: u64) -> Figure {
        Figure { text: units::duration_us(us), exact: String::new(), value: us.to_string() }
    }

    /// A ratio, given in hundredths.
    pub(super) fn ratio(percent: u64) -> Figure {
        Figure { text: units::ratio(percent as f64 / 100.0), exact: String::new(), value: percent.to_string() }
    }

    /// The same figure in other words.
    pub(super) fn called(self, text: String) -> Figure {
        Figure { text, ..self }
    }
}

/// A list of which the first rows are seen, the next are folded away, and the last are left out.
pub(super) struct List<T> {
    pub(super) first: Vec<T>,
    pub(super) rest: Vec<T>,
    pub(super) left_out: usize,
}

impl<T> List<T> {
    pub(super) fn new<'r, R: 'r>(rows: &'r [R], shown: usize, listed: usize, view: impl Fn(&'r R) -> T) -> List<T> {
        // A fold that hides only a few rows is worth less than it costs.
        let shown = if rows.len() <= shown + shown / 4 { rows.len() } else { shown };
        let mut first: Vec<T> = rows.iter().take(listed).map(view).collect();
        let rest = first.split_off(shown.min(first.len()));
        List { left_out: rows.len() - first.len() - rest.len(), first, rest }
    }

    /// The rows that are seen at once, and those that are folded away, if any; with their class.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&[T], &'static str)> {
        let parts = [(self.first.as_slice(), ""), (self.rest.as_slice(), "rest")];
        parts.into_iter().filter(|(rows, class)| class.is_empty() || !rows.is_empty())
    }
}

/// A text that may be long: what is shown, and the `title` with more of it (empty if all is shown).
pub(super) struct Name {
    pub(super) text: String,
    pub(super) title: String,
}

impl Name {
    pub(super) fn new(text: &str) -> Name {
        let Some((cut, _)) = text.char_indices().nth(NAME_SHOWN) else {
            return Name { text: text.to_owned(), title: String::new() };
        };
        let title = match text.char_indices().nth(NAME_TITLE) {
            Some((end, _)) => {
                format!("{}\u{2026} ({} characters)", &text[..end], units::count(text.chars().count() as u64))
            }
            None => text.to_owned(),
        };
        Name { text: format!("{}\u{2026}", &text[..cut]), title }
    }
}

/// A time, short, with all of it for the `title`.
pub(super) struct Time {
    pub(super) text: String,
    pub(super) exact: String,
}

/// `2026-01-01 00:00:00` of `2026-01-01T00:00:00.000Z`; a time that is no date stays as it is.
pub(super) fn time_view(rfc3339: &str) -> Time {
    let text = match rfc3339.split_once('T') {
        Some((date, time)) => format!("{date} {}", time.split(['.', 'Z']).next().unwrap_or(time)),
        None => rfc3339.to_owned(),
    };
    Time { text, exact: rfc3339.to_owned() }
}

/// The same without its seconds.
pub(super) fn minute_view(rfc3339: &str) -> Time {
    let mut time = time_view(rfc3339);
    if time.text.len() > "2026-01-01 00:00".len()
        && time.text.ends_with(|c: char| c.is_ascii_digit())
        && rfc3339.contains('T')
    {
        time.text.truncate(time.text.len() - ":00".len());
    }
    time
}

/// The words as a sentence: with a capital and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    let stop = if words.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.map_or(String::new(), String::from), chars.as_str())
}

/// Each name once, in their order.
pub(super) fn joined<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// Classes of the types' colours, by [`ValueType::index`].
pub(super) const TYPE_CLASSES: [&str; 7] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6"];

pub(super) fn type_class(value_type: ValueType) -> &'static str {
    TYPE_CLASSES[value_type.index()]
}

/// The class of a name of `TYPE_NAMES`.
pub(super) fn name_class(name: &str) -> &'static str {
    TYPE_NAMES.iter().zip(TYPE_CLASSES).find(|(known, _)| **known == name).map_or("t6", |(_, class)| class)
}

pub(super) fn is_cluster(summary: &Summary) -> bool {
    summary.cluster.is_some() || summary.dumps.iter().any(|dump| dump.cluster_mode)
}

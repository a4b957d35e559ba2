//! The groups of names: pictures of their sizes, one for each measure, and a table.

use super::charts::{Key, part, rounded};
use super::nodes::type_legend;
use super::treemap::{Rect, squarified};
use super::view::{Figure, LISTED, List, Name, SHOWN, name_class, plural};
use crate::analyze::summary::{LeftOut, PatternRow, Summary};
use crate::units;

/// Rectangles of a picture; smaller patterns are one together.
const DRAWN: usize = 60;
/// How much wider than high the pictures are.
const ASPECT: f64 = 2.6;
/// From which width and height on a rectangle has its name written in it, and its figure too; in per cent of the picture.
const NAMED: (f64, f64) = (4.5, 6.5);
const WITH_FIGURE: f64 = 12.0;
/// Characters of a name that may fit into a rectangle.
const NAME_IN_MAP: usize = 48;
/// Classes of what is of several types, and of several patterns.
const MIXED: &str = "mix";
const OTHERS: &str = "others";

pub(super) struct PatternsView {
    pub(super) maps: Vec<MapView>,
    pub(super) legend: Vec<Key>,
    pub(super) rows: List<PatternView>,
    pub(super) left_out: String,
}

/// A picture of the patterns by one measure.
pub(super) struct MapView {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) says: String,
    pub(super) rects: Vec<MapRect>,
}

/// A pattern in a picture.
pub(super) struct MapRect {
    pub(super) place: Rect,
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) figure: String,
    pub(super) title: String,
    /// The row of the table, if it is there.
    pub(super) row: String,
    pub(super) has_name: bool,
    pub(super) has_figure: bool,
}

pub(super) struct PatternView {
    pub(super) id: String,
    pub(super) name: Name,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) width: f64,
    pub(super) average: Figure,
    pub(super) largest: Figure,
    pub(super) elements: Figure,
    pub(super) serialized: Figure,
    pub(super) persistent: Figure,
    pub(super) persistent_share: Figure,
    pub(super) expired: Figure,
    pub(super) types: Vec<(&'static str, &'static str)>,
}

/// What the area of a rectangle stands for.
struct Measure {
    id: &'static str,
    label: &'static str,
    of_pattern: fn(&PatternRow) -> u64,
    of_left_out: fn(&LeftOut) -> u64,
    text: fn(u64) -> String,
}

const MEASURES: [Measure; 4] = [
    Measure {
        id: "by-memory",
        label: "Memory",
        of_pattern: |row| row.footprint_bytes,
        of_left_out: |rest| rest.footprint_bytes,
        text: units::bytes,
    },
    Measure {
        id: "by-keys",
        label: "Keys",
        of_pattern: |row| row.keys,
        of_left_out: |rest| rest.keys,
        text: |n| plural(n, "key", "keys"),
    },
    Measure {
        id: "by-elements",
        label: "Elements",
        of_pattern: |row| row.elements,
        of_left_out: |rest| rest.elements,
        text: |n| plural(n, "element", "elements"),
    },
    Measure {
        id: "by-serialized",
        label: "Serialized",
        of_pattern: |row| row.serialized_bytes,
        of_left_out: |rest| rest.serialized_bytes,
        text: units::bytes,
    },
];

/// The id of the row of a pattern.
fn row_id(number: usize) -> String {
    format!("pattern-{number}")
}

fn type_names(row: &PatternRow) -> String {
    row.types.join(", ")
}

fn map_view(summary: &Summary, measure: &Measure) -> MapView {
    let mut rows: Vec<(usize, &PatternRow, u64)> = summary
        .patterns
        .iter()
        .enumerate()
        .map(|(number, row)| (number, row, (measure.of_pattern)(row)))
        .filter(|(.., size)| *size > 0)
        .collect();
    rows.sort_by_key(|&(number, _, size)| (std::cmp::Reverse(size), number));
    let small = rows.split_off(rows.len().min(DRAWN));
    let left_out = &summary.patterns_left_out;
    let others = small.len() as u64 + left_out.rows;
    let others_size = small.iter().map(|(.., size)| size).sum::<u64>() + (measure.of_left_out)(left_out);
    let total = rows.iter().map(|(.., size)| size).sum::<u64>() + others_size;

    // The others have their place among the rest by size: the layout wants it so.
    let mut sizes: Vec<(u64, Option<(usize, &PatternRow)>)> =
        rows.iter().map(|&(number, row, size)| (size, Some((number, row)))).collect();
    if others_size > 0 {
        let at = sizes.partition_point(|(size, _)| *size >= others_size);
        sizes.insert(at, (others_size, None));
    }
    let places = squarified(&sizes.iter().map(|(size, _)| *size).collect::<Vec<_>>(), ASPECT);
    let rects = places.iter().zip(&sizes).map(|(place, &(size, pattern))| {
        let text = (measure.text)(size);
        let share = units::percent(size, total);
        let (name, class, what, row) = match pattern {
            Some((number, row)) => {
                let class = if let [one] = row.types[..] { name_class(one) } else { MIXED };
                let id = if number < LISTED { row_id(number) } else { String::new() };
                (Name::new(&row.pattern).text, class, type_names(row), id)
            }
            None => (plural(others, "other pattern", "other patterns"), OTHERS, String::new(), String::new()),
        };
        MapRect {
            title: format!("{name}: {text} ({share}){}{what}", if what.is_empty() { "" } else { "; " }),
            name: name.chars().take(NAME_IN_MAP).collect(),
            figure: text,
            class,
            row,
            has_name: place.width >= NAMED.0 && place.height >= NAMED.1,
            has_figure: place.height >= WITH_FIGURE,
            place: Rect {
                x: rounded(place.x),
                y: rounded(place.y),
                width: rounded(place.width),
                height: rounded(place.height),
            },
        }
    });
    let largest = rows.first().map_or(String::new(), |(_, row, size)| {
        format!(
            "; the most, {} ({}), is of {}",
            (measure.text)(*size),
            units::percent(*size, total),
            Name::new(&row.pattern).text
        )
    });
    MapView {
        id: measure.id,
        label: measure.label,
        says: format!("Key patterns by {}{largest}", measure.label.to_lowercase()),
        rects: rects.collect(),
    }
}

pub(super) fn patterns_view(summary: &Summary) -> PatternsView {
    let total = summary.totals.footprint_bytes;
    let largest = summary.patterns.iter().map(|row| row.footprint_bytes).max().unwrap_or(0);
    let numbered: Vec<(usize, &PatternRow)> = summary.patterns.iter().enumerate().collect();
    let view = |&(number, row): &(usize, &PatternRow)| PatternView {
        id: row_id(number),
        name: Name::new(&row.pattern),
        keys: Figure::count(row.keys),
        memory: Figure::bytes(row.footprint_bytes),
        share: Figure::share(row.footprint_bytes, total),
        width: part(row.footprint_bytes, largest),
        average: Figure::bytes(row.footprint_bytes.checked_div(row.keys).unwrap_or(0)),
        largest: Figure::bytes(row.largest_bytes),
        elements: Figure::count(row.elements),
        serialized: Figure::bytes(row.serialized_bytes),
        persistent: Figure::count(row.persistent_keys),
        persistent_share: Figure::share(row.persistent_keys, row.keys),
        expired: Figure::count_if_any(row.expired_keys),
        types: row.types.iter().map(|name| (*name, name_class(name))).collect(),
    };
    let rows = List::new(&numbered, SHOWN, LISTED, view);
    let listed = rows.first.len() + rows.rest.len();
    let unlisted = summary.patterns.get(listed..).unwrap_or_default();
    let left_out = &summary.patterns_left_out;
    let count = left_out.rows + unlisted.len() as u64;
    let keys = left_out.keys + unlisted.iter().map(|row| row.keys).sum::<u64>();
    let bytes = left_out.footprint_bytes + unlisted.iter().map(|row| row.footprint_bytes).sum::<u64>();
    let maps: Vec<MapView> = MEASURES.iter().map(|measure| map_view(summary, measure)).collect();
    let is_drawn = |class| maps.iter().flat_map(|map| &map.rects).any(|rect| rect.class == class);
    let mut legend = type_legend(&summary.types);
    for (class, label) in [(MIXED, "several types"), (OTHERS, "other patterns")] {
        if is_drawn(class) {
            legend.push(Key { class, label: label.to_owned() });
        }
    }
    PatternsView {
        maps,
        legend,
        rows,
        left_out: if count == 0 {
            String::new()
        } else {
            format!(
                "{} smaller {} left out: together {} and {} ({}).",
                units::count(count),
                if count == 1 { "pattern is" } else { "patterns are" },
                plural(keys, "key", "keys"),
                units::bytes(bytes),
                units::percent(bytes, total)
            )
        },
    }
}

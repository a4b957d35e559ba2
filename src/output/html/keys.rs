//! The lists of keys: the biggest, the longest, the hottest.

use super::charts::part;
use super::view::{Figure, LISTED, List, Name, SHOWN, Time, is_cluster, minute_view, name_class, type_class};
use crate::analyze::summary::{KeyRow, Summary};

/// Rows of the other lists of keys that are on the page at all.
pub(super) const LISTED_KEYS: usize = 40;
/// Rows of each type's list of keys that are seen at once, and that are on the page at all.
const SHOWN_OF_TYPE: usize = 10;
const LISTED_OF_TYPE: usize = 25;

pub(super) struct KeysView {
    pub(super) columns: KeyColumns,
    pub(super) biggest: List<KeyView>,
    pub(super) of_type: Vec<TypeTopView>,
    pub(super) longest: List<KeyView>,
}

/// Which columns the lists of keys have: those in which anything would stand.
#[derive(Clone, Copy)]
pub(super) struct KeyColumns {
    pub(super) value_type: bool,
    pub(super) database: bool,
    pub(super) node: bool,
    pub(super) slot: bool,
    pub(super) freq: bool,
    pub(super) idle: bool,
}

pub(super) struct KeyView {
    pub(super) name: Name,
    pub(super) type_name: String,
    pub(super) class: &'static str,
    pub(super) encoding: &'static str,
    pub(super) database: u64,
    pub(super) elements: Figure,
    pub(super) largest_element: Figure,
    pub(super) memory: Figure,
    pub(super) usage: Figure,
    pub(super) serialized: Figure,
    pub(super) expiry: Option<Time>,
    pub(super) node: Name,
    pub(super) slot: u16,
    pub(super) freq: Figure,
    pub(super) idle: Figure,
    pub(super) width: f64,
}

pub(super) struct TypeTopView {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) label: String,
    pub(super) columns: KeyColumns,
    pub(super) keys: List<KeyView>,
}

/// The columns of a list of keys of any type.
pub(super) fn key_columns(summary: &Summary) -> KeyColumns {
    KeyColumns {
        value_type: true,
        database: summary.databases.len() > 1,
        node: summary.nodes.len() > 1,
        slot: is_cluster(summary),
        freq: summary.freq.is_some(),
        idle: summary.idle.is_some(),
    }
}

pub(super) fn keys_view(summary: &Summary) -> KeysView {
    let columns = key_columns(summary);
    let by_memory = |keys: &[KeyRow], shown, listed| {
        let top = keys.iter().filter_map(|key| key.footprint_bytes).max().unwrap_or(0);
        List::new(keys, shown, listed, |key| key_view(key, part(key.footprint_bytes.unwrap_or(0), top)))
    };
    let most = summary.longest.iter().filter_map(|key| key.num_elements).max().unwrap_or(0);
    KeysView {
        columns,
        biggest: by_memory(&summary.biggest, SHOWN, LISTED),
        of_type: summary
            .biggest_of_type
            .iter()
            .map(|top| TypeTopView {
                name: top.value_type,
                class: name_class(top.value_type),
                label: format!("Biggest keys of type {}", top.value_type),
                columns: KeyColumns { value_type: top.value_type == "module", ..columns },
                keys: by_memory(&top.keys, SHOWN_OF_TYPE, LISTED_OF_TYPE),
            })
            .collect(),
        longest: List::new(&summary.longest, SHOWN, LISTED_KEYS, |key| {
            key_view(key, part(key.num_elements.unwrap_or(0), most))
        }),
    }
}

pub(super) fn key_view(key: &KeyRow, width: f64) -> KeyView {
    KeyView {
        name: Name::new(&key.key),
        type_name: Name::new(key.value_type.as_str()).text,
        class: type_class(key.value_type),
        encoding: key.encoding.unwrap_or(""),
        database: key.database,
        elements: key.num_elements.map(Figure::count).unwrap_or_default(),
        largest_element: key.len_largest_element.map(Figure::bytes).unwrap_or_default(),
        memory: key.footprint_bytes.map(Figure::bytes).unwrap_or_default(),
        usage: key.size_in_bytes.map(Figure::bytes).unwrap_or_default(),
        serialized: Figure::bytes(key.serialized_bytes),
        expiry: key.expiry.as_deref().map(minute_view),
        node: Name::new(&key.node),
        slot: key.slot,
        freq: key.freq.map(|freq| Figure::count(u64::from(freq))).unwrap_or_default(),
        idle: key.idle_seconds.map(|seconds| Figure::duration(seconds.saturating_mul(1000))).unwrap_or_default(),
        width,
    }
}

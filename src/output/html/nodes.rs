//! The nodes: how even they are, and what their memory is made of.

use super::causes::{CauseView, ScaledView, causes_view, scaled_view};
use super::charts::{Bar, Key, Segment, part, rounded};
use super::view::{Figure, List, Name, SHOWN, type_class};
use crate::analyze::summary::{NodeRow, Summary, TypeRow};
use crate::record::ValueType;
use crate::units;

/// Bars of a chart of nodes.
pub(super) const NODE_BARS: usize = 64;

pub(super) struct NodesView<'s> {
    pub(super) imbalance: String,
    pub(super) legend: Vec<Key>,
    pub(super) bars: Vec<Bar>,
    pub(super) bars_left_out: usize,
    pub(super) mean: Option<f64>,
    pub(super) type_names: Vec<String>,
    pub(super) by_type: List<(Name, Vec<Figure>)>,
    pub(super) rows: List<NodeView<'s>>,
    pub(super) any_owner: bool,
    pub(super) any_heat: bool,
    pub(super) many: bool,
    pub(super) causes: Vec<CauseView>,
    pub(super) scaled: Vec<ScaledView>,
}

pub(super) struct NodeView<'s> {
    pub(super) row: &'s NodeRow,
    pub(super) name: Name,
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) share: Figure,
    pub(super) used: Figure,
    pub(super) slots: Figure,
    pub(super) slots_with_keys: Figure,
    pub(super) misplaced: Figure,
    pub(super) heat: Figure,
}

pub(super) fn nodes_view(summary: &Summary) -> NodesView<'_> {
    let total = summary.totals.footprint_bytes;
    let largest = summary.nodes.iter().map(|node| node.totals.footprint_bytes).max().unwrap_or(0);
    let mut charted: Vec<&NodeRow> = summary.nodes.iter().collect();
    if charted.len() > NODE_BARS {
        charted.sort_by_key(|node| std::cmp::Reverse(node.totals.footprint_bytes));
        charted.truncate(NODE_BARS);
    }
    NodesView {
        imbalance: summary.imbalance.as_ref().map_or(String::new(), |imbalance| {
            let ratio = units::ratio(imbalance.max_to_mean_per_mille as f64 / 1000.0);
            let heat = imbalance.estimated_hits_max_to_min_per_mille.map_or(String::new(), |heat| {
                format!(
                    " By the keys\u{2019} access counters, the hottest node has {} the hits of the coolest.",
                    units::ratio(heat as f64 / 1000.0)
                )
            });
            format!(
                "The fullest node, {}, holds {}: {ratio} the mean of {} (1.00x would be even).{heat}",
                Name::new(&imbalance.largest_node).text,
                units::bytes(imbalance.largest_bytes),
                units::bytes(imbalance.mean_bytes)
            )
        }),
        legend: type_legend(&summary.types),
        bars: charted.iter().map(|node| node_bar(node, largest)).collect(),
        bars_left_out: summary.nodes.len() - charted.len(),
        mean: summary.imbalance.as_ref().map(|imbalance| part(imbalance.mean_bytes, largest)),
        type_names: summary.types.iter().map(|row| Name::new(row.value_type.as_str()).text).collect(),
        by_type: List::new(&summary.nodes, SHOWN, usize::MAX, |node| {
            let of_type = |row: &TypeRow| node.by_type.iter().find(|part| part.value_type == row.value_type);
            let sizes = summary
                .types
                .iter()
                .map(|row| of_type(row).map(|part| Figure::bytes(part.footprint_bytes)).unwrap_or_default());
            (Name::new(&node.name), sizes.collect())
        }),
        rows: List::new(&summary.nodes, SHOWN, usize::MAX, |node| NodeView {
            row: node,
            name: Name::new(&node.name),
            keys: Figure::count(node.totals.keys),
            memory: Figure::bytes(node.totals.footprint_bytes),
            share: Figure::share(node.totals.footprint_bytes, total),
            used: node.used_memory_bytes.map(Figure::bytes).unwrap_or_default(),
            slots: node.slots_owned_count.map(Figure::count).unwrap_or_default(),
            slots_with_keys: Figure::count(node.slots_with_keys),
            misplaced: Figure::count(node.misplaced_keys),
            heat: node.estimated_hits.map(Figure::count).unwrap_or_default(),
        }),
        any_owner: summary.nodes.iter().any(|node| node.address.is_some()),
        any_heat: summary.nodes.iter().any(|node| node.estimated_hits.is_some()),
        many: summary.nodes.len() > 1,
        causes: causes_view(summary),
        scaled: scaled_view(summary),
    }
}

/// The types that there are; all modules have one colour.
pub(super) fn type_legend(types: &[TypeRow]) -> Vec<Key> {
    let mut legend: Vec<Key> = Vec::new();
    for row in types {
        let class = type_class(row.value_type);
        if legend.last().is_none_or(|last| last.class != class) {
            let label = match row.value_type {
                ValueType::Module(_) => "module types".to_owned(),
                plain => plain.to_string(),
            };
            legend.push(Key { class, label });
        }
    }
    legend
}

pub(super) fn node_bar(node: &NodeRow, largest: u64) -> Bar {
    let mut x = 0.0;
    let mut parts = Vec::new();
    let mut segments = Vec::new();
    for row in &node.by_type {
        let width = part(row.footprint_bytes, largest);
        segments.push(Segment { x: rounded(x), width, class: type_class(row.value_type) });
        parts.push(format!("{} {}", row.value_type, units::bytes(row.footprint_bytes)));
        x += width;
    }
    let label = Name::new(&node.name).text;
    let says = format!("{label}: {}; {}", units::bytes(node.totals.footprint_bytes), parts.join(", "));
    Bar { label, segments, value: Figure::bytes(node.totals.footprint_bytes), says }
}

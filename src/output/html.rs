//! The report as one HTML page: self-contained, without scripts, readable by a person who has never seen the tool.
//!
//! This file turns a [`Summary`] into what the templates lay out: text, exact values for the `title`s, and the geometry of
//! the charts. It works out no figure. The templates are `templates/report.html` and the sections in `templates/report/`;
//! they escape everything they are given, so a key's name is never markup.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use askama::Template;

use crate::analyze::big::Severity;
use crate::analyze::summary::{
    BucketRow, Comparison, DumpRole, DumpRow, Finding, FindingKind, KeyRow, NodeRow, PatternRow, SLOTS_PER_BIN,
    Summary, TotalsRow, TypeRow,
};
use crate::record::ValueType;
use crate::units;

/// Rows of a list that are seen at once; the rest is folded away.
const SHOWN: usize = 20;
/// Rows of a list that are on the page at all.
const LISTED: usize = 100;
/// Rows of each type's list of keys that are seen at once, and that are on the page at all.
const SHOWN_OF_TYPE: usize = 10;
const LISTED_OF_TYPE: usize = 50;
/// Bars of a chart of nodes.
const NODE_BARS: usize = 64;
/// Characters of a name that are shown, and that its `title` has.
const NAME_SHOWN: usize = 120;
const NAME_TITLE: usize = 500;
/// Height of the charts whose bars stand, in their own units; the lowest bar that is not nothing.
const STANDING: f64 = 100.0;
const LOWEST_BAR: f64 = 1.5;
/// Shades of the strip of slots; each is for four times the memory of the next.
const SHADES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
/// Heaviest slots that are seen at once.
const SHOWN_SLOTS: usize = 10;
/// Cells in a row of the table of slots.
const SLOT_COLUMNS: usize = 8;

/// Writes the page.
///
/// # Errors
/// If `out` cannot be written to.
pub fn render(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    Page::new(summary).write_into(&mut out)?;
    out.flush()
}

/// All that the templates need.
#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Page<'s> {
    summary: &'s Summary,
    title: String,
    verdict: String,
    severity: &'static str,
    tiles: Vec<Tile>,
    incomplete: Vec<String>,
    findings: List<FindingView<'s>>,
    dumps: DumpsView<'s>,
    nodes: NodesView<'s>,
    slots: SlotsView<'s>,
    types: TypesView,
    key_columns: KeyColumns,
    thresholds: ThresholdsView,
    biggest: List<KeyView>,
    biggest_of_type: Vec<TypeTopView>,
    longest: List<KeyView>,
    patterns: PatternsView,
    expiry: ExpiryView,
    heat: HeatView,
    databases: List<DatabaseView>,
    comparisons: ComparisonsView,
    settings: Vec<(&'static str, String)>,
    servers: String,
}

/// Bytes as text, with the exact number for the `title` (empty where the text says it already).
#[derive(Clone)]
struct Size {
    text: String,
    exact: String,
}

impl Size {
    fn new(bytes: u64) -> Size {
        let exact = if bytes < 1024 { String::new() } else { format!("{} bytes", units::count(bytes)) };
        Size { text: units::bytes(bytes), exact }
    }

    /// A size that may be below nothing.
    fn signed(bytes: i64) -> Size {
        let size = Size::new(bytes.unsigned_abs());
        if bytes >= 0 {
            return size;
        }
        let minus = |text: String| if text.is_empty() { text } else { format!("\u{2212}{text}") };
        Size { text: minus(size.text), exact: minus(size.exact) }
    }
}

/// A list of which the first rows are seen, the next are folded away, and the last are left out.
struct List<T> {
    first: Vec<T>,
    rest: Vec<T>,
    left_out: usize,
}

impl<T> List<T> {
    fn new<'r, R: 'r>(rows: &'r [R], shown: usize, listed: usize, view: impl Fn(&'r R) -> T) -> List<T> {
        // A fold that hides only a few rows is worth less than it costs.
        let shown = if rows.len() <= shown + shown / 4 { rows.len() } else { shown };
        let mut first: Vec<T> = rows.iter().take(listed).map(view).collect();
        let rest = first.split_off(shown.min(first.len()));
        List { left_out: rows.len() - first.len() - rest.len(), first, rest }
    }
}

/// A text that may be long: what is shown, and the `title` with more of it (empty if all is shown).
struct Name {
    text: String,
    title: String,
}

impl Name {
    fn new(text: &str) -> Name {
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

/// A figure of the header.
struct Tile {
    label: &'static str,
    value: Size,
    note: String,
}

/// A part of a bar, in per cent of its width.
struct Segment {
    x: f64,
    width: f64,
    class: &'static str,
}

/// A bar with its words.
struct Bar {
    label: String,
    segments: Vec<Segment>,
    value: Size,
    /// What the picture says, for those who do not see it.
    says: String,
}

/// An entry of a legend.
struct Key {
    class: &'static str,
    label: String,
}

struct FindingView<'s> {
    severity: &'static str,
    kind: &'static str,
    section: &'static str,
    finding: &'s Finding,
}

struct DumpsView<'s> {
    rows: List<DumpView<'s>>,
    reconciled: List<ReconciledView>,
    /// Names of the counted dumps that do not say their memory.
    silent: String,
}

struct DumpView<'s> {
    row: &'s DumpRow,
    name: Name,
    path: Name,
    saved: Option<Time>,
    keys: String,
    rdb: Size,
    role: String,
    error: Option<Name>,
    checksum_bad: bool,
    damages: Vec<(String, Name, &'s str)>,
    damages_left_out: String,
    aux: Vec<(&'s str, Name)>,
    modules: String,
}

/// A time, short, with all of it for the `title`.
struct Time {
    text: String,
    exact: String,
}

struct ReconciledView {
    bar: Bar,
    /// Where the server's own figure stands in the bar.
    mark: f64,
    used: Size,
    empty: Size,
    keys: Size,
    tables: Size,
    other: Size,
    other_share: String,
    words: String,
}

struct NodesView<'s> {
    imbalance: String,
    legend: Vec<Key>,
    bars: Vec<Bar>,
    bars_left_out: usize,
    mean: Option<f64>,
    type_names: Vec<String>,
    by_type: List<(Name, Vec<Option<Size>>)>,
    rows: List<NodeView<'s>>,
    any_owner: bool,
    any_heat: bool,
    many: bool,
}

struct NodeView<'s> {
    row: &'s NodeRow,
    name: Name,
    keys: String,
    memory: Size,
    share: String,
    used: Option<Size>,
    slots: String,
    slots_with_keys: String,
    misplaced: String,
    heat: String,
}

struct SlotsView<'s> {
    cluster: bool,
    bins: Vec<SlotBin>,
    width: usize,
    mean: f64,
    mean_text: Size,
    top: Size,
    says: String,
    with_keys: String,
    legend: Vec<Key>,
    heaviest: List<SlotView>,
    table: Vec<(String, Vec<Size>)>,
    offsets: Vec<String>,
    notes: Vec<SlotNote<'s>>,
    missing: Vec<(&'s str, &'s str, String, &'s str)>,
    misplaced: Vec<(&'s str, Name, u16)>,
}

struct SlotBin {
    x: usize,
    y: f64,
    height: f64,
    class: &'static str,
    shade: &'static str,
    title: String,
}

struct SlotView {
    slot: u16,
    node: Name,
    keys: String,
    memory: Size,
    share: String,
    width: f64,
}

struct SlotNote<'s> {
    label: &'static str,
    value: String,
    slots: &'s str,
}

struct TypesView {
    bars: Vec<Bar>,
    rows: Vec<TypeView>,
    upper_ends: Vec<Size>,
    distribution: Vec<(String, Vec<String>)>,
    any_field_expiry: bool,
}

struct TypeView {
    name: String,
    class: &'static str,
    keys: String,
    memory: Size,
    share: String,
    p50: Size,
    p99: Size,
    largest: Size,
    elements: String,
    most_elements: String,
    big: String,
    fields_with_expiry: String,
    encodings: Vec<EncodingView>,
    spark: Vec<SparkBar>,
    spark_says: String,
}

struct EncodingView {
    name: &'static str,
    keys: String,
    memory: Size,
    share: String,
    largest: Size,
    elements: String,
}

struct SparkBar {
    x: usize,
    y: f64,
    height: f64,
    title: String,
}

/// Which columns the lists of keys have: those in which anything would stand.
#[derive(Clone, Copy)]
struct KeyColumns {
    value_type: bool,
    database: bool,
    node: bool,
    slot: bool,
    freq: bool,
    idle: bool,
}

struct KeyView {
    name: Name,
    type_name: String,
    class: &'static str,
    encoding: &'static str,
    database: u64,
    elements: String,
    largest_element: Option<Size>,
    memory: Option<Size>,
    usage: Option<Size>,
    serialized: Size,
    expiry: Option<Time>,
    node: Name,
    slot: u16,
    freq: String,
    idle: String,
    width: f64,
}

struct TypeTopView {
    name: &'static str,
    class: &'static str,
    label: String,
    columns: KeyColumns,
    keys: List<KeyView>,
}

struct ThresholdsView {
    elements_warning: String,
    elements_critical: String,
    memory_warning: Size,
    memory_critical: Size,
}

struct PatternsView {
    rows: List<PatternView>,
    left_out: String,
}

struct PatternView {
    name: Name,
    keys: String,
    memory: Size,
    share: String,
    width: f64,
    average: Size,
    largest: Size,
    persistent: String,
    persistent_share: String,
    expired: String,
    types: Vec<(&'static str, &'static str)>,
}

struct ExpiryView {
    bars: Vec<Bar>,
    rows: Vec<ShareView>,
    /// The sums: never, and at some time.
    sums: Vec<ShareView>,
    any_volatile: bool,
    fields: String,
}

/// A row of a distribution.
struct ShareView {
    label: &'static str,
    keys: String,
    keys_share: String,
    memory: Size,
    memory_share: String,
}

struct HeatView {
    bands: Option<Distribution>,
    hottest: List<KeyView>,
    idle: Option<Distribution>,
    /// The tables of these distributions have no sums.
    no_sums: Vec<ShareView>,
}

struct Distribution {
    bars: Vec<Bar>,
    rows: Vec<ShareView>,
}

struct DatabaseView {
    database: u64,
    keys: String,
    memory: Size,
    share: String,
    width: f64,
    elements: String,
    expires: String,
    expires_share: String,
}

struct ComparisonsView {
    names: Vec<String>,
    rows: Vec<ComparedView>,
}

struct ComparedView {
    label: String,
    class: &'static str,
    total: bool,
    own: Size,
    others: Vec<(Size, String, &'static str)>,
}

impl<'s> Page<'s> {
    fn new(summary: &'s Summary) -> Page<'s> {
        let total = summary.totals.footprint_bytes;
        let key_columns = KeyColumns {
            value_type: true,
            database: summary.databases.len() > 1,
            node: summary.nodes.len() > 1,
            slot: is_cluster(summary),
            freq: summary.freq.is_some(),
            idle: summary.idle.is_some(),
        };
        let by_memory = |keys: &'s [KeyRow], shown, listed| {
            let top = keys.iter().filter_map(|key| key.footprint_bytes).max().unwrap_or(0);
            List::new(keys, shown, listed, |key| key_view(key, part(key.footprint_bytes.unwrap_or(0), top)))
        };
        let most = summary.longest.iter().filter_map(|key| key.num_elements).max().unwrap_or(0);
        let thresholds = &summary.big_thresholds;
        let largest_database = summary.databases.iter().map(|row| row.totals.footprint_bytes).max().unwrap_or(0);
        Page {
            summary,
            title: title(summary),
            verdict: verdict(summary),
            severity: summary.findings.iter().map(|finding| finding.severity).max().map_or("good", Severity::as_str),
            tiles: tiles(summary),
            incomplete: incomplete(summary),
            findings: List::new(&summary.findings, SHOWN, LISTED, finding_view),
            dumps: dumps_view(summary),
            nodes: nodes_view(summary),
            slots: slots_view(summary),
            types: types_view(summary),
            key_columns,
            thresholds: ThresholdsView {
                elements_warning: units::count(thresholds.elements_warning),
                elements_critical: units::count(thresholds.elements_critical),
                memory_warning: Size::new(thresholds.memory_warning_bytes),
                memory_critical: Size::new(thresholds.memory_critical_bytes),
            },
            biggest: by_memory(&summary.biggest, SHOWN, LISTED),
            biggest_of_type: summary
                .biggest_of_type
                .iter()
                .map(|top| TypeTopView {
                    name: top.value_type,
                    class: name_class(top.value_type),
                    label: format!("Biggest keys of type {}", top.value_type),
                    columns: KeyColumns { value_type: top.value_type == "module", ..key_columns },
                    keys: by_memory(&top.keys, SHOWN_OF_TYPE, LISTED_OF_TYPE),
                })
                .collect(),
            longest: List::new(&summary.longest, SHOWN, LISTED, |key| {
                key_view(key, part(key.num_elements.unwrap_or(0), most))
            }),
            patterns: patterns_view(summary),
            expiry: expiry_view(summary),
            heat: HeatView {
                bands: summary.freq.as_ref().map(|freq| distribution(&freq.bands, &summary.totals)),
                hottest: List::new(summary.freq.as_ref().map_or(&[], |freq| &freq.hottest), SHOWN, LISTED, |key| {
                    key_view(key, part(u64::from(key.freq.unwrap_or(0)), u64::from(u8::MAX)))
                }),
                idle: summary.idle.as_ref().map(|idle| distribution(idle, &summary.totals)),
                no_sums: Vec::new(),
            },
            databases: List::new(&summary.databases, SHOWN, LISTED, |row| DatabaseView {
                database: row.database,
                keys: units::count(row.totals.keys),
                memory: Size::new(row.totals.footprint_bytes),
                share: units::percent(row.totals.footprint_bytes, total),
                width: part(row.totals.footprint_bytes, largest_database),
                elements: units::count(row.totals.elements),
                expires: units::count(row.keys_with_expiry),
                expires_share: units::percent(row.keys_with_expiry, row.totals.keys),
            }),
            comparisons: comparisons_view(summary),
            settings: settings(summary),
            servers: joined(summary.dumps.iter().filter_map(|dump| dump.modelled_as.as_deref())),
        }
    }
}

/// `part` of `whole` in per cent, rounded for a drawing.
fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64 * 100.0) }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", units::count(n), if n == 1 { one } else { many })
}

/// Each name once, in their order.
fn joined<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// Classes of the types' colours, by [`ValueType::index`].
const TYPE_CLASSES: [&str; 7] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6"];

fn type_class(value_type: ValueType) -> &'static str {
    TYPE_CLASSES[value_type.index()]
}

/// The class of a name of `TYPE_NAMES`.
fn name_class(name: &str) -> &'static str {
    crate::analyze::summary::TYPE_NAMES
        .iter()
        .zip(TYPE_CLASSES)
        .find(|(known, _)| **known == name)
        .map_or("t6", |(_, class)| class)
}

fn is_cluster(summary: &Summary) -> bool {
    summary.cluster.is_some() || summary.dumps.iter().any(|dump| dump.cluster_mode)
}

/// `2026-01-01 00:00:00` of `2026-01-01T00:00:00.000Z`; a time that is no date stays as it is.
fn time_view(rfc3339: &str) -> Time {
    let text = match rfc3339.split_once('T') {
        Some((date, time)) => format!("{date} {}", time.split(['.', 'Z']).next().unwrap_or(time)),
        None => rfc3339.to_owned(),
    };
    Time { text, exact: rfc3339.to_owned() }
}

/// The same without its seconds.
fn minute_view(rfc3339: &str) -> Time {
    let mut time = time_view(rfc3339);
    if time.text.len() > "2026-01-01 00:00".len()
        && time.text.ends_with(|c: char| c.is_ascii_digit())
        && rfc3339.contains('T')
    {
        time.text.truncate(time.text.len() - ":00".len());
    }
    time
}

fn title(summary: &Summary) -> String {
    let subject = match summary.dumps.as_slice() {
        [] => "no dump".to_owned(),
        [dump] => Name::new(&dump.name).text,
        _ if summary.nodes.len() > 1 && is_cluster(summary) => {
            format!("cluster of {}", plural(summary.nodes.len() as u64, "node", "nodes"))
        }
        dumps => plural(dumps.len() as u64, "dump", "dumps"),
    };
    format!("Memory report: {subject}")
}

/// The page in one sentence.
fn verdict(summary: &Summary) -> String {
    let found = |severity| summary.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let read = summary.dumps.iter().filter(|dump| dump.role != DumpRole::Unread).count();
    if read == 0 {
        return "Nothing could be read: this page has no figures.".to_owned();
    }
    let subject = match summary.nodes.len() as u64 {
        n if is_cluster(summary) => plural(n, "node", "nodes"),
        n => plural(n, "dump", "dumps"),
    };
    let verb = if summary.nodes.len() == 1 { "holds" } else { "hold" };
    let what = match summary.totals.keys {
        0 => format!("{subject} {verb} no keys"),
        keys => format!(
            "{subject} {verb} {} in {}",
            plural(keys, "key", "keys"),
            units::bytes(summary.totals.footprint_bytes)
        ),
    };
    let counts: Vec<String> = [
        (found(Severity::Critical), "critical finding", "critical findings"),
        (found(Severity::Warning), "warning", "warnings"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, one, many)| plural(n, one, many))
    .collect();
    let grave = if counts.is_empty() { "nothing stands out".to_owned() } else { counts.join(" and ") };
    let notice = if summary.complete { "" } else { " Not everything could be read." };
    format!("{what}: {grave}.{notice}")
}

fn tiles(summary: &Summary) -> Vec<Tile> {
    let totals = &summary.totals;
    let count = |n| Size { text: units::count(n), exact: String::new() };
    let mut tiles = vec![
        Tile { label: "Keys", value: count(totals.keys), note: format!("{} elements", units::count(totals.elements)) },
        Tile {
            label: "Memory",
            value: Size::new(totals.footprint_bytes),
            note: "what the keys add to used_memory".to_owned(),
        },
        Tile {
            label: "MEMORY USAGE",
            value: Size::new(totals.memory_usage_bytes),
            note: "what the servers would answer".to_owned(),
        },
        Tile { label: "Serialized", value: Size::new(totals.serialized_bytes), note: "in the dumps".to_owned() },
    ];
    if let Some((key, bytes)) = summary.biggest.first().and_then(|key| Some((key, key.footprint_bytes?))) {
        tiles.push(Tile {
            label: "Largest key",
            value: Size::new(bytes),
            note: format!("{} of all, a {}", units::percent(bytes, totals.footprint_bytes), key.value_type),
        });
    }
    tiles.push(Tile {
        label: "Never expire",
        value: Size { text: units::percent(summary.expiry.persistent.keys, totals.keys), exact: String::new() },
        note: format!("{} keys", units::count(summary.expiry.persistent.keys)),
    });
    tiles
}

/// What the page's figures lack.
fn incomplete(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for dump in &summary.dumps {
        let name = Name::new(&dump.name).text;
        if dump.role == DumpRole::Unread {
            let error = dump.error.as_deref().map(|error| Name::new(error).text).unwrap_or_default();
            lines.push(format!("{name} could not be read and is not counted: {error}"));
        } else if let Some(error) = &dump.error {
            let read = plural(dump.totals.keys, "key", "keys");
            lines.push(format!("{name} is damaged or cut; {read} of it were read: {error}"));
        }
        if dump.damaged_keys > 0 {
            let broken = plural(dump.damaged_keys, "value is", "values are");
            lines.push(format!("{name}: {broken} broken inside and without a size"));
        }
    }
    if let Some(cluster) = summary.cluster.as_ref().filter(|cluster| !cluster.missing_masters.is_empty()) {
        let missing = plural(cluster.missing_masters.len() as u64, "master has", "masters have");
        lines.push(format!(
            "{missing} no dump here: {} are not covered",
            plural(cluster.uncovered_count, "slot", "slots")
        ));
    }
    lines
}

fn finding_view(finding: &Finding) -> FindingView<'_> {
    let (kind, section) = match finding.kind {
        FindingKind::DumpUnread => ("unread dump", "read"),
        FindingKind::DumpDamaged => ("damaged dump", "read"),
        FindingKind::ValuesDamaged => ("damaged values", "read"),
        FindingKind::BigKey => ("big key", "biggest"),
        FindingKind::NodeImbalance => ("imbalance", "nodes"),
        FindingKind::HotNode => ("hot node", "nodes"),
        FindingKind::SlotConcentration => ("heavy slot", "slots"),
        FindingKind::MissingMaster => ("missing master", "slots"),
        FindingKind::UncoveredSlots => ("uncovered slots", "slots"),
        FindingKind::MisplacedKeys => ("misplaced keys", "slots"),
        FindingKind::ReplicaDump => ("replica", "read"),
        FindingKind::UnmatchedDump => ("unmatched dump", "read"),
        FindingKind::ExpiredKeys => ("expired keys", "expiry"),
        FindingKind::Incomparable => ("mixed servers", "how"),
    };
    FindingView { severity: finding.severity.as_str(), kind, section, finding }
}

fn dumps_view(summary: &Summary) -> DumpsView<'_> {
    let counted = || summary.dumps.iter().filter(|dump| dump.role == DumpRole::Counted);
    let reconciled: Vec<&DumpRow> = counted().filter(|dump| dump.other_bytes.is_some()).collect();
    let longest = reconciled.iter().map(|dump| reconciled_end(dump)).max().unwrap_or(0);
    DumpsView {
        rows: List::new(&summary.dumps, SHOWN, LISTED, dump_view),
        reconciled: List::new(&reconciled, SHOWN, LISTED, |dump| reconciled_view(dump, longest)),
        silent: joined(counted().filter(|dump| dump.other_bytes.is_none()).map(|dump| dump.name.as_str())),
    }
}

fn dump_view(dump: &DumpRow) -> DumpView<'_> {
    let damages: Vec<_> = dump
        .damages
        .iter()
        .map(|damage| (units::count(damage.at_byte), Name::new(&damage.key), damage.what.as_str()))
        .collect();
    let unlisted = dump.damaged_keys.saturating_sub(damages.len() as u64);
    DumpView {
        row: dump,
        name: Name::new(&dump.name),
        path: Name::new(&dump.path),
        saved: dump.saved_at.as_deref().map(time_view),
        keys: units::count(dump.totals.keys),
        rdb: Size::new(dump.rdb_bytes),
        role: match &dump.role {
            DumpRole::Counted => "counted".to_owned(),
            DumpRole::SameAs(other) => format!("same keys as {}, not counted", Name::new(other).text),
            DumpRole::Unread => "not read".to_owned(),
        },
        error: dump.error.as_deref().map(Name::new),
        checksum_bad: matches!(dump.checksum, "wrong" | "not reached"),
        damages,
        damages_left_out: if unlisted == 0 { String::new() } else { format!("and {} more", units::count(unlisted)) },
        aux: dump.aux.iter().map(|fact| (fact.name.as_str(), Name::new(&fact.value))).collect(),
        modules: joined(dump.modules.iter().map(String::as_str)),
    }
}

/// Where the longer of a dump's two sums ends.
fn reconciled_end(dump: &DumpRow) -> u64 {
    let estimate = dump.empty_server_bytes.unwrap_or(0).saturating_add(dump.totals.footprint_bytes);
    estimate.max(dump.used_memory_bytes.unwrap_or(0))
}

fn reconciled_view(dump: &DumpRow, longest: u64) -> ReconciledView {
    let used = dump.used_memory_bytes.unwrap_or(0);
    let empty = dump.empty_server_bytes.unwrap_or(0);
    let tables = dump.totals.key_tables_bytes;
    let keys = dump.totals.footprint_bytes.saturating_sub(tables);
    let other = dump.other_bytes.unwrap_or(0);
    let other_share = units::percent(other.unsigned_abs(), used);
    let mut words = match other {
        0 => "The server and its keys account for used_memory to the byte.".to_owned(),
        1.. => format!(
            "{} was in use: {} by the server itself, {} by the keys, {} by the tables that hold them, and {} ({other_share}) by everything else.",
            units::bytes(used),
            units::bytes(empty),
            units::bytes(keys),
            units::bytes(tables),
            units::bytes(other.unsigned_abs())
        ),
        _ => format!(
            "{} was in use, yet server and keys are estimated at {} ({other_share}) more: the estimate is too high by that.",
            units::bytes(used),
            units::bytes(other.unsigned_abs())
        ),
    };
    if !dump.complete {
        words.push_str(" Keys that could not be read are among everything else.");
    }
    let mut segments = Vec::new();
    let mut x = 0.0;
    for (bytes, class) in [(empty, "r0"), (keys, "r1"), (tables, "r3"), (other.max(0).unsigned_abs(), "r2")] {
        let width = part(bytes, longest);
        segments.push(Segment { x: rounded(x), width, class });
        x += width;
    }
    ReconciledView {
        bar: Bar { label: Name::new(&dump.name).text, segments, value: Size::new(used), says: words.clone() },
        mark: part(used, longest),
        used: Size::new(used),
        empty: Size::new(empty),
        keys: Size::new(keys),
        tables: Size::new(tables),
        other: Size::signed(other),
        other_share: if other < 0 { format!("\u{2212}{other_share}") } else { other_share },
        words,
    }
}

fn nodes_view(summary: &Summary) -> NodesView<'_> {
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
            let heat = imbalance.heat_max_to_min_per_mille.map_or(String::new(), |heat| {
                format!(
                    " By the keys\u{2019} access counters, the hottest node has {} the heat of the coolest.",
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
            let sizes = summary.types.iter().map(|row| of_type(row).map(|part| Size::new(part.footprint_bytes)));
            (Name::new(&node.name), sizes.collect())
        }),
        rows: List::new(&summary.nodes, SHOWN, usize::MAX, |node| NodeView {
            row: node,
            name: Name::new(&node.name),
            keys: units::count(node.totals.keys),
            memory: Size::new(node.totals.footprint_bytes),
            share: units::percent(node.totals.footprint_bytes, total),
            used: node.used_memory_bytes.map(Size::new),
            slots: node.slots_owned_count.map_or(String::new(), units::count),
            slots_with_keys: units::count(node.slots_with_keys),
            misplaced: units::count(node.misplaced_keys),
            heat: node.heat.map_or(String::new(), units::count),
        }),
        any_owner: summary.nodes.iter().any(|node| node.address.is_some()),
        any_heat: summary.nodes.iter().any(|node| node.heat.is_some()),
        many: summary.nodes.len() > 1,
    }
}

/// The types that there are; all modules have one colour.
fn type_legend(types: &[TypeRow]) -> Vec<Key> {
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

fn node_bar(node: &NodeRow, largest: u64) -> Bar {
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
    Bar { label, segments, value: Size::new(node.totals.footprint_bytes), says }
}

/// The class of a run of slots by its memory next to that of the fullest run.
fn shade(bytes: u64, top: u64) -> &'static str {
    SHADES.iter().enumerate().find(|(step, _)| bytes >= top >> (2 * (step + 1))).map_or("s5", |(_, class)| class)
}

/// The class of a run of slots by how much it has over an even spread.
fn slot_class(bytes: u64, mean: f64) -> &'static str {
    if bytes as f64 >= 4.0 * mean { "p1" } else { "p0" }
}

fn slots_view(summary: &Summary) -> SlotsView<'_> {
    let slots = &summary.slots;
    let total = summary.totals.footprint_bytes;
    let top = slots.bins.iter().copied().max().unwrap_or(0);
    let mean = slots.bins.iter().sum::<u64>() as f64 / slots.bins.len().max(1) as f64;
    let span = |index: usize| format!("{}\u{2013}{}", index * SLOTS_PER_BIN, (index + 1) * SLOTS_PER_BIN - 1);
    let bins = slots.bins.iter().enumerate().filter(|(_, bytes)| **bytes > 0).map(|(index, &bytes)| {
        let height = rounded((bytes as f64 / top as f64 * STANDING).max(LOWEST_BAR));
        SlotBin {
            x: index,
            y: rounded(STANDING - height),
            height,
            class: slot_class(bytes, mean),
            shade: shade(bytes, top),
            title: format!("slots {}: {}", span(index), units::bytes(bytes)),
        }
    });
    let heaviest_slot = slots.heaviest.first().map_or(0, |slot| slot.footprint_bytes);
    let densest = slots.bins.iter().position(|bytes| *bytes == top).unwrap_or(0);
    let mut notes = Vec::new();
    if let Some(cluster) = &summary.cluster {
        let mut note = |label, count, slots| {
            notes.push(SlotNote {
                label,
                value: if count == 0 { "none".to_owned() } else { units::count(count) },
                slots,
            });
        };
        if cluster.owners_from == "nodes file" {
            note("Slots without a dump", cluster.uncovered_count, cluster.uncovered.as_str());
            note("Keys outside their node\u{2019}s slots", cluster.misplaced_keys, cluster.misplaced_slots.as_str());
        } else {
            note("Slots with keys in more than one dump", cluster.shared_count, cluster.shared.as_str());
        }
    }
    SlotsView {
        cluster: is_cluster(summary),
        bins: bins.collect(),
        width: slots.bins.len(),
        mean: if top == 0 { STANDING } else { rounded(STANDING - mean / top as f64 * STANDING) },
        mean_text: Size::new(mean.round() as u64),
        top: Size::new(top),
        says: format!(
            "Memory over the slots in runs of {SLOTS_PER_BIN}; the most, {}, lies in slots {}",
            units::bytes(top),
            span(densest)
        ),
        with_keys: units::count(slots.with_keys),
        legend: SHADES
            .iter()
            .zip(1u32..)
            .map(|(&class, step)| Key {
                class,
                label: if class == "s5" {
                    "less".to_owned()
                } else {
                    format!("from {}", units::bytes(top >> (2 * step)))
                },
            })
            .collect(),
        heaviest: List::new(&slots.heaviest, SHOWN_SLOTS, LISTED, |slot| SlotView {
            slot: slot.slot,
            node: Name::new(&slot.node),
            keys: units::count(slot.keys),
            memory: Size::new(slot.footprint_bytes),
            share: units::percent(slot.footprint_bytes, total),
            width: part(slot.footprint_bytes, heaviest_slot),
        }),
        table: slots
            .bins
            .chunks(SLOT_COLUMNS)
            .enumerate()
            .map(|(row, bins)| {
                ((row * SLOT_COLUMNS * SLOTS_PER_BIN).to_string(), bins.iter().map(|&bytes| Size::new(bytes)).collect())
            })
            .collect(),
        offsets: (0..SLOT_COLUMNS).map(|column| format!("+{}", column * SLOTS_PER_BIN)).collect(),
        notes,
        missing: summary
            .cluster
            .iter()
            .flat_map(|cluster| &cluster.missing_masters)
            .map(|master| {
                (master.address.as_str(), master.id.as_str(), units::count(master.slots_count), master.slots.as_str())
            })
            .collect(),
        misplaced: summary
            .cluster
            .iter()
            .flat_map(|cluster| &cluster.misplaced_examples)
            .map(|key| (key.node.as_str(), Name::new(&key.key), key.slot))
            .collect(),
    }
}

fn types_view(summary: &Summary) -> TypesView {
    let total = summary.totals.footprint_bytes;
    let largest = summary.types.iter().map(|row| row.totals.footprint_bytes).max().unwrap_or(0);
    // One scale for all: the doublings from the smallest key to the largest.
    let ends: BTreeSet<u64> = summary.types.iter().flat_map(|row| &row.sizes).map(|(end, _)| *end).collect();
    let ends: Vec<u64> = ends.into_iter().collect();
    TypesView {
        bars: summary
            .types
            .iter()
            .map(|row| {
                let label = Name::new(row.value_type.as_str()).text;
                let memory = row.totals.footprint_bytes;
                Bar {
                    says: format!("{label}: {}, {} of all", units::bytes(memory), units::percent(memory, total)),
                    segments: vec![Segment { x: 0.0, width: part(memory, largest), class: type_class(row.value_type) }],
                    value: Size::new(memory),
                    label,
                }
            })
            .collect(),
        rows: summary.types.iter().map(|row| type_view(row, total, &ends)).collect(),
        upper_ends: ends.iter().map(|&end| Size::new(end)).collect(),
        distribution: ends
            .iter()
            .map(|end| {
                let keys =
                    |row: &TypeRow| row.sizes.iter().find(|(known, _)| known == end).map_or(0, |(_, keys)| *keys);
                let text = |keys| if keys == 0 { String::new() } else { units::count(keys) };
                (units::bytes(*end), summary.types.iter().map(|row| text(keys(row))).collect())
            })
            .collect(),
        any_field_expiry: summary.types.iter().any(|row| row.fields_with_expiry > 0),
    }
}

fn type_view(row: &TypeRow, total: u64, ends: &[u64]) -> TypeView {
    let most = row.sizes.iter().map(|(_, keys)| *keys).max().unwrap_or(0);
    let spark = row.sizes.iter().filter(|(_, keys)| *keys > 0).map(|(end, keys)| {
        let height = rounded((*keys as f64 / most as f64 * STANDING).max(LOWEST_BAR));
        SparkBar {
            x: ends.iter().position(|known| known == end).unwrap_or(0),
            y: rounded(STANDING - height),
            height,
            title: format!("below {}: {}", units::bytes(*end), plural(*keys, "key", "keys")),
        }
    });
    TypeView {
        name: Name::new(row.value_type.as_str()).text,
        class: type_class(row.value_type),
        keys: units::count(row.totals.keys),
        memory: Size::new(row.totals.footprint_bytes),
        share: units::percent(row.totals.footprint_bytes, total),
        p50: Size::new(row.p50_bytes),
        p99: Size::new(row.p99_bytes),
        largest: Size::new(row.largest_bytes),
        elements: units::count(row.totals.elements),
        most_elements: units::count(row.most_elements),
        big: match (row.big_keys, row.critical_keys) {
            (0, _) => String::new(),
            (big, 0) => units::count(big),
            (big, critical) => format!("{}, {} critical", units::count(big), units::count(critical)),
        },
        fields_with_expiry: if row.fields_with_expiry == 0 {
            String::new()
        } else {
            units::count(row.fields_with_expiry)
        },
        encodings: row
            .encodings
            .iter()
            .map(|encoding| EncodingView {
                name: encoding.encoding,
                keys: units::count(encoding.totals.keys),
                memory: Size::new(encoding.totals.footprint_bytes),
                share: units::percent(encoding.totals.footprint_bytes, total),
                largest: Size::new(encoding.largest_bytes),
                elements: units::count(encoding.totals.elements),
            })
            .collect(),
        spark: spark.collect(),
        spark_says: format!(
            "How large the keys of type {} are: half up to {}, 99 of 100 up to {}, the largest {}",
            Name::new(row.value_type.as_str()).text,
            units::bytes(row.p50_bytes),
            units::bytes(row.p99_bytes),
            units::bytes(row.largest_bytes)
        ),
    }
}

fn key_view(key: &KeyRow, width: f64) -> KeyView {
    KeyView {
        name: Name::new(&key.key),
        type_name: Name::new(key.value_type.as_str()).text,
        class: type_class(key.value_type),
        encoding: key.encoding.unwrap_or(""),
        database: key.database,
        elements: key.num_elements.map_or(String::new(), units::count),
        largest_element: key.len_largest_element.map(Size::new),
        memory: key.footprint_bytes.map(Size::new),
        usage: key.size_in_bytes.map(Size::new),
        serialized: Size::new(key.serialized_bytes),
        expiry: key.expiry.as_deref().map(minute_view),
        node: Name::new(&key.node),
        slot: key.slot,
        freq: key.freq.map_or(String::new(), |freq| freq.to_string()),
        idle: key.idle_seconds.map_or(String::new(), |seconds| units::duration_ms(seconds.saturating_mul(1000))),
        width,
    }
}

fn patterns_view(summary: &Summary) -> PatternsView {
    let total = summary.totals.footprint_bytes;
    let largest = summary.patterns.iter().map(|row| row.footprint_bytes).max().unwrap_or(0);
    let view = |row: &PatternRow| PatternView {
        name: Name::new(&row.pattern),
        keys: units::count(row.keys),
        memory: Size::new(row.footprint_bytes),
        share: units::percent(row.footprint_bytes, total),
        width: part(row.footprint_bytes, largest),
        average: Size::new(row.footprint_bytes.checked_div(row.keys).unwrap_or(0)),
        largest: Size::new(row.largest_bytes),
        persistent: units::count(row.persistent_keys),
        persistent_share: units::percent(row.persistent_keys, row.keys),
        expired: if row.expired_keys == 0 { String::new() } else { units::count(row.expired_keys) },
        types: row.types.iter().map(|name| (*name, name_class(name))).collect(),
    };
    let rows = List::new(&summary.patterns, SHOWN, LISTED, view);
    let listed = rows.first.len() + rows.rest.len();
    let unlisted = summary.patterns.get(listed..).unwrap_or_default();
    let left_out = &summary.patterns_left_out;
    let count = left_out.rows + unlisted.len() as u64;
    let keys = left_out.keys + unlisted.iter().map(|row| row.keys).sum::<u64>();
    let bytes = left_out.footprint_bytes + unlisted.iter().map(|row| row.footprint_bytes).sum::<u64>();
    PatternsView {
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

fn share_view(label: &'static str, keys: u64, memory: u64, totals: &TotalsRow) -> ShareView {
    ShareView {
        label,
        keys: units::count(keys),
        keys_share: units::percent(keys, totals.keys),
        memory: Size::new(memory),
        memory_share: units::percent(memory, totals.footprint_bytes),
    }
}

fn distribution(rows: &[BucketRow], totals: &TotalsRow) -> Distribution {
    let largest = rows.iter().map(|row| row.footprint_bytes).max().unwrap_or(0);
    Distribution {
        bars: rows.iter().map(|row| bucket_bar(row.label, row.keys, row.footprint_bytes, largest, "a0")).collect(),
        rows: rows.iter().map(|row| share_view(row.label, row.keys, row.footprint_bytes, totals)).collect(),
    }
}

fn bucket_bar(label: &str, keys: u64, bytes: u64, largest: u64, class: &'static str) -> Bar {
    Bar {
        label: label.to_owned(),
        segments: vec![Segment { x: 0.0, width: part(bytes, largest), class }],
        value: Size::new(bytes),
        says: format!("{label}: {}, {}", units::bytes(bytes), plural(keys, "key", "keys")),
    }
}

fn expiry_view(summary: &Summary) -> ExpiryView {
    let expiry = &summary.expiry;
    let sum = |label, totals: &TotalsRow| share_view(label, totals.keys, totals.footprint_bytes, &summary.totals);
    let largest = expiry
        .buckets
        .iter()
        .map(|row| row.footprint_bytes)
        .chain([expiry.persistent.footprint_bytes])
        .max()
        .unwrap_or(0);
    let buckets = expiry.buckets.iter().map(|row| {
        bucket_bar(row.label, row.keys, row.footprint_bytes, largest, if row.label == "expired" { "a1" } else { "a0" })
    });
    let never = bucket_bar("never", expiry.persistent.keys, expiry.persistent.footprint_bytes, largest, "a2");
    let fields: u64 = summary.types.iter().map(|row| row.fields_with_expiry).sum();
    ExpiryView {
        bars: buckets.chain([never]).collect(),
        rows: expiry
            .buckets
            .iter()
            .map(|row| share_view(row.label, row.keys, row.footprint_bytes, &summary.totals))
            .collect(),
        sums: vec![sum("expire at some time", &expiry.volatile), sum("never expire", &expiry.persistent)],
        any_volatile: expiry.volatile.keys > 0,
        fields: if fields == 0 {
            String::new()
        } else {
            format!("Besides, {} of hashes have an expiry of their own.", plural(fields, "field", "fields"))
        },
    }
}

/// How much `other` differs from `own`, and the class of the difference.
fn difference(other: u64, own: u64) -> (String, &'static str) {
    let by = units::percent(other.abs_diff(own), own);
    match other.cmp(&own) {
        std::cmp::Ordering::Equal => ("same".to_owned(), ""),
        _ if own == 0 => (String::new(), ""),
        std::cmp::Ordering::Less => (format!("\u{2212}{by}"), "less"),
        std::cmp::Ordering::Greater => (format!("+{by}"), "more"),
    }
}

fn comparisons_view(summary: &Summary) -> ComparisonsView {
    let compared = |own: u64, other: u64| {
        let (text, class) = difference(other, own);
        (Size::new(other), text, class)
    };
    let of_type = |comparison: &Comparison, value_type: ValueType| {
        comparison.by_type.iter().find(|row| row.value_type == value_type).map_or(0, |row| row.footprint_bytes)
    };
    let mut rows: Vec<ComparedView> = summary
        .types
        .iter()
        .map(|row| {
            let own = row.totals.footprint_bytes;
            ComparedView {
                label: Name::new(row.value_type.as_str()).text,
                class: type_class(row.value_type),
                total: false,
                own: Size::new(own),
                others: summary.comparisons.iter().map(|other| compared(own, of_type(other, row.value_type))).collect(),
            }
        })
        .collect();
    let mut total = |label: &str, own: u64, of: fn(&Comparison) -> u64| {
        rows.push(ComparedView {
            label: label.to_owned(),
            class: "",
            total: true,
            own: Size::new(own),
            others: summary.comparisons.iter().map(|other| compared(own, of(other))).collect(),
        });
    };
    total("All keys: memory", summary.totals.footprint_bytes, |other| other.footprint_bytes);
    total("All keys: MEMORY USAGE", summary.totals.memory_usage_bytes, |other| other.memory_usage_bytes);
    ComparisonsView { names: summary.comparisons.iter().map(|other| other.name.clone()).collect(), rows }
}

fn settings(summary: &Summary) -> Vec<(&'static str, String)> {
    let thresholds = &summary.model.thresholds;
    vec![
        ("hash-max-listpack-entries", thresholds.hash_max_listpack_entries.to_string()),
        ("hash-max-listpack-value", thresholds.hash_max_listpack_value.to_string()),
        ("set-max-intset-entries", thresholds.set_max_intset_entries.to_string()),
        ("set-max-listpack-entries", thresholds.set_max_listpack_entries.to_string()),
        ("set-max-listpack-value", thresholds.set_max_listpack_value.to_string()),
        ("zset-max-listpack-entries", thresholds.zset_max_listpack_entries.to_string()),
        ("zset-max-listpack-value", thresholds.zset_max_listpack_value.to_string()),
        ("list-max-listpack-size", thresholds.list_max_listpack_size.to_string()),
        ("list-compress-depth", thresholds.list_compress_depth.to_string()),
        ("list-max-ziplist-entries (before 3.2)", thresholds.list_max_ziplist_entries.to_string()),
        ("list-max-ziplist-value (before 3.2)", thresholds.list_max_ziplist_value.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::big::BigThresholds;
    use crate::analyze::summary::{
        AuxRow, ClusterRow, ComparedType, DamageRow, DatabaseRow, EncodingRow, FreqRow, Imbalance, LeftOut,
        MisplacedKey, MissingMaster, NodeType, SlotRow, TypeTop,
    };
    use crate::memory::{Allocator, Thresholds};
    use crate::report::{RunOptions, summarize};
    use crate::value::ModuleName;

    const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror='alert(2)'>{{ 7 }}</title></style>";

    fn page(summary: &Summary) -> String {
        let mut out = Vec::new();
        render(summary, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The summary of no dump.
    fn empty() -> Summary {
        let options = RunOptions {
            server: None,
            allocator: Allocator::default(),
            cluster_mode: None,
            thresholds: Thresholds::default(),
            has_nodes: false,
            now_ms: None,
            compare: Vec::new(),
            compare_settings: Vec::new(),
            big: BigThresholds::default(),
            top: 10,
            rebalance: None,
        };
        summarize(Vec::new(), &options, None).0
    }

    fn totals(keys: u64, bytes: u64) -> TotalsRow {
        TotalsRow {
            keys,
            key_tables_bytes: 0,
            footprint_bytes: bytes,
            memory_usage_bytes: bytes,
            serialized_bytes: bytes / 2,
            elements: keys * 3,
        }
    }

    fn key(name: &str, bytes: u64) -> KeyRow {
        KeyRow {
            database: 0,
            value_type: ValueType::Hash,
            key: name.to_owned(),
            size_in_bytes: Some(bytes),
            encoding: Some("listpack"),
            num_elements: Some(12_345),
            len_largest_element: Some(4096),
            expiry: Some("2026-01-02T03:04:05.678Z".to_owned()),
            node: HOSTILE.to_owned(),
            slot: 7,
            serialized_bytes: bytes / 3,
            freq: Some(200),
            idle_seconds: None,
            footprint_bytes: Some(bytes),
            fields_with_expiry: Some(1),
        }
    }

    fn dump(name: &str) -> DumpRow {
        DumpRow {
            name: name.to_owned(),
            path: HOSTILE.to_owned(),
            role: DumpRole::Counted,
            format: Some("REDIS 12".to_owned()),
            written_by: Some(HOSTILE.to_owned()),
            modelled_as: Some("redis-7.4".to_owned()),
            cluster_mode: true,
            saved_at: Some("2026-01-02T03:04:05.000Z".to_owned()),
            complete: false,
            checksum: "not reached",
            error: Some(HOSTILE.to_owned()),
            error_at_byte: Some(12),
            damaged_keys: 30,
            damages: vec![DamageRow { at_byte: 9, key: HOSTILE.to_owned(), what: HOSTILE.to_owned() }],
            notes: vec![HOSTILE.to_owned()],
            rdb_bytes: 123_456,
            totals: totals(10, 900),
            used_memory_bytes: Some(1000),
            empty_server_bytes: Some(200),
            other_bytes: Some(-100),
            aux: vec![AuxRow { name: HOSTILE.to_owned(), value: HOSTILE.to_owned() }],
            functions: 2,
            modules: vec![HOSTILE.to_owned()],
        }
    }

    /// Something in every section, in numbers, and hostile wherever a name can stand.
    fn full() -> Summary {
        let module = ValueType::Module(ModuleName::from_id(0x1234_5678_9abc_def0));
        let keys: Vec<KeyRow> = (0..250).map(|n| key(&format!("{HOSTILE}:{n}"), 250 - n)).collect();
        let buckets = vec![
            BucketRow { label: "expired", keys: 3, footprint_bytes: 300 },
            BucketRow { label: "later", keys: 4, footprint_bytes: 5000 },
        ];
        let types = [ValueType::Hash, module].map(|value_type| TypeRow {
            value_type,
            totals: totals(40, 5000),
            p50_bytes: 64,
            p99_bytes: 900,
            largest_bytes: 1000,
            most_elements: 77,
            big_keys: 2,
            critical_keys: 1,
            fields_with_expiry: 5,
            sizes: vec![(64, 3), (128, 0), (256, 37)],
            encodings: vec![EncodingRow { encoding: "listpack", totals: totals(40, 5000), largest_bytes: 1000 }],
        });
        let node = |n: u64| NodeRow {
            name: format!("{HOSTILE}{n}"),
            address: Some(HOSTILE.to_owned()),
            id: Some(HOSTILE.to_owned()),
            totals: totals(40, 1000 * (n + 1)),
            slots_with_keys: 12,
            slots_owned: Some("0-99".to_owned()),
            slots_owned_count: Some(100),
            misplaced_keys: n,
            by_type: vec![NodeType { value_type: ValueType::Hash, keys: 40, footprint_bytes: 1000 * (n + 1) }],
            heat: Some(9),
            used_memory_bytes: None,
        };
        Summary {
            complete: false,
            dumps: vec![dump("a"), DumpRow { role: DumpRole::SameAs(HOSTILE.to_owned()), ..dump(HOSTILE) }],
            findings: vec![Finding {
                severity: Severity::Critical,
                kind: FindingKind::BigKey,
                text: HOSTILE.to_owned(),
                advice: HOSTILE.to_owned(),
            }],
            totals: totals(80, 10_000),
            nodes: (0..100).map(node).collect(),
            imbalance: Some(Imbalance {
                largest_node: HOSTILE.to_owned(),
                largest_bytes: 100_000,
                mean_bytes: 50_500,
                max_to_mean_per_mille: 1980,
                heat_max_to_min_per_mille: Some(1000),
            }),
            cluster: Some(ClusterRow {
                owners_from: "nodes file",
                uncovered: "5-9".to_owned(),
                uncovered_count: 5,
                shared: String::new(),
                shared_count: 0,
                missing_masters: vec![MissingMaster {
                    id: HOSTILE.to_owned(),
                    address: HOSTILE.to_owned(),
                    slots: "5-9".to_owned(),
                    slots_count: 5,
                }],
                misplaced_keys: 4,
                misplaced_slots: "3".to_owned(),
                misplaced_examples: vec![MisplacedKey { node: HOSTILE.to_owned(), key: HOSTILE.to_owned(), slot: 3 }],
            }),
            slots: crate::analyze::summary::SlotsRow {
                with_keys: 12,
                bins: (0..256).map(|n| n * n).collect(),
                heaviest: vec![SlotRow { slot: 1, node: HOSTILE.to_owned(), keys: 5, footprint_bytes: 600 }; 20],
            },
            types: types.to_vec(),
            databases: vec![DatabaseRow { database: 3, totals: totals(80, 10_000), keys_with_expiry: 7 }; 2],
            expiry: crate::analyze::summary::ExpiryRow {
                persistent: totals(73, 5000),
                volatile: totals(7, 5300),
                buckets: buckets.clone(),
            },
            freq: Some(FreqRow { bands: buckets.clone(), hottest: keys.clone() }),
            idle: Some(buckets),
            biggest: keys.clone(),
            longest: keys.clone(),
            biggest_of_type: vec![
                TypeTop { value_type: "hash", keys: keys.clone() },
                TypeTop { value_type: "module", keys },
            ],
            patterns: (0..150)
                .map(|n| PatternRow {
                    pattern: format!("{HOSTILE}:{n}:*"),
                    keys: 9,
                    footprint_bytes: 900 - n,
                    serialized_bytes: 100,
                    elements: 9,
                    largest_bytes: 200,
                    persistent_keys: 3,
                    persistent_bytes: 300,
                    expired_keys: 1,
                    expired_bytes: 100,
                    types: vec!["hash", "module"],
                })
                .collect(),
            patterns_left_out: LeftOut { rows: 5, keys: 50, footprint_bytes: 500 },
            comparisons: vec![Comparison {
                name: HOSTILE.to_owned(),
                memory_usage_bytes: 9000,
                footprint_bytes: 11_000,
                by_type: vec![ComparedType {
                    value_type: ValueType::Hash,
                    memory_usage_bytes: 4500,
                    footprint_bytes: 5500,
                }],
            }],
            ..empty()
        }
    }

    /// The start tags of the page, as text between their brackets, with attributes that hold no brackets: what the
    /// templates escape cannot make one.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect()
    }

    #[test]
    fn every_section_is_there_and_says_why_it_is_empty() {
        let page = page(&empty());
        for (id, reason) in [
            ("findings", "No dump was given."),
            ("read", "No dump was given."),
            ("nodes", "there is no node to show"),
            ("slots", "There are no keys"),
            ("types", "There are no keys"),
            ("biggest", "There are no keys"),
            ("longest", "There are no keys"),
            ("patterns", "There are no keys"),
            ("expiry", "There are no keys"),
            ("heat", "under an LFU"),
            ("databases", "There are no keys"),
            ("comparisons", "None was asked for"),
            ("how", "Allocator assumed"),
        ] {
            let section =
                page.split(&format!("<section id=\"{id}\">")).nth(1).and_then(|rest| rest.split("</section>").next());
            assert!(section.is_some_and(|section| section.contains(reason)), "{id}");
            assert!(page.contains(&format!("href=\"#{id}\"")), "{id} is not among the contents");
        }
    }

    #[test]
    fn loads_nothing_and_runs_nothing() {
        for page in [page(&empty()), page(&full())] {
            assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\""));
            for tag in tags(&page) {
                let name = tag.split([' ', '\n']).next().unwrap_or(tag);
                assert!(!matches!(name, "script" | "img" | "link" | "iframe" | "object" | "base" | "form"), "{tag}");
                // What stands outside of quotes: the attributes' names.
                let attributes: String = tag.split('"').step_by(2).collect();
                assert!(!attributes.contains(" on") && !attributes.contains(" src="), "{tag}");
                assert!(!attributes.contains("href=") || tag.contains("href=\"#"), "{tag}");
            }
            assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("://"));
        }
    }

    #[test]
    fn names_are_never_markup() {
        let page = page(&full());
        // Wherever the name stands, it is whole and escaped.
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("\"><img"));
        assert!(!page.contains("onerror='"));
        assert!(page.matches("&#60;script&#62;").count() > 100);
        assert_eq!(page.matches("</title>").count(), page.matches("<title>").count());
        assert_eq!(page.matches("</style>").count(), 1);
    }

    #[test]
    fn elements_are_closed_in_their_order() {
        for page in [page(&empty()), page(&full())] {
            let body = &page[page.find("</style>").unwrap()..];
            let mut open = vec!["html", "head", "style"];
            for tag in tags(body) {
                let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or("");
                match name {
                    "meta" => {}
                    _ if tag.ends_with('/') => {}
                    _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{open:?}"),
                    _ => open.push(name),
                }
            }
            assert!(open.is_empty(), "{open:?}");
        }
    }

    #[test]
    fn pictures_have_words_and_stay_in_their_frames() {
        let page = page(&full());
        let svgs: Vec<&str> = tags(&page).into_iter().filter(|tag| tag.starts_with("svg")).collect();
        assert!(svgs.len() > 60);
        for svg in svgs {
            assert!(svg.contains("role=\"img\"") && svg.contains("aria-label=\"") && svg.contains("viewBox"), "{svg}");
        }
        let view = nodes_view_of(&full());
        for bar in view {
            let last = bar.last().unwrap();
            assert!(last.x >= 0.0 && last.x + last.width <= 100.01, "{} {}", last.x, last.width);
        }
        assert_eq!([part(1, 3), part(0, 0), part(5, 5)], [33.33, 0.0, 100.0]);
    }

    fn nodes_view_of(summary: &Summary) -> Vec<Vec<Segment>> {
        nodes_view(summary).bars.into_iter().map(|bar| bar.segments).collect()
    }

    #[test]
    fn lists_are_folded_and_cut() {
        let rows: Vec<u32> = (0..130).collect();
        let list = List::new(&rows, 20, 100, |n| *n);
        assert_eq!((list.first.len(), list.rest.len(), list.left_out), (20, 80, 30));
        let list = List::new(&rows[..25], 20, 100, |n| *n);
        assert_eq!((list.first.len(), list.rest.len(), list.left_out), (25, 0, 0));
        let page = page(&full());
        assert!(page.contains("150 more are left out of this page"));
        // 150 patterns of which 100 are listed, and the 5 that the summary leaves out itself.
        assert!(page.contains("55 smaller patterns are left out: together 500 keys"));
        assert!(page.contains("The fullest nodes are drawn; 36 more are in the table."));
    }

    #[test]
    fn says_what_does_not_add_up() {
        let view = reconciled_view(&dump("a"), 1100);
        assert_eq!(view.other.text, "\u{2212}100 B");
        assert_eq!(view.other_share, "\u{2212}10.0 %");
        assert!(view.words.contains("the estimate is too high"), "{}", view.words);
        assert!(view.words.contains("could not be read"), "{}", view.words);
        assert_eq!((view.mark, view.bar.segments[2].width), (90.91, 0.0));
        let view =
            reconciled_view(&DumpRow { used_memory_bytes: Some(2000), other_bytes: Some(900), ..dump("a") }, 2000);
        assert_eq!(view.bar.segments.iter().map(|s| s.width).sum::<f64>(), 100.0);
        let page = page(&full());
        assert!(
            page.contains("<strong>Incomplete.</strong>")
                && page.contains("1 master has no dump here: 5 slots are not covered")
        );
    }

    #[test]
    fn words_and_times() {
        assert_eq!(verdict(&empty()), "Nothing could be read: this page has no figures.");
        assert_eq!(
            verdict(&full()),
            "100 nodes hold 80 keys in 9.77 KiB: 1 critical finding. Not everything could be read."
        );
        assert_eq!(time_view("2026-01-02T03:04:05.678Z").text, "2026-01-02 03:04:05");
        assert_eq!(minute_view("2026-01-02T03:04:05.678Z").text, "2026-01-02 03:04");
        assert_eq!(minute_view("9223372036854775807").text, "9223372036854775807");
        assert_eq!(difference(150, 100), ("+50.0 %".to_owned(), "more"));
        assert_eq!(difference(50, 100), ("\u{2212}50.0 %".to_owned(), "less"));
        assert_eq!(difference(7, 7), ("same".to_owned(), ""));
        assert_eq!(difference(7, 0), (String::new(), ""));
        let name = Name::new(&"\u{e9}".repeat(600));
        assert_eq!(name.text.chars().count(), NAME_SHOWN + 1);
        assert!(name.title.ends_with("\u{2026} (600 characters)"));
        assert_eq!([shade(100, 100), shade(25, 100), shade(24, 100), shade(1, 1 << 40)], ["s0", "s0", "s1", "s5"]);
    }
}

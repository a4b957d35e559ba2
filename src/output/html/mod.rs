//! The report as one HTML page: self-contained, readable without scripts by a person who has never seen the tool.
//!
//! The files here turn a [`Summary`] into what the templates lay out: text, exact values for the `title`s and for sorting, and
//! the geometry of the charts, a section each. They work out no figure. The templates are `templates/report.html` and the
//! sections in `templates/report/`; they escape everything they are given, so a key's name is never markup.
//!
//! The page's one script, `templates/report/script.js`, sorts, filters and copies what is there already. It is given no data,
//! and the page's policy lets nothing else run: it has the script's hash.

mod big;
mod causes;
mod cell;
mod charts;
mod comparisons;
mod dumps;
mod expiry;
mod findings;
mod header;
mod heat;
mod keys;
mod nodes;
mod patterns;
mod plan;
mod savings;
mod slots;
mod treemap;
mod types;
mod view;

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::ops::Deref;

use askama::Template;
use askama::filters::HtmlSafe;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use self::big::{BigView, big_view};
use self::comparisons::{ComparisonsView, DatabaseView, comparisons_view, databases_view, settings};
use self::dumps::{DumpsView, dumps_view};
use self::expiry::{ExpiryView, expiry_view};
use self::findings::{FindingView, finding_view};
use self::header::{Tile, incomplete, tiles, title, verdict};
use self::heat::{HeatView, heat_view};
use self::keys::{KeysView, keys_view};
use self::nodes::{NodesView, nodes_view};
use self::patterns::{PatternsView, patterns_view};
use self::plan::{PlanSection, plan_section};
use self::savings::{SavingsView, savings_view};
use self::slots::{SlotsView, slots_view};
use self::types::{TypesView, types_view};
use self::view::{LISTED, List, SHOWN, joined};
use crate::analyze::summary::Summary;
use crate::analyze::thresholds::Severity;

/// The script of the page, to the byte: the policy has its hash.
const SCRIPT: &str = include_str!("../../../templates/report/script.js");

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
    script: &'static str,
    script_hash: String,
    title: String,
    verdict: String,
    severity: &'static str,
    tiles: Vec<Tile>,
    incomplete: Vec<String>,
    findings: List<FindingView<'s>>,
    dumps: DumpsView<'s>,
    nodes: NodesView<'s>,
    slots: SlotsView<'s>,
    plan: PlanSection,
    big: BigView,
    types: TypesView,
    savings: SavingsView,
    thresholds: String,
    keys: KeysView,
    patterns: PatternsView,
    expiry: ExpiryView,
    heat: HeatView,
    databases: List<DatabaseView>,
    comparisons: ComparisonsView,
    settings: Vec<(&'static str, String)>,
    servers: String,
}

/// A section of the page, which sees all of it. Each is a template of its own: one function of all of them would take
/// minutes to compile.
macro_rules! sections {
    ($($name:ident $method:ident $path:literal)*) => {
        $(
            #[derive(Template)]
            #[template(path = $path, whitespace = "minimize")]
            struct $name<'p>(&'p Page<'p>);

            impl<'p> Deref for $name<'p> {
                type Target = Page<'p>;

                fn deref(&self) -> &Page<'p> {
                    self.0
                }
            }

            impl HtmlSafe for $name<'_> {}
        )*

        impl Page<'_> {
            $(fn $method(&self) -> $name<'_> {
                $name(self)
            })*
        }
    };
}

sections! {
    FindingsHtml findings_html "report/findings.html"
    ReadHtml read_html "report/read.html"
    NodesHtml nodes_html "report/nodes.html"
    SlotsHtml slots_html "report/slots.html"
    PlanHtml plan_html "report/plan.html"
    BigHtml big_html "report/big.html"
    KeysHtml keys_html "report/keys.html"
    HeatHtml heat_html "report/heat.html"
    PatternsHtml patterns_html "report/patterns.html"
    TypesHtml types_html "report/types.html"
    ExpiryHtml expiry_html "report/expiry.html"
    DatabasesHtml databases_html "report/databases.html"
    ComparisonsHtml comparisons_html "report/comparisons.html"
    HowHtml how_html "report/how.html"
}

impl<'s> Page<'s> {
    fn new(summary: &'s Summary) -> Page<'s> {
        Page {
            summary,
            script: SCRIPT,
            script_hash: format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(SCRIPT))),
            title: title(summary),
            verdict: verdict(summary),
            severity: summary.findings.iter().map(|finding| finding.severity).max().map_or("good", Severity::as_str),
            tiles: tiles(summary),
            incomplete: incomplete(summary),
            findings: List::new(&summary.findings, SHOWN, LISTED, finding_view),
            dumps: dumps_view(summary),
            nodes: nodes_view(summary),
            slots: slots_view(summary),
            plan: plan_section(summary),
            big: big_view(summary),
            types: types_view(summary),
            savings: savings_view(summary),
            thresholds: summary.big_thresholds.in_words(),
            keys: keys_view(summary),
            patterns: patterns_view(summary),
            expiry: expiry_view(summary),
            heat: heat_view(summary),
            databases: databases_view(summary),
            comparisons: comparisons_view(summary),
            settings: settings(summary),
            servers: joined(summary.dumps.iter().filter_map(|dump| dump.modelled_as.as_deref())),
        }
    }
}

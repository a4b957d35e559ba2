//! Cells of the tables. Each is a template of its own: what a template calls is compiled anew at every place.

use askama::Template;
use askama::filters::HtmlSafe;

use super::view::{Figure, Name};

/// A figure, or a dash.
#[derive(Template)]
#[template(
    source = r#"{% if figure.text.is_empty() %}<td class="n none">–</td>{% else %}<td class="n{% if bar.is_some() %} bar{% endif %}"{% if let Some(width) = bar %} style="--w:{{ width }}%"{% endif %}{% if !figure.value.is_empty() %} data-v="{{ figure.value }}"{% endif %}{% if !figure.exact.is_empty() %} title="{{ figure.exact }}"{% endif %}>{{ figure.text }}</td>{% endif %}"#,
    ext = "html"
)]
pub(super) struct FigureCell<'f> {
    figure: &'f Figure,
    /// Length of the bar behind it in per cent of the cell.
    bar: Option<f64>,
}

impl HtmlSafe for FigureCell<'_> {}

impl Figure {
    pub(super) fn cell(&self) -> FigureCell<'_> {
        FigureCell { figure: self, bar: None }
    }

    /// With a bar behind it, `width` per cent long.
    pub(super) fn bar(&self, width: &f64) -> FigureCell<'_> {
        FigureCell { figure: self, bar: Some(*width) }
    }
}

/// The name of a key.
#[derive(Template)]
#[template(
    source = r#"<td class="k"><code{% if !name.title.is_empty() %} title="{{ name.title }}"{% endif %}>{% if name.text.is_empty() %}<i>(empty)</i>{% else %}{{ name.text }}{% endif %}</code></td>"#,
    ext = "html"
)]
pub(super) struct KeyCell<'n> {
    name: &'n Name,
}

impl HtmlSafe for KeyCell<'_> {}

/// Any other name.
#[derive(Template)]
#[template(
    source = r#"<{{ tag|safe }} class="name"{% if !name.title.is_empty() %} title="{{ name.title }}"{% endif %}>{{ name.text }}</{{ end }}>"#,
    ext = "html"
)]
pub(super) struct NameCell<'n> {
    name: &'n Name,
    tag: &'static str,
    end: &'static str,
}

impl HtmlSafe for NameCell<'_> {}

impl Name {
    pub(super) fn key_cell(&self) -> KeyCell<'_> {
        KeyCell { name: self }
    }

    pub(super) fn cell(&self) -> NameCell<'_> {
        NameCell { name: self, tag: "td", end: "td" }
    }

    /// The cell as the head of its row.
    pub(super) fn row_head(&self) -> NameCell<'_> {
        NameCell { name: self, tag: "th scope=\"row\"", end: "th" }
    }
}

//! What would save memory: settings, forms of values, small strings.

use super::view::{Figure, Name};
use crate::analyze::savings::{Form, Saved};
use crate::analyze::summary::Summary;

pub(super) struct SavingsView {
    pub(super) settings: Vec<SettingView>,
    pub(super) forms: Vec<FormView>,
    pub(super) small_strings: Vec<SmallStringsView>,
    pub(super) fields_per_hash: u64,
}

pub(super) struct SettingView {
    pub(super) setting: &'static str,
    pub(super) value: Figure,
    /// Up to twice above it, and up to four times.
    pub(super) near: [SavedView; 2],
}

pub(super) struct SavedView {
    pub(super) keys: Figure,
    pub(super) memory: Figure,
    pub(super) saved: Figure,
}

pub(super) struct FormView {
    pub(super) what: &'static str,
    pub(super) advice: &'static str,
    pub(super) saved: SavedView,
}

pub(super) struct SmallStringsView {
    pub(super) name: Name,
    pub(super) value: Figure,
    pub(super) each: Figure,
    pub(super) saved: SavedView,
}

fn saved_view(saved: &Saved) -> SavedView {
    SavedView {
        keys: Figure::count_if_any(saved.keys),
        memory: if saved.keys == 0 { Figure::default() } else { Figure::bytes(saved.footprint_bytes) },
        saved: if saved.keys == 0 { Figure::default() } else { Figure::bytes(saved.saved_bytes) },
    }
}

pub(super) fn savings_view(summary: &Summary) -> SavingsView {
    let savings = &summary.savings;
    SavingsView {
        settings: savings
            .settings
            .iter()
            .map(|row| SettingView {
                setting: row.setting,
                value: Figure::count(row.value),
                near: [saved_view(&row.within_twice), saved_view(&row.within_four_times)],
            })
            .collect(),
        forms: savings
            .forms
            .iter()
            .map(|row| {
                let (what, advice) = words(row.form);
                FormView { what, advice, saved: saved_view(&row.saved) }
            })
            .collect(),
        small_strings: savings
            .small_strings
            .iter()
            .map(|row| SmallStringsView {
                name: Name::new(&row.pattern),
                value: Figure::bytes(row.value_bytes),
                each: Figure::bytes(row.key_footprint_bytes),
                saved: saved_view(&row.saved),
            })
            .collect(),
        fields_per_hash: savings.fields_per_hash,
    }
}

fn words(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::MixedIntegerSets => (
            "Sets of integers that are no intsets because at most one member in 20 is something else",
            "Keep the other members in a set of their own.",
        ),
        Form::PlainNumbers => (
            "Strings that are numbers, but with leading zeros, signs, spaces or decimals",
            "Write plain integers where the form does not matter: cents for amounts, say. Servers keep them as integers.",
        ),
        Form::CompressibleStrings => (
            "Strings of more than 44 bytes, as far as the server could compress them for the dump; the saving is the least",
            "Compress them in the client, or keep them in a shorter form than text.",
        ),
    }
}

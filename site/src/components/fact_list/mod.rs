//! A definition list of labels and values.

use bukti_locales::{Locale, text};
use leptos::prelude::*;

use crate::language::Language;

/// Returns pairs of label (text key) and value in a language.
pub type Facts = Box<dyn Fn(Locale) -> Vec<(&'static str, String)> + Send + Sync>;

#[component]
pub fn FactList(facts: Facts) -> impl IntoView {
    let language = Language::current();
    let rows = move || {
        let locale = language.get();
        let row = |(key, fact): (&'static str, String)| view! { <div><dt>{text(locale, key)}</dt><dd>{fact}</dd></div> };
        facts(locale).into_iter().map(row).collect_view()
    };
    view! { <dl class="facts">{rows}</dl> }
}

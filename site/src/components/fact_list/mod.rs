//! Facts, each with its label.

use bukti_locales::{Locale, text};
use leptos::prelude::*;

use crate::language::Language;

/// What the facts are in a language: the key of each label, and the fact.
pub type Facts = Box<dyn Fn(Locale) -> Vec<(&'static str, String)> + Send + Sync>;

/// Labels and facts, one below the other.
#[component]
pub fn FactList(
    /// The facts.
    facts: Facts,
) -> impl IntoView {
    let language = Language::current();
    let rows = move || {
        let locale = language.get();
        let row = |(key, fact): (&'static str, String)| view! { <div><dt>{text(locale, key)}</dt><dd>{fact}</dd></div> };
        facts(locale).into_iter().map(row).collect_view()
    };
    view! { <dl class="facts">{rows}</dl> }
}

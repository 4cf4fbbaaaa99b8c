//! A way to another page, as a plain row.

use leptos::prelude::*;

use crate::components::{Icon, Sign};
use crate::language::tr;

/// A row that leads to another page.
#[component]
pub fn RowLink(
    /// Where it leads.
    href: &'static str,
    /// What it shows before its words.
    sign: Sign,
    /// Its words, a key of the locale files.
    label: &'static str,
) -> impl IntoView {
    view! {
        <li>
            <a href=href>
                <Icon sign=sign />
                <span>{tr(label)}</span>
                <Icon sign=Sign::Forward />
            </a>
        </li>
    }
}

//! A way to another page, as a plain row.

use leptos::prelude::*;

use crate::components::{Icon, Sign};
use crate::language::tr;
use crate::place::{Page, to};

/// A row that leads to another page.
#[component]
pub fn RowLink(
    /// Where it leads.
    page: Page,
    /// What it shows before its words.
    sign: Sign,
    /// Its words, a key of the locale files.
    label: &'static str,
) -> impl IntoView {
    view! {
        <li>
            <a href=to(page)>
                <Icon sign=sign />
                <span>{tr(label)}</span>
                <Icon sign=Sign::Forward />
            </a>
        </li>
    }
}

//! A list row that links to another page.

use leptos::prelude::*;

use crate::components::{Icon, Symbol};
use crate::language::tr;
use crate::place::{Page, path_to};

#[component]
pub fn RowLink(
    page: Page,
    symbol: Symbol,
    /// Text key of the label.
    label: &'static str,
) -> impl IntoView {
    view! {
        <li>
            <a href=path_to(page)>
                <Icon symbol=symbol />
                <span>{tr(label)}</span>
                <Icon symbol=Symbol::Forward />
            </a>
        </li>
    }
}

//! A link to another page, as a row of a list.

use leptos::prelude::*;

use crate::components::{Icon, Symbol};
use crate::language::tr;
use crate::place::{Page, path_to};

#[component]
pub fn RowLink(
    page: Page,
    symbol: Symbol,
    /// Label; a text key.
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

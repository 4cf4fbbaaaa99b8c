//! A link to another page, as a row of a list.

use leptos::prelude::*;

use crate::components::{Icon, Sign};
use crate::language::tr;
use crate::place::{Page, to};

#[component]
pub fn RowLink(
    page: Page,
    sign: Sign,
    /// Label; a text key.
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

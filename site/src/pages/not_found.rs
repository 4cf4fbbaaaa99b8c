//! The page for unknown URLs.

use leptos::prelude::*;

use crate::components::{Heading, RowLink, Symbol};
use crate::language::tr;
use crate::place::Page;

#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <div class="column">
            <Heading key="site.not_found.title" />
            <p>{tr("site.not_found.text")}</p>
            <ul class="rows">
                <RowLink page=Page::Home symbol=Symbol::Home label="site.home.title" />
                <RowLink page=Page::Download symbol=Symbol::Download label="site.rows.download" />
                <RowLink page=Page::Help symbol=Symbol::Help label="site.nav.help" />
            </ul>
        </div>
    }
}

//! The bottom of every page.

use leptos::prelude::*;

use crate::components::HelpdeskLine;
use crate::language::tr;
use crate::place::{Page, to};

/// Where help is, and what the site keeps of what one types.
#[component]
pub fn Footer() -> impl IntoView {
    view! {
        <footer class="bottom">
            <p>{tr("site.footer.help")} " " <HelpdeskLine /></p>
            <p class="ways">
                <a href=to(Page::Verify)>{tr("site.rows.verify")}</a>
                <a href=to(Page::Privacy)>{tr("site.privacy.title")}</a>
            </p>
            <p>{tr("site.footer.privacy")}</p>
        </footer>
    }
}

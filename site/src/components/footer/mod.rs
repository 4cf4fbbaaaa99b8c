//! The footer of every page.

use leptos::prelude::*;

use crate::components::HelpdeskLine;
use crate::language::tr;
use crate::place::{Page, path_to};

/// Shows the helpdesk's contact details, further links, and a note on privacy.
#[component]
pub fn Footer() -> impl IntoView {
    view! {
        <footer class="bottom">
            <p>{tr("site.footer.help")} " " <HelpdeskLine /></p>
            <p class="ways">
                <a href=path_to(Page::Verify)>{tr("site.rows.verify")}</a>
                <a href=path_to(Page::Privacy)>{tr("site.privacy.title")}</a>
            </p>
            <p>{tr("site.footer.privacy")}</p>
        </footer>
    }
}

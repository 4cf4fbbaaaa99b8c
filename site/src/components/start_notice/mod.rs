//! The notices that a pre-rendered page shows until the site is running, or if it cannot run.

use leptos::prelude::*;

use crate::components::HelpdeskLine;
use crate::language::tr;

/// Appears only in pre-rendered pages, which the site replaces once it is running. The style sheet
/// and `start.js` determine which of the notices is visible.
#[component]
pub fn StartNotice() -> impl IntoView {
    view! {
        <div class="beginning">
            <p class="starting" role="status">
                {tr("site.beginning.waiting")}
            </p>
            <div class="notice wrong start-failed" role="alert">
                <h2>{tr("site.beginning.failed.title")}</h2>
                <p>{tr("site.beginning.failed.text")}</p>
                <p>{tr("site.footer.help")} " " <HelpdeskLine /></p>
                <p>
                    <a class="button" href="">
                        {tr("site.beginning.failed.reload")}
                    </a>
                </p>
            </div>
            <div class="notice waiting start-old" role="alert">
                <h2>{tr("site.beginning.old.title")}</h2>
                <p>{tr("site.beginning.old.text")}</p>
                <p>{tr("site.footer.help")} " " <HelpdeskLine /></p>
            </div>
            <noscript>
                <div class="notice waiting">
                    <h2>{tr("site.beginning.no_script.title")}</h2>
                    <p>{tr("site.beginning.no_script.text")}</p>
                </div>
            </noscript>
        </div>
    }
}

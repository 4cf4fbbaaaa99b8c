//! What a page says while its script is on its way, or cannot run.

use leptos::prelude::*;

use crate::components::HelpdeskLine;
use crate::language::tr;

/// Stands on the pages that are rendered ahead, and goes when the site takes over. `start.js` says how far that is.
#[component]
pub fn Beginning() -> impl IntoView {
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

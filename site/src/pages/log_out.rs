//! `/keluar`: logging out.

use bukti_wire::OtpRoute;
use leptos::prelude::*;

use crate::account::Account;
use crate::api;
use crate::components::{FailureNotice, Heading, RowLink, Symbol};
use crate::form::Form;
use crate::language::tr;
use crate::place::Page;

/// Ends the session when the page is opened. Shows the confirmation only after the server has ended
/// the session.
#[component]
pub fn LogOut() -> impl IntoView {
    let account = Account::current();
    let form = Form::new();
    let is_logged_out = RwSignal::new(false);
    let log_out = move || {
        form.send(Vec::new(), async move {
            match api::delete(OtpRoute::LogOut.path()).await {
                Err(failure) if !failure.is_not_logged_in() => Err(failure),
                _ => {
                    account.set_logged_out();
                    is_logged_out.set(true);
                    Ok(())
                }
            }
        });
    };
    log_out();
    let (leaving_text, left_text) = (tr("site.logout.leaving"), tr("site.logout.left"));
    view! {
        <div class="column">
            <Heading key="site.logout.title" />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| log_out()) />
            <p role="status">
                {move || {
                    if is_logged_out.get() {
                        left_text()
                    } else if form.busy.get() {
                        leaving_text()
                    } else {
                        ""
                    }
                }}
            </p>
            <ul class="rows">
                <RowLink page=Page::Home symbol=Symbol::Home label="site.nav.home" />
            </ul>
        </div>
    }
}

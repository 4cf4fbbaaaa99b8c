//! `/keluar`: logging out.

use bukti_wire::OtpRoute;
use leptos::prelude::*;

use crate::account::Account;
use crate::api;
use crate::components::{FailureNotice, Heading, RowLink, Sign};
use crate::form::Form;
use crate::language::tr;
use crate::place::Page;

/// Ends the session when the page is opened, and confirms it only after the server has.
#[component]
pub fn LogOut() -> impl IntoView {
    let account = Account::current();
    let form = Form::new();
    let done = RwSignal::new(false);
    let leave = move || {
        form.send(Vec::new(), async move {
            match api::delete(OtpRoute::LogOut.path()).await {
                Err(failure) if !failure.is_not_logged_in() => Err(failure),
                _ => {
                    account.left();
                    done.set(true);
                    Ok(())
                }
            }
        });
    };
    leave();
    let (leaving, left) = (tr("site.logout.leaving"), tr("site.logout.left"));
    view! {
        <div class="column">
            <Heading key="site.logout.title" />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| leave()) />
            <p role="status">
                {move || {
                    if done.get() {
                        left()
                    } else if form.busy.get() {
                        leaving()
                    } else {
                        ""
                    }
                }}
            </p>
            <ul class="rows">
                <RowLink page=Page::Home sign=Sign::Home label="site.nav.home" />
            </ul>
        </div>
    }
}

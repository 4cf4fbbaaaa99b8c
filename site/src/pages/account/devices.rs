//! `/perangkat`: lists the sessions of a phone number, and ends them on request.

use bukti_locales::{fill, text};
use bukti_wire::{OpenSession, OpenSessions, OtpRoute, ProblemCode};
use leptos::prelude::*;

use super::AccountState;
use crate::api;
use crate::browser;
use crate::components::{FactList, Facts, FailureNotice};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr, tr_with};

/// The id of the status message. It takes the focus after sessions have been ended, because the
/// pressed button no longer exists.
const STATUS_ID: &str = "devices-news";

#[derive(Clone, Copy)]
struct SessionsState {
    account: AccountState,
    sessions: RwSignal<Vec<OpenSession>>,
    form: Form,
    /// Whether the visitor has ended sessions on this page.
    has_ended: RwSignal<bool>,
}

impl SessionsState {
    /// Ends the sessions with these ids, then loads the remaining sessions.
    fn load(self, end: Vec<String>) {
        self.form.send(Vec::new(), async move {
            for id in &end {
                match self.account.check_session(api::delete(&OtpRoute::EndSession.path_of(id)).await) {
                    Err(failure) if failure.code() != Some(ProblemCode::NotFound) => return Err(failure),
                    // `NotFound` means that the session has already ended.
                    _ => {}
                }
            }
            let response = self.account.check_session(api::get(OtpRoute::Sessions.path()).await)?;
            let OpenSessions { sessions } = response;
            self.sessions.set(sessions);
            if !end.is_empty() {
                self.has_ended.set(true);
                browser::focus_after_render(STATUS_ID);
            }
            Ok(())
        });
    }
}

/// Lists the sessions of the phone number, the current one first.
#[component]
pub fn Devices(account: AccountState) -> impl IntoView {
    let (sessions, has_ended) = (RwSignal::new(Vec::new()), RwSignal::new(false));
    let state = SessionsState { account, sessions, form: Form::new(), has_ended };
    state.load(Vec::new());
    let failure = Signal::derive(move || state.form.failure.get().filter(|it| !it.is_not_logged_in()));
    let (loading_text, ended_text) = (tr("site.loading"), tr("site.devices.ended"));
    let status = move || match (state.form.busy.get(), state.has_ended.get()) {
        (true, _) => loading_text(),
        (false, true) => ended_text(),
        (false, false) => "",
    };
    let others = move || {
        let sessions = state.sessions.read();
        let others = sessions.iter().filter(|session| !session.is_current);
        others.map(|session| session.id.clone()).collect::<Vec<_>>()
    };
    let end_others = move || {
        let all = (others().len() > 1).then(|| {
            view! {
                <button type="button" class="button" on:click=move |_| state.load(others())>
                    {tr("site.devices.end_others")}
                </button>
            }
        });
        let none = (state.sessions.read().len() == 1).then(|| view! { <p>{tr("site.devices.only")}</p> });
        view! {
            {all}
            {none}
        }
    };
    let retry = Callback::new(move |()| state.load(Vec::new()));
    let cards = move || {
        let (current, others): (Vec<_>, Vec<_>) =
            state.sessions.get().into_iter().partition(|session| session.is_current);
        let all = current.into_iter().chain(others);
        all.map(|session| view! { <Device state=state session=session /> }).collect_view()
    };
    view! {
        <p>{tr("site.devices.help")}</p>
        <FailureNotice failure=failure busy=state.form.busy retry=retry />
        <p id=STATUS_ID tabindex="-1" role="status">
            {status}
        </p>
        {cards}
        {end_others}
    }
}

/// Shows a session: its browser and operating system, when it started, when it was last used, and a
/// button that ends it.
#[component]
fn Device(state: SessionsState, session: OpenSession) -> impl IntoView {
    let language = Language::current();
    let (browser_name, system) = (session.browser.clone(), session.system.clone());
    let name = move |locale| match (&browser_name, &system) {
        (Some(browser), Some(system)) => {
            fill(locale, "site.devices.on", &[("browser", browser), ("system", system)])
        }
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => text(locale, "site.devices.unknown").to_owned(),
    };
    let title = {
        let name = name.clone();
        move || name(language.get())
    };
    let (since, last_used) = (session.since, session.last_used);
    let facts: Facts = Box::new(move |locale| {
        let at = |seconds: i64| browser::local_time(seconds as f64 * 1000.0);
        [("site.devices.since", since), ("site.devices.last_used", last_used)]
            .into_iter()
            .filter_map(|(label, seconds)| Some((label, describe::moment(locale, at(seconds)?))))
            .collect()
    });
    let action = if session.is_current {
        view! { <p class="badge good">{tr("site.devices.this")}</p> }.into_any()
    } else {
        let end = move |_| state.load(vec![session.id.clone()]);
        let label = tr_with("site.devices.end", move |locale| vec![("device", name(locale))]);
        view! {
            <button type="button" class="button" on:click=end>
                {label}
            </button>
        }
        .into_any()
    };
    view! {
        <article class="card">
            <div class="inside">
                <h2>{title}</h2>
                <FactList facts=facts />
                {action}
            </div>
        </article>
    }
}

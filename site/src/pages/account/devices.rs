//! `/perangkat`: the sessions of the phone number, and ending them.

use bukti_locales::{fill, text};
use bukti_wire::{OpenSession, OpenSessions, OtpRoute, ProblemCode};
use leptos::prelude::*;

use super::Shelf;
use crate::api;
use crate::browser;
use crate::components::{FactList, Facts, FailureNotice};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr, tr_with};

/// The id of the status message. It takes the focus after sessions were ended, because the button
/// that was pressed is gone.
const NEWS: &str = "devices-news";

#[derive(Clone, Copy)]
struct Desk {
    shelf: Shelf,
    sessions: RwSignal<Vec<OpenSession>>,
    form: Form,
    /// Whether sessions were ended.
    ended: RwSignal<bool>,
}

impl Desk {
    /// Ends these sessions, then loads those that are left.
    fn load(self, end: Vec<String>) {
        self.form.send(Vec::new(), async move {
            for id in &end {
                match self.shelf.unless_logged_out(api::delete(&OtpRoute::EndSession.path_of(id)).await) {
                    Err(failure) if failure.code() != Some(ProblemCode::NotFound) => return Err(failure),
                    // Not found: the session had ended already.
                    _ => {}
                }
            }
            let open = self.shelf.unless_logged_out(api::get(OtpRoute::Sessions.path()).await)?;
            let OpenSessions { sessions } = open;
            self.sessions.set(sessions);
            if !end.is_empty() {
                self.ended.set(true);
                browser::focus_soon(NEWS);
            }
            Ok(())
        });
    }
}

/// The sessions of the phone number, the current one first.
#[component]
pub fn Devices(shelf: Shelf) -> impl IntoView {
    let (sessions, ended) = (RwSignal::new(Vec::new()), RwSignal::new(false));
    let desk = Desk { shelf, sessions, form: Form::new(), ended };
    desk.load(Vec::new());
    let failure = Signal::derive(move || desk.form.failure.get().filter(|it| !it.is_not_logged_in()));
    let (loading, done) = (tr("site.loading"), tr("site.devices.ended"));
    let news = move || match (desk.form.busy.get(), desk.ended.get()) {
        (true, _) => loading(),
        (false, true) => done(),
        (false, false) => "",
    };
    let others = move || {
        let sessions = desk.sessions.read();
        let others = sessions.iter().filter(|session| !session.is_current);
        others.map(|session| session.id.clone()).collect::<Vec<_>>()
    };
    let end_others = move || {
        let all = (others().len() > 1).then(|| {
            view! {
                <button type="button" class="button" on:click=move |_| desk.load(others())>
                    {tr("site.devices.end_others")}
                </button>
            }
        });
        let none = (desk.sessions.read().len() == 1).then(|| view! { <p>{tr("site.devices.only")}</p> });
        view! {
            {all}
            {none}
        }
    };
    let again = Callback::new(move |()| desk.load(Vec::new()));
    let cards = move || {
        let (here, others): (Vec<_>, Vec<_>) =
            desk.sessions.get().into_iter().partition(|session| session.is_current);
        let all = here.into_iter().chain(others);
        all.map(|session| view! { <Device desk=desk session=session /> }).collect_view()
    };
    view! {
        <p>{tr("site.devices.help")}</p>
        <FailureNotice failure=failure busy=desk.form.busy retry=again />
        <p id=NEWS tabindex="-1" role="status">
            {news}
        </p>
        {cards}
        {end_others}
    }
}

/// A session: browser and system, when it began and was last used, and a button to end it.
#[component]
fn Device(desk: Desk, session: OpenSession) -> impl IntoView {
    let language = Language::current();
    let (browser_name, system) = (session.browser.clone(), session.system.clone());
    let name = move |locale| match (&browser_name, &system) {
        (Some(browser), Some(system)) => {
            fill(locale, "site.devices.on", &[("browser", browser), ("system", system)])
        }
        (Some(one), None) | (None, Some(one)) => one.clone(),
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
    let way_out = if session.is_current {
        view! { <p class="badge good">{tr("site.devices.this")}</p> }.into_any()
    } else {
        let end = move |_| desk.load(vec![session.id.clone()]);
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
                {way_out}
            </div>
        </article>
    }
}

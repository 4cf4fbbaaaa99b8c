//! `/dilihat`: which officers viewed a person's records, and what they did.

use bukti_wire::{AccessLog as AccessLogResponse, AccessLogEntry, HelpdeskRoute};
use leptos::prelude::*;

use super::{AccountState, NoRecords, PersonChoice};
use crate::api;
use crate::browser;
use crate::components::FailureNotice;
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr};

#[derive(Clone, Copy)]
struct AccessLogState {
    account: AccountState,
    accesses: RwSignal<Option<Vec<AccessLogEntry>>>,
    form: Form,
}

impl AccessLogState {
    /// Loads the access log of the chosen person. Repeats the request if another person was chosen
    /// in the meantime.
    fn load(self) {
        self.accesses.set(None);
        self.form.send(Vec::new(), async move {
            while let Some(id) = self.account.chosen.get_untracked() {
                let response = api::get(&HelpdeskRoute::AccessLog.path_of(&id)).await;
                let AccessLogResponse { looks } = self.account.check_session(response)?;
                if self.account.chosen.get_untracked().as_ref() == Some(&id) {
                    self.accesses.set(Some(looks));
                    break;
                }
            }
            Ok(())
        });
    }
}

/// Lets the visitor choose a person, then lists the accesses to that person's records, newest
/// first.
#[component]
pub fn AccessLog(account: AccountState) -> impl IntoView {
    let state = AccessLogState { account, accesses: RwSignal::new(None), form: Form::new() };
    browser::effect(Box::new(move || {
        if account.chosen.read().is_some() {
            state.load();
        }
    }));
    let failure = Signal::derive(move || {
        let failure = account.loading.failure.get().or_else(|| state.form.failure.get());
        failure.filter(|failure| !failure.is_not_logged_in())
    });
    let busy = Signal::derive(move || account.loading.busy.get() || state.form.busy.get());
    let retry = Callback::new(move |()| {
        if account.loading.failure.read_untracked().is_some() { account.retry() } else { state.load() }
    });
    let (loading_text, none_text) = (tr("site.loading"), tr("site.looks.none"));
    let status = move || match (busy.get(), state.accesses.read().as_ref().map(Vec::is_empty)) {
        (true, _) => loading_text(),
        (false, Some(true)) => none_text(),
        _ => "",
    };
    let people = move |people: Vec<_>| {
        if people.is_empty() {
            view! { <NoRecords account=account /> }.into_any()
        } else {
            view! { <PersonChoice account=account people=people question="site.looks.choose" /> }.into_any()
        }
    };
    let list = move |accesses: Vec<AccessLogEntry>| {
        (!accesses.is_empty()).then(|| {
            let entries =
                accesses.into_iter().map(|access| view! { <AccessEntry access=access /> }).collect_view();
            view! { <ul class="entries">{entries}</ul> }
        })
    };
    view! {
        <p>{tr("site.looks.help")}</p>
        <FailureNotice failure=failure busy=busy retry=retry />
        {move || account.people.get().map(people)}
        <p role="status">{status}</p>
        {move || state.accesses.get().map(list)}
    }
}

/// Shows the time of an access, the officer, and what the officer did.
#[component]
fn AccessEntry(access: AccessLogEntry) -> impl IntoView {
    let language = Language::current();
    let (at, officer, action) = (access.at, access.officer, access.action);
    view! {
        <li>
            <span class="hint">{move || describe::moment_at(language.get(), at)}</span>
            <span>{officer} " · " {move || describe::case_text(language.get(), "action", &action)}</span>
        </li>
    }
}

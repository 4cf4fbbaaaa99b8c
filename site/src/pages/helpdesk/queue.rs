//! The queue of open cases, oldest first.

use bukti_domain::{CaseState, Correction};
use bukti_locales::{Locale, fill, text};
use bukti_wire::{CaseQueue, CaseSummary, HelpdeskRoute};
use leptos::prelude::*;

use super::{Access, Console};
use crate::api;
use crate::browser;
use crate::components::{FailureNotice, tone_style};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr};
use crate::pages::case_parts::StateLine;

const DAY_SECONDS: i64 = 86_400;

/// The state of the queue: the loaded cases and the filters.
#[derive(Clone, Copy)]
pub struct Queue {
    access: Access,
    form: Form,
    cases: RwSignal<Option<Vec<CaseSummary>>>,
    next: RwSignal<Option<String>>,
    /// The state to filter by; empty for all cases.
    state: RwSignal<String>,
    /// The kind of correction to filter by; empty for all cases.
    correction: RwSignal<String>,
}

impl Queue {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            form: Form::new(),
            cases: RwSignal::new(None),
            next: RwSignal::new(None),
            state: RwSignal::new(String::new()),
            correction: RwSignal::new(String::new()),
        }
    }

    /// Loads the queue from its beginning.
    pub fn load(self) {
        self.fetch(None);
    }

    /// Loads the next page.
    fn load_next_page(self) {
        self.fetch(self.next.get_untracked());
    }

    fn fetch(self, after: Option<String>) {
        self.form.send(Vec::new(), async move {
            let path = match &after {
                Some(after) => {
                    let after = String::from(js_sys::encode_uri_component(after));
                    format!("{}?after={after}", HelpdeskRoute::Queue.path())
                }
                None => HelpdeskRoute::Queue.path().to_owned(),
            };
            let CaseQueue { cases, next } = self.access.check(api::get(&path).await)?;
            self.cases.update(|all| match all {
                Some(all) if after.is_some() => all.extend(cases),
                all => *all = Some(cases),
            });
            self.next.set(next);
            Ok(())
        });
    }

    /// Returns the cases that match the filters (tracked read).
    fn filtered(self) -> Vec<CaseSummary> {
        let (state, correction) = (self.state.get(), self.correction.get());
        let matches_filters = |case: &&CaseSummary| {
            (state.is_empty() || case.state.code() == state)
                && (correction.is_empty() || case.correction.code() == correction)
        };
        let cases = self.cases.read();
        cases.iter().flatten().filter(matches_filters).cloned().collect()
    }
}

/// Shows the filters, the cases, and a button that loads more cases.
#[component]
pub fn QueueScreen(console: Console) -> impl IntoView {
    let queue = console.queue;
    let (loading_text, none_text) = (tr("site.loading"), tr("site.console.queue.none"));
    let shown = Memo::new(move |_| queue.filtered());
    let status = move || match queue.form.busy.get() {
        true => loading_text(),
        false if queue.cases.read().is_some() && shown.read().is_empty() => none_text(),
        false => "",
    };
    let rows = move || {
        let cases = shown.get();
        (!cases.is_empty()).then(|| view! { <CaseRows console=console cases=cases /> })
    };
    let more_button = move || {
        queue.next.read().is_some().then(|| {
            view! {
                <button type="button" class="button" on:click=move |_| queue.load_next_page()>
                    {tr("site.console.queue.more")}
                </button>
            }
        })
    };
    // Decided cases are not in the queue.
    let states: Vec<_> = CaseState::ALL.iter().filter(|it| !it.is_decided()).map(|it| it.code()).collect();
    let corrections: Vec<_> = Correction::ALL.iter().map(|it| it.code()).collect();
    let retry = Callback::new(move |()| queue.load());
    view! {
        <div class="filters">
            <Filter id="filter-state" label="site.console.queue.state" kind="state" codes=states value=queue.state />
            <Filter
                id="filter-correction"
                label="site.console.queue.correction"
                kind="correction"
                codes=corrections
                value=queue.correction
            />
        </div>
        <FailureNotice failure=queue.form.failure busy=queue.form.busy retry=retry />
        <p role="status">{status}</p>
        {rows}
        {more_button}
    }
}

/// A drop-down list that filters the queue.
#[component]
fn Filter(
    id: &'static str,
    /// Text key of the label.
    label: &'static str,
    /// The type of the codes, for [`describe::case_text`].
    kind: &'static str,
    codes: Vec<&'static str>,
    /// The chosen code; empty for all cases.
    value: RwSignal<String>,
) -> impl IntoView {
    let language = Language::current();
    let option = move |code: &'static str| {
        let chosen = *value.read_untracked() == code;
        view! {
            <option value=code selected=chosen>
                {move || describe::case_text(language.get(), kind, code)}
            </option>
        }
    };
    view! {
        <div class="field">
            <label for=id>{tr(label)}</label>
            <select id=id on:change=move |event| value.set(event_target_value(&event))>
                <option value="">{tr("site.console.queue.all")}</option>
                {codes.into_iter().map(option).collect_view()}
            </select>
        </div>
    }
}

/// A list of cases. A tap on a row opens the case.
#[component]
pub fn CaseRows(console: Console, cases: Vec<CaseSummary>) -> impl IntoView {
    let row = move |case: CaseSummary| view! { <CaseRow console=console case=case /> };
    view! { <ul class="case-rows">{cases.into_iter().map(row).collect_view()}</ul> }
}

/// A row with the number, subject, state and age of a case.
#[component]
fn CaseRow(console: Console, case: CaseSummary) -> impl IntoView {
    let (class, _) = tone_style(describe::case_tone(case.state));
    let (language, opened_at) = (Language::current(), case.opened_at);
    let age = move || age_text(language.get(), opened_at);
    let number = case.number.clone();
    view! {
        <li>
            <button type="button" on:click=move |_| console.open(number.clone())>
                <span class="number">{case.number}</span>
                <span class=format!("badge {class}")>
                    <StateLine correction=case.correction state=case.state />
                </span>
                <span class="age">{age}</span>
            </button>
        </li>
    }
}

/// Formats the age of a case in days. `opened_at` is Unix time in seconds.
fn age_text(locale: Locale, opened_at: i64) -> String {
    match (browser::unix_time() - opened_at).max(0) / DAY_SECONDS {
        0 => text(locale, "site.console.queue.today").to_owned(),
        days => fill(locale, "site.console.queue.days", &[("n", &days.to_string())]),
    }
}

/// Formats the time when a case was opened, and its age. `opened_at` is Unix time in seconds.
pub fn opened_text(locale: Locale, opened_at: i64) -> String {
    let (moment, age) = (describe::moment_at(locale, opened_at), age_text(locale, opened_at));
    fill(locale, "site.console.case.opened", &[("moment", &moment), ("age", &age)])
}

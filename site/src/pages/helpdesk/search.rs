//! The search for a person by identity number, phone number or certificate number.

use bukti_domain::{BirthDate, CaseNumber, Identity, MAX_FIELD_CHARS, PhoneNumber};
use bukti_locales::fill;
use bukti_wire::{HelpdeskRoute, PeopleFound, Person, PersonFound, PersonQuery, RecordedDose, ResendRequest};
use leptos::prelude::*;

use super::dose::DoseView;
use super::queue::CaseRows;
use super::{Access, Console};
use crate::api;
use crate::browser;
use crate::components::{BusyButton, Choice, ErrorSummary, FailureNotice, RadioField, TextArea, TextField};
use crate::describe;
use crate::form::{Field, FieldProblem, Form, check};
use crate::language::{Language, tr};

/// The id of the heading above the results.
const RESULTS_ID: &str = "found";
const LONGEST_REASON: usize = MAX_FIELD_CHARS;

/// The kinds of number to search by: value and text key of each option.
const SEARCH_KINDS: [(&str, &str); 3] = [
    ("identity", "site.console.search.identity"),
    ("phone", "site.console.search.phone"),
    ("certificate", "site.console.search.certificate"),
];

/// The state of the search form, of its results, and of the form that resends an SMS.
#[derive(Clone, Copy)]
pub struct Search {
    access: Access,
    form: Form,
    kind: RwSignal<String>,
    typed: RwSignal<String>,
    why: RwSignal<String>,
    found: RwSignal<Option<PeopleFound>>,
    resend_form: Form,
    /// The id of the dose whose SMS is to be resent.
    resent_dose: RwSignal<Option<String>>,
    resend_why: RwSignal<String>,
    /// Whether the SMS has been resent.
    has_resent: RwSignal<bool>,
}

impl Search {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            form: Form::new(),
            kind: RwSignal::new("identity".to_owned()),
            typed: RwSignal::new(String::new()),
            why: RwSignal::new(String::new()),
            found: RwSignal::new(None),
            resend_form: Form::new(),
            resent_dose: RwSignal::new(None),
            resend_why: RwSignal::new(String::new()),
            has_resent: RwSignal::new(false),
        }
    }

    /// The field for the chosen kind of number, the text key of its label, and its on-screen
    /// keyboard (tracked read).
    fn field(self) -> (Field, &'static str, &'static str) {
        match self.kind.read().as_str() {
            "phone" => (Field::Phone, "site.field.phone.label", "tel"),
            "certificate" => (Field::Certificate, "site.field.certificate.label", "text"),
            _ => (Field::Identity, "site.field.identity.label", "text"),
        }
    }

    fn problems(self) -> Vec<FieldProblem> {
        let (typed, why) = (self.typed.get_untracked(), self.why.get_untracked());
        let (field, ..) = untrack(|| self.field());
        let is_possible = match field {
            Field::Phone => PhoneNumber::parse(&typed).is_some(),
            Field::Identity => Identity::parse(&typed).is_some(),
            _ => !typed.trim().is_empty(),
        };
        let problems = [
            check(field, &typed, is_possible.then_some(())),
            check(Field::Why, &why, (!why.trim().is_empty()).then_some(())),
        ];
        problems.into_iter().flatten().collect()
    }

    /// Sends the search. If the officer typed a case number, opens that case instead.
    fn send(self, console: Console) {
        let typed = self.typed.get_untracked();
        let kind = self.kind.get_untracked();
        let problems = self.problems();
        if problems.is_empty()
            && kind == "certificate"
            && let Some(number) = CaseNumber::parse(&typed)
        {
            self.form.clear();
            return console.open(number.grouped());
        }
        self.close_resend_form();
        self.form.send(problems, async move {
            self.found.set(None);
            let value_of = |field: &str| (kind == field).then(|| typed.trim().to_owned());
            let query = PersonQuery {
                identity: value_of("identity"),
                phone: value_of("phone"),
                certificate: value_of("certificate"),
                why: self.why.get_untracked(),
            };
            let response = api::post(HelpdeskRoute::FindPeople.path(), &query).await;
            let found = self.access.check(response)?;
            self.found.set(Some(found));
            browser::focus_after_render(RESULTS_ID);
            Ok(())
        });
    }

    fn close_resend_form(self) {
        self.resend_form.clear();
        self.resent_dose.set(None);
        self.resend_why.set(String::new());
        self.has_resent.set(false);
    }

    fn open_resend_form(self, dose: String) {
        self.close_resend_form();
        self.form.clear();
        self.resent_dose.set(Some(dose));
        browser::focus_after_render(Field::ResendWhy.id());
    }

    /// Requests that the SMS for the dose be resent.
    fn resend(self) {
        let Some(dose) = self.resent_dose.get_untracked() else { return };
        let why = self.resend_why.get_untracked();
        let problems = check(Field::ResendWhy, &why, (!why.trim().is_empty()).then_some(()));
        self.resend_form.send(problems.into_iter().collect(), async move {
            let path = HelpdeskRoute::Resend.path_of(&dose);
            self.access.check(api::post_raw(&path, &ResendRequest { why }).await)?;
            self.has_resent.set(true);
            browser::focus_after_render("resent");
            Ok(())
        });
    }
}

/// Shows the form, and the results below it.
#[component]
pub fn SearchScreen(console: Console) -> impl IntoView {
    let search = console.search;
    let form = search.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        search.send(console);
    };
    let choices = SEARCH_KINDS.map(|(value, label)| Choice {
        value: value.to_owned(),
        label: Box::new(move |locale| bukti_locales::text(locale, label).to_owned()),
        help: None,
    });
    let kind = Memo::new(move |_| search.field());
    let field = move || {
        let (field, label, inputmode) = kind.get();
        view! { <TextField field=field form=form label=label value=search.typed inputmode=inputmode /> }
    };
    let retry = Callback::new(move |()| search.send(console));
    view! {
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=retry />
            <RadioField
                field=Field::SearchBy
                form=form
                label="site.console.search.by"
                choices=choices.into()
                value=search.kind
            />
            {field}
            <TextArea
                field=Field::Why
                form=form
                label="site.field.why.label"
                hint="site.console.search.why"
                value=search.why
                longest=LONGEST_REASON
            />
            <BusyButton
                label="site.console.search.send"
                busy_label="site.console.search.sending"
                busy=form.busy
            />
        </form>
        {move || search.found.get().map(|found| view! { <SearchResults console=console found=found /> })}
    }
}

/// The holder of a dose as a [`Person`]. `None` if the identity number cannot be parsed.
fn holder_of(recorded: &RecordedDose) -> Option<Person> {
    let identity = Identity::parse(&recorded.identity)?;
    Some(Person {
        id: recorded.identity.clone(),
        name: recorded.name.clone(),
        identity: identity.masked(),
        birth_year: BirthDate::parse(recorded.birth_date.trim()).map(BirthDate::year),
    })
}

/// Lists the people found, each with their doses and cases.
#[component]
fn SearchResults(console: Console, found: PeopleFound) -> impl IntoView {
    let PeopleFound { people, more } = found;
    let search = console.search;
    let more_notice = |more: bool| more.then(|| view! { <p>{tr("site.console.more")}</p> });
    let language = Language::current();
    let first_doses = people.iter().filter_map(|person| person.doses.first());
    let holders: Vec<Person> = first_doses.filter_map(|dose| holder_of(&dose.recorded)).collect();
    let holders = StoredValue::new(holders);
    let none_notice = people.is_empty().then(|| view! { <p>{tr("site.console.search.none")}</p> });
    let person = move |(at, person): (usize, PersonFound)| {
        let holder = person.doses.first().and_then(|dose| holder_of(&dose.recorded));
        let title = move || {
            let (locale, n) = (language.get(), (at + 1).to_string());
            match &holder {
                Some(holder) => {
                    let person = holders.with_value(|all| describe::person(locale, holder, all));
                    fill(locale, "site.console.search.named", &[("n", &n), ("person", &person)])
                }
                None => fill(locale, "site.console.search.person", &[("n", &n)]),
            }
        };
        let doses = person.doses.into_iter().map(|dose| {
            let id = dose.id.clone();
            view! {
                <DoseView dose=dose>
                    <ResendControl search=search dose=id />
                </DoseView>
            }
        });
        let cases = (!person.cases.is_empty()).then(|| {
            view! {
                <h3>{tr("site.console.search.cases")}</h3>
                <CaseRows console=console cases=person.cases />
            }
        });
        view! {
            <section class="shelf">
                <h3>{title}</h3>
                {doses.collect_view()}
                {cases}
                {more_notice(person.more)}
            </section>
        }
    };
    view! {
        <h2 id=RESULTS_ID tabindex="-1">
            {tr("site.console.search.found")}
        </h2>
        {none_notice}
        {people.into_iter().enumerate().map(person).collect_view()}
        {more_notice(more)}
    }
}

/// Shows the button that opens the form for resending an SMS, then the form, then the confirmation.
#[component]
fn ResendControl(search: Search, dose: String) -> impl IntoView {
    let dose = StoredValue::new(dose);
    let is_open =
        Memo::new(move |_| dose.with_value(|dose| search.resent_dose.read().as_ref() == Some(dose)));
    move || match (is_open.get(), search.has_resent.get()) {
        (true, true) => view! {
            <p id="resent" tabindex="-1" role="status">
                {tr("site.console.resend.sent")}
            </p>
        }
        .into_any(),
        (true, false) => view! { <ResendForm search=search /> }.into_any(),
        (false, _) => view! {
            <button type="button" class="button" on:click=move |_| search.open_resend_form(dose.get_value())>
                {tr("site.console.resend.begin")}
            </button>
        }
        .into_any(),
    }
}

/// The form that asks for the reason for resending the SMS.
#[component]
fn ResendForm(search: Search) -> impl IntoView {
    let form = search.resend_form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        search.resend();
    };
    view! {
        <form novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| search.resend()) />
            <TextArea
                field=Field::ResendWhy
                form=form
                label="site.field.resend_why.label"
                hint="site.console.search.why"
                value=search.resend_why
                longest=LONGEST_REASON
            />
            <BusyButton
                label="site.console.resend.send"
                busy_label="site.console.resend.sending"
                busy=form.busy
                class="button"
            />
        </form>
    }
}

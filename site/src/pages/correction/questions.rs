//! The steps of a request for a correction, and the confirmation.

use bukti_domain::Correction as Wrongness;
use leptos::prelude::*;

use super::Desk;
use super::evidence::{EvidenceField, EvidenceList};
use crate::components::{
    BusyButton, Choice, DateField, ErrorSummary, FailureNotice, HelpdeskLinks, IdentityField, RadioField,
    RowLink, SelectField, Sign, TextArea, TextField,
};
use crate::describe;
use crate::form::Field;
use crate::language::{Language, tr, tr_with};
use crate::place::Page;
use crate::settings::Settings;

/// A step's form, with its problems above the fields, and the buttons for the next and the previous
/// step below them.
#[component]
fn Question(
    desk: Desk,
    /// Label of the button for the next step; a text key.
    #[prop(default = "site.download.next")]
    on: &'static str,
    /// Its label while a request is on its way; a text key.
    #[prop(default = "site.download.next")]
    busy: &'static str,
    /// Whether there is a previous step.
    #[prop(default = true)]
    has_back: bool,
    children: Children,
) -> impl IntoView {
    let form = desk.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        desk.next();
    };
    let back = has_back.then(|| {
        view! {
            <button type="button" class="button" on:click=move |_| desk.back()>
                {tr("site.download.back")}
            </button>
        }
    });
    view! {
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| desk.next()) />
            {children()}
            <BusyButton label=on busy_label=busy busy=form.busy />
            {back}
        </form>
    }
}

/// The choice of what is to be corrected.
#[component]
pub fn What(desk: Desk) -> impl IntoView {
    let choice = |correction: &Wrongness| {
        let code = correction.code();
        Choice {
            value: code.to_owned(),
            label: Box::new(move |locale| describe::case_code(locale, "correction", code)),
            help: Some(Box::new(move |locale| describe::case_code(locale, "correction_help", code))),
        }
    };
    let has_cases = desk.cases.read_untracked().as_ref().is_some_and(|cases| !cases.is_empty());
    view! {
        <Question desk=desk has_back=has_cases>
            <RadioField
                field=Field::Correction
                form=desk.form
                label="site.field.correction.label"
                choices=Wrongness::ALL.iter().map(choice).collect()
                value=desk.correction
            />
        </Question>
    }
}

/// The correct name, identity and birth date.
#[component]
pub fn AboutPerson(desk: Desk) -> impl IntoView {
    let form = desk.form;
    let is_by_law = desk.is_by_law();
    let help = if is_by_law { "site.correction.person.law" } else { "site.correction.person.help" };
    view! {
        <p>{tr(help)}</p>
        <Question desk=desk>
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=desk.name
                autocomplete="name"
            />
            <IdentityField identity=desk.identity form=form on_typed=Callback::new(|()| {}) />
            <DateField
                date=desk.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
        </Question>
    }
}

/// The correct number of a dose; for a missing dose also vaccine, date and facility.
#[component]
pub fn AboutDose(desk: Desk) -> impl IntoView {
    let (form, loading) = (desk.form, desk.loading_vaccines);
    let language = Language::current();
    let groups = Signal::derive(move || {
        let vaccines = desk.vaccines.read();
        vaccines.as_ref().map(|all| describe::vaccines_by_disease(language.get(), all)).unwrap_or_default()
    });
    let is_missing = desk.wrongness() == Some(Wrongness::DoseMissing);
    let help = tr(if is_missing { "site.correction.dose.missing" } else { "site.correction.dose.number" });
    let retry = Callback::new(move |()| desk.load_vaccines());
    let notice =
        is_missing.then(|| view! { <FailureNotice failure=loading.failure busy=loading.busy retry=retry /> });
    let others = is_missing.then(|| {
        view! {
            <SelectField
                field=Field::Vaccine
                form=form
                label="site.field.vaccine.label"
                nothing="site.field.vaccine.nothing"
                groups=groups
                value=desk.vaccine
            />
            <DateField
                date=desk.vaccination_date
                form=form
                label="site.field.vaccination_date.label"
                hint="site.field.vaccination_date.hint"
            />
            <TextField
                field=Field::Facility
                form=form
                label="site.field.facility.label"
                hint="site.field.facility.hint"
                value=desk.facility
            />
        }
    });
    view! {
        <p>{help}</p>
        {notice}
        <Question desk=desk>
            <TextField
                field=Field::DoseNumber
                form=form
                label="site.field.dose_number.label"
                hint="site.field.dose_number.hint"
                value=desk.dose_number
                inputmode="numeric"
            />
            {others}
        </Question>
    }
}

/// Evidence and a note, both optional.
#[component]
pub fn LastQuestion(desk: Desk) -> impl IntoView {
    let is_by_law = desk.is_by_law();
    let help = if is_by_law { "site.correction.last.law" } else { "site.correction.last.help" };
    view! {
        <p>{tr(help)}</p>
        <Question desk=desk on="site.correction.send" busy="site.correction.sending">
            <EvidenceField evidence=desk.evidence busy=desk.form.busy />
            <TextArea
                field=Field::Note
                form=desk.form
                label="site.field.note.label"
                hint="site.field.note.hint"
                value=desk.note
            />
        </Question>
    }
}

/// The case number, what happens next, and failed uploads.
#[component]
pub fn Sent(desk: Desk) -> impl IntoView {
    let settings = Settings::current();
    let sender = move || settings.get(|settings| &settings.sms_sender);
    let opened = desk.opened.get_untracked();
    let possible_match = opened.as_ref().is_some_and(|opened| opened.possible_match);
    let number = opened.map(|opened| opened.number).unwrap_or_default();
    let evidence = desk.evidence;
    let again = Callback::new(move |()| desk.send_evidence());
    let has_failed = Memo::new(move |_| evidence.has_failed());
    let retry = move || {
        has_failed.get().then(|| {
            view! {
                <BusyButton
                    label="site.correction.evidence.again"
                    busy_label="site.correction.evidence.sending"
                    busy=desk.form.busy
                    class="button"
                    on_tap=again
                />
            }
        })
    };
    let is_by_law = desk.is_by_law();
    let granted = if is_by_law { "site.correction.sent.confirmed" } else { "site.correction.sent.granted" };
    let found =
        possible_match.then(|| view! { <p class="notice waiting">{tr("site.correction.sent.found")}</p> });
    view! {
        <p>{tr("site.correction.sent.number")}</p>
        <p class="case-number">{number}</p>
        {found}
        <EvidenceList evidence=evidence />
        {retry}
        <h2>{tr("site.correction.sent.next")}</h2>
        <ul>
            <li>{tr("site.correction.sent.keep")}</li>
            <li>{tr_with("site.correction.sent.sms", move |_| vec![("sender", sender())])}</li>
            <li>{tr(granted)}</li>
        </ul>
        <button type="button" class="button" on:click=move |_| desk.to_cases()>
            {tr("site.correction.sent.cases")}
        </button>
        <HelpdeskLinks />
        <ul class="rows">
            <RowLink page=Page::Home sign=Sign::Home label="site.home.title" />
        </ul>
    }
}

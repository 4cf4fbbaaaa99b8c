//! The steps of a request for a correction, and the confirmation.

use bukti_domain::Correction as CorrectionKind;
use leptos::prelude::*;

use super::CorrectionState;
use super::evidence::{EvidenceField, EvidenceList};
use crate::components::{
    BusyButton, Choice, DateField, ErrorSummary, FailureNotice, HelpdeskLinks, IdentityField, RadioField,
    RowLink, SelectField, Symbol, TextArea, TextField,
};
use crate::describe;
use crate::form::Field;
use crate::language::{Language, tr, tr_with};
use crate::place::Page;
use crate::settings::Settings;

/// The form of a step, with the error summary above the fields, and the buttons for the next and
/// the previous step below them.
#[component]
fn StepForm(
    state: CorrectionState,
    /// Text key of the label of the button for the next step.
    #[prop(default = "site.download.next")]
    next_label: &'static str,
    /// Text key of the label of that button while a request is in progress.
    #[prop(default = "site.download.next")]
    busy_label: &'static str,
    /// Whether there is a previous step.
    #[prop(default = true)]
    has_back: bool,
    children: Children,
) -> impl IntoView {
    let form = state.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        state.advance();
    };
    let back = has_back.then(|| {
        view! {
            <button type="button" class="button" on:click=move |_| state.back()>
                {tr("site.download.back")}
            </button>
        }
    });
    view! {
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| state.advance()) />
            {children()}
            <BusyButton label=next_label busy_label=busy_label busy=form.busy />
            {back}
        </form>
    }
}

/// Asks for the kind of correction.
#[component]
pub fn KindStep(state: CorrectionState) -> impl IntoView {
    let choice = |correction: &CorrectionKind| {
        let code = correction.code();
        Choice {
            value: code.to_owned(),
            label: Box::new(move |locale| describe::case_text(locale, "correction", code)),
            help: Some(Box::new(move |locale| describe::case_text(locale, "correction_help", code))),
        }
    };
    let has_cases = state.cases.read_untracked().as_ref().is_some_and(|cases| !cases.is_empty());
    view! {
        <StepForm state=state has_back=has_cases>
            <RadioField
                field=Field::Correction
                form=state.form
                label="site.field.correction.label"
                choices=CorrectionKind::ALL.iter().map(choice).collect()
                value=state.correction
            />
        </StepForm>
    }
}

/// Asks for the correct name, identity number and birth date.
#[component]
pub fn PersonStep(state: CorrectionState) -> impl IntoView {
    let form = state.form;
    let is_changed_by_law = state.is_changed_by_law();
    let help = if is_changed_by_law { "site.correction.person.law" } else { "site.correction.person.help" };
    view! {
        <p>{tr(help)}</p>
        <StepForm state=state>
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=state.name
                autocomplete="name"
            />
            <IdentityField identity=state.identity form=form on_typed=Callback::new(|()| {}) />
            <DateField
                date=state.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
        </StepForm>
    }
}

/// Asks for the correct number of a dose and, if the dose is missing, for its vaccine, date and
/// facility.
#[component]
pub fn DoseStep(state: CorrectionState) -> impl IntoView {
    let (form, loading) = (state.form, state.loading_vaccines);
    let language = Language::current();
    let groups = Signal::derive(move || {
        let vaccines = state.vaccines.read();
        vaccines.as_ref().map(|all| describe::vaccines_by_disease(language.get(), all)).unwrap_or_default()
    });
    let is_dose_missing = state.kind() == Some(CorrectionKind::DoseMissing);
    let help =
        tr(if is_dose_missing { "site.correction.dose.missing" } else { "site.correction.dose.number" });
    let retry = Callback::new(move |()| state.load_vaccines());
    let notice = is_dose_missing
        .then(|| view! { <FailureNotice failure=loading.failure busy=loading.busy retry=retry /> });
    let other_fields = is_dose_missing.then(|| {
        view! {
            <SelectField
                field=Field::Vaccine
                form=form
                label="site.field.vaccine.label"
                empty_label="site.field.vaccine.nothing"
                groups=groups
                value=state.vaccine
            />
            <DateField
                date=state.vaccination_date
                form=form
                label="site.field.vaccination_date.label"
                hint="site.field.vaccination_date.hint"
            />
            <TextField
                field=Field::Facility
                form=form
                label="site.field.facility.label"
                hint="site.field.facility.hint"
                value=state.facility
            />
        }
    });
    view! {
        <p>{help}</p>
        {notice}
        <StepForm state=state>
            <TextField
                field=Field::DoseNumber
                form=form
                label="site.field.dose_number.label"
                hint="site.field.dose_number.hint"
                value=state.dose_number
                inputmode="numeric"
            />
            {other_fields}
        </StepForm>
    }
}

/// Asks for evidence and a note, both optional.
#[component]
pub fn EvidenceStep(state: CorrectionState) -> impl IntoView {
    let is_changed_by_law = state.is_changed_by_law();
    let help = if is_changed_by_law { "site.correction.last.law" } else { "site.correction.last.help" };
    view! {
        <p>{tr(help)}</p>
        <StepForm state=state next_label="site.correction.send" busy_label="site.correction.sending">
            <EvidenceField evidence=state.evidence busy=state.form.busy />
            <TextArea
                field=Field::Note
                form=state.form
                label="site.field.note.label"
                hint="site.field.note.hint"
                value=state.note
            />
        </StepForm>
    }
}

/// Shows the case number, what happens next, and failed uploads.
#[component]
pub fn CaseOpenedStep(state: CorrectionState) -> impl IntoView {
    let settings = Settings::current();
    let sender = move || settings.get(|settings| &settings.sms_sender);
    let opened = state.opened.get_untracked();
    let possible_match = opened.as_ref().is_some_and(|opened| opened.possible_match);
    let number = opened.map(|opened| opened.number).unwrap_or_default();
    let evidence = state.evidence;
    let retry_upload = Callback::new(move |()| state.retry_evidence());
    let has_failed = Memo::new(move |_| evidence.has_failed());
    let retry = move || {
        has_failed.get().then(|| {
            view! {
                <BusyButton
                    label="site.correction.evidence.again"
                    busy_label="site.correction.evidence.sending"
                    busy=state.form.busy
                    class="button"
                    on_tap=retry_upload
                />
            }
        })
    };
    let is_changed_by_law = state.is_changed_by_law();
    let outcome_key =
        if is_changed_by_law { "site.correction.sent.confirmed" } else { "site.correction.sent.granted" };
    let match_notice =
        possible_match.then(|| view! { <p class="notice waiting">{tr("site.correction.sent.found")}</p> });
    view! {
        <p>{tr("site.correction.sent.number")}</p>
        <p class="case-number">{number}</p>
        {match_notice}
        <EvidenceList evidence=evidence />
        {retry}
        <h2>{tr("site.correction.sent.next")}</h2>
        <ul>
            <li>{tr("site.correction.sent.keep")}</li>
            <li>{tr_with("site.correction.sent.sms", move |_| vec![("sender", sender())])}</li>
            <li>{tr(outcome_key)}</li>
        </ul>
        <button type="button" class="button" on:click=move |_| state.show_cases()>
            {tr("site.correction.sent.cases")}
        </button>
        <HelpdeskLinks />
        <ul class="rows">
            <RowLink page=Page::Home symbol=Symbol::Home label="site.home.title" />
        </ul>
    }
}

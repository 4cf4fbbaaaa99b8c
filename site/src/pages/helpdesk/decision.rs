//! The decision on a case: grant it, ask the applicant a question, or refuse it.

use bukti_domain::{CaseState, Correction, DiagnosisCode, Ruling};
use bukti_wire::{CaseDecision, HelpdeskRoute, OfficerCase, ProblemCode};
use leptos::prelude::*;

use super::case::{DecisionOutcome, OpenCase};
use super::confirmation::Confirmation;
use super::dose::dose_title;
use crate::api;
use crate::components::{BusyButton, Choice, ErrorSummary, FailureNotice, RadioField, TextArea, TextField};
use crate::form::{Field, FieldProblem, Form, ProblemKind, check};
use crate::language::tr;

/// The value of the option that creates a missing dose instead of assigning a recorded dose to the
/// person.
const NEW_DOSE: &str = "new";

/// The state of the decision form.
#[derive(Clone, Copy)]
pub struct Decision {
    open_case: OpenCase,
    form: Form,
    correction: Correction,
    revision: u32,
    /// Whether another officer's proposal awaits approval.
    has_proposal: bool,
    /// Whether the officer makes a counterproposal instead of approving the proposal.
    is_counterproposal: RwSignal<bool>,
    has_evidence: bool,
    /// The correct value as the applicant wrote it.
    stated: StoredValue<String>,
    /// The code of the decision that is being sent.
    sending: RwSignal<&'static str>,
    /// The id of the chosen dose.
    pub dose: RwSignal<String>,
    pub correct_value: RwSignal<String>,
    facility_word: RwSignal<String>,
    batch: RwSignal<String>,
    facility_code: RwSignal<String>,
    why: RwSignal<String>,
}

impl Decision {
    /// Creates an empty form. If the case has only one dose, that dose is preselected.
    pub fn new(open_case: OpenCase, case: &OfficerCase) -> Self {
        let empty_text = || RwSignal::new(String::new());
        let chosen_dose = match case.doses.as_slice() {
            _ if case.case.correction == Correction::DoseMissing && case.doses.is_empty() => NEW_DOSE,
            [only] if case.case.correction != Correction::DoseMissing => &only.id,
            // Preselect any held dose, because usually all of them have the same data.
            doses if case.case.correction == Correction::DataCorrectedByLaw => {
                let held = doses.iter().find(|it| it.status.diagnosis.code == DiagnosisCode::DoseHeld);
                held.map_or("", |dose| &dose.id)
            }
            _ => "",
        };
        Self {
            open_case,
            form: Form::new(),
            correction: case.case.correction,
            revision: case.revision,
            has_proposal: case.proposal.is_some() && case.case.state == CaseState::AwaitingApproval,
            is_counterproposal: RwSignal::new(false),
            has_evidence: !case.pieces.is_empty(),
            stated: StoredValue::new(case.said.right.clone()),
            sending: RwSignal::new(""),
            dose: RwSignal::new(chosen_dose.to_owned()),
            correct_value: RwSignal::new(case.said.right.clone()),
            facility_word: empty_text(),
            batch: empty_text(),
            facility_code: empty_text(),
            why: empty_text(),
        }
    }

    /// Whether a grant approves the existing proposal unchanged (tracked read).
    pub fn approves_proposal(self) -> bool {
        self.has_proposal && !self.is_counterproposal.get()
    }

    /// Whether a grant creates a dose (tracked read).
    fn creates_dose(self) -> bool {
        self.correction == Correction::DoseMissing && *self.dose.read() == NEW_DOSE
    }

    /// Whether a grant corrects a value of a recorded dose.
    fn corrects_value(self) -> bool {
        self.correction != Correction::DoseMissing
    }

    /// The problems of the fields that a grant requires.
    fn grant_problems(self) -> Vec<FieldProblem> {
        let given = |field: Field, typed: RwSignal<String>| {
            let typed = typed.get_untracked();
            check(field, &typed, (!typed.trim().is_empty()).then_some(()))
        };
        let mut problems = vec![given(Field::Dose, self.dose)];
        if self.corrects_value() {
            let correct_value = self.correct_value.get_untracked();
            problems.push(check(
                Field::Right,
                &correct_value,
                self.correction.is_possible(&correct_value).then_some(()),
            ));
        }
        if untrack(|| self.creates_dose()) {
            problems
                .extend([given(Field::Batch, self.batch), given(Field::FacilityCode, self.facility_code)]);
        }
        if !self.has_evidence {
            problems.push(given(Field::FacilityWord, self.facility_word));
        }
        problems.into_iter().flatten().collect()
    }

    fn request(self, decision: &'static str) -> CaseDecision {
        let is_grant = decision == Ruling::Grant.code() && !untrack(|| self.approves_proposal());
        let creates_dose = untrack(|| self.creates_dose());
        let given = |typed: RwSignal<String>| {
            let typed = typed.get_untracked().trim().to_owned();
            (is_grant && !typed.is_empty()).then_some(typed)
        };
        let correct_value = self.stated.with_value(|stated| {
            given(self.correct_value).filter(|correct_value| correct_value != stated.trim())
        });
        CaseDecision {
            decision: decision.to_owned(),
            revision: self.revision,
            why: self.why.get_untracked(),
            dose: given(self.dose).filter(|_| !creates_dose),
            right: correct_value.filter(|_| self.corrects_value()),
            batch: given(self.batch).filter(|_| creates_dose),
            facility_code: given(self.facility_code).filter(|_| creates_dose),
            facility_word: given(self.facility_word),
        }
    }

    fn send(self, decision: &'static str) {
        let why = self.why.get_untracked();
        let mut problems = Vec::new();
        if decision == Ruling::Grant.code() && !untrack(|| self.approves_proposal()) {
            problems = self.grant_problems();
        }
        problems.extend(
            (why.trim().is_empty()).then_some(FieldProblem { field: Field::Why, kind: ProblemKind::Missing }),
        );
        if !self.form.busy.get_untracked() {
            self.sending.set(decision);
        }
        self.form.send(problems, async move {
            let path = self.open_case.path(HelpdeskRoute::Decide);
            let response = api::post_raw(&path, &self.request(decision)).await;
            match self.open_case.access.check(response) {
                Ok(_) => self.open_case.reload(DecisionOutcome::Stored),
                Err(failure) if failure.code() == Some(ProblemCode::CaseChanged) => {
                    self.open_case.reload(DecisionOutcome::Conflict);
                }
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
    }
}

/// The decision form. It has fields for the dose, the correct value, who confirmed the value, and
/// the reason, and a button for each decision.
#[component]
pub fn DecisionForm(decision: Decision, case: OfficerCase) -> impl IntoView {
    let form = decision.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        decision.send(Ruling::Grant.code());
    };
    let notice = case.needs_approval.then(|| {
        let key = match decision.correction {
            _ if decision.has_proposal => "site.console.decide.approve_help",
            Correction::DataCorrectedByLaw => "site.console.decide.confirm_second",
            _ => "site.console.decide.second",
        };
        view! { <p class="notice waiting">{tr(key)}</p> }
    });
    let confirmation = (decision.correction == Correction::DataCorrectedByLaw)
        .then(|| view! { <Confirmation decision=decision case=case.clone() /> });
    let case = StoredValue::new(case);
    let shows_fields = Memo::new(move |_| !decision.approves_proposal());
    let fields =
        move || shows_fields.get().then(|| view! { <GrantFields decision=decision case=case.get_value() /> });
    // A proposal to create a dose cannot be changed. The officer approves it, asks the applicant a
    // question, or refuses the case.
    let can_differ = decision.has_proposal && decision.corrects_value();
    let differ_button = move || {
        (can_differ && !decision.is_counterproposal.get()).then(|| {
            view! {
                <button type="button" class="button" on:click=move |_| decision.is_counterproposal.set(true)>
                    {tr("site.console.decide.differ")}
                </button>
            }
        })
    };
    let retry = Callback::new(move |()| decision.send(decision.sending.get_untracked()));
    view! {
        <h2>{tr("site.console.decide.title")}</h2>
        {notice}
        {confirmation}
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=retry />
            {fields}
            <TextArea
                field=Field::Why
                form=form
                label="site.field.why.label"
                hint="site.console.decide.why"
                value=decision.why
            />
            <DecisionButtons decision=decision />
            {differ_button}
        </form>
    }
}

#[component]
fn DecisionButtons(decision: Decision) -> impl IntoView {
    let is_busy = move |decision_code: &'static str| {
        Signal::derive(move || decision.form.busy.get() && decision.sending.get() == decision_code)
    };
    let send = |decision_code: &'static str| Callback::new(move |()| decision.send(decision_code));
    let grant = move || {
        let label = match decision.approves_proposal() {
            true => "site.console.decide.approve",
            false if decision.correction.needs_approval() => "site.console.decide.propose",
            false => "site.console.decide.grant",
        };
        view! { <BusyButton label=label busy_label="site.console.decide.sending" busy=is_busy(Ruling::Grant.code()) /> }
    };
    view! {
        <div class="buttons">
            {grant}
            <BusyButton
                label="site.console.decide.ask_back"
                busy_label="site.console.decide.sending"
                busy=is_busy(Ruling::AskBack.code())
                class="button"
                on_tap=send(Ruling::AskBack.code())
            />
            <BusyButton
                label="site.console.decide.refuse"
                busy_label="site.console.decide.sending"
                busy=is_busy(Ruling::Refuse.code())
                class="button"
                on_tap=send(Ruling::Refuse.code())
            />
        </div>
    }
}

/// The fields that a grant requires: the dose, the correct value or the data of a new dose, and who
/// confirmed them.
#[component]
fn GrantFields(decision: Decision, case: OfficerCase) -> impl IntoView {
    let form = decision.form;
    let named = |dose: &bukti_wire::OfficerDose| {
        let (id, dose) = (dose.id.clone(), dose.clone());
        Choice { value: id, label: Box::new(move |locale| dose_title(locale, &dose)), help: None }
    };
    let mut choices: Vec<Choice> = case.doses.iter().map(named).collect();
    if decision.correction == Correction::DoseMissing {
        choices.push(Choice {
            value: NEW_DOSE.to_owned(),
            label: Box::new(|locale| bukti_locales::text(locale, "site.console.decide.new_dose").to_owned()),
            help: None,
        });
    }
    let correct_value = decision.corrects_value().then(|| {
        view! {
            <TextField
                field=Field::Right
                form=form
                label="site.field.right.label"
                hint="site.field.right.hint"
                value=decision.correct_value
            />
        }
    });
    let facility_word_label = match decision.correction {
        Correction::DataCorrectedByLaw => "site.console.confirm.word",
        _ => "site.field.facility_word.label",
    };
    let creates_dose = Memo::new(move |_| decision.creates_dose());
    let new_dose_fields = move || {
        creates_dose.get().then(|| {
            view! {
                <TextField field=Field::Batch form=form label="site.field.batch.label" value=decision.batch />
                <TextField
                    field=Field::FacilityCode
                    form=form
                    label="site.field.facility_code.label"
                    value=decision.facility_code
                />
            }
        })
    };
    view! {
        <RadioField
            field=Field::Dose
            form=form
            label="site.field.dose.label"
            choices=choices
            value=decision.dose
        />
        {correct_value}
        {new_dose_fields}
        <TextField
            field=Field::FacilityWord
            form=form
            label=facility_word_label
            hint="site.field.facility_word.hint"
            value=decision.facility_word
        />
    }
}

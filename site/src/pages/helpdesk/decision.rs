//! The decision on a case: grant, ask back or refuse.

use bukti_domain::{CaseState, Correction, DiagnosisCode, Ruling};
use bukti_wire::{CaseDecision, HelpdeskRoute, OfficerCase, ProblemCode};
use leptos::prelude::*;

use super::case::{CaseDesk, News};
use super::confirmation::Confirmation;
use super::dose::name_of;
use crate::api;
use crate::components::{BusyButton, Choice, ErrorSummary, FailureNotice, RadioField, TextArea, TextField};
use crate::form::{Field, FieldProblem, Form, Wrong, check};
use crate::language::tr;

/// The value of the option that creates a missing dose, instead of assigning a recorded one to the
/// person.
const NEW_DOSE: &str = "new";

/// The decision form.
#[derive(Clone, Copy)]
pub struct Decision {
    desk: CaseDesk,
    form: Form,
    correction: Correction,
    revision: u32,
    /// Whether another officer's proposal awaits approval.
    approves: bool,
    /// Whether the officer proposes something else instead of approving.
    anew: RwSignal<bool>,
    has_evidence: bool,
    /// The correct value as the applicant wrote it.
    said: StoredValue<String>,
    /// The code of the decision that is being sent.
    doing: RwSignal<&'static str>,
    /// The id of the chosen dose.
    pub dose: RwSignal<String>,
    pub right: RwSignal<String>,
    word: RwSignal<String>,
    batch: RwSignal<String>,
    facility_code: RwSignal<String>,
    why: RwSignal<String>,
}

impl Decision {
    /// An empty form. If the case has only one dose, that one is chosen.
    pub fn new(desk: CaseDesk, case: &OfficerCase) -> Self {
        let empty = || RwSignal::new(String::new());
        let chosen = match case.doses.as_slice() {
            _ if case.case.correction == Correction::DoseMissing && case.doses.is_empty() => NEW_DOSE,
            [only] if case.case.correction != Correction::DoseMissing => &only.id,
            // Any held dose will do: usually all of them have the same data.
            doses if case.case.correction == Correction::DataCorrectedByLaw => {
                let held = doses.iter().find(|it| it.status.diagnosis.code == DiagnosisCode::DoseHeld);
                held.map_or("", |dose| &dose.id)
            }
            _ => "",
        };
        Self {
            desk,
            form: Form::new(),
            correction: case.case.correction,
            revision: case.revision,
            approves: case.proposal.is_some() && case.case.state == CaseState::AwaitingApproval,
            anew: RwSignal::new(false),
            has_evidence: !case.pieces.is_empty(),
            said: StoredValue::new(case.said.right.clone()),
            doing: RwSignal::new(""),
            dose: RwSignal::new(chosen.to_owned()),
            right: RwSignal::new(case.said.right.clone()),
            word: empty(),
            batch: empty(),
            facility_code: empty(),
            why: empty(),
        }
    }

    /// Whether the proposal is approved as it stands, tracked.
    pub fn only_approves(self) -> bool {
        self.approves && !self.anew.get()
    }

    /// Whether the grant creates a dose, tracked.
    fn makes_dose(self) -> bool {
        self.correction == Correction::DoseMissing && *self.dose.read() == NEW_DOSE
    }

    /// Whether the grant corrects a value of a recorded dose.
    fn has_right(self) -> bool {
        self.correction != Correction::DoseMissing
    }

    /// The problems of the fields that a grant needs.
    fn wrong_of_grant(self) -> Vec<FieldProblem> {
        let given = |field: Field, typed: RwSignal<String>| {
            let typed = typed.get_untracked();
            check(field, &typed, (!typed.trim().is_empty()).then_some(()))
        };
        let mut wrong = vec![given(Field::Dose, self.dose)];
        if self.has_right() {
            let right = self.right.get_untracked();
            wrong.push(check(Field::Right, &right, self.correction.is_possible(&right).then_some(())));
        }
        if untrack(|| self.makes_dose()) {
            wrong.extend([given(Field::Batch, self.batch), given(Field::FacilityCode, self.facility_code)]);
        }
        if !self.has_evidence {
            wrong.push(given(Field::FacilityWord, self.word));
        }
        wrong.into_iter().flatten().collect()
    }

    fn request(self, decision: &'static str) -> CaseDecision {
        let is_full = decision == Ruling::Grant.code() && !untrack(|| self.only_approves());
        let makes_dose = untrack(|| self.makes_dose());
        let given = |typed: RwSignal<String>| {
            let typed = typed.get_untracked().trim().to_owned();
            (is_full && !typed.is_empty()).then_some(typed)
        };
        let right = self.said.with_value(|said| given(self.right).filter(|right| right != said.trim()));
        CaseDecision {
            decision: decision.to_owned(),
            revision: self.revision,
            why: self.why.get_untracked(),
            dose: given(self.dose).filter(|_| !makes_dose),
            right: right.filter(|_| self.has_right()),
            batch: given(self.batch).filter(|_| makes_dose),
            facility_code: given(self.facility_code).filter(|_| makes_dose),
            facility_word: given(self.word),
        }
    }

    fn send(self, decision: &'static str) {
        let why = self.why.get_untracked();
        let mut wrong = Vec::new();
        if decision == Ruling::Grant.code() && !untrack(|| self.only_approves()) {
            wrong = self.wrong_of_grant();
        }
        wrong.extend(
            (why.trim().is_empty()).then_some(FieldProblem { field: Field::Why, wrong: Wrong::Missing }),
        );
        if !self.form.busy.get_untracked() {
            self.doing.set(decision);
        }
        self.form.send(wrong, async move {
            let path = self.desk.path(HelpdeskRoute::Decide);
            let answer = api::post_unread(&path, &self.request(decision)).await;
            match self.desk.access.known(answer) {
                Ok(_) => self.desk.reload(News::Done),
                Err(failure) if failure.code() == Some(ProblemCode::CaseChanged) => {
                    self.desk.reload(News::Changed);
                }
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
    }
}

/// The form: dose, correct value, who confirmed it, and the reason; and a button for each decision.
#[component]
pub fn DecisionForm(decision: Decision, case: OfficerCase) -> impl IntoView {
    let form = decision.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        decision.send(Ruling::Grant.code());
    };
    let notice = case.needs_approval.then(|| {
        let key = match decision.correction {
            _ if decision.approves => "site.console.decide.approve_help",
            Correction::DataCorrectedByLaw => "site.console.decide.confirm_second",
            _ => "site.console.decide.second",
        };
        view! { <p class="notice waiting">{tr(key)}</p> }
    });
    let confirmation = (decision.correction == Correction::DataCorrectedByLaw)
        .then(|| view! { <Confirmation decision=decision case=case.clone() /> });
    let case = StoredValue::new(case);
    let shows_fields = Memo::new(move |_| !decision.only_approves());
    let fields =
        move || shows_fields.get().then(|| view! { <GrantFields decision=decision case=case.get_value() /> });
    // A proposal to create a dose can only be approved as it stands, or the case asked back.
    let can_differ = decision.approves && decision.has_right();
    let differ = move || {
        (can_differ && !decision.anew.get()).then(|| {
            view! {
                <button type="button" class="button" on:click=move |_| decision.anew.set(true)>
                    {tr("site.console.decide.differ")}
                </button>
            }
        })
    };
    let again = Callback::new(move |()| decision.send(decision.doing.get_untracked()));
    view! {
        <h2>{tr("site.console.decide.title")}</h2>
        {notice}
        {confirmation}
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=again />
            {fields}
            <TextArea
                field=Field::Why
                form=form
                label="site.field.why.label"
                hint="site.console.decide.why"
                value=decision.why
            />
            <Buttons decision=decision />
            {differ}
        </form>
    }
}

#[component]
fn Buttons(decision: Decision) -> impl IntoView {
    let busy = move |what: &'static str| {
        Signal::derive(move || decision.form.busy.get() && decision.doing.get() == what)
    };
    let send = |what: &'static str| Callback::new(move |()| decision.send(what));
    let grant = move || {
        let label = match decision.only_approves() {
            true => "site.console.decide.approve",
            false if decision.correction.needs_approval() => "site.console.decide.propose",
            false => "site.console.decide.grant",
        };
        view! { <BusyButton label=label busy_label="site.console.decide.sending" busy=busy(Ruling::Grant.code()) /> }
    };
    view! {
        <div class="buttons">
            {grant}
            <BusyButton
                label="site.console.decide.ask_back"
                busy_label="site.console.decide.sending"
                busy=busy(Ruling::AskBack.code())
                class="button"
                on_tap=send(Ruling::AskBack.code())
            />
            <BusyButton
                label="site.console.decide.refuse"
                busy_label="site.console.decide.sending"
                busy=busy(Ruling::Refuse.code())
                class="button"
                on_tap=send(Ruling::Refuse.code())
            />
        </div>
    }
}

/// The fields that a grant needs: the dose, the correct value or the data of a new dose, and who
/// confirmed it.
#[component]
fn GrantFields(decision: Decision, case: OfficerCase) -> impl IntoView {
    let form = decision.form;
    let named = |dose: &bukti_wire::OfficerDose| {
        let (id, dose) = (dose.id.clone(), dose.clone());
        Choice { value: id, label: Box::new(move |locale| name_of(locale, &dose)), help: None }
    };
    let mut choices: Vec<Choice> = case.doses.iter().map(named).collect();
    if decision.correction == Correction::DoseMissing {
        choices.push(Choice {
            value: NEW_DOSE.to_owned(),
            label: Box::new(|locale| bukti_locales::text(locale, "site.console.decide.new_dose").to_owned()),
            help: None,
        });
    }
    let right = decision.has_right().then(|| {
        view! {
            <TextField
                field=Field::Right
                form=form
                label="site.field.right.label"
                hint="site.field.right.hint"
                value=decision.right
            />
        }
    });
    let word_label = match decision.correction {
        Correction::DataCorrectedByLaw => "site.console.confirm.word",
        _ => "site.field.facility_word.label",
    };
    let makes_dose = Memo::new(move |_| decision.makes_dose());
    let of_new = move || {
        makes_dose.get().then(|| {
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
        {right}
        {of_new}
        <TextField
            field=Field::FacilityWord
            form=form
            label=word_label
            hint="site.field.facility_word.hint"
            value=decision.word
        />
    }
}

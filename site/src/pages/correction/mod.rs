//! `/koreksi`: requests for corrections, and their progress.
//!
//! The applicant must log in first. Replies are sent to the phone number used to log in. If the
//! number on record is wrong, the number used to log in is the correct one. Input is kept only in
//! the page's memory.

mod cases;
mod evidence;
mod look_up;
mod questions;

use bukti_domain::{Correction as CorrectionKind, PersonName, dose_number};
use bukti_wire::{Case, CaseOpened, CaseRequest, Cases, HelpdeskRoute, StatusRoute, Vaccines};
use leptos::prelude::*;

use self::cases::OwnCases;
use self::evidence::Evidence;
use self::look_up::LookUp;
use self::questions::{CaseOpenedStep, DoseStep, EvidenceStep, KindStep, PersonStep};
use crate::account::{Account, LogInState};
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{CodeLogin, Heading, Purpose, TypedDate, TypedIdentity};
use crate::form::{Field, FieldProblem, Form, ProblemKind, check};
use crate::language::tr;
use crate::steps::Steps;

/// What the page shows to a visitor who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The cases of this phone number.
    Cases,
    /// The kind of correction.
    Kind,
    /// The person whose record is to be corrected.
    Person,
    /// The dose that is to be corrected.
    Dose,
    /// Evidence and a note.
    Evidence,
    /// Confirmation that the case was opened.
    Opened,
}

#[derive(Clone, Copy)]
struct CorrectionState {
    account: Account,
    steps: Steps<Step>,
    form: Form,
    cases: RwSignal<Option<Vec<Case>>>,
    loading: Form,
    /// The code of the kind of correction.
    correction: RwSignal<String>,
    name: RwSignal<String>,
    identity: TypedIdentity,
    birth_date: TypedDate,
    dose_number: RwSignal<String>,
    vaccine: RwSignal<String>,
    vaccination_date: TypedDate,
    facility: RwSignal<String>,
    note: RwSignal<String>,
    evidence: Evidence,
    vaccines: RwSignal<Option<Vaccines>>,
    loading_vaccines: Form,
    /// The case, if it has been opened. Sending the form again then uploads only the evidence.
    opened: RwSignal<Option<CaseOpened>>,
}

impl CorrectionState {
    fn new() -> Self {
        let empty_text = || RwSignal::new(String::new());
        let form = Form::new();
        Self {
            account: Account::current(),
            steps: Steps::new("correction", form, Step::Cases),
            form,
            cases: RwSignal::new(None),
            loading: Form::new(),
            correction: empty_text(),
            name: empty_text(),
            identity: TypedIdentity::new(),
            birth_date: TypedDate::new(Field::BirthDate),
            dose_number: empty_text(),
            vaccine: empty_text(),
            vaccination_date: TypedDate::new(Field::VaccinationDate),
            facility: empty_text(),
            note: empty_text(),
            evidence: Evidence::new(),
            vaccines: RwSignal::new(None),
            loading_vaccines: Form::new(),
            opened: RwSignal::new(None),
        }
    }

    /// Loads the cases. If there are none, shows the first question.
    fn load(self) {
        self.loading.send(Vec::new(), async move {
            let Cases { cases, .. } = self.check_session(api::get(HelpdeskRoute::Cases.path()).await)?;
            if cases.is_empty() && self.steps.get_untracked() == Step::Cases {
                self.steps.replace(Step::Kind);
            }
            self.cases.set(Some(cases));
            if untrack(|| self.account.get()) == LogInState::Unknown {
                self.account.refresh();
            }
            Ok(())
        });
    }

    fn load_vaccines(self) {
        if self.vaccines.read_untracked().is_some() {
            return;
        }
        self.loading_vaccines.send(Vec::new(), async move {
            self.vaccines.set(Some(api::get(StatusRoute::Vaccines.path()).await?));
            Ok(())
        });
    }

    /// Updates the log-in state if the session has ended, so that the log-in form is shown. The
    /// input is kept.
    fn check_session<T>(self, response: Result<T, Failure>) -> Result<T, Failure> {
        if response.as_ref().is_err_and(Failure::is_not_logged_in) {
            self.account.set_logged_out();
        }
        response
    }

    fn show_step(self, step: Step) {
        self.steps.show(step);
        if step == Step::Dose {
            self.load_vaccines();
        }
    }

    /// Starts another case. Only the person's data are carried over.
    fn begin_case(self) {
        self.opened.set(None);
        self.evidence.clear();
        for typed in [self.correction, self.dose_number, self.vaccine, self.facility, self.note] {
            typed.set(String::new());
        }
        self.show_step(Step::Kind);
    }

    /// Returns to the list of cases and reloads it.
    fn show_cases(self) {
        self.show_step(Step::Cases);
        self.load();
    }

    fn kind(self) -> Option<CorrectionKind> {
        CorrectionKind::from_code(&self.correction.read_untracked())
    }

    /// Whether the correction is about a dose.
    fn is_about_dose(self) -> bool {
        matches!(self.kind(), Some(CorrectionKind::DoseNumber | CorrectionKind::DoseMissing))
    }

    /// Whether the correction is about identity data that were changed by law.
    fn is_changed_by_law(self) -> bool {
        self.kind() == Some(CorrectionKind::DataCorrectedByLaw)
    }

    /// Shows a step if there are no problems, otherwise shows the problems.
    fn show_step_unless(self, problems: impl IntoIterator<Item = Option<FieldProblem>>, step: Step) {
        let problems: Vec<_> = problems.into_iter().flatten().collect();
        if problems.is_empty() { self.show_step(step) } else { self.form.problems.set(problems) }
    }

    /// Checks the current step, then shows the next one or sends the request.
    fn advance(self) {
        match self.steps.get_untracked() {
            Step::Kind => {
                let missing = FieldProblem { field: Field::Correction, kind: ProblemKind::Missing };
                self.show_step_unless([self.kind().is_none().then_some(missing)], Step::Person);
            }
            Step::Person => {
                let name = self.name.get_untracked();
                // Only a NIK encodes birth date and sex.
                let is_passport = self.is_changed_by_law() && self.identity.typed().1.is_some();
                let not_a_nik = FieldProblem { field: Field::Passport, kind: ProblemKind::Invalid };
                let problems = [
                    check(Field::Name, &name, PersonName::parse(&name)),
                    self.identity.check().or(is_passport.then_some(not_a_nik)),
                    self.identity.birth_date(self.birth_date).err(),
                ];
                self.show_step_unless(
                    problems,
                    if self.is_about_dose() { Step::Dose } else { Step::Evidence },
                );
            }
            Step::Dose => self.show_step_unless(self.dose_problems(), Step::Evidence),
            Step::Evidence => self.send(),
            Step::Cases | Step::Opened => {}
        }
    }

    /// Shows the previous step.
    fn back(self) {
        self.show_step(match self.steps.get_untracked() {
            Step::Evidence if self.is_about_dose() => Step::Dose,
            Step::Evidence | Step::Dose => Step::Person,
            Step::Person => Step::Kind,
            Step::Kind | Step::Cases | Step::Opened => Step::Cases,
        });
    }

    fn dose_problems(self) -> Vec<Option<FieldProblem>> {
        let number = self.dose_number.get_untracked();
        let known = dose_number(number.trim());
        let mut problems = vec![check(Field::DoseNumber, &number, known)];
        if self.kind() == Some(CorrectionKind::DoseMissing) {
            let (vaccine, facility) = (self.vaccine.get_untracked(), self.facility.get_untracked());
            problems.extend([
                check(Field::Vaccine, &vaccine, (!vaccine.is_empty()).then_some(())),
                self.vaccination_date.check().err(),
                check(Field::Facility, &facility, (!facility.trim().is_empty()).then_some(())),
            ]);
        }
        problems
    }

    /// Builds the API request. `None` if a step is incomplete.
    fn request(self) -> Option<CaseRequest> {
        let correction = self.kind()?;
        let (nik, passport) = self.identity.typed();
        let is_dose_missing = correction == CorrectionKind::DoseMissing;
        let vaccination_date =
            if is_dose_missing { Some(self.vaccination_date.check().ok()?.to_string()) } else { None };
        let note = self.note.get_untracked();
        Some(CaseRequest {
            correction: correction.code().to_owned(),
            name: self.name.get_untracked(),
            nik,
            passport,
            birth_date: self.identity.birth_date(self.birth_date).ok()?.to_string(),
            dose_number: self.is_about_dose().then(|| self.dose_number.get_untracked().trim().to_owned()),
            vaccine: is_dose_missing.then(|| self.vaccine.get_untracked()),
            vaccination_date,
            facility: is_dose_missing.then(|| self.facility.get_untracked()),
            note: (!note.trim().is_empty()).then_some(note),
        })
    }

    /// Opens the case if it is not open yet, and uploads its evidence.
    fn send(self) {
        let Some(request) = self.request() else { return self.show_step(Step::Kind) };
        self.form.send(Vec::new(), async move {
            let opened = match self.opened.get_untracked() {
                Some(opened) => opened,
                None => self.check_session(api::post(HelpdeskRoute::OpenCase.path(), &request).await)?,
            };
            self.opened.set(Some(opened.clone()));
            // Failed uploads are listed in the next step.
            self.evidence.upload(&opened.number).await;
            self.steps.show(Step::Opened);
            Ok(())
        });
    }

    /// Repeats the failed uploads.
    fn retry_evidence(self) {
        self.form.send(Vec::new(), async move {
            if let Some(opened) = self.opened.get_untracked() {
                self.evidence.upload(&opened.number).await;
            }
            Ok(())
        });
    }
}

/// Shows the log-in form, or the form that looks up a case by its number. After the log-in, shows
/// the cases of the phone number and the form for a new case.
#[component]
pub fn Correction() -> impl IntoView {
    let state = CorrectionState::new();
    let account = state.account;
    let is_logged_out = Memo::new(move |_| account.get() == LogInState::LoggedOut);
    let shows_look_up = RwSignal::new(false);
    browser::effect(Box::new(move || {
        if is_logged_out.get() {
            state.cases.set(None);
        } else if untrack(|| state.cases.read().is_none()) {
            state.load();
        }
    }));
    // The log-in changes the content of the page, so the heading takes the focus.
    let was_logged_out = StoredValue::new(None);
    browser::effect(Box::new(move || {
        if was_logged_out.try_update_value(|previous| previous.replace(is_logged_out.get()))
            == Some(Some(true))
        {
            browser::focus_after_render("page-heading");
        }
    }));
    let key = Signal::derive(move || match state.steps.get() {
        _ if is_logged_out.get() && shows_look_up.get() => "site.correction.look_up.title",
        _ if is_logged_out.get() => "site.correction.title",
        Step::Cases => "site.correction.title",
        Step::Kind => "site.correction.what.title",
        Step::Person => "site.correction.person.title",
        Step::Dose => "site.correction.dose.title",
        Step::Evidence => "site.correction.last.title",
        Step::Opened => "site.correction.sent.title",
    });
    view! {
        <div class="column">
            <Heading key=key />
            {move || match (is_logged_out.get(), shows_look_up.get()) {
                (true, true) => view! { <LookUp is_shown=shows_look_up /> }.into_any(),
                (true, false) => view! { <LogInOrLookUp shows_look_up=shows_look_up /> }.into_any(),
                (false, _) => view! { <CurrentStep state=state /> }.into_any(),
            }}
        </div>
    }
}

/// Shows the log-in form, or the look-up form for visitors who have a case number.
#[component]
fn LogInOrLookUp(
    /// Whether the look-up form is shown instead of the log-in form.
    shows_look_up: RwSignal<bool>,
) -> impl IntoView {
    let look_up = move |_| {
        shows_look_up.set(true);
        browser::focus_after_render("page-heading");
    };
    view! {
        <p>{tr("site.correction.help")}</p>
        <p>{tr("site.correction.log_in")}</p>
        <CodeLogin purpose=Purpose::LogIn is_embedded=true />
        <h2>{tr("site.correction.look_up.question")}</h2>
        <p>{tr("site.correction.look_up.offer")}</p>
        <button type="button" class="button" on:click=look_up>
            {tr("site.correction.look_up.begin")}
        </button>
    }
}

/// Renders the current step.
#[component]
fn CurrentStep(state: CorrectionState) -> impl IntoView {
    move || match state.steps.get() {
        Step::Cases => view! { <OwnCases state=state /> }.into_any(),
        Step::Kind => view! { <KindStep state=state /> }.into_any(),
        Step::Person => view! { <PersonStep state=state /> }.into_any(),
        Step::Dose => view! { <DoseStep state=state /> }.into_any(),
        Step::Evidence => view! { <EvidenceStep state=state /> }.into_any(),
        Step::Opened => view! { <CaseOpenedStep state=state /> }.into_any(),
    }
}

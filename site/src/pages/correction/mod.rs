//! `/koreksi`: requests for corrections, and their progress.
//!
//! A log-in comes first, because replies go to that phone, and if the phone on record is wrong, it
//! is the correct one. What is typed is kept in the page only.

mod cases;
mod evidence;
mod look_up;
mod questions;

use bukti_domain::{Correction as Wrongness, PersonName, dose_number};
use bukti_wire::{Case, CaseOpened, CaseRequest, Cases, HelpdeskRoute, StatusRoute, Vaccines};
use leptos::prelude::*;

use self::cases::OwnCases;
use self::evidence::Evidence;
use self::look_up::LookUp;
use self::questions::{AboutDose, AboutPerson, LastQuestion, Sent, What};
use crate::account::{Account, Who};
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{CodeLogin, Heading, Purpose, TypedDate, TypedIdentity};
use crate::form::{Field, FieldProblem, Form, Wrong, check};
use crate::language::tr;
use crate::steps::Steps;

/// What is shown to a visitor who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The cases of this phone number.
    Cases,
    /// What is to be corrected.
    What,
    /// Whose record it is.
    Person,
    /// Which dose it is.
    Dose,
    /// Evidence and a note.
    Last,
    /// Confirmation that the case was opened.
    Sent,
}

#[derive(Clone, Copy)]
struct Desk {
    account: Account,
    steps: Steps<Step>,
    form: Form,
    cases: RwSignal<Option<Vec<Case>>>,
    loading: Form,
    /// The code of what is to be corrected.
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
    /// The case, once it is opened. Sending again then uploads only its evidence.
    opened: RwSignal<Option<CaseOpened>>,
}

impl Desk {
    fn new() -> Self {
        let empty = || RwSignal::new(String::new());
        let form = Form::new();
        Self {
            account: Account::current(),
            steps: Steps::begin("correction", form, Step::Cases),
            form,
            cases: RwSignal::new(None),
            loading: Form::new(),
            correction: empty(),
            name: empty(),
            identity: TypedIdentity::new(),
            birth_date: TypedDate::new(Field::BirthDate),
            dose_number: empty(),
            vaccine: empty(),
            vaccination_date: TypedDate::new(Field::VaccinationDate),
            facility: empty(),
            note: empty(),
            evidence: Evidence::new(),
            vaccines: RwSignal::new(None),
            loading_vaccines: Form::new(),
            opened: RwSignal::new(None),
        }
    }

    /// Loads the cases. If there are none, shows the first question.
    fn load(self) {
        self.loading.send(Vec::new(), async move {
            let Cases { cases, .. } = self.unless_logged_out(api::get(HelpdeskRoute::Cases.path()).await)?;
            if cases.is_empty() && self.steps.get_untracked() == Step::Cases {
                self.steps.go_instead(Step::What);
            }
            self.cases.set(Some(cases));
            if untrack(|| self.account.get()) == Who::Unknown {
                self.account.ask();
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

    /// Updates the log-in state if the session has ended, which leads to the log-in. What was typed
    /// is kept.
    fn unless_logged_out<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        if answer.as_ref().is_err_and(Failure::is_not_logged_in) {
            self.account.left();
        }
        answer
    }

    fn go(self, step: Step) {
        self.steps.go(step);
        if step == Step::Dose {
            self.load_vaccines();
        }
    }

    /// Starts another case. Only the person's data are kept.
    fn begin(self) {
        self.opened.set(None);
        self.evidence.clear();
        for typed in [self.correction, self.dose_number, self.vaccine, self.facility, self.note] {
            typed.set(String::new());
        }
        self.go(Step::What);
    }

    /// Returns to the cases and loads them again.
    fn to_cases(self) {
        self.go(Step::Cases);
        self.load();
    }

    fn wrongness(self) -> Option<Wrongness> {
        Wrongness::of_code(&self.correction.read_untracked())
    }

    /// Whether the correction is about a dose.
    fn is_about_dose(self) -> bool {
        matches!(self.wrongness(), Some(Wrongness::DoseNumber | Wrongness::DoseMissing))
    }

    /// Whether the correction is about identity data that were changed by law.
    fn is_by_law(self) -> bool {
        self.wrongness() == Some(Wrongness::DataCorrectedByLaw)
    }

    /// Shows a step if there are no problems, else the problems.
    fn go_unless(self, wrong: impl IntoIterator<Item = Option<FieldProblem>>, step: Step) {
        let wrong: Vec<_> = wrong.into_iter().flatten().collect();
        if wrong.is_empty() { self.go(step) } else { self.form.problems.set(wrong) }
    }

    /// Checks the current step, then shows the next one or sends the request.
    fn next(self) {
        match self.steps.get_untracked() {
            Step::What => {
                let missing = FieldProblem { field: Field::Correction, wrong: Wrong::Missing };
                self.go_unless([self.wrongness().is_none().then_some(missing)], Step::Person);
            }
            Step::Person => {
                let name = self.name.get_untracked();
                // Only a NIK encodes birth date and sex.
                let with_passport = self.is_by_law() && self.identity.typed().1.is_some();
                let refused = FieldProblem { field: Field::Passport, wrong: Wrong::Invalid };
                let wrong = [
                    check(Field::Name, &name, PersonName::parse(&name)),
                    self.identity.check().or(with_passport.then_some(refused)),
                    self.identity.birth_date(self.birth_date).err(),
                ];
                self.go_unless(wrong, if self.is_about_dose() { Step::Dose } else { Step::Last });
            }
            Step::Dose => self.go_unless(self.wrong_of_dose(), Step::Last),
            Step::Last => self.send(),
            Step::Cases | Step::Sent => {}
        }
    }

    /// Shows the previous step.
    fn back(self) {
        self.go(match self.steps.get_untracked() {
            Step::Last if self.is_about_dose() => Step::Dose,
            Step::Last | Step::Dose => Step::Person,
            Step::Person => Step::What,
            Step::What | Step::Cases | Step::Sent => Step::Cases,
        });
    }

    fn wrong_of_dose(self) -> Vec<Option<FieldProblem>> {
        let number = self.dose_number.get_untracked();
        let known = dose_number(number.trim());
        let mut wrong = vec![check(Field::DoseNumber, &number, known)];
        if self.wrongness() == Some(Wrongness::DoseMissing) {
            let (vaccine, facility) = (self.vaccine.get_untracked(), self.facility.get_untracked());
            wrong.extend([
                check(Field::Vaccine, &vaccine, (!vaccine.is_empty()).then_some(())),
                self.vaccination_date.check().err(),
                check(Field::Facility, &facility, (!facility.trim().is_empty()).then_some(())),
            ]);
        }
        wrong
    }

    /// The request for the API. `None` if a step is incomplete.
    fn request(self) -> Option<CaseRequest> {
        let correction = self.wrongness()?;
        let (nik, passport) = self.identity.typed();
        let is_missing = correction == Wrongness::DoseMissing;
        let vaccination_date =
            if is_missing { Some(self.vaccination_date.check().ok()?.to_string()) } else { None };
        let note = self.note.get_untracked();
        Some(CaseRequest {
            correction: correction.code().to_owned(),
            name: self.name.get_untracked(),
            nik,
            passport,
            birth_date: self.identity.birth_date(self.birth_date).ok()?.to_string(),
            dose_number: self.is_about_dose().then(|| self.dose_number.get_untracked().trim().to_owned()),
            vaccine: is_missing.then(|| self.vaccine.get_untracked()),
            vaccination_date,
            facility: is_missing.then(|| self.facility.get_untracked()),
            note: (!note.trim().is_empty()).then_some(note),
        })
    }

    /// Opens the case unless it is open, and uploads its evidence.
    fn send(self) {
        let Some(request) = self.request() else { return self.go(Step::What) };
        self.form.send(Vec::new(), async move {
            let opened = match self.opened.get_untracked() {
                Some(opened) => opened,
                None => self.unless_logged_out(api::post(HelpdeskRoute::OpenCase.path(), &request).await)?,
            };
            self.opened.set(Some(opened.clone()));
            // Failed uploads are listed in the next step.
            self.evidence.send(&opened.number).await;
            self.steps.go(Step::Sent);
            Ok(())
        });
    }

    /// Repeats the failed uploads.
    fn send_evidence(self) {
        self.form.send(Vec::new(), async move {
            if let Some(opened) = self.opened.get_untracked() {
                self.evidence.send(&opened.number).await;
            }
            Ok(())
        });
    }
}

/// Log-in, or the look-up of a case by its number; then the cases of this phone number and the form
/// for another one.
#[component]
pub fn Correction() -> impl IntoView {
    let desk = Desk::new();
    let account = desk.account;
    let is_nobody = Memo::new(move |_| account.get() == Who::Nobody);
    let looks_up = RwSignal::new(false);
    browser::effect(Box::new(move || {
        if is_nobody.get() {
            desk.cases.set(None);
        } else if untrack(|| desk.cases.read().is_none()) {
            desk.load();
        }
    }));
    // The log-in changes the content of the page, so the heading takes the focus.
    let before = StoredValue::new(None);
    browser::effect(Box::new(move || {
        if before.try_update_value(|before| before.replace(is_nobody.get())) == Some(Some(true)) {
            browser::focus_soon("page-heading");
        }
    }));
    let key = Signal::derive(move || match desk.steps.get() {
        _ if is_nobody.get() && looks_up.get() => "site.correction.look_up.title",
        _ if is_nobody.get() => "site.correction.title",
        Step::Cases => "site.correction.title",
        Step::What => "site.correction.what.title",
        Step::Person => "site.correction.person.title",
        Step::Dose => "site.correction.dose.title",
        Step::Last => "site.correction.last.title",
        Step::Sent => "site.correction.sent.title",
    });
    view! {
        <div class="column">
            <Heading key=key />
            {move || match (is_nobody.get(), looks_up.get()) {
                (true, true) => view! { <LookUp shown=looks_up /> }.into_any(),
                (true, false) => view! { <LogInFirst looks_up=looks_up /> }.into_any(),
                (false, _) => view! { <Inside desk=desk /> }.into_any(),
            }}
        </div>
    }
}

/// The log-in, and for visitors with a case number the look-up.
#[component]
fn LogInFirst(
    /// Whether the look-up is shown instead.
    looks_up: RwSignal<bool>,
) -> impl IntoView {
    let look_up = move |_| {
        looks_up.set(true);
        browser::focus_soon("page-heading");
    };
    view! {
        <p>{tr("site.correction.help")}</p>
        <p>{tr("site.correction.log_in")}</p>
        <CodeLogin purpose=Purpose::LogIn stay=true />
        <h2>{tr("site.correction.look_up.question")}</h2>
        <p>{tr("site.correction.look_up.offer")}</p>
        <button type="button" class="button" on:click=look_up>
            {tr("site.correction.look_up.begin")}
        </button>
    }
}

/// The current step.
#[component]
fn Inside(desk: Desk) -> impl IntoView {
    move || match desk.steps.get() {
        Step::Cases => view! { <OwnCases desk=desk /> }.into_any(),
        Step::What => view! { <What desk=desk /> }.into_any(),
        Step::Person => view! { <AboutPerson desk=desk /> }.into_any(),
        Step::Dose => view! { <AboutDose desk=desk /> }.into_any(),
        Step::Last => view! { <LastQuestion desk=desk /> }.into_any(),
        Step::Sent => view! { <Sent desk=desk /> }.into_any(),
    }
}

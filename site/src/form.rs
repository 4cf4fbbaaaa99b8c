//! State shared by all forms: field problems, failed requests, and protection against duplicate
//! requests.

use std::future::Future;
use std::pin::Pin;

use bukti_domain::codes;
use bukti_locales::{Locale, fill, text};
use bukti_wire::{Problem, ProblemCode};
use leptos::prelude::*;

use crate::api::Failure;
use crate::browser::TaskScope;
use crate::language::Language;

codes! {
    /// A form field.
    Field,
    /// The id of the field's element. The error summary links to it.
    id: &'static str {
        Name = "name" => "field-name",
        /// 16-digit identity number.
        Nik = "nik" => "field-nik",
        Passport = "passport" => "field-passport",
        Phone = "phone" => "field-phone",
        /// A one-time code that was sent by SMS.
        Code = "code" => "field-code",
        BirthDate = "birth_date" => "field-birth-date",
        VaccinationDate = "vaccination_date" => "field-vaccination-date",
        Vaccine = "vaccine" => "field-vaccine",
        /// The checkbox of the captcha.
        Captcha = "captcha" => "field-captcha",
        /// The kind of correction that the applicant requests.
        Correction = "correction" => "field-correction",
        DoseNumber = "dose_number" => "field-dose-number",
        /// The facility that gave the dose.
        Facility = "facility" => "field-facility",
        /// The applicant's note to the officer.
        Note = "note" => "field-note",
        /// Images and PDFs that support a request for a correction.
        Evidence = "evidence" => "field-evidence",
        CaseNumber = "number" => "field-number",
        /// The applicant's reply to an officer.
        Reply = "text" => "field-text",
        /// A one-time code from an officer's authenticator app.
        Authenticator = "authenticator" => "field-authenticator",
        /// Identity number or passport number.
        Identity = "identity" => "field-identity",
        /// Certificate number or case number.
        Certificate = "certificate" => "field-certificate",
        /// The dose that a decision changes.
        Dose = "dose" => "field-dose",
        /// The corrected value.
        Right = "right" => "field-right",
        /// The person at the facility who confirmed the value.
        FacilityWord = "facility_word" => "field-facility-word",
        Batch = "batch" => "field-batch",
        FacilityCode = "facility_code" => "field-facility-code",
        /// The kind of number that an officer searches by.
        SearchBy = "search_by" => "field-search-by",
        /// An officer's reason for a decision or a search.
        Why = "why" => "field-why",
        /// An officer's reason for resending an SMS.
        ResendWhy = "resend_why" => "field-resend-why",
    }
}

impl Field {
    /// The id of the element that contains the error message.
    pub fn error_id(self) -> String {
        format!("{}-error", self.id())
    }

    /// The id of the element that contains the help text.
    pub fn hint_id(self) -> String {
        format!("{}-hint", self.id())
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    Missing,
    /// The input cannot be parsed.
    Invalid,
    /// The server rejected the value. Contains the number of remaining attempts if attempts are
    /// limited.
    Rejected(Option<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    pub field: Field,
    pub kind: ProblemKind,
}

impl FieldProblem {
    /// The error message, which appears both in the error summary and next to the field.
    pub fn message(self, locale: Locale) -> String {
        let name = self.field.code();
        let code = match self.kind {
            ProblemKind::Missing => "missing",
            ProblemKind::Invalid => "invalid",
            ProblemKind::Rejected(_) => "refused",
        };
        let mut message = text(locale, &format!("site.field.{name}.{code}")).to_owned();
        if let ProblemKind::Rejected(Some(attempts)) = self.kind {
            message.push(' ');
            message.push_str(&fill(locale, "site.field.tries_left", &[("n", &attempts.to_string())]));
        }
        message
    }
}

/// Returns the problem of a field that was not parsed: missing if it is blank, otherwise invalid.
/// `None` if it was parsed.
pub fn check<T>(field: Field, typed: &str, parsed: Option<T>) -> Option<FieldProblem> {
    let kind = match parsed {
        Some(_) => return None,
        None if typed.trim().is_empty() => ProblemKind::Missing,
        None => ProblemKind::Invalid,
    };
    Some(FieldProblem { field, kind })
}

/// Maps a server error to the fields that caused it. Empty if the error concerns no known field.
fn field_problems(problem: &Problem) -> Vec<FieldProblem> {
    let problem_of = |field, kind| vec![FieldProblem { field, kind }];
    match problem.code {
        ProblemCode::CodeWrong => problem_of(Field::Code, ProblemKind::Rejected(problem.tries_left)),
        ProblemCode::BirthDateWrong => {
            problem_of(Field::BirthDate, ProblemKind::Rejected(problem.tries_left))
        }
        ProblemCode::SecondFactorWrong => problem_of(Field::Authenticator, ProblemKind::Rejected(None)),
        ProblemCode::EvidenceMissing => problem_of(Field::FacilityWord, ProblemKind::Missing),
        ProblemCode::CaptchaWrong | ProblemCode::CaptchaExpired | ProblemCode::CaptchaReused => {
            problem_of(Field::Captcha, ProblemKind::Invalid)
        }
        ProblemCode::InvalidInput => {
            let problems = problem.errors.iter().filter_map(|error| {
                let field = Field::from_code(&error.field)?;
                let kind = if error.code == "missing" { ProblemKind::Missing } else { ProblemKind::Invalid };
                Some(FieldProblem { field, kind })
            });
            problems.collect()
        }
        _ => Vec::new(),
    }
}

/// The state of a form.
#[derive(Clone, Copy)]
pub struct Form {
    pub problems: RwSignal<Vec<FieldProblem>>,
    /// Why the last request failed; `None` if it did not fail.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a request is in progress.
    pub busy: RwSignal<bool>,
    tasks: TaskScope,
}

impl Form {
    pub fn new() -> Self {
        Self {
            problems: RwSignal::new(Vec::new()),
            failure: RwSignal::new(None),
            busy: RwSignal::new(false),
            tasks: TaskScope::current(),
        }
    }

    /// The error message of a field in the current language. `None` if the field has no problem.
    pub fn message(self, field: Field) -> Signal<Option<String>> {
        let language = Language::current();
        Signal::derive(move || {
            let problems = self.problems.read();
            let problem = problems.iter().find(|problem| problem.field == field)?;
            Some(problem.message(language.get()))
        })
    }

    /// Sends the request unless a field has a problem or another request is in progress, so that a
    /// double tap sends only one request. The task is cancelled when the component that created the
    /// form is removed.
    pub fn send<R>(self, problems: Vec<FieldProblem>, request: R)
    where
        R: Future<Output = Result<(), Failure>> + 'static,
    {
        self.send_boxed(problems, Box::pin(request));
    }

    /// Clears the field problems and the failure.
    pub fn clear(self) {
        self.problems.set(Vec::new());
        self.failure.set(None);
    }

    fn send_boxed(
        self,
        problems: Vec<FieldProblem>,
        request: Pin<Box<dyn Future<Output = Result<(), Failure>>>>,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        let has_problems = !problems.is_empty();
        self.problems.set(problems);
        self.failure.set(None);
        if has_problems {
            return;
        }
        self.busy.set(true);
        self.tasks.spawn(Box::pin(async move {
            let outcome = request.await;
            self.busy.set(false);
            if let Err(failure) = outcome {
                self.show_failure(failure);
            }
        }));
    }

    /// Shows a failure next to the field that caused it, or above the form if no field did.
    fn show_failure(self, failure: Failure) {
        let problems = match &failure {
            Failure::Problem(problem) => field_problems(problem),
            _ => Vec::new(),
        };
        if problems.is_empty() {
            self.failure.set(Some(failure));
        } else {
            self.problems.set(problems);
        }
    }
}

#[cfg(test)]
mod tests {
    use bukti_wire::FieldError;

    use super::*;

    fn problem(code: ProblemCode) -> Problem {
        Problem {
            kind: String::new(),
            status: code.status(),
            code,
            title: String::new(),
            detail: String::new(),
            errors: Vec::new(),
            tries_left: Some(2),
            retry_after: None,
        }
    }

    #[test]
    fn maps_server_errors_to_fields() {
        let problems = |field, kind| vec![FieldProblem { field, kind }];
        let code = field_problems(&problem(ProblemCode::CodeWrong));
        assert_eq!(code, problems(Field::Code, ProblemKind::Rejected(Some(2))));
        let mut invalid = problem(ProblemCode::InvalidInput);
        for (field, code) in [("nik", "missing"), ("shoe_size", "invalid")] {
            invalid.errors.push(FieldError { field: field.into(), code: code.into() });
        }
        assert_eq!(field_problems(&invalid), problems(Field::Nik, ProblemKind::Missing));
        assert!(field_problems(&problem(ProblemCode::LinkDead)).is_empty());
    }

    #[test]
    fn every_field_has_error_messages() {
        for locale in Locale::ALL {
            for field in Field::ALL {
                for kind in [ProblemKind::Missing, ProblemKind::Invalid] {
                    assert!(!FieldProblem { field: *field, kind }.message(locale).starts_with("site."));
                }
            }
            for field in [Field::Code, Field::BirthDate] {
                let message = FieldProblem { field, kind: ProblemKind::Rejected(Some(3)) }.message(locale);
                assert!(message.contains('3') && !message.contains("site."), "{message}");
            }
            for field in [Field::Authenticator, Field::CaseNumber] {
                let message = FieldProblem { field, kind: ProblemKind::Rejected(None) }.message(locale);
                assert!(!message.contains("site."), "{message}");
            }
        }
    }

    #[test]
    fn blank_field_is_missing_not_invalid() {
        assert_eq!(check(Field::Name, " ", None::<()>).map(|it| it.kind), Some(ProblemKind::Missing));
        assert_eq!(check(Field::Name, "-", None::<()>).map(|it| it.kind), Some(ProblemKind::Invalid));
        assert!(check(Field::Name, "Ayu", Some(())).is_none());
    }
}

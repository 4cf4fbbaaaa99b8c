//! What all forms share: problems of fields, failed requests, and protection against sending a
//! request twice.

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
    /// A field of a form.
    Field,
    /// The id of its element, to which the error summary links.
    id: &'static str {
        /// Full name.
        Name = "name" => "field-name",
        /// 16-digit identity number.
        Nik = "nik" => "field-nik",
        /// Passport number.
        Passport = "passport" => "field-passport",
        /// Mobile phone number.
        Phone = "phone" => "field-phone",
        /// One-time code.
        Code = "code" => "field-code",
        /// Birth date.
        BirthDate = "birth_date" => "field-birth-date",
        /// Date of a vaccination.
        VaccinationDate = "vaccination_date" => "field-vaccination-date",
        /// Vaccine.
        Vaccine = "vaccine" => "field-vaccine",
        /// Tick-box of the captcha.
        Captcha = "captcha" => "field-captcha",
        /// What is to be corrected.
        Correction = "correction" => "field-correction",
        /// Number of a dose.
        DoseNumber = "dose_number" => "field-dose-number",
        /// Facility that vaccinated.
        Facility = "facility" => "field-facility",
        /// Note to the officer.
        Note = "note" => "field-note",
        /// Pictures and PDFs.
        Evidence = "evidence" => "field-evidence",
        /// Case number.
        CaseNumber = "number" => "field-number",
        /// Reply to an officer.
        Reply = "text" => "field-text",
        /// Code from an officer's authenticator.
        Authenticator = "authenticator" => "field-authenticator",
        /// Identity number or passport number.
        Identity = "identity" => "field-identity",
        /// Certificate number or case number.
        Certificate = "certificate" => "field-certificate",
        /// The dose that a decision changes.
        Dose = "dose" => "field-dose",
        /// The corrected value.
        Right = "right" => "field-right",
        /// Who at the facility confirmed the value.
        FacilityWord = "facility_word" => "field-facility-word",
        /// Batch number.
        Batch = "batch" => "field-batch",
        /// Facility code.
        FacilityCode = "facility_code" => "field-facility-code",
        /// What an officer searches by.
        SearchBy = "search_by" => "field-search-by",
        /// An officer's reason.
        Why = "why" => "field-why",
        /// An officer's reason for sending an SMS again.
        ResendWhy = "resend_why" => "field-resend-why",
    }
}

impl Field {
    /// The id of the error message.
    pub fn error_id(self) -> String {
        format!("{}-error", self.id())
    }

    /// The id of the help below the label.
    pub fn hint_id(self) -> String {
        format!("{}-hint", self.id())
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    Missing,
    /// It cannot be parsed.
    Invalid,
    /// The server rejected the value; with the attempts that are left, if they are limited.
    Rejected(Option<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    pub field: Field,
    pub kind: ProblemKind,
}

impl FieldProblem {
    /// The error message, the same in the summary and beside the field.
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

/// The problem of a field that did not parse: missing if it is blank, else invalid.
pub fn check<T>(field: Field, typed: &str, parsed: Option<T>) -> Option<FieldProblem> {
    let kind = match parsed {
        Some(_) => return None,
        None if typed.trim().is_empty() => ProblemKind::Missing,
        None => ProblemKind::Invalid,
    };
    Some(FieldProblem { field, kind })
}

/// The problems of fields that a server error is about; empty if it is about none that the site
/// knows.
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

/// State of a form.
#[derive(Clone, Copy)]
pub struct Form {
    pub problems: RwSignal<Vec<FieldProblem>>,
    /// Why the last request failed.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a request is on its way.
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

    /// The error message of a field.
    pub fn message(self, field: Field) -> Signal<Option<String>> {
        let language = Language::current();
        Signal::derive(move || {
            let problems = self.problems.read();
            let problem = problems.iter().find(|problem| problem.field == field)?;
            Some(problem.message(language.get()))
        })
    }

    /// Sends the request unless a field has a problem or another request is on its way, so that a
    /// double tap sends one request. The task is cancelled with the component that created the
    /// form.
    pub fn send<R>(self, problems: Vec<FieldProblem>, request: R)
    where
        R: Future<Output = Result<(), Failure>> + 'static,
    {
        self.send_boxed(problems, Box::pin(request));
    }

    /// Clears problems and failure.
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

    /// Shows a failure: at the field that it is about, else above the form.
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

//! What forms have in common: wrong fields, failures, and that a request is sent once.

use std::future::Future;
use std::pin::Pin;

use bukti_domain::codes;
use bukti_locales::{Locale, fill, text};
use bukti_wire::{Problem, ProblemCode};
use leptos::prelude::*;

use crate::api::Failure;
use crate::browser::Tasks;
use crate::language::Language;

codes! {
    /// A field that people fill in.
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
        /// The day of a vaccination.
        VaccinationDate = "vaccination_date" => "field-vaccination-date",
        /// Which vaccine it was.
        Vaccine = "vaccine" => "field-vaccine",
        /// The tick-box.
        Captcha = "captcha" => "field-captcha",
        /// What is wrong with a record.
        Correction = "correction" => "field-correction",
        /// Which dose it was.
        DoseNumber = "dose_number" => "field-dose-number",
        /// Where a vaccination was.
        Facility = "facility" => "field-facility",
        /// What else there is to say.
        Note = "note" => "field-note",
        /// Pictures that show what is right.
        Evidence = "evidence" => "field-evidence",
        /// The number of a case.
        CaseNumber = "number" => "field-number",
        /// The answer to an officer.
        Reply = "text" => "field-text",
        /// The code that an officer's authenticator shows.
        Authenticator = "authenticator" => "field-authenticator",
        /// Identity number or passport number.
        Identity = "identity" => "field-identity",
        /// The number of a certificate or of a case.
        Certificate = "certificate" => "field-certificate",
        /// The dose that a decision is about.
        Dose = "dose" => "field-dose",
        /// The value that is right.
        Right = "right" => "field-right",
        /// Who at the facility confirmed it.
        FacilityWord = "facility_word" => "field-facility-word",
        /// Batch number.
        Batch = "batch" => "field-batch",
        /// The code of a facility.
        FacilityCode = "facility_code" => "field-facility-code",
        /// By what an officer looks for a person.
        SearchBy = "search_by" => "field-search-by",
        /// Why an officer does something.
        Why = "why" => "field-why",
        /// Why an SMS is sent once more.
        ResendWhy = "resend_why" => "field-resend-why",
    }
}

impl Field {
    /// The id of the message beside it.
    pub fn error_id(self) -> String {
        format!("{}-error", self.id())
    }

    /// The id of the line of help below its label.
    pub fn hint_id(self) -> String {
        format!("{}-hint", self.id())
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is empty.
    Missing,
    /// It is nothing that it could be.
    Invalid,
    /// It is not the right one; so many tries are left.
    Refused(Option<u32>),
}

/// A field and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Which field.
    pub field: Field,
    /// What is wrong.
    pub wrong: Wrong,
}

impl FieldProblem {
    /// The message, the same in the summary and beside the field.
    pub fn message(self, locale: Locale) -> String {
        let name = self.field.code();
        let code = match self.wrong {
            Wrong::Missing => "missing",
            Wrong::Invalid => "invalid",
            Wrong::Refused(_) => "refused",
        };
        let mut message = text(locale, &format!("site.field.{name}.{code}")).to_owned();
        if let Wrong::Refused(Some(tries)) = self.wrong {
            message.push(' ');
            message.push_str(&fill(locale, "site.field.tries_left", &[("n", &tries.to_string())]));
        }
        message
    }
}

/// A field that is missing where it is blank, and invalid where it does not parse.
pub fn check<T>(field: Field, typed: &str, parsed: Option<T>) -> Option<FieldProblem> {
    let wrong = match parsed {
        Some(_) => return None,
        None if typed.trim().is_empty() => Wrong::Missing,
        None => Wrong::Invalid,
    };
    Some(FieldProblem { field, wrong })
}

/// The fields that a problem of the server is about, as far as they are known here.
fn field_problems(problem: &Problem) -> Vec<FieldProblem> {
    let one = |field, wrong| vec![FieldProblem { field, wrong }];
    match problem.code {
        ProblemCode::CodeWrong => one(Field::Code, Wrong::Refused(problem.tries_left)),
        ProblemCode::BirthDateWrong => one(Field::BirthDate, Wrong::Refused(problem.tries_left)),
        ProblemCode::SecondFactorWrong => one(Field::Authenticator, Wrong::Refused(None)),
        ProblemCode::EvidenceMissing => one(Field::FacilityWord, Wrong::Missing),
        ProblemCode::CaptchaWrong | ProblemCode::CaptchaExpired | ProblemCode::CaptchaReused => {
            one(Field::Captcha, Wrong::Invalid)
        }
        ProblemCode::InvalidInput => {
            let known = problem.errors.iter().filter_map(|error| {
                let field = Field::of_code(&error.field)?;
                let wrong = if error.code == "missing" { Wrong::Missing } else { Wrong::Invalid };
                Some(FieldProblem { field, wrong })
            });
            known.collect()
        }
        _ => Vec::new(),
    }
}

/// The state of a form.
#[derive(Clone, Copy)]
pub struct Form {
    /// The fields that are wrong.
    pub problems: RwSignal<Vec<FieldProblem>>,
    /// Why the last request got no answer.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a request is on its way.
    pub busy: RwSignal<bool>,
    tasks: Tasks,
}

impl Form {
    /// A form that nothing was sent from.
    pub fn new() -> Self {
        Self {
            problems: RwSignal::new(Vec::new()),
            failure: RwSignal::new(None),
            busy: RwSignal::new(false),
            tasks: Tasks::here(),
        }
    }

    /// The message beside a field.
    pub fn message(self, field: Field) -> Signal<Option<String>> {
        let language = Language::current();
        Signal::derive(move || {
            let problems = self.problems.read();
            let problem = problems.iter().find(|problem| problem.field == field)?;
            Some(problem.message(language.get()))
        })
    }

    /// Sends a request where no field is wrong and no request is on its way; a second tap sends nothing. The task ends
    /// with the page it belongs to.
    pub fn send<R>(self, problems: Vec<FieldProblem>, request: R)
    where
        R: Future<Output = Result<(), Failure>> + 'static,
    {
        self.send_boxed(problems, Box::pin(request));
    }

    /// Forgets what was wrong.
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
        let wrong = !problems.is_empty();
        self.problems.set(problems);
        self.failure.set(None);
        if wrong {
            return;
        }
        self.busy.set(true);
        self.tasks.run(Box::pin(async move {
            let outcome = request.await;
            self.busy.set(false);
            if let Err(failure) = outcome {
                self.failed(failure);
            }
        }));
    }

    /// Shows a failure: at its field where it is about one, else above the form.
    fn failed(self, failure: Failure) {
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
    fn a_problem_stands_at_its_field() {
        let wrong = |field, wrong| vec![FieldProblem { field, wrong }];
        let code = field_problems(&problem(ProblemCode::CodeWrong));
        assert_eq!(code, wrong(Field::Code, Wrong::Refused(Some(2))));
        let mut invalid = problem(ProblemCode::InvalidInput);
        for (field, code) in [("nik", "missing"), ("shoe_size", "invalid")] {
            invalid.errors.push(FieldError { field: field.into(), code: code.into() });
        }
        assert_eq!(field_problems(&invalid), wrong(Field::Nik, Wrong::Missing));
        assert!(field_problems(&problem(ProblemCode::LinkDead)).is_empty());
    }

    #[test]
    fn every_field_has_its_messages() {
        for locale in Locale::ALL {
            for field in Field::ALL {
                for wrong in [Wrong::Missing, Wrong::Invalid] {
                    assert!(!FieldProblem { field: *field, wrong }.message(locale).starts_with("site."));
                }
            }
            for field in [Field::Code, Field::BirthDate] {
                let message = FieldProblem { field, wrong: Wrong::Refused(Some(3)) }.message(locale);
                assert!(message.contains('3') && !message.contains("site."), "{message}");
            }
            for field in [Field::Authenticator, Field::CaseNumber] {
                let message = FieldProblem { field, wrong: Wrong::Refused(None) }.message(locale);
                assert!(!message.contains("site."), "{message}");
            }
        }
    }

    #[test]
    fn blank_is_missing_and_not_invalid() {
        assert_eq!(check(Field::Name, " ", None::<()>).map(|it| it.wrong), Some(Wrong::Missing));
        assert_eq!(check(Field::Name, "-", None::<()>).map(|it| it.wrong), Some(Wrong::Invalid));
        assert!(check(Field::Name, "Ayu", Some(())).is_none());
    }
}

//! Answers in FHIR R4 (HL7): an OperationOutcome, with an issue for each row.

use bukti_domain::Outcome;
use bukti_http::{Answer, media_type};
use bukti_intake::Told;
use bukti_wire::{Problem, ProblemCode};
use lambda_http::Body;
use serde::Serialize;

/// The media type of FHIR's JSON.
pub(crate) const FHIR: &str = "application/fhir+json";
/// The system of our outcomes and reasons.
const OUTCOMES: &str = "urn:bukti:outcome";
/// The system of our problems' codes.
const PROBLEMS: &str = "urn:bukti:problem";

#[derive(Serialize)]
struct OperationOutcome {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    issue: Vec<Issue>,
}

#[derive(Serialize)]
struct Issue {
    severity: &'static str,
    code: &'static str,
    details: Concept,
    #[serde(skip_serializing_if = "String::is_empty")]
    diagnostics: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expression: Vec<String>,
}

#[derive(Serialize)]
struct Concept {
    coding: Vec<Coding>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
}

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: &'static str,
}

/// What became of each entry.
pub(crate) fn of_rows(rows: &[Told]) -> Answer {
    render(bukti_http::json(200, &outcome(rows.iter().map(issue).collect())))
}

/// An answer that is a problem, as an OperationOutcome of the same status; another as it is.
pub(crate) fn of_problem(answer: Answer) -> Answer {
    if media_type(&answer) != Some("application/problem+json") {
        return answer;
    }
    let Body::Text(text) = answer.body() else { return answer };
    let Ok(problem) = serde_json::from_str::<Problem>(text) else { return answer };
    let coding = vec![Coding { system: PROBLEMS, code: problem.code.code() }];
    let whole = Issue {
        severity: "error",
        code: issue_type(problem.code),
        details: Concept { coding, text: problem.title },
        diagnostics: problem.detail,
        expression: Vec::new(),
    };
    let places = problem.errors.into_iter().map(|error| Issue {
        severity: "error",
        code: "structure",
        details: Concept { coding: Vec::new(), text: error.code },
        diagnostics: error.field,
        expression: Vec::new(),
    });
    let issues = std::iter::once(whole).chain(places).collect();
    let mut told = render(bukti_http::json(problem.status, &outcome(issues)));
    if let Some(wait) = answer.headers().get("retry-after") {
        told.headers_mut().insert("retry-after", wait.clone());
    }
    told
}

fn outcome(issue: Vec<Issue>) -> OperationOutcome {
    OperationOutcome { resource_type: "OperationOutcome", issue }
}

fn render(mut answer: Answer) -> Answer {
    answer.headers_mut().insert("content-type", lambda_http::http::HeaderValue::from_static(FHIR));
    answer
}

fn issue(told: &Told) -> Issue {
    let (severity, code) = match told.outcome {
        Outcome::Issued | Outcome::Superseded | Outcome::Retracted => ("information", "informational"),
        Outcome::Duplicate => ("information", "duplicate"),
        Outcome::Incomplete => ("warning", "incomplete"),
        Outcome::Held => ("warning", "business-rule"),
        Outcome::Rejected => ("error", "invalid"),
    };
    let reasons = told.reasons.iter().map(|reason| reason.code());
    let codes = std::iter::once(told.outcome.code()).chain(reasons);
    Issue {
        severity,
        code,
        details: Concept {
            coding: codes.map(|code| Coding { system: OUTCOMES, code }).collect(),
            text: String::new(),
        },
        diagnostics: match &told.duplicate_of {
            Some(other) => format!("{} reports the same dose as {other}", told.event_id),
            None => told.event_id.clone(),
        },
        expression: vec![format!("Bundle.entry[{}]", told.line.saturating_sub(1))],
    }
}

/// FHIR's issue type (R4, value set `issue-type`) of a problem.
fn issue_type(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::ApiKeyWrong => "login",
        ProblemCode::ForeignOrigin | ProblemCode::Misdirected => "forbidden",
        ProblemCode::NotFound => "not-found",
        ProblemCode::BodyTooLarge | ProblemCode::TooManyRows => "too-costly",
        ProblemCode::TooManyRequests => "throttled",
        ProblemCode::Unavailable => "transient",
        ProblemCode::Internal => "exception",
        _ => "structure",
    }
}

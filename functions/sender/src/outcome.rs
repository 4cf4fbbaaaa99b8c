//! FHIR responses (HL7; the same in R4 and R5): an OperationOutcome with one issue per row.
//! `details` contains the codes, and `diagnostics` an English sentence. Empty arrays are omitted,
//! since FHIR forbids them.

use bukti_domain::{Outcome, Reason};
use bukti_intake::{FhirKind, RowResult};
use bukti_locales::{Locale, text};
use bukti_records::FeedProblem;
use bukti_runtime::{Answer, media_type};
use bukti_wire::{Problem, ProblemCode};
use lambda_http::Body;
use serde::Serialize;

/// The media type of FHIR in JSON.
pub(crate) const FHIR: &str = "application/fhir+json";
/// The code system for outcomes and reasons.
const OUTCOMES: &str = "urn:bukti:outcome";
/// The code system for problems.
const PROBLEMS: &str = "urn:bukti:problem";
/// The problem code for a FHIR file with too many bytes or entries.
const TOO_LARGE: &str = "bundle_too_large";

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
    #[serde(skip_serializing_if = "Concept::is_empty")]
    details: Concept,
    #[serde(skip_serializing_if = "String::is_empty")]
    diagnostics: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expression: Vec<String>,
}

#[derive(Serialize)]
struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coding: Vec<Coding>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
}

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: String,
}

impl Coding {
    fn outcome(code: &str) -> Self {
        Self { system: OUTCOMES, code: code.to_owned() }
    }

    fn problem(code: &str) -> Self {
        Self { system: PROBLEMS, code: code.to_owned() }
    }
}

impl Concept {
    fn is_empty(&self) -> bool {
        self.coding.is_empty() && self.text.is_empty()
    }
}

/// Responds with the results of rows. A transaction fails as a whole if all of its rows are
/// rejected (R4, section 3.1.0.11.1).
pub(crate) fn from_results(results: &[RowResult], kind: Option<FhirKind>) -> Answer {
    let mut issues: Vec<Issue> = results.iter().map(|result| issue(result, kind)).collect();
    let is_rejected = kind == Some(FhirKind::Transaction)
        && !results.is_empty()
        && results.iter().all(|result| result.outcome == Outcome::Rejected);
    if issues.is_empty() {
        issues.push(Issue {
            severity: "information",
            code: "informational",
            details: Concept { coding: Vec::new(), text: String::new() },
            diagnostics: "There is no Immunization, so nothing was imported.".to_owned(),
            expression: Vec::new(),
        });
    }
    with_media_type(bukti_runtime::json(if is_rejected { 422 } else { 200 }, &outcome(issues)))
}

/// Converts a problem response to an OperationOutcome with the same status. Other responses are
/// returned unchanged.
pub(crate) fn from_problem(answer: Answer) -> Answer {
    if media_type(&answer) != Some("application/problem+json") {
        return answer;
    }
    let Body::Text(body) = answer.body() else { return answer };
    let Ok(problem) = serde_json::from_str::<Problem>(body) else { return answer };
    // The title is in the caller's language. `diagnostics` is in English, as in all FHIR responses.
    let main_issue = Issue {
        severity: "error",
        code: issue_type(problem.code),
        details: Concept { coding: vec![Coding::problem(problem.code.code())], text: problem.title },
        diagnostics: text(Locale::En, &format!("problems.{}.detail", problem.code.code())).to_owned(),
        expression: Vec::new(),
    };
    let field_issues = problem.errors.into_iter().map(|error| Issue {
        severity: "error",
        code: "structure",
        diagnostics: format!("{}: {}", error.field, error.code),
        details: Concept { coding: vec![Coding::problem(&error.code)], text: String::new() },
        expression: Vec::new(),
    });
    let issues = std::iter::once(main_issue).chain(field_issues).collect();
    let mut converted = with_media_type(bukti_runtime::json(problem.status, &outcome(issues)));
    if let Some(wait) = answer.headers().get("retry-after") {
        converted.headers_mut().insert("retry-after", wait.clone());
    }
    converted
}

/// Responds to a file that is rejected as a whole.
pub(crate) fn from_feed_problem(problem: &FeedProblem) -> Answer {
    let code = ProblemCode::FeedUnreadable;
    let issue = Issue {
        severity: "error",
        code: if problem.code == TOO_LARGE { "too-costly" } else { issue_type(code) },
        details: Concept {
            coding: vec![Coding::problem(code.code()), Coding::problem(&problem.code)],
            text: String::new(),
        },
        diagnostics: format!("Line {}: {}.", problem.line, problem.detail),
        expression: Vec::new(),
    };
    with_media_type(bukti_runtime::json(code.status(), &outcome(vec![issue])))
}

fn outcome(issue: Vec<Issue>) -> OperationOutcome {
    OperationOutcome { resource_type: "OperationOutcome", issue }
}

fn with_media_type(mut answer: Answer) -> Answer {
    answer.headers_mut().insert("content-type", lambda_http::http::HeaderValue::from_static(FHIR));
    answer
}

/// Creates the issue that reports the result of a row.
fn issue(result: &RowResult, kind: Option<FhirKind>) -> Issue {
    let (severity, code) = match result.outcome {
        Outcome::Issued | Outcome::Superseded | Outcome::Retracted => ("information", "informational"),
        Outcome::Duplicate => ("information", "duplicate"),
        Outcome::Incomplete => ("warning", "incomplete"),
        Outcome::Held => ("warning", "business-rule"),
        Outcome::Rejected => ("error", "invalid"),
    };
    let reasons = result.reasons.iter().map(|reason| reason.code());
    let codes = std::iter::once(result.outcome.code()).chain(reasons);
    Issue {
        severity,
        code,
        details: Concept { coding: codes.map(Coding::outcome).collect(), text: String::new() },
        diagnostics: sentence(result, kind),
        expression: match kind {
            Some(FhirKind::Bundle | FhirKind::Transaction) => {
                vec![format!("Bundle.entry[{}].resource", result.line.saturating_sub(1))]
            }
            Some(FhirKind::Resource) => vec!["Immunization".to_owned()],
            // A line has no FHIRPath; `diagnostics` states its number.
            Some(FhirKind::Lines) | None => Vec::new(),
        },
    }
}

/// Describes the result of a row in English:
/// `Event PCARE-1: rejected, nothing was kept. Check: NIK (must have 16 digits).`
fn sentence(result: &RowResult, kind: Option<FhirKind>) -> String {
    let place = match kind {
        Some(FhirKind::Lines) | None => format!("Line {}, event {}", result.line, result.event_id),
        _ => format!("Event {}", result.event_id),
    };
    let outcome = match result.outcome {
        Outcome::Issued => "complete, the certificate is being issued",
        Outcome::Incomplete => "kept, but incomplete",
        Outcome::Held if result.reasons.contains(&Reason::DoseWithdrawn) => {
            "kept, but no certificate is issued"
        }
        Outcome::Held => "held, since its data contradict each other",
        Outcome::Rejected => "rejected, nothing was kept",
        Outcome::Duplicate => "a duplicate, nothing changed",
        Outcome::Superseded => "replaced by a later version",
        Outcome::Retracted => "retracted, a certificate of it is revoked",
    };
    let reason = |code: &str| text(Locale::En, &format!("diagnosis.reason.{code}")).to_owned();
    let reasons: Vec<String> = result.reasons.iter().map(|it| reason(it.code())).collect();
    if let Some(other) = &result.duplicate_of {
        return format!("{place}: a duplicate, event {other} reports the same dose.");
    }
    if reasons.is_empty() {
        return format!("{place}: {outcome}.");
    }
    format!("{place}: {outcome}. Check: {}.", reasons.join("; "))
}

/// Maps a problem code to an issue type (R4, value set `issue-type`).
fn issue_type(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::ApiKeyWrong => "login",
        ProblemCode::ForeignOrigin | ProblemCode::Misdirected => "forbidden",
        ProblemCode::NotFound => "not-found",
        ProblemCode::UnsupportedMediaType => "not-supported",
        ProblemCode::BodyTooLarge | ProblemCode::TooManyRows => "too-costly",
        ProblemCode::TooManyRequests => "throttled",
        ProblemCode::Unavailable => "transient",
        ProblemCode::Internal => "exception",
        _ => "structure",
    }
}

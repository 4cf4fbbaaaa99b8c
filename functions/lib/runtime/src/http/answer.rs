//! Answers and problems.

use std::time::Duration;

use bukti_locales::{Locale, text};
use bukti_records::OpenError;
use bukti_store::{Aws, StoreError};
use bukti_wire::{FieldError, Problem, ProblemCode};
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use lambda_http::{Body, Response};
use serde::Serialize;

/// An answer as it goes to the caller.
pub type Answer = Response<Body>;

/// What a handler comes to.
pub type FailureResult = Result<Answer, Failure>;

/// Why there is no answer: a problem before it has its texts.
#[derive(Debug)]
pub struct Failure {
    code: ProblemCode,
    errors: Vec<FieldError>,
    explanation: String,
    tries_left: Option<u32>,
    retry_after: Option<u32>,
}

impl Failure {
    /// Its code.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// A problem of this code.
    pub fn new(code: ProblemCode) -> Self {
        Self { code, errors: Vec::new(), explanation: String::new(), tries_left: None, retry_after: None }
    }

    /// Fields that are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::of_fields(ProblemCode::InvalidInput, errors)
    }

    /// A problem of this code, of these fields.
    pub fn of_fields(code: ProblemCode, errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(code) }
    }

    /// Whether it says that something is not there, not the caller's, or wrongly guessed.
    pub(crate) fn is_failed_try(&self) -> bool {
        use ProblemCode as Code;
        matches!(
            self.code,
            Code::CaptchaWrong
                | Code::CaptchaReused
                | Code::CodeWrong
                | Code::CodeDead
                | Code::SecondFactorWrong
                | Code::LinkDead
                | Code::LinkLocked
                | Code::BirthDateWrong
                | Code::NotFound
                | Code::ApiKeyWrong
        )
    }

    /// Explains the case in English, after the text of the code in the caller's language: for senders' developers.
    #[must_use]
    pub fn explained(self, explanation: String) -> Self {
        Self { explanation, ..self }
    }

    /// Says how many tries are left.
    pub fn tries_left(self, tries: u32) -> Self {
        Self { tries_left: Some(tries), ..self }
    }

    /// Says when to come again, in seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // The one place where a failure of the store is logged. What it says holds no personal data.
        tracing::error!(error = %error, "the store failed");
        if error.retryable() {
            Self::new(ProblemCode::Unavailable).retry_after(2)
        } else {
            Self::new(ProblemCode::Internal)
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        tracing::error!(error = %error, "a record does not open");
        Self::new(ProblemCode::Internal)
    }
}

fn answer(status: u16, content_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::Text(String::from_utf8(body).unwrap_or_default()));
    *answer.status_mut() = lambda_http::http::StatusCode::from_u16(status)
        .unwrap_or(lambda_http::http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

/// The media type of an answer.
pub fn media_type(answer: &Answer) -> Option<&str> {
    answer.headers().get(CONTENT_TYPE)?.to_str().ok()
}

/// An answer with a JSON body.
pub fn json<T: Serialize>(status: u16, body: &T) -> Answer {
    // The wire types are structs of strings and numbers: serialising them does not fail.
    answer(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// An answer with a JSON body that is the same for everybody, and may be kept for so many seconds.
pub fn public_json<T: Serialize>(body: &T, max_age: u32) -> Answer {
    let mut answer = json(200, body);
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={max_age}")) {
        answer.headers_mut().insert(CACHE_CONTROL, value);
    }
    answer
}

/// An answer without a body.
pub fn no_content() -> Answer {
    let mut answer = answer(204, "application/json", Vec::new());
    *answer.body_mut() = Body::Empty;
    answer.headers_mut().remove(CONTENT_TYPE);
    answer
}

/// An answer without a body: it will be done.
pub fn accepted() -> Answer {
    let mut answer = no_content();
    *answer.status_mut() = lambda_http::http::StatusCode::ACCEPTED;
    answer
}

/// How long a handler may take: less than the functions have, so that its caller still gets an answer.
const TIME_LIMIT: Duration = Duration::from_secs(12);

/// Turns what a handler comes to into an answer, a failure into a problem in the caller's language.
pub async fn respond(aws: &Aws, handler: impl Future<Output = FailureResult>, locale: Locale) -> Answer {
    aws.keep_up().await;
    answer_within(TIME_LIMIT, handler, locale).await
}

async fn answer_within(
    limit: Duration,
    handler: impl Future<Output = FailureResult>,
    locale: Locale,
) -> Answer {
    let failure = match tokio::time::timeout(limit, handler).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(failure)) => failure,
        Err(_) => {
            tracing::error!("a handler did not come to an end");
            Failure::new(ProblemCode::Unavailable).retry_after(2)
        }
    };
    let code = failure.code.code();
    let say = |part: &str| text(locale, &format!("problems.{code}.{part}")).to_owned();
    let problem = Problem {
        kind: format!("urn:bukti:problem:{code}"),
        status: failure.code.status(),
        code: failure.code,
        title: say("title"),
        detail: format!("{} {}", say("detail"), failure.explanation).trim_end().to_owned(),
        errors: failure.errors,
        tries_left: failure.tries_left,
        retry_after: failure.retry_after,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut answer = answer(problem.status, "application/problem+json", body);
    if let Some(seconds) = failure.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_gets_an_answer_before_the_function_is_ended() {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../infra/template.yaml");
        let template = std::fs::read_to_string(template).unwrap();
        let (_, globals) = template.split_once("\nGlobals:\n").unwrap();
        let (_, timeout) = globals.split_once("\n    Timeout: ").unwrap();
        let timeout: u64 = timeout.lines().next().unwrap().parse().unwrap();
        assert!(TIME_LIMIT <= Duration::from_secs(timeout - 2), "{TIME_LIMIT:?}");

        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(async {
            let answered = answer_within(Duration::from_millis(10), std::future::pending(), Locale::En);
            tokio::time::timeout(Duration::from_secs(10), answered).await.unwrap()
        });
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()[RETRY_AFTER], "2");
        let Body::Text(body) = answer.body() else { unreachable!() };
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!((problem.code, problem.retry_after), (ProblemCode::Unavailable, Some(2)));
    }
}

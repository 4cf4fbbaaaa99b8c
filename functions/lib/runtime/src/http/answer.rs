//! Builds responses, and converts failures to problem responses (RFC 9457).

use std::time::Duration;

use bukti_locales::{Locale, text};
use bukti_records::OpenError;
use bukti_store::{Aws, StoreError};
use bukti_wire::{FieldError, Problem, ProblemCode};
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use lambda_http::{Body, Response};
use serde::Serialize;

/// An HTTP response of a function.
pub type Answer = Response<Body>;

/// The result of a handler: a response, or a failure that [`respond`] converts to one.
pub type FailureResult = Result<Answer, Failure>;

/// A failed request. [`respond`] adds the texts in the caller's language to turn it into a
/// [`Problem`].
#[derive(Debug)]
pub struct Failure {
    code: ProblemCode,
    errors: Vec<FieldError>,
    explanation: String,
    tries_left: Option<u32>,
    retry_after: Option<u32>,
}

impl Failure {
    /// The code of the problem response.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// Creates a failure without field errors or a retry time.
    pub fn new(code: ProblemCode) -> Self {
        Self { code, errors: Vec::new(), explanation: String::new(), tries_left: None, retry_after: None }
    }

    /// Creates an `invalid_input` failure that lists the missing or invalid fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::of_fields(ProblemCode::InvalidInput, errors)
    }

    /// Creates a failure that lists the fields which caused it.
    pub fn of_fields(code: ProblemCode, errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(code) }
    }

    /// Whether the request may have been a guess: it named something that does not exist or belongs
    /// to someone else, or it contained a wrong secret. `Guard::serve` counts these failures.
    pub(crate) fn is_failed_attempt(&self) -> bool {
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

    /// Adds an explanation in English for the developers of a sender's system. It is appended to
    /// the problem's detail, which is in the caller's language.
    #[must_use]
    pub fn explained(self, explanation: String) -> Self {
        Self { explanation, ..self }
    }

    /// Sets the number of attempts that the caller has left.
    pub fn tries_left(self, tries: u32) -> Self {
        Self { tries_left: Some(tries), ..self }
    }

    /// Sets the number of seconds after which the caller may retry. It is also sent as
    /// `Retry-After`.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // Store errors are logged only here. Their messages contain no personal data.
        tracing::error!(error = %error, "a request to the store failed");
        if error.retryable() {
            Self::new(ProblemCode::Unavailable).retry_after(2)
        } else {
            Self::new(ProblemCode::Internal)
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        tracing::error!(error = %error, "a record cannot be decrypted");
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

/// The `Content-Type` of a response; `None` if the response has no body.
pub fn media_type(answer: &Answer) -> Option<&str> {
    answer.headers().get(CONTENT_TYPE)?.to_str().ok()
}

/// Creates a response with a JSON body that must not be cached.
pub fn json<T: Serialize>(status: u16, body: &T) -> Answer {
    // The API types consist of strings, numbers, arrays, and maps with string keys, so serialising
    // them cannot fail.
    answer(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// Creates a response with a JSON body that is the same for all callers, so that shared caches may
/// keep it for `max_age` seconds.
pub fn public_json<T: Serialize>(body: &T, max_age: u32) -> Answer {
    let mut answer = json(200, body);
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={max_age}")) {
        answer.headers_mut().insert(CACHE_CONTROL, value);
    }
    answer
}

/// Creates a `204 No Content` response.
pub fn no_content() -> Answer {
    let mut answer = answer(204, "application/json", Vec::new());
    *answer.body_mut() = Body::Empty;
    answer.headers_mut().remove(CONTENT_TYPE);
    answer
}

/// Creates a `202 Accepted` response without a body, for a request that is processed
/// asynchronously.
pub fn accepted() -> Answer {
    let mut answer = no_content();
    *answer.status_mut() = lambda_http::http::StatusCode::ACCEPTED;
    answer
}

/// The time limit of a handler. It is shorter than the functions' Lambda timeout, so that the
/// caller still gets a response.
const TIME_LIMIT: Duration = Duration::from_secs(12);

/// Runs a handler and returns its response. If the handler fails or exceeds its time limit, returns
/// a problem response in the caller's language.
pub async fn respond(aws: &Aws, handler: impl Future<Output = FailureResult>, locale: Locale) -> Answer {
    aws.refresh_secrets().await;
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
            tracing::error!("a handler exceeded its time limit");
            Failure::new(ProblemCode::Unavailable).retry_after(2)
        }
    };
    let code = failure.code.code();
    let problem_text = |part: &str| text(locale, &format!("problems.{code}.{part}")).to_owned();
    let problem = Problem {
        kind: format!("urn:bukti:problem:{code}"),
        status: failure.code.status(),
        code: failure.code,
        title: problem_text("title"),
        detail: format!("{} {}", problem_text("detail"), failure.explanation).trim_end().to_owned(),
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
    fn slow_handler_gets_503_before_function_timeout() {
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

//! HTTP client for the API. Every request has a timeout, and every failure has a text for the
//! visitor.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bukti_locales::{Locale, fill, text};
use bukti_wire::{Problem, ProblemCode};
use gloo_net::http::{Method, RequestBuilder};
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_split_helpers::SplitLoaderError;

use crate::browser;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Longer than [`TIMEOUT`], because photographs take long to upload over a slow connection.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    Unreachable,
    TimedOut,
    /// The response was not the expected JSON.
    Unreadable,
    /// The server returned an error response.
    Problem(Box<Problem>),
}

/// Converts a failure to load a lazy-loaded chunk.
impl From<SplitLoaderError> for Failure {
    fn from(_: SplitLoaderError) -> Self {
        Self::Unreachable
    }
}

impl Failure {
    /// The error code, if the server returned one.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Failure::Problem(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the server rejected the request because there is no session.
    pub fn is_not_logged_in(&self) -> bool {
        self.code() == Some(ProblemCode::NotLoggedIn)
    }

    /// The heading of the error message.
    pub fn title(&self, locale: Locale) -> String {
        self.text(locale, "title")
    }

    /// The text of the error message: what happened and what to do.
    pub fn detail(&self, locale: Locale) -> String {
        let mut detail = self.text(locale, "detail");
        if let Failure::Problem(problem) = self
            && let Some(seconds) = problem.retry_after
        {
            let (key, n) = if seconds <= 90 {
                ("site.failure.retry_seconds", seconds)
            } else {
                ("site.failure.retry_minutes", seconds.div_ceil(60))
            };
            detail.push(' ');
            detail.push_str(&fill(locale, key, &[("n", &n.to_string())]));
        }
        detail
    }

    fn text(&self, locale: Locale, part: &str) -> String {
        let key = match self {
            Failure::Unreachable => format!("site.failure.unreachable.{part}"),
            Failure::TimedOut => format!("site.failure.timed_out.{part}"),
            Failure::Unreadable => format!("site.failure.unreadable.{part}"),
            Failure::Problem(problem) => format!("problems.{}.{part}", problem.code.code()),
        };
        text(locale, &key).to_owned()
    }
}

pub async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    parse(&send(Method::GET, path, None).await?)
}

/// Posts JSON and parses the response.
pub async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Result<T, Failure> {
    parse(&post_raw(path, body).await?)
}

/// Posts JSON and returns the response unparsed, for callers that ignore the response or whose
/// parser is in a chunk that is still loading.
pub async fn post_raw(path: &str, body: &impl Serialize) -> Result<String, Failure> {
    let body = serde_json::to_string(body).map_err(|_| Failure::Unreadable)?;
    send(Method::POST, path, Some(body)).await
}

pub async fn delete(path: &str) -> Result<(), Failure> {
    send(Method::DELETE, path, None).await.map(drop)
}

/// Parses a JSON response. Returns [`Failure::Unreadable`] if it does not match `T`.
pub fn parse<T: DeserializeOwned>(response: &str) -> Result<T, Failure> {
    // Use the browser's JSON parser, because a second one would enlarge every visitor's download.
    let value = js_sys::JSON::parse(response).map_err(|_| Failure::Unreadable)?;
    serde_wasm_bindgen::from_value(value).map_err(|_| Failure::Unreadable)
}

type ResponseFuture<'path> = Pin<Box<dyn Future<Output = Result<String, Failure>> + 'path>>;

/// Returns a boxed future, so that its code is compiled once instead of into every caller.
fn send(method: Method, path: &str, body: Option<String>) -> ResponseFuture<'_> {
    Box::pin(with_timeout(TIMEOUT, |signal| fetch(method, path, body, signal)))
}

/// Uploads a file to a presigned URL.
pub async fn put_file(address: &str, content_type: &str, file: web_sys::File) -> Result<(), Failure> {
    let upload = with_timeout(UPLOAD_TIMEOUT, async |signal| {
        let request = RequestBuilder::new(address)
            .method(Method::PUT)
            .header("Content-Type", content_type)
            .header("If-None-Match", "*")
            .abort_signal(Some(&signal))
            .body(JsValue::from(file))?;
        let response = request.send().await?;
        // Status 412 means that an earlier attempt stored the file but its response was lost.
        let status = if response.status() == 412 { 200 } else { response.status() };
        Ok((status, response.text().await?))
    });
    upload.await.map(drop)
}

async fn with_timeout<F>(
    timeout: Duration,
    fetch: impl FnOnce(web_sys::AbortSignal) -> F,
) -> Result<String, Failure>
where
    F: Future<Output = Result<(u16, String), gloo_net::Error>>,
{
    let controller = web_sys::AbortController::new().map_err(|_| Failure::Unreachable)?;
    let signal = controller.signal();
    let timed_out = Rc::new(Cell::new(false));
    let timer = {
        let timed_out = Rc::clone(&timed_out);
        let on_timeout = move || {
            timed_out.set(true);
            controller.abort();
        };
        set_timeout_with_handle(on_timeout, timeout).ok()
    };
    let response = fetch(signal).await;
    if let Some(timer) = timer {
        timer.clear();
    }
    let (status, body) =
        response.map_err(|_| if timed_out.get() { Failure::TimedOut } else { Failure::Unreachable })?;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    Err(parse(&body).map_or(Failure::Unreadable, |problem| Failure::Problem(Box::new(problem))))
}

async fn fetch(
    method: Method,
    path: &str,
    body: Option<String>,
    signal: web_sys::AbortSignal,
) -> Result<(u16, String), gloo_net::Error> {
    let request = RequestBuilder::new(path)
        .method(method)
        .header("Accept", "application/json")
        .header("Accept-Language", &browser::page_language())
        .abort_signal(Some(&signal));
    let request = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body)?,
        None => request.build()?,
    };
    let response = request.send().await?;
    // Read the body here, so that the timeout covers it too.
    Ok((response.status(), response.text().await?))
}

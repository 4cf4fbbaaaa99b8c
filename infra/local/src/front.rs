//! The one listener: tells requests apart and hands them on.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use bukti_locales::Locale;
use bukti_store::Metrics;
use bytes::Bytes;
use jiff::Timestamp;

use crate::api::{self, Api};
use crate::backlog::Backlog;
use crate::bodies::{Bodies, BodyError};
use crate::demo;
use crate::dynamodb::DynamoDb;
use crate::feeds::Feeds;
use crate::flow::{self, Waiting};
use crate::info::StackInfo;
use crate::outbox::{self, Outbox};
use crate::redrive::Redrive;
use crate::s3::S3;
use crate::signature::AccessKeys;
use crate::site::{self, Site};
use crate::sns;

/// DynamoDB takes bodies up to 16 MB; SNS far shorter ones.
const LONGEST_CALL: usize = 16 * 1024 * 1024;
/// So many of the longest are read at once: a signature can be verified only once the body is read.
const CALLS_AT_ONCE: usize = 8;

/// Everything behind the listener.
pub(crate) struct Front {
    pub(crate) info: StackInfo,
    pub(crate) keys: AccessKeys,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) s3: S3,
    /// The folder of the data.
    pub(crate) data: PathBuf,
    /// The folder of the public bucket.
    pub(crate) public: PathBuf,
    /// The bodies of calls of DynamoDB and SNS that come by the port.
    pub(crate) bodies: Bodies,
    /// Those of the functions' calls.
    pub(crate) own_bodies: Bodies,
    pub(crate) outbox: Outbox,
    pub(crate) site: Site,
    /// The answer at `/settings.json`.
    pub(crate) settings: Bytes,
    /// There once the functions have started.
    pub(crate) running: OnceLock<Running>,
    /// Whether the stop has begun: no new work from outside.
    pub(crate) stop: tokio::sync::watch::Receiver<bool>,
    /// Counts the requests to the functions that are under way.
    pub(crate) calls: tokio::sync::watch::Sender<usize>,
}

/// The functions and their event sources.
pub(crate) struct Running {
    pub(crate) api: Api,
    pub(crate) feeds: Feeds,
    pub(crate) backlog: Backlog,
    pub(crate) redrive: Redrive,
    pub(crate) metrics: Metrics,
}

/// Marks a request of the functions themselves. No request that comes by the port has it.
#[derive(Clone, Copy)]
pub(crate) struct OfFunctions;

/// Which service a call of the SDKs is for.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    DynamoDb(String),
    Sns,
    S3,
    Unknown,
}

/// Reads the bodies of calls of DynamoDB and SNS.
pub(crate) fn call_bodies() -> Bodies {
    Bodies::new(LONGEST_CALL, CALLS_AT_ONCE)
}

/// Answers a request.
pub(crate) async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    if !is_for_loopback(request.headers(), request.uri()) {
        // A page elsewhere whose name was made to lead to 127.0.0.1 would otherwise read all of this.
        return text(StatusCode::MISDIRECTED_REQUEST, "Bukti answers on 127.0.0.1 and localhost only.\n");
    }
    if is_of_another_site(request.uri().path(), request.headers()) {
        return text(StatusCode::FORBIDDEN, "Not for pages of other sites.\n");
    }
    if let Some(call) = call(request.method(), request.uri(), request.headers(), &front.info.bucket) {
        return front.answer_call(call, request).await;
    }
    let path = request.uri().path();
    match path {
        "/_stack.json" => front.stack_json().await,
        "/_flow" => front.flow("text/html; charset=utf-8", flow::page).await,
        "/_flow.css" => own("text/css; charset=utf-8", flow::STYLE),
        "/_metrics" => front.flow("text/plain; version=0.0.4; charset=utf-8", flow::metrics).await,
        "/_dead_letters.json" => front.dead_letters().await,
        "/_dead_letters/redrive" => front.redrive(request).await,
        "/_sms" => {
            let query = request.uri().query().unwrap_or_default();
            let only =
                form_urlencoded::parse(query.as_bytes()).find(|(name, to)| name == "to" && !to.is_empty());
            match front.outbox.all() {
                Ok(all) => {
                    let page = outbox::page(&all, only.as_ref().map(|(_, to)| &**to));
                    own("text/html; charset=utf-8", page)
                }
                Err(error) => unreadable(&error, "The outbox cannot be read.\n"),
            }
        }
        "/_demo" => own("text/html; charset=utf-8", demo::page(&front.data)),
        "/_demo.css" => own("text/css; charset=utf-8", demo::STYLE),
        "/_sms.css" => own("text/css; charset=utf-8", outbox::STYLE),
        "/_sms.json" => match front.outbox.all() {
            Ok(all) => own("application/json", serde_json::to_vec(&all).unwrap_or_default()),
            Err(error) => unreadable(&error, "The outbox cannot be read.\n"),
        },
        "/settings.json" => {
            let mut response = own("application/json", front.settings.clone());
            site::secure(&mut response);
            response
        }
        "/api" => front.answer_api(request).await,
        _ if path.starts_with("/api/") => front.answer_api(request).await,
        _ if path.starts_with("/trust/") => site::public_file(&front.public, request.method(), path).await,
        _ => front.site.answer(request.method(), path, request.headers()).await,
    }
}

fn unreadable(error: &std::io::Error, what: &'static str) -> Response {
    tracing::error!(%error, "{}", what.trim_end());
    text(StatusCode::INTERNAL_SERVER_ERROR, what)
}

impl Front {
    async fn answer_call(&self, call: Call, request: Request) -> Response {
        if call == Call::S3 {
            // What a feed brought is on the disk before the feed goes.
            let goes =
                request.method() == Method::DELETE && request.uri().path().contains(bukti_store::Feeds::DROP);
            if goes && !matches!(self.dynamodb.sync().await, Ok(true)) {
                // Whoever asked tries again.
                return text(StatusCode::SERVICE_UNAVAILABLE, "The disk is busy.\n");
            }
            // Checks the signature itself. While no function is there, feeds wait for the look-round at the start.
            return self.s3.answer(request, self.running.get().map(|running| &running.feeds)).await;
        }
        let (head, body) = request.into_parts();
        let service = if call == Call::Sns { "sns" } else { "dynamodb" };
        let is_post = head.method == Method::POST && head.uri == *"/";
        let unsigned = || {
            let message = "The call is not signed with the keys of this stack, or not for this service";
            sns::refusal(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
        };
        if !is_post || !self.keys.may_have_signed(&head.headers, service, Timestamp::now()) {
            return unsigned();
        }
        // The access key stands in every document's address, so a stranger may come this far.
        // The functions never wait for what strangers send.
        let bodies =
            if head.extensions.get::<OfFunctions>().is_some() { &self.own_bodies } else { &self.bodies };
        let (body, _memory) = match bodies.read(body).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => {
                return text(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.\n");
            }
            Err(BodyError::TooSlow) => {
                return text(StatusCode::REQUEST_TIMEOUT, "The body takes too long.\n");
            }
            Err(BodyError::Incomplete) => {
                return text(StatusCode::BAD_REQUEST, "The body is incomplete.\n");
            }
            // The SDKs try again.
            Err(BodyError::NoMemory) => {
                let message = "Too many calls at once";
                return sns::refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
            }
        };
        if !self.keys.have_signed(&head.headers, &body, service, Timestamp::now()) {
            return unsigned();
        }
        match call {
            Call::DynamoDb(target) => self.dynamodb.answer(&target, body).await,
            Call::Sns => sns::answer(&self.outbox, &body),
            Call::S3 | Call::Unknown => {
                let message = "The embedded stack has DynamoDB, S3 and SNS only";
                sns::refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
            }
        }
    }

    async fn answer_api(&self, request: Request) -> Response {
        let Some(running) = self.running.get().filter(|_| !*self.stop.borrow()) else {
            return api::unavailable(Locale::default());
        };
        let _counted = Counted::new(&self.calls);
        let mut response = running.api.answer(request).await;
        site::secure(&mut response);
        response
    }

    /// What was counted, in this form.
    async fn flow(
        &self,
        content_type: &'static str,
        form: impl FnOnce(&Metrics, &Waiting) -> String,
    ) -> Response {
        let Some(running) = self.running.get() else { return api::unavailable(Locale::default()) };
        let (backlog, letters) = (running.backlog.count().await, running.redrive.letters.summaries().await);
        let (Ok(backlog), Ok(letters)) = (backlog, letters) else {
            return api::unavailable(Locale::default());
        };
        let waiting = Waiting { backlog, dead_letters: letters.len() as u64 };
        own(content_type, form(&running.metrics, &waiting))
    }

    async fn dead_letters(&self) -> Response {
        let Some(running) = self.running.get() else { return api::unavailable(Locale::default()) };
        match running.redrive.letters.summaries().await {
            Ok(letters) => own("application/json", serde_json::to_vec(&letters).unwrap_or_default()),
            Err(error) => unreadable(&error, "The dead letters cannot be read.\n"),
        }
    }

    /// Only for who knows the secret key, so that no page in a browser can have it done.
    async fn redrive(&self, request: Request) -> Response {
        let wanted = format!("Bearer {}", self.keys.secret_key);
        let known = request
            .headers()
            .get(header::AUTHORIZATION)
            .is_some_and(|key| key.as_bytes() == wanted.as_bytes());
        if request.method() != Method::POST || !known {
            return text(StatusCode::FORBIDDEN, "Use `bukti deadletters redrive`.\n");
        }
        let Some(running) = self.running.get().filter(|_| !*self.stop.borrow()) else {
            return api::unavailable(Locale::default());
        };
        match running.redrive.all().await {
            Ok(redriven) => own("application/json", serde_json::to_vec(&redriven).unwrap_or_default()),
            Err(error) => unreadable(&error, "The dead letters cannot be read or written.\n"),
        }
    }

    async fn stack_json(&self) -> Response {
        let backlog = match self.running.get() {
            Some(running) => running.backlog.count().await.ok(),
            None => None,
        };
        let Some(backlog) = backlog else { return api::unavailable(Locale::default()) };
        let mut info = serde_json::to_value(&self.info).unwrap_or_default();
        info["backlog"] = backlog.into();
        info["repeated_sms"] = self.outbox.repeated().into();
        own("application/json", info.to_string())
    }
}

struct Counted<'a>(&'a tokio::sync::watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn new(calls: &'a tokio::sync::watch::Sender<usize>) -> Self {
        calls.send_modify(|count| *count += 1);
        Self(calls)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Whether a request names this machine itself as its host, and no other.
fn is_for_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let is_loopback = |host: &str| {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
    };
    host.to_str().is_ok_and(is_loopback)
        && uri.authority().is_none_or(|authority| is_loopback(authority.as_str()))
}

/// Whether a page of another site sent a request for something that only this one's pages and programs may have.
///
/// Another port of this machine is another site, too. Not judged here: the public lists, which are for everybody, and the
/// functions' routes, which judge it themselves and answer with a code. Pages of the site may be linked from anywhere.
fn is_of_another_site(path: &str, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if path.starts_with("/trust/") || path == "/api" || path.starts_with("/api/") {
        return false;
    }
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, host)| host == text("host"))
    };
    // Browsers say so of every request, also of those without an origin: links, frames, images.
    let fetched_elsewhere = || matches!(text("sec-fetch-site"), "cross-site" | "same-site");
    !headers.get_all(header::ORIGIN).iter().all(is_own) || (path.starts_with("/_") && fetched_elsewhere())
}

/// The service that a request is for; `None` for people and browsers.
fn call(method: &Method, uri: &Uri, headers: &HeaderMap, bucket: &str) -> Option<Call> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(target) = header("x-amz-target") {
        return Some(if target.starts_with("DynamoDB") {
            Call::DynamoDb(target.to_owned())
        } else {
            Call::Unknown
        });
    }
    if let Some(scope) = header("authorization").and_then(credential) {
        return Some(match scope.split('/').nth(3) {
            Some("s3") => Call::S3,
            Some("sns") if method == Method::POST => Call::Sns,
            _ => Call::Unknown,
        });
    }
    let query = uri.query().unwrap_or_default();
    let presigned = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.starts_with("X-Amz-"));
    // Unsigned calls go there, too, and are refused as S3 refuses them.
    let in_bucket = uri.path().split('/').nth(1) == Some(bucket);
    (presigned || in_bucket).then_some(Call::S3)
}

/// The credential scope of an authorization header: `KEY/DATE/REGION/SERVICE/aws4_request`.
fn credential(authorization: &str) -> Option<&str> {
    let (_, rest) = authorization.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

/// An answer of the stack itself, for this origin only.
fn own(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    for (name, value) in [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'",
        ),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = own("text/plain; charset=utf-8", text);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_loopback_hosts_are_answered() {
        let uri = Uri::from_static("/");
        for good in ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8080", "[::1]"] {
            assert!(is_for_loopback(&headers(&[("host", good)]), &uri), "{good}");
        }
        for bad in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "[localhost].evil.example",
            "[::1].evil.example:80",
            "localhost:80.evil.example",
            "user@localhost",
            "10.0.0.1",
            "",
            "[::2]",
        ] {
            assert!(!is_for_loopback(&headers(&[("host", bad)]), &uri), "{bad}");
        }
        assert!(!is_for_loopback(&HeaderMap::new(), &uri));
        let elsewhere = Uri::from_static("http://evil.example/");
        assert!(!is_for_loopback(&headers(&[("host", "127.0.0.1")]), &elsewhere));
    }

    #[test]
    fn calls_are_told_apart() {
        let signed = |service: &str| {
            let scope =
                format!("AWS4-HMAC-SHA256 Credential=K/20261123/r/{service}/aws4_request, SignedHeaders=h");
            headers(&[("authorization", &scope)])
        };
        let of = |method: Method, uri: &'static str, headers: &HeaderMap| {
            call(&method, &Uri::from_static(uri), headers, "bukti-documents")
        };
        let target = headers(&[("x-amz-target", "DynamoDB_20120810.PutItem")]);
        assert_eq!(of(Method::POST, "/", &target), Some(Call::DynamoDb("DynamoDB_20120810.PutItem".into())));
        assert_eq!(of(Method::POST, "/", &signed("sns")), Some(Call::Sns));
        assert_eq!(of(Method::GET, "/", &signed("s3")), Some(Call::S3));
        assert_eq!(of(Method::POST, "/", &signed("sts")), Some(Call::Unknown));
        let none = HeaderMap::new();
        assert_eq!(of(Method::GET, "/bukti-documents/a?X-Amz-Signature=1", &none), Some(Call::S3));
        assert_eq!(of(Method::GET, "/bukti-documents/a", &none), Some(Call::S3));
        assert_eq!(of(Method::GET, "/api/captcha", &none), None);
        assert_eq!(of(Method::GET, "/bukti-documentation", &none), None);
        assert_eq!(of(Method::GET, "/", &headers(&[("authorization", "Bearer x")])), None);
    }
}

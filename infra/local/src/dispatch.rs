//! The dispatcher: routes each request to an AWS service, a function or a page.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bukti_locales::Locale;
use bukti_store::Metrics;
use bytes::Bytes;
use jiff::Timestamp;

use crate::api_gateway::{ApiGateway, unavailable_response};
use crate::aws_call::AwsCall;
use crate::backlog::Backlog;
use crate::body_reader::{BodyError, BodyReader};
use crate::demo;
use crate::dynamodb::DynamoDb;
use crate::feed_source::FeedSource;
use crate::metrics::{self, Gauges};
use crate::outbox::{self, Outbox};
use crate::redrive::Redrive;
use crate::request_guard::{has_loopback_host, is_cross_site};
use crate::s3::S3;
use crate::signature::AccessKeys;
use crate::site::{self, Site};
use crate::sns;
use crate::stack_info::StackInfo;

/// The longest body of a call, in bytes: DynamoDB's limit of 16 MB. The limit of SNS is far lower.
const MAX_CALL_BODY: usize = 16 * 1024 * 1024;
/// The number of bodies of maximum length that fit into memory at the same time. The limit is
/// needed because a signature can be verified only after the whole body has been read.
const MAX_CONCURRENT_CALLS: usize = 8;

/// The services, functions and pages that the dispatcher routes requests to.
pub(crate) struct Dispatcher {
    pub(crate) info: StackInfo,
    pub(crate) keys: AccessKeys,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) s3: S3,
    /// The path of the data folder.
    pub(crate) data: PathBuf,
    /// The path of the folder with the public bucket.
    pub(crate) public: PathBuf,
    /// Reads the bodies of calls to DynamoDB and SNS that arrive at the port.
    pub(crate) port_bodies: BodyReader,
    /// Reads the bodies of the functions' own calls, so that other callers cannot exhaust their
    /// memory.
    pub(crate) function_bodies: BodyReader,
    pub(crate) outbox: Outbox,
    pub(crate) site: Site,
    /// The JSON that is served at `/settings.json`.
    pub(crate) settings: Bytes,
    /// Set once the functions have started.
    pub(crate) functions: OnceLock<Functions>,
    /// Whether the stack is stopping. If it is, new requests to functions are rejected.
    pub(crate) stop: tokio::sync::watch::Receiver<bool>,
    /// The number of requests that functions are currently processing.
    pub(crate) in_flight: tokio::sync::watch::Sender<usize>,
}

/// The running functions and their event sources.
pub(crate) struct Functions {
    pub(crate) api: ApiGateway,
    pub(crate) feeds: FeedSource,
    pub(crate) backlog: Backlog,
    pub(crate) redrive: Redrive,
    pub(crate) metrics: Metrics,
}

/// A request extension that marks a call from the functions themselves. Requests that arrive at the
/// port cannot set it.
#[derive(Clone, Copy)]
pub(crate) struct FromFunctions;

/// Creates a reader for the bodies of calls to DynamoDB and SNS.
pub(crate) fn call_body_reader() -> BodyReader {
    BodyReader::new(MAX_CALL_BODY, MAX_CONCURRENT_CALLS)
}

/// Routes a request, after checking its host and origin.
pub(crate) async fn dispatch(State(dispatcher): State<Arc<Dispatcher>>, request: Request) -> Response {
    if !has_loopback_host(request.headers(), request.uri()) {
        return plain_text(
            StatusCode::MISDIRECTED_REQUEST,
            "Bukti accepts 127.0.0.1 and localhost as host only.\n",
        );
    }
    if is_cross_site(request.uri().path(), request.headers()) {
        return plain_text(StatusCode::FORBIDDEN, "Requests by pages of other sites are rejected.\n");
    }
    let bucket = &dispatcher.info.bucket;
    if let Some(call) = AwsCall::recognise(request.method(), request.uri(), request.headers(), bucket) {
        return dispatcher.handle_aws_call(call, request).await;
    }
    let path = request.uri().path();
    match path {
        "/_stack.json" => dispatcher.stack_json().await,
        "/_flow" => dispatcher.metrics("text/html; charset=utf-8", metrics::page).await,
        "/_flow.css" => same_origin("text/css; charset=utf-8", metrics::STYLE),
        "/_metrics" => {
            dispatcher.metrics("text/plain; version=0.0.4; charset=utf-8", metrics::prometheus_text).await
        }
        "/_dead_letters.json" => dispatcher.dead_letters().await,
        "/_dead_letters/redrive" => dispatcher.redrive(request).await,
        "/_sms" => {
            let query = request.uri().query().unwrap_or_default();
            let number =
                form_urlencoded::parse(query.as_bytes()).find(|(name, to)| name == "to" && !to.is_empty());
            match dispatcher.outbox.all() {
                Ok(all) => {
                    let page = outbox::page(&all, number.as_ref().map(|(_, to)| &**to));
                    same_origin("text/html; charset=utf-8", page)
                }
                Err(error) => internal_error(&error, "The outbox cannot be read.\n"),
            }
        }
        "/_demo" => same_origin("text/html; charset=utf-8", demo::page(&dispatcher.data)),
        "/_demo.css" => same_origin("text/css; charset=utf-8", demo::STYLE),
        "/_sms.css" => same_origin("text/css; charset=utf-8", outbox::STYLE),
        "/_sms.json" => match dispatcher.outbox.all() {
            Ok(all) => same_origin("application/json", serde_json::to_vec(&all).unwrap_or_default()),
            Err(error) => internal_error(&error, "The outbox cannot be read.\n"),
        },
        "/settings.json" => {
            let mut response = same_origin("application/json", dispatcher.settings.clone());
            site::add_security_headers(&mut response);
            response
        }
        "/api" => dispatcher.handle_api_request(request).await,
        _ if path.starts_with("/api/") => dispatcher.handle_api_request(request).await,
        _ if path.starts_with("/trust/") => {
            site::public_file(&dispatcher.public, request.method(), path).await
        }
        _ => dispatcher.site.handle(request.method(), path, request.headers()).await,
    }
}

fn internal_error(error: &std::io::Error, what: &'static str) -> Response {
    tracing::error!(%error, "{}", what.trim_end());
    plain_text(StatusCode::INTERNAL_SERVER_ERROR, what)
}

impl Dispatcher {
    async fn handle_aws_call(&self, call: AwsCall, request: Request) -> Response {
        if call == AwsCall::S3 {
            // Deleting a feed requires that the imported rows are on disk; otherwise a power
            // failure could lose them.
            let deletes_feed =
                request.method() == Method::DELETE && request.uri().path().contains(bukti_store::Feeds::DROP);
            if deletes_feed && !matches!(self.dynamodb.sync().await, Ok(true)) {
                // The SDKs retry this response.
                return plain_text(StatusCode::SERVICE_UNAVAILABLE, "The disk is busy; retry.\n");
            }
            // s3s verifies the signature. Feeds that are uploaded before the functions have started
            // are found by listing the bucket at the end of start-up.
            return self.s3.handle(request, self.functions.get().map(|functions| &functions.feeds)).await;
        }
        let (head, body) = request.into_parts();
        let service = if call == AwsCall::Sns { "sns" } else { "dynamodb" };
        let is_post = head.method == Method::POST && head.uri == *"/";
        let unsigned = || {
            let message = "The call is not signed for this service with the keys of this stack";
            sns::error_response(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
        };
        if !is_post || !self.keys.may_have_signed(&head.headers, service, Timestamp::now()) {
            return unsigned();
        }
        // The URL of every document contains the access key id, so an unauthorised caller can reach
        // this point. The functions have their own reader, which such callers cannot block.
        let from_functions = head.extensions.get::<FromFunctions>().is_some();
        let bodies = if from_functions { &self.function_bodies } else { &self.port_bodies };
        let (body, _memory) = match bodies.read(body).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => {
                return plain_text(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.\n");
            }
            Err(BodyError::TooSlow) => {
                return plain_text(StatusCode::REQUEST_TIMEOUT, "The body arrived too slowly.\n");
            }
            Err(BodyError::Incomplete) => {
                return plain_text(StatusCode::BAD_REQUEST, "The body is incomplete.\n");
            }
            // The SDKs retry this response.
            Err(BodyError::NoMemory) => {
                let message = "Too many concurrent calls; retry";
                return sns::error_response(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
            }
        };
        if !self.keys.have_signed(&head.headers, &body, service, Timestamp::now()) {
            return unsigned();
        }
        match call {
            AwsCall::DynamoDb(target) => self.dynamodb.handle(&target, body).await,
            AwsCall::Sns => sns::handle(&self.outbox, &body),
            AwsCall::S3 | AwsCall::Unsupported => {
                let message = "The embedded stack has DynamoDB, S3 and SNS only";
                sns::error_response(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
            }
        }
    }

    async fn handle_api_request(&self, request: Request) -> Response {
        let Some(functions) = self.functions.get().filter(|_| !*self.stop.borrow()) else {
            return unavailable_response(Locale::default());
        };
        let _guard = InFlightGuard::new(&self.in_flight);
        let mut response = functions.api.handle(request).await;
        site::add_security_headers(&mut response);
        response
    }

    async fn metrics(
        &self,
        content_type: &'static str,
        render: impl FnOnce(&Metrics, &Gauges) -> String,
    ) -> Response {
        let Some(functions) = self.functions.get() else { return unavailable_response(Locale::default()) };
        let (backlog, letters) =
            (functions.backlog.count().await, functions.redrive.dead_letters.summaries().await);
        let (Ok(backlog), Ok(letters)) = (backlog, letters) else {
            return unavailable_response(Locale::default());
        };
        let gauges = Gauges { backlog, dead_letters: letters.len() as u64 };
        same_origin(content_type, render(&functions.metrics, &gauges))
    }

    async fn dead_letters(&self) -> Response {
        let Some(functions) = self.functions.get() else { return unavailable_response(Locale::default()) };
        match functions.redrive.dead_letters.summaries().await {
            Ok(letters) => same_origin("application/json", serde_json::to_vec(&letters).unwrap_or_default()),
            Err(error) => internal_error(&error, "The dead letters cannot be read.\n"),
        }
    }

    /// Starts a redrive. The secret key is required, so that a page in a browser cannot start one.
    async fn redrive(&self, request: Request) -> Response {
        let expected = format!("Bearer {}", self.keys.secret_key);
        let is_authorized = request
            .headers()
            .get(header::AUTHORIZATION)
            .is_some_and(|key| key.as_bytes() == expected.as_bytes());
        if request.method() != Method::POST || !is_authorized {
            return plain_text(
                StatusCode::FORBIDDEN,
                "Run `bukti deadletters redrive`, which has the key.\n",
            );
        }
        let Some(functions) = self.functions.get().filter(|_| !*self.stop.borrow()) else {
            return unavailable_response(Locale::default());
        };
        match functions.redrive.all().await {
            Ok(counts) => same_origin("application/json", serde_json::to_vec(&counts).unwrap_or_default()),
            Err(error) => internal_error(&error, "The dead letters cannot be read or written.\n"),
        }
    }

    async fn stack_json(&self) -> Response {
        let backlog = match self.functions.get() {
            Some(functions) => functions.backlog.count().await.ok(),
            None => None,
        };
        let Some(backlog) = backlog else { return unavailable_response(Locale::default()) };
        let mut info = serde_json::to_value(&self.info).unwrap_or_default();
        info["backlog"] = backlog.into();
        info["repeated_sms"] = self.outbox.duplicates().into();
        same_origin("application/json", info.to_string())
    }
}

/// Counts a request as in flight until the guard is dropped.
struct InFlightGuard<'a>(&'a tokio::sync::watch::Sender<usize>);

impl<'a> InFlightGuard<'a> {
    fn new(in_flight: &'a tokio::sync::watch::Sender<usize>) -> Self {
        in_flight.send_modify(|count| *count += 1);
        Self(in_flight)
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Creates a response of one of the stack's own pages. Its headers prevent pages of other origins
/// from reading it.
fn same_origin(content_type: &'static str, body: impl Into<Body>) -> Response {
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

fn plain_text(status: StatusCode, text: &'static str) -> Response {
    let mut response = same_origin("text/plain; charset=utf-8", text);
    *response.status_mut() = status;
    response
}

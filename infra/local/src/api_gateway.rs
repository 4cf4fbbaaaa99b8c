//! API Gateway: converts HTTP requests to Lambda payloads (format 2.0), as the functions receive
//! them on AWS.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_locales::{Locale, text};
use bukti_wire::{Function, Problem, ProblemCode, Route, find_route};
use bytes::Bytes;
use futures::future::BoxFuture;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext};
use lambda_http::request::LambdaRequest;
use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;

use crate::body_reader::{BodyError, BodyReader};
use crate::invoke::{TIMEOUT, invoke};

/// Passes a request to the given HTTP function and returns its response.
pub type HttpHandler = Arc<
    dyn Fn(Function, lambda_http::Request) -> BoxFuture<'static, lambda_http::Response<lambda_http::Body>>
        + Send
        + Sync,
>;

/// The longest accepted body, in bytes. Lambda accepts payloads of up to 6 MB, which contain the
/// body in base64.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// The timeout of a function: one second less than API Gateway's timeout of 30 s, as on AWS.
const TIME_LIMIT: Duration = Duration::from_secs(29);

/// The maximum number of requests that the functions process concurrently, similar to Lambda's
/// limit on instances. Further requests are rejected at once with 503, so that overload does not
/// slow down accepted requests.
const MAX_CONCURRENT: usize = 128;

/// Invokes the HTTP functions within limits of concurrency, memory and time.
pub(crate) struct ApiGateway {
    handler: HttpHandler,
    time_limit: Duration,
    /// Reads bodies within a memory limit. A request takes a slot only once its body is complete,
    /// so the slots do not limit incoming bodies.
    bodies: BodyReader,
    slots: Semaphore,
}

impl ApiGateway {
    pub(crate) fn new(handler: HttpHandler) -> Self {
        Self {
            handler,
            time_limit: TIME_LIMIT,
            bodies: BodyReader::new(MAX_BODY, MAX_CONCURRENT),
            slots: Semaphore::new(MAX_CONCURRENT),
        }
    }

    /// Handles a request under `/api/`. Responds with a problem for an unknown route, a rejected
    /// body, overload or a failed function.
    pub(crate) async fn handle(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let tags = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|tags| tags.to_str().ok());
        let locale = Locale::from_tag(tags.unwrap_or_default());
        let Some((route, value)) = find_route(parts.method.as_str(), parts.uri.path()) else {
            return problem_response(StatusCode::NOT_FOUND, ProblemCode::NotFound, locale);
        };
        let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        let parameter = route.parameter().zip(value).map(|(name, value)| (name.to_owned(), decoded(value)));
        let (body, _memory) = match self.bodies.read(body).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => {
                return problem_response(StatusCode::PAYLOAD_TOO_LARGE, ProblemCode::BodyTooLarge, locale);
            }
            Err(BodyError::Incomplete) => {
                return problem_response(StatusCode::BAD_REQUEST, ProblemCode::InvalidJson, locale);
            }
            Err(BodyError::NoMemory) => return unavailable_response(locale),
            Err(BodyError::TooSlow) => {
                return problem_response(StatusCode::REQUEST_TIMEOUT, ProblemCode::Unavailable, locale);
            }
        };
        // The slot is taken only after the body is complete; otherwise slow uploads could occupy
        // all slots.
        let Ok(_slot) = self.slots.try_acquire() else {
            return unavailable_response(locale);
        };
        let handler = Arc::clone(&self.handler);
        let invocation = invoke(self.time_limit, async move {
            let payload = payload(parts, &body, route, parameter.into_iter().collect());
            let request: lambda_http::Request = LambdaRequest::ApiGatewayV2(payload).into();
            handler(route.function, request).await
        });
        let response = match invocation.await {
            Ok(response) => response,
            Err(code) => {
                tracing::error!(function = route.function.name(), code, "the function did not respond");
                return match code {
                    TIMEOUT => {
                        problem_response(StatusCode::GATEWAY_TIMEOUT, ProblemCode::Unavailable, locale)
                    }
                    _ => problem_response(StatusCode::BAD_GATEWAY, ProblemCode::Internal, locale),
                };
            }
        };
        response.map(|body| match body {
            lambda_http::Body::Empty => axum::body::Body::empty(),
            lambda_http::Body::Text(text) => text.into(),
            lambda_http::Body::Binary(bytes) => bytes.into(),
            // This arm is required because the enum is non-exhaustive. All current variants are
            // covered.
            _ => axum::body::Body::empty(),
        })
    }
}

fn payload(
    parts: axum::http::request::Parts,
    body: &Bytes,
    route: Route,
    path_parameters: HashMap<String, String>,
) -> ApiGatewayV2httpRequest {
    let now = jiff::Timestamp::now();
    let route_key = format!("{} {}", route.method, route.path);
    let (headers, cookies) = gateway_headers(&parts.headers);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut payload = ApiGatewayV2httpRequest::default();
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.account_id = Some("000000000000".to_owned());
    context.apiid = Some("local".to_owned());
    context.domain_name = header(header::HOST.as_str());
    context.http.method = parts.method;
    context.http.path = Some(parts.uri.path().to_owned());
    context.http.protocol = Some("HTTP/1.1".to_owned());
    context.http.source_ip = Some("127.0.0.1".to_owned());
    context.http.user_agent = header(header::USER_AGENT.as_str());
    context.request_id = Some(crate::sns::uuid());
    context.route_key = Some(route_key.clone());
    context.stage = Some("$default".to_owned());
    context.time_epoch = now.as_millisecond();
    payload.version = Some("2.0".to_owned());
    payload.route_key = Some(route_key);
    payload.raw_path = Some(parts.uri.path().to_owned());
    payload.raw_query_string = Some(parts.uri.query().unwrap_or_default().to_owned());
    payload.cookies = cookies;
    payload.path_parameters = path_parameters;
    payload.request_context = context;
    if !body.is_empty() {
        let text = is_text(header(header::CONTENT_TYPE.as_str()).as_deref().unwrap_or_default())
            .then(|| std::str::from_utf8(body).ok())
            .flatten();
        payload.is_base64_encoded = text.is_none();
        payload.body = Some(text.map_or_else(|| STANDARD.encode(body), str::to_owned));
    }
    payload.headers = headers;
    payload
}

/// Converts headers as API Gateway does: one value per name, and a separate list of cookies.
/// Forwarding headers are replaced with values from the connection, because callers can spoof them.
fn gateway_headers(received: &HeaderMap) -> (HeaderMap, Option<Vec<String>>) {
    let mut headers = HeaderMap::new();
    for name in received.keys().filter(|name| **name != header::COOKIE) {
        let values: Vec<&[u8]> = received.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(value) = HeaderValue::from_bytes(&values.join(&b","[..])) {
            headers.insert(name.clone(), value);
        }
    }
    headers.remove("forwarded");
    for (name, value) in
        [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "80")]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let cookies: Vec<String> = received
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect();
    (headers, (!cookies.is_empty()).then_some(cookies))
}

/// Whether API Gateway passes a body of this content type as text. All other types are encoded in
/// base64.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(&*kind, "application/json" | "application/xml" | "application/javascript")
}

/// Creates a problem response of the gateway itself, in the same format as the functions'
/// responses.
fn problem_response(status: StatusCode, code: ProblemCode, locale: Locale) -> Response {
    let text = |part: &str| text(locale, &format!("problems.{}.{part}", code.code())).to_owned();
    let problem = Problem {
        kind: format!("urn:bukti:problem:{}", code.code()),
        status: status.as_u16(),
        code,
        title: text("title"),
        detail: text("detail"),
        errors: Vec::new(),
        tries_left: None,
        retry_after: None,
    };
    // Serialisation cannot fail, because the struct contains only strings and numbers.
    let mut response = Response::new(serde_json::to_vec(&problem).unwrap_or_default().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The 503 response for when no function can take a request: the stack is starting or stopping, or
/// all slots are occupied.
pub(crate) fn unavailable_response(locale: Locale) -> Response {
    let mut response = problem_response(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Unavailable, locale);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

#[cfg(test)]
mod tests {
    use bukti_wire::{HolderRoute, StatusRoute};
    use lambda_http::{Body, RequestExt};

    use super::*;

    /// A gateway whose functions respond with the request that they received.
    fn echo() -> ApiGateway {
        ApiGateway::new(Arc::new(|function, request| {
            Box::pin(async move {
                let (kind, body) = match request.body() {
                    Body::Empty => ("empty", String::new()),
                    Body::Text(text) => ("text", text.clone()),
                    Body::Binary(bytes) => ("binary", format!("{bytes:?}")),
                    _ => ("other", String::new()),
                };
                let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
                let echoed = serde_json::json!({
                    "function": function.name(),
                    "method": request.method().as_str(),
                    "path": request.uri().path(),
                    "query": request.query_string_parameters_ref().and_then(|all| all.all("q")),
                    "person": request.path_parameters_ref().and_then(|all| all.first("person")),
                    "cookie": header("cookie"),
                    "from": header("x-forwarded-for"),
                    "body": [kind, &body],
                });
                let mut response = lambda_http::Response::new(Body::Text(echoed.to_string()));
                response.headers_mut().append("set-cookie", HeaderValue::from_static("a=1"));
                response.headers_mut().append("set-cookie", HeaderValue::from_static("b=2"));
                response
            })
        }))
    }

    async fn send(api: &ApiGateway, request: Request) -> (StatusCode, HeaderMap, serde_json::Value) {
        let (parts, body) = api.handle(request).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    fn request(method: &str, uri: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8080")
    }

    #[tokio::test]
    async fn passes_all_parts_of_a_request_to_the_function() {
        let request = request("GET", &format!("{}?q=1&q=a%20b", HolderRoute::Certificates.path_of("a%231")))
            .header("cookie", "session=abc; other=1")
            .header("x-forwarded-for", "6.6.6.6")
            .body(axum::body::Body::empty())
            .unwrap();
        let (status, headers, answer) = send(&echo(), request).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(
            answer,
            serde_json::json!({
                "function": "holder",
                "method": "GET",
                "path": HolderRoute::Certificates.path_of("a%231"),
                "query": ["1", "a b"],
                "person": "a#1",
                "cookie": "session=abc; other=1",
                "from": "127.0.0.1",
                "body": ["empty", ""],
            })
        );
    }

    #[tokio::test]
    async fn json_bodies_are_text_and_others_binary() {
        for (kind, expected) in [
            ("application/json; charset=utf-8", ["text", "{}"]),
            ("application/octet-stream", ["binary", "[123, 125]"]),
        ] {
            let request = request("POST", StatusRoute::Status.path())
                .header("content-type", kind)
                .body("{}".into())
                .unwrap();
            assert_eq!(send(&echo(), request).await.2["body"], serde_json::json!(expected), "{kind}");
        }
    }

    #[tokio::test]
    async fn overwrites_forwarding_headers_of_the_caller() {
        let request = request("GET", StatusRoute::Captcha.path()).header("x-forwarded-proto", "no scheme");
        let (status, ..) = send(&echo(), request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn rejects_unknown_routes_and_too_long_bodies() {
        for (method, path) in [
            ("GET", StatusRoute::Status.path()),
            ("GET", "/api"),
            ("GET", "/api/people/"),
            ("OPTIONS", StatusRoute::Status.path()),
        ] {
            let (status, headers, answer) =
                send(&echo(), request(method, path).body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(answer["code"], "not_found");
        }
        let long = request("POST", StatusRoute::Status.path()).body(vec![b' '; MAX_BODY + 1].into()).unwrap();
        assert_eq!(send(&echo(), long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn sheds_requests_while_all_slots_are_occupied() {
        let (go, wait) = tokio::sync::watch::channel(false);
        let api = ApiGateway::new(Arc::new(move |_, _| {
            let mut wait = wait.clone();
            Box::pin(async move {
                let _ = wait.wait_for(|go| *go).await;
                lambda_http::Response::new(Body::Text("{}".to_owned()))
            })
        }));
        let captcha = || {
            request("GET", StatusRoute::Captcha.path())
                .header("accept-language", "en")
                .body(axum::body::Body::empty())
        };
        let busy = futures::future::join_all((0..MAX_CONCURRENT).map(|_| send(&api, captcha().unwrap())));
        let more = async {
            let (status, headers, answer) = send(&api, captcha().unwrap()).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(headers["retry-after"], "2");
            assert_eq!(answer["code"], "unavailable");
            assert_eq!(answer["title"], text(Locale::En, "problems.unavailable.title"));
            go.send(true).unwrap();
        };
        let (busy, ()) = futures::future::join(busy, more).await;
        assert!(busy.iter().all(|(status, ..)| *status == StatusCode::OK));
        assert_eq!(send(&api, captcha().unwrap()).await.0, StatusCode::OK, "a slot is free again");
    }

    #[tokio::test]
    async fn bodies_share_a_memory_limit() {
        let mut api = echo();
        api.bodies.memory = Semaphore::new(2);
        for (body, expected) in
            [("1", StatusCode::OK), ("123", StatusCode::SERVICE_UNAVAILABLE), ("12", StatusCode::OK)]
        {
            let request = request("POST", StatusRoute::Status.path()).body(body.into()).unwrap();
            assert_eq!(send(&api, request).await.0, expected, "{body}");
        }
    }

    #[tokio::test]
    async fn slow_bodies_occupy_no_slot_and_time_out() {
        let mut api = echo();
        api.bodies.time_limit = Duration::from_millis(500);
        let slow = || {
            let body =
                axum::body::Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
            request("POST", StatusRoute::Status.path()).body(body).unwrap()
        };
        let all = futures::future::join_all((0..2 * MAX_CONCURRENT).map(|_| send(&api, slow())));
        let another = async {
            let request =
                request("GET", StatusRoute::Captcha.path()).body(axum::body::Body::empty()).unwrap();
            send(&api, request).await.0
        };
        let (all, another) = futures::future::join(all, another).await;
        assert_eq!(another, StatusCode::OK, "responds while the slow bodies are arriving");
        for (status, _, answer) in all {
            assert_eq!((status, &answer["code"]), (StatusCode::REQUEST_TIMEOUT, &"unavailable".into()));
        }
    }

    #[tokio::test]
    async fn responds_for_functions_that_panic_or_hang() {
        let captcha = || request("GET", StatusRoute::Captcha.path()).body(axum::body::Body::empty()).unwrap();
        let panics = ApiGateway::new(Arc::new(|_, _| panic!("deliberate panic")));
        assert_eq!(send(&panics, captcha()).await.0, StatusCode::BAD_GATEWAY);
        let panics = ApiGateway::new(Arc::new(|_, _| Box::pin(async { panic!("deliberate panic") })));
        assert_eq!(send(&panics, captcha()).await.0, StatusCode::BAD_GATEWAY);
        let mut endless = ApiGateway::new(Arc::new(|_, _| Box::pin(futures::future::pending())));
        endless.time_limit = Duration::from_millis(10);
        assert_eq!(send(&endless, captcha()).await.0, StatusCode::GATEWAY_TIMEOUT);
    }
}

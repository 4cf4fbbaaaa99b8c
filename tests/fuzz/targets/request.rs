//! Passes arbitrary requests, as API Gateway events, through the parsing of route, language,
//! session and body. A rejected request must get a complete problem response. The input consists of
//! a line with method, path and query, then the headers, an empty line, and the body.
#![no_main]

use std::sync::LazyLock;

use bukti_runtime::{Caller, Failure, TokenCookie, json, locale, read_json, respond};
use bukti_store::{Aws, Secrets, Settings};
use bukti_wire::{FunctionRoute, HelpdeskRoute, HolderRoute, OtpRoute, Problem, SenderRoute, StatusRoute};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::header::COOKIE;
use lambda_http::http::{HeaderName, HeaderValue, Method, Uri};
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Request, RequestExt};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// A local deployment, and a deployment with a public URL. Their services are never called.
static DEPLOYMENTS: LazyLock<(Runtime, [Aws; 2])> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    let secrets = std::env::temp_dir().join(format!("bukti-fuzz-{}.json", std::process::id()));
    let generated = Secrets::generate().expect("random numbers are available");
    std::fs::write(&secrets, serde_json::to_vec(&generated).expect("secrets serialise"))
        .expect("the temporary folder is writable");
    let local = Settings::local("http://127.0.0.1:8080", "key", "secret", secrets.clone());
    let site = Settings { site_url: "https://bukti.example".to_owned(), ..local.clone() };
    let deployments = [local, site]
        .map(|settings| runtime.block_on(Aws::connect(settings)).expect("the secrets are readable"));
    std::fs::remove_file(secrets).expect("the secrets' file can be removed");
    (runtime, deployments)
});

/// Whether the gateway would pass on a header with this value. It routes by the host and overwrites
/// the protocol. Other values must be excluded here, since `lambda_http` 1.3 panics if they do not
/// form a URL.
fn is_possible_header(name: &HeaderName, value: &str) -> bool {
    let is_word = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase());
    match name.as_str() {
        "host" => value == "127.0.0.1:8080" || value.split('.').all(is_word),
        "x-forwarded-proto" => value == "https",
        _ => true,
    }
}

/// Parses the input and converts it to an API Gateway event, then to a request; `None` if the
/// gateway would reject it.
fn request(content: &[u8]) -> Option<Request> {
    let end = content.windows(2).position(|two| two == b"\n\n").unwrap_or(content.len());
    let (head, body) = (&content[..end], content.get(end + 2..).unwrap_or_default());
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = first.split_once(' ')?;
    let uri: Uri = target.parse().ok().filter(|_| target.starts_with('/'))?;
    let mut payload = ApiGatewayV2httpRequest::default();
    payload.request_context.http.method = Method::from_bytes(method.as_bytes()).ok()?;
    payload.request_context.http.path = Some(uri.path().to_owned());
    payload.request_context.stage = Some("$default".to_owned());
    payload.request_context.domain_name = Some("bukti.example".to_owned());
    payload.raw_path = Some(uri.path().to_owned());
    payload.raw_query_string = Some(uri.query().unwrap_or_default().to_owned());
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        if !is_possible_header(&name, value.to_str().unwrap_or_default()) {
            return None;
        }
        if name == COOKIE {
            payload.cookies.get_or_insert_default().push(value.to_str().ok()?.to_owned());
        } else {
            payload.headers.append(name, value);
        }
    }
    payload.body = (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned());
    Some(LambdaRequest::ApiGatewayV2(payload).into())
}

/// Returns the value of the path's parameter; empty if the route has none. Fails if the request is
/// not for a route of this function.
fn parameter<R: FunctionRoute>(request: &Request, aws: &Aws) -> Result<String, Failure> {
    let (route, caller) = Caller::of::<R>(request, aws)?;
    assert_eq!(route.route().parameter().is_some(), !caller.parameter.is_empty());
    Ok(caller.parameter)
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let Some(request) = request(content) else { return };
    let locale = locale(&request);
    request.query_string_parameters();
    let (runtime, deployments) = &*DEPLOYMENTS;
    for aws in deployments {
        let cookie = TokenCookie::session(&aws.settings);
        let token = cookie.token(&request);
        assert!(token.is_none_or(|token| !token.contains(';')));
        for parameter in [
            parameter::<StatusRoute>,
            parameter::<OtpRoute>,
            parameter::<HolderRoute>,
            parameter::<HelpdeskRoute>,
            parameter::<SenderRoute>,
        ] {
            let handler = async {
                assert!(!parameter(&request, aws)?.contains('/'));
                read_json::<Value>(&request).map(|body| json(200, &body))
            };
            let answer = runtime.block_on(respond(aws, handler, locale));
            if answer.status() != 200 {
                let Body::Text(text) = answer.body() else {
                    unreachable!("a problem response has a text body")
                };
                let problem: Problem =
                    serde_json::from_str(text).expect("a failed request gets a problem response");
                assert!(problem.status == answer.status().as_u16() && (400..500).contains(&problem.status));
                assert!(!problem.title.is_empty() && !problem.detail.is_empty());
            }
        }
    }
});

//! HTTP clients for a stack's API.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use altcha::{
    Challenge, CreateChallengeOptions, Payload, SolveChallengeOptions, create_challenge, solve_challenge,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// An HTTP client for one stack, with persistent connections.
pub struct Caller {
    url: String,
    origin: String,
    host: Option<String>,
    agent: ureq::Agent,
    /// The deployment's secrets; `null` if the client does not know them.
    secrets: Value,
    calls: AtomicU32,
}

/// An unparsed HTTP response, for byte-for-byte comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// The HTTP status code.
    pub status: u16,
    /// All headers except `Date`, in the order of the response.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// Parses the body as JSON. Returns `null` if it is not valid JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// A parsed response of the API.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The JSON body; `null` if the body is empty.
    pub body: Value,
    /// The `Cache-Control` header, if the response has one.
    pub cache_control: Option<String>,
    /// The first cookie that the response sets, as `name=value` for a `Cookie` header.
    pub cookie: Option<String>,
    /// The first `Set-Cookie` header, including the attributes of the cookie.
    pub set_cookie: Option<String>,
}

impl Reply {
    /// The problem code in the body; empty if the body has none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl From<RawResponse> for Reply {
    fn from(raw: RawResponse) -> Self {
        let header = |name: &str| raw.header(name).map(str::to_owned);
        let (cache_control, set_cookie) = (header("cache-control"), header("set-cookie"));
        Self {
            status: raw.status,
            body: if raw.body.is_empty() { Value::Null } else { serde_json::from_slice(&raw.body).unwrap() },
            cache_control,
            cookie: set_cookie.as_ref().and_then(|cookie| cookie.split(';').next()).map(str::to_owned),
            set_cookie,
        }
    }
}

impl Caller {
    /// Creates a client that reads the edge key from the data folder and sends it, so that the
    /// stack trusts the client IP in its requests. Each call reports a different network, as if
    /// many people were calling, since rate limits apply per network.
    pub fn new(url: &str, data: &Path) -> Self {
        let secrets = std::fs::read(data.join("secrets.json")).unwrap();
        Self { secrets: serde_json::from_slice(&secrets).unwrap(), ..Self::direct(url) }
    }

    /// Creates a client without the edge key. The stack takes its IP from the connection.
    pub fn direct(url: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self {
            url: url.to_owned(),
            origin: url.to_owned(),
            host: None,
            agent: agent.into(),
            secrets: Value::Null,
            calls: AtomicU32::new(0),
        }
    }

    /// The base URL, which is prepended to paths that are not absolute URLs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Replaces the `Origin` header, which defaults to the base URL.
    #[must_use]
    pub fn from_origin(self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self }
    }

    /// Sets the `Host` header, for servers that serve several hosts at one address.
    #[must_use]
    pub fn for_host(self, host: String) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Calls a path of the stack, or an absolute URL, with a JSON body. Each call reports a
    /// different client network.
    pub fn call(&self, method: &str, path: &str, cookie: Option<&str>, body: &[u8]) -> RawResponse {
        let [_, a, b, c] = self.calls.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.call_from(&format!("10.{b}.{c}.{a}"), method, path, cookie, body)
    }

    /// Calls the stack with the client IP `address`, as if CloudFront had reported it.
    pub fn call_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: &[u8],
    ) -> RawResponse {
        let cookie = cookie.map(|cookie| ("cookie", cookie));
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(cookie).collect();
        self.send_from(address, method, path, &headers, body)
    }

    /// Sends a body of any type with these headers, from the client IP 10.0.0.1.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawResponse {
        self.send_from("10.0.0.1", method, path, headers, body)
    }

    fn send_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> RawResponse {
        let is_absolute = path.starts_with("http");
        let url = if is_absolute { path.to_owned() } else { format!("{}{path}", self.url) };
        let run = || {
            let mut request = ureq::http::Request::builder().method(method).uri(&url);
            if let Some(host) = self.host.as_ref().filter(|_| !is_absolute) {
                request = request.header("host", host);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(edge_key) = self.secrets["edge_key"].as_str() {
                request = request.header("x-bukti-edge", edge_key).header("x-bukti-viewer", address);
            }
            self.agent.run(request.header("origin", &self.origin).body(body).unwrap())
        };
        let mut response = match run() {
            // The server closed this persistent connection after an earlier request whose body was
            // too long. A retry is safe, since the server received no part of this request.
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe => run().unwrap(),
            response => response.unwrap(),
        };
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().filter(|(name, _)| *name != "date");
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = response.body_mut().with_config().limit(1 << 26).read_to_vec().unwrap();
        RawResponse { status: response.status().as_u16(), headers, body }
    }

    /// Posts JSON without a session.
    pub fn post(&self, path: &str, body: &Value) -> RawResponse {
        self.call("POST", path, None, body.to_string().as_bytes())
    }

    /// Creates and solves a captcha that is signed with the deployment's key, at a far lower cost
    /// than the captchas of the API.
    pub fn captcha(&self) -> String {
        let challenge = create_challenge(CreateChallengeOptions {
            algorithm: "SHA-256".to_owned(),
            cost: 1,
            key_prefix: "0".to_owned(),
            expires_at: Some((Timestamp::now() + SignedDuration::from_mins(60)).as_second()),
            hmac_signature_secret: Some(self.secrets["captcha_key"].as_str().unwrap().to_owned()),
            ..CreateChallengeOptions::default()
        })
        .unwrap();
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
        STANDARD.encode(serde_json::to_vec(&Payload { challenge, solution }).unwrap())
    }
}

/// Serialises the JSON body of a request; empty for `None`.
pub(crate) fn json_bytes(body: Option<Value>) -> Vec<u8> {
    body.map(|body| body.to_string().into_bytes()).unwrap_or_default()
}

/// Solves a captcha challenge. Returns the `captcha` field for a request.
pub fn solve(challenge: Value) -> String {
    let challenge: Challenge = serde_json::from_value(challenge).unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    STANDARD.encode(serde_json::to_vec(&Payload { challenge, solution }).unwrap())
}

/// Calls a stack's API without the edge key. The stack takes the client IP from the connection.
pub fn call(url: &str, method: &str, path: &str, cookie: Option<&str>, body: Option<Value>) -> Reply {
    Caller::direct(url).call(method, path, cookie, &json_bytes(body)).into()
}

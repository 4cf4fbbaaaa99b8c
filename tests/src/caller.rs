//! A caller that sees answers to the byte, and asks from another address each time.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use altcha::{CreateChallengeOptions, Payload, SolveChallengeOptions, create_challenge, solve_challenge};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A caller of one stack that keeps its connections.
pub struct Caller {
    url: String,
    origin: String,
    host: Option<String>,
    agent: ureq::Agent,
    /// The deployment's secrets; `null` for who does not know them.
    secrets: Value,
    calls: AtomicU32,
}

/// An answer to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// HTTP status.
    pub status: u16,
    /// All headers but `Date`, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Raw {
    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

impl Caller {
    /// A caller of the stack at this address, from whom the stack believes where it comes from: another network with each
    /// call, since limits are for each and these calls are many people's.
    pub fn new(url: &str, data: &Path) -> Self {
        let secrets = std::fs::read(data.join("secrets.json")).unwrap();
        Self { secrets: serde_json::from_slice(&secrets).unwrap(), ..Self::direct(url) }
    }

    /// A caller that comes from where it comes from.
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

    /// Whom it calls.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Says to come from a page of this origin.
    #[must_use]
    pub fn from_origin(self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self }
    }

    /// Asks for this host, where many answer at one address.
    #[must_use]
    pub fn for_host(self, host: String) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Calls the stack, or any address of it, with a JSON body.
    pub fn call(&self, method: &str, path: &str, cookie: Option<&str>, body: &[u8]) -> Raw {
        let [_, a, b, c] = self.calls.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.call_from(&format!("10.{b}.{c}.{a}"), method, path, cookie, body)
    }

    /// Calls it from this address, as the content delivery network hands the call on.
    pub fn call_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: &[u8],
    ) -> Raw {
        let cookie = cookie.map(|cookie| ("cookie", cookie));
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(cookie).collect();
        self.send_from(address, method, path, &headers, body)
    }

    /// Sends something else than JSON, or with other headers than a session's.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
        self.send_from("10.0.0.1", method, path, headers, body)
    }

    fn send_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Raw {
        let elsewhere = path.starts_with("http");
        let url = if elsewhere { path.to_owned() } else { format!("{}{path}", self.url) };
        let run = || {
            let mut request = ureq::http::Request::builder().method(method).uri(&url);
            if let Some(host) = self.host.as_ref().filter(|_| !elsewhere) {
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
        let mut answer = match run() {
            // A connection that was kept, and that the other side closed after a body that was too long: nothing was sent on it.
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe => run().unwrap(),
            answer => answer.unwrap(),
        };
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().filter(|(name, _)| *name != "date");
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = answer.body_mut().with_config().limit(1 << 26).read_to_vec().unwrap();
        Raw { status: answer.status().as_u16(), headers, body }
    }

    /// Posts JSON, without a session.
    pub fn post(&self, path: &str, body: &Value) -> Raw {
        self.call("POST", path, None, body.to_string().as_bytes())
    }

    /// A solved captcha. It is signed with the deployment's key and far cheaper than those that the deployment hands out.
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

//! What every route answers to who may not, or no longer, or comes from elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bukti_aws::{Aws, Endpoint};
use bukti_tests::caller::{Caller, Raw};
use bukti_tests::{TestApp, dose};
use bukti_wire::ROUTES;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// What a route asks of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Anybody reads it.
    Open,
    /// Anybody may send it, with a captcha, a code or a token that says more. Without it: this status and code.
    Anybody(u16, &'static str),
    /// A session, and then its own only: this status and code for what is another's.
    Session(u16, &'static str),
    /// An API key, which is no session: a session is answered as nothing is.
    ApiKey,
    /// Ends the session that there is. Where there is none, nothing is left to do.
    LogOut,
}

/// Every route. One that is new is to be put here first.
const ACCESS: [(&str, &str, Access); 32] = [
    ("GET", "/api/captcha", Access::Open),
    ("POST", "/api/status", Access::Anybody(422, "captcha_wrong")),
    ("POST", "/api/downloads", Access::Anybody(422, "captcha_wrong")),
    ("GET", "/api/vaccines", Access::Open),
    ("GET", "/api/openapi.json", Access::Open),
    ("POST", "/api/otp", Access::Anybody(422, "captcha_wrong")),
    ("POST", "/api/sessions", Access::Anybody(410, "code_dead")),
    ("GET", "/api/sessions", Access::Session(200, "")),
    ("GET", "/api/sessions/current", Access::Session(200, "")),
    ("DELETE", "/api/sessions/current", Access::LogOut),
    ("DELETE", "/api/sessions/{session}", Access::Session(404, "not_found")),
    ("GET", "/api/people", Access::Session(200, "")),
    ("GET", "/api/people/{person}/certificates", Access::Session(404, "not_found")),
    ("POST", "/api/certificates/{certificate}/document", Access::Session(404, "not_found")),
    ("POST", "/api/links", Access::Anybody(410, "link_dead")),
    ("POST", "/api/links/refusals", Access::Anybody(410, "link_dead")),
    ("POST", "/api/cases", Access::Session(201, "")),
    ("GET", "/api/cases", Access::Session(200, "")),
    ("POST", "/api/cases/lookup", Access::Anybody(404, "not_found")),
    ("POST", "/api/cases/{case}/evidence", Access::Session(404, "not_found")),
    ("POST", "/api/cases/{case}/replies", Access::Session(404, "not_found")),
    ("GET", "/api/people/{person}/looks", Access::Session(404, "not_found")),
    ("POST", "/api/helpdesk/second-factor", Access::Session(403, "not_an_officer")),
    ("GET", "/api/helpdesk/officer", Access::Session(403, "not_an_officer")),
    ("GET", "/api/helpdesk/cases", Access::Session(403, "not_an_officer")),
    ("GET", "/api/helpdesk/cases/{case}", Access::Session(403, "not_an_officer")),
    ("POST", "/api/helpdesk/cases/{case}/decisions", Access::Session(403, "not_an_officer")),
    ("POST", "/api/helpdesk/people", Access::Session(403, "not_an_officer")),
    ("POST", "/api/helpdesk/doses/{dose}/sms", Access::Session(403, "not_an_officer")),
    ("POST", "/api/intake/doses", Access::ApiKey),
    ("GET", "/api/intake/jobs/{job}", Access::ApiKey),
    ("GET", "/api/fhir/metadata", Access::Anybody(200, "")),
];

const OWNER: &str = "0821-0669-0743";

/// A stack with one person, whose certificate is there.
struct Scene {
    app: TestApp,
    /// What is the owner's: a session, the person, the certificate.
    session: String,
    person: String,
    certificate: String,
    case: String,
    /// Numbers the phones that ask for codes: each may ask once a minute.
    phones: AtomicUsize,
}

impl Scene {
    fn set() -> Self {
        let app = TestApp::start();
        app.import(&[dose("E1")]);
        let owner = app.log_in(OWNER, None);
        let sessions = app.call("GET", "/api/sessions", Some(&owner), None).body;
        let session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
        let people = app.call("GET", "/api/people", Some(&owner), None).body;
        let person = people["people"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/people/{person}/certificates");
        let answer = app.call("GET", &path, Some(&owner), None).body;
        let certificate = answer["doses"][0]["certificate"]["id"].as_str().unwrap().to_owned();
        let asked = json!({
            "correction": "name", "name": "Iwan", "nik": "3171012401896246", "birth_date": "1989-01-24",
        });
        let case = app.call("POST", "/api/cases", Some(&owner), Some(asked)).body;
        let case = case["number"].as_str().unwrap().to_owned();
        Self { app, case, session, person, certificate, phones: AtomicUsize::new(0) }
    }

    fn phone(&self) -> String {
        format!("0813 5555 {:04}", self.phones.fetch_add(1, Ordering::Relaxed))
    }

    /// A session of somebody else.
    fn stranger(&self) -> String {
        self.app.log_in(&self.phone(), Some("Stranger"))
    }

    /// A right request of a route, but for captcha, code and token.
    fn request(&self, path: &str) -> (String, Value) {
        let facts = json!({"name": "Iwan", "nik": "3171012401896246", "captcha": "e30="});
        let body = match path {
            "/api/status" => facts,
            "/api/downloads" => {
                let mut asked = facts;
                asked["birth_date"] = json!("1989-01-24");
                asked["vaccination_date"] = json!("2021-01-29");
                asked["vaccine"] = json!("CoronaVac");
                asked
            }
            "/api/otp" => json!({"phone": self.phone(), "captcha": "e30="}),
            "/api/sessions" => json!({"phone": self.phone(), "code": "123456"}),
            "/api/links" => json!({"token": "AAAAAAAAAAAAAAAAAAAAAA", "birth_date": "1989-01-24"}),
            "/api/links/refusals" => json!({"token": "AAAAAAAAAAAAAAAAAAAAAA"}),
            "/api/cases" => json!({
                "correction": "phone", "name": "Iwan", "nik": "3171012401896246", "birth_date": "1989-01-24",
            }),
            "/api/cases/lookup" => json!({"number": "14D2P-F2DBV", "birth_date": "1989-01-24"}),
            "/api/cases/{case}/evidence" => json!({"content_type": "image/png", "bytes": 10}),
            "/api/cases/{case}/replies" => json!({"text": "x"}),
            "/api/helpdesk/second-factor" => json!({"code": "123456"}),
            "/api/helpdesk/cases/{case}/decisions" => {
                json!({"decision": "refuse", "revision": 1, "why": "x"})
            }
            "/api/helpdesk/people" => json!({"identity": "3171012401896246", "why": "x"}),
            "/api/helpdesk/doses/{dose}/sms" => json!({"why": "x"}),
            _ => json!({}),
        };
        let path = path.replace("{session}", &self.session).replace("{person}", &self.person);
        let path = path.replace("{case}", &self.case).replace("{dose}", "AAAA");
        // That of the import.
        let path = path.replace("{job}", "feed-of-the-test");
        (path.replace("{certificate}", &self.certificate), body)
    }

    fn call(&self, (method, path): (&str, &str), cookie: Option<&str>) -> Raw {
        let (path, body) = self.request(path);
        self.app.caller().call(method, &path, cookie, body.to_string().as_bytes())
    }

    /// Lets a session grow older: by so much as if it had been used, or opened, that long before.
    fn age(&self, cookie: &str, attribute: &str, by: SignedDuration) {
        let token = cookie.split_once('=').unwrap().1;
        self.app.with_aws(async |aws: Aws| set_back(&aws, token, attribute, by).await);
    }
}

/// The table's service, for what no function does.
pub async fn table_service(aws: &Aws) -> Client {
    Endpoint::of(&aws.settings).unwrap().clients().await.0
}

/// Sets a time in a session back.
async fn set_back(aws: &Aws, token: &str, attribute: &str, by: SignedDuration) {
    let table = table_service(aws).await;
    let pk = format!("S#{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
    table
        .update_item()
        .table_name(&aws.settings.table)
        .key("pk", AttributeValue::S(pk))
        .key("sk", AttributeValue::S("SESSION".to_owned()))
        .update_expression("SET #attribute = #attribute - :by")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_names("#attribute", attribute)
        .expression_attribute_values(":by", AttributeValue::N(by.as_secs().to_string()))
        .send()
        .await
        .unwrap();
}

fn code(raw: &Raw) -> String {
    raw.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// What a caller with this cookie, which is no session, gets of every route.
fn assert_is_nobody(scene: &Scene, who: &str, cookie: Option<&str>) {
    for (method, path, access) in ACCESS {
        let raw = scene.call((method, path), cookie);
        let got = (raw.status, &*code(&raw));
        let expected = match access {
            Access::Open => (200, ""),
            Access::Anybody(status, code) => (status, code),
            Access::Session(..) => (401, "not_logged_in"),
            Access::ApiKey => (401, "api_key_wrong"),
            Access::LogOut => (204, ""),
        };
        assert_eq!(got, expected, "{who}: {method} {path}");
        if expected.0 == 401 {
            let nobodys = ["{session}", "{person}", "{certificate}", "{case}", "{job}"];
            let nobodys = nobodys.iter().fold(path.to_owned(), |path, part| path.replace(part, "AAAA"));
            let other = scene.call((method, &nobodys), cookie);
            assert_eq!(other.body, raw.body, "{who}: {method} {path}: what is there and what is not");
        }
        let cookies = raw.headers.iter().filter(|(name, _)| name == "set-cookie").count();
        let expected = if access == Access::LogOut { 3 } else { 0 };
        assert_eq!(cookies, expected, "{who}: {method} {path}");
    }
}

#[test]
fn every_route_is_listed() {
    let routes: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let listed: Vec<_> = ACCESS.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(routes, listed);
}

#[test]
fn who_has_no_good_session_is_nobody() {
    let scene = Scene::set();
    assert_is_nobody(&scene, "without a session", None);

    let idle = scene.stranger();
    scene.age(&idle, "used_at", SignedDuration::from_mins(29));
    assert_eq!(scene.call(("GET", "/api/people"), Some(&idle)).status, 200, "for 29 minutes");
    scene.age(&idle, "used_at", SignedDuration::from_mins(30));
    let cookie = Some(&*idle);
    for (method, path, _) in ACCESS.iter().filter(|(.., access)| matches!(access, Access::Session(..))) {
        assert_eq!(scene.call((method, path), cookie).status, 401, "idle for 30 minutes: {method} {path}");
    }
    assert_is_nobody(&scene, "idle for 30 minutes", cookie);

    let old = scene.stranger();
    // Though it was used all the time.
    scene.age(&old, "expires_at", SignedDuration::from_mins(12 * 60 - 1));
    assert_eq!(scene.call(("GET", "/api/people"), Some(&old)).status, 200, "for 12 hours less a minute");
    scene.age(&old, "expires_at", SignedDuration::from_mins(1));
    assert_is_nobody(&scene, "12 hours old", Some(&old));

    let left = scene.stranger();
    let raw = scene.call(("DELETE", "/api/sessions/current"), Some(&left));
    assert!(raw.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_is_nobody(&scene, "logged out", Some(&left));
    let good = scene.stranger();
    let token = good.split_once('=').unwrap().1;
    let malformed = [
        "bukti".to_owned(),
        "bukti=".to_owned(),
        "=".to_owned(),
        ";;;".to_owned(),
        format!("bukti={}", &token[..21]),
        format!("bukti={token}A"),
        format!("bukti={}", token.to_lowercase() + "a"),
        format!("bukti=\"{token}\""),
        format!("bukti = {token}"),
        format!("Bukti={token}"),
        format!("__Host-bukti={token}"),
        format!("bukti=x; bukti={token}"),
        format!("bukti={}", "A".repeat(4000)),
        "bukti=S#%00'\u{7f}".replace('\u{7f}', ""),
    ];
    for cookie in malformed {
        for (method, path, _) in ACCESS.iter().filter(|(.., access)| matches!(access, Access::Session(..))) {
            let raw = scene.call((method, path), Some(&cookie));
            assert_eq!((raw.status, &*code(&raw)), (401, "not_logged_in"), "{cookie}: {method} {path}");
        }
    }
    assert_is_nobody(&scene, "a malformed cookie", Some("bukti=AAAA"));
    assert_eq!(
        scene.call(("GET", "/api/people"), Some(&good)).status,
        200,
        "the good one is good all the time"
    );
}

#[test]
fn who_is_somebody_else_sees_nothing() {
    let scene = Scene::set();
    let stranger = scene.stranger();
    for (method, path, access) in ACCESS.iter().filter(|(.., access)| *access != Access::LogOut) {
        let raw = scene.call((method, path), Some(&stranger));
        let expected = match access {
            Access::Open | Access::LogOut => (200, ""),
            Access::ApiKey => (401, "api_key_wrong"),
            Access::Anybody(status, code) | Access::Session(status, code) => (*status, *code),
        };
        assert_eq!((raw.status, &*code(&raw)), expected, "{method} {path}");
        let body = String::from_utf8(raw.body).unwrap();
        let public = *access == Access::Open;
        for of_the_owner in
            ["Iwan", "Purnomo", "6246", "1989-01-24", &scene.certificate, &scene.person, &scene.session]
        {
            assert!(public || !body.contains(of_the_owner), "{method} {path}: {body}");
        }
    }
    let answer = scene.call(("GET", "/api/people"), Some(&stranger)).json();
    assert_eq!(answer, json!({"people": []}));
    // What is another's is answered as what is nobody's.
    for (method, theirs, nobodys) in [
        (
            "GET",
            format!("/api/people/{}/certificates", scene.person),
            format!("/api/people/{}/certificates", "A".repeat(24)),
        ),
        (
            "POST",
            format!("/api/certificates/{}/document", scene.certificate),
            "/api/certificates/0000-0000-0000-0000/document".to_owned(),
        ),
        (
            "DELETE",
            format!("/api/sessions/{}", scene.session),
            format!("/api/sessions/{}", "A".repeat(scene.session.len())),
        ),
    ] {
        let theirs = scene.app.caller().call(method, &theirs, Some(&stranger), b"");
        assert_eq!(theirs, scene.app.caller().call(method, &nobodys, Some(&stranger), b""));
    }
}

#[test]
fn other_sites_change_nothing() {
    let scene = Scene::set();
    let session = scene.stranger();
    let own = scene.app.url().to_owned();
    let port = own.rsplit(':').next().unwrap().to_owned();
    let foreign = [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        String::new(),
        format!("{own}.evil.example"),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1:{}", port.parse::<u16>().unwrap() ^ 1),
    ];
    for origin in foreign {
        let caller = Caller::new(scene.app.url(), scene.app.data.path()).from_origin(&origin);
        for (method, path, access) in ACCESS {
            let (path, body) = scene.request(path);
            for cookie in [None, Some(&*session)] {
                let raw = caller.call(method, &path, cookie, body.to_string().as_bytes());
                let got = (raw.status, &*code(&raw));
                match access {
                    // What changes nothing is kept from other sites by their browsers: no answer lets them read it.
                    _ if method == "GET" => assert_ne!(got.1, "foreign_origin", "{origin}: {method} {path}"),
                    _ => assert_eq!(got, (403, "foreign_origin"), "{origin}: {method} {path}"),
                }
                assert_eq!(raw.header("access-control-allow-origin"), None, "{origin}: {method} {path}");
                assert_eq!(raw.header("set-cookie"), None, "{origin}: {method} {path}");
            }
        }
    }
    assert_eq!(scene.call(("GET", "/api/people"), Some(&session)).status, 200, "nobody logged it out");
}

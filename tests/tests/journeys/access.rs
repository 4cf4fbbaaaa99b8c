//! What every route answers to who may not, or no longer, or comes from elsewhere.

use bukti_records::{ItemKey, Keys};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{CaseNumber, PhoneNumber};
use bukti_store::{Aws, Cases, Device, Doses, Endpoint, Officers, Sessions};
use bukti_tests::caller::{Caller, Raw};
use bukti_tests::{TestApp, csv, dose};
use bukti_wire::ROUTES;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::helpdesk::decide;

/// Status and code of an answer.
type Outcome = (u16, &'static str);

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Without a session or a key.
    Nobody,
    /// A session of another phone.
    Stranger,
    /// A session of the phone that the scene's records belong to.
    Owner,
    /// An officer who has not shown the second factor.
    HalfOfficer,
    Officer,
    Supervisor,
    /// API keys.
    Facility,
    Hub,
}

impl Who {
    /// The officer before the supervisor, who decides the case.
    const ALL: [Self; 8] = [
        Self::Nobody,
        Self::Stranger,
        Self::Owner,
        Self::HalfOfficer,
        Self::Officer,
        Self::Supervisor,
        Self::Facility,
        Self::Hub,
    ];
}

/// What a route answers to whom, about records of the scene's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Anybody reads it.
    Open,
    /// Anybody may send it, with a captcha, a code or a token that says more. Without it: this status and code.
    Anybody(u16, &'static str),
    /// A session: the owner's, and any other's.
    Session { owner: Outcome, other: Outcome },
    /// A session of an officer: before the second factor, after it, and a supervisor's.
    Officer { half: Outcome, officer: Outcome, supervisor: Outcome },
    /// An API key, which is no session: a session is answered as nothing is.
    ApiKey { facility: Outcome, hub: Outcome },
    /// Ends the session that there is. Where there is none, nothing is left to do.
    LogOut,
}

impl Access {
    /// What a caller is answered.
    fn outcome(self, who: Who) -> Outcome {
        let has_session = !matches!(who, Who::Nobody | Who::Facility | Who::Hub);
        match self {
            Self::Open => (200, ""),
            Self::Anybody(status, code) => (status, code),
            Self::LogOut => (204, ""),
            Self::ApiKey { facility, hub } => match who {
                Who::Facility => facility,
                Who::Hub => hub,
                _ => (401, "api_key_wrong"),
            },
            Self::Session { .. } | Self::Officer { .. } if !has_session => (401, "not_logged_in"),
            Self::Session { owner, other } => {
                if who == Who::Owner {
                    owner
                } else {
                    other
                }
            }
            Self::Officer { half, officer, supervisor } => match who {
                Who::HalfOfficer => half,
                Who::Officer => officer,
                Who::Supervisor => supervisor,
                _ => (403, "not_an_officer"),
            },
        }
    }

    fn needs_session(self) -> bool {
        matches!(self, Self::Session { .. } | Self::Officer { .. })
    }
}

/// A route about records of whichever phone is logged in with.
const fn own(status: u16) -> Access {
    Access::Session { owner: (status, ""), other: (status, "") }
}

/// A route about a record that is the owner's: for others it is as if there were none.
const fn owners(status: u16, code: &'static str) -> Access {
    Access::Session { owner: (status, code), other: (404, "not_found") }
}

/// A route of the console.
const fn console(status: u16) -> Access {
    Access::Officer { half: (403, "second_factor_needed"), officer: (status, ""), supervisor: (status, "") }
}

/// A code that is no authenticator's.
const WRONG_FACTOR: Access = Access::Officer {
    half: (422, "second_factor_wrong"),
    officer: (422, "second_factor_wrong"),
    supervisor: (422, "second_factor_wrong"),
};
/// What another officer proposes is approved.
const APPROVAL: Access = Access::Officer {
    half: (403, "second_factor_needed"),
    officer: (403, "needs_supervisor"),
    supervisor: (200, ""),
};
/// What is sent has no rows.
const SENDERS: Access = Access::ApiKey { facility: (422, "feed_unreadable"), hub: (422, "feed_unreadable") };
/// The job of a feed that was dropped.
const HUBS: Access = Access::ApiKey { facility: (404, "not_found"), hub: (200, "") };

/// Every route. One that is new is to be put here first.
const ACCESS: [(&str, &str, Access); 32] = [
    ("GET", "/api/captcha", Access::Open),
    ("POST", "/api/status", Access::Anybody(422, "captcha_wrong")),
    ("POST", "/api/downloads", Access::Anybody(422, "captcha_wrong")),
    ("GET", "/api/vaccines", Access::Open),
    ("GET", "/api/openapi.json", Access::Open),
    ("POST", "/api/otp", Access::Anybody(422, "captcha_wrong")),
    ("POST", "/api/sessions", Access::Anybody(410, "code_dead")),
    ("GET", "/api/sessions", own(200)),
    ("GET", "/api/sessions/current", own(200)),
    ("DELETE", "/api/sessions/current", Access::LogOut),
    ("DELETE", "/api/sessions/{session}", owners(204, "")),
    ("GET", "/api/people", own(200)),
    ("GET", "/api/people/{person}/certificates", owners(200, "")),
    ("POST", "/api/certificates/{certificate}/document", owners(200, "")),
    ("POST", "/api/links", Access::Anybody(410, "link_dead")),
    ("POST", "/api/links/refusals", Access::Anybody(410, "link_dead")),
    ("POST", "/api/cases", own(201)),
    ("GET", "/api/cases", own(200)),
    ("POST", "/api/cases/lookup", Access::Anybody(404, "not_found")),
    ("POST", "/api/cases/{case}/evidence", owners(201, "")),
    // No officer has asked the owner back.
    ("POST", "/api/cases/{case}/replies", owners(409, "case_changed")),
    ("GET", "/api/people/{person}/looks", owners(200, "")),
    ("POST", "/api/helpdesk/second-factor", WRONG_FACTOR),
    ("GET", "/api/helpdesk/officer", console(200)),
    ("GET", "/api/helpdesk/cases", console(200)),
    ("GET", "/api/helpdesk/cases/{case}", console(200)),
    ("POST", "/api/helpdesk/cases/{case}/decisions", APPROVAL),
    ("POST", "/api/helpdesk/people", console(200)),
    ("POST", "/api/helpdesk/doses/{dose}/sms", console(202)),
    ("POST", "/api/intake/doses", SENDERS),
    ("GET", "/api/intake/jobs/{job}", HUBS),
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
    dose: String,
    /// Numbers the phones that ask for codes: each may ask once a minute.
    phones: AtomicUsize,
}

impl Scene {
    fn set() -> Self {
        let app = TestApp::start();
        // A job of this name.
        app.drop_feed("feed-of-the-test.csv", csv(&[dose("E1")]));
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
        let dose = app.with_aws(async |aws| {
            let phone = aws.keys.phone(&PhoneNumber::parse(OWNER).unwrap());
            let (doses, _) = Doses::new(&aws).of_phone_key(&phone).await.unwrap();
            doses[0].pk.id().to_owned()
        });
        Self { app, case, dose, session, person, certificate, phones: AtomicUsize::new(0) }
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
        let path = path.replace("{case}", &self.case).replace("{dose}", &self.dose);
        let path = path.replace("{job}", "feed-of-the-test");
        (path.replace("{certificate}", &self.certificate), body)
    }

    /// A new session of a phone, in which an officer has shown the second factor or not.
    fn session_of(&self, phone: &str, both_factors: bool) -> String {
        self.app.with_aws(async |aws| {
            let (sessions, phone) = (Sessions::new(&aws), PhoneNumber::parse(phone).unwrap());
            let device = Device { browser: None, system: None };
            let opened = sessions.open(&phone, None, &device, Timestamp::now()).await;
            let token = opened.unwrap().0.secret().to_owned();
            if both_factors {
                let officer = Officers::new(&aws).of_phone_key(&aws.keys.phone(&phone)).await.unwrap();
                assert!(sessions.second_factor(&token, &officer.unwrap().enrolment).await.unwrap());
            }
            format!("bukti={token}")
        })
    }

    /// The case as it is now.
    fn revision(&self) -> u32 {
        self.app.with_aws(async |aws| {
            let number = CaseNumber::parse(&self.case).unwrap();
            Cases::new(&aws).of_number(&number).await.unwrap().unwrap().revision
        })
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
    let key = ItemKey::session(&Keys::session(token));
    table
        .update_item()
        .table_name(&aws.settings.table)
        .key("pk", AttributeValue::S(key.pk().to_owned()))
        .key("sk", AttributeValue::S(key.sk().to_owned()))
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
        let expected = access.outcome(Who::Nobody);
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
fn every_caller_gets_of_every_route_what_is_theirs() {
    const OFFICER: &str = "0811-0000-0001";
    const SUPERVISOR: &str = "0811-0000-0002";
    let scene = Scene::set();
    scene.app.appoint(OFFICER, "Rina", "officer");
    scene.app.appoint(SUPERVISOR, "Sari", "supervisor");
    let proposer = scene.app.officer("0811-0000-0003", "Budi", "officer");
    let grant = json!({"dose": scene.dose, "facility_word": "Bidan Tuti"});
    let proposed = decide(&scene.app, &proposer, &scene.case, "grant", grant);
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    let key = |arguments: [&str; 2]| scene.app.bukti_well(&["key", "add", arguments[0], arguments[1]]);
    let (facility, hub) = (key(["--facility", "P9"]), key(["--hub", "satudata"]));

    for (method, path, access) in ACCESS {
        for who in Who::ALL {
            let (path, mut body) = scene.request(path);
            if path.ends_with("/decisions") {
                body = json!({"decision": "grant", "revision": scene.revision(), "why": "x"});
            }
            if path.ends_with("/sms") {
                // The certificate after the case was approved.
                scene.app.settle();
            }
            let body = body.to_string();
            let by_session = |phone: &str, both_factors: bool| {
                let cookie = scene.session_of(phone, both_factors);
                scene.app.caller().call(method, &path, Some(&cookie), body.as_bytes())
            };
            let by_key = |key: &str| {
                let authorization = format!("Bearer {}", key.trim());
                let headers = [("authorization", &*authorization), ("content-type", "application/json")];
                scene.app.caller().send(method, &path, &headers, body.as_bytes())
            };
            let raw = match who {
                Who::Nobody => scene.app.caller().call(method, &path, None, body.as_bytes()),
                Who::Stranger => by_session(&scene.phone(), false),
                Who::Owner => by_session(OWNER, false),
                Who::HalfOfficer => by_session(OFFICER, false),
                Who::Officer => by_session(OFFICER, true),
                Who::Supervisor => by_session(SUPERVISOR, true),
                Who::Facility => by_key(&facility),
                Who::Hub => by_key(&hub),
            };
            let code = if raw.body.is_empty() { String::new() } else { code(&raw) };
            assert_eq!((raw.status, &*code), access.outcome(who), "{who:?}: {method} {path}");
        }
    }
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
    for (method, path, _) in ACCESS.iter().filter(|(.., access)| access.needs_session()) {
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
        for (method, path, _) in ACCESS.iter().filter(|(.., access)| access.needs_session()) {
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
        assert_eq!((raw.status, &*code(&raw)), access.outcome(Who::Stranger), "{method} {path}");
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

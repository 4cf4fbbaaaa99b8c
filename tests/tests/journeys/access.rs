//! Access control: the response of every route to each kind of caller, with and without a valid
//! session, and to cross-origin requests.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{CaseNumber, PhoneNumber};
use bukti_records::{ItemKey, Keys};
use bukti_store::{Aws, Cases, Device, Doses, Endpoint, Officers, Sessions};
use bukti_tests::caller::{Caller, RawResponse};
use bukti_tests::{TestApp, csv, dose};
use bukti_wire::{Access, HelpdeskRoute, HolderRoute, OtpRoute, ROUTES, Route, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::access_rules::{CallerKind, assert_response, code, rejection, session_routes};
use crate::helpdesk::decide;

const OWNER: &str = "0821-0669-0743";

/// A stack with one person, who has a certificate and an open case.
struct Fixture {
    app: TestApp,
    /// The id of the owner's session. The next four fields are the ids of the owner's other
    /// records.
    session: String,
    person: String,
    certificate: String,
    case: String,
    dose: String,
    /// The number of phones used so far. Each phone may request only one code per minute.
    phones: AtomicUsize,
}

impl Fixture {
    fn start() -> Self {
        let app = TestApp::start();
        // The file name determines the id of the job.
        app.upload_feed("feed-of-the-test.csv", csv(&[dose("E1")]));
        let owner = app.log_in(OWNER, None);
        let sessions = app.call("GET", OtpRoute::Sessions.path(), Some(&owner), None).body;
        let session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
        let people = app.call("GET", HolderRoute::People.path(), Some(&owner), None).body;
        let person = people["people"][0]["id"].as_str().unwrap().to_owned();
        let path = HolderRoute::Certificates.path_of(&person);
        let answer = app.call("GET", &path, Some(&owner), None).body;
        let certificate = answer["doses"][0]["certificate"]["id"].as_str().unwrap().to_owned();
        let request = json!({
            "correction": "name", "name": "Iwan", "nik": "3171012401896246", "birth_date": "1989-01-24",
        });
        let case = app.call("POST", HelpdeskRoute::OpenCase.path(), Some(&owner), Some(request)).body;
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

    /// Logs in with a new phone, to which no record belongs. Returns the session cookie.
    fn stranger(&self) -> String {
        self.app.log_in(&self.phone(), Some("Stranger"))
    }

    /// The path and body of a well-formed request to a route, with an invalid captcha, code or
    /// token.
    fn request(&self, route: Route) -> (String, Value) {
        let facts = json!({"name": "Iwan", "nik": "3171012401896246", "captcha": "e30="});
        let is = |other: Route| route == other;
        let body = match () {
            () if is(StatusRoute::Status.route()) => facts,
            () if is(StatusRoute::Download.route()) => {
                let mut request = facts;
                request["birth_date"] = json!("1989-01-24");
                request["vaccination_date"] = json!("2021-01-29");
                request["vaccine"] = json!("CoronaVac");
                request
            }
            () if is(OtpRoute::Otp.route()) => json!({"phone": self.phone(), "captcha": "e30="}),
            () if is(OtpRoute::LogIn.route()) => json!({"phone": self.phone(), "code": "123456"}),
            () if is(HolderRoute::Link.route()) => {
                json!({"token": "AAAAAAAAAAAAAAAAAAAAAA", "birth_date": "1989-01-24"})
            }
            () if is(HolderRoute::RefuseLink.route()) => json!({"token": "AAAAAAAAAAAAAAAAAAAAAA"}),
            () if is(HelpdeskRoute::OpenCase.route()) => json!({
                "correction": "phone", "name": "Iwan", "nik": "3171012401896246", "birth_date": "1989-01-24",
            }),
            () if is(HelpdeskRoute::Case.route()) => {
                json!({"number": "14D2P-F2DBV", "birth_date": "1989-01-24"})
            }
            () if is(HelpdeskRoute::Evidence.route()) => json!({"content_type": "image/png", "bytes": 10}),
            () if is(HelpdeskRoute::Reply.route()) => json!({"text": "x"}),
            () if is(HelpdeskRoute::SecondFactor.route()) => json!({"code": "123456"}),
            () if is(HelpdeskRoute::Decide.route()) => {
                json!({"decision": "refuse", "revision": 1, "why": "x"})
            }
            () if is(HelpdeskRoute::FindPeople.route()) => {
                json!({"identity": "3171012401896246", "why": "x"})
            }
            () if is(HelpdeskRoute::Resend.route()) => json!({"why": "x"}),
            () => json!({}),
        };
        let id = match route.parameter() {
            Some("session") => &self.session,
            Some("person") => &self.person,
            Some("certificate") => &self.certificate,
            Some("case") => &self.case,
            Some("dose") => &self.dose,
            _ => "feed-of-the-test",
        };
        (route.path_of(id), body)
    }

    /// Creates a session for a phone, with or without the officer's second factor. Returns the
    /// session cookie.
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

    fn revision(&self) -> u32 {
        self.app.with_aws(async |aws| {
            let number = CaseNumber::parse(&self.case).unwrap();
            Cases::new(&aws).of_number(&number).await.unwrap().unwrap().revision
        })
    }

    fn call(&self, route: Route, cookie: Option<&str>) -> RawResponse {
        let (path, body) = self.request(route);
        self.app.caller().call(route.method, &path, cookie, body.to_string().as_bytes())
    }

    /// Ages a session by moving the timestamp in this attribute into the past.
    fn age(&self, cookie: &str, attribute: &str, by: SignedDuration) {
        let token = cookie.split_once('=').unwrap().1;
        self.app.with_aws(async |aws: Aws| set_back(&aws, token, attribute, by).await);
    }
}

/// A DynamoDB client that reads and changes the table's items directly.
pub async fn table_service(aws: &Aws) -> Client {
    Endpoint::of(&aws.settings).unwrap().clients().await.0
}

/// Subtracts a duration from a timestamp attribute of a session.
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

/// Asserts that every route responds to this cookie as it does to a missing session.
fn assert_is_anonymous(fixture: &Fixture, context: &str, cookie: Option<&str>) {
    for route in ROUTES {
        let raw = fixture.call(*route, cookie);
        assert_response(*route, CallerKind::Anonymous, &raw, context);
        if rejection(route.access, CallerKind::Anonymous).is_some() {
            let path = route.path_of("AAAA");
            let other = fixture.app.caller().call(route.method, &path, cookie, b"{}");
            assert_eq!(other.body, raw.body, "{context}: {route:?}: existing and missing records differ");
        }
        let cookies = raw.headers.iter().filter(|(name, _)| name == "set-cookie").count();
        let expected = if *route == OtpRoute::LogOut.route() { 3 } else { 0 };
        assert_eq!(cookies, expected, "{context}: {route:?}");
    }
}

#[test]
fn every_route_gives_each_caller_the_expected_response() {
    const OFFICER: &str = "0811-0000-0001";
    const SUPERVISOR: &str = "0811-0000-0002";
    let fixture = Fixture::start();
    fixture.app.add_officer(OFFICER, "Rina", "officer");
    fixture.app.add_officer(SUPERVISOR, "Sari", "supervisor");
    let proposer = fixture.app.log_in_officer("0811-0000-0003", "Budi", "officer");
    let grant = json!({"dose": fixture.dose, "facility_word": "Bidan Tuti"});
    let proposed = decide(&fixture.app, &proposer, &fixture.case, "grant", grant);
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    let key = |arguments: [&str; 2]| fixture.app.bukti_ok(&["api-key", "create", arguments[0], arguments[1]]);
    let (facility, hub) = (key(["--facility", "P9"]), key(["--hub", "satudata"]));

    for route in ROUTES {
        for caller in CallerKind::ALL {
            let (path, mut body) = fixture.request(*route);
            if *route == HelpdeskRoute::Decide.route() {
                body = json!({"decision": "grant", "revision": fixture.revision(), "why": "x"});
            }
            if *route == HelpdeskRoute::Resend.route() {
                // The approval reissues the certificate, which can be resent only after that.
                fixture.app.wait_until_idle();
            }
            let body = body.to_string();
            let by_session = |phone: &str, both_factors: bool| {
                let cookie = fixture.session_of(phone, both_factors);
                fixture.app.caller().call(route.method, &path, Some(&cookie), body.as_bytes())
            };
            let by_key = |key: &str| {
                let authorization = format!("Bearer {}", key.trim());
                let headers = [("authorization", &*authorization), ("content-type", "application/json")];
                fixture.app.caller().send(route.method, &path, &headers, body.as_bytes())
            };
            let raw = match caller {
                CallerKind::Anonymous => {
                    fixture.app.caller().call(route.method, &path, None, body.as_bytes())
                }
                CallerKind::Stranger => by_session(&fixture.phone(), false),
                CallerKind::Owner => by_session(OWNER, false),
                CallerKind::UnverifiedOfficer => by_session(OFFICER, false),
                CallerKind::Officer => by_session(OFFICER, true),
                CallerKind::Supervisor => by_session(SUPERVISOR, true),
                CallerKind::Facility => by_key(&facility),
                CallerKind::Hub => by_key(&hub),
            };
            assert_response(*route, caller, &raw, "");
        }
    }
}

#[test]
fn caller_without_valid_session_is_anonymous() {
    let fixture = Fixture::start();
    assert_is_anonymous(&fixture, "without a session", None);

    let idle = fixture.stranger();
    fixture.age(&idle, "used_at", SignedDuration::from_mins(29));
    assert_eq!(fixture.call(HolderRoute::People.route(), Some(&idle)).status, 200, "idle for 29 minutes");
    fixture.age(&idle, "used_at", SignedDuration::from_mins(30));
    let cookie = Some(&*idle);
    for route in session_routes() {
        assert_eq!(fixture.call(route, cookie).status, 401, "idle for 30 minutes: {route:?}");
    }
    assert_is_anonymous(&fixture, "idle for 30 minutes", cookie);

    let old = fixture.stranger();
    // This session is never idle. Only its maximum lifetime of 12 hours ends it.
    fixture.age(&old, "expires_at", SignedDuration::from_mins(12 * 60 - 1));
    assert_eq!(
        fixture.call(HolderRoute::People.route(), Some(&old)).status,
        200,
        "a minute less than 12 hours old"
    );
    fixture.age(&old, "expires_at", SignedDuration::from_mins(1));
    assert_is_anonymous(&fixture, "12 hours old", Some(&old));

    let left = fixture.stranger();
    let raw = fixture.call(OtpRoute::LogOut.route(), Some(&left));
    assert!(raw.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_is_anonymous(&fixture, "logged out", Some(&left));
    let good = fixture.stranger();
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
        for route in session_routes() {
            let raw = fixture.call(route, Some(&cookie));
            assert_eq!((raw.status, &*code(&raw)), (401, "not_logged_in"), "{cookie}: {route:?}");
        }
    }
    assert_is_anonymous(&fixture, "a malformed cookie", Some("bukti=AAAA"));
    assert_eq!(
        fixture.call(HolderRoute::People.route(), Some(&good)).status,
        200,
        "the valid session stays valid"
    );
}

#[test]
fn other_phone_sees_no_records() {
    let fixture = Fixture::start();
    let stranger = fixture.stranger();
    for route in ROUTES.iter().filter(|route| **route != OtpRoute::LogOut.route()) {
        let raw = fixture.call(*route, Some(&stranger));
        assert_response(*route, CallerKind::Stranger, &raw, "");
        let body = String::from_utf8(raw.body).unwrap();
        let public = route.method == "GET" && route.access == Access::Anybody;
        for owners in
            ["Iwan", "Purnomo", "6246", "1989-01-24", &fixture.certificate, &fixture.person, &fixture.session]
        {
            assert!(public || !body.contains(owners), "{route:?}: {body}");
        }
    }
    let answer = fixture.call(HolderRoute::People.route(), Some(&stranger)).json();
    assert_eq!(answer, json!({"people": []}));
    // A record of another person and a missing record get the same response.
    for (route, foreign, missing) in [
        (HolderRoute::Certificates.route(), &fixture.person, "A".repeat(24)),
        (HolderRoute::Document.route(), &fixture.certificate, "0000-0000-0000-0000".to_owned()),
        (OtpRoute::EndSession.route(), &fixture.session, "A".repeat(fixture.session.len())),
    ] {
        let call =
            |id: &str| fixture.app.caller().call(route.method, &route.path_of(id), Some(&stranger), b"");
        assert_eq!(call(foreign), call(&missing));
    }
}

#[test]
fn cross_origin_requests_change_nothing() {
    let fixture = Fixture::start();
    let session = fixture.stranger();
    let own = fixture.app.url().to_owned();
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
        let caller = Caller::new(fixture.app.url(), fixture.app.data.path()).from_origin(&origin);
        for route in ROUTES {
            let (path, body) = fixture.request(*route);
            for cookie in [None, Some(&*session)] {
                let raw = caller.call(route.method, &path, cookie, body.to_string().as_bytes());
                let got = (raw.status, &*code(&raw));
                match route.method {
                    // Reads have no side effects, and browsers hide the responses from other sites,
                    // since no response allows another origin.
                    "GET" => assert_ne!(got.1, "foreign_origin", "{origin}: {route:?}"),
                    _ => assert_eq!(got, (403, "foreign_origin"), "{origin}: {route:?}"),
                }
                assert_eq!(raw.header("access-control-allow-origin"), None, "{origin}: {route:?}");
                assert_eq!(raw.header("set-cookie"), None, "{origin}: {route:?}");
            }
        }
    }
    assert_eq!(
        fixture.call(HolderRoute::People.route(), Some(&session)).status,
        200,
        "the session is still open"
    );
}

//! What every route answers to who may not, or no longer, or comes from elsewhere.

use bukti_records::{ItemKey, Keys};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{CaseNumber, PhoneNumber};
use bukti_store::{Aws, Cases, Device, Doses, Endpoint, Officers, Sessions};
use bukti_tests::caller::{Caller, RawResponse};
use bukti_tests::{TestApp, csv, dose};
use bukti_wire::{Access, HelpdeskRoute, HolderRoute, OtpRoute, ROUTES, Route, SenderRoute, StatusRoute};
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

/// What a route answers to the callers that it lets in, about records of the scene's owner.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// The same to all.
    All(u16, &'static str),
    /// One thing to the owner, another to others: for them it is as if there were no such record.
    Owner { owner: Outcome, other: Outcome },
    /// One thing to an officer, another to a supervisor.
    Supervisor { officer: Outcome, supervisor: Outcome },
    /// One thing to a facility, another to a hub.
    Hub { facility: Outcome, hub: Outcome },
}

/// A route about a record that is the owner's.
const fn owners(status: u16, code: &'static str) -> Answer {
    Answer::Owner { owner: (status, code), other: (404, "not_found") }
}

/// What another officer proposes is approved.
const APPROVAL: Answer = Answer::Supervisor { officer: (403, "needs_supervisor"), supervisor: (200, "") };
/// The job of a feed that was dropped.
const JOB: Answer = Answer::Hub { facility: (404, "not_found"), hub: (200, "") };

/// The answers of the routes to the requests of the scene. Of a route that is not here, callers that it lets in are only
/// seen not to be refused as callers.
const ANSWERS: [(Route, Answer); 32] = [
    (StatusRoute::Captcha.route(), Answer::All(200, "")),
    (StatusRoute::Status.route(), Answer::All(422, "captcha_wrong")),
    (StatusRoute::Download.route(), Answer::All(422, "captcha_wrong")),
    (StatusRoute::Vaccines.route(), Answer::All(200, "")),
    (StatusRoute::Openapi.route(), Answer::All(200, "")),
    (OtpRoute::Otp.route(), Answer::All(422, "captcha_wrong")),
    (OtpRoute::LogIn.route(), Answer::All(410, "code_dead")),
    (OtpRoute::Sessions.route(), Answer::All(200, "")),
    (OtpRoute::Session.route(), Answer::All(200, "")),
    // Where there is no session, nothing is left to do.
    (OtpRoute::LogOut.route(), Answer::All(204, "")),
    (OtpRoute::EndSession.route(), owners(204, "")),
    (HolderRoute::People.route(), Answer::All(200, "")),
    (HolderRoute::Certificates.route(), owners(200, "")),
    (HolderRoute::Document.route(), owners(200, "")),
    (HolderRoute::Link.route(), Answer::All(410, "link_dead")),
    (HolderRoute::RefuseLink.route(), Answer::All(410, "link_dead")),
    (HelpdeskRoute::OpenCase.route(), Answer::All(201, "")),
    (HelpdeskRoute::Cases.route(), Answer::All(200, "")),
    (HelpdeskRoute::Case.route(), Answer::All(404, "not_found")),
    (HelpdeskRoute::Evidence.route(), owners(201, "")),
    // No officer has asked the owner back.
    (HelpdeskRoute::Reply.route(), owners(409, "case_changed")),
    (HelpdeskRoute::Looks.route(), owners(200, "")),
    (HelpdeskRoute::SecondFactor.route(), Answer::All(422, "second_factor_wrong")),
    (HelpdeskRoute::Officer.route(), Answer::All(200, "")),
    (HelpdeskRoute::Queue.route(), Answer::All(200, "")),
    (HelpdeskRoute::OfficerCase.route(), Answer::All(200, "")),
    (HelpdeskRoute::Decide.route(), APPROVAL),
    (HelpdeskRoute::FindPeople.route(), Answer::All(200, "")),
    (HelpdeskRoute::Resend.route(), Answer::All(202, "")),
    // What is sent has no rows.
    (SenderRoute::SendDoses.route(), Answer::All(422, "feed_unreadable")),
    (SenderRoute::Job.route(), JOB),
    (SenderRoute::Metadata.route(), Answer::All(200, "")),
];

/// What a caller is answered who may not call the route.
fn refusal(access: Access, who: Who) -> Option<Outcome> {
    let has_session = !matches!(who, Who::Nobody | Who::Facility | Who::Hub);
    let is_appointed = matches!(who, Who::HalfOfficer | Who::Officer | Who::Supervisor);
    match access {
        Access::Anybody => None,
        Access::ApiKey => (!matches!(who, Who::Facility | Who::Hub)).then_some((401, "api_key_wrong")),
        _ if !has_session => Some((401, "not_logged_in")),
        Access::Session => None,
        _ if !is_appointed => Some((403, "not_an_officer")),
        Access::AppointedPhone => None,
        Access::Officer => (who == Who::HalfOfficer).then_some((403, "second_factor_needed")),
    }
}

/// Checks what a route answered to a caller.
fn assert_answered(route: Route, who: Who, raw: &RawResponse, context: &str) {
    let code = if raw.body.is_empty() { String::new() } else { code(raw) };
    let (got, context) = ((raw.status, &*code), format!("{context}: {who:?}: {route:?}"));
    if let Some(refusal) = refusal(route.access, who) {
        return assert_eq!(got, refusal, "{context}");
    }
    let Some((_, answer)) = ANSWERS.iter().find(|(known, _)| *known == route) else {
        let refusals = ["not_logged_in", "not_an_officer", "second_factor_needed", "api_key_wrong"];
        return assert!(raw.status < 500 && !refusals.contains(&got.1), "{context}: {got:?}");
    };
    let expected = match *answer {
        Answer::All(status, code) => (status, code),
        Answer::Owner { owner, other } => {
            if who == Who::Owner {
                owner
            } else {
                other
            }
        }
        Answer::Supervisor { officer, supervisor } => {
            if who == Who::Supervisor {
                supervisor
            } else {
                officer
            }
        }
        Answer::Hub { facility, hub } => {
            if who == Who::Hub {
                hub
            } else {
                facility
            }
        }
    };
    assert_eq!(got, expected, "{context}");
}

/// The routes that need a session.
fn session_routes() -> impl Iterator<Item = Route> {
    ROUTES.iter().copied().filter(|route| refusal(route.access, Who::Nobody) == Some((401, "not_logged_in")))
}

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
        app.upload_feed("feed-of-the-test.csv", csv(&[dose("E1")]));
        let owner = app.log_in(OWNER, None);
        let sessions = app.call("GET", OtpRoute::Sessions.path(), Some(&owner), None).body;
        let session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
        let people = app.call("GET", HolderRoute::People.path(), Some(&owner), None).body;
        let person = people["people"][0]["id"].as_str().unwrap().to_owned();
        let path = HolderRoute::Certificates.path_of(&person);
        let answer = app.call("GET", &path, Some(&owner), None).body;
        let certificate = answer["doses"][0]["certificate"]["id"].as_str().unwrap().to_owned();
        let asked = json!({
            "correction": "name", "name": "Iwan", "nik": "3171012401896246", "birth_date": "1989-01-24",
        });
        let case = app.call("POST", HelpdeskRoute::OpenCase.path(), Some(&owner), Some(asked)).body;
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
    fn request(&self, route: Route) -> (String, Value) {
        let facts = json!({"name": "Iwan", "nik": "3171012401896246", "captcha": "e30="});
        let is = |other: Route| route == other;
        let body = match () {
            () if is(StatusRoute::Status.route()) => facts,
            () if is(StatusRoute::Download.route()) => {
                let mut asked = facts;
                asked["birth_date"] = json!("1989-01-24");
                asked["vaccination_date"] = json!("2021-01-29");
                asked["vaccine"] = json!("CoronaVac");
                asked
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

    fn call(&self, route: Route, cookie: Option<&str>) -> RawResponse {
        let (path, body) = self.request(route);
        self.app.caller().call(route.method, &path, cookie, body.to_string().as_bytes())
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

fn code(raw: &RawResponse) -> String {
    raw.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// What a caller with this cookie, which is no session, gets of every route.
fn assert_is_nobody(scene: &Scene, context: &str, cookie: Option<&str>) {
    for route in ROUTES {
        let raw = scene.call(*route, cookie);
        assert_answered(*route, Who::Nobody, &raw, context);
        if refusal(route.access, Who::Nobody).is_some() {
            let path = route.path_of("AAAA");
            let other = scene.app.caller().call(route.method, &path, cookie, b"{}");
            assert_eq!(other.body, raw.body, "{context}: {route:?}: what is there and what is not");
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
    let scene = Scene::set();
    scene.app.add_officer(OFFICER, "Rina", "officer");
    scene.app.add_officer(SUPERVISOR, "Sari", "supervisor");
    let proposer = scene.app.log_in_officer("0811-0000-0003", "Budi", "officer");
    let grant = json!({"dose": scene.dose, "facility_word": "Bidan Tuti"});
    let proposed = decide(&scene.app, &proposer, &scene.case, "grant", grant);
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    let key = |arguments: [&str; 2]| scene.app.bukti_ok(&["key", "add", arguments[0], arguments[1]]);
    let (facility, hub) = (key(["--facility", "P9"]), key(["--hub", "satudata"]));

    for route in ROUTES {
        for who in Who::ALL {
            let (path, mut body) = scene.request(*route);
            if *route == HelpdeskRoute::Decide.route() {
                body = json!({"decision": "grant", "revision": scene.revision(), "why": "x"});
            }
            if *route == HelpdeskRoute::Resend.route() {
                // The certificate after the case was approved.
                scene.app.wait_until_idle();
            }
            let body = body.to_string();
            let by_session = |phone: &str, both_factors: bool| {
                let cookie = scene.session_of(phone, both_factors);
                scene.app.caller().call(route.method, &path, Some(&cookie), body.as_bytes())
            };
            let by_key = |key: &str| {
                let authorization = format!("Bearer {}", key.trim());
                let headers = [("authorization", &*authorization), ("content-type", "application/json")];
                scene.app.caller().send(route.method, &path, &headers, body.as_bytes())
            };
            let raw = match who {
                Who::Nobody => scene.app.caller().call(route.method, &path, None, body.as_bytes()),
                Who::Stranger => by_session(&scene.phone(), false),
                Who::Owner => by_session(OWNER, false),
                Who::HalfOfficer => by_session(OFFICER, false),
                Who::Officer => by_session(OFFICER, true),
                Who::Supervisor => by_session(SUPERVISOR, true),
                Who::Facility => by_key(&facility),
                Who::Hub => by_key(&hub),
            };
            assert_answered(*route, who, &raw, "");
        }
    }
}

#[test]
fn caller_without_valid_session_is_anonymous() {
    let scene = Scene::set();
    assert_is_nobody(&scene, "without a session", None);

    let idle = scene.stranger();
    scene.age(&idle, "used_at", SignedDuration::from_mins(29));
    assert_eq!(scene.call(HolderRoute::People.route(), Some(&idle)).status, 200, "for 29 minutes");
    scene.age(&idle, "used_at", SignedDuration::from_mins(30));
    let cookie = Some(&*idle);
    for route in session_routes() {
        assert_eq!(scene.call(route, cookie).status, 401, "idle for 30 minutes: {route:?}");
    }
    assert_is_nobody(&scene, "idle for 30 minutes", cookie);

    let old = scene.stranger();
    // Though it was used all the time.
    scene.age(&old, "expires_at", SignedDuration::from_mins(12 * 60 - 1));
    assert_eq!(scene.call(HolderRoute::People.route(), Some(&old)).status, 200, "for 12 hours less a minute");
    scene.age(&old, "expires_at", SignedDuration::from_mins(1));
    assert_is_nobody(&scene, "12 hours old", Some(&old));

    let left = scene.stranger();
    let raw = scene.call(OtpRoute::LogOut.route(), Some(&left));
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
        for route in session_routes() {
            let raw = scene.call(route, Some(&cookie));
            assert_eq!((raw.status, &*code(&raw)), (401, "not_logged_in"), "{cookie}: {route:?}");
        }
    }
    assert_is_nobody(&scene, "a malformed cookie", Some("bukti=AAAA"));
    assert_eq!(
        scene.call(HolderRoute::People.route(), Some(&good)).status,
        200,
        "the good one is good all the time"
    );
}

#[test]
fn other_phone_sees_no_records() {
    let scene = Scene::set();
    let stranger = scene.stranger();
    for route in ROUTES.iter().filter(|route| **route != OtpRoute::LogOut.route()) {
        let raw = scene.call(*route, Some(&stranger));
        assert_answered(*route, Who::Stranger, &raw, "");
        let body = String::from_utf8(raw.body).unwrap();
        let public = route.method == "GET" && route.access == Access::Anybody;
        for of_the_owner in
            ["Iwan", "Purnomo", "6246", "1989-01-24", &scene.certificate, &scene.person, &scene.session]
        {
            assert!(public || !body.contains(of_the_owner), "{route:?}: {body}");
        }
    }
    let answer = scene.call(HolderRoute::People.route(), Some(&stranger)).json();
    assert_eq!(answer, json!({"people": []}));
    // What is another's is answered as what is nobody's.
    for (route, theirs, nobodys) in [
        (HolderRoute::Certificates.route(), &scene.person, "A".repeat(24)),
        (HolderRoute::Document.route(), &scene.certificate, "0000-0000-0000-0000".to_owned()),
        (OtpRoute::EndSession.route(), &scene.session, "A".repeat(scene.session.len())),
    ] {
        let call = |id: &str| scene.app.caller().call(route.method, &route.path_of(id), Some(&stranger), b"");
        assert_eq!(call(theirs), call(&nobodys));
    }
}

#[test]
fn cross_origin_requests_change_nothing() {
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
        for route in ROUTES {
            let (path, body) = scene.request(*route);
            for cookie in [None, Some(&*session)] {
                let raw = caller.call(route.method, &path, cookie, body.to_string().as_bytes());
                let got = (raw.status, &*code(&raw));
                match route.method {
                    // What changes nothing is kept from other sites by their browsers: no answer lets them read it.
                    "GET" => assert_ne!(got.1, "foreign_origin", "{origin}: {route:?}"),
                    _ => assert_eq!(got, (403, "foreign_origin"), "{origin}: {route:?}"),
                }
                assert_eq!(raw.header("access-control-allow-origin"), None, "{origin}: {route:?}");
                assert_eq!(raw.header("set-cookie"), None, "{origin}: {route:?}");
            }
        }
    }
    assert_eq!(scene.call(HolderRoute::People.route(), Some(&session)).status, 200, "nobody logged it out");
}

//! Register, log in, see and download the certificates of the people of a phone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::PhoneNumber;
use bukti_paper::Paper;
use bukti_records::{CodeTry, ItemKey, Keys, Token};
use bukti_store::{Aws, Device, Otps, Request, Requester, SendDecision, Sessions};
use bukti_tests::{TestApp, dose, run_1000_times_concurrently, solve};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::access::table_service;

const PHONE: &str = "0821-0669-0743";

#[test]
fn registered_phone_downloads_scannable_pdf() {
    let app = TestApp::start();
    let mut child = dose("E2");
    (child.nik, child.nama, child.tanggal_lahir) =
        ("3171016506199651".into(), "Theresia Desi".into(), "2019-06-25".into());
    (child.jenis_kelamin, child.sent_at, child.tanggal_vaksinasi) =
        ("P".into(), "2022-01-29T08:41:34+07:00".into(), "2022-01-29".into());
    let mut second = dose("E3");
    (second.dosis_ke, second.no_hp) = ("2".into(), "0821-0669-0744".into());
    app.import(&[dose("E1"), child, second]);

    let cookie = app.log_in(PHONE, Some("Iwan Purnomo"));
    let session = app.call("GET", OtpRoute::Session.path(), Some(&cookie), None);
    assert_eq!(session.body, json!({"name": "Iwan Purnomo", "phone_hint": "43"}));

    let people = app.call("GET", HolderRoute::People.path(), Some(&cookie), None).body;
    let people = people["people"].as_array().unwrap();
    let names: Vec<_> = people.iter().map(|person| person["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Iwan Ibrahim Purnomo", "Theresia Desi"]);

    let id = people[0]["id"].as_str().unwrap();
    let answer = app.call("GET", &HolderRoute::Certificates.path_of(id), Some(&cookie), None).body;
    let doses = answer["doses"].as_array().unwrap();
    assert_eq!(doses.len(), 2);
    assert_eq!(doses[0]["diagnosis"]["code"], "certificate_issued");
    assert_eq!(doses[1]["diagnosis"]["code"], "certificate_issued_phone_different");
    assert!(doses[1]["certificate"].is_null(), "registered with another phone");
    let certificate = &doses[0]["certificate"];
    assert!(certificate["picture"].as_str().unwrap().starts_with("<svg"));

    let path = HolderRoute::Document.path_of(certificate["id"].as_str().unwrap());
    let document = app.call("POST", &path, Some(&cookie), None);
    assert_eq!(document.status, 200);
    let (status, pdf) = app.fetch(document.body["url"].as_str().unwrap());
    assert_eq!(status, 200);
    assert_eq!(Paper::read(pdf).qr_text(0), certificate["qr_text"].as_str().unwrap());

    let reply = app.call("DELETE", OtpRoute::LogOut.path(), Some(&cookie), None);
    assert_eq!(reply.status, 204);
    assert!(reply.set_cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(app.call("GET", HolderRoute::People.path(), Some(&cookie), None).code(), "not_logged_in");
}

#[test]
fn account_hides_records_of_other_phones() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let owner = app.log_in(PHONE, None);
    let people = app.call("GET", HolderRoute::People.path(), Some(&owner), None).body;
    let person = people["people"][0]["id"].as_str().unwrap();
    let certificates = HolderRoute::Certificates.path_of(person);
    let answer = app.call("GET", &certificates, Some(&owner), None).body;
    let certificate = answer["doses"][0]["certificate"]["id"].as_str().unwrap();
    let document = HolderRoute::Document.path_of(certificate);

    let stranger = app.log_in("0812 3456 7890", Some("Stranger"));
    assert_eq!(
        app.call("GET", HolderRoute::People.path(), Some(&stranger), None).body,
        json!({"people": []})
    );
    let theirs = app.call("GET", &certificates, Some(&stranger), None);
    let nobodys = app.call("GET", &HolderRoute::Certificates.path_of("AAAA"), Some(&stranger), None);
    assert_eq!((theirs.status, theirs.body), (nobodys.status, nobodys.body));
    assert_eq!(app.call("POST", &document, Some(&stranger), None).status, 404);
    for (method, path) in [("GET", HolderRoute::People.path()), ("GET", &*certificates), ("POST", &*document)]
    {
        for cookie in [None, Some("bukti=AAAAAAAAAAAAAAAAAAAAAA")] {
            assert_eq!(app.call(method, path, cookie, None).code(), "not_logged_in", "{method} {path}");
        }
    }
}

#[test]
fn cookies_are_http_only_and_same_site() {
    let app = TestApp::start();
    let asked = json!({"phone": PHONE, "captcha": app.captcha()}).to_string();
    let asked = app.caller().call("POST", OtpRoute::Otp.path(), None, asked.as_bytes());
    let code = json!({"phone": PHONE, "code": app.last_code(PHONE)}).to_string();
    let cookie = asked.header("set-cookie").unwrap().split(';').next().unwrap();
    let opened = app.caller().call("POST", OtpRoute::LogIn.path(), Some(cookie), code.as_bytes());
    let cookies = asked.headers.iter().chain(&opened.headers).filter(|(name, _)| name == "set-cookie");
    let cookies: Vec<&str> = cookies.map(|(_, cookie)| &**cookie).collect();
    let names: Vec<&str> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(names, ["bukti-code", "bukti", "bukti-device", "bukti-code"]);
    for cookie in cookies {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
}

#[test]
fn code_allows_five_wrong_attempts_and_one_use() {
    let app = TestApp::start();
    let cookie = app.request_code(PHONE, None).cookie;
    let code = app.last_code(PHONE);
    let wrong = wrong_for(&code);
    let log_in = |code: &str| app.try_code(PHONE, code, cookie.as_deref());
    for left in (1..5).rev() {
        let reply = log_in(wrong);
        assert_eq!((reply.status, reply.code()), (422, "code_wrong"));
        assert_eq!(reply.body["tries_left"], left);
    }
    assert_eq!(log_in(wrong).code(), "code_dead");
    assert_eq!(log_in(&code).code(), "code_dead", "also the right one");
    let soon = json!({"phone": PHONE, "captcha": app.captcha()});
    let soon = app.call("POST", OtpRoute::Otp.path(), cookie.as_deref(), Some(soon));
    assert_eq!((soon.status, soon.code()), (429, "too_many_requests"));
    assert!(soon.body["retry_after"].as_u64().unwrap() <= 60);

    let other = "0812 3456 7890";
    let cookie = app.request_code(other, None).cookie;
    let code = app.last_code(other);
    assert_eq!(app.try_code(other, &code, cookie.as_deref()).status, 201);
    let again = app.try_code(other, &code, cookie.as_deref());
    assert_eq!((again.status, again.code()), (410, "code_dead"), "one use");
}

/// Another code.
fn wrong_for(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// This moment in whole seconds, which is what is kept.
fn this_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

/// Asks for a code at this time; `None` where it is withheld.
async fn ask(otps: &Otps, phone: &PhoneNumber, requester: Requester<'_>, at: Timestamp) -> Option<Request> {
    match otps.request(phone, None, requester, at).await.unwrap() {
        SendDecision::Send(request) => Some(request),
        SendDecision::Withhold(_) => None,
        SendDecision::Wait { seconds } => unreachable!("{seconds} seconds to wait"),
    }
}

/// Somebody in a network, in a browser of which nothing is known.
fn stranger(network: &str) -> Requester<'_> {
    Requester { network, ..Requester::default() }
}

/// Somebody like that who solved a harder captcha.
fn proven(network: &str) -> Requester<'_> {
    Requester { is_proven: true, ..stranger(network) }
}

#[test]
fn code_expires_after_five_minutes() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let otps = Otps::new(&aws);
        let start = this_second();
        for (phone, after, expected) in [
            (PHONE, SignedDuration::from_secs(5 * 60 - 1), CodeTry::Right { name: None }),
            ("0812 3456 7890", SignedDuration::from_secs(5 * 60), CodeTry::Dead),
        ] {
            let phone = PhoneNumber::parse(phone).unwrap();
            let Request { code, token, .. } = ask(&otps, &phone, stranger("net"), start).await.unwrap();
            let tried = otps.try_code(token.secret(), &phone, &code, start + after).await.unwrap();
            assert_eq!(tried, expected, "{after}");
        }
    });
}

#[test]
fn requester_gets_one_code_per_minute() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        let start = this_second();
        let first = ask(&otps, &phone, stranger("net"), start).await.unwrap();
        let same = Requester { request: Some(first.token.secret()), ..stranger("net") };
        let wait = otps.request(&phone, None, same, start + SignedDuration::from_secs(59)).await.unwrap();
        assert!(matches!(wait, SendDecision::Wait { seconds: 1 }));
        let minute = start + SignedDuration::from_secs(60);
        let all = (0..20).map(|_| otps.request(&phone, None, same, minute));
        let all = futures::future::join_all(all).await;
        let sent = all.iter().filter(|one| matches!(one, Ok(SendDecision::Send(_)))).count();
        assert_eq!(sent, 1, "of many with one cookie");
        // Another requester, and the same one for another phone, need not wait.
        assert!(ask(&otps, &phone, stranger("other"), minute).await.is_some());
        let other = PhoneNumber::parse("0812 3456 7890").unwrap();
        assert!(ask(&otps, &other, same, minute).await.is_some());
    });
}

#[test]
fn phone_quotas_hold_under_concurrent_requests() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, now) = (Otps::new(&aws), this_second());
        let networks: Vec<String> = (0..100).map(|network| format!("10.0.{network}.0/24")).collect();
        let count = async |phone: &str, requesters: Vec<Requester<'_>>| {
            let phone = PhoneNumber::parse(phone).unwrap();
            let all = requesters.into_iter().map(|requester| ask(&otps, &phone, requester, now));
            futures::future::join_all(all).await.into_iter().flatten().count()
        };
        let strangers = networks.iter().map(|network| stranger(network)).collect();
        assert_eq!(count("0812 3456 7890", strangers).await, 5);
        let all = networks.iter().map(|network| proven(network)).collect();
        assert_eq!(count("0812 3456 7890", all).await, 5, "more for a harder captcha");
        assert_eq!(count("0812 3456 7891", vec![proven("net"); 100]).await, 4, "of one network");
    });
}

#[test]
fn known_device_logs_in_after_strangers_spend_codes() {
    let app = TestApp::start();
    // The owner logs in once. What remains of it is the cookie of the device.
    let owner = Browser::default();
    owner.log_in(&app, PHONE);
    let device = owner.cookie("bukti-device").unwrap();
    // A stranger spends all that strangers may have.
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for network in 0..20 {
            ask(&otps, &phone, proven(&network.to_string()), Timestamp::now()).await;
        }
    });
    let sent = app.messages_to(PHONE).len();
    let withheld = app.request_code(PHONE, None);
    assert_eq!((withheld.status, app.messages_to(PHONE).len()), (202, sent), "nothing is left");
    // The owner's device has its own.
    let owner = Browser::with(&device);
    owner.log_in(&app, PHONE);
    assert_eq!(app.messages_to(PHONE).len(), sent + 1);
    // It is of no use for another phone, nor is a cookie that nobody gave out.
    for (cookie, phone) in [(&*device, "0812 3456 7890"), ("bukti-device=AAAA", PHONE)] {
        app.with_aws(async |aws| {
            let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(phone).unwrap());
            let device = cookie.split_once('=').map(|(_, token)| token);
            for _ in 0..10 {
                let requester = Requester { device, ..proven("net") };
                let decision = otps.request(&phone, None, requester, Timestamp::now()).await.unwrap();
                let (SendDecision::Send(it) | SendDecision::Withhold(it)) = decision else { panic!() };
                assert!(!it.is_known_device, "{cookie}");
            }
        });
    }
}

#[test]
fn known_devices_of_a_phone_share_a_quota() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, now) = (Otps::new(&aws), this_second());
        let phone = PhoneNumber::parse(PHONE).unwrap();
        let mut devices = Vec::new();
        for _ in 0..20 {
            devices.push(otps.remember(None, &phone, now).await.unwrap());
        }
        // From one network, which has four codes of the phone.
        let known = |device: usize| Requester { device: Some(devices[device].secret()), ..stranger("net") };
        let refused = ask(&otps, &phone, known(0), now).await.unwrap();
        otps.not_sent(&refused, now).await.unwrap();
        let all = (0..20).flat_map(|device| [device; 5]).map(|device| ask(&otps, &phone, known(device), now));
        let sent = futures::future::join_all(all).await.into_iter().flatten().count();
        assert_eq!(sent, 10 + 4, "what was refused is given back");
    });
}

#[test]
fn withheld_code_cannot_be_guessed() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        let now = Timestamp::now();
        while ask(&otps, &phone, stranger("net"), now).await.is_some() {}
        let decision = otps.request(&phone, None, stranger("net"), now).await.unwrap();
        let SendDecision::Withhold(Request { code, token, .. }) = decision else { panic!() };
        let tried = otps.try_code(token.secret(), &phone, &code, now).await.unwrap();
        assert!(matches!(tried, CodeTry::Wrong { .. }), "{tried:?}");
        // Also where it was to be sent, and the budget did not allow it.
        let Request { code, token, .. } = ask(&otps, &phone, stranger("other"), now).await.unwrap();
        otps.withhold(token.secret(), &phone).await.unwrap();
        let tried = otps.try_code(token.secret(), &phone, &code, now).await.unwrap();
        assert!(matches!(tried, CodeTry::Wrong { .. }), "{tried:?}");
    });
}

#[test]
fn harder_captcha_gets_code_after_strangers_spend_quota() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for network in 0..20 {
            ask(&otps, &phone, stranger(&network.to_string()), Timestamp::now()).await;
        }
    });
    // As the site does: the first code does not come, so another is asked for after a minute.
    let asked = app.request_code(PHONE, None);
    assert_eq!((asked.status, app.messages_to(PHONE).len()), (202, 0));
    let cookie = asked.cookie.unwrap();
    let token = cookie.split_once('=').unwrap().1.to_owned();
    app.with_aws(async |aws| end_pause(&aws, &token).await);
    let challenge = app.call("GET", StatusRoute::Captcha.path(), Some(&cookie), None).body;
    let easy = app.call("GET", StatusRoute::Captcha.path(), None, None).body;
    let cost = |challenge: &Value| challenge["parameters"]["cost"].as_u64().unwrap();
    assert_eq!(cost(&challenge), 8 * cost(&easy));
    let asked = json!({"phone": PHONE, "captcha": solve(challenge)});
    let asked = app.call("POST", OtpRoute::Otp.path(), Some(&cookie), Some(asked));
    assert_eq!(asked.status, 202);
    assert_eq!(app.try_code(PHONE, &app.last_code(PHONE), asked.cookie.as_deref()).status, 201);
}

#[test]
fn officer_logs_in_while_stranger_requests_codes() {
    let app = TestApp::start();
    let phone = "0811 5555 0101";
    let officer = Browser::default();
    let secret = app.add_officer(phone, "Petugas", "officer");
    officer.log_in(&app, phone);
    let device = officer.cookie("bukti-device").unwrap();
    for _ in 0..12 {
        let asked = app.request_code(phone, None);
        for _ in 0..5 {
            app.try_code(phone, "000000", asked.cookie.as_deref());
        }
    }
    let officer = Browser::with(&device);
    officer.log_in(&app, phone);
    let code = json!({"code": bukti_tests::authenticator_code(&secret)});
    let session = officer.cookie("bukti");
    let shown = app.call("POST", HelpdeskRoute::SecondFactor.path(), session.as_deref(), Some(code));
    assert_eq!(shown.status, 200);
}

#[test]
fn code_attempts_need_cookie_of_their_request() {
    let app = TestApp::start();
    let owner = app.request_code(PHONE, None).cookie;
    let code = app.last_code(PHONE);
    // Whether or not somebody is logging in, who has no cookie is told the same, and uses up
    // nothing.
    let others = app.request_code("0812 3456 7890", None).cookie;
    for cookie in [None, Some("bukti-code=AAAAAAAAAAAAAAAAAAAAAA")] {
        for phone in [PHONE, "0812 3456 7891"] {
            for tried in [&*code, wrong_for(&code)] {
                let reply = app.try_code(phone, tried, cookie);
                assert_eq!((reply.status, reply.code()), (410, "code_dead"));
            }
        }
    }
    for _ in 0..5 {
        assert_ne!(app.try_code(PHONE, &code, others.as_deref()).status, 201, "the code of another request");
    }
    assert_eq!(app.try_code(PHONE, &code, owner.as_deref()).status, 201);
}

#[test]
fn name_in_strangers_code_request_is_not_stored() {
    let app = TestApp::start();
    let name = |cookie: &str| {
        let session = app.call("GET", OtpRoute::Session.path(), Some(cookie), None);
        session.body["name"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(app.request_code(PHONE, Some("Penipu Ulung")).status, 202);
    let owner = app.log_in(PHONE, Some("Iwan Purnomo"));
    assert_eq!(name(&owner), "Iwan Purnomo");
    assert_eq!(app.request_code(PHONE, Some("Penipu Ulung")).status, 202);
    assert_eq!(name(&app.log_in(PHONE, None)), "Iwan Purnomo");
}

#[test]
fn concurrent_code_requests_stay_valid_with_equal_responses() {
    let app = TestApp::start();
    let ask = || {
        let asked = json!({"phone": PHONE, "captcha": app.captcha()}).to_string();
        let began = Instant::now();
        let mut raw = app.caller().call("POST", OtpRoute::Otp.path(), None, asked.as_bytes());
        assert!(began.elapsed() >= Duration::from_millis(300), "the time tells whether an SMS was sent");
        let cookie = raw.headers.iter_mut().find(|(name, _)| name == "set-cookie").unwrap();
        let token = std::mem::replace(&mut cookie.1, "bukti-code".to_owned());
        (token.split(';').next().unwrap().to_owned(), raw)
    };
    let (first, alone) = ask();
    let code = app.last_code(PHONE);
    for at in 0..7 {
        let (cookie, raw) = ask();
        assert_eq!(raw, alone, "request {at}");
        let wrong = app.try_code(PHONE, wrong_for(&code), Some(&cookie));
        assert_eq!(
            (wrong.status, wrong.code()),
            (422, "code_wrong"),
            "with a code that was sent and without"
        );
    }
    assert_eq!(app.messages_to(PHONE).len(), 5);
    assert_eq!(app.try_code(PHONE, &code, Some(&first)).status, 201, "the first one is still good");
}

#[test]
fn code_rejected_by_sms_service_returns_quota() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for _ in 0..10 {
            let request = ask(&otps, &phone, stranger("net"), Timestamp::now()).await.unwrap();
            otps.not_sent(&request, Timestamp::now()).await.unwrap();
            let tried = otps.try_code(request.token.secret(), &phone, &request.code, Timestamp::now()).await;
            assert_eq!(tried.unwrap(), CodeTry::Dead);
        }
    });
}

/// A browser: it keeps the cookies that it is given.
#[derive(Default)]
struct Browser(RefCell<BTreeMap<String, String>>);

impl Browser {
    /// One that has this cookie of before.
    fn with(cookie: &str) -> Self {
        let browser = Self::default();
        browser.keep(cookie);
        browser
    }

    fn keep(&self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        self.0.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// A cookie as it is sent back.
    fn cookie(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).map(|value| format!("{name}={value}"))
    }

    fn post(&self, app: &TestApp, path: &str, body: &Value) -> u16 {
        let cookies: Vec<_> = self.0.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let raw = app.caller().call("POST", path, Some(&cookies.join("; ")), body.to_string().as_bytes());
        raw.headers.iter().filter(|(name, _)| name == "set-cookie").for_each(|(_, cookie)| self.keep(cookie));
        raw.status
    }

    fn log_in(&self, app: &TestApp, phone: &str) {
        let asked = json!({"phone": phone, "captcha": app.captcha()});
        assert_eq!(self.post(app, OtpRoute::Otp.path(), &asked), 202);
        let code = json!({"phone": phone, "code": app.last_code(phone)});
        assert_eq!(self.post(app, OtpRoute::LogIn.path(), &code), 201);
    }
}

/// Lets a minute pass for whoever has this token.
async fn end_pause(aws: &Aws, token: &str) {
    let key = ItemKey::otp(&Keys::login(token));
    let update = table_service(aws).await.update_item().table_name(&aws.settings.table);
    let update = update
        .key("pk", AttributeValue::S(key.pk().to_owned()))
        .key("sk", AttributeValue::S(key.sk().to_owned()));
    let update = update.update_expression("SET next_at = :zero").condition_expression("attribute_exists(pk)");
    let zero = AttributeValue::N("0".to_owned());
    update.expression_attribute_values(":zero", zero).send().await.unwrap();
}

#[test]
fn concurrent_codes_open_one_session_and_count_five_attempts() {
    let app = TestApp::start();
    let race = |phone: &str, code: &str, cookie: Option<&str>| {
        run_1000_times_concurrently(|| app.try_code(phone, code, cookie))
    };
    let asked = app.request_code(PHONE, None);
    let replies = race(PHONE, &app.last_code(PHONE), asked.cookie.as_deref());
    let opened = replies.into_iter().filter(|reply| reply.status == 201).count();
    assert_eq!(opened, 1);

    let other = "0812 3456 7890";
    let asked = app.request_code(other, None);
    let replies = race(other, wrong_for(&app.last_code(other)), asked.cookie.as_deref());
    let judged = replies.into_iter().filter(|reply| reply.code() == "code_wrong").count();
    // The fifth is judged as well, and answered as dead since no try is left.
    assert_eq!(judged, 4);
}

#[test]
fn code_sms_is_single_part_and_bound_to_site() {
    let app = TestApp::start();
    app.request_code(PHONE, None);
    let message = app.messages_to(PHONE).pop().unwrap();
    let code = app.last_code(PHONE);
    insta::assert_snapshot!("otp_sms", message.text.replace(&code, "[code]"));
    assert!(message.text.chars().count() <= 160);
    assert_eq!(message.from, "1199");
}

#[test]
fn owner_lists_sessions_and_ends_unknown_ones() {
    let app = TestApp::start();
    let one = app.log_in(PHONE, None);
    // The next code may come after a minute.
    let other = app.with_aws(async |aws| {
        let device = Device { browser: Some("Chrome".to_owned()), system: Some("Android".to_owned()) };
        let phone = PhoneNumber::parse(PHONE).unwrap();
        let opened = Sessions::new(&aws).open(&phone, None, &device, Timestamp::now()).await;
        format!("bukti={}", opened.unwrap().0.secret())
    });
    let stranger = app.log_in("0812 3456 7890", None);
    let list = |cookie: &str| {
        app.call("GET", OtpRoute::Sessions.path(), Some(cookie), None).body["sessions"].clone()
    };
    let sessions = list(&one);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let others = sessions.as_array().unwrap().iter().find(|session| session["is_current"] == false).unwrap();
    assert_eq!((&others["browser"], &others["system"]), (&json!("Chrome"), &json!("Android")));
    assert_eq!(list(&stranger).as_array().unwrap().len(), 1);
    assert_eq!(app.call("GET", OtpRoute::Sessions.path(), None, None).code(), "not_logged_in");

    let id = others["id"].as_str().unwrap();
    let path = OtpRoute::EndSession.path_of(id);
    let theirs = app.call("DELETE", &path, Some(&stranger), None);
    let nobodys = app.call("DELETE", &OtpRoute::EndSession.path_of("AAAA"), Some(&stranger), None);
    assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    assert_eq!(
        app.call("GET", HolderRoute::People.path(), Some(&format!("bukti={id}")), None).status,
        401,
        "its id opens nothing"
    );
    assert_eq!(app.call("DELETE", &path, Some(&one), None).status, 204);
    assert_eq!(app.call("GET", HolderRoute::People.path(), Some(&other), None).code(), "not_logged_in");
    assert_eq!(list(&one).as_array().unwrap().len(), 1);
    assert_eq!(app.call("DELETE", OtpRoute::LogOut.path(), Some(&one), None).status, 204);
    assert_eq!(app.call("GET", HolderRoute::People.path(), Some(&one), None).code(), "not_logged_in");
    let left = app.with_aws(async |aws| {
        let phone = aws.keys.phone(&PhoneNumber::parse(PHONE).unwrap());
        Sessions::new(&aws).of_phone_key(&phone, Timestamp::now()).await.unwrap().len()
    });
    assert_eq!(left, 0);
}

#[test]
fn session_expires_after_30_idle_minutes_or_12_hours() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (sessions, phone) = (Sessions::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        let device = Device { browser: None, system: None };
        let start = Timestamp::now();
        let open = async || sessions.open(&phone, None, &device, start).await.unwrap().0;
        let is_good = async |token: &Token, minutes: i64| {
            let at = start + SignedDuration::from_mins(minutes);
            sessions.find(token.secret(), at).await.unwrap().is_some()
        };
        let idle = open().await;
        assert!(is_good(&idle, 29).await);
        assert!(is_good(&idle, 58).await, "used a while ago");
        assert!(!is_good(&idle, 58 + 30).await);
        let busy = open().await;
        for minutes in (0..12 * 60).step_by(20) {
            assert!(is_good(&busy, minutes).await, "{minutes}");
        }
        assert!(!is_good(&busy, 12 * 60).await);
    });
}

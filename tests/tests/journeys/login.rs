//! One-time codes: attempts, quotas per phone, and logging in while a stranger requests codes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::PhoneNumber;
use bukti_records::{CodeAttempt, ItemKey, Keys};
use bukti_store::{Aws, Otps, Request, Requester, SendDecision};
use bukti_tests::{TestApp, run_1000_times_concurrently, solve};
use bukti_wire::{HelpdeskRoute, OtpRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::access::table_service;

const PHONE: &str = "0821-0669-0743";

#[test]
fn code_allows_five_wrong_attempts_and_one_use() {
    let app = TestApp::start();
    let cookie = app.request_code(PHONE, None).cookie;
    let code = app.last_code(PHONE);
    let wrong = other_code(&code);
    let log_in = |code: &str| app.try_code(PHONE, code, cookie.as_deref());
    for left in (1..5).rev() {
        let reply = log_in(wrong);
        assert_eq!((reply.status, reply.code()), (422, "code_wrong"));
        assert_eq!(reply.body["tries_left"], left);
    }
    assert_eq!(log_in(wrong).code(), "code_dead");
    assert_eq!(log_in(&code).code(), "code_dead", "the right code is dead as well");
    let soon = json!({"phone": PHONE, "captcha": app.captcha()});
    let soon = app.call("POST", OtpRoute::Otp.path(), cookie.as_deref(), Some(soon));
    assert_eq!((soon.status, soon.code()), (429, "too_many_requests"));
    assert!(soon.body["retry_after"].as_u64().unwrap() <= 60);

    let other = "0812 3456 7890";
    let cookie = app.request_code(other, None).cookie;
    let code = app.last_code(other);
    assert_eq!(app.try_code(other, &code, cookie.as_deref()).status, 201);
    let again = app.try_code(other, &code, cookie.as_deref());
    assert_eq!((again.status, again.code()), (410, "code_dead"), "a code opens one session");
}

/// A code that differs from `code`.
fn other_code(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// The current time in whole seconds, which is the precision of the table.
fn this_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

/// Requests a code at the time `at`. Returns `None` if the code is withheld.
async fn request_code(
    otps: &Otps,
    phone: &PhoneNumber,
    requester: Requester<'_>,
    at: Timestamp,
) -> Option<Request> {
    match otps.request(phone, None, requester, at).await.unwrap() {
        SendDecision::Send(request) => Some(request),
        SendDecision::Withhold(_) => None,
        SendDecision::Wait { seconds } => unreachable!("{seconds} seconds to wait"),
    }
}

/// A requester in this network, with an unknown device.
fn stranger(network: &str) -> Requester<'_> {
    Requester { network, ..Requester::default() }
}

/// A requester with an unknown device who has solved a harder captcha.
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
            (PHONE, SignedDuration::from_secs(5 * 60 - 1), CodeAttempt::Right { name: None }),
            ("0812 3456 7890", SignedDuration::from_secs(5 * 60), CodeAttempt::Dead),
        ] {
            let phone = PhoneNumber::parse(phone).unwrap();
            let Request { code, token, .. } =
                request_code(&otps, &phone, stranger("net"), start).await.unwrap();
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
        let first = request_code(&otps, &phone, stranger("net"), start).await.unwrap();
        let same = Requester { request: Some(first.token.secret()), ..stranger("net") };
        let wait = otps.request(&phone, None, same, start + SignedDuration::from_secs(59)).await.unwrap();
        assert!(matches!(wait, SendDecision::Wait { seconds: 1 }));
        let minute = start + SignedDuration::from_secs(60);
        let all = (0..20).map(|_| otps.request(&phone, None, same, minute));
        let all = futures::future::join_all(all).await;
        let sent = all.iter().filter(|one| matches!(one, Ok(SendDecision::Send(_)))).count();
        assert_eq!(sent, 1, "of 20 concurrent requests with one cookie");
        // Neither another requester nor a request for another phone has to wait.
        assert!(request_code(&otps, &phone, stranger("other"), minute).await.is_some());
        let other = PhoneNumber::parse("0812 3456 7890").unwrap();
        assert!(request_code(&otps, &other, same, minute).await.is_some());
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
            let all = requesters.into_iter().map(|requester| request_code(&otps, &phone, requester, now));
            futures::future::join_all(all).await.into_iter().flatten().count()
        };
        let strangers = networks.iter().map(|network| stranger(network)).collect();
        assert_eq!(count("0812 3456 7890", strangers).await, 5);
        let all = networks.iter().map(|network| proven(network)).collect();
        assert_eq!(count("0812 3456 7890", all).await, 5, "five more for harder captchas");
        assert_eq!(
            count("0812 3456 7891", vec![proven("net"); 100]).await,
            4,
            "at most four for one network"
        );
    });
}

#[test]
fn known_device_logs_in_after_strangers_spend_codes() {
    let app = TestApp::start();
    // The owner has logged in before, so the browser stores a device cookie.
    let owner = Browser::default();
    owner.log_in(&app, PHONE);
    let device = owner.cookie("bukti-device").unwrap();
    // A stranger exhausts the quota of codes for unknown devices.
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for network in 0..20 {
            request_code(&otps, &phone, proven(&network.to_string()), Timestamp::now()).await;
        }
    });
    let sent = app.messages_to(PHONE).len();
    let withheld = app.request_code(PHONE, None);
    assert_eq!(
        (withheld.status, app.messages_to(PHONE).len()),
        (202, sent),
        "the quota of unknown devices is spent"
    );
    // The owner's device has its own quota.
    let owner = Browser::with_cookie(&device);
    owner.log_in(&app, PHONE);
    assert_eq!(app.messages_to(PHONE).len(), sent + 1);
    // The device cookie is not valid for another phone, and a forged cookie is not valid for any
    // phone.
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
        // All requests come from one network, which may request at most four codes per phone for
        // unknown devices.
        let known = |device: usize| Requester { device: Some(devices[device].secret()), ..stranger("net") };
        let refused = request_code(&otps, &phone, known(0), now).await.unwrap();
        otps.discard(&refused, now).await.unwrap();
        let all = (0..20)
            .flat_map(|device| [device; 5])
            .map(|device| request_code(&otps, &phone, known(device), now));
        let sent = futures::future::join_all(all).await.into_iter().flatten().count();
        assert_eq!(sent, 10 + 4, "a code that was not sent returns its quota");
    });
}

#[test]
fn withheld_code_cannot_be_guessed() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        let now = Timestamp::now();
        while request_code(&otps, &phone, stranger("net"), now).await.is_some() {}
        let decision = otps.request(&phone, None, stranger("net"), now).await.unwrap();
        let SendDecision::Withhold(Request { code, token, .. }) = decision else { panic!() };
        let tried = otps.try_code(token.secret(), &phone, &code, now).await.unwrap();
        assert!(matches!(tried, CodeAttempt::Wrong { .. }), "{tried:?}");
        // A code whose SMS the budget withheld cannot be guessed either.
        let Request { code, token, .. } = request_code(&otps, &phone, stranger("other"), now).await.unwrap();
        otps.withhold(token.secret(), &phone).await.unwrap();
        let tried = otps.try_code(token.secret(), &phone, &code, now).await.unwrap();
        assert!(matches!(tried, CodeAttempt::Wrong { .. }), "{tried:?}");
    });
}

#[test]
fn harder_captcha_gets_code_after_strangers_spend_quota() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for network in 0..20 {
            request_code(&otps, &phone, stranger(&network.to_string()), Timestamp::now()).await;
        }
    });
    // As on the site, the first code does not arrive, so the owner requests another one after a
    // minute.
    let requested = app.request_code(PHONE, None);
    assert_eq!((requested.status, app.messages_to(PHONE).len()), (202, 0));
    let cookie = requested.cookie.unwrap();
    let token = cookie.split_once('=').unwrap().1.to_owned();
    app.with_aws(async |aws| end_wait(&aws, &token).await);
    let challenge = app.call("GET", StatusRoute::Captcha.path(), Some(&cookie), None).body;
    let easy = app.call("GET", StatusRoute::Captcha.path(), None, None).body;
    let cost = |challenge: &Value| challenge["parameters"]["cost"].as_u64().unwrap();
    assert_eq!(cost(&challenge), 8 * cost(&easy));
    let request = json!({"phone": PHONE, "captcha": solve(challenge)});
    let requested = app.call("POST", OtpRoute::Otp.path(), Some(&cookie), Some(request));
    assert_eq!(requested.status, 202);
    assert_eq!(app.try_code(PHONE, &app.last_code(PHONE), requested.cookie.as_deref()).status, 201);
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
        let requested = app.request_code(phone, None);
        for _ in 0..5 {
            app.try_code(phone, "000000", requested.cookie.as_deref());
        }
    }
    let officer = Browser::with_cookie(&device);
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
    // Without the cookie, the response does not reveal whether a code was sent, and no attempt is
    // consumed.
    let others = app.request_code("0812 3456 7890", None).cookie;
    for cookie in [None, Some("bukti-code=AAAAAAAAAAAAAAAAAAAAAA")] {
        for phone in [PHONE, "0812 3456 7891"] {
            for tried in [&*code, other_code(&code)] {
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
    let request = || {
        let body = json!({"phone": PHONE, "captcha": app.captcha()}).to_string();
        let began = Instant::now();
        let mut raw = app.caller().call("POST", OtpRoute::Otp.path(), None, body.as_bytes());
        assert!(began.elapsed() >= Duration::from_millis(300), "the response is not padded");
        let cookie = raw.headers.iter_mut().find(|(name, _)| name == "set-cookie").unwrap();
        let token = std::mem::replace(&mut cookie.1, "bukti-code".to_owned());
        (token.split(';').next().unwrap().to_owned(), raw)
    };
    let (first, expected) = request();
    let code = app.last_code(PHONE);
    for at in 0..7 {
        let (cookie, raw) = request();
        assert_eq!(raw, expected, "request {at}");
        let wrong = app.try_code(PHONE, other_code(&code), Some(&cookie));
        assert_eq!(
            (wrong.status, wrong.code()),
            (422, "code_wrong"),
            "the same whether the code was sent or withheld"
        );
    }
    assert_eq!(app.messages_to(PHONE).len(), 5);
    assert_eq!(app.try_code(PHONE, &code, Some(&first)).status, 201, "the first code is still valid");
}

#[test]
fn code_rejected_by_sms_service_returns_quota() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        for _ in 0..10 {
            let request = request_code(&otps, &phone, stranger("net"), Timestamp::now()).await.unwrap();
            otps.discard(&request, Timestamp::now()).await.unwrap();
            let tried = otps.try_code(request.token.secret(), &phone, &request.code, Timestamp::now()).await;
            assert_eq!(tried.unwrap(), CodeAttempt::Dead);
        }
    });
}

/// A simulated browser: the values of its cookies, keyed by name.
#[derive(Default)]
struct Browser(RefCell<BTreeMap<String, String>>);

impl Browser {
    /// A browser with one cookie from an earlier visit.
    fn with_cookie(cookie: &str) -> Self {
        let browser = Self::default();
        browser.store(cookie);
        browser
    }

    fn store(&self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        self.0.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// A stored cookie as `name=value`.
    fn cookie(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).map(|value| format!("{name}={value}"))
    }

    fn post(&self, app: &TestApp, path: &str, body: &Value) -> u16 {
        let cookies: Vec<_> = self.0.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let raw = app.caller().call("POST", path, Some(&cookies.join("; ")), body.to_string().as_bytes());
        raw.headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .for_each(|(_, cookie)| self.store(cookie));
        raw.status
    }

    fn log_in(&self, app: &TestApp, phone: &str) {
        let request = json!({"phone": phone, "captcha": app.captcha()});
        assert_eq!(self.post(app, OtpRoute::Otp.path(), &request), 202);
        let code = json!({"phone": phone, "code": app.last_code(phone)});
        assert_eq!(self.post(app, OtpRoute::LogIn.path(), &code), 201);
    }
}

/// Ends the wait of one minute, so that the requester with this token may request another code.
async fn end_wait(aws: &Aws, token: &str) {
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
    let requested = app.request_code(PHONE, None);
    let replies = race(PHONE, &app.last_code(PHONE), requested.cookie.as_deref());
    let opened = replies.into_iter().filter(|reply| reply.status == 201).count();
    assert_eq!(opened, 1);

    let other = "0812 3456 7890";
    let requested = app.request_code(other, None);
    let replies = race(other, other_code(&app.last_code(other)), requested.cookie.as_deref());
    let wrong = replies.into_iter().filter(|reply| reply.code() == "code_wrong").count();
    // The fifth attempt is checked as well, but the response is `code_dead`, since no attempts
    // remain.
    assert_eq!(wrong, 4);
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

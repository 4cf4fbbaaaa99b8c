//! Register, log in, see and download the certificates of the people of a phone.

use bukti_aws::{CodeTry, Device, Otps, SendDecision, Sessions, Token};
use bukti_domain::PhoneNumber;
use bukti_paper::Paper;
use bukti_tests::{TestApp, a_thousand_times, dose};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const PHONE: &str = "0821-0669-0743";

#[test]
fn from_registering_to_a_scanned_pdf() {
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
    let session = app.call("GET", "/api/sessions/current", Some(&cookie), None);
    assert_eq!(session.body, json!({"name": "Iwan Purnomo", "phone_hint": "43"}));

    let people = app.call("GET", "/api/people", Some(&cookie), None).body;
    let people = people["people"].as_array().unwrap();
    let names: Vec<_> = people.iter().map(|person| person["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Iwan Ibrahim Purnomo", "Theresia Desi"]);

    let id = people[0]["id"].as_str().unwrap();
    let answer = app.call("GET", &format!("/api/people/{id}/certificates"), Some(&cookie), None).body;
    let doses = answer["doses"].as_array().unwrap();
    assert_eq!(doses.len(), 2);
    assert_eq!(doses[0]["diagnosis"]["code"], "certificate_issued");
    assert_eq!(doses[1]["diagnosis"]["code"], "certificate_issued_phone_different");
    assert!(doses[1]["certificate"].is_null(), "registered with another phone");
    let certificate = &doses[0]["certificate"];
    assert!(certificate["picture"].as_str().unwrap().starts_with("<svg"));

    let path = format!("/api/certificates/{}/document", certificate["id"].as_str().unwrap());
    let document = app.call("POST", &path, Some(&cookie), None);
    assert_eq!(document.status, 200);
    let (status, pdf) = app.fetch(document.body["url"].as_str().unwrap());
    assert_eq!(status, 200);
    assert_eq!(Paper::read(pdf).qr_text(0), certificate["qr_text"].as_str().unwrap());

    let reply = app.call("DELETE", "/api/sessions/current", Some(&cookie), None);
    assert_eq!(reply.status, 204);
    assert!(reply.set_cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(app.call("GET", "/api/people", Some(&cookie), None).code(), "not_logged_in");
}

#[test]
fn nobody_sees_what_is_anothers() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let owner = app.log_in(PHONE, None);
    let people = app.call("GET", "/api/people", Some(&owner), None).body;
    let person = people["people"][0]["id"].as_str().unwrap();
    let certificates = format!("/api/people/{person}/certificates");
    let answer = app.call("GET", &certificates, Some(&owner), None).body;
    let certificate = answer["doses"][0]["certificate"]["id"].as_str().unwrap();
    let document = format!("/api/certificates/{certificate}/document");

    let stranger = app.log_in("0812 3456 7890", Some("Stranger"));
    assert_eq!(app.call("GET", "/api/people", Some(&stranger), None).body, json!({"people": []}));
    let theirs = app.call("GET", &certificates, Some(&stranger), None);
    let nobodys = app.call("GET", "/api/people/AAAA/certificates", Some(&stranger), None);
    assert_eq!((theirs.status, theirs.body), (nobodys.status, nobodys.body));
    assert_eq!(app.call("POST", &document, Some(&stranger), None).status, 404);
    for (method, path) in [("GET", "/api/people"), ("GET", &*certificates), ("POST", &*document)] {
        for cookie in [None, Some("bukti=AAAAAAAAAAAAAAAAAAAAAA")] {
            assert_eq!(app.call(method, path, cookie, None).code(), "not_logged_in", "{method} {path}");
        }
    }
}

#[test]
fn the_cookie_cannot_be_read_by_scripts_or_sent_by_other_sites() {
    let app = TestApp::start();
    app.ask_code(PHONE, None);
    let code = app.last_code(PHONE);
    let reply = app.post("/api/sessions", json!({"phone": PHONE, "code": code}));
    let cookie = reply.set_cookie.unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
}

#[test]
fn a_code_bears_five_wrong_tries_and_one_use() {
    let app = TestApp::start();
    assert_eq!(app.ask_code(PHONE, None).status, 202);
    let code = app.last_code(PHONE);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let log_in = |code: &str| app.post("/api/sessions", json!({"phone": PHONE, "code": code}));
    for left in (1..5).rev() {
        let reply = log_in(wrong);
        assert_eq!((reply.status, reply.code()), (422, "code_wrong"));
        assert_eq!(reply.body["tries_left"], left);
    }
    assert_eq!(log_in(wrong).code(), "code_dead");
    assert_eq!(log_in(&code).code(), "code_dead", "also the right one");
    let soon = app.ask_code(PHONE, None);
    assert_eq!((soon.status, soon.code()), (429, "too_many_requests"));
    assert!(soon.body["retry_after"].as_u64().unwrap() <= 60);

    let other = "0812 3456 7890";
    app.log_in(other, None);
    let again = app.post("/api/sessions", json!({"phone": other, "code": app.last_code(other)}));
    assert_eq!((again.status, again.code()), (410, "code_dead"), "one use");
}

/// This moment in whole seconds, which is what is kept.
fn this_second() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

/// Asks for a code at this time: the code, or how many seconds to wait.
async fn ask(otps: &Otps, phone: &PhoneNumber, at: Timestamp) -> Result<String, u32> {
    match otps.request(phone, None, at).await.unwrap() {
        SendDecision::Send { code } => Ok(code),
        SendDecision::Wait { seconds } => Err(seconds),
    }
}

#[test]
fn a_code_ends_after_five_minutes() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let otps = Otps::new(&aws);
        let start = this_second();
        for (phone, after, expected) in [
            (PHONE, SignedDuration::from_secs(5 * 60 - 1), CodeTry::Right { name: None }),
            ("0812 3456 7890", SignedDuration::from_secs(5 * 60), CodeTry::Dead),
        ] {
            let phone = PhoneNumber::parse(phone).unwrap();
            let code = ask(&otps, &phone, start).await.unwrap();
            assert_eq!(otps.try_code(&phone, &code, start + after).await.unwrap(), expected, "{after}");
        }
    });
}

#[test]
fn a_phone_has_a_code_a_minute_and_five_a_day() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (otps, phone) = (Otps::new(&aws), PhoneNumber::parse(PHONE).unwrap());
        let start = this_second();
        let at = |seconds: i64| start + SignedDuration::from_secs(seconds);
        for number in 0..5 {
            let time = 60 * number;
            if number > 0 {
                assert_eq!(ask(&otps, &phone, at(time - 1)).await, Err(1), "number {number}");
            }
            assert!(ask(&otps, &phone, at(time)).await.is_ok(), "number {number}");
        }
        let day = 24 * 60 * 60;
        assert_eq!(ask(&otps, &phone, at(60 * 60)).await, Err(23 * 60 * 60), "the sixth waits for the day");
        assert_eq!(ask(&otps, &phone, at(day - 1)).await, Err(1));
        assert!(ask(&otps, &phone, at(day)).await.is_ok());
    });
}

#[test]
fn of_many_right_codes_at_once_one_opens_a_session_and_wrong_ones_are_judged_five_times() {
    let app = TestApp::start();
    let race = |phone: &str, code: &str| {
        a_thousand_times(|| app.post("/api/sessions", json!({"phone": phone, "code": code})))
    };
    app.ask_code(PHONE, None);
    let opened = race(PHONE, &app.last_code(PHONE)).into_iter().filter(|reply| reply.status == 201).count();
    assert_eq!(opened, 1);

    let other = "0812 3456 7890";
    app.ask_code(other, None);
    let wrong = if app.last_code(other) == "000000" { "000001" } else { "000000" };
    let judged = race(other, wrong).into_iter().filter(|reply| reply.code() == "code_wrong").count();
    // The fifth is judged as well, and answered as dead since no try is left.
    assert_eq!(judged, 4);
}

#[test]
fn the_sms_of_a_code_is_one_part_and_bound_to_the_site() {
    let app = TestApp::start();
    app.ask_code(PHONE, None);
    let message = app.messages_to(PHONE).pop().unwrap();
    let code = app.last_code(PHONE);
    insta::assert_snapshot!("otp_sms", message.text.replace(&code, "[code]"));
    assert!(message.text.chars().count() <= 160);
    assert_eq!(message.from, "1199");
}

#[test]
fn the_owner_of_a_phone_sees_where_it_is_logged_in_and_ends_what_is_not_theirs() {
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
    let list = |cookie: &str| app.call("GET", "/api/sessions", Some(cookie), None).body["sessions"].clone();
    let sessions = list(&one);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let others = sessions.as_array().unwrap().iter().find(|session| session["is_current"] == false).unwrap();
    assert_eq!((&others["browser"], &others["system"]), (&json!("Chrome"), &json!("Android")));
    assert_eq!(list(&stranger).as_array().unwrap().len(), 1);
    assert_eq!(app.call("GET", "/api/sessions", None, None).code(), "not_logged_in");

    let id = others["id"].as_str().unwrap();
    let path = format!("/api/sessions/{id}");
    let theirs = app.call("DELETE", &path, Some(&stranger), None);
    let nobodys = app.call("DELETE", "/api/sessions/AAAA", Some(&stranger), None);
    assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    assert_eq!(
        app.call("GET", "/api/people", Some(&format!("bukti={id}")), None).status,
        401,
        "its id opens nothing"
    );
    assert_eq!(app.call("DELETE", &path, Some(&one), None).status, 204);
    assert_eq!(app.call("GET", "/api/people", Some(&other), None).code(), "not_logged_in");
    assert_eq!(list(&one).as_array().unwrap().len(), 1);
    assert_eq!(app.call("DELETE", "/api/sessions/current", Some(&one), None).status, 204);
    assert_eq!(app.call("GET", "/api/people", Some(&one), None).code(), "not_logged_in");
    let left = app.with_aws(async |aws| {
        let phone = aws.keys.phone(&PhoneNumber::parse(PHONE).unwrap());
        Sessions::new(&aws).of_phone_key(&phone, Timestamp::now()).await.unwrap().len()
    });
    assert_eq!(left, 0);
}

#[test]
fn a_session_ends_after_half_an_hour_without_use_and_after_half_a_day_in_any_case() {
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

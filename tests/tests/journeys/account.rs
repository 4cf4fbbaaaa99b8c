//! Accounts: log-in, sessions, and the certificates of all people who share a phone.

use bukti_domain::PhoneNumber;
use bukti_paper::Paper;
use bukti_records::Token;
use bukti_store::{Device, Sessions};
use bukti_tests::{TestApp, dose};
use bukti_wire::{HolderRoute, OtpRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

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
    let foreign = app.call("GET", &certificates, Some(&stranger), None);
    let missing = app.call("GET", &HolderRoute::Certificates.path_of("AAAA"), Some(&stranger), None);
    assert_eq!((foreign.status, foreign.body), (missing.status, missing.body));
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
    let request = json!({"phone": PHONE, "captcha": app.captcha()}).to_string();
    let requested = app.caller().call("POST", OtpRoute::Otp.path(), None, request.as_bytes());
    let code = json!({"phone": PHONE, "code": app.last_code(PHONE)}).to_string();
    let cookie = requested.header("set-cookie").unwrap().split(';').next().unwrap();
    let opened = app.caller().call("POST", OtpRoute::LogIn.path(), Some(cookie), code.as_bytes());
    let cookies = requested.headers.iter().chain(&opened.headers).filter(|(name, _)| name == "set-cookie");
    let cookies: Vec<&str> = cookies.map(|(_, cookie)| &**cookie).collect();
    let names: Vec<&str> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(names, ["bukti-code", "bukti", "bukti-device", "bukti-code"]);
    for cookie in cookies {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
}

#[test]
fn owner_lists_sessions_and_ends_unknown_ones() {
    let app = TestApp::start();
    let one = app.log_in(PHONE, None);
    // Create the second session directly, since the phone must wait a minute before it may request
    // another code.
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
    let foreign = app.call("DELETE", &path, Some(&stranger), None);
    let missing = app.call("DELETE", &OtpRoute::EndSession.path_of("AAAA"), Some(&stranger), None);
    assert_eq!((foreign.status, &foreign.body), (404, &missing.body));
    assert_eq!(
        app.call("GET", HolderRoute::People.path(), Some(&format!("bukti={id}")), None).status,
        401,
        "the id of a session is no token"
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
        assert!(is_good(&idle, 58).await, "29 minutes after the last use");
        assert!(!is_good(&idle, 58 + 30).await);
        let busy = open().await;
        for minutes in (0..12 * 60).step_by(20) {
            assert!(is_good(&busy, minutes).await, "{minutes}");
        }
        assert!(!is_good(&busy, 12 * 60).await);
    });
}

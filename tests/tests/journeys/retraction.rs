//! A facility takes a dose back that was entered in error.

use bukti_domain::FeedRow;
use bukti_tests::{Report, TestApp, dose};
use serde_json::{Value, json};

use crate::keys::verdict;

const PHONE: &str = "0821-0669-0743";
const BORN: &str = "1989-01-24";

fn retraction(event: &str, sent_at: &str) -> FeedRow {
    FeedRow {
        event_id: event.into(),
        sent_at: sent_at.into(),
        status: "entered-in-error".into(),
        ..FeedRow::default()
    }
}

fn diagnosis(app: &TestApp) -> String {
    let status = app.status("Iwan Ibrahim Purnomo", "3171012401896246").body;
    status["doses"][0]["diagnosis"]["code"].as_str().unwrap_or_default().to_owned()
}

fn outcome(report: &Report, line: u64) -> (&str, &str) {
    let (outcome, reasons) = &report[&line];
    (outcome, reasons)
}

#[test]
fn retraction_revokes_the_certificate_kills_links_and_tells_the_holder() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_well(&["trust", "publish"]);
    let text = app.qr_text(PHONE, BORN);
    let token = app.messages_to(PHONE)[0].token().unwrap();
    assert_eq!(verdict(&app, &[&text]).1, "valid");

    let report = app.import(&[retraction("E1", "2021-02-01T08:00:00+07:00")]);
    assert_eq!(outcome(&report, 2), ("retracted", ""));
    app.bukti_well(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "revoked");
    let opened = app.post("/api/links", json!({"token": token, "birth_date": BORN}));
    assert_eq!(opened.code(), "link_dead");
    assert_eq!(diagnosis(&app), "dose_retracted");
    let [_, told] = app.messages_to(PHONE).try_into().unwrap();
    assert!(told.one_part(&app).contains("dibatalkan oleh faskes"), "{}", told.text);

    let cookie = app.log_in(PHONE, Some("Iwan"));
    let people = app.call("GET", "/api/people", Some(&cookie), None).body;
    let path = format!("/api/people/{}/certificates", people["people"][0]["id"].as_str().unwrap());
    let account = app.call("GET", &path, Some(&cookie), None).body;
    assert_eq!((&account["doses"][0]["certificate"], &account["tickets"]), (&Value::Null, &json!([])));
    // A quick download sends nothing.
    app.download(&dose("E1"));
    app.settle();
    assert_eq!(app.messages_to(PHONE).len(), 3, "the first, the retraction, the code");

    // Said again, nothing changes.
    let again = app.import(&[retraction("E1", "2021-02-01T08:00:00+07:00")]);
    assert_eq!(outcome(&again, 2), ("duplicate", ""));
    assert_eq!(app.messages_to(PHONE).len(), 3);
}

#[test]
fn later_correct_row_issues_anew_and_tells_its_holder() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let first = app.qr_text(PHONE, BORN);
    app.import(&[retraction("E1", "2021-02-01T08:00:00+07:00")]);
    let report = app.import(&[FeedRow { sent_at: "2021-02-02T08:00:00+07:00".into(), ..dose("E1") }]);
    assert_eq!(outcome(&report, 2), ("issued", ""));
    app.bukti_well(&["trust", "publish"]);
    let second = app.qr_text(PHONE, BORN);
    assert_ne!(first, second);
    assert_eq!(verdict(&app, &[&first]).1, "revoked");
    assert_eq!(verdict(&app, &[&second]).1, "valid");
    assert_eq!(diagnosis(&app), "certificate_issued");
    assert_eq!(app.messages_to(PHONE).len(), 3, "first dose, retraction, first dose");
}

#[test]
fn rows_and_retraction_come_to_the_same_in_any_order() {
    let retracted = || retraction("E1", "2021-02-01T08:00:00+07:00");
    let one_file = [vec![dose("E1"), retracted()], vec![retracted(), dose("E1")]];
    for rows in one_file {
        let app = TestApp::start();
        app.import(&rows);
        assert_eq!(diagnosis(&app), "dose_retracted");
        app.bukti_well(&["trust", "publish"]);
        for sms in app.messages_to(PHONE) {
            if let Some(token) = sms.token() {
                let opened = app.post("/api/links", json!({"token": token, "birth_date": BORN}));
                assert_eq!(opened.code(), "link_dead");
            }
        }
    }
    // A retraction that overtakes its row by a day: the person learns of it all the same, and gets no SMS.
    let app = TestApp::start();
    assert_eq!(outcome(&app.import(&[retracted()]), 2), ("retracted", ""));
    assert_eq!(outcome(&app.import(&[dose("E1")]), 2), ("superseded", ""));
    assert_eq!((diagnosis(&app), app.messages()), ("dose_retracted".to_owned(), vec![]));
}

#[test]
fn retraction_needs_an_event_and_a_known_status() {
    let app = TestApp::start();
    let report = app.import(&[
        FeedRow { event_id: String::new(), ..retraction("E1", "2021-02-01T08:00:00+07:00") },
        FeedRow { status: "maybe".into(), ..dose("E2") },
        FeedRow { status: "Dibatalkan".into(), ..dose("E3") },
        FeedRow { status: "selesai".into(), ..dose("E4") },
    ]);
    let outcomes: Vec<_> = (2..=5).map(|line| outcome(&report, line)).collect();
    let expected =
        [("rejected", "event_id_missing"), ("rejected", "status_invalid"), ("retracted", ""), ("issued", "")];
    assert_eq!(outcomes, expected);
}

//! Retractions: certificates are revoked, links stop working, and holders get a notice.

use bukti_domain::FeedRow;
use bukti_tests::{Reply, TestApp, dose, fhir_bundle, retraction};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

use crate::keys::verdict;

const PHONE: &str = "0821-0669-0743";
const BIRTH_DATE: &str = "1989-01-24";
const NAME: &str = "Iwan Ibrahim Purnomo";
const NIK: &str = "3171012401896246";
const FEB_1: &str = "2021-02-01T08:00:00+07:00";
const FEB_2: &str = "2021-02-02T08:00:00+07:00";

fn at(sent_at: &str, row: FeedRow) -> FeedRow {
    FeedRow { sent_at: sent_at.into(), ..row }
}

fn open(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}))
}

/// The diagnosis codes in the status of the person of [`dose`].
fn codes(app: &TestApp) -> Vec<String> {
    let status = app.status(NAME, NIK).body;
    let doses = status["doses"].as_array().unwrap().iter();
    doses.map(|dose| dose["diagnosis"]["code"].as_str().unwrap().to_owned()).collect()
}

/// The API's response about the certificates of the first person in the account.
fn account(app: &TestApp, cookie: &str) -> Value {
    let people = app.call("GET", HolderRoute::People.path(), Some(cookie), None).body;
    let id = people["people"][0]["id"].as_str().unwrap();
    app.call("GET", &HolderRoute::Certificates.path_of(id), Some(cookie), None).body
}

/// The retraction notices that were sent to a phone.
fn retraction_sms(app: &TestApp, phone: &str) -> Vec<String> {
    let messages = app.messages_to(phone).into_iter();
    messages.filter(|sms| sms.text.contains("membatalkan")).map(|sms| sms.single_part_text(app)).collect()
}

fn outcome(row: &(String, String)) -> (&str, &str) {
    (&row.0, &row.1)
}

#[test]
fn retraction_ends_certificate_link_document_and_ticket() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let token = app.messages_to(PHONE)[0].token().unwrap();
    let opened = open(&app, &token).body;
    let (qr, id) = (opened["certificate"]["qr_text"].clone(), opened["certificate"]["id"].clone());
    let cookie = app.log_in(PHONE, Some("Iwan"));
    assert_eq!(account(&app, &cookie)["tickets"].as_array().unwrap().len(), 1);

    let report = app.import(&[retraction("E1", FEB_1)]);
    assert_eq!(outcome(&report[&2]), ("retracted", ""));
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[qr.as_str().unwrap()]).1, "revoked");
    assert_eq!((open(&app, &token).status, open(&app, &token).code()), (410, "link_dead"));

    let status = app.status(NAME, NIK).body;
    let diagnosis = &status["doses"][0]["diagnosis"];
    assert_eq!((&diagnosis["code"], &diagnosis["actor"]), (&json!("dose_retracted"), &json!("facility")));
    assert_eq!(diagnosis["next_steps"][0], "ask_facility");
    assert_eq!(
        status["doses"][0]["facility"], "Puskesmas Kebayoran Baru",
        "the status names the facility that retracted the dose"
    );

    let seen = account(&app, &cookie);
    assert_eq!(seen["doses"][0]["diagnosis"]["code"], "dose_retracted");
    assert_eq!((&seen["doses"][0]["certificate"], &seen["tickets"]), (&Value::Null, &json!([])));
    let path = HolderRoute::Document.path_of(id.as_str().unwrap());
    assert_eq!(app.call("POST", &path, Some(&cookie), None).status, 404);
    app.request_download(&dose("E1"));
    app.wait_until_idle();
    let links = app.messages_to(PHONE).iter().filter(|sms| sms.token().is_some()).count();
    assert_eq!(links, 1, "quick download sends no link of a retracted dose");

    let notices = retraction_sms(&app, PHONE);
    assert_eq!(notices.len(), 1, "{notices:?}");
    for personal in ["Iwan", "Purnomo", NIK, "COVID", "CoronaVac", "1989"] {
        assert!(!notices[0].contains(personal), "{notices:?}");
    }
    // Repeated retractions are idempotent, even if they are written differently.
    let again = app.import(&[retraction("E1", FEB_1), at(FEB_2, retraction("E1", FEB_1))]);
    assert_eq!([outcome(&again[&2]).0, outcome(&again[&3]).0], ["duplicate", "duplicate"]);
    let fuller = FeedRow { status: "Batal".into(), ..at("2021-02-03T08:00:00+07:00", dose("E1")) };
    assert_eq!(outcome(&app.import(&[fuller])[&2]), ("retracted", ""));
    assert_eq!(retraction_sms(&app, PHONE).len(), 1);
    assert_eq!(codes(&app), ["dose_retracted"]);
}

#[test]
fn retraction_before_the_dose_keeps_it_retracted() {
    let app = TestApp::start();
    let report = app.import(&[retraction("E1", FEB_1)]);
    assert_eq!(outcome(&report[&2]), ("retracted", ""));
    let late = app.import(&[dose("E1")]);
    assert_eq!(outcome(&late[&2]), ("superseded", ""));
    assert_eq!(codes(&app), ["dose_retracted"], "the late row identifies the person of the dose");
    assert_eq!(app.messages(), [], "no notice, since there never was a certificate");
    // A dose and its retraction may arrive in one file, in either order.
    let one = FeedRow { nik: "3171012401890002".into(), ..dose("E2") };
    let rows = [at(FEB_1, retraction("E2", FEB_1)), one];
    let report = app.import(&rows);
    assert_eq!([outcome(&report[&2]).0, outcome(&report[&3]).0], ["retracted", "superseded"]);
    assert_eq!(app.messages(), []);
}

#[test]
fn dose_sent_after_retraction_gets_new_certificate() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let first = app.messages_to(PHONE)[0].token().unwrap();
    let before = open(&app, &first).body["certificate"].clone();
    app.import(&[retraction("E1", FEB_1)]);
    let report = app.import(&[at(FEB_2, dose("E1"))]);
    assert_eq!(outcome(&report[&2]), ("issued", ""));
    assert_eq!(codes(&app), ["certificate_issued"]);
    let second = app.messages_to(PHONE).iter().rev().find_map(|sms| sms.token()).unwrap();
    assert_ne!(first, second);
    let after = open(&app, &second).body["certificate"].clone();
    assert_ne!((&after["id"], &after["qr_text"]), (&before["id"], &before["qr_text"]));
    assert_eq!(open(&app, &first).code(), "link_dead");
    app.bukti_ok(&["trust", "publish"]);
    let verdict_of = |certificate: &Value| verdict(&app, &[certificate["qr_text"].as_str().unwrap()]).1;
    assert_eq!((&*verdict_of(&before), &*verdict_of(&after)), ("revoked", "valid"));

    // A second retraction sends a second notice.
    app.import(&[retraction("E1", "2021-02-03T08:00:00+07:00")]);
    assert_eq!(retraction_sms(&app, PHONE).len(), 2);
    assert_eq!(open(&app, &second).code(), "link_dead");
}

#[test]
fn late_retraction_changes_nothing() {
    let app = TestApp::start();
    app.import(&[at(FEB_2, dose("E1"))]);
    let token = app.messages_to(PHONE)[0].token().unwrap();
    let report = app.import(&[retraction("E1", FEB_1)]);
    assert_eq!(outcome(&report[&2]), ("superseded", ""));
    assert_eq!(open(&app, &token).status, 200);
    assert_eq!((codes(&app), app.messages().len()), (vec!["certificate_issued".to_owned()], 1));
}

#[test]
fn retraction_of_incomplete_dose_sends_no_sms() {
    let app = TestApp::start();
    app.import(&[FeedRow { batch: String::new(), ..dose("E1") }]);
    app.import(&[retraction("E1", FEB_1)]);
    assert_eq!(codes(&app), ["dose_retracted"]);
    assert_eq!(app.messages(), []);
    let second = FeedRow { dosis_ke: "2".into(), ..dose("E2") };
    app.import(&[second, retraction("E2", FEB_1)]);
    assert_eq!(codes(&app), ["dose_retracted", "dose_retracted"]);
}

#[test]
fn retraction_of_second_dose_sends_sms() {
    let app = TestApp::start();
    app.import(&[FeedRow { dosis_ke: "2".into(), ..dose("E2") }]);
    assert_eq!(app.messages(), []);
    app.import(&[retraction("E2", FEB_1)]);
    assert_eq!(retraction_sms(&app, PHONE).len(), 1);
    assert_eq!(app.messages().len(), 1);
}

#[test]
fn incomplete_row_after_retraction_leaves_no_valid_certificate() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let qr = app.qr_text(PHONE, BIRTH_DATE);
    let incomplete = FeedRow { batch: String::new(), ..at(FEB_2, dose("E1")) };
    app.import(&[retraction("E1", FEB_1), incomplete]);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&qr]).1, "revoked");
    assert_eq!(codes(&app), ["dose_incomplete"]);
    assert_eq!(app.bukti_ok(&["deadletters", "list", "--by-table", "--older-than", "0s"]), "");
}

#[test]
fn fhir_entry_entered_in_error_retracts_its_event() {
    let app = TestApp::start();
    app.upload_feed("first.json", fhir_bundle(&[dose("E1")]));
    assert_eq!(codes(&app), ["certificate_issued"]);
    let entry = FeedRow { status: "entered-in-error".into(), ..at(FEB_1, dose("E1")) };
    app.upload_feed("second.json", fhir_bundle(&[entry]));
    assert_eq!(app.job("second").unwrap().totals["retracted"], 1);
    assert_eq!(codes(&app), ["dose_retracted"]);
    assert_eq!(retraction_sms(&app, PHONE).len(), 1);
}

#[test]
fn row_with_unknown_status_is_rejected_and_changes_nothing() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let unknown = FeedRow { status: "not-done".into(), ..at(FEB_1, dose("E1")) };
    assert_eq!(outcome(&app.import(&[unknown])[&2]), ("rejected", "status_invalid"));
    assert_eq!(codes(&app), ["certificate_issued"]);
    let completed = FeedRow { status: "Selesai".into(), ..dose("E1") };
    assert_eq!(outcome(&app.import(&[completed])[&2]).0, "duplicate", "a completed status equals none");
}

#[test]
fn helpdesk_shows_retracted_dose_and_its_trail() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.import(&[retraction("E1", FEB_1)]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let request = json!({"identity": NIK, "why": "Telepon 119"});
    let found = app.call("POST", HelpdeskRoute::FindPeople.path(), Some(&officer), Some(request)).body;
    let dose = &found["people"][0]["doses"][0];
    assert_eq!(dose["status"]["diagnosis"]["code"], "dose_retracted");
    assert_eq!(dose["recorded"]["name"], NAME);
    let trail = dose["trail"].as_array().unwrap();
    assert!(trail.iter().any(|entry| entry["detail"] == "retracted"), "{trail:?}");
    assert!(trail.iter().any(|entry| entry["what"] == "revoked"), "{trail:?}");
    let path = HelpdeskRoute::Resend.path_of(dose["id"].as_str().unwrap());
    let resent = app.call("POST", &path, Some(&officer), Some(json!({"why": "x"})));
    assert_eq!(resent.code(), "nothing_to_send");
}

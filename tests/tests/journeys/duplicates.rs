//! Duplicates: one dose reported under several event ids.

use std::collections::BTreeMap;

use bukti_domain::FeedRow;
use bukti_tests::{Reply, TestApp, csv, dose, dose_for, retraction};
use bukti_wire::{HelpdeskRoute, HolderRoute, SenderRoute};
use serde_json::{Value, json};

use crate::feed::documents;
use crate::keys::verdict;

const PHONE: &str = "0821-0669-0743";
const OTHER: &str = "0813-1111-0001";
const BIRTH_DATE: &str = "1989-01-24";
const NAME: &str = "Iwan Ibrahim Purnomo";
const NIK: &str = "3171012401896246";
const FEB_1: &str = "2021-02-01T08:00:00+07:00";
const FEB_2: &str = "2021-02-02T08:00:00+07:00";

fn send(app: &TestApp, key: &str, kind: &str, body: &[u8]) -> Value {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", kind)];
    // A sender retries after a timeout and gets the response to the first attempt.
    for _ in 0..20 {
        let answer = app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, body);
        if answer.status != 503 {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            return answer.json();
        }
    }
    unreachable!("the service stays unavailable")
}

fn key(app: &TestApp) -> String {
    app.bukti_ok(&["api-key", "create", "--hub", "satudata"]).trim().to_owned()
}

fn open(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}))
}

fn codes(app: &TestApp) -> Vec<String> {
    let status = app.status(NAME, NIK).body;
    let doses = status["doses"].as_array().unwrap().iter();
    doses.map(|dose| dose["diagnosis"]["code"].as_str().unwrap().to_owned()).collect()
}

fn duplicate() -> (String, String) {
    ("duplicate".to_owned(), "dose_duplicate".to_owned())
}

fn issued() -> (String, String) {
    ("issued".to_owned(), String::new())
}

/// The `duplicate_of` column of a job's report, keyed by event id.
fn duplicate_of(app: &TestApp, job: &str) -> BTreeMap<String, String> {
    let report = app.data.path().join(format!("bucket/bukti-documents/intake/reports/{job}.csv"));
    let mut reader = csv::Reader::from_path(report).unwrap();
    reader.records().map(|row| row.unwrap()).map(|row| (row[1].to_owned(), row[4].to_owned())).collect()
}

#[test]
fn second_event_of_dose_is_duplicate_of_first() {
    let app = TestApp::start();
    let key = key(&app);
    assert_eq!(app.import(&[dose("FACILITY")])[&2], issued());
    let second = FeedRow { no_hp: OTHER.into(), batch: "B2".into(), ..dose("HUB") };
    let answer = send(&app, &key, "text/csv", &csv(std::slice::from_ref(&second)));
    let row = &answer["rows"][0];
    assert_eq!(
        (&row["outcome"], &row["reasons"], &row["duplicate_of"]),
        (&json!("duplicate"), &json!(["dose_duplicate"]), &json!("FACILITY"))
    );
    app.wait_until_idle();
    assert_eq!((documents(&app), app.messages().len()), (1, 1));
    assert_eq!(app.messages_to(OTHER), [], "the phone of the first event counts");
    assert_eq!(codes(&app), ["certificate_issued"]);
    // A retry gets the same response.
    assert_eq!(send(&app, &key, "text/csv", &csv(std::slice::from_ref(&second))), answer);

    // A correction of the duplicate changes nothing.
    let corrected = FeedRow { sent_at: FEB_1.into(), nama: "Iwan Purnama".into(), ..second };
    assert_eq!(app.import(&[corrected])[&2], duplicate());
    assert_eq!((documents(&app), app.messages().len()), (1, 1));

    app.upload_feed("third.csv", csv(&[dose("REGISTER"), dose("FACILITY")]));
    let expected = [("REGISTER", "FACILITY"), ("FACILITY", "")];
    let expected = expected.map(|(event, of)| (event.to_owned(), of.to_owned()));
    assert_eq!(duplicate_of(&app, "third"), BTreeMap::from(expected));
    let fhir = send(&app, &key, "application/fhir+json", &bukti_tests::fhir_bundle(&[dose("CLINIC")]));
    assert_eq!(fhir["issue"][0]["code"], "duplicate");
    assert_eq!(
        fhir["issue"][0]["diagnostics"],
        "Event CLINIC: a duplicate, event FACILITY reports the same dose."
    );
}

#[test]
fn duplicate_with_invented_name_opens_no_dose() {
    let app = TestApp::start();
    let own = dose("").kode_faskes;
    let facility_key =
        |code: &str| app.bukti_ok(&["api-key", "create", "--facility", code]).trim().to_owned();
    let (clinic, stranger) = (facility_key(&own), facility_key("P9"));
    let second = |event: &str| FeedRow {
        dosis_ke: "2".into(),
        tanggal_vaksinasi: "2021-02-26".into(),
        sent_at: "2021-02-27T08:00:00+07:00".into(),
        ..dose(event)
    };
    let outcome = |key: &str, row: FeedRow| {
        let answer = send(&app, key, "text/csv", &csv(&[row]));
        app.wait_until_idle();
        answer["rows"][0]["outcome"].clone()
    };
    assert_eq!(app.import(&[dose("HUB")])[&2], issued());
    assert_eq!(outcome(&clinic, second("CLINIC")), "issued");

    let invented = |row: FeedRow| FeedRow {
        nama: "Zz Penyerang".into(),
        no_hp: OTHER.into(),
        kode_faskes: "P9".into(),
        ..row
    };
    assert_eq!(outcome(&stranger, invented(dose("X1"))), "duplicate");
    assert_eq!(outcome(&stranger, invented(second("X2"))), "duplicate");
    let seen = app.status("Zz Penyerang", NIK).body;
    assert_eq!((&seen["doses"], &seen["none"]["code"]), (&json!([]), &json!("dose_not_received")));

    // A duplicate with a different name makes the clinic's own dose visible under that name, but
    // not the hub's dose.
    let spelled = |row: FeedRow| FeedRow { nama: "Iwan I. Purnama".into(), ..row };
    assert_eq!(outcome(&clinic, spelled(second("CLINIC-2"))), "duplicate");
    assert_eq!(outcome(&clinic, spelled(dose("CLINIC-3"))), "duplicate");
    let seen = app.status("Iwan I. Purnama", NIK).body;
    let numbers: Vec<_> = seen["doses"].as_array().unwrap().iter().map(|it| &it["dose_number"]).collect();
    assert_eq!(numbers, [2]);
    assert_eq!(codes(&app), ["certificate_issued", "certificate_issued"]);
}

#[test]
fn only_helpdesk_shows_duplicate_of_dose() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.import(&[FeedRow { no_hp: OTHER.into(), nama: "Iwan I. Purnama".into(), ..dose("E2") }]);
    let cookie = app.log_in(PHONE, None);
    let people = app.call("GET", HolderRoute::People.path(), Some(&cookie), None).body;
    let id = people["people"][0]["id"].as_str().unwrap();
    let seen = app.call("GET", &HolderRoute::Certificates.path_of(id), Some(&cookie), None).body;
    assert_eq!((seen["doses"].as_array().unwrap().len(), seen["tickets"].as_array().unwrap().len()), (1, 1));
    let stranger = app.log_in(OTHER, None);
    let people = app.call("GET", HolderRoute::People.path(), Some(&stranger), None).body;
    assert_eq!(people, json!({"people": []}), "the phone of a duplicate opens nothing");
    assert_eq!(codes(&app), ["certificate_issued"]);
    let by_other_name = app.status("Iwan I. Purnama", NIK).body;
    assert_eq!(by_other_name["doses"][0]["diagnosis"]["code"], "certificate_issued");
    assert_eq!(app.status("Budi", NIK).body["none"]["code"], "dose_not_received");

    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let request = json!({"identity": NIK, "why": "Telepon 119"});
    let found = app.call("POST", HelpdeskRoute::FindPeople.path(), Some(&officer), Some(request)).body;
    let doses = found["people"][0]["doses"].as_array().unwrap();
    assert_eq!(doses.len(), 2);
    let second = doses.iter().find(|dose| dose["recorded"]["name"] == "Iwan I. Purnama").unwrap();
    let first = doses.iter().find(|dose| dose["recorded"]["name"] == NAME).unwrap();
    assert_eq!((&second["duplicate_of"], &first["duplicate_of"]), (&first["id"], &Value::Null));
    assert_eq!(second["status"]["diagnosis"]["code"], "certificate_issued");
}

#[test]
fn events_differing_in_one_field_are_separate_doses() {
    let app = TestApp::start();
    let row = dose("E1");
    let report = app.import(&[
        row.clone(),
        FeedRow { dosis_ke: "2".into(), ..dose("E2") },
        FeedRow { tanggal_vaksinasi: "2021-01-28".into(), ..dose("E3") },
        FeedRow { vaksin: "Moderna".into(), ..dose("E4") },
        dose_for(7, "E5"),
        // Incomplete and held rows claim no dose.
        FeedRow { batch: String::new(), ..dose("E6") },
        FeedRow { jenis_kelamin: "P".into(), ..dose("E7") },
        // The same dose with the NIK and the vaccine written differently.
        FeedRow { nik: "3171 0124 0189 6246".into(), vaksin: "SINOVAC".into(), ..dose("E8") },
    ]);
    for line in 2..=6 {
        assert_eq!(report[&line], issued(), "line {line}");
    }
    assert_eq!((&*report[&7].0, &*report[&8].0), ("incomplete", "held"));
    assert_eq!(report[&9], duplicate());
    assert_eq!(documents(&app), 5);
}

#[test]
fn retracted_owner_passes_dose_to_second_event() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    // Import the events one after the other, since the oldest duplicate becomes the next owner.
    app.import(&[FeedRow { no_hp: OTHER.into(), ..dose("E2") }]);
    app.import(&[dose("E3")]);
    let old = app.qr_text(PHONE, BIRTH_DATE);
    app.import(&[retraction("E1", FEB_1)]);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&old]).1, "revoked");
    let new = app.qr_text(OTHER, BIRTH_DATE);
    assert_eq!(verdict(&app, &[&new]).1, "valid");
    assert_eq!(codes(&app), ["certificate_issued"], "still one dose");
    assert_eq!(app.messages_to(OTHER).len(), 1);

    // After the second retraction, the third event becomes the owner. The first event, sent again,
    // is a duplicate of the third.
    app.import(&[retraction("E2", FEB_1)]);
    assert_eq!(app.import(&[FeedRow { sent_at: FEB_2.into(), ..dose("E1") }])[&2], duplicate());
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&new]).1, "revoked");
    assert_eq!(verdict(&app, &[&app.qr_text(PHONE, BIRTH_DATE)]).1, "valid");
    app.upload_feed("again.csv", csv(&[FeedRow { sent_at: FEB_2.into(), ..dose("E4") }]));
    assert_eq!(duplicate_of(&app, "again")["E4"], "E3");
}

#[test]
fn rejected_rows_never_displace_row_that_counts() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let rejected = |minute: u8| FeedRow {
        nik: "12".into(),
        batch: minute.to_string(),
        sent_at: format!("2021-03-01T08:{minute:02}:00+07:00"),
        ..dose("E1")
    };
    app.import(&(0..40).map(rejected).collect::<Vec<_>>());
    assert_eq!(app.import(&[FeedRow { no_hp: OTHER.into(), ..dose("E2") }])[&2], duplicate());
    assert_eq!((documents(&app), app.messages_to(OTHER).len()), (1, 0));
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&app.qr_text(PHONE, BIRTH_DATE)]).1, "valid");
    assert_eq!(codes(&app), ["certificate_issued"]);
}

#[test]
fn owner_corrected_to_other_dose_passes_first_on() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.import(&[FeedRow { no_hp: OTHER.into(), ..dose("E2") }]);
    let later = FeedRow { tanggal_vaksinasi: "2021-01-27".into(), sent_at: FEB_1.into(), ..dose("E1") };
    assert_eq!(app.import(&[later])[&2], issued());
    assert_eq!(codes(&app), ["certificate_issued", "certificate_issued"], "two doses");
    assert_eq!(app.messages_to(OTHER).len(), 1);
    // Undo the correction: the second event now owns the dose, and its certificate supersedes the
    // first event's certificate.
    let mine = app.qr_text(PHONE, BIRTH_DATE);
    assert_eq!(app.import(&[FeedRow { sent_at: FEB_2.into(), ..dose("E1") }])[&2], duplicate());
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&mine]).1, "superseded");
    assert_eq!(verdict(&app, &[&app.qr_text(OTHER, BIRTH_DATE)]).1, "valid");
    assert_eq!(codes(&app), ["certificate_issued"]);
    let token = app.messages_to(PHONE).iter().rev().find_map(|sms| sms.token()).unwrap();
    assert_eq!(open(&app, &token).code(), "link_dead");
}

#[test]
fn incomplete_owner_passes_dose_to_second_event() {
    for second_comes_first in [true, false] {
        let app = TestApp::start();
        app.import(&[dose("E1")]);
        let old = app.qr_text(PHONE, BIRTH_DATE);
        let second = FeedRow { no_hp: OTHER.into(), ..dose("E2") };
        let incomplete = FeedRow { batch: String::new(), sent_at: FEB_1.into(), ..dose("E1") };
        if second_comes_first {
            assert_eq!(app.import(&[second])[&2], duplicate());
            app.import(&[incomplete]);
        } else {
            app.import(&[incomplete]);
            assert_eq!(app.import(&[second])[&2], issued());
        }
        app.bukti_ok(&["trust", "publish"]);
        assert_eq!(verdict(&app, &[&old]).1, "superseded", "{second_comes_first}");
        assert_eq!(verdict(&app, &[&app.qr_text(OTHER, BIRTH_DATE)]).1, "valid", "{second_comes_first}");
        let complete = FeedRow { sent_at: FEB_2.into(), ..dose("E1") };
        assert_eq!(app.import(&[complete])[&2], duplicate());
        assert_eq!(codes(&app), ["certificate_issued"]);
    }
}

#[test]
fn duplicate_corrected_to_other_dose_is_issued() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    assert_eq!(app.import(&[dose("E2")])[&2], duplicate());
    let other = FeedRow { dosis_ke: "2".into(), sent_at: FEB_1.into(), ..dose("E2") };
    assert_eq!(app.import(&[other])[&2], issued());
    assert_eq!(codes(&app), ["certificate_issued", "certificate_issued"]);
    // The corrected event no longer waits for the first dose.
    app.import(&[retraction("E1", FEB_1)]);
    assert_eq!(codes(&app), ["dose_retracted", "certificate_issued"]);
}

#[test]
fn concurrent_events_of_one_dose_issue_one_certificate() {
    const DOSES: usize = 60;
    let app = TestApp::start();
    let keys = [key(&app), key(&app)];
    // Each of two concurrent jobs reports every dose under three event ids.
    let batch = |job: usize| -> Vec<u8> {
        let rows = (0..DOSES).flat_map(|person| {
            let row = move |copy: usize| FeedRow {
                no_hp: format!("0821-0669-{person:04}"),
                ..dose_for(person, &format!("E{job}-{copy}-{person}"))
            };
            (0..3).map(row)
        });
        csv(&rows.collect::<Vec<_>>())
    };
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let jobs = [0, 1].map(|job| {
            let (app, key, body) = (&app, &keys[job], batch(job));
            scope.spawn(move || send(app, key, "text/csv", &body))
        });
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    app.wait_until_idle();
    let mut issued = BTreeMap::new();
    let rows: Vec<&Value> = answers.iter().flat_map(|answer| answer["rows"].as_array().unwrap()).collect();
    for row in &rows {
        let event = row["event_id"].as_str().unwrap();
        let person = event.rsplit('-').next().unwrap();
        match row["outcome"].as_str().unwrap() {
            "issued" => assert_eq!(issued.insert(person, event), None, "a dose has two issued events"),
            outcome => assert_eq!((outcome, &row["reasons"]), ("duplicate", &json!(["dose_duplicate"]))),
        }
    }
    assert_eq!(issued.len(), DOSES);
    for row in rows.iter().filter(|row| row["outcome"] == "duplicate") {
        let person = row["event_id"].as_str().unwrap().rsplit('-').next().unwrap();
        assert_eq!(row["duplicate_of"], issued[person]);
    }
    assert_eq!((app.messages().len(), documents(&app)), (DOSES, DOSES));
    assert_eq!(app.bukti_ok(&["deadletters", "list", "--by-table", "--older-than", "0s"]), "");
}

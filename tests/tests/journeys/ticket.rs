//! Tickets: when the next dose is due, in the account and in the QR code that a facility scans.

use bukti_domain::{FeedRow, TicketText};
use bukti_paper::Picture;
use bukti_tests::{TestApp, dose};
use bukti_wire::HolderRoute;
use jiff::civil::date;
use serde_json::{Value, json};

const PHONE: &str = "0821-0669-0743";

/// Another dose of the person of [`dose`].
fn later(event_id: &str, number: u8, vaccine: &str, day: &str) -> FeedRow {
    FeedRow {
        sent_at: format!("{day}T16:00:00+07:00"),
        dosis_ke: number.to_string(),
        vaksin: vaccine.into(),
        tanggal_vaksinasi: day.into(),
        ..dose(event_id)
    }
}

/// The API's response about the certificates of the first person in the account.
fn seen(app: &TestApp, cookie: &str) -> Value {
    let people = app.call("GET", HolderRoute::People.path(), Some(cookie), None).body;
    let person = people["people"][0]["id"].as_str().unwrap();
    let answer = app.call("GET", &HolderRoute::Certificates.path_of(person), Some(cookie), None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The dose number, vaccine and first possible day of each ticket.
fn tickets(app: &TestApp, cookie: &str) -> Value {
    let tickets = seen(app, cookie)["tickets"].clone();
    let short = |ticket: &Value| json!([ticket["dose_number"], ticket["vaccine"], ticket["from"]]);
    tickets.as_array().unwrap().iter().map(short).collect()
}

#[test]
fn ticket_qr_names_next_dose() {
    let app = TestApp::start();
    app.import(&[
        dose("E1"),
        later("POLIO", 1, "bOPV", "2025-11-28"),
        later("FEVER", 1, "Stamaril", "2025-11-28"),
    ]);
    let cookie = app.log_in(PHONE, None);
    let seen = seen(&app, &cookie);
    let tickets = seen["tickets"].as_array().unwrap();
    assert_eq!(tickets.len(), 2, "no ticket for yellow fever, whose single dose is valid for life");

    let expected = [
        ("covid-19", "CoronaVac", json!(2), "2021-02-26", date(2021, 2, 26)),
        ("polio", "bOPV (Bio Farma)", Value::Null, "2025-12-26", date(2025, 12, 26)),
    ];
    for (ticket, (disease, vaccine, doses_in_series, from, first_day)) in tickets.iter().zip(expected) {
        let before = seen["doses"].as_array().unwrap().iter();
        let before = before.map(|dose| &dose["certificate"]).find(|dose| dose["vaccine"] == vaccine).unwrap();
        assert_eq!(ticket["disease"], before["disease"]);
        assert_eq!(ticket["disease"]["code"], disease);
        assert_eq!(ticket["doses_in_series"], doses_in_series);
        assert_eq!(
            json!([ticket["vaccine"], ticket["dose_number"], ticket["from"]]),
            json!([vaccine, 2, from])
        );

        let scanned = Picture::of_qr_in(ticket["qr"].as_str().unwrap()).qrs();
        let texts: Vec<_> = scanned.iter().map(|qr| &*qr.text).collect();
        assert_eq!(texts, [ticket["text"].as_str().unwrap()]);
        assert!(texts[0].starts_with(&format!("{}/tiket#", app.url())), "{}", texts[0]);
        let expected = TicketText {
            certificate_id: before["id"].as_str().unwrap().replace('-', ""),
            dose_number: 2,
            vaccine: vaccine.to_owned(),
            from: first_day,
        };
        assert_eq!(TicketText::parse(texts[0]), Some(expected), "the ticket has no personal data");
    }
}

#[test]
fn received_dose_replaces_ticket_with_next() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let cookie = app.log_in(PHONE, None);
    let first = json!([[2, "CoronaVac", "2021-02-26"]]);
    assert_eq!(tickets(&app, &cookie), first);

    let complete = later("E2", 2, "CoronaVac", "2021-02-27");
    let incomplete = FeedRow { batch: String::new(), ..complete.clone() };
    let report = app.import(&[incomplete]);
    assert_eq!(report[&2].0, "incomplete");
    assert_eq!(tickets(&app, &cookie), json!([]), "an incomplete dose counts as given");

    let sent_at = "2021-03-01T08:00:00+07:00".to_owned();
    app.import(&[FeedRow { sent_at, ..complete.clone() }]);
    assert_eq!(tickets(&app, &cookie), json!([[3, "CoronaVac", "2021-05-28"]]), "the ticket of a booster");

    let held = FeedRow { jenis_kelamin: "P".into(), ..later("E3", 3, "Moderna", "2022-02-01") };
    let report = app.import(std::slice::from_ref(&held));
    assert_eq!(report[&2].0, "held");
    assert_eq!(tickets(&app, &cookie), json!([]));

    let sent_at = "2022-02-02T08:00:00+07:00".to_owned();
    app.import(&[
        FeedRow { sent_at, jenis_kelamin: "L".into(), ..held },
        later("E4", 4, "Moderna", "2023-02-01"),
    ]);
    assert_eq!(tickets(&app, &cookie), json!([]), "the schedule ends with the second booster");
}

#[test]
fn correction_renews_ticket_and_revocation_removes_it() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let cookie = app.log_in(PHONE, None);
    let id = |seen: &Value| seen["doses"][0]["certificate"]["id"].as_str().unwrap().to_owned();
    let before = seen(&app, &cookie);

    let sent_at = "2021-02-02T08:00:00+07:00".to_owned();
    app.import(&[FeedRow { sent_at, tanggal_vaksinasi: "2021-01-28".into(), ..dose("E1") }]);
    let after = seen(&app, &cookie);
    assert_ne!(id(&before), id(&after));
    let text = TicketText::parse(after["tickets"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((text.certificate_id, text.from), (id(&after).replace('-', ""), date(2021, 2, 25)));

    app.bukti_ok(&["revoke", &id(&after), "--reason", "error"]);
    assert_eq!(tickets(&app, &cookie), json!([]));
}

#[test]
fn ticket_belongs_to_phone_of_previous_dose() {
    let app = TestApp::start();
    let other = "0821-0669-0744";
    let second = FeedRow { no_hp: other.into(), ..later("E2", 2, "CoronaVac", "2021-02-27") };
    app.import(&[dose("E1"), second, later("POLIO", 1, "nOPV2", "2025-11-28")]);
    let (first, second) = (app.log_in(PHONE, None), app.log_in(other, None));
    assert_eq!(tickets(&app, &first), json!([[2, "nOPV2 (Bio Farma)", "2025-12-26"]]));
    assert_eq!(tickets(&app, &second), json!([[3, "CoronaVac", "2021-05-28"]]));
}

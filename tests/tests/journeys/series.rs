//! Dose numbers of a series (`dn`/`sd`) in signed certificates, for doses that arrive in any order.

use std::collections::BTreeMap;

use bukti_domain::FeedRow;
use bukti_tests::{TestApp, dose};
use bukti_wire::HolderRoute;
use serde_json::{Value, json};

use crate::keys::verdict;

const PHONE: &str = "0821-0669-0743";

fn dose_of_series(event: &str, number: u8, vaccine: &str, day: &str) -> FeedRow {
    let sent_at = format!("{day}T09:00:00+07:00");
    let (dosis_ke, vaksin, tanggal_vaksinasi) = (number.to_string(), vaccine.into(), day.into());
    FeedRow { sent_at, dosis_ke, vaksin, tanggal_vaksinasi, ..dose(event) }
}

/// The certificate of each dose in the account; null for a dose that has none.
fn certificates_of(app: &TestApp, cookie: &str) -> Vec<Value> {
    let people = app.call("GET", HolderRoute::People.path(), Some(cookie), None).body;
    let path = HolderRoute::Certificates.path_of(people["people"][0]["id"].as_str().unwrap());
    let account = app.call("GET", &path, Some(cookie), None).body;
    account["doses"].as_array().unwrap().iter().map(|dose| dose["certificate"].clone()).collect()
}

/// For each certificate in the account: the signed `dn/sd`, the displayed number of doses, and the
/// text of the QR code.
fn certificates(app: &TestApp, cookie: &str) -> Vec<(String, Value, String)> {
    app.bukti_ok(&["trust", "publish"]);
    certificates_of(app, cookie)
        .into_iter()
        .map(|certificate| {
            let text = certificate["qr_text"].as_str().unwrap();
            let output = app.bukti(&["verify", "--json", text]);
            let payload: Value =
                serde_json::from_str::<Value>(&output.stdout).expect(&output.stderr)["payload"]["v"][0]
                    .clone();
            let signed = format!("{}/{}", payload["dn"], payload["sd"]);
            (signed, certificate["doses_in_series"].clone(), text.to_owned())
        })
        .collect()
}

fn numbers(certificates: &[(String, Value, String)]) -> Vec<(&str, &Value)> {
    certificates.iter().map(|(signed, shown, _)| (&**signed, shown)).collect()
}

#[test]
fn booster_after_one_dose_series_counts_from_that_series() {
    let app = TestApp::start();
    app.import(&[
        dose_of_series("J", 1, "Janssen", "2021-08-01"),
        dose_of_series("M", 2, "Moderna", "2022-02-01"),
        dose_of_series("P", 3, "Pfizer", "2023-02-01"),
    ]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let one = json!(1);
    assert_eq!(numbers(&certificates(&app, &cookie)), [("1/1", &one), ("2/1", &one), ("3/1", &one)]);
}

#[test]
fn two_first_doses_are_not_reissued_endlessly() {
    let app = TestApp::start();
    app.import(&[dose_of_series("J", 1, "Janssen", "2021-01-02")]);
    app.import(&[dose_of_series("C", 1, "CoronaVac", "2021-03-01")]);
    // The correction of one dose triggers a recount of the other dose.
    app.import(&[FeedRow { batch: "ZZ1".into(), ..dose_of_series("C", 1, "CoronaVac", "2021-03-01") }]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let before = certificates(&app, &cookie);
    assert_eq!(numbers(&before), [("1/1", &json!(1)), ("1/2", &json!(2))]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(certificates(&app, &cookie), before, "no certificate is replaced by a recount");
}

#[test]
fn other_persons_row_under_number_changes_no_count() {
    let app = TestApp::start();
    app.import(&[
        dose_of_series("1", 1, "CoronaVac", "2021-02-01"),
        dose_of_series("2", 2, "CoronaVac", "2021-03-01"),
    ]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let before = certificates(&app, &cookie);
    assert_eq!(numbers(&before), [("1/2", &json!(2)), ("2/2", &json!(2))]);
    let of_other_person =
        |row: FeedRow| FeedRow { nama: "Orang Lain".into(), no_hp: "081200000991".into(), ..row };
    app.import(&[of_other_person(dose_of_series("J", 1, "Janssen", "2021-01-02"))]);
    assert_eq!(certificates(&app, &cookie), before);
}

#[test]
fn late_first_dose_corrects_later_counts() {
    let app = TestApp::start();
    app.import(&[dose_of_series("M", 2, "Moderna", "2022-02-01")]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let before = certificates(&app, &cookie);
    assert_eq!(numbers(&before), [("2/2", &json!(2))]);
    let sms = app.messages().len();

    app.import(&[dose_of_series("J", 1, "Janssen", "2021-08-01")]);
    let after = certificates(&app, &cookie);
    assert_eq!(numbers(&after), [("1/1", &json!(1)), ("2/1", &json!(1))]);
    assert_eq!(app.messages().len(), sms + 1, "only the first dose has an SMS");
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&before[0].2]).1, "superseded");
    assert_eq!(verdict(&app, &[&after[1].2]).1, "valid");
}

#[test]
fn mixed_series_of_two_doses_is_counted_as_one_series() {
    let app = TestApp::start();
    app.import(&[
        dose_of_series("A", 1, "AstraZeneca", "2021-08-01"),
        dose_of_series("P", 2, "Pfizer", "2021-10-01"),
        dose_of_series("J", 3, "Janssen", "2022-10-01"),
    ]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let two = json!(2);
    assert_eq!(numbers(&certificates(&app, &cookie)), [("1/2", &two), ("2/2", &two), ("3/3", &two)]);
}

#[test]
fn late_first_dose_of_two_corrects_boosters_of_one_dose_vaccines() {
    let app = TestApp::start();
    let one = json!(1);
    app.import(&[dose_of_series("J", 3, "Janssen", "2022-10-01")]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    assert_eq!(numbers(&certificates(&app, &cookie)), [("3/1", &one)]);
    app.import(&[dose_of_series("P", 2, "Pfizer", "2021-10-01")]);
    let (two, before) = (json!(2), certificates(&app, &cookie));
    assert_eq!(numbers(&before), [("2/2", &two), ("3/1", &one)]);
    let sms = app.messages().len();

    app.import(&[dose_of_series("A", 1, "AstraZeneca", "2021-08-01")]);
    let after = certificates(&app, &cookie);
    assert_eq!(numbers(&after), [("1/2", &two), ("2/2", &two), ("3/3", &two)]);
    assert_eq!(app.messages().len(), sms + 1, "only the first dose has an SMS");
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&before[1].2]).1, "superseded");
    assert_eq!(verdict(&app, &[&before[0].2]).1, "valid", "a certificate with the right count stays valid");
}

#[test]
fn corrected_or_retracted_first_dose_updates_later_counts() {
    let app = TestApp::start();
    let first = dose_of_series("F", 1, "Zifivax", "2021-08-01");
    app.import(&[first.clone(), dose_of_series("M", 2, "Moderna", "2022-02-01")]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let (one, two, three) = (json!(1), json!(2), json!(3));
    let shown = || {
        let certificates = certificates_of(&app, &cookie).into_iter();
        certificates.map(|certificate| certificate["doses_in_series"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown(), [three.clone(), three]);

    let later = |day: &str| FeedRow { sent_at: format!("{day}T09:00:00+07:00"), ..first.clone() };
    app.import(&[FeedRow { vaksin: "Janssen".into(), ..later("2022-03-01") }]);
    assert_eq!(numbers(&certificates(&app, &cookie)), [("1/1", &one), ("2/1", &one)]);
    app.import(&[FeedRow { vaksin: "CoronaVac".into(), ..later("2022-03-02") }]);
    assert_eq!(numbers(&certificates(&app, &cookie)), [("1/2", &two), ("2/2", &two)]);
    app.import(&[FeedRow { vaksin: "Janssen".into(), ..later("2022-03-03") }]);
    assert_eq!(shown(), [one.clone(), one]);
    let sms = app.messages_to(PHONE).len();
    app.import(&[FeedRow { status: "entered-in-error".into(), ..later("2022-03-04") }]);
    assert_eq!(shown(), [Value::Null, two], "the first dose has no certificate");
    assert_eq!(app.messages_to(PHONE).len(), sms + 1, "only the retraction has an SMS");
}

#[test]
fn dose_moved_to_other_person_updates_both_counts() {
    let app = TestApp::start();
    let first = dose_of_series("J", 1, "Janssen", "2021-08-01");
    let right = "3171012401896247";
    app.import(&[
        first.clone(),
        dose_of_series("M", 2, "Moderna", "2022-02-01"),
        FeedRow { nik: right.into(), ..dose_of_series("N", 2, "Moderna", "2022-02-01") },
    ]);
    let primary_doses = |nik: &str| {
        let identity = bukti_domain::Identity::Nik(bukti_domain::Nik::parse(nik).unwrap());
        app.with_aws(async |aws| {
            let records = bukti_store::Doses::new(&aws).of_person(&identity).await.unwrap();
            let certificates = records.doses.iter().map(|dose| records.certificate_of(dose).unwrap());
            certificates.map(|it| (it.dose_number, it.primary_doses)).collect::<BTreeMap<_, _>>()
        })
    };
    // The entries are sorted by dose number.
    let primary_doses = |nik: &str| Vec::from_iter(primary_doses(nik));
    assert_eq!(primary_doses(&first.nik), [(1, Some(1)), (2, Some(1))]);
    assert_eq!(primary_doses(right), [(2, Some(2))]);

    app.import(&[FeedRow {
        nik: right.into(),
        sent_at: "2022-03-01T09:00:00+07:00".into(),
        ..first.clone()
    }]);
    assert_eq!(primary_doses(&first.nik), [(2, Some(2))]);
    assert_eq!(primary_doses(right), [(1, Some(1)), (2, Some(1))]);
}

//! Cases from field bug reports, from the feed to the SMS and the signed payload. Skipped if the
//! folder `../shared/field` next to the project is missing.

use bukti_domain::FeedRow;
use bukti_tests::{TestApp, field_cases};
use bukti_wire::{HolderRoute, SenderRoute};
use serde_json::{Value, json};

fn payload(app: &TestApp, qr_text: &str) -> Value {
    let output = app.bukti(&["verify", "--json", qr_text]);
    serde_json::from_str::<Value>(&output.stdout).expect(&output.stderr)["payload"].clone()
}

#[test]
fn field_rows_have_expected_outcome_sms_and_name() {
    let Some(folder) = field_cases() else { return };
    let app = TestApp::start();
    let rows: Vec<FeedRow> = csv::Reader::from_path(folder.join("rows.csv"))
        .unwrap()
        .deserialize()
        .map(|row| row.unwrap())
        .collect();
    let report = app.import(&rows);
    app.bukti_ok(&["trust", "publish"]);
    let mut expected = csv::Reader::from_path(folder.join("rows.expected.csv")).unwrap();
    let mut phones = Vec::new();
    for ((row, expected), line) in rows.iter().zip(expected.records()).zip(2..) {
        let expected = expected.unwrap();
        let result = (expected[1].to_owned(), expected[2].to_owned());
        assert_eq!(report[&line], result, "{}", row.event_id);
        if expected[3].is_empty() {
            continue;
        }
        phones.push(expected[3].to_owned());
        let found = app.messages_to(&expected[3]).into_iter().filter_map(|sms| {
            let request = json!({"token": sms.token()?, "birth_date": row.tanggal_lahir});
            let opened = app.post(HolderRoute::Link.path(), request);
            let text = opened.body["certificate"]["qr_text"].as_str()?.to_owned();
            Some((payload(&app, &text), opened.body["certificate"]["name"].clone()))
        });
        let signed_names = found.map(|(payload, shown)| {
            let name = &payload["nam"];
            let text = |key: &str| name[key].as_str().unwrap_or_default().to_owned();
            let shown: String = shown.as_str().unwrap().replace(',', "");
            let mut words = [text("gn"), text("fn")].join(" ");
            if words.trim() != shown {
                // Some identity documents put the family name first.
                words = [text("fn"), text("gn")].join(" ");
            }
            assert_eq!(words.trim(), shown, "the signed name is the printed one");
            (text("fn"), text("gn"))
        });
        let name = (expected[4].to_owned(), expected[5].to_owned());
        assert!(signed_names.into_iter().any(|signed| signed == name), "{}: {name:?}", row.event_id);
    }
    let other_sms: Vec<_> = app.messages().into_iter().filter(|sms| !phones.contains(&sms.to)).collect();
    assert_eq!(other_sms, []);
}

#[test]
fn field_fhir_resources_are_read_as_intended() {
    let Some(folder) = field_cases() else { return };
    let app = TestApp::start();
    let key = app.bukti_ok(&["api-key", "create", "--hub", "satudata"]).trim().to_owned();
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", "application/fhir+json")];
    app.bukti_ok(&["trust", "publish"]);
    for (case, phone, family, given, day) in [
        ("H01", "081611110001", "Purnomo", "Iwan", "2026-11-20"),
        ("H02", "081611110002", "Purnomo", "Iwan", "2026-11-20"),
        ("H03", "081611110003", "Purnomo", "Iwan", "2026-11-20"),
        ("H05", "081611110005", "Purnomo", "Iwan", "2026-11-20"),
        ("H06", "081611110006", "Baru", "Nama", "2026-11-20"),
        ("H08", "081611119902", "Purnomo", "Iwan", "2026-11-20"),
        ("H11", "081611110011", "Purnomo", "Iwan", "2026-11-20"),
        ("H16", "081611119905", "Purnomo", "Iwan", "2026-11-20"),
    ] {
        let bundle = std::fs::read(folder.join(format!("fhir/{case}.json"))).unwrap();
        let answer = app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, &bundle);
        let issue = answer.json()["issue"][0].clone();
        assert_eq!((answer.status, &issue["severity"]), (200, &json!("information")), "{case}: {issue}");
        assert_eq!(issue["details"]["coding"][0]["code"], "issued", "{case}");
        app.wait_until_idle();
        let payload = payload(&app, &app.qr_text(phone, "1989-01-24"));
        let signed = [&payload["nam"]["fn"], &payload["nam"]["gn"], &payload["v"][0]["dt"]];
        assert_eq!(signed.map(|text| text.as_str().unwrap()), [family, given, day], "{case}");
    }
    assert_eq!(app.messages().len(), 8, "no SMS to phones that a telecom entry marks as old");
}

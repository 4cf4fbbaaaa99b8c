//! Doses that hubs and facilities send as FHIR resources.

use bukti_domain::FeedRow;
use bukti_records::JobRecord;
use bukti_tests::{TestApp, dose, dose_for, fhir_bundle};
use bukti_wire::SenderRoute;
use serde_json::{Value, json};

use crate::senders::{FACILITY, FHIR, key, send};

#[test]
fn bundle_gets_operation_outcome_even_when_rejected() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    let other = FeedRow { nik: "123".into(), ..dose("E2") };
    let answer = send(&app, &key, "application/fhir+json; charset=utf-8", &fhir_bundle(&[dose("E1"), other]));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(FHIR)));
    let coding = |codes: &[&str]| {
        codes.iter().map(|code| json!({"system": "urn:bukti:outcome", "code": code})).collect::<Vec<_>>()
    };
    let expected = json!({"resourceType": "OperationOutcome", "issue": [
        {
            "severity": "information", "code": "informational", "details": {"coding": coding(&["issued"])},
            "diagnostics": "Event E1: complete, the certificate is being issued.", "expression": ["Bundle.entry[0].resource"],
        },
        {
            "severity": "error", "code": "invalid", "details": {"coding": coding(&["rejected", "nik_malformed"])},
            "diagnostics": "Event E2: rejected, nothing was kept. Check: NIK (must have 16 digits).", "expression": ["Bundle.entry[1].resource"],
        },
    ]});
    assert_eq!(answer.json(), expected);

    for (key, body, status, code, kind) in [
        (&*key, &b"{"[..], 422, "feed_unreadable", "structure"),
        ("bk_AAAAAAAA_x", b"{", 401, "api_key_wrong", "login"),
        (&key, &[b' '; 1_000_000][..], 422, "feed_unreadable", "structure"),
        (&key, &[b' '; (1 << 20) + 1], 413, "body_too_large", "too-costly"),
    ] {
        let refused = send(&app, key, FHIR, body);
        assert_eq!((refused.status, refused.header("content-type")), (status, Some(FHIR)), "{code}");
        let issue = &refused.json()["issue"][0];
        assert_eq!(issue["details"]["coding"][0]["code"], code);
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("error"), &json!(kind)));
    }
}

/// Asserts that a resource contains no empty array, which FHIR forbids.
fn assert_no_empty_arrays(resource: &Value) {
    match resource {
        Value::Array(values) => {
            assert!(!values.is_empty());
            values.iter().for_each(assert_no_empty_arrays);
        }
        Value::Object(fields) => fields.values().for_each(assert_no_empty_arrays),
        _ => {}
    }
}

#[test]
fn fhir_transactions_are_atomic() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    let typed = |kind: &str, rows: &[FeedRow]| {
        let mut file: Value = serde_json::from_slice(&fhir_bundle(rows)).unwrap();
        file["type"] = json!(kind);
        file.to_string().into_bytes()
    };
    let malformed = FeedRow { nik: "31".into(), ..dose("E2") };
    let refused = send(&app, &key, FHIR, &typed("transaction", &[dose("E1"), malformed.clone()]));
    let outcome = refused.json();
    let codes = |at: usize| outcome["issue"][at]["details"]["coding"][1]["code"].clone();
    assert_eq!(
        (refused.status, codes(0), codes(1)),
        (422, json!("transaction_refused"), json!("nik_malformed"))
    );
    assert_no_empty_arrays(&outcome);
    app.wait_until_idle();
    assert_eq!(app.messages(), []);

    let batch = send(&app, &key, FHIR, &typed("batch", &[dose("E1"), malformed]));
    assert_eq!(batch.status, 200);
    let stored = send(&app, &key, FHIR, &typed("transaction", &[dose_for(1, "E3")]));
    assert_eq!(
        (stored.status, &stored.json()["issue"][0]["details"]["coding"][0]["code"]),
        (200, &json!("issued"))
    );
    // A row that this sender may not send causes the rejection of the whole transaction, too.
    let facility = self::key(&app, ["--facility", FACILITY]);
    let others = FeedRow { kode_faskes: "P3201010102".into(), ..dose("E5") };
    for (row, reason) in [(others, "facility_of_another"), (dose("E3"), "event_of_another")] {
        let rows = [dose("E4"), row];
        let refused = send(&app, &facility, FHIR, &typed("transaction", &rows));
        let issues = refused.json()["issue"].clone();
        let codes = [0, 1].map(|at| issues[at]["details"]["coding"][1]["code"].clone());
        assert_eq!((refused.status, codes), (422, [json!("transaction_refused"), json!(reason)]));
    }
    app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        assert!(doses.of_event(&aws.keys.event("E4")).await.unwrap().is_none());
    });
    let empty = send(&app, &key, FHIR, br#"{"resourceType":"Bundle","type":"batch"}"#);
    assert_eq!((empty.status, &empty.json()["issue"][0]["severity"]), (200, &json!("information")));
    assert_no_empty_arrays(&empty.json());
}

#[test]
fn fhir_serves_capability_statement_and_rejects_xml() {
    let app = TestApp::start();
    let statement = app.caller().send("GET", SenderRoute::Metadata.path(), &[], b"");
    assert_eq!((statement.status, statement.header("content-type")), (200, Some(FHIR)));
    let statement = statement.json();
    assert_eq!(
        (&statement["resourceType"], &statement["fhirVersion"], &statement["rest"][0]["mode"]),
        (&json!("CapabilityStatement"), &json!("4.0.1"), &json!("server"))
    );
    assert_no_empty_arrays(&statement);

    let key = key(&app, ["--hub", "satudata"]);
    let xml = b"<Bundle xmlns=\"http://hl7.org/fhir\"/>";
    for kind in ["application/fhir+xml", "application/fhir+xml; fhirVersion=4.0", "text/xml", FHIR] {
        let refused = send(&app, &key, kind, xml);
        assert_eq!(refused.status, 415, "{kind}");
        assert_eq!(refused.header("content-type"), Some(FHIR));
        assert_eq!(refused.json()["issue"][0]["code"], "not-supported");
        assert_no_empty_arrays(&refused.json());
    }
    let page = send(&app, &key, "text/csv", b"<html><table></table></html>");
    assert_eq!((page.status, &page.json()["errors"][0]["code"]), (422, &json!("html_page")));
    let json = send(&app, &key, "application/fhir+json; fhirVersion=5.0", &fhir_bundle(&[dose("E1")]));
    assert_eq!(json.status, 200);
}

/// FHIR responses are in English, whatever language the caller accepts.
#[test]
fn unreadable_fhir_gets_english_error_with_code() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    let authorization = format!("Bearer {key}");
    let whole = fhir_bundle(&[dose("E1")]);
    for (body, code, kind, diagnostics) in [
        (&whole[..whole.len() / 2], "broken_off", "structure", "Line 1: the file ends in the middle."),
        (
            b"{\"resourceType\":\"Patient\"}",
            "not_a_bundle",
            "structure",
            "Line 1: there is no FHIR Immunization",
        ),
        (b"{\"resourceType\":\"Bundle\",}", "json_malformed", "structure", "Line 1: the file is neither"),
        (b"", "empty", "structure", "Line 1: "),
    ] {
        let headers = [("authorization", &*authorization), ("content-type", FHIR), ("accept-language", "id")];
        let answer = app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, body);
        assert_eq!((answer.status, answer.header("content-type")), (422, Some(FHIR)), "{code}");
        let outcome = answer.json();
        assert_no_empty_arrays(&outcome);
        let issue = &outcome["issue"][0];
        let codes = [0, 1].map(|at| issue["details"]["coding"][at]["code"].clone());
        assert_eq!((codes, &issue["code"]), ([json!("feed_unreadable"), json!(code)], &json!(kind)));
        assert!(issue["diagnostics"].as_str().unwrap().starts_with(diagnostics), "{issue}");
    }
    let headers = [("authorization", "Bearer bk_x"), ("content-type", FHIR), ("accept-language", "id")];
    let refused = app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, &whole).json();
    assert_eq!(refused["issue"][0]["details"]["coding"][0]["code"], "api_key_wrong");
    let english = bukti_locales::text(bukti_locales::Locale::En, "problems.api_key_wrong.detail");
    assert_eq!(refused["issue"][0]["diagnostics"], english);
}

/// A sender may switch from Bundles to single resources or Bulk Data without changing its events.
#[test]
fn fhir_forms_of_one_event_are_duplicates() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    // A polio dose without a dose number, which polio certificates do not need.
    let polio = FeedRow {
        sent_at: "2025-12-01T08:00:00+07:00".into(),
        vaksin: "bOPV".into(),
        tanggal_vaksinasi: "2025-11-20".into(),
        ..dose("POLIO")
    };
    let mut file: Value = serde_json::from_slice(&fhir_bundle(&[polio])).unwrap();
    file["entry"][0]["resource"].as_object_mut().unwrap().remove("protocolApplied");
    let (immunization, mut patient) =
        (file["entry"][0]["resource"].clone(), file["entry"][1]["resource"].clone());
    patient["id"] = json!("p");
    let mut alone = immunization.clone();
    alone["contained"] = json!([patient]);
    alone["patient"]["reference"] = json!("#p");
    let mut lines = immunization;
    lines["patient"]["reference"] = json!("Patient/p");
    let outcome = |kind: &str, file: String| {
        let answer = send(&app, &key, kind, file.as_bytes());
        let issue = answer.json()["issue"][0].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&issue["details"]["coding"][0]["code"]), text(&issue["expression"][0]), issue)
    };
    let first = outcome(FHIR, file.to_string());
    assert_eq!((&*first.0, &*first.1), ("issued", "Bundle.entry[0].resource"));
    let second = outcome(FHIR, format!("{alone:#}"));
    assert_eq!((&*second.0, &*second.1), ("duplicate", "Immunization"), "{}", second.2);
    let third = outcome("application/fhir+ndjson", format!("{patient}\n{lines}\n"));
    assert_eq!((&*third.0, &*third.1), ("duplicate", ""), "{}", third.2);
    assert!(third.2["diagnostics"].as_str().unwrap().starts_with("Line 2, event POLIO: "));
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1);

    alone["status"] = json!("entered-in-error");
    alone["meta"]["lastUpdated"] = json!("2025-12-02T08:00:00+07:00");
    ["patient", "contained"].iter().for_each(|field| drop(alone.as_object_mut().unwrap().remove(*field)));
    assert_eq!(outcome(FHIR, alone.to_string()).0, "retracted");
}

/// Resources without `meta.lastUpdated` get the time of receipt. A retry finds the same job and is
/// therefore idempotent.
#[test]
fn fhir_without_timestamp_uses_time_of_receipt() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    let mut file: Value = serde_json::from_slice(&fhir_bundle(&[dose("E1")])).unwrap();
    file["entry"][0]["resource"].as_object_mut().unwrap().remove("meta");
    let file = file.to_string().into_bytes();
    let first = send(&app, &key, FHIR, &file);
    assert_eq!(first.json()["issue"][0]["details"]["coding"][0]["code"], "issued");
    assert_eq!(send(&app, &key, FHIR, &file).body, first.body);
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1);
}

/// An interrupted request has already created its job. The retry has to use the job's time of
/// receipt, so that its rows are the same.
#[test]
fn retried_fhir_keeps_time_of_first_receipt() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    let mut file: Value = serde_json::from_slice(&fhir_bundle(&[dose("E1")])).unwrap();
    file["entry"][0]["resource"].as_object_mut().unwrap().remove("meta");
    let file = file.to_string().into_bytes();
    let received_at = "2026-01-02T03:04:05Z".parse().unwrap();
    let (sent, hub) = (file.clone(), bukti_records::Sender::Hub("satudata".to_owned()));
    app.with_aws(async |aws| {
        let job = bukti_store::Senders::new(&aws).job(&hub, &sent);
        let record = JobRecord { sender: Some(hub.clone()), updated_at: received_at, ..JobRecord::default() };
        bukti_store::Jobs::new(&aws).begin(&job, record).await.unwrap();
    });
    assert_eq!(send(&app, &key, FHIR, &file).status, 200);
    app.with_aws(async |aws| {
        let dose = bukti_store::Doses::new(&aws).of_event(&aws.keys.event("E1")).await.unwrap().unwrap();
        let sent_at: Vec<_> = dose.history.versions().iter().map(|version| version.sent_at).collect();
        assert_eq!(sent_at, [received_at]);
    });
}

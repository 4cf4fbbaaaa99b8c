//! Facilities and hubs that send doses with their API keys.

use std::collections::BTreeMap;

use bukti_domain::FeedRow;
use bukti_records::JobRecord;
use bukti_store::Cause;
use bukti_tests::caller::RawResponse;
use bukti_tests::{TestApp, csv, dose, dose_for, fhir_bundle, ndjson, retraction};
use bukti_wire::{OtpRoute, SenderRoute};
use futures::StreamExt;
use serde_json::{Value, json};

const OWN: &str = "P3174020101";
const FHIR: &str = "application/fhir+json";

/// A key of `--facility CODE` or `--hub NAME`.
fn key(app: &TestApp, sender: [&str; 2]) -> String {
    app.bukti_ok(&["key", "add", sender[0], sender[1]]).trim().to_owned()
}

fn send(app: &TestApp, key: &str, kind: &str, body: &[u8]) -> RawResponse {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", kind)];
    app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, body)
}

fn job(app: &TestApp, key: &str, job: &str) -> RawResponse {
    let authorization = format!("Bearer {key}");
    app.caller().send("GET", &SenderRoute::Job.path_of(job), &[("authorization", &authorization)], b"")
}

/// Outcome and reasons of each row.
fn rows(answer: &RawResponse) -> Vec<(String, String)> {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let answer = answer.json();
    let rows = answer["rows"].as_array().unwrap().iter();
    let reasons = |row: &Value| {
        row["reasons"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(";")
    };
    rows.map(|row| (row["outcome"].as_str().unwrap().to_owned(), reasons(row))).collect()
}

fn told(outcome: &str, reasons: &str) -> (String, String) {
    (outcome.to_owned(), reasons.to_owned())
}

#[test]
fn facility_gets_row_results_and_retries_are_idempotent() {
    let app = TestApp::start();
    let key = key(&app, ["--facility", OWN]);
    let incomplete = FeedRow { batch: String::new(), ..dose_for(2, "E2") };
    let sent = csv(&[dose("E1"), incomplete.clone(), dose("E1")]);

    let first = send(&app, &key, "text/csv", &sent);
    let expected = [told("issued", ""), told("incomplete", "batch_missing"), told("duplicate", "")];
    assert_eq!(rows(&first), expected);
    let answer = first.json();
    assert_eq!(answer["totals"], json!({"issued": 1, "incomplete": 1, "duplicate": 1}));
    assert_eq!((&answer["rows"][1]["line"], &answer["rows"][1]["event_id"]), (&json!(3), &json!("E2")));
    // Whoever got no answer sends it again, and gets that of the first time.
    assert_eq!(send(&app, &key, "text/csv", &sent).body, first.body);
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1, "the person has their SMS, once");

    let id = answer["job"].as_str().unwrap();
    let stands = job(&app, &key, id).json();
    let expected = json!({
        "job": id, "state": "done", "rows": 3, "rows_kept": 3, "totals": answer["totals"], "report": stands["report"],
    });
    assert_eq!(stands, expected);
    let (status, report) = app.fetch(stands["report"].as_str().unwrap());
    let lines = "line,event_id,outcome,reasons,duplicate_of\n2,E1,issued,,\n3,E2,incomplete,batch_missing,\n4,E1,duplicate,,\n";
    assert_eq!((status, &*String::from_utf8(report).unwrap()), (200, lines));

    // What was missing, in another form: it corrects its own.
    let completed = FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..dose_for(2, "E2") };
    assert_eq!(rows(&send(&app, &key, "application/x-ndjson", &ndjson(&[completed]))), [told("issued", "")]);
}

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

/// No array of a resource is empty, which FHIR forbids.
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
    let bad = FeedRow { nik: "31".into(), ..dose("E2") };
    let refused = send(&app, &key, FHIR, &typed("transaction", &[dose("E1"), bad.clone()]));
    let outcome = refused.json();
    let codes = |at: usize| outcome["issue"][at]["details"]["coding"][1]["code"].clone();
    assert_eq!(
        (refused.status, codes(0), codes(1)),
        (422, json!("transaction_refused"), json!("nik_malformed"))
    );
    assert_no_empty_arrays(&outcome);
    app.wait_until_idle();
    assert_eq!(app.messages(), []);

    let batch = send(&app, &key, FHIR, &typed("batch", &[dose("E1"), bad]));
    assert_eq!(batch.status, 200);
    let kept = send(&app, &key, FHIR, &typed("transaction", &[dose_for(1, "E3")]));
    assert_eq!(
        (kept.status, &kept.json()["issue"][0]["details"]["coding"][0]["code"]),
        (200, &json!("issued"))
    );
    // What a facility may not send is judged by who sends it, and refuses the whole as well.
    let facility = self::key(&app, ["--facility", OWN]);
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

/// Answers are English whatever language the caller has, and name the code of what is wrong.
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

/// A sender may change from Bundles to single resources and Bulk Data: an event stays the event that it is.
#[test]
fn fhir_forms_of_one_event_are_duplicates() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    // A dose against polio, without a number: its certificate does not count doses.
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

/// What says no time of its own was sent when it was received; the same again is the same job, and changes nothing.
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

/// A request that broke off before its answer has left its job behind: sent again, its rows are those of the first time.
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
        let begun = JobRecord { sender: Some(hub.clone()), updated_at: received_at, ..JobRecord::default() };
        bukti_store::Jobs::new(&aws).begin(&job, begun).await.unwrap();
    });
    assert_eq!(send(&app, &key, FHIR, &file).status, 200);
    app.with_aws(async |aws| {
        let dose = bukti_store::Doses::new(&aws).of_event(&aws.keys.event("E1")).await.unwrap().unwrap();
        let sent_at: Vec<_> = dose.history.versions().iter().map(|version| version.sent_at).collect();
        assert_eq!(sent_at, [received_at]);
    });
}

#[test]
fn senders_correct_own_events_and_hubs_all() {
    let app = TestApp::start();
    let [own, others] = [OWN, "P3201010102"].map(|code| key(&app, ["--facility", code]));
    let hub = key(&app, ["--hub", "satudata"]);
    let later = |event: &str, facility: &str, batch: &str| {
        csv(&[FeedRow {
            sent_at: "2021-03-01T08:00:00+07:00".into(),
            kode_faskes: facility.into(),
            batch: batch.into(),
            ..dose_for(if event == "HUB" { 1 } else { 2 }, event)
        }])
    };
    app.import(&[dose_for(1, "HUB")]);
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[dose_for(2, "OWN")]))), [told("issued", "")]);
    app.wait_until_idle();
    let before = app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        doses.of_event(&aws.keys.event("OWN")).await.unwrap().unwrap().revision
    });

    let another = [told("rejected", "event_of_another")];
    assert_eq!(rows(&send(&app, &own, "text/csv", &later("HUB", OWN, "B2"))), another);
    assert_eq!(rows(&send(&app, &others, "text/csv", &later("OWN", "P3201010102", "B2"))), another);
    let of_another = [told("rejected", "facility_of_another")];
    assert_eq!(rows(&send(&app, &others, "text/csv", &later("OWN", OWN, "B2"))), of_another);
    assert_eq!(rows(&send(&app, &others, "text/csv", &csv(&[dose("NEW")]))), of_another);
    app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        assert_eq!(doses.of_event(&aws.keys.event("OWN")).await.unwrap().unwrap().revision, before);
        assert!(doses.of_event(&aws.keys.event("NEW")).await.unwrap().is_none());
    });

    assert_eq!(rows(&send(&app, &hub, "text/csv", &later("OWN", OWN, "B2"))), [told("issued", "")]);
    assert_eq!(rows(&send(&app, &hub, "text/csv", &later("HUB", OWN, "B2"))), [told("issued", "")]);
    // It stays whose it was.
    let mut last = dose_for(2, "OWN");
    (last.sent_at, last.batch) = ("2021-04-01T08:00:00+07:00".into(), "B3".into());
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[last]))), [told("issued", "")]);
}

#[test]
fn only_first_sender_or_hub_retracts() {
    let app = TestApp::start();
    let [own, others] = [OWN, "P3201010102"].map(|code| key(&app, ["--facility", code]));
    let hub = key(&app, ["--hub", "satudata"]);
    let retracted = |event: &str| csv(&[retraction(event, "2021-03-01T08:00:00+07:00")]);
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[dose_for(1, "A"), dose_for(2, "B")]))).len(), 2);
    app.import(&[dose_for(3, "HUB")]);
    let another = [told("rejected", "event_of_another")];
    assert_eq!(rows(&send(&app, &others, "text/csv", &retracted("A"))), another);
    assert_eq!(rows(&send(&app, &own, "text/csv", &retracted("HUB"))), another);
    assert_eq!(rows(&send(&app, &own, "text/csv", &retracted("A"))), [told("retracted", "")]);
    assert_eq!(rows(&send(&app, &hub, "text/csv", &retracted("B"))), [told("retracted", "")]);
    assert_eq!(rows(&send(&app, &hub, "text/csv", &retracted("HUB"))), [told("retracted", "")]);
    let fhir = send(&app, &hub, FHIR, &fhir_bundle(&[retraction("C", "2021-03-01T08:00:00+07:00")])).json();
    let issue = &fhir["issue"][0];
    assert_eq!(issue["severity"], "information");
    assert_eq!(issue["diagnostics"], "Event C: retracted, a certificate of it is revoked.");
    assert_eq!(issue["details"]["coding"][0]["code"], "retracted");
}

#[test]
fn job_is_visible_to_its_sender_and_hubs() {
    let app = TestApp::start();
    let [own, others] = [OWN, "P3201010102"].map(|code| key(&app, ["--facility", code]));
    let hub = key(&app, ["--hub", "satudata"]);
    let sent = send(&app, &own, "text/csv", &csv(&[dose("E1")]));
    let id = sent.json()["job"].as_str().unwrap().to_owned();
    let nobodys = job(&app, &others, "nobodys");
    assert_eq!(nobodys.status, 404);
    assert_eq!(job(&app, &others, &id).body, nobodys.body, "another's is answered as nobody's");
    assert_eq!(job(&app, &own, &id).status, 200);
    assert_eq!(job(&app, &hub, &id).status, 200);

    let mut rows: Vec<FeedRow> = (0..2001).map(|at| dose(&format!("F{at}"))).collect();
    rows.iter_mut().for_each(|row| row.batch.clear());
    app.upload_feed("large.csv", csv(&rows));
    assert_eq!(job(&app, &own, "large").status, 404, "what was dropped is a hub's");
    let stands = job(&app, &hub, "large").json();
    assert_eq!((&stands["state"], &stands["totals"]), (&json!("done"), &json!({"incomplete": 2001})));
    let report = String::from_utf8(app.fetch(stands["report"].as_str().unwrap()).1).unwrap();
    assert_eq!(report.lines().count(), 2002);
    let wrong = app.caller().send(
        "GET",
        &SenderRoute::Job.path_of("large?after=x"),
        &[("authorization", &format!("Bearer {hub}"))],
        b"",
    );
    assert_eq!((wrong.status, &wrong.json()["code"]), (422, &json!("invalid_input")));
}

#[test]
fn unreadable_request_is_rejected_without_storing_rows() {
    let app = TestApp::start();
    let key = key(&app, ["--facility", OWN]);
    let whole = csv(&[dose("E1"), dose("E2")]);
    let many: Vec<FeedRow> =
        (0..1001).map(|at| FeedRow { event_id: at.to_string(), ..FeedRow::default() }).collect();
    let many = csv(&many);
    // Few rows, and more than 8 MiB once it is unpacked.
    let long = format!("{{\"event_id\":\"A\",\"nama\":\"{}\"}}\n", "0".repeat(60_000)).repeat(150);
    for (body, status, code, error) in [
        (
            &whole[..whole.len() - 40],
            422,
            "feed_unreadable",
            json!([{"field": "line 3", "code": "broken_off"}]),
        ),
        (b"", 422, "feed_unreadable", json!([{"field": "line 1", "code": "empty"}])),
        (b"a,b\n1,2\n", 422, "feed_unreadable", json!([{"field": "line 1", "code": "header_wrong"}])),
        (
            b"{\"resourceType\":\"Patient\"}",
            422,
            "feed_unreadable",
            json!([{"field": "line 1", "code": "not_a_bundle"}]),
        ),
        (b"%PDF-1.7", 422, "feed_unreadable", json!([{"field": "line 1", "code": "pdf"}])),
        (
            b"PK\x03\x04[Content_Types].xml xl/workbook.xml",
            422,
            "feed_unreadable",
            json!([{"field": "line 1", "code": "excel_workbook"}]),
        ),
        (&many, 413, "too_many_rows", Value::Null),
        (&zstd::encode_all(&*many, 3).unwrap(), 413, "too_many_rows", Value::Null),
        (&[b'x'; (1 << 20) + 1], 413, "body_too_large", Value::Null),
        (&zstd::encode_all(long.as_bytes(), 3).unwrap(), 413, "body_too_large", Value::Null),
    ] {
        let refused = send(&app, &key, "text/csv", body);
        let told = refused.json();
        assert_eq!((refused.status, &told["code"], &told["errors"]), (status, &json!(code), &error));
        // In words, too, for whoever reads the answer.
        let line = error[0]["field"].as_str().map(|field| field.replace("line", "Line"));
        let detail = told["detail"].as_str().unwrap();
        assert!(line.is_none_or(|line| detail.contains(&format!("{line}: "))), "{detail}");
    }
    app.wait_until_idle();
    app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        assert!(doses.of_event(&aws.keys.event("E1")).await.unwrap().is_none());
    });
    assert_eq!(app.messages(), []);
}

#[test]
fn response_to_largest_body_fits_lambda() {
    let app = TestApp::start();
    let key = key(&app, ["--hub", "satudata"]);
    // All that 8 MiB unpacked have room for, in ids.
    let ids = (0..1000).map(|at| format!("{at:04}{}", "A".repeat(8_250)));
    let row = |id| format!("{{\"event_id\":\"{id}\",\"sent_at\":\"2021-01-29T08:41:34+07:00\"}}\n");
    let rows: String = ids.map(row).collect();
    let body = zstd::encode_all(rows.as_bytes(), 3).unwrap();
    let mut sent = send(&app, &key, "application/x-ndjson", &body);
    for _ in 0..20 {
        // A sender that gets no answer in time sends the same again.
        if sent.status == 503 {
            sent = send(&app, &key, "application/x-ndjson", &body);
        }
    }
    assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.body));
    let answer = sent.json();
    assert_eq!(answer["rows"].as_array().unwrap().len(), 1000);
    assert!(sent.body.len() < 6_000_000, "{} bytes", sent.body.len());
    let (_, report) =
        app.fetch(job(&app, &key, answer["job"].as_str().unwrap()).json()["report"].as_str().unwrap());
    assert!(report.len() < 6_000_000, "{} bytes in the report", report.len());

    // An id that a row may have is told whole.
    let id = "B".repeat(300);
    let sent = send(&app, &key, "text/csv", &csv(&[dose(&id)]));
    assert_eq!(
        (&sent.json()["rows"][0]["outcome"], &sent.json()["rows"][0]["event_id"]),
        (&json!("issued"), &json!(id))
    );
}

#[test]
fn api_keys_overlap_during_rotation_and_end() {
    let app = TestApp::start();
    let (old, new) = (key(&app, ["--facility", OWN]), key(&app, ["--facility", OWN]));
    let id = |key: &str| key.split('_').nth(1).unwrap().to_owned();
    assert_eq!((old.len(), old.split('_').nth(2).unwrap().len()), (34, 22));
    let sent = csv(&[dose("E1")]);
    assert_eq!(rows(&send(&app, &old, "text/csv", &sent)), [told("issued", "")]);
    // The same sender, whichever key it shows: this is the same job, and its own event.
    assert_eq!(rows(&send(&app, &new, "text/csv", &sent)), [told("issued", "")]);

    assert!(app.bukti_ok(&["key", "revoke", &id(&old), "--in", "7d"]).starts_with("ends at 20"));
    assert_eq!(send(&app, &old, "text/csv", &sent).status, 200, "both are good meanwhile");
    assert_eq!(app.bukti_ok(&["key", "revoke", &id(&old)]), "ended\n");
    // What has ended does not begin again.
    app.bukti_ok(&["key", "revoke", &id(&old), "--in", "7d"]);
    let listed = app.bukti_ok(&["key", "list"]);
    let line = |key: &str| listed.lines().find(|line| line.starts_with(&id(key))).unwrap();
    assert!(line(&old).contains(OWN) && line(&old).ends_with("ended"), "{listed}");
    assert!(line(&new).contains("last used") && !line(&new).contains("end"), "{listed}");
    assert!(!listed.contains(old.split('_').nth(2).unwrap()));

    let secret = new.split('_').nth(2).unwrap();
    for wrong in [
        old.clone(),
        String::new(),
        "bk_".to_owned(),
        format!("bk_{}_", id(&new)),
        format!("bk_{}_{}", id(&new), secret.to_lowercase()),
        format!("bk_{}_{secret}", id(&old)),
        format!("{new}A"),
        new[1..].to_owned(),
        format!("bk_AAAAAAAA_{secret}"),
    ] {
        let refused = send(&app, &wrong, "text/csv", &sent);
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("api_key_wrong")), "{wrong}");
    }
    let basic = app.caller().send("POST", SenderRoute::SendDoses.path(), &[("authorization", &*new)], &sent);
    assert_eq!(basic.status, 401, "a key comes as a bearer's");
    assert_eq!(send(&app, &new, "text/csv", &sent).status, 200);

    let said = app.bukti(&["key", "revoke", "AAAAAAAA"]);
    assert!(said.code == 1 && said.stderr.contains("no key AAAAAAAA"), "{}", said.stderr);
    assert_eq!(app.bukti(&["key", "add"]).code, 2);
    assert_eq!(app.bukti(&["key", "add", "--facility", "A", "--hub", "B"]).code, 2);
    app.with_aws(async |aws| {
        let keys = bukti_store::Senders::new(&aws).all().await.unwrap();
        assert!(!format!("{keys:?}").contains(secret), "of a key its hash is kept");
    });
}

#[test]
fn sender_rate_limit_spans_its_keys() {
    let app = TestApp::start();
    let keys = [OWN, OWN].map(|code| key(&app, ["--facility", code]));
    let others = key(&app, ["--facility", "P3201010102"]);
    let sent = send(&app, &keys[0], "text/csv", &csv(&[dose("E1")])).json();
    // The window that a minute begins with may end in between.
    let asked: Vec<RawResponse> =
        (0..300).map(|at| job(&app, &keys[at % 2], sent["job"].as_str().unwrap())).collect();
    let mut told: BTreeMap<u16, usize> = BTreeMap::new();
    asked.iter().for_each(|answer| *told.entry(answer.status).or_default() += 1);
    assert!(told[&200] >= 119 && told[&200] <= 239 && told[&429] >= 60, "{told:?}");
    let full = asked.iter().find(|answer| answer.status == 429).unwrap();
    let wait: u64 = full.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(job(&app, &others, "nobodys").status, 404, "others have their own");
}

#[test]
fn doses_over_daily_quota_of_person_are_held() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", OWN]);
    // Each another vaccination by its batch and day.
    let given = |from: u32, to: u32| -> Vec<FeedRow> {
        let given = |at: u32| FeedRow {
            tanggal_vaksinasi: format!("2021-01-{:02}", 1 + at % 28),
            dosis_ke: (1 + at / 28).to_string(),
            ..dose(&format!("E{at}"))
        };
        (from..to).map(given).collect()
    };
    let answer = send(&app, &own, "application/x-ndjson", &ndjson(&given(0, 30)));
    let held = rows(&answer).into_iter().filter(|row| *row == told("held", "too_many_doses")).count();
    assert_eq!(held, 10, "of 30 at once");
    let more = send(&app, &own, "application/x-ndjson", &ndjson(&given(30, 32)));
    let over = told("held", "too_many_doses");
    assert_eq!(rows(&more), [over.clone(), over], "nor in another request");
    assert_eq!(
        send(&app, &own, "application/x-ndjson", &ndjson(&given(30, 32))).body,
        more.body,
        "sent again"
    );

    let other = send(&app, &own, "application/x-ndjson", &ndjson(&[dose_for(1, "O1")]));
    assert_eq!(rows(&other), [told("issued", "")], "of somebody else");
    let hub = key(&app, ["--hub", "dinkes"]);
    let later = FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..given(31, 32).remove(0) };
    for again in [given(30, 31).remove(0), later] {
        let put_right = send(&app, &hub, "application/x-ndjson", &ndjson(&[again]));
        assert_eq!(rows(&put_right), [told("issued", "")], "what a hub says again counts");
    }
    let retracted =
        send(&app, &own, "application/x-ndjson", &ndjson(&[retraction("E0", "2021-02-01T08:00:00+07:00")]));
    assert_eq!(rows(&retracted), [told("retracted", "")], "what was wrong can be taken back");
}

#[test]
fn repeated_and_corrected_doses_consume_no_quota() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", OWN]);
    let given = |at: u32| FeedRow {
        tanggal_vaksinasi: format!("2021-01-{:02}", 1 + at),
        dosis_ke: (1 + at % 9).to_string(),
        ..dose(&format!("E{at}"))
    };
    let sent = |file: &[FeedRow]| rows(&send(&app, &own, "application/x-ndjson", &ndjson(file)));
    let file: Vec<FeedRow> = (0..15).map(given).collect();
    for _ in 0..3 {
        assert_eq!(sent(&file), vec![told("issued", ""); 15], "the same file again");
    }
    assert_eq!(sent(&(15..20).map(given).collect::<Vec<_>>()), vec![told("issued", ""); 5]);
    let over = vec![told("held", "too_many_doses")];
    assert_eq!(sent(&[given(20)]), over);

    let later = |row: FeedRow| FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..row };
    let corrected = FeedRow { batch: "CORRECTED".into(), ..later(given(0)) };
    assert_eq!(sent(&[corrected]), [told("issued", "")], "a correction over the quota");
    assert_eq!(sent(&[later(given(20))]), over, "a held dose is not released by a correction");
    // One new event counts once, and all its rows go the same way, however many come at once.
    let rows_of = |event: &str, person: usize| -> Vec<FeedRow> {
        let row = |at: u32| FeedRow {
            sent_at: format!("2021-03-01T08:00:{at:02}+07:00"),
            batch: format!("B{at}"),
            ..dose_for(person, event)
        };
        (0..60).map(row).collect()
    };
    let many = sent(&rows_of("E30", 2));
    assert_eq!(many.last(), Some(&told("issued", "")));
    assert!(many[..59].iter().all(|row| *row == told("superseded", "")), "{many:?}");
    // Nor is the quota escaped by doses of others that are then said to be this person's.
    assert_eq!(sent(&[dose_for(1, "E21")]), [told("issued", "")]);
    assert_eq!(sent(&[later(given(21))]), over);
}

#[test]
fn phone_gets_20_dose_sms_daily() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", OWN]);
    let family: Vec<FeedRow> = (1..=40).map(|person| dose_for(person, &format!("E{person}"))).collect();
    send(&app, &own, "application/x-ndjson", &ndjson(&family));
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 20);
    // What others have sent keeps nothing from the phone.
    let phone = &family[0].no_hp;
    let cookie = app.log_in(phone, None);
    assert_eq!(app.messages().len(), 21);
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 200);
    let elsewhere = FeedRow { no_hp: "0821-0669-0744".into(), ..dose_for(41, "E41") };
    send(&app, &own, "application/x-ndjson", &ndjson(&[elsewhere]));
    app.wait_until_idle();
    assert_eq!(app.messages_to("0821-0669-0744").len(), 1);
}

#[test]
fn facility_has_daily_limit_of_dose_sms() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let phone = |number: usize| bukti_domain::PhoneNumber::parse(&format!("0812{number:08}")).unwrap();
        let own = Cause::Dose { facility: Some(OWN) };
        let sms = &sms;
        let first = sms.allow(own, &phone(0), now).await.unwrap();
        let allow = |at: usize| async move { sms.allow(own, &phone(at), now).await.is_ok() };
        let allowed: Vec<bool> =
            futures::stream::iter((1..5_010).map(allow)).buffer_unordered(20).collect().await;
        let sent = allowed.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(sent + 1, 5_000);
        sms.give_back(&first, now).await.unwrap();
        assert!(sms.allow(own, &phone(0), now).await.is_ok(), "what the SMS service refused is given back");
        // What a full limit of the facility refused has cost the phone nothing, and others keep
        // nothing from notices of what happened.
        let other = Cause::Dose { facility: Some("P3201010102") };
        assert!(sms.allow(other, &phone(0), now).await.is_ok());
    });
}

#[test]
fn other_sms_consume_no_quota_of_security_notices() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let to = bukti_domain::PhoneNumber::parse("081234567890").unwrap();
        let others = [
            Cause::Helpdesk,
            Cause::Request,
            Cause::Dose { facility: None },
            Cause::Dose { facility: Some(OWN) },
        ];
        for cause in others {
            for _ in 0..30 {
                let _ = sms.allow(cause, &to, now).await;
            }
            assert!(sms.allow(cause, &to, now).await.is_err());
        }
        let notice = Cause::Security { facility: Some(OWN) };
        for _ in 0..20 {
            assert!(sms.allow(notice, &to, now).await.is_ok());
        }
        assert!(sms.allow(notice, &to, now).await.is_err());
    });
}

//! Facilities and hubs that send doses with API keys.

use bukti_domain::FeedRow;
use bukti_tests::caller::RawResponse;
use bukti_tests::{TestApp, csv, dose, dose_for, fhir_bundle, ndjson, retraction};
use bukti_wire::SenderRoute;
use serde_json::{Value, json};

pub(crate) const FACILITY: &str = "P3174020101";
pub(crate) const FHIR: &str = "application/fhir+json";

/// Creates an API key for a sender, which is given as `--facility CODE` or `--hub NAME`.
pub(crate) fn key(app: &TestApp, sender: [&str; 2]) -> String {
    app.bukti_ok(&["api-key", "create", sender[0], sender[1]]).trim().to_owned()
}

pub(crate) fn send(app: &TestApp, key: &str, content_type: &str, body: &[u8]) -> RawResponse {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", content_type)];
    app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, body)
}

pub(crate) fn job(app: &TestApp, key: &str, job: &str) -> RawResponse {
    let authorization = format!("Bearer {key}");
    app.caller().send("GET", &SenderRoute::Job.path_of(job), &[("authorization", &authorization)], b"")
}

/// The outcome and the reasons of each row in a successful response.
pub(crate) fn rows(response: &RawResponse) -> Vec<(String, String)> {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    let response = response.json();
    let rows = response["rows"].as_array().unwrap().iter();
    let reasons = |row: &Value| {
        row["reasons"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(";")
    };
    rows.map(|row| (row["outcome"].as_str().unwrap().to_owned(), reasons(row))).collect()
}

pub(crate) fn row_result(outcome: &str, reasons: &str) -> (String, String) {
    (outcome.to_owned(), reasons.to_owned())
}

#[test]
fn facility_gets_row_results_and_retries_are_idempotent() {
    let app = TestApp::start();
    let key = key(&app, ["--facility", FACILITY]);
    let incomplete = FeedRow { batch: String::new(), ..dose_for(2, "E2") };
    let sent = csv(&[dose("E1"), incomplete.clone(), dose("E1")]);

    let first = send(&app, &key, "text/csv", &sent);
    let expected =
        [row_result("issued", ""), row_result("incomplete", "batch_missing"), row_result("duplicate", "")];
    assert_eq!(rows(&first), expected);
    let answer = first.json();
    assert_eq!(answer["totals"], json!({"issued": 1, "incomplete": 1, "duplicate": 1}));
    assert_eq!((&answer["rows"][1]["line"], &answer["rows"][1]["event_id"]), (&json!(3), &json!("E2")));
    // A retry gets the same response.
    assert_eq!(send(&app, &key, "text/csv", &sent).body, first.body);
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1, "the retry sends no second SMS");

    let id = answer["job"].as_str().unwrap();
    let status = job(&app, &key, id).json();
    let expected = json!({
        "job": id, "state": "done", "rows": 3, "rows_kept": 3, "totals": answer["totals"], "report": status["report"],
    });
    assert_eq!(status, expected);
    let (status, report) = app.fetch(status["report"].as_str().unwrap());
    let lines = "line,event_id,outcome,reasons,duplicate_of\n2,E1,issued,,\n3,E2,incomplete,batch_missing,\n4,E1,duplicate,,\n";
    assert_eq!((status, &*String::from_utf8(report).unwrap()), (200, lines));

    // The sender completes its own event, in another format.
    let completed = FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..dose_for(2, "E2") };
    assert_eq!(
        rows(&send(&app, &key, "application/x-ndjson", &ndjson(&[completed]))),
        [row_result("issued", "")]
    );
}

#[test]
fn senders_correct_own_events_and_hubs_all() {
    let app = TestApp::start();
    let [own, others] = [FACILITY, "P3201010102"].map(|code| key(&app, ["--facility", code]));
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
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[dose_for(2, "OWN")]))), [row_result("issued", "")]);
    app.wait_until_idle();
    let before = app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        doses.of_event(&aws.keys.event("OWN")).await.unwrap().unwrap().revision
    });

    let foreign_event = [row_result("rejected", "event_of_another")];
    assert_eq!(rows(&send(&app, &own, "text/csv", &later("HUB", FACILITY, "B2"))), foreign_event);
    assert_eq!(rows(&send(&app, &others, "text/csv", &later("OWN", "P3201010102", "B2"))), foreign_event);
    let foreign_facility = [row_result("rejected", "facility_of_another")];
    assert_eq!(rows(&send(&app, &others, "text/csv", &later("OWN", FACILITY, "B2"))), foreign_facility);
    assert_eq!(rows(&send(&app, &others, "text/csv", &csv(&[dose("NEW")]))), foreign_facility);
    app.with_aws(async |aws| {
        let doses = bukti_store::Doses::new(&aws);
        assert_eq!(doses.of_event(&aws.keys.event("OWN")).await.unwrap().unwrap().revision, before);
        assert!(doses.of_event(&aws.keys.event("NEW")).await.unwrap().is_none());
    });

    assert_eq!(
        rows(&send(&app, &hub, "text/csv", &later("OWN", FACILITY, "B2"))),
        [row_result("issued", "")]
    );
    assert_eq!(
        rows(&send(&app, &hub, "text/csv", &later("HUB", FACILITY, "B2"))),
        [row_result("issued", "")]
    );
    // A hub's correction does not change the owner of the event.
    let mut last = dose_for(2, "OWN");
    (last.sent_at, last.batch) = ("2021-04-01T08:00:00+07:00".into(), "B3".into());
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[last]))), [row_result("issued", "")]);
}

#[test]
fn only_first_sender_or_hub_retracts() {
    let app = TestApp::start();
    let [own, others] = [FACILITY, "P3201010102"].map(|code| key(&app, ["--facility", code]));
    let hub = key(&app, ["--hub", "satudata"]);
    let retracted = |event: &str| csv(&[retraction(event, "2021-03-01T08:00:00+07:00")]);
    assert_eq!(rows(&send(&app, &own, "text/csv", &csv(&[dose_for(1, "A"), dose_for(2, "B")]))).len(), 2);
    app.import(&[dose_for(3, "HUB")]);
    let foreign_event = [row_result("rejected", "event_of_another")];
    assert_eq!(rows(&send(&app, &others, "text/csv", &retracted("A"))), foreign_event);
    assert_eq!(rows(&send(&app, &own, "text/csv", &retracted("HUB"))), foreign_event);
    assert_eq!(rows(&send(&app, &own, "text/csv", &retracted("A"))), [row_result("retracted", "")]);
    assert_eq!(rows(&send(&app, &hub, "text/csv", &retracted("B"))), [row_result("retracted", "")]);
    assert_eq!(rows(&send(&app, &hub, "text/csv", &retracted("HUB"))), [row_result("retracted", "")]);
    let fhir = send(&app, &hub, FHIR, &fhir_bundle(&[retraction("C", "2021-03-01T08:00:00+07:00")])).json();
    let issue = &fhir["issue"][0];
    assert_eq!(issue["severity"], "information");
    assert_eq!(issue["diagnostics"], "Event C: retracted, a certificate of it is revoked.");
    assert_eq!(issue["details"]["coding"][0]["code"], "retracted");
}

#[test]
fn job_is_visible_to_its_sender_and_hubs() {
    let app = TestApp::start();
    let [own, others] = [FACILITY, "P3201010102"].map(|code| key(&app, ["--facility", code]));
    let hub = key(&app, ["--hub", "satudata"]);
    let sent = send(&app, &own, "text/csv", &csv(&[dose("E1")]));
    let id = sent.json()["job"].as_str().unwrap().to_owned();
    let missing = job(&app, &others, "missing");
    assert_eq!(missing.status, 404);
    assert_eq!(job(&app, &others, &id).body, missing.body, "foreign and missing jobs get the same response");
    assert_eq!(job(&app, &own, &id).status, 200);
    assert_eq!(job(&app, &hub, &id).status, 200);

    let mut rows: Vec<FeedRow> = (0..2001).map(|at| dose(&format!("F{at}"))).collect();
    rows.iter_mut().for_each(|row| row.batch.clear());
    app.upload_feed("large.csv", csv(&rows));
    assert_eq!(job(&app, &own, "large").status, 404, "feeds in the drop folder belong to hubs");
    let status = job(&app, &hub, "large").json();
    assert_eq!((&status["state"], &status["totals"]), (&json!("done"), &json!({"incomplete": 2001})));
    let report = String::from_utf8(app.fetch(status["report"].as_str().unwrap()).1).unwrap();
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
    let key = key(&app, ["--facility", FACILITY]);
    let whole = csv(&[dose("E1"), dose("E2")]);
    let many: Vec<FeedRow> =
        (0..1001).map(|at| FeedRow { event_id: at.to_string(), ..FeedRow::default() }).collect();
    let many = csv(&many);
    // Only 150 rows, but more than 8 MiB uncompressed.
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
        let problem = refused.json();
        assert_eq!((refused.status, &problem["code"], &problem["errors"]), (status, &json!(code), &error));
        // The human-readable detail names the line, too.
        let line = error[0]["field"].as_str().map(|field| field.replace("line", "Line"));
        let detail = problem["detail"].as_str().unwrap();
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
    // 1,000 rows whose ids take up the 8 MiB to which the uncompressed body of a request is
    // limited.
    let ids = (0..1000).map(|at| format!("{at:04}{}", "A".repeat(8_250)));
    let row = |id| format!("{{\"event_id\":\"{id}\",\"sent_at\":\"2021-01-29T08:41:34+07:00\"}}\n");
    let rows: String = ids.map(row).collect();
    let body = zstd::encode_all(rows.as_bytes(), 3).unwrap();
    let mut sent = send(&app, &key, "application/x-ndjson", &body);
    for _ in 0..20 {
        // Retry the same request after a timeout, as a sender would.
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

    // An id of permitted length is reported without truncation.
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
    let (old, new) = (key(&app, ["--facility", FACILITY]), key(&app, ["--facility", FACILITY]));
    let id = |key: &str| key.split('_').nth(1).unwrap().to_owned();
    assert_eq!((old.len(), old.split('_').nth(2).unwrap().len()), (34, 22));
    let sent = csv(&[dose("E1")]);
    assert_eq!(rows(&send(&app, &old, "text/csv", &sent)), [row_result("issued", "")]);
    // Both keys belong to the same sender, so the second request finds the same job and the
    // sender's own event.
    assert_eq!(rows(&send(&app, &new, "text/csv", &sent)), [row_result("issued", "")]);

    assert!(app.bukti_ok(&["api-key", "revoke", &id(&old), "--in", "7d"]).starts_with("ends at 20"));
    assert_eq!(send(&app, &old, "text/csv", &sent).status, 200, "both keys work during the overlap");
    assert_eq!(app.bukti_ok(&["api-key", "revoke", &id(&old)]), "ended\n");
    // An API key that has ended cannot be extended.
    app.bukti_ok(&["api-key", "revoke", &id(&old), "--in", "7d"]);
    let listed = app.bukti_ok(&["api-key", "list"]);
    let line = |key: &str| listed.lines().find(|line| line.starts_with(&id(key))).unwrap();
    assert!(line(&old).contains(FACILITY) && line(&old).ends_with("ended"), "{listed}");
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
    assert_eq!(basic.status, 401, "keys need the Bearer scheme");
    assert_eq!(send(&app, &new, "text/csv", &sent).status, 200);

    let output = app.bukti(&["api-key", "revoke", "AAAAAAAA"]);
    assert!(output.code == 1 && output.stderr.contains("no key AAAAAAAA"), "{}", output.stderr);
    assert_eq!(app.bukti(&["api-key", "create"]).code, 2);
    assert_eq!(app.bukti(&["api-key", "create", "--facility", "A", "--hub", "B"]).code, 2);
    app.with_aws(async |aws| {
        let keys = bukti_store::Senders::new(&aws).all().await.unwrap();
        assert!(!format!("{keys:?}").contains(secret), "only the key's hash is stored");
    });
}

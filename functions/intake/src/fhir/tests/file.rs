//! Tests of file forms, requests, transactions and limits.

use bukti_domain::Reason;
use serde_json::{Value, json};

use super::{bundle, immunization, location, patient, read, reasons, rows, with};
use crate::feed::{read_in_pieces, read_summaries};
use crate::fhir::FhirKind;
use crate::line::Line;

#[test]
fn reads_single_resource_and_bulk_data() {
    let contained = with(immunization(), json!({"patient": {"reference": "#p"}, "contained": [patient()]}));
    let (lines, problem, kind) = read(&format!("{contained:#}"));
    assert_eq!((lines.len(), problem, kind), (1, None, Some(FhirKind::Resource)));

    let second = with(immunization(), json!({"identifier": [{"value": "PCARE-2"}]}));
    let file = format!(
        "{}\n\n{}\r\n{}\n{{\"resourceType\":7}}\n{}\n",
        patient(),
        immunization(),
        second,
        location()
    );
    let (lines, problem, kind) = read(&file);
    assert_eq!((problem, kind), (None, Some(FhirKind::Lines)));
    let readable: Vec<(u64, bool)> = lines.iter().map(|line| (line.line, line.row.is_ok())).collect();
    assert_eq!(readable, [(3, true), (4, true), (5, false)]);
    assert_eq!(read_summaries(file.as_bytes()).0.len(), 3);
    let truncated = &file[..file.len() - 20];
    assert_eq!(read(truncated).1.as_deref(), Some("broken_off"));
    for damaged in ["{\"resourceType\":\"Immunization\"", "nonsense", "[]", "{\"resourceType\":\"Bundle\"}"] {
        let file = format!("{}\n{damaged}\n{}\n", patient(), immunization());
        let (lines, problem, _) = read(&file);
        assert_eq!((problem, reasons(&lines)), (None, vec![Some(Reason::RowMalformed), None]), "{damaged}");
        assert_eq!(lines[0].line, 2);
    }
    assert_eq!(read(&format!("{}\n{}\n", patient(), location())).1.as_deref(), Some("not_a_bundle"));
}

#[test]
fn rejects_requests_to_delete_or_patch() {
    let requested = |kind: &str, method: &str, url: &str| {
        let mut file = with(bundle(&[immunization(), patient()]), json!({"type": kind}));
        let request = json!({"request": {"method": method, "url": url}});
        file["entry"].as_array_mut().unwrap().push(request);
        let lines = read(&file.to_string()).0;
        let summary = |line: Line| match line.row {
            Ok(row) => (row.event_id, None),
            Err(unreadable) => (unreadable.event_id, Some(unreadable.reason)),
        };
        lines.into_iter().map(summary).collect::<Vec<_>>()
    };
    let kept = ("PCARE-1".to_owned(), None);
    for (method, url, id) in [
        ("DELETE", "Immunization/7", "7"),
        ("DELETE", "https://fhir.example.go.id/Immunization/7", "7"),
        ("PATCH", "Immunization/7/_history/1", "7"),
        ("DELETE", "Immunization?identifier=A", "?identifier=A"),
    ] {
        let rejected = (id.to_owned(), Some(Reason::RequestUnsupported));
        assert_eq!(requested("batch", method, url), [kept.clone(), rejected.clone()], "{method} {url}");
        let same_transaction = ("PCARE-1".to_owned(), Some(Reason::TransactionRefused));
        assert_eq!(requested("transaction", method, url), [same_transaction, rejected], "{method} {url}");
    }
    for (method, url) in [("DELETE", "Patient/p"), ("GET", "Immunization/7"), ("POST", "Immunization")] {
        assert_eq!(requested("transaction", method, url), std::slice::from_ref(&kept), "{method} {url}");
    }
}

#[test]
fn accepts_all_rows_of_transaction_or_none() {
    let second = with(immunization(), json!({"identifier": [{"value": "PCARE-2"}]}));
    let read_as = |kind: &str, second: &Value| {
        let file = with(bundle(&[immunization(), second.clone(), patient()]), json!({"type": kind}));
        let (lines, problem, kind) = read(&file.to_string());
        assert_eq!(problem, None);
        (reasons(&lines), kind == Some(FhirKind::Transaction))
    };
    assert_eq!(read_as("transaction", &second), (vec![None, None], true));
    for (bad, reason) in [
        (json!({"status": "not-done"}), Reason::NotCompleted),
        (json!({"occurrenceDateTime": "2021"}), Reason::VaccinationDateInvalid),
        (json!({"patient": {"reference": "Patient/q"}}), Reason::PatientMissing),
        (json!({"isSubpotent": true}), Reason::Subpotent),
    ] {
        let bad = with(second.clone(), bad);
        let rejected = vec![Some(Reason::TransactionRefused), Some(reason)];
        assert_eq!(read_as("transaction", &bad), (rejected, true));
        assert_eq!(read_as("batch", &bad).0[0], None, "the other rows of a batch are accepted");
    }
    // An incomplete row does not make the transaction fail, since a later row can complete it.
    assert_eq!(read_as("transaction", &with(second, json!({"lotNumber": null}))).0, [None, None]);
}

#[test]
fn unreadable_entries_do_not_stop_the_others() {
    let changed = |fields: Value| with(immunization(), fields);
    let lines = rows(&[
        changed(json!({"patient": {"reference": "Patient/q"}})),
        changed(json!({"patient": {"reference": "Location/l"}})),
        changed(json!({"lotNumber": 7})),
        json!({"resourceType": "Practitioner"}),
        json!([]),
        immunization(),
        patient(),
        location(),
    ]);
    let results: Vec<(u64, Option<Reason>)> =
        lines.into_iter().map(|line| (line.line, line.row.err().map(|it| it.reason))).collect();
    let expected = [
        (1, Some(Reason::PatientMissing)),
        (2, Some(Reason::PatientMissing)),
        (3, Some(Reason::RowMalformed)),
        (5, Some(Reason::RowMalformed)),
        (6, None),
    ];
    assert_eq!(results, expected);
}

#[test]
fn rejects_only_resource_that_is_too_long() {
    let coding = json!({"coding": vec![json!({"code": "511"}); 65]});
    let lines = rows(&[
        with(immunization(), json!({"lotNumber": "x".repeat(64 * 1024)})),
        with(immunization(), json!({"vaccineCode": coding})),
        immunization(),
        patient(),
        location(),
    ]);
    assert_eq!(reasons(&lines), [Some(Reason::RowMalformed), Some(Reason::RowMalformed), None]);
}

#[test]
fn malformed_or_large_files_have_problem_codes() {
    let many = json!({"resourceType": "Bundle", "entry": vec![json!({}); 100_000]}).to_string();
    let lines = "{\"resourceType\":\"Patient\"}\n".repeat(10_002);
    let large = json!({"resourceType": "Bundle", "type": "x".repeat(17 * 1024 * 1024)}).to_string();
    for (text, code) in [
        ("{\"resourceType\": \"Bundle\", \"entry\": [", "broken_off"),
        ("{\"resourceType\": \"Bundle\"} {\"resourceType\": \"Bundle\"}", "json_malformed"),
        ("{\"resourceType\": \"Patient\"}\n{\"resourceType\": \"Location\"}", "not_a_bundle"),
        ("{\"resourceType\": \"Bundle\", \"entry\": 7}", "not_a_bundle"),
        ("{\"resourceType\": \"Patient\"}", "not_a_bundle"),
        (&*many, "bundle_too_large"),
        (&*lines, "bundle_too_large"),
        (&*large, "bundle_too_large"),
    ] {
        let (lines, problem) = read_in_pieces(text.as_bytes(), 4096);
        assert_eq!((lines.len(), problem.map(|it| it.code).as_deref()), (0, Some(code)));
    }
    for open in ["[", "{\"a\":"] {
        let deep = format!("{{\"resourceType\": \"Bundle\", \"entry\": {}", open.repeat(100_000));
        assert_eq!(read_summaries(deep.as_bytes()).1.unwrap().code, "nested_too_deeply");
        let pretty = deep.replace(open, &format!("\n{open}"));
        assert_eq!(read_summaries(pretty.as_bytes()).1.unwrap().code, "nested_too_deeply");
    }
}

#[test]
fn truncated_lines_of_bulk_data_stand_alone() {
    let truncated = "{\"a\":[{\"b\":\"\\\n".repeat(100);
    let file = format!("{}\n{truncated}{}\n", patient(), immunization());
    let (lines, problem) = read_summaries(file.as_bytes());
    assert_eq!((lines.len(), problem), (101, None));
    assert_eq!(lines.last().map(|(line, _)| *line), Some(102));
    let deep = format!("{}\n{}\n", patient(), "[".repeat(129));
    assert_eq!(read_summaries(deep.as_bytes()).1.unwrap().code, "nested_too_deeply");
}

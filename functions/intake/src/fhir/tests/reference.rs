//! Tests of references between resources.

use bukti_domain::Reason;
use serde_json::{Value, json};

use super::{immunization, location, patient, read, reasons, row, rows, with};
use crate::fhir::identifier::NIK;

#[test]
fn resolves_every_kind_of_reference() {
    let base = "https://fhir.example.go.id/r4";
    let addressed = |reference: &str, patient_url: Value| {
        let file = json!({"resourceType": "Bundle", "entry": [
            {"fullUrl": patient_url, "resource": patient()},
            {"fullUrl": format!("{base}/Immunization/i"), "resource": with(immunization(), json!({"patient": {"reference": reference}}))},
        ]});
        read(&file.to_string()).0.remove(0).row.map(|row| row.nik).ok()
    };
    for (reference, url) in [
        ("Patient/p", Value::Null),
        ("Patient/p/_history/3", Value::Null),
        ("Patient/p", json!(format!("{base}/Patient/p"))),
        ("https://fhir.example.go.id/r4/Patient/p", json!(format!("{base}/Patient/p"))),
        ("https://fhir.example.go.id/r4/Patient/p/_history/2", json!(format!("{base}/Patient/p/_history/2"))),
        ("https://fhir.example.go.id/r4/Patient/p", Value::Null),
        ("urn:uuid:1", json!("urn:uuid:1")),
        ("URN:UUID:0A1b", json!("urn:uuid:0a1B")),
        ("Patient?identifier=https://fhir.kemkes.go.id/id/nik|3171012401896246", json!("urn:uuid:1")),
        ("Patient?identifier=https%3A%2F%2Ffhir.kemkes.go.id%2Fid%2Fnik%7C3171012401896246", Value::Null),
    ] {
        assert_eq!(
            addressed(reference, url.clone()).as_deref(),
            Some("3171012401896246"),
            "{reference} {url}"
        );
    }
    for (reference, url) in [
        ("Patient/q", Value::Null),
        ("Location/p", Value::Null),
        ("https://other.example/r4/Patient/p", json!(format!("{base}/Patient/p"))),
        ("Patient/p", json!("https://other.example/r4/Patient/p")),
        ("#p", Value::Null),
        ("Patient?name=Iwan", Value::Null),
    ] {
        assert_eq!(addressed(reference, url.clone()), None, "{reference} {url}");
    }
    // Two patients with the same id are ambiguous.
    let other = with(patient(), json!({"name": [{"text": "Lain"}]}));
    let lines = rows(&[immunization(), patient(), other]);
    assert_eq!(reasons(&lines), [Some(Reason::PatientMissing)]);
}

#[test]
fn resolves_versions_of_one_resource() {
    let version = |id: &str, updated: &str, name: &str| {
        let meta = json!({"versionId": id, "lastUpdated": updated});
        with(patient(), json!({"meta": meta, "name": [{"text": name}]}))
    };
    let versions = [
        version("3", "2021-01-03T00:00:00Z", "Ketiga"),
        version("1", "2021-01-01T00:00:00Z", "Pertama"),
        version("2", "2021-01-02T00:00:00Z", "Kedua"),
    ];
    let read = |reference: &str, url: Value, versions: &[Value]| {
        let mut entries: Vec<Value> =
            versions.iter().map(|it| json!({"fullUrl": url, "resource": it})).collect();
        let fields = json!({"patient": {"reference": reference}});
        entries.push(json!({"resource": with(immunization(), fields)}));
        let file = json!({"resourceType": "Bundle", "type": "history", "entry": entries});
        read(&file.to_string()).0.remove(0).row.ok().map(|row| row.nama)
    };
    let url = json!("https://fhir.example.go.id/Patient/p");
    for (reference, expected) in [
        ("Patient/p/_history/1", Some("Pertama")),
        ("Patient/p/_history/2", Some("Kedua")),
        ("https://fhir.example.go.id/Patient/p/_history/1", Some("Pertama")),
        ("Patient/p", Some("Ketiga")),
        ("https://fhir.example.go.id/Patient/p", Some("Ketiga")),
        ("Patient/p/_history/9", Some("Ketiga")),
    ] {
        assert_eq!(read(reference, url.clone(), &versions).as_deref(), expected, "{reference}");
    }
    // Without an address, the versions may come from two servers, unless the reference names one of
    // them.
    assert_eq!(read("Patient/p/_history/2", Value::Null, &versions).as_deref(), Some("Kedua"));
    assert_eq!(read("Patient/p", Value::Null, &versions), None);
    let again = version("2", "2021-01-02T00:00:00Z", "Lain");
    assert_eq!(read("Patient/p/_history/2", Value::Null, &[versions[2].clone(), again]), None);
}

#[test]
fn resolves_contained_resources_and_logical_references() {
    let contained = with(
        immunization(),
        json!({
            "patient": {"reference": "#p"}, "location": {"reference": "#l"}, "contained": [patient(), location()],
        }),
    );
    for lines in [rows(std::slice::from_ref(&contained)), read(&contained.to_string()).0] {
        let row = lines.into_iter().next().unwrap().row.unwrap();
        assert_eq!((&*row.nik, &*row.kode_faskes), ("3171012401896246", "P3174020101"));
    }
    let marked = with(contained, json!({"contained": [with(patient(), json!({"id": "#p"})), location()]}));
    assert_eq!(read(&marked.to_string()).0.remove(0).row.unwrap().nik, "3171012401896246");
    let logical = json!({"identifier": {"system": NIK, "value": "3171012401896246"}});
    let logical = with(immunization(), json!({"patient": logical}));
    assert_eq!(row(logical.clone(), patient()).nama, "Iwan Ibrahim Purnomo");
    let alone = rows(&[logical]).remove(0).row.unwrap();
    assert_eq!((&*alone.nik, &*alone.nama), ("3171012401896246", ""));
}

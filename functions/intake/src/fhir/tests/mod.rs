//! Resources that the tests share, and tests of the mapping to rows.

mod file;
mod person;
mod reference;
mod vaccination;

use bukti_domain::{FeedRow, Reason};
use serde_json::{Value, json};

use super::FhirKind;
use super::identifier::NIK;
use crate::{FeedReader, Line};

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p",
        "identifier": [
            {"system": "https://fhir.kemkes.go.id/id/nik-ibu", "value": "3171015501706246"},
            {"use": "official", "system": NIK, "value": "3171012401896246"},
            {"type": {"coding": [{"code": "PPN"}]}, "value": "A1234567"},
        ],
        "name": [{"text": "Iwan"}, {"use": "official", "given": ["Iwan", "Ibrahim"], "family": "Purnomo"}],
        "telecom": [
            {"system": "email", "value": "i@example.org"},
            {"system": "phone", "use": "home", "value": "0215551234"},
            {"system": "phone", "use": "mobile", "value": "082106690743"},
        ],
        "gender": "male",
        "birthDate": "1989-01-24",
    })
}

fn immunization() -> Value {
    json!({
        "resourceType": "Immunization", "id": "i",
        "meta": {"lastUpdated": "2021-01-29T08:41:34+07:00"},
        "identifier": [{"value": "other"}, {"use": "official", "value": "PCARE-1"}],
        "status": "completed",
        "vaccineCode": {"coding": [
            {"system": "http://snomed.info/sct", "code": "1"},
            {"system": "http://hl7.org/fhir/sid/cvx", "code": "511"},
        ]},
        "patient": {"reference": "Patient/p", "display": "Iwan"},
        "occurrenceDateTime": "2021-01-29T07:00:00+07:00",
        "recorded": "2021-01-30",
        "location": {"reference": "Location/l", "display": "Ruang 2"},
        "lotNumber": "AZ56327A",
        "performer": [
            {"actor": {"reference": "Practitioner/1", "display": "Dr. A"}},
            {"actor": {"reference": "Organization/10000004"}},
        ],
        "protocolApplied": [{"doseNumberPositiveInt": 1}],
    })
}

fn location() -> Value {
    json!({"resourceType": "Location", "id": "l", "name": "Puskesmas Kebayoran Baru", "identifier": [{"value": "P3174020101"}]})
}

/// Changes fields of a resource; `null` removes a field.
fn with(mut resource: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        match value {
            Value::Null => drop(resource.as_object_mut().unwrap().remove(name)),
            value => resource[name] = value.clone(),
        }
    }
    resource
}

fn bundle(resources: &[Value]) -> Value {
    let entries: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "timestamp": "2021-02-01T00:00:00Z", "entry": entries})
}

/// Reads a file that was received on 2021-03-02. Returns its lines, the code of its problem, and
/// its kind.
fn read(file: &str) -> (Vec<Line>, Option<String>, Option<FhirKind>) {
    let mut reader = FeedReader::new("2021-03-02T00:00:00Z".parse().unwrap());
    let mut lines = Vec::new();
    let mut rest = Ok(Some(file.as_bytes()));
    while let Ok(Some(piece)) = rest {
        rest = reader.push(piece, &mut lines);
    }
    let problem = rest.and_then(|_| reader.finish(&mut lines)).err().map(|problem| problem.code);
    (lines, problem, reader.fhir())
}

fn rows(resources: &[Value]) -> Vec<Line> {
    read(&bundle(resources).to_string()).0
}

/// Maps an Immunization with its Patient and the default Location to a row.
fn row(immunization: Value, patient: Value) -> FeedRow {
    rows(&[immunization, patient, location()]).remove(0).row.unwrap()
}

fn reasons(lines: &[Line]) -> Vec<Option<Reason>> {
    lines.iter().map(|line| line.row.as_ref().err().map(|it| it.reason)).collect()
}

#[test]
fn reads_an_immunization_with_its_patient() {
    let expected = FeedRow {
        event_id: "PCARE-1".to_owned(),
        sent_at: "2021-01-29T08:41:34+07:00".to_owned(),
        nik: "3171012401896246".to_owned(),
        paspor: "A1234567".to_owned(),
        nama: "Iwan Ibrahim Purnomo".to_owned(),
        tanggal_lahir: "1989-01-24".to_owned(),
        jenis_kelamin: "L".to_owned(),
        no_hp: "082106690743".to_owned(),
        dosis_ke: "1".to_owned(),
        vaksin: "CoronaVac".to_owned(),
        batch: "AZ56327A".to_owned(),
        tanggal_vaksinasi: "2021-01-29".to_owned(),
        kode_faskes: "P3174020101".to_owned(),
        nama_faskes: "Puskesmas Kebayoran Baru".to_owned(),
        status: String::new(),
    };
    assert_eq!(row(immunization(), patient()).fields(), expected.fields());
}

#[test]
fn missing_fields_have_fallbacks() {
    let without = |name: &str| with(immunization(), json!({name: null}));
    assert_eq!(row(without("identifier"), patient()).event_id, "i");
    assert_eq!(row(without("meta"), patient()).sent_at, "2021-02-01T00:00:00Z");
    let file = with(bundle(&[without("meta"), patient()]), json!({"timestamp": null}));
    assert_eq!(read(&file.to_string()).0[0].row.as_ref().unwrap().sent_at, "2021-03-02T00:00:00Z");
    let elsewhere = row(without("location"), patient());
    let facility = (&*elsewhere.kode_faskes, &*elsewhere.nama_faskes);
    assert_eq!(facility, ("10000004", ""), "the name of the practitioner is not used");
    for name in ["vaccineCode", "lotNumber", "protocolApplied", "occurrenceDateTime"] {
        let row = row(without(name), patient());
        let empty: Vec<&str> = row.fields().into_iter().filter(|field| field.is_empty()).collect();
        assert_eq!(empty.len(), 2, "{name}: the status and one more");
    }
    let full_url = json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "urn:uuid:7/_history/2", "resource": with(immunization(), json!({"identifier": null, "id": null}))},
        {"resource": patient()},
    ]});
    assert_eq!(read(&full_url.to_string()).0[0].row.as_ref().unwrap().event_id, "urn:uuid:7");
}

#[test]
fn event_id_is_same_with_and_without_bundle() {
    let event = |file: &Value| read(&file.to_string()).0[0].row.as_ref().unwrap().event_id.clone();
    let contained = json!({"patient": {"reference": "#p"}, "contained": [patient()]});
    for (fields, expected) in [
        (json!({}), "PCARE-1"),
        (json!({"identifier": null}), "i"),
        (json!({"identifier": [{"use": "old", "value": "A"}]}), "i"),
        (json!({"identifier": [{"value": " "}]}), "i"),
    ] {
        let alone = with(with(immunization(), contained.clone()), fields);
        assert_eq!(event(&alone), expected);
        assert_eq!(event(&bundle(std::slice::from_ref(&alone))), expected);
        let entry = |url: &str, resource: &Value| json!({"resourceType": "Bundle", "entry": [{"fullUrl": url, "resource": resource}]});
        assert_eq!(event(&entry("urn:uuid:7", &alone)), expected);
        // Only the address contains the id of the resource.
        let without_id = with(alone, json!({"id": null}));
        for url in ["https://fhir.example.go.id/r4/Immunization/i", "http://hub/Immunization/i/_history/2"] {
            assert_eq!(event(&entry(url, &without_id)), expected, "{url}");
        }
    }
}

#[test]
fn reads_null_as_empty_list() {
    let lists = ["identifier", "contained", "performer", "modifierExtension"];
    let nulls = |resource: &Value, lists: &[&str]| {
        let mut resource = resource.clone();
        lists.iter().for_each(|list| resource[*list] = Value::Null);
        resource
    };
    let other = nulls(&patient(), &["modifierExtension", "telecom"]);
    let read = row(nulls(&immunization(), &lists), other);
    assert_eq!((&*read.event_id, &*read.nik, &*read.no_hp), ("i", "3171012401896246", ""));
    let names = json!([{"given": null, "family": "Purnomo"}, null]);
    assert!(rows(&[immunization(), with(patient(), json!({"name": names}))])[0].row.is_err());
    let names = json!([{"given": null, "family": "Purnomo"}]);
    assert_eq!(row(immunization(), with(patient(), json!({"name": names}))).nama, "Purnomo");
    let unnumbered = nulls(&immunization(), &["protocolApplied"]);
    assert_eq!(row(unnumbered, patient()).dosis_ke, "");
}

#[test]
fn rejects_resources_with_changed_meaning() {
    let modifier = json!([{"url": "https://example.org/not-given", "valueBoolean": true}]);
    let changed = |fields: Value| rows(&[with(immunization(), fields), patient()]);
    assert_eq!(reasons(&changed(json!({"isSubpotent": true}))), [Some(Reason::Subpotent)]);
    assert_eq!(reasons(&changed(json!({"modifierExtension": modifier}))), [Some(Reason::ModifierUnknown)]);
    let lines = rows(&[immunization(), with(patient(), json!({"modifierExtension": modifier}))]);
    assert_eq!(reasons(&lines), [Some(Reason::ModifierUnknown)]);
    let contained = with(patient(), json!({"modifierExtension": modifier}));
    let lines = changed(json!({"patient": {"reference": "#p"}, "contained": [contained]}));
    assert_eq!(reasons(&lines), [Some(Reason::ModifierUnknown)]);
    let performer = json!([{"actor": {"reference": "Organization/1"}, "modifierExtension": modifier}]);
    let protocol = json!([{"doseNumberPositiveInt": 1, "modifierExtension": modifier}]);
    let other = json!([{"resourceType": "Observation", "modifierExtension": modifier}]);
    for parts in
        [json!({"performer": performer}), json!({"protocolApplied": protocol}), json!({"contained": other})]
    {
        assert_eq!(reasons(&changed(parts)), [Some(Reason::ModifierUnknown)]);
    }
    let lines = rows(&[immunization(), patient(), with(location(), json!({"modifierExtension": modifier}))]);
    assert_eq!(reasons(&lines), [Some(Reason::ModifierUnknown)]);
    // Resources to which the Immunization does not refer leave its meaning unchanged.
    let lines = rows(&[
        immunization(),
        patient(),
        with(location(), json!({"id": "x", "modifierExtension": modifier})),
        json!({"resourceType": "Observation", "modifierExtension": modifier}),
    ]);
    assert_eq!(reasons(&lines), [None]);
    for harmless in
        [json!({"isSubpotent": false}), json!({"modifierExtension": []}), json!({"extension": modifier})]
    {
        assert_eq!(reasons(&changed(harmless)), [None]);
    }
    for status in ["not-done", "unknown", ""] {
        assert_eq!(reasons(&changed(json!({"status": status}))), [Some(Reason::NotCompleted)], "{status}");
    }
}

#[test]
fn reads_retraction_without_patient() {
    let retracted = with(
        immunization(),
        json!({"status": "entered-in-error", "patient": null, "isSubpotent": true, "vaccineCode": null}),
    );
    let row = rows(&[retracted]).remove(0).row.unwrap();
    assert_eq!((&*row.status, &*row.event_id, &*row.nik), ("entered-in-error", "PCARE-1", ""));
}

use serde_json::{Value, json};

use super::*;
use crate::FeedReader;
use crate::feed::told_by_all_pieces;

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

/// A resource with some of its fields otherwise; `null` takes one away.
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

/// What is read of a file that was received on the second of March 2021.
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

fn row(immunization: Value, patient: Value) -> FeedRow {
    // What is referred to may be behind what refers to it.
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
fn takes_what_is_missing_from_elsewhere() {
    let without = |name: &str| with(immunization(), json!({name: null}));
    assert_eq!(row(without("identifier"), patient()).event_id, "i");
    assert_eq!(row(without("meta"), patient()).sent_at, "2021-02-01T00:00:00Z");
    let file = with(bundle(&[without("meta"), patient()]), json!({"timestamp": null}));
    assert_eq!(read(&file.to_string()).0[0].row.as_ref().unwrap().sent_at, "2021-03-02T00:00:00Z");
    let elsewhere = row(without("location"), patient());
    assert_eq!((&*elsewhere.kode_faskes, &*elsewhere.nama_faskes), ("10000004", ""), "no person's name");
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
fn names_an_event_alike_with_and_without_a_bundle() {
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
        // The address of the resource is the only place where its id is.
        let without_id = with(alone, json!({"id": null}));
        for url in ["https://fhir.example.go.id/r4/Immunization/i", "http://hub/Immunization/i/_history/2"] {
            assert_eq!(event(&entry(url, &without_id)), expected, "{url}");
        }
    }
}

#[test]
fn a_list_may_be_null() {
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
fn takes_the_current_name() {
    for (names, expected) in [
        (json!([{"use": "maiden", "text": "Nama Lama"}, {"use": "usual", "text": "Nama Baru"}]), "Nama Baru"),
        (json!([{"use": "old", "text": "Nama Lama"}, {"text": "Nama Baru"}]), "Nama Baru"),
        (json!([{"use": "nickname", "text": "Iwan"}, {"use": "official", "text": "Nama Baru"}]), "Nama Baru"),
        (
            json!([{"use": "official", "text": "Nama Lama", "period": {"end": "2020-12-31"}}, {"use": "usual", "text": "Nama Baru"}]),
            "Nama Baru",
        ),
        (
            json!([{"use": "official", "text": "Nama Baru", "period": {"end": "2021-01-29"}}, {"use": "usual", "text": "Lain"}]),
            "Nama Baru",
        ),
        (
            json!([{"use": "official", "text": "A", "period": {"end": "2020"}}, {"text": "Nama Baru"}]),
            "Nama Baru",
        ),
        (
            json!([{"use": "official", "text": "A", "period": {"start": "2021-02"}}, {"text": "Nama Baru"}]),
            "Nama Baru",
        ),
        (
            json!([{"use": "official", "text": "Nama Baru", "period": {"start": "2021-01-29"}}, {"text": "A"}]),
            "Nama Baru",
        ),
        (
            json!([{"use": "temp", "text": "A"}, {"use": "anonymous", "text": "B"}, {"text": "Nama Baru"}]),
            "Nama Baru",
        ),
        (json!([{"text": "", "given": ["Iwan"], "family": "Purnomo"}]), "Iwan Purnomo"),
        (
            json!([{"prefix": ["dr."], "given": ["Iwan", "Ibrahim"], "family": "Purnomo", "suffix": ["Sp.A"]}]),
            "Iwan Ibrahim Purnomo",
        ),
        (json!([{"text": " \u{200b}", "given": ["Iwan", null, ""], "family": "Purnomo"}]), "Iwan Purnomo"),
        (json!([{"use": "official", "text": ""}, {"use": "usual", "text": "Nama Baru"}]), "Nama Baru"),
        (json!([{"use": "maiden", "text": "Nama Gadis"}]), "Nama Gadis"),
        (json!([{"use": "old", "text": "Nama Lama"}]), ""),
        (json!([{"use": "anonymous", "text": "Anonim"}]), ""),
        (json!([{"text": "-", "given": ["Iwan"], "family": "Purnomo"}]), "Iwan Purnomo"),
        (json!([{"text": "null", "given": ["Iwan"], "family": "Purnomo"}]), "Iwan Purnomo"),
        (json!([{"text": "#N/A", "given": ["Iwan"]}]), "Iwan"),
        (json!([{"text": "Null"}]), "Null"),
        (json!([{"use": "official", "text": "-"}, {"use": "usual", "text": "Nama Baru"}]), "Nama Baru"),
        (json!([{"given": ["-"], "family": "-"}]), ""),
        (json!([]), ""),
    ] {
        let row = row(immunization(), with(patient(), json!({"name": names})));
        assert_eq!(row.nama, expected, "{names}");
    }
}

#[test]
fn signs_the_family_name_of_a_passport_holder() {
    let passport = json!([{"system": PASSPORT, "value": "E12345678"}]);
    for (name, family, given) in [
        (json!({"family": "De la Cruz", "given": ["Maria"]}), "De la Cruz", "Maria"),
        (json!({"text": "-", "family": "De la Cruz", "given": ["Maria", "Ana"]}), "De la Cruz", "Maria Ana"),
        (json!({"family": "De la Cruz", "given": ["Ma"]}), "De la Cruz", "Ma"),
        (json!({"family": "Cruz", "given": ["Maria, Ana"]}), "Cruz", "Maria Ana"),
        (json!({"family": "De la Cruz, Santos", "given": ["Maria, Ana"]}), "De la Cruz Santos", "Maria Ana"),
        (json!({"family": "Smith", "given": ["-"]}), "Smith", ""),
        (json!({"family": "-", "given": ["Suharto"]}), "Suharto", ""),
        (
            json!({"text": "Maria De la Cruz", "family": "De la Cruz", "given": ["Maria"]}),
            "Cruz",
            "Maria De la",
        ),
    ] {
        let patient = with(patient(), json!({"identifier": passport, "name": [name]}));
        let signed = row(immunization(), patient).dose().certified_name().unwrap();
        assert_eq!((signed.family(), signed.given()), (family, given), "{name}");
    }
    let name = json!([{"family": "De la Cruz", "given": ["Maria"]}]);
    let of_nik = row(immunization(), with(patient(), json!({"name": name})));
    assert_eq!(of_nik.nama, "Maria De la Cruz", "names of a NIK have no family name");
}

#[test]
fn takes_the_current_identifiers() {
    let (nik, other) = ("3171012401896246", "3171012401890000");
    for identifiers in [
        json!([{"use": "old", "system": NIK, "value": other}, {"system": NIK, "value": nik}]),
        json!([{"system": NIK, "value": other, "period": {"end": "2020-01"}}, {"system": NIK, "value": nik}]),
        json!([{"use": "usual", "system": NIK, "value": other}, {"use": "official", "system": NIK, "value": nik}]),
        json!([{"use": "official", "system": NIK, "value": ""}, {"use": "usual", "system": NIK, "value": nik}]),
        json!([{"system": "http://fhir.kemkes.go.id/id/nik/", "value": nik}]),
        json!([{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NNIDN"}]}, "value": nik}]),
    ] {
        let row = row(immunization(), with(patient(), json!({"identifier": identifiers})));
        assert_eq!(row.nik, nik, "{identifiers}");
    }
    for (system, code) in [("nik-ibu", "NNIDN"), ("nik/ibu", "NNIDN"), ("paspor-ibu", "PPN")] {
        let system = format!("http://FHIR.kemkes.go.id/id/{system}");
        let of_mother = json!([{"system": system, "type": {"coding": [{"code": code}]}, "value": other}]);
        let row = row(immunization(), with(patient(), json!({"identifier": of_mother})));
        assert_eq!((&*row.nik, &*row.paspor), ("", ""), "{of_mother}");
    }
    let events = json!([{"use": "old", "value": "A"}, {"use": "usual", "value": "B"}, {"value": "C"}]);
    assert_eq!(row(with(immunization(), json!({"identifier": events})), patient()).event_id, "B");
}

#[test]
fn takes_the_current_phone() {
    let mobile = |value: &str| json!([{"system": "phone", "use": "mobile", "value": value}]);
    for (telecom, expected) in [
        (
            json!([{"system": "phone", "use": "old", "value": "081611119901"}, {"system": "phone", "use": "home", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "mobile", "value": "0811", "period": {"end": "2019-05-01"}}, {"system": "sms", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([
                {"system": "phone", "use": "mobile", "rank": 2, "value": "081611119901"},
                {"system": "phone", "use": "mobile", "rank": 1, "value": "081611119902"},
            ]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "home", "value": "0215551234"}, {"system": "phone", "use": "work", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "work", "value": "081611119901"}, {"system": "phone", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "work", "rank": 1, "value": "081611119901"}, {"system": "phone", "use": "home", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "mobile", "value": "-"}, {"system": "phone", "use": "home", "value": "081611119902"}]),
            "081611119902",
        ),
        (
            json!([
                {"system": "phone", "use": "mobile", "value": "0215551234"},
                {"system": "phone", "use": "home", "value": "081611119901"},
                {"system": "phone", "use": "mobile", "value": "081611119902"},
            ]),
            "081611119902",
        ),
        (
            json!([{"system": "phone", "use": "home", "value": "0215551234"}, {"system": "phone", "use": "mobile", "value": "tidak ada"}]),
            "tidak ada",
        ),
        (
            json!([{"system": "email", "value": "i@example.org"}, {"system": "fax", "value": "081611119902"}]),
            "",
        ),
        (json!([{"system": "phone", "use": "old", "value": "081611119901"}]), ""),
        (mobile("tel:+62-816-1111-9905"), "+62-816-1111-9905"),
        (mobile("TEL:0816%201111%209905;phone-context=+62"), "+620816 1111 9905"),
        (mobile("tel:81611119905;phone-context=+65"), "+6581611119905"),
        (mobile("tel:+62(816)1111.9905;phone-context=+65;isub=1"), "+62(816)1111.9905"),
        (mobile("tel:081611119905;phone-context=example.org"), "081611119905"),
        (mobile("sms:+6281611119905?body=halo"), "+6281611119905"),
        (mobile("tel:081611119905;ext=12"), "081611119905;ext=12"),
        (json!([{"value": "tel:+6281611119905"}]), "+6281611119905"),
    ] {
        let row = row(immunization(), with(patient(), json!({"telecom": telecom})));
        assert_eq!(row.no_hp, expected, "{telecom}");
    }
    let extension =
        row(immunization(), with(patient(), json!({"telecom": mobile("tel:081611119905;ext=12")})));
    assert!(extension.dose().phone.is_none(), "a number with an extension gets no SMS");
    for (value, expected) in [
        ("tel:+62-816-1111-9905", Some("+6281611119905")),
        ("tel:0816.1111.9905;phone-context=+62", Some("+6281611119905")),
        ("SMS:+62%20816%201111%209905", Some("+6281611119905")),
        ("tel:081611119905;phone-context=+65", None),
    ] {
        let row = row(immunization(), with(patient(), json!({"telecom": mobile(value)})));
        assert_eq!(row.dose().phone.as_ref().map(|phone| phone.e164()), expected, "{value}");
    }
}

#[test]
fn takes_the_local_day_of_the_facility() {
    for (occurrence, facility, day) in [
        ("2026-11-19T23:30:00+00:00", "P3174020101", "2026-11-20"),
        ("2026-11-19T23:30:00Z", "", "2026-11-20"),
        ("2026-11-19T16:30:00Z", "P3174020101", "2026-11-19"),
        ("2026-11-19T16:30:00Z", "P5171020101", "2026-11-20"),
        ("2026-11-19T15:30:00Z", "P9471020101", "2026-11-20"),
        ("2026-11-20T08:00:00+09:00", "P3174020101", "2026-11-20"),
        ("2026-11-20T00:30:00.123+09:00", "P3174020101", "2026-11-19"),
        ("2026-11-20T00:30:00+09:00", "klinik-7", "2026-11-20"),
        ("2026-11-20T00:30:00+0900", "10000004", "2026-11-20"),
        ("2026-11-20T00:30:00+08:00", "", "2026-11-20"),
        ("2026-11-20T00:30:00+07:00", "klinik-7", "2026-11-20"),
        ("2026-11-20T00:30:00+09:00", "P5171020101", "2026-11-19"),
        ("2026-11-20T00:30:00+10:00", "klinik-7", "2026-11-19"),
        ("2026-11-20", "P9471020101", "2026-11-20"),
        ("2026-11", "P3174020101", "2026-11"),
        ("2026-11-20T08:00", "P3174020101", "2026-11-20T08:00"),
    ] {
        let place = json!({"identifier": {"value": facility}, "display": "Puskesmas"});
        let changed = with(
            immunization(),
            json!({"occurrenceDateTime": occurrence, "location": place, "performer": null}),
        );
        assert_eq!(row(changed, patient()).tanggal_vaksinasi, day, "{occurrence} {facility}");
    }
    let words = with(immunization(), json!({"occurrenceDateTime": null, "occurrenceString": "awal 2021"}));
    assert_eq!(row(words, patient()).tanggal_vaksinasi, "awal 2021");
}

#[test]
fn reads_dose_numbers_of_all_releases() {
    for (protocol, expected) in [
        (json!({"doseNumberPositiveInt": 2}), "2"),
        (json!({"doseNumberString": "2"}), "2"),
        (json!({"doseNumber": "2"}), "2"),
        (json!({"doseNumber": 2}), "2"),
        (json!({"doseNumber": {"text": "2"}}), "2"),
        (json!({"doseNumber": {"coding": [{"code": "2"}]}}), "2"),
        (json!({"doseNumber": {"text": "Dosis kedua", "coding": [{"code": "2"}]}}), "2"),
        (json!({"doseNumber": {"text": "Dosis kedua"}}), "Dosis kedua"),
        (json!({"doseNumberPositiveInt": "2"}), "2"),
        (json!({"doseNumberString": 2}), "2"),
        (json!({"doseNumberPositiveInt": 0}), "0"),
        (json!({"series": "COVID-19"}), ""),
    ] {
        let changed = with(immunization(), json!({"protocolApplied": [protocol]}));
        assert_eq!(row(changed, patient()).dosis_ke, expected, "{protocol}");
    }
}

#[test]
fn takes_the_dose_number_of_the_vaccines_disease() {
    let protocol = |disease: &str, number: Value| {
        let coding = json!([{"system": "http://snomed.info/sct", "code": disease}]);
        json!({"targetDisease": [{"coding": coding}], "doseNumberPositiveInt": number})
    };
    let (covid, influenza) = ("840539006", "6142004");
    for (protocols, expected) in [
        (json!([protocol(influenza, json!(4)), protocol(covid, json!(2))]), "2"),
        (json!([protocol(influenza, json!(4)), {"doseNumberPositiveInt": 2}]), "4"),
        (json!([{"series": "x"}, protocol(influenza, json!(4))]), "4"),
        (json!([protocol(influenza, json!(4)), protocol(covid, Value::Null)]), ""),
        (json!([{"targetDisease": null, "doseNumberPositiveInt": 3}]), "3"),
    ] {
        let changed = with(immunization(), json!({"protocolApplied": protocols}));
        assert_eq!(row(changed, patient()).dosis_ke, expected, "{protocols}");
    }
}

#[test]
fn an_international_dose_needs_no_number_and_a_wrong_one_is_refused() {
    let judged = |vaccine: &str, protocol: Value| {
        let fields = json!({
            "vaccineCode": {"text": vaccine}, "protocolApplied": protocol, "occurrenceDateTime": "2025-11-03",
            "meta": {"lastUpdated": "2025-12-01T08:00:00+07:00"},
        });
        let row = row(with(immunization(), fields), patient());
        (row.dose().dose_number, row.judge("2026-01-01T00:00:00Z".parse().unwrap()).1)
    };
    let wrong = vec![Reason::DoseNumberInvalid];
    for vaccine in ["bOPV", "Stamaril", "Menveo"] {
        assert_eq!(judged(vaccine, json!([{"series": "umrah"}])), (Some(1), vec![]), "{vaccine}");
        assert_eq!(judged(vaccine, Value::Null), (Some(1), vec![]), "{vaccine}");
        assert_eq!(judged(vaccine, json!([{"doseNumberPositiveInt": 2}])), (Some(2), vec![]), "{vaccine}");
        for number in [json!(0), json!(10), json!("dua")] {
            let protocol = json!([{"doseNumberString": number}]);
            assert_eq!(judged(vaccine, protocol), (None, wrong.clone()), "{vaccine} {number}");
        }
    }
    assert_eq!(judged("CoronaVac", json!([{"series": "COVID-19"}])), (None, wrong), "its certificate counts");
}

#[test]
fn knows_the_product_of_r5_where_the_code_names_a_kind_of_vaccine() {
    let kind =
        json!({"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "213", "display": "COVID-19"}]});
    let moderna = json!({"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "207"}]});
    let medication = json!({"resourceType": "Medication", "id": "m", "code": moderna});
    for (code, product, contained, expected) in [
        (kind.clone(), json!({"concept": moderna}), json!([]), "Moderna"),
        (kind.clone(), json!({"concept": {"text": "Comirnaty"}}), json!([]), "Pfizer"),
        (kind.clone(), json!({"reference": {"reference": "#m"}}), json!([medication]), "Moderna"),
        (Value::Null, json!({"concept": {"text": "Vaksin X"}}), json!([]), "Vaksin X"),
        (json!({"text": "Sinovac"}), json!({"concept": {"text": "?"}}), json!([]), "CoronaVac"),
        (kind.clone(), json!({"reference": {"reference": "#x"}}), json!([medication]), "COVID-19"),
        (kind.clone(), json!({"reference": {"reference": "Medication/m"}}), json!([]), "Moderna"),
    ] {
        let fields = json!({"vaccineCode": code, "administeredProduct": product, "contained": contained});
        let lines = rows(&[with(immunization(), fields), patient(), medication.clone()]);
        assert_eq!(lines[0].row.as_ref().unwrap().vaksin, expected, "{code} {product}");
    }
}

#[test]
fn knows_vaccines_by_code_name_or_text() {
    let cvx = "http://hl7.org/fhir/sid/cvx";
    for (concept, expected) in [
        (json!({"coding": [{"display": "Comirnaty"}]}), "Pfizer"),
        (json!({"text": "Sinovac"}), "CoronaVac"),
        (json!({"coding": [{"code": "J07BN"}], "text": "Sinovac"}), "CoronaVac"),
        (json!({"coding": [{"system": "https://hl7.org/fhir/sid/cvx/", "code": " 208 "}]}), "Pfizer"),
        (json!({"coding": [{"system": "urn:oid:2.16.840.1.113883.12.292", "code": "207"}]}), "Moderna"),
        (
            json!({"coding": [{"system": "urn:oid:2.16.840.1.113883.6.96", "code": "31301000087101"}]}),
            "Sinopharm",
        ),
        (json!({"coding": [{"system": "http://id.who.int/icd/release/11/mms", "code": "XM68M6"}]}), "XM68M6"),
        (json!({"coding": [{"system": "http://www.whocc.no/atc", "code": "J07BX03"}]}), "J07BX03"),
        (json!({"coding": [{"code": "EU/1/20/1507"}]}), "Moderna"),
        (json!({"coding": [{"system": "http://sys-ids.kemkes.go.id/kfa", "code": "511"}], "text": "?"}), "?"),
        (json!({"coding": [{"code": "1"}], "text": " "}), "1"),
        (json!({"coding": [{"system": cvx, "code": "212"}]}), "Janssen"),
        (json!({"coding": [{"system": cvx, "code": "211"}]}), "Novavax"),
        (json!({"coding": [{"system": cvx, "code": "510"}]}), "Sinopharm"),
        (
            json!({"coding": [{"system": "http://id.who.int/icd/release/11/mms", "code": "XM7HT3"}]}),
            "CoronaVac",
        ),
        (json!({"coding": [{"system": "http://id.who.int/icd11/mms", "code": "XM6QV1"}]}), "Janssen"),
        (json!({"coding": [{"system": "http://snomed.info/sct", "code": "28581000087106"}]}), "Pfizer"),
        (json!({"coding": [{"system": "http://www.whocc.no/atc", "code": "J07BN01"}]}), "J07BN01"),
        // The code of another product is not overruled by a name, that of a kind of vaccine made precise.
        (json!({"coding": [{"system": cvx, "code": "229", "display": "Moderna"}]}), "229"),
        (json!({"coding": [{"system": cvx, "code": "229"}], "text": "Moderna"}), "229"),
        (json!({"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Moderna"}]}), "1"),
        (json!({"coding": [{"system": cvx, "code": "213"}], "text": "Moderna"}), "Moderna"),
        // The catalogue has no code of these products in this system, so that the name counts.
        (json!({"coding": [{"system": cvx, "code": "136"}], "text": "Menveo"}), "Menveo"),
        (
            json!({"coding": [{"system": "http://snomed.info/sct", "code": "29061000087103"}], "text": "Janssen"}),
            "Janssen",
        ),
        (
            json!({"coding": [{"system": "http://sys-ids.kemkes.go.id/kfa", "code": "93001019", "display": "Sinovac"}]}),
            "CoronaVac",
        ),
        // Several vaccines are none.
        (
            json!({"coding": [{"system": cvx, "code": "207"}, {"system": cvx, "code": "208"}]}),
            "Moderna / Pfizer",
        ),
        (json!({"coding": [{"system": cvx, "code": "207", "display": "Comirnaty"}]}), "Moderna / Pfizer"),
        (json!({"coding": [{"display": "Comirnaty"}], "text": "Moderna"}), "Moderna / Pfizer"),
        (
            json!({"coding": [{"system": cvx, "code": "208", "display": "Comirnaty"}], "text": "Pfizer"}),
            "Pfizer",
        ),
        // Vaccines against COVID-19 as such, and a code of another system.
        (json!({"coding": [{"system": cvx, "code": "213"}]}), "213"),
        (json!({"coding": [{"system": "http://snomed.info/sct", "code": "1119349007"}]}), "1119349007"),
    ] {
        let row = row(with(immunization(), json!({"vaccineCode": concept})), patient());
        assert_eq!(row.vaksin, expected, "{concept}");
        let is_known = bukti_domain::vaccines().iter().any(|vaccine| vaccine.name == expected);
        assert_eq!(row.dose().vaccine.is_some(), is_known, "{concept}");
    }
}

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
    // Two patients of one id: nobody is taken for the other.
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
    // Without an address they may be two people of two servers, unless the reference names the version.
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

#[test]
fn reads_one_resource_and_bulk_data() {
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
    let told: Vec<(u64, bool)> = lines.iter().map(|line| (line.line, line.row.is_ok())).collect();
    assert_eq!(told, [(3, true), (4, true), (5, false)]);
    assert_eq!(told_by_all_pieces(file.as_bytes()).0.len(), 3);
    let cut = &file[..file.len() - 20];
    assert_eq!(read(cut).1.as_deref(), Some("broken_off"));
    for damaged in ["{\"resourceType\":\"Immunization\"", "nonsense", "[]", "{\"resourceType\":\"Bundle\"}"] {
        let file = format!("{}\n{damaged}\n{}\n", patient(), immunization());
        let (lines, problem, _) = read(&file);
        assert_eq!((problem, reasons(&lines)), (None, vec![Some(Reason::RowMalformed), None]), "{damaged}");
        assert_eq!(lines[0].line, 2);
    }
    assert_eq!(read(&format!("{}\n{}\n", patient(), location())).1.as_deref(), Some("not_a_bundle"));
}

#[test]
fn refuses_what_changes_the_meaning() {
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
    // What an Immunization does not refer to does not change it.
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
fn reads_a_retraction_without_a_patient() {
    let retracted = with(
        immunization(),
        json!({"status": "entered-in-error", "patient": null, "isSubpotent": true, "vaccineCode": null}),
    );
    let row = rows(&[retracted]).remove(0).row.unwrap();
    assert_eq!((&*row.status, &*row.event_id, &*row.nik), ("entered-in-error", "PCARE-1", ""));
}

#[test]
fn refuses_to_delete_and_to_patch() {
    let requested = |kind: &str, method: &str, url: &str| {
        let mut file = with(bundle(&[immunization(), patient()]), json!({"type": kind}));
        let request = json!({"request": {"method": method, "url": url}});
        file["entry"].as_array_mut().unwrap().push(request);
        let lines = read(&file.to_string()).0;
        let told = |line: Line| match line.row {
            Ok(row) => (row.event_id, None),
            Err(unreadable) => (unreadable.event_id, Some(unreadable.reason)),
        };
        lines.into_iter().map(told).collect::<Vec<_>>()
    };
    let kept = ("PCARE-1".to_owned(), None);
    for (method, url, id) in [
        ("DELETE", "Immunization/7", "7"),
        ("DELETE", "https://fhir.example.go.id/Immunization/7", "7"),
        ("PATCH", "Immunization/7/_history/1", "7"),
        ("DELETE", "Immunization?identifier=A", "?identifier=A"),
    ] {
        let refused = (id.to_owned(), Some(Reason::RequestUnsupported));
        assert_eq!(requested("batch", method, url), [kept.clone(), refused.clone()], "{method} {url}");
        let with_it = ("PCARE-1".to_owned(), Some(Reason::TransactionRefused));
        assert_eq!(requested("transaction", method, url), [with_it, refused], "{method} {url}");
    }
    for (method, url) in [("DELETE", "Patient/p"), ("GET", "Immunization/7"), ("POST", "Immunization")] {
        assert_eq!(requested("transaction", method, url), std::slice::from_ref(&kept), "{method} {url}");
    }
}

#[test]
fn keeps_all_of_a_transaction_or_nothing() {
    let second = with(immunization(), json!({"identifier": [{"value": "PCARE-2"}]}));
    let of = |kind: &str, second: &Value| {
        let file = with(bundle(&[immunization(), second.clone(), patient()]), json!({"type": kind}));
        let (lines, problem, read_as) = read(&file.to_string());
        assert_eq!(problem, None);
        (reasons(&lines), read_as == Some(FhirKind::Transaction))
    };
    assert_eq!(of("transaction", &second), (vec![None, None], true));
    for (bad, reason) in [
        (json!({"status": "not-done"}), Reason::NotCompleted),
        (json!({"occurrenceDateTime": "2021"}), Reason::VaccinationDateInvalid),
        (json!({"patient": {"reference": "Patient/q"}}), Reason::PatientMissing),
        (json!({"isSubpotent": true}), Reason::Subpotent),
    ] {
        let bad = with(second.clone(), bad);
        let refused = vec![Some(Reason::TransactionRefused), Some(reason)];
        assert_eq!(of("transaction", &bad), (refused, true));
        assert_eq!(of("batch", &bad).0[0], None, "the others of a batch are kept");
    }
    // Incomplete is no fault: a later row completes it.
    assert_eq!(of("transaction", &with(second, json!({"lotNumber": null}))).0, [None, None]);
}

#[test]
fn an_unreadable_entry_does_not_stop_the_others() {
    let of = |fields: Value| with(immunization(), fields);
    let lines = rows(&[
        of(json!({"patient": {"reference": "Patient/q"}})),
        of(json!({"patient": {"reference": "Location/l"}})),
        of(json!({"lotNumber": 7})),
        json!({"resourceType": "Practitioner"}),
        json!([]),
        immunization(),
        patient(),
        location(),
    ]);
    let told: Vec<(u64, Option<Reason>)> =
        lines.into_iter().map(|line| (line.line, line.row.err().map(|it| it.reason))).collect();
    let expected = [
        (1, Some(Reason::PatientMissing)),
        (2, Some(Reason::PatientMissing)),
        (3, Some(Reason::RowMalformed)),
        (5, Some(Reason::RowMalformed)),
        (6, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn refuses_a_resource_or_list_that_is_too_long_alone() {
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
fn names_what_is_wrong_with_a_file() {
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
        let told = crate::feed::told(text.as_bytes(), 4096);
        assert_eq!((told.0.len(), told.1.map(|it| it.code).as_deref()), (0, Some(code)));
    }
    for open in ["[", "{\"a\":"] {
        let deep = format!("{{\"resourceType\": \"Bundle\", \"entry\": {}", open.repeat(100_000));
        assert_eq!(told_by_all_pieces(deep.as_bytes()).1.unwrap().code, "nested_too_deeply");
        let pretty = deep.replace(open, &format!("\n{open}"));
        assert_eq!(told_by_all_pieces(pretty.as_bytes()).1.unwrap().code, "nested_too_deeply");
    }
}

#[test]
fn cut_lines_of_bulk_data_reject_no_later_line() {
    let cut = "{\"a\":[{\"b\":\"\\\n".repeat(100);
    let file = format!("{}\n{cut}{}\n", patient(), immunization());
    let (lines, problem) = told_by_all_pieces(file.as_bytes());
    assert_eq!((lines.len(), problem), (101, None));
    assert_eq!(lines.last().map(|(line, _)| *line), Some(102));
    let deep = format!("{}\n{}\n", patient(), "[".repeat(129));
    assert_eq!(told_by_all_pieces(deep.as_bytes()).1.unwrap().code, "nested_too_deeply");
}

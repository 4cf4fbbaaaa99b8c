//! Tests of vaccines, dose numbers and days.

use bukti_domain::Reason;
use serde_json::{Value, json};

use super::{immunization, patient, row, rows, with};

#[test]
fn vaccination_date_is_local_day_of_facility() {
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
fn reads_dose_numbers_of_all_fhir_releases() {
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
fn selects_dose_number_by_target_disease() {
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
fn international_doses_have_optional_valid_dose_number() {
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
    assert_eq!(
        judged("CoronaVac", json!([{"series": "COVID-19"}])),
        (None, wrong),
        "a DCC has a dose number"
    );
}

#[test]
fn reads_administered_product_of_r5() {
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
fn finds_vaccines_by_code_name_or_text() {
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
        // A name does not override the code of another product, but it refines the code of a kind
        // of vaccine.
        (json!({"coding": [{"system": cvx, "code": "229", "display": "Moderna"}]}), "229"),
        (json!({"coding": [{"system": cvx, "code": "229"}], "text": "Moderna"}), "229"),
        (json!({"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Moderna"}]}), "1"),
        (json!({"coding": [{"system": cvx, "code": "213"}], "text": "Moderna"}), "Moderna"),
        // The catalogue has no code in this system for these products, so the name counts.
        (json!({"coding": [{"system": cvx, "code": "136"}], "text": "Menveo"}), "Menveo"),
        (
            json!({"coding": [{"system": "http://snomed.info/sct", "code": "29061000087103"}], "text": "Janssen"}),
            "Janssen",
        ),
        (
            json!({"coding": [{"system": "http://sys-ids.kemkes.go.id/kfa", "code": "93001019", "display": "Sinovac"}]}),
            "CoronaVac",
        ),
        // Two or more different vaccines are ambiguous.
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
        // Only the code of a kind of vaccine is known.
        (json!({"coding": [{"system": cvx, "code": "213"}]}), "213"),
        (json!({"coding": [{"system": "http://snomed.info/sct", "code": "1119349007"}]}), "1119349007"),
    ] {
        let row = row(with(immunization(), json!({"vaccineCode": concept})), patient());
        assert_eq!(row.vaksin, expected, "{concept}");
        let is_known = bukti_domain::vaccines().iter().any(|vaccine| vaccine.name == expected);
        assert_eq!(row.dose().vaccine.is_some(), is_known, "{concept}");
    }
}

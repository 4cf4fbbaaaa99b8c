//! Tests of names, identifiers and phone numbers.

use serde_json::json;

use super::{immunization, patient, row, with};
use crate::fhir::identifier::{NIK, PASSPORT};

#[test]
fn selects_current_name() {
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
fn keeps_family_name_of_passport_holder() {
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
    assert_eq!(of_nik.nama, "Maria De la Cruz", "names of NIK holders have no family name");
}

#[test]
fn selects_current_identifiers() {
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
fn selects_current_phone() {
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

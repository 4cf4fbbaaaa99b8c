//! Dose rows for tests, and their serialisation in each feed format.

use bukti_domain::FeedRow;
use bukti_domain::feed::COLUMNS;
use serde_json::{Value, json};

/// Serialises rows as a CSV feed with a header line.
pub fn csv(rows: &[FeedRow]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).unwrap();
    }
    if rows.is_empty() {
        writer.write_record(COLUMNS).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Serialises rows as an NDJSON feed, with one JSON object per line.
pub fn ndjson(rows: &[FeedRow]) -> Vec<u8> {
    rows.iter().map(|row| format!("{}\n", json!(row))).collect::<String>().into_bytes()
}

/// Serialises rows as a FHIR Bundle in the national profile: one Immunization per row, followed by
/// the Patients that the Immunizations refer to.
pub fn fhir_bundle(rows: &[FeedRow]) -> Vec<u8> {
    let identified = |system: &str, value: &str| {
        let system = format!("https://fhir.kemkes.go.id/id/{system}");
        (!value.is_empty()).then(|| json!({"use": "official", "system": system, "value": value}))
    };
    let immunizations = rows.iter().enumerate().map(|(at, row)| {
        json!({"resource": {
            "resourceType": "Immunization",
            "meta": {"lastUpdated": row.sent_at},
            "identifier": [{"system": "https://hub.example.go.id/events", "value": row.event_id}],
            "status": if row.status.is_empty() { "completed" } else { &row.status },
            "vaccineCode": {"text": row.vaksin},
            "patient": {"reference": format!("urn:uuid:{at}")},
            "occurrenceDateTime": row.tanggal_vaksinasi,
            "location": {"identifier": {"value": row.kode_faskes}, "display": row.nama_faskes},
            "lotNumber": row.batch,
            "protocolApplied": [{"doseNumberString": row.dosis_ke}],
        }})
    });
    let patients = rows.iter().enumerate().map(|(at, row)| {
        let gender = match &*row.jenis_kelamin {
            "L" => "male",
            "P" => "female",
            other => other,
        };
        let identifiers = [identified("nik", &row.nik), identified("paspor", &row.paspor)];
        json!({"fullUrl": format!("urn:uuid:{at}"), "resource": {
            "resourceType": "Patient",
            "identifier": identifiers.into_iter().flatten().collect::<Vec<_>>(),
            "name": [{"text": row.nama}],
            "telecom": [{"system": "phone", "use": "mobile", "value": row.no_hp}],
            "gender": gender,
            "birthDate": row.tanggal_lahir,
        }})
    });
    let entry: Vec<Value> = immunizations.chain(patients).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entry}).to_string().into_bytes()
}

/// A row like [`dose`] for another person with the same name and birth date. `person`, which must
/// be below 10,000, provides the last four digits of the NIK.
pub fn dose_for(person: usize, event_id: &str) -> FeedRow {
    FeedRow { nik: format!("317101240189{person:04}"), ..dose(event_id) }
}

/// A row that retracts an event. `sent_at` is an RFC 3339 timestamp.
pub fn retraction(event_id: &str, sent_at: &str) -> FeedRow {
    FeedRow {
        event_id: event_id.into(),
        sent_at: sent_at.into(),
        status: "entered-in-error".into(),
        ..FeedRow::default()
    }
}

/// A complete first dose of a man born on 24 January 1989. Tests override its fields as needed.
pub fn dose(event_id: &str) -> FeedRow {
    FeedRow {
        event_id: event_id.into(),
        sent_at: "2021-01-29T08:41:34+07:00".into(),
        nik: "3171012401896246".into(),
        nama: "Iwan Ibrahim Purnomo".into(),
        tanggal_lahir: "1989-01-24".into(),
        jenis_kelamin: "L".into(),
        no_hp: "0821-0669-0743".into(),
        dosis_ke: "1".into(),
        vaksin: "CoronaVac".into(),
        batch: "AZ56327A".into(),
        tanggal_vaksinasi: "2021-01-29".into(),
        kode_faskes: "P3174020101".into(),
        nama_faskes: "Puskesmas Kebayoran Baru".into(),
        ..FeedRow::default()
    }
}

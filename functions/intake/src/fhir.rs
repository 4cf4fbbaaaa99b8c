//! FHIR R4 (HL7): a Bundle of Immunizations with their Patients, as SATUSEHAT, the Ministry of Health's platform, writes them.
//!
//! | column | of the Immunization, its Patient or its Location |
//! |---|---|
//! | `event_id` | `identifier`, the official one before others, else `id` |
//! | `sent_at` | `meta.lastUpdated`, else the Bundle's `timestamp`, else `recorded` |
//! | `nik`, `paspor` | the Patient's identifiers of the systems `…/id/nik` and `…/id/paspor` |
//! | `nama` | the Patient's `name`: its `text`, else `given` and `family` |
//! | `tanggal_lahir`, `jenis_kelamin` | the Patient's `birthDate` and `gender` |
//! | `no_hp` | the Patient's `telecom` of the system `phone`, the mobile one before others |
//! | `dosis_ke` | `protocolApplied.doseNumberPositiveInt` or `doseNumberString` |
//! | `vaksin` | `vaccineCode`: the first code, name or text that the catalogue has |
//! | `batch`, `tanggal_vaksinasi` | `lotNumber`, the day of `occurrenceDateTime` |
//! | `status` | `status`: `entered-in-error` retracts the event, `not-done` is rejected |
//! | `kode_faskes`, `nama_faskes` | `location`, else the `performer`'s organization: identifier and name |

use std::collections::HashMap;

use bukti_aws::FeedProblem;
use bukti_domain::{FeedRow, Reason, RowStatus, vaccine_named, vaccine_of_dcc, vaccine_of_icvp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::feed::{Line, Unreadable, problem};

/// The largest Bundle, in bytes. One is read as a whole, since what an entry refers to may stand anywhere in it.
const LARGEST: usize = 16 * 1024 * 1024;
/// The most entries of a Bundle.
const MOST_ENTRIES: usize = 10_000;

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const PASSPORT: &str = "https://fhir.kemkes.go.id/id/paspor";
/// HL7 table 0203: a passport number, of whatever country's system.
const PASSPORT_TYPE: &str = "PPN";
/// Systems of vaccine codes, and what stands before such a code among the aliases of the catalogue.
const VACCINE_SYSTEMS: [(&str, &str); 2] =
    [("http://sys-ids.kemkes.go.id/kfa", "kfa"), ("http://hl7.org/fhir/sid/cvx", "cvx")];

/// Collects a Bundle, and reads it at its end.
#[derive(Default)]
pub(crate) struct BundleReader {
    text: Vec<u8>,
}

impl BundleReader {
    pub(crate) fn line(&self) -> u64 {
        self.text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }

    /// Takes the next piece of the file.
    ///
    /// # Errors
    ///
    /// The Bundle is too large.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), FeedProblem> {
        if self.text.len() + piece.len() > LARGEST {
            return Err(too_large());
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    /// Says that the file is at its end, and appends a row for each Immunization.
    ///
    /// # Errors
    ///
    /// It is no Bundle, or too large.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let bytes = std::mem::take(&mut self.text);
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64;
            problem(Reason::NotUtf8.code(), before + 1, "the file is not UTF-8")
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let bundle: Bundle<'_> = serde_json::from_str(text).map_err(|error| {
            let line = error.line() as u64;
            match error.classify() {
                serde_json::error::Category::Eof => {
                    problem("broken_off", line, "the file ends in the middle")
                }
                serde_json::error::Category::Data => not_a_bundle(line),
                _ => problem("json_malformed", line, "the file is not one JSON object"),
            }
        })?;
        if bundle.resource_type != "Bundle" {
            return Err(not_a_bundle(1));
        }
        if bundle.entry.len() > MOST_ENTRIES {
            return Err(too_large());
        }
        lines.extend(bundle.rows());
        Ok(())
    }
}

fn too_large() -> FeedProblem {
    problem("bundle_too_large", 1, "a Bundle has at most 10,000 entries and 16 MiB: send it as several")
}

fn not_a_bundle(line: u64) -> FeedProblem {
    problem("not_a_bundle", line, "the file is no FHIR R4 Bundle with entries")
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    timestamp: Option<String>,
    #[serde(default, borrow)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    /// Read by itself, so that one that is wrong does not stop the others.
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(tag = "resourceType")]
enum Resource {
    Immunization(Box<Immunization>),
    Patient(Box<Patient>),
    Location(Place),
    Organization(Place),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Immunization {
    id: Option<String>,
    #[serde(default)]
    contained: Vec<Resource>,
    meta: Option<Meta>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    status: Option<String>,
    vaccine_code: Option<Concept>,
    patient: Option<Reference>,
    occurrence_date_time: Option<String>,
    recorded: Option<String>,
    location: Option<Reference>,
    lot_number: Option<String>,
    #[serde(default)]
    performer: Vec<Performer>,
    #[serde(default)]
    protocol_applied: Vec<Protocol>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "use")]
    usage: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Concept>,
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Concept {
    #[serde(default)]
    coding: Vec<Coding>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Coding {
    system: Option<String>,
    code: Option<String>,
    display: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
    identifier: Option<Identifier>,
    display: Option<String>,
}

#[derive(Deserialize)]
struct Performer {
    actor: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    dose_number_positive_int: Option<serde_json::Number>,
    dose_number_string: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patient {
    id: Option<String>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    #[serde(default)]
    name: Vec<HumanName>,
    #[serde(default)]
    telecom: Vec<ContactPoint>,
    gender: Option<String>,
    birth_date: Option<String>,
}

#[derive(Deserialize)]
struct HumanName {
    #[serde(rename = "use")]
    usage: Option<String>,
    text: Option<String>,
    family: Option<String>,
    #[serde(default)]
    given: Vec<String>,
}

#[derive(Deserialize)]
struct ContactPoint {
    system: Option<String>,
    value: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

/// A Location or an Organization.
#[derive(Deserialize)]
struct Place {
    id: Option<String>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    name: Option<String>,
}

impl Resource {
    /// `Patient/123`: what others of the same Bundle or server call it.
    fn relative(&self) -> Option<String> {
        let (kind, id) = match self {
            Resource::Patient(patient) => ("Patient", &patient.id),
            Resource::Location(place) => ("Location", &place.id),
            Resource::Organization(place) => ("Organization", &place.id),
            Resource::Immunization(_) | Resource::Other => return None,
        };
        id.as_ref().map(|id| format!("{kind}/{id}"))
    }
}

impl Bundle<'_> {
    fn rows(&self) -> Vec<Line> {
        let read = |entry: &Entry<'_>| serde_json::from_str::<Resource>(entry.resource?.get()).ok();
        let resources: Vec<Option<Resource>> = self.entry.iter().map(read).collect();
        let mut known: HashMap<String, &Resource> = HashMap::new();
        for (entry, resource) in self.entry.iter().zip(&resources) {
            let Some(resource) = resource else { continue };
            let names = entry.full_url.clone().into_iter().chain(resource.relative());
            known.extend(names.map(|name| (name, resource)));
        }
        let mut rows = Vec::new();
        for (at, (entry, resource)) in self.entry.iter().zip(&resources).enumerate() {
            let row = match resource {
                Some(Resource::Immunization(immunization)) => self.row(immunization, &known),
                Some(_) => continue,
                // An entry with nothing in it is a request to delete: there is nothing to be read of it.
                None if entry.resource.is_none() => continue,
                None => Err(Unreadable { event_id: String::new(), reason: Reason::RowMalformed }),
            };
            rows.push(Line { line: at as u64 + 1, row });
        }
        rows
    }

    fn row(
        &self,
        immunization: &Immunization,
        known: &HashMap<String, &Resource>,
    ) -> Result<FeedRow, Unreadable> {
        let event_id = identifier(&immunization.identifier).or_else(|| immunization.id.clone());
        let event_id = event_id.unwrap_or_default();
        let unreadable = |reason| Unreadable { event_id: event_id.chars().take(100).collect(), reason };
        let status = immunization.status.as_deref().unwrap_or_default();
        let is_retraction = RowStatus::parse(status) == Some(RowStatus::EnteredInError);
        if status != "completed" && !is_retraction {
            return Err(unreadable(Reason::NotCompleted));
        }
        let find = |reference: &Reference| -> Option<&Resource> {
            let name = reference.reference.as_deref()?;
            let contained = name.strip_prefix('#').and_then(|id| {
                let is = |it: &&Resource| {
                    it.relative().is_some_and(|name| name.split_once('/').is_some_and(|(_, it)| it == id))
                };
                immunization.contained.iter().find(is)
            });
            contained.or_else(|| known.get(name).copied())
        };

        let reference = immunization.patient.as_ref();
        let patient = match reference.and_then(find) {
            Some(Resource::Patient(patient)) => Some(&**patient),
            _ => None,
        };
        let logical = reference.and_then(|reference| reference.identifier.as_ref());
        if patient.is_none() && logical.is_none() && !is_retraction {
            return Err(unreadable(Reason::PatientMissing));
        }
        let identifiers = || patient.into_iter().flat_map(|it| &it.identifier).chain(logical);
        let of = |is: fn(&Identifier) -> bool| {
            identifiers().find(|it| is(it)).and_then(|it| it.value.clone()).unwrap_or_default()
        };

        let sent_at = immunization.meta.as_ref().and_then(|meta| meta.last_updated.clone());
        let sent_at = sent_at.or_else(|| self.timestamp.clone()).or_else(|| immunization.recorded.clone());
        let occurrence = immunization.occurrence_date_time.as_deref().unwrap_or_default();
        let day = occurrence.split_once('T').map_or(occurrence, |(day, _)| day);
        let place = immunization.location.as_ref();
        let performers = immunization.performer.iter().filter_map(|performer| performer.actor.as_ref());
        let places: Vec<(String, String)> =
            place.into_iter().chain(performers).map(|place| facility(place, find(place))).collect();
        let first = |part: fn(&(String, String)) -> &String| {
            places.iter().map(part).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        Ok(FeedRow {
            event_id: event_id.clone(),
            sent_at: sent_at.unwrap_or_default(),
            nik: of(|it| it.system.as_deref() == Some(NIK)),
            paspor: of(Identifier::is_passport),
            nama: patient.map(Patient::name).unwrap_or_default(),
            tanggal_lahir: patient.and_then(|it| it.birth_date.clone()).unwrap_or_default(),
            jenis_kelamin: patient.map(Patient::sex).unwrap_or_default(),
            no_hp: patient.map(Patient::phone).unwrap_or_default(),
            dosis_ke: immunization.protocol_applied.iter().find_map(Protocol::number).unwrap_or_default(),
            vaksin: immunization.vaccine_code.as_ref().map(vaccine).unwrap_or_default(),
            batch: immunization.lot_number.clone().unwrap_or_default(),
            tanggal_vaksinasi: day.to_owned(),
            kode_faskes: first(|(code, _)| code),
            nama_faskes: first(|(_, name)| name),
            status: if is_retraction { status.to_owned() } else { String::new() },
        })
    }
}

/// The official one of these, else the first.
fn identifier(all: &[Identifier]) -> Option<String> {
    let official = all.iter().find(|it| it.usage.as_deref() == Some("official"));
    official.into_iter().chain(all).find_map(|it| it.value.clone())
}

impl Identifier {
    fn is_passport(&self) -> bool {
        let codes = self.kind.iter().flat_map(|kind| &kind.coding);
        self.system.as_deref() == Some(PASSPORT)
            || codes.into_iter().any(|coding| coding.code.as_deref() == Some(PASSPORT_TYPE))
    }
}

/// The name by which the catalogue has a vaccine, else what would be read by people.
fn vaccine(concept: &Concept) -> String {
    for coding in &concept.coding {
        let code = coding.code.as_deref().unwrap_or_default();
        let system = VACCINE_SYSTEMS.iter().find(|(system, _)| coding.system.as_deref() == Some(system));
        let vaccine = system.and_then(|(_, prefix)| vaccine_named(&format!("{prefix}:{code}")));
        let vaccine = vaccine.or_else(|| vaccine_of_dcc(code)).or_else(|| vaccine_of_icvp(code));
        if let Some(vaccine) = vaccine.or_else(|| vaccine_named(coding.display.as_deref()?)) {
            return vaccine.name.clone();
        }
    }
    let written = concept.coding.iter().flat_map(|coding| [&coding.display, &coding.code]);
    [&concept.text].into_iter().chain(written).find_map(Clone::clone).unwrap_or_default()
}

/// Code and name of a facility, as far as they are known.
fn facility(reference: &Reference, found: Option<&Resource>) -> (String, String) {
    let place = match found {
        Some(Resource::Location(place) | Resource::Organization(place)) => Some(place),
        _ => None,
    };
    let code = place.and_then(|place| identifier(&place.identifier));
    let code = code.or_else(|| reference.identifier.as_ref()?.value.clone());
    // SATUSEHAT's number of an organization is its id there.
    let code =
        code.or_else(|| reference.reference.as_deref()?.strip_prefix("Organization/").map(str::to_owned));
    let name = place.and_then(|place| place.name.clone());
    // A person's name is no facility's.
    let is_place = !reference.reference.as_deref().is_some_and(|it| it.starts_with("Practitioner"));
    let name = name.or_else(|| reference.display.clone().filter(|_| is_place));
    (code.unwrap_or_default(), name.unwrap_or_default())
}

impl Protocol {
    fn number(&self) -> Option<String> {
        let number = self.dose_number_positive_int.as_ref().map(ToString::to_string);
        number.or_else(|| self.dose_number_string.clone())
    }
}

impl Patient {
    fn name(&self) -> String {
        let official = self.name.iter().find(|name| name.usage.as_deref() == Some("official"));
        let Some(name) = official.or(self.name.first()) else { return String::new() };
        let parts: Vec<&str> = name.given.iter().map(String::as_str).chain(name.family.as_deref()).collect();
        name.text.clone().unwrap_or_else(|| parts.join(" "))
    }

    /// As a feed writes it. What is neither is left as it is; `other` and `unknown` say nothing.
    fn sex(&self) -> String {
        match self.gender.as_deref().unwrap_or_default() {
            "male" => "L".to_owned(),
            "female" => "P".to_owned(),
            "other" | "unknown" => String::new(),
            gender => gender.to_owned(),
        }
    }

    fn phone(&self) -> String {
        let phones =
            || self.telecom.iter().filter(|it| matches!(it.system.as_deref(), Some("phone" | "sms")));
        let mobile = phones().find(|it| it.usage.as_deref() == Some("mobile"));
        mobile.or(phones().next()).and_then(|it| it.value.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
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
                {"actor": {"reference": "Practitioner/N1", "display": "dr. Sari"}},
                {"actor": {"reference": "Organization/10000004"}},
            ],
            "protocolApplied": [{"doseNumberPositiveInt": 1}],
        })
    }

    fn location() -> Value {
        json!({
            "resourceType": "Location", "id": "l", "name": "Puskesmas Kebayoran Baru",
            "identifier": [{"value": "P3174020101"}],
        })
    }

    fn rows(entries: &[Value]) -> Vec<Line> {
        let entry: Vec<Value> = entries.iter().map(|resource| json!({"resource": resource})).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "timestamp": "2021-02-01T00:00:00Z", "entry": entry});
        let mut reader = BundleReader::default();
        let mut lines = Vec::new();
        reader.push(bundle.to_string().as_bytes()).unwrap();
        reader.finish(&mut lines).unwrap();
        lines
    }

    fn changed(mut resource: Value, change: impl FnOnce(&mut Value)) -> Value {
        change(&mut resource);
        resource
    }

    fn row(immunization: Value, patient: Value) -> FeedRow {
        // What is referred to may stand after what refers to it.
        rows(&[immunization, patient, location()]).remove(0).row.unwrap()
    }

    fn whole() -> FeedRow {
        FeedRow {
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
            ..FeedRow::default()
        }
    }

    fn fields(row: &FeedRow) -> Value {
        serde_json::to_value(row).unwrap()
    }

    #[test]
    fn an_immunization_with_its_patient_is_a_row() {
        assert_eq!(fields(&row(immunization(), patient())), fields(&whole()));
    }

    #[test]
    fn what_is_not_there_is_taken_from_elsewhere() {
        let without = |name: &'static str| {
            changed(immunization(), |it| {
                it.as_object_mut().unwrap().remove(name);
            })
        };
        assert_eq!(row(without("identifier"), patient()).event_id, "i");
        assert_eq!(row(without("meta"), patient()).sent_at, "2021-02-01T00:00:00Z");
        let elsewhere = row(without("location"), patient());
        assert_eq!((&*elsewhere.kode_faskes, &*elsewhere.nama_faskes), ("10000004", ""), "no person's name");
        for name in ["vaccineCode", "lotNumber", "protocolApplied", "occurrenceDateTime"] {
            let row = fields(&row(without(name), patient()));
            // The status is filled in retractions only.
            let fields = row.as_object().unwrap().iter();
            let empty = fields.filter(|(name, value)| *name != "status" && **value == "").count();
            assert_eq!(empty, 1, "{name}: {row}");
        }
        let logical = json!({"identifier": {"system": NIK, "value": "3171012401896246"}});
        let alone = changed(immunization(), |it| it["patient"] = logical);
        let alone = rows(&[alone]).remove(0).row.unwrap();
        assert_eq!((&*alone.nik, &*alone.nama), ("3171012401896246", ""));
    }

    #[test]
    fn vaccines_are_known_by_code_name_or_text() {
        for (concept, expected) in [
            (json!({"coding": [{"display": "Comirnaty"}]}), "Pfizer"),
            (json!({"text": "Sinovac"}), "Sinovac"),
            (json!({"coding": [{"code": "EU/1/20/1507"}]}), "Moderna"),
            (
                json!({"coding": [{"system": "http://sys-ids.kemkes.go.id/kfa", "code": "511"}], "text": "?"}),
                "?",
            ),
            (json!({"coding": [{"code": "1"}]}), "1"),
        ] {
            let row = row(changed(immunization(), |it| it["vaccineCode"] = concept), patient());
            assert_eq!(row.vaksin, expected);
        }
    }

    #[test]
    fn references_are_found_by_address_id_and_containment() {
        let by_address = changed(immunization(), |it| it["patient"]["reference"] = json!("urn:uuid:1"));
        let bundle = json!({"resourceType": "Bundle", "entry": [
            {"fullUrl": "urn:uuid:1", "resource": changed(patient(), |it| it["id"] = Value::Null)},
            {"resource": by_address},
        ]});
        let (lines, problem) = told_by_all_pieces(bundle.to_string().as_bytes());
        assert_eq!((lines, problem), (vec![(2, "PCARE-1 Ruang 2".to_owned())], None));
        let contained = changed(immunization(), |it| {
            it["patient"]["reference"] = json!("#p");
            it["contained"] = json!([patient()]);
        });
        assert_eq!(rows(&[contained]).remove(0).row.unwrap().nik, "3171012401896246");
    }

    #[test]
    fn what_cannot_be_read_does_not_stop_the_others() {
        let of = |change: fn(&mut Value)| changed(immunization(), change);
        let lines = rows(&[
            of(|it| it["status"] = json!("not-done")),
            of(|it| it["patient"]["reference"] = json!("Patient/q")),
            of(|it| it["patient"]["reference"] = json!("Location/l")),
            of(|it| it["lotNumber"] = json!(7)),
            json!({"resourceType": "Practitioner"}),
            json!([]),
            immunization(),
            patient(),
            location(),
        ]);
        let told: Vec<(u64, Option<Reason>)> =
            lines.into_iter().map(|line| (line.line, line.row.err().map(|it| it.reason))).collect();
        let expected = [
            (1, Some(Reason::NotCompleted)),
            (2, Some(Reason::PatientMissing)),
            (3, Some(Reason::PatientMissing)),
            (4, Some(Reason::RowMalformed)),
            (6, Some(Reason::RowMalformed)),
            (7, None),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn immunization_entered_in_error_is_a_retraction() {
        let bare = json!({
            "resourceType": "Immunization",
            "identifier": [{"value": "E1"}],
            "meta": {"lastUpdated": "2021-02-01T08:00:00+07:00"},
            "status": "entered-in-error",
        });
        let whole = changed(immunization(), |it| it["status"] = json!("entered-in-error"));
        let unknown = changed(whole.clone(), |it| it["patient"]["reference"] = json!("Patient/q"));
        let lines = rows(&[bare, whole, unknown, patient()]);
        let rows: Vec<FeedRow> = lines.into_iter().map(|line| line.row.unwrap()).collect();
        assert!(rows.iter().all(FeedRow::is_retraction));
        assert_eq!((&*rows[0].event_id, &*rows[0].nik), ("E1", ""));
        assert_eq!(rows[1].nik, "3171012401896246");
        for status in ["not-done", "", "completed-ish"] {
            let other = changed(immunization(), |it| it["status"] = json!(status));
            let read = self::rows(&[other, patient()]).remove(0).row;
            assert_eq!(read.map_err(|it| it.reason), Err(Reason::NotCompleted), "{status}");
        }
    }

    #[test]
    fn bundles_that_are_none_are_told() {
        let many = json!({"resourceType": "Bundle", "entry": vec![json!({}); 100_000]}).to_string();
        let large = json!({"resourceType": "Bundle", "type": "x".repeat(17 * 1024 * 1024)}).to_string();
        for (text, code) in [
            ("{\"resourceType\": \"Bundle\", \"entry\": [", "broken_off"),
            ("{\"resourceType\": \"Bundle\"} {\"resourceType\": \"Bundle\"}", "json_malformed"),
            ("{\"resourceType\": \"Bundle\", \"entry\": 7}", "not_a_bundle"),
            ("{\"resourceType\": \"Immunization\"}", "not_a_bundle"),
            (&*many, "bundle_too_large"),
            (&*large, "bundle_too_large"),
        ] {
            let told = crate::feed::told(text.as_bytes(), 4096);
            assert_eq!((told.0.len(), told.1.map(|it| it.code).as_deref()), (0, Some(code)));
        }
        let deep = format!("{{\"resourceType\": \"Bundle\", \"entry\": {}", "[".repeat(100_000));
        assert!(told_by_all_pieces(deep.as_bytes()).1.is_some());
    }
}

//! FHIR R4 and R5 (HL7): Immunizations with their Patients, as SATUSEHAT, the Ministry of Health's platform, and other systems
//! write them.
//!
//! A file is one Bundle, one Immunization with what it contains, or Bulk Data NDJSON, a resource on each line. Of a
//! Bundle of the type `transaction` all rows are kept or none.
//!
//! | column | of the Immunization, its Patient or its Location |
//! |---|---|
//! | `event_id` | `identifier`, the official one before others, else `id`, else `fullUrl` |
//! | `sent_at` | `meta.lastUpdated`, else the Bundle's `timestamp`, else when the file was received |
//! | `nik`, `paspor` | the Patient's current identifiers of the systems `…/id/nik` and `…/id/paspor` |
//! | `nama` | the Patient's current `name`: its `text`, else `given` and `family` |
//! | `tanggal_lahir`, `jenis_kelamin` | the Patient's `birthDate` and `gender` |
//! | `no_hp` | the Patient's current `telecom` of the system `phone` or `sms`, the mobile one before others |
//! | `dosis_ke` | `protocolApplied.doseNumberPositiveInt`, `doseNumberString` or `doseNumber` |
//! | `vaksin` | `vaccineCode`: the first code, name or text that the catalogue has |
//! | `batch` | `lotNumber` |
//! | `tanggal_vaksinasi` | the day of `occurrenceDateTime` at the facility |
//! | `kode_faskes`, `nama_faskes` | `location`, else the `performer`'s organization: identifier and name |
//! | `status` | `entered-in-error`, which retracts the event |
//!
//! Entries of the use `old`, and those whose period ended before the row was sent, do not count. `isSubpotent` and every
//! `modifierExtension` change what an Immunization means, so a row with one is refused.

mod current;
mod resource;

use std::collections::HashMap;
use std::fmt;

use bukti_aws::FeedProblem;
use bukti_domain::feed::ENTERED_IN_ERROR;
use bukti_domain::{
    FeedRow, Reason, facility_offset, parse_moment, vaccine_named, vaccine_of_dcc, vaccine_of_icvp,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::feed::{Line, Unreadable, problem};

use current::identifier;
use resource::{Concept, Identifier, Immunization, Patient, Protocol, Reference, Resource};

/// The largest file, in bytes. One is read as a whole, since what an entry refers to may stand anywhere in it.
const LARGEST: usize = 16 * 1024 * 1024;
/// The most entries of a Bundle, and lines of a file.
const MOST_ENTRIES: usize = 10_000;

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const PASSPORT: &str = "https://fhir.kemkes.go.id/id/paspor";
/// HL7 table 0203: a passport number, of whatever country's system.
const PASSPORT_TYPE: &str = "PPN";
/// Systems of vaccine codes, and what stands before such a code among the aliases of the catalogue.
const VACCINE_SYSTEMS: [(&str, &str); 8] = [
    ("http://sys-ids.kemkes.go.id/kfa", "kfa"),
    ("https://sys-ids.kemkes.go.id/kfa", "kfa"),
    ("http://hl7.org/fhir/sid/cvx", "cvx"),
    ("http://www.whocc.no/atc", "atc"),
    ("http://snomed.info/sct", "sct"),
    ("http://id.who.int/icd/release/11/mms", "icd11"),
    ("http://id.who.int/icd11/mms", "icd11"),
    ("urn:oid:2.16.840.1.113883.12.292", "cvx"),
];

/// What a FHIR file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FhirKind {
    /// A Bundle: a line is an entry.
    Bundle,
    /// A Bundle of which all rows are kept or none.
    Transaction,
    /// One resource.
    Resource,
    /// Bulk Data: a line is a line.
    Lines,
}

/// Collects a FHIR file, and reads it at its end.
#[derive(Default)]
pub(crate) struct FhirReader {
    text: Vec<u8>,
    received_at: Option<Timestamp>,
    kind: Option<FhirKind>,
}

impl FhirReader {
    /// A reader of a file that was received then.
    pub(crate) fn new(received_at: Option<Timestamp>) -> Self {
        Self { received_at, ..Self::default() }
    }

    /// What the file is, once it was read.
    pub(crate) fn kind(&self) -> Option<FhirKind> {
        self.kind
    }

    pub(crate) fn line(&self) -> u64 {
        self.text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }

    /// Takes the next piece of the file.
    ///
    /// # Errors
    ///
    /// The file is too large.
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
    /// It has no Immunization in a form that is read, or is too large.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let bytes = std::mem::take(&mut self.text);
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64;
            problem(Reason::NotUtf8.code(), before + 1, "the file is not UTF-8")
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let file = match serde_json::from_str::<Head>(text) {
            Ok(head) if head.resource_type == "Bundle" => {
                let bundle: Bundle<'_> =
                    serde_json::from_str(text).map_err(|error| not_fhir(error.line() as u64))?;
                bundle.file()
            }
            Ok(_) => File::of_resource(text)?,
            // A second value behind the first: Bulk Data.
            Err(error) if error.is_syntax() && first_value_is_whole(text) => File::of_lines(text)?,
            Err(error) => {
                let line = error.line() as u64;
                return Err(match error.classify() {
                    serde_json::error::Category::Eof => {
                        problem("broken_off", line, "the file ends in the middle")
                    }
                    serde_json::error::Category::Data => not_fhir(line),
                    _ => problem(
                        "json_malformed",
                        line,
                        "the file is neither one JSON object nor one on each line",
                    ),
                });
            }
        };
        if file.entries.len() > MOST_ENTRIES {
            return Err(too_large());
        }
        self.kind = Some(file.kind);
        let rows = file.rows(self.received_at);
        if rows.is_empty() && matches!(file.kind, FhirKind::Resource | FhirKind::Lines) {
            return Err(not_fhir(1));
        }
        lines.extend(rows);
        Ok(())
    }
}

/// Whether a text begins with a whole JSON value, whatever comes after it.
fn first_value_is_whole(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    matches!(values.next(), Some(Ok(_)))
}

fn too_large() -> FeedProblem {
    problem(
        "bundle_too_large",
        1,
        "a FHIR file has at most 10,000 entries or lines and 16 MiB: send it as several",
    )
}

fn not_fhir(line: u64) -> FeedProblem {
    problem(
        "not_a_bundle",
        line,
        "there is no FHIR Immunization: send a Bundle with entries, one Immunization, or a resource on each line",
    )
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceType")]
    resource_type: String,
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    timestamp: Option<String>,
    #[serde(default, borrow, deserialize_with = "entries")]
    entry: Vec<Entry<'a>>,
}

/// An entry of a Bundle, or a line.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    /// Read by itself, so that one that is wrong does not stop the others.
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(skip)]
    line: u64,
}

/// Reads entries up to the first that is too many, so that a small file does not become a large list.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry<'de>>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<Entry<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries: Vec<Entry<'de>> = Vec::new();
            while entries.len() <= MOST_ENTRIES {
                match seq.next_element::<Entry<'de>>()? {
                    Some(entry) => {
                        let line = entries.len() as u64 + 1;
                        entries.push(Entry { line, ..entry });
                    }
                    None => return Ok(entries),
                }
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(entries)
        }
    }

    deserializer.deserialize_seq(Entries)
}

impl<'a> Bundle<'a> {
    fn file(self) -> File<'a> {
        let is_transaction = self.kind.as_deref() == Some("transaction");
        File {
            kind: if is_transaction { FhirKind::Transaction } else { FhirKind::Bundle },
            timestamp: self.timestamp,
            entries: self.entry,
        }
    }
}

/// What was sent, whichever its form.
struct File<'a> {
    kind: FhirKind,
    timestamp: Option<String>,
    entries: Vec<Entry<'a>>,
}

impl<'a> File<'a> {
    fn of_resource(text: &'a str) -> Result<Self, FeedProblem> {
        let resource = serde_json::from_str(text).map_err(|error| not_fhir(error.line() as u64))?;
        let entries = vec![Entry { full_url: None, resource: Some(resource), line: 1 }];
        Ok(Self { kind: FhirKind::Resource, timestamp: None, entries })
    }

    fn of_lines(text: &'a str) -> Result<Self, FeedProblem> {
        let mut entries = Vec::new();
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        for (line, number) in lines.take(MOST_ENTRIES + 1) {
            let resource = serde_json::from_str(line);
            if let Err(error) = &resource
                && (error.is_eof() || entries.is_empty())
            {
                let detail = "each line must be one whole FHIR resource";
                let code = if entries.is_empty() { "json_malformed" } else { "broken_off" };
                return Err(problem(code, number, detail));
            }
            entries.push(Entry { full_url: None, resource: resource.ok(), line: number });
        }
        Ok(Self { kind: FhirKind::Lines, timestamp: None, entries })
    }

    fn rows(&self, received_at: Option<Timestamp>) -> Vec<Line> {
        let known = Known::of(&self.entries);
        let mut rows = Vec::new();
        for entry in &self.entries {
            let resource = entry.resource.map(Resource::read);
            let row = match resource {
                Some(Some(Resource::Immunization(immunization))) => {
                    self.row(entry, &immunization, &known, received_at)
                }
                Some(Some(_)) => continue,
                // An entry of a Bundle with nothing in it is a request to delete: there is nothing to be read of it.
                None if self.kind != FhirKind::Lines => continue,
                None | Some(None) => {
                    Err(Unreadable { event_id: String::new(), reason: Reason::RowMalformed })
                }
            };
            rows.push(Line { line: entry.line, row });
        }
        rows
    }

    fn row(
        &self,
        entry: &Entry<'_>,
        immunization: &Immunization<'_>,
        known: &Known<'_>,
        received_at: Option<Timestamp>,
    ) -> Result<FeedRow, Unreadable> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let sent_at = immunization.meta.as_ref().and_then(|meta| filled(&meta.last_updated));
        let sent_at = sent_at.or_else(|| filled(&self.timestamp));
        let sent_at = sent_at.or_else(|| received_at.map(|at| at.to_string())).unwrap_or_default();

        let event_id = identifier(&immunization.identifier, &sent_at).or_else(|| filled(&immunization.id));
        let event_id =
            event_id.or_else(|| entry.full_url.as_deref().map(|url| without_version(url).to_owned()));
        let event_id = event_id.unwrap_or_default();
        let unreadable = |reason| Unreadable { event_id: event_id.chars().take(100).collect(), reason };
        let is_retracted = immunization.status.as_deref() == Some(ENTERED_IN_ERROR);
        if !is_retracted && immunization.status.as_deref() != Some("completed") {
            return Err(unreadable(Reason::NotCompleted));
        }

        let contained: Vec<Resource<'_>> =
            immunization.contained.iter().filter_map(|resource| Resource::read(resource)).collect();
        let find = |reference: &Reference| known.find(reference, &contained, entry);
        let reference = immunization.patient.as_ref();
        let patient = match reference.and_then(find) {
            Some(Resource::Patient(patient)) => Some(&**patient),
            _ => None,
        };
        let logical = reference.and_then(logical_identifier);
        if !is_retracted {
            if patient.is_none() && logical.is_none() {
                return Err(unreadable(Reason::PatientMissing));
            }
            if immunization.is_subpotent == Some(true) {
                return Err(unreadable(Reason::Subpotent));
            }
            let modifiers =
                immunization.modifier_extension.len() + patient.map_or(0, |it| it.modifier_extension.len());
            if modifiers > 0 {
                return Err(unreadable(Reason::ModifierUnknown));
            }
        }

        let identifiers = || patient.into_iter().flat_map(|it| &it.identifier).chain(&logical);
        let of = |is: fn(&Identifier) -> bool| {
            identifier(identifiers().filter(|it| is(it)), &sent_at).unwrap_or_default()
        };
        let performers = immunization.performer.iter().filter_map(|performer| performer.actor.as_ref());
        let places: Vec<(String, String)> = immunization
            .location
            .iter()
            .chain(performers)
            .map(|place| facility(place, find(place), &sent_at))
            .collect();
        let first = |part: fn(&(String, String)) -> &String| {
            places.iter().map(part).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        let kode_faskes = first(|(code, _)| code);
        let occurrence = filled(&immunization.occurrence_date_time);
        let occurrence = occurrence.or_else(|| filled(&immunization.occurrence_string)).unwrap_or_default();
        Ok(FeedRow {
            event_id: event_id.clone(),
            nik: of(|it| it.system.as_deref() == Some(NIK)),
            paspor: of(Identifier::is_passport),
            nama: patient.map(|it| it.current_name(&sent_at)).unwrap_or_default(),
            tanggal_lahir: patient.and_then(|it| it.birth_date.clone()).unwrap_or_default(),
            jenis_kelamin: patient.map(Patient::sex).unwrap_or_default(),
            no_hp: patient.map(|it| it.current_phone(&sent_at)).unwrap_or_default(),
            dosis_ke: immunization.protocol_applied.iter().find_map(Protocol::number).unwrap_or_default(),
            vaksin: immunization.vaccine_code.as_ref().map(vaccine).unwrap_or_default(),
            batch: immunization.lot_number.clone().unwrap_or_default(),
            tanggal_vaksinasi: local_day(&occurrence, &kode_faskes),
            nama_faskes: first(|(_, name)| name),
            status: if is_retracted { ENTERED_IN_ERROR.to_owned() } else { String::new() },
            sent_at,
            kode_faskes,
        })
    }
}

/// The day at the facility of a FHIR `dateTime`; where it has no time, or is none, as it was written.
fn local_day(occurrence: &str, facility: &str) -> String {
    match parse_moment(occurrence) {
        Some(moment) => facility_offset(facility).to_datetime(moment).date().to_string(),
        None => occurrence.to_owned(),
    }
}

/// An address without the version that it names (`…/_history/3`).
fn without_version(reference: &str) -> &str {
    reference.split_once("/_history/").map_or(reference, |(address, _)| address)
}

/// What the entries of a file can be referred to by.
struct Known<'a> {
    resources: Vec<(Option<&'a str>, Resource<'a>)>,
    by_address: HashMap<&'a str, usize>,
    by_type_and_id: HashMap<String, Vec<usize>>,
    by_identifier: HashMap<(String, String), usize>,
}

impl<'a> Known<'a> {
    fn of(entries: &'a [Entry<'a>]) -> Self {
        let mut known = Self {
            resources: Vec::new(),
            by_address: HashMap::new(),
            by_type_and_id: HashMap::new(),
            by_identifier: HashMap::new(),
        };
        for entry in entries {
            let Some(resource) = entry.resource.and_then(Resource::read) else { continue };
            let at = known.resources.len();
            let address = entry.full_url.as_deref().map(without_version);
            match &resource {
                Resource::Immunization(_) | Resource::Other => continue,
                Resource::Patient(patient) => {
                    for identifier in &patient.identifier {
                        if let (Some(system), Some(value)) = (&identifier.system, &identifier.value) {
                            known.by_identifier.entry((system.clone(), value.clone())).or_insert(at);
                        }
                    }
                }
                Resource::Place(..) => {}
            }
            known.by_address.extend(address.map(|address| (address, at)));
            if let Some(name) = resource.relative() {
                known.by_type_and_id.entry(name).or_default().push(at);
            }
            known.resources.push((address, resource));
        }
        known
    }

    /// What a reference means, by FHIR's rules: contained, by address, by type and id on the server of the entry that refers
    /// to it, or by identifier. `None` where it is not there, or several could be meant.
    fn find<'r>(
        &'r self,
        reference: &Reference,
        contained: &'r [Resource<'a>],
        from: &Entry<'_>,
    ) -> Option<&'r Resource<'a>> {
        let resource = |at: usize| self.resources.get(at).map(|(_, resource)| resource);
        if let Some(name) = reference.reference.as_deref().map(without_version) {
            if let Some(id) = name.strip_prefix('#') {
                let has_id = |it: &&Resource<'_>| {
                    it.relative().is_some_and(|name| name.split_once('/').is_some_and(|(_, it)| it == id))
                };
                return contained.iter().find(has_id);
            }
            if let Some(at) = self.by_address.get(name) {
                return resource(*at);
            }
            let (server, relative) = split_address(name);
            let base = server.or_else(|| split_address(from.full_url.as_deref()?).0);
            let meant = self.by_type_and_id.get(relative).and_then(|all| {
                // On another server it is another's, unless nothing says on which it is.
                let is_there = |at: &&usize| {
                    let there = self.resources[**at].0.and_then(|address| split_address(address).0);
                    there.is_none() || base.is_none() || there == base
                };
                let mut meant = all.iter().filter(is_there);
                meant.next().filter(|_| meant.next().is_none())
            });
            if let Some(at) = meant {
                return resource(*at);
            }
        }
        let Identifier { system, value, .. } = logical_identifier(reference)?;
        self.by_identifier.get(&(system?, value?)).and_then(|at| resource(*at))
    }
}

/// The server of an address and what is behind it, `Patient/1`; of a relative reference there is no server.
fn split_address(address: &str) -> (Option<&str>, &str) {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return (None, address);
    }
    let mut slashes = address.rmatch_indices('/').map(|(at, _)| at);
    match (slashes.next(), slashes.next()) {
        (Some(_), Some(at)) => (Some(&address[..at]), &address[at + 1..]),
        _ => (None, address),
    }
}

/// The identifier by which a reference means somebody: a logical one, or the search of a conditional one
/// (`Patient?identifier=system|value`).
fn logical_identifier(reference: &Reference) -> Option<Identifier> {
    if let Some(identifier) = &reference.identifier {
        return Some(identifier.clone());
    }
    let (_, search) = reference.reference.as_deref()?.split_once('?')?;
    let searched = search.split('&').find_map(|part| part.strip_prefix("identifier="))?;
    let searched = percent_encoding::percent_decode_str(searched).decode_utf8().ok()?;
    let (system, value) = searched.split_once('|')?;
    let (system, value) = (Some(system.to_owned()), Some(value.to_owned()));
    Some(Identifier { usage: None, kind: None, system, value, period: None })
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
    let mut texts = [&concept.text].into_iter().chain(written).flatten();
    texts.find(|text| !text.trim().is_empty()).cloned().unwrap_or_default()
}

/// Code and name of a facility, as far as they are known.
fn facility(reference: &Reference, found: Option<&Resource<'_>>, on: &str) -> (String, String) {
    let place = match found {
        Some(Resource::Place(_, place)) => Some(place),
        _ => None,
    };
    let code = place.and_then(|place| identifier(&place.identifier, on));
    let code = code.or_else(|| reference.identifier.as_ref()?.value.clone());
    // SATUSEHAT's number of an organization is its id there.
    let written = reference.reference.as_deref().map(|written| split_address(without_version(written)).1);
    let code = code.or_else(|| written?.strip_prefix("Organization/").map(str::to_owned));
    let name = place.and_then(|place| place.name.clone());
    // A person's name is no facility's.
    let is_place = !written.is_some_and(|it| it.starts_with("Practitioner"));
    let name = name.or_else(|| reference.display.clone().filter(|_| is_place));
    (code.unwrap_or_default(), name.unwrap_or_default())
}

#[cfg(test)]
mod tests;

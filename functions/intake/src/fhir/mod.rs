//! FHIR R4 and R5 (HL7): Immunizations with their Patients, as SATUSEHAT, the Ministry of Health's platform, and other systems
//! write them.
//!
//! A file is one Bundle, one Immunization with what it contains, or Bulk Data NDJSON, a resource on each line. Of a
//! Bundle of the type `transaction` all rows are kept or none.
//!
//! | column | of the Immunization, its Patient or its Location |
//! |---|---|
//! | `event_id` | `identifier`, the official one before others, else `id`, else the id in `fullUrl`, else `fullUrl` |
//! | `sent_at` | `meta.lastUpdated`, else the Bundle's `timestamp`, else when the file was received |
//! | `nik`, `paspor` | the Patient's current identifiers of the systems `…/id/nik` and `…/id/paspor` |
//! | `nama` | the Patient's current `name`: its `text`, else `given` and `family`; never one of the use `anonymous` |
//! | `tanggal_lahir`, `jenis_kelamin` | the Patient's `birthDate` and `gender` |
//! | `no_hp` | the Patient's current `telecom` of the system `phone` or `sms`, the mobile one before others |
//! | `dosis_ke` | `protocolApplied.doseNumberPositiveInt`, `doseNumberString` or `doseNumber`, of several that with the vaccine's `targetDisease` |
//! | `vaksin` | `vaccineCode`, else R5's `administeredProduct`: the code that the catalogue has, else the name or text; unknown where they name several vaccines, or a text another product than the code |
//! | `batch` | `lotNumber` |
//! | `tanggal_vaksinasi` | the day of `occurrenceDateTime` at the facility, whose time is that of its province, else the offset that is written, where it is one of Indonesia's |
//! | `kode_faskes`, `nama_faskes` | `location`, else the `performer`'s organization: identifier and name |
//! | `status` | `entered-in-error`, which retracts the event |
//!
//! The `system` of the Immunization's `identifier` is no part of the event id, which is the same in every form of a feed: the
//! values of all systems that one hub sends must differ. A retraction has the same `identifier` as the event that it
//! retracts: one with the `id` alone names another event.
//!
//! Entries of the use `old`, and those whose period does not include the day on which the row was sent, do not count.
//! `isSubpotent` and every `modifierExtension` change what an Immunization means, so a row with one is refused: in the
//! Immunization, in what it contains, and in the Patient, Location and Organization that it refers to.
//!
//! Requests to delete or patch an Immunization are refused: an event is retracted by its status.

mod current;
mod resource;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use bukti_domain::feed::ENTERED_IN_ERROR;
use bukti_domain::{
    FeedRow, INDONESIA_WEST, Reason, RowStatus, Vaccine, disease, is_vaccine_kind, occurrence_offset,
    parse_moment, vaccine_named, vaccine_of_dcc, vaccine_of_icvp,
};
use bukti_records::FeedProblem;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::line::{Line, Unreadable, problem};

use current::identifier;
use resource::{Coding, Concept, Identifier, Immunization, Patient, Protocol, Reference, Resource};

/// The largest file, in bytes. One is read as a whole, since what an entry refers to may stand anywhere in it.
const LARGEST: usize = 16 * 1024 * 1024;
/// The most entries of a Bundle, and lines of a file.
const MOST_ENTRIES: usize = 10_000;
/// The most names, identifiers, phones and codes of all resources that others can refer to. These are kept until the file is
/// read, and take many times as much memory as `{}` in the file.
const MOST_ITEMS: usize = 100_000;
/// How long all rows of a file may be together, in bytes: many Immunizations may refer to one Patient with a long name.
const LONGEST_ROWS: usize = 8 * 1024 * 1024;

/// The longest `timestamp` of a Bundle that is read, in bytes.
const LONGEST_TIME: usize = 100;
/// How deep objects and lists may be nested: as deep as JSON is read where its parts are known.
const DEEPEST: usize = 128;

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const PASSPORT: &str = "https://fhir.kemkes.go.id/id/paspor";
/// HL7 table 0203: a passport number, of whatever country's system.
const PASSPORT_TYPE: &str = "PPN";
/// HL7 table 0203: the national identity number of an Indonesian.
const NIK_TYPE: &str = "NNIDN";
/// Systems of vaccine codes without `http://` or `https://`, which senders mix up, and the prefix of such a code among the
/// aliases of the catalogue.
const VACCINE_SYSTEMS: [(&str, &str); 9] = [
    ("sys-ids.kemkes.go.id/kfa", "kfa"),
    ("hl7.org/fhir/sid/cvx", "cvx"),
    ("urn:oid:2.16.840.1.113883.12.292", "cvx"),
    ("www.whocc.no/atc", "atc"),
    ("urn:oid:2.16.840.1.113883.6.73", "atc"),
    ("snomed.info/sct", "sct"),
    ("urn:oid:2.16.840.1.113883.6.96", "sct"),
    ("id.who.int/icd/release/11/mms", "icd11"),
    ("id.who.int/icd11/mms", "icd11"),
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
    nesting: Nesting,
    received_at: Option<Timestamp>,
    kind: Option<FhirKind>,
}

/// Follows how deep JSON is nested, however it is cut into pieces.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Whether a value has begun.
    has_value: bool,
    /// Whether the first value was whole at the end of its line: Bulk Data, of which each line is nested by itself.
    is_lines: bool,
}

impl Nesting {
    /// Whether no byte of the next piece is nested too deeply.
    fn takes(&mut self, piece: &[u8]) -> bool {
        piece.iter().all(|byte| {
            match byte {
                // No text has one: here a line begins, whatever is wrong with the one before.
                b'\n' => {
                    (self.in_text, self.is_escaped) = (false, false);
                    self.is_lines |= self.has_value && self.depth == 0;
                    if self.is_lines {
                        self.depth = 0;
                    }
                }
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_text => self.is_escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => {
                    self.has_value = true;
                    self.depth += 1;
                }
                b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.depth <= DEEPEST
        })
    }
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
    /// The file is too large, or nested too deeply.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), FeedProblem> {
        if self.text.len() + piece.len() > LARGEST {
            return Err(too_large());
        }
        if !self.nesting.takes(piece) {
            let detail = "objects and lists are nested more than 128 levels deep";
            return Err(problem("nested_too_deeply", self.line(), detail));
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
        let rows = file.rows(self.received_at)?;
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
        "a FHIR file has at most 10,000 entries or lines, 16 MiB, and 100,000 names, identifiers, phones and codes of Patients and \
         others that are referred to: send it as several",
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
    /// Read once its length is known, since it is not bounded otherwise.
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
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
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(skip)]
    line: u64,
}

impl<'a> Entry<'a> {
    fn of_line(line: u64, resource: Option<&'a RawValue>) -> Self {
        Self { full_url: None, resource, request: None, line }
    }

    /// The id of the Immunization that the entry asks to delete or patch, as a Bundle of the types `batch`, `transaction` and
    /// `history` can.
    fn deletes_or_patches(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Request {
            method: String,
            url: String,
        }
        let request: Request = serde_json::from_str(self.request?.get()).ok()?;
        let id = split_address(without_version(&request.url)).1.strip_prefix("Immunization")?;
        matches!(&*request.method, "DELETE" | "PATCH").then(|| id.trim_start_matches('/').to_owned())
    }

    /// The id of the event in `fullUrl`: that of the resource where the address ends in it, as the resource has it when it is
    /// sent without a Bundle.
    fn event_id(&self) -> Option<&str> {
        let address = without_version(self.full_url.as_deref()?);
        Some(split_address(address).1.strip_prefix("Immunization/").unwrap_or(address))
    }
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
            timestamp: self
                .timestamp
                .filter(|written| written.get().len() <= LONGEST_TIME)
                .and_then(|written| serde_json::from_str(written.get()).ok()),
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
        let entries = vec![Entry::of_line(1, Some(resource))];
        Ok(Self { kind: FhirKind::Resource, timestamp: None, entries })
    }

    fn of_lines(text: &'a str) -> Result<Self, FeedProblem> {
        let mut entries = Vec::new();
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let mut lines = lines.take(MOST_ENTRIES + 1).peekable();
        while let Some((line, number)) = lines.next() {
            let resource = serde_json::from_str(line);
            let is_last = lines.peek().is_none();
            if let Err(error) = &resource
                && (entries.is_empty() || (is_last && error.is_eof()))
            {
                let detail = "each line must be one whole FHIR resource";
                let code = if entries.is_empty() { "json_malformed" } else { "broken_off" };
                return Err(problem(code, number, detail));
            }
            entries.push(Entry::of_line(number, resource.ok()));
        }
        Ok(Self { kind: FhirKind::Lines, timestamp: None, entries })
    }

    fn rows(&self, received_at: Option<Timestamp>) -> Result<Vec<Line>, FeedProblem> {
        let known = Known::of(&self.entries)?;
        let mut rows = Vec::new();
        let mut length = 0;
        for entry in &self.entries {
            let unreadable = |event_id, reason| Err(Unreadable { event_id, reason });
            let row = match (entry.deletes_or_patches(), entry.resource.map(Resource::read)) {
                (Some(id), _) => unreadable(id.chars().take(100).collect(), Reason::RequestUnsupported),
                (None, Some(Some(Resource::Immunization(immunization)))) => {
                    self.row(entry, &immunization, &known, received_at)
                }
                (None, Some(Some(_))) => continue,
                // An entry of a Bundle without a resource: a search, or a request about another resource.
                (None, None) if self.kind != FhirKind::Lines => continue,
                (None, None | Some(None)) => unreadable(String::new(), Reason::RowMalformed),
            };
            if let Ok(row) = &row {
                length += row.fields().iter().map(|field| field.len()).sum::<usize>();
            }
            if length > LONGEST_ROWS {
                return Err(too_large());
            }
            rows.push(Line { line: entry.line, row });
        }
        Ok(rows)
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

        let sent_on = sent_on(&sent_at);

        let event_id = identifier(&immunization.identifier, &sent_on).or_else(|| filled(&immunization.id));
        let event_id = event_id.or_else(|| entry.event_id().map(str::to_owned)).unwrap_or_default();
        let unreadable = |reason| Unreadable { event_id: event_id.chars().take(100).collect(), reason };
        let status = immunization.status.as_deref().unwrap_or_default();
        let is_retracted = RowStatus::parse(status) == Some(RowStatus::EnteredInError);
        if !is_retracted && status != "completed" {
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
            let referred = reference.into_iter().chain(immunization.places()).filter_map(find);
            if immunization.has_modifier() || contained.iter().chain(referred).any(Resource::has_modifier) {
                return Err(unreadable(Reason::ModifierUnknown));
            }
        }

        let identifiers = || patient.into_iter().flat_map(|it| &it.identifier).chain(&logical);
        let of = |is: fn(&Identifier) -> bool| {
            identifier(identifiers().filter(|it| is(it)), &sent_on).unwrap_or_default()
        };
        let (nik, paspor) = (of(Identifier::is_nik), of(Identifier::is_passport));
        let is_passport = nik.is_empty() && !paspor.is_empty();
        let places: Vec<(String, String)> =
            immunization.places().map(|place| facility(place, find(place), &sent_on)).collect();
        let first = |part: fn(&(String, String)) -> &String| {
            places.iter().map(part).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        let kode_faskes = first(|(code, _)| code);
        let vaksin = vaccine(immunization, find);
        let occurrence = filled(&immunization.occurrence_date_time);
        let occurrence = occurrence.or_else(|| filled(&immunization.occurrence_string)).unwrap_or_default();
        Ok(FeedRow {
            event_id: event_id.clone(),
            nik,
            paspor,
            nama: patient.map(|it| it.current_name(&sent_on, is_passport)).unwrap_or_default(),
            tanggal_lahir: patient.and_then(|it| it.birth_date.clone()).unwrap_or_default(),
            jenis_kelamin: patient.map(Patient::sex).unwrap_or_default(),
            no_hp: patient.map(|it| it.current_phone(&sent_on)).unwrap_or_default(),
            dosis_ke: dose_number(&immunization.protocol_applied, &vaksin),
            vaksin,
            batch: immunization.lot_number.clone().unwrap_or_default(),
            tanggal_vaksinasi: local_day(&occurrence, &kode_faskes),
            nama_faskes: first(|(_, name)| name),
            status: if is_retracted { ENTERED_IN_ERROR.to_owned() } else { String::new() },
            sent_at,
            kode_faskes,
        })
    }
}

/// The day on which a row was sent, in Indonesia's west; what is written where that is no time.
fn sent_on(sent_at: &str) -> String {
    let day = |moment| INDONESIA_WEST.to_datetime(moment).date().to_string();
    parse_moment(sent_at).map_or_else(|| sent_at.to_owned(), day)
}

/// The day at the facility of a FHIR `dateTime`; where it has no time, or is none, as it was written. `Z` is no local time:
/// systems write every moment so.
fn local_day(occurrence: &str, facility: &str) -> String {
    match parse_moment(occurrence) {
        Some(moment) => {
            let pieces = jiff::fmt::temporal::Pieces::parse(occurrence.trim());
            let written = pieces.ok().and_then(|pieces| pieces.to_numeric_offset());
            occurrence_offset(facility, written).to_datetime(moment).date().to_string()
        }
        None => occurrence.to_owned(),
    }
}

/// An address without the version that it names (`…/_history/3`).
fn without_version(reference: &str) -> &str {
    split_version(reference).0
}

fn split_version(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once("/_history/") {
        Some((address, version)) => (address, Some(version)),
        None => (reference, None),
    }
}

/// What the entries of a file can be referred to by.
#[derive(Default)]
struct Known<'a> {
    resources: Vec<Referable<'a>>,
    by_address: HashMap<Cow<'a, str>, Vec<usize>>,
    by_type_and_id: HashMap<String, Vec<usize>>,
    by_identifier: HashMap<(String, String), usize>,
}

/// A resource that others can refer to.
struct Referable<'a> {
    address: Option<Cow<'a, str>>,
    version: Option<String>,
    updated_at: Option<Timestamp>,
    resource: Resource<'a>,
}

impl<'a> Known<'a> {
    fn of(entries: &'a [Entry<'a>]) -> Result<Self, FeedProblem> {
        let mut known = Self::default();
        let mut items = 0;
        for entry in entries {
            let Some(resource) = entry.resource.and_then(Resource::read) else { continue };
            items += resource.items();
            if items > MOST_ITEMS {
                return Err(too_large());
            }
            let at = known.resources.len();
            let (address, version) = entry.full_url.as_deref().map(split_version).unzip();
            match &resource {
                Resource::Immunization(_) | Resource::Other(_) => continue,
                Resource::Patient(patient) => {
                    for identifier in &patient.identifier {
                        if let (Some(system), Some(value)) = (&identifier.system, &identifier.value) {
                            known.by_identifier.entry((system.clone(), value.clone())).or_insert(at);
                        }
                    }
                }
                Resource::Place(..) | Resource::Medication(_) => {}
            }
            let address = address.map(normal_address);
            if let Some(address) = &address {
                known.by_address.entry(address.clone()).or_default().push(at);
            }
            if let Some(name) = resource.relative() {
                known.by_type_and_id.entry(name).or_default().push(at);
            }
            let meta = resource.meta();
            let version = version.flatten().map(str::to_owned);
            known.resources.push(Referable {
                address,
                version: version.or_else(|| meta?.version_id.clone()),
                updated_at: meta.and_then(|meta| parse_moment(meta.last_updated.as_deref()?)),
                resource,
            });
        }
        Ok(known)
    }

    /// What a reference means, by FHIR's rules: contained, by address, by type and id on the server of the entry that refers
    /// to it, or by identifier. `None` where it is not there, or several could be meant.
    fn find<'r>(
        &'r self,
        reference: &Reference,
        contained: &'r [Resource<'a>],
        from: &Entry<'_>,
    ) -> Option<&'r Resource<'a>> {
        let at = |at: &usize| self.resources.get(*at);
        if let Some((name, version)) = reference.reference.as_deref().map(split_version) {
            if let Some(id) = name.strip_prefix('#') {
                // Some senders write the `#` of the reference into the id.
                let has_id = |it: &&Resource<'_>| {
                    let name = it.relative();
                    name.as_deref()
                        .and_then(|name| name.split_once('/'))
                        .is_some_and(|(_, own)| own.strip_prefix('#').unwrap_or(own) == id)
                };
                return contained.iter().find(has_id);
            }
            if let Some(all) = self.by_address.get(&normal_address(name)) {
                return one_of(all.iter().filter_map(at).collect(), version);
            }
            let (server, relative) = split_address(name);
            let base = server.or_else(|| split_address(from.full_url.as_deref()?).0);
            if let Some(all) = self.by_type_and_id.get(relative) {
                // On another server it is another's, unless nothing says on which it is.
                let is_there = |it: &&Referable<'_>| {
                    let there = it.address.as_deref().and_then(|address| split_address(address).0);
                    there.is_none() || base.is_none() || there == base
                };
                if let Some(meant) = one_of(all.iter().filter_map(at).filter(is_there).collect(), version) {
                    return Some(meant);
                }
            }
        }
        let Identifier { system, value, .. } = logical_identifier(reference)?;
        self.by_identifier.get(&(system?, value?)).and_then(at).map(|it| &it.resource)
    }
}

/// The resource that is meant of several of one name: the version that is named, else the latest of one resource. `None` where
/// they may be several resources.
fn one_of<'r, 'a>(all: Vec<&'r Referable<'a>>, version: Option<&str>) -> Option<&'r Resource<'a>> {
    if version.is_some()
        && let [named] = all.iter().filter(|it| it.version.as_deref() == version).collect::<Vec<_>>()[..]
    {
        return Some(&named.resource);
    }
    let first = all.first()?;
    let is_one = all.len() == 1
        || (first.address.is_some()
            && all.iter().all(|it| it.address == first.address && it.updated_at.is_some()));
    is_one.then_some(())?;
    all.iter().max_by_key(|it| it.updated_at).map(|it| &it.resource)
}

/// An address for comparing: of a UUID (RFC 9562), capital and small letters are the same.
fn normal_address(address: &str) -> Cow<'_, str> {
    let is_uuid = address.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("urn:uuid:"));
    if is_uuid { Cow::Owned(address.to_ascii_lowercase()) } else { Cow::Borrowed(address) }
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
    fn is_nik(&self) -> bool {
        self.is_of(NIK, NIK_TYPE)
    }

    fn is_passport(&self) -> bool {
        self.is_of(PASSPORT, PASSPORT_TYPE)
    }

    /// Whether its system is this one, or its type has this code. Another system of the same authority is another person's
    /// number, or another number (`…/id/nik-ibu`, the mother's), whatever its type.
    fn is_of(&self, system: &str, code: &str) -> bool {
        let (own, system) = (self.system.as_deref().map(without_scheme), without_scheme(system));
        if own.is_some_and(|own| own.eq_ignore_ascii_case(system)) {
            return true;
        }
        let authority = system.rfind('/').map_or(system, |at| &system[..=at]);
        let begins =
            |own: &str| own.get(..authority.len()).is_some_and(|it| it.eq_ignore_ascii_case(authority));
        let mut codes = self.kind.iter().flat_map(|kind| &kind.coding);
        !own.is_some_and(begins) && codes.any(|coding| coding.code.as_deref() == Some(code))
    }
}

/// A system's address without its scheme and the slash at its end, which senders write one way and the other.
fn without_scheme(system: &str) -> &str {
    let system = system.trim();
    let address = system.strip_prefix("http://").or_else(|| system.strip_prefix("https://"));
    address.unwrap_or(system).trim_end_matches('/')
}

/// The dose number of the protocol that is about the vaccine's disease; where none names it, the first number.
fn dose_number(protocols: &[Protocol], vaccine: &str) -> String {
    let target = vaccine_named(vaccine).and_then(|vaccine| disease(&vaccine.disease)?.dcc_target.as_deref());
    let of_disease: Vec<&Protocol> =
        protocols.iter().filter(|it| target.is_some_and(|target| it.targets(target))).collect();
    let mut meant = if of_disease.is_empty() { protocols.iter().collect() } else { of_disease }.into_iter();
    meant.find_map(Protocol::number).unwrap_or_default()
}

/// The name by which the catalogue has the vaccine that was given, else what says that it is unknown: the text that people
/// would read, or the code or names that no text may overrule. R5's `administeredProduct` knows the product where
/// `vaccineCode` names only a kind of vaccine.
fn vaccine<'r>(
    immunization: &'r Immunization<'_>,
    find: impl Fn(&Reference) -> Option<&'r Resource<'r>>,
) -> String {
    let product = immunization.administered_product.as_ref();
    let referred = product.and_then(|product| match find(product.reference.as_ref()?)? {
        Resource::Medication(medication) => medication.code.as_ref(),
        _ => None,
    });
    let product = product.and_then(|product| product.concept.as_ref());
    let concepts = || [immunization.vaccine_code.as_ref(), product, referred].into_iter().flatten();
    let codings = || concepts().flat_map(|concept| &concept.coding);

    let by_code: BTreeSet<&str> = codings().filter_map(Coding::vaccine).map(|it| &*it.name).collect();
    let texts = concepts().filter_map(|it| it.text.as_deref());
    let texts = texts.chain(codings().filter_map(|it| it.display.as_deref()));
    let by_text: BTreeSet<&str> = texts.filter_map(vaccine_named).map(|it| &*it.name).collect();
    let named: Vec<&str> = by_code.union(&by_text).copied().collect();
    match named[..] {
        // Another product than those that are known, or than its name says.
        [one] if by_code.is_empty() => {
            let other = codings().find(|coding| coding.is_of_other_product(one));
            other.and_then(|coding| coding.code.clone()).unwrap_or_else(|| one.to_owned())
        }
        [one] => one.to_owned(),
        [] => concepts().find_map(Concept::written).unwrap_or_default(),
        _ => named.join(" / "),
    }
}

impl Coding {
    /// The code among the aliases of the catalogue: that of a system of vaccine codes, with its prefix.
    fn alias(&self) -> Option<String> {
        let (system, code) = (without_scheme(self.system.as_deref()?), self.code.as_deref()?.trim());
        let (_, prefix) = VACCINE_SYSTEMS.iter().find(|(known, _)| *known == system)?;
        (!code.is_empty()).then(|| format!("{prefix}:{code}"))
    }

    /// The vaccine of the code.
    fn vaccine(&self) -> Option<&'static Vaccine> {
        let code = self.code.as_deref()?.trim();
        let by_alias = self.alias().and_then(|alias| vaccine_named(&alias));
        by_alias.or_else(|| vaccine_of_dcc(code)).or_else(|| vaccine_of_icvp(code))
    }

    /// Whether the code is of another product than the vaccine of this name: the catalogue has the vaccine's code of the
    /// same system, and this one is neither that nor of a kind of vaccine.
    fn is_of_other_product(&self, name: &str) -> bool {
        let Some(alias) = self.alias().filter(|alias| !is_vaccine_kind(alias)) else { return false };
        let system = alias.split_once(':').map_or("", |(system, _)| system);
        let is_of_system =
            |known: &String| known.strip_prefix(system).is_some_and(|rest| rest.starts_with(':'));
        self.vaccine().is_none() && vaccine_named(name).is_some_and(|it| it.aliases.iter().any(is_of_system))
    }
}

impl Concept {
    /// What people would read of it.
    fn written(&self) -> Option<String> {
        let codes = self.coding.iter().flat_map(|coding| [&coding.display, &coding.code]);
        let mut texts = [&self.text].into_iter().chain(codes).flatten();
        texts.find(|text| !text.trim().is_empty()).cloned()
    }
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

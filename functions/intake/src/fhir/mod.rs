//! FHIR feeds (HL7 FHIR R4 and R5): Immunizations and the resources to which they refer, as written
//! by SATUSEHAT (the Ministry of Health's platform) and other systems.
//!
//! A file is a Bundle, a single Immunization with its contained resources, or Bulk Data NDJSON with
//! one resource per line. All rows of a Bundle of the type `transaction` are stored, or none.
//!
//! The columns of a row come from the Immunization, its Patient and its Location:
//!
//! - `event_id`: the Immunization's `identifier`, with official identifiers before others; else its
//!   `id`, else the id in `fullUrl`, else `fullUrl`
//! - `sent_at`: `meta.lastUpdated`, else the Bundle's `timestamp`, else the time at which the file
//!   was received
//! - `nik`, `paspor`: the Patient's current identifiers with the systems `…/id/nik` and
//!   `…/id/paspor`
//! - `nama`: the Patient's current `name`: its `text`, else `given` and `family`. Names with the
//!   use `anonymous` are ignored.
//! - `tanggal_lahir`, `jenis_kelamin`: the Patient's `birthDate` and `gender`
//! - `no_hp`: the Patient's current `telecom` with the system `phone` or `sms`, with mobile numbers
//!   before others
//! - `dosis_ke`: `doseNumberPositiveInt`, `doseNumberString` or `doseNumber` of `protocolApplied`.
//!   If there are several protocols, the one with the vaccine's `targetDisease` applies.
//! - `vaksin`: `vaccineCode`, else R5's `administeredProduct`: a code in the catalogue, else a name
//!   or text. The vaccine is unknown if they name several vaccines, or if the text names a
//!   different product from the code.
//! - `batch`: `lotNumber`
//! - `tanggal_vaksinasi`: the day of `occurrenceDateTime` in the time zone of the facility's
//!   province. If the province is unknown, the written offset applies, provided that it is an
//!   Indonesian one.
//! - `kode_faskes`, `nama_faskes`: identifier and name of the `location`, else of the `performer`'s
//!   Organization
//! - `status`: `entered-in-error`, which retracts the event
//!
//! The `system` of the Immunization's `identifier` is not part of the event id, so that the id is
//! the same in every feed format. A hub must therefore send values that are unique across systems.
//! A retraction must have the same `identifier` as the event that it retracts; a retraction with
//! only the `id` refers to a different event.
//!
//! List elements are ignored if their use is `old`, or if their period does not include the day on
//! which the row was sent. `isSubpotent` and every `modifierExtension` change the meaning of an
//! Immunization. The row is rejected if they occur in the Immunization, in a contained resource, or
//! in the Patient, Location or Organization to which it refers.
//!
//! Requests to delete or patch an Immunization are rejected, since only its status can retract an
//! event.

mod current;
mod file;
mod identifier;
mod nesting;
mod reference;
mod resource;
mod row;
mod vaccine;

use bukti_domain::Reason;
use bukti_records::FeedProblem;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::file::{Bundle, File};
use self::nesting::NestingLimit;
use crate::line::{Line, problem};

/// The maximum length of a file, in bytes. The whole file is kept in memory, since a referenced
/// resource may be anywhere in it.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The maximum number of entries in a Bundle, or of lines in Bulk Data.
const MAX_ENTRIES: usize = 10_000;

/// The kind of a FHIR file, which determines what [`Line::line`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FhirKind {
    /// A Bundle. [`Line::line`] is the number of the entry.
    Bundle,
    /// A Bundle whose rows are either all stored or all rejected.
    Transaction,
    /// A single resource.
    Resource,
    /// Bulk Data NDJSON. [`Line::line`] is the line number.
    Lines,
}

/// Collects the chunks of a FHIR file and parses them when the file ends.
#[derive(Default)]
pub(crate) struct FhirReader {
    text: Vec<u8>,
    nesting: NestingLimit,
    received_at: Option<Timestamp>,
    kind: Option<FhirKind>,
}

impl FhirReader {
    /// Creates a reader for a file that was received at this time.
    pub(crate) fn new(received_at: Option<Timestamp>) -> Self {
        Self { received_at, ..Self::default() }
    }

    /// The kind of the file, known once it has ended.
    pub(crate) fn kind(&self) -> Option<FhirKind> {
        self.kind
    }

    pub(crate) fn line(&self) -> u64 {
        self.text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }

    /// Collects the next chunk of the file.
    ///
    /// # Errors
    ///
    /// Returns a problem if the file is too large or too deeply nested.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), FeedProblem> {
        if self.text.len() + piece.len() > MAX_BYTES {
            return Err(too_large());
        }
        if !self.nesting.accepts(piece) {
            let detail = "objects and lists are nested more than 128 levels deep";
            return Err(problem("nested_too_deeply", self.line(), detail));
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    /// Ends the file and appends a row for each Immunization.
    ///
    /// # Errors
    ///
    /// Returns a problem if the file is malformed, is too large, or contains no Immunization and is
    /// not a Bundle.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let bytes = std::mem::take(&mut self.text);
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64;
            problem(Reason::NotUtf8.code(), before + 1, "the file is not UTF-8")
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let file = match serde_json::from_str::<ResourceType>(text) {
            Ok(resource) if resource.resource_type == "Bundle" => {
                let bundle: Bundle<'_> =
                    serde_json::from_str(text).map_err(|error| not_fhir(error.line() as u64))?;
                bundle.file()
            }
            Ok(_) => File::of_resource(text)?,
            // A second value follows the first, so the file is Bulk Data.
            Err(error) if error.is_syntax() && begins_with_json_value(text) => File::of_lines(text)?,
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
        if file.entries.len() > MAX_ENTRIES {
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

/// Whether a text begins with a complete JSON value.
fn begins_with_json_value(text: &str) -> bool {
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
struct ResourceType {
    #[serde(rename = "resourceType")]
    resource_type: String,
}

#[cfg(test)]
mod tests;

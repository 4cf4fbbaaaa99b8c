//! The kinds of FHIR files: a Bundle, a single resource, or Bulk Data.

use std::fmt;

use bukti_domain::Reason;
use bukti_records::FeedProblem;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reference::{Referables, split_address, without_version};
use super::resource::Resource;
use super::{FhirKind, MAX_ENTRIES, not_fhir, too_large};
use crate::line::{Line, Unreadable, problem};

/// The maximum total length of all rows of a file, in bytes. Rows can be longer than the file,
/// since many Immunizations may refer to one Patient with a long name.
const MAX_ROW_BYTES: usize = 8 * 1024 * 1024;

/// The maximum length of a Bundle's `timestamp`, in bytes. A longer timestamp is ignored.
const LONGEST_TIMESTAMP: usize = 100;

#[derive(Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Parsed after its length has been checked.
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "entries")]
    entry: Vec<Entry<'a>>,
}

/// An entry of a Bundle, or a line of Bulk Data.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(rename = "fullUrl")]
    pub full_url: Option<String>,
    /// Parsed separately, so that an invalid resource does not invalidate the Bundle.
    #[serde(borrow)]
    pub resource: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(skip)]
    line: u64,
}

impl<'a> Entry<'a> {
    /// Creates an entry for a resource without a Bundle, on this line.
    fn of_line(line: u64, resource: Option<&'a RawValue>) -> Self {
        Self { full_url: None, resource, request: None, line }
    }

    /// The id of the Immunization that the entry requests to delete or patch. Bundles of the types
    /// `batch`, `transaction` and `history` can contain such requests.
    fn deleted_or_patched(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Request {
            method: String,
            url: String,
        }
        let request: Request = serde_json::from_str(self.request?.get()).ok()?;
        let id = split_address(without_version(&request.url)).1.strip_prefix("Immunization")?;
        matches!(&*request.method, "DELETE" | "PATCH").then(|| id.trim_start_matches('/').to_owned())
    }

    /// The event id from `fullUrl`. If the URL ends with the id of the resource, that id is used,
    /// so that the event id is the same as without a Bundle. Otherwise the event id is the URL.
    pub(super) fn event_id(&self) -> Option<&str> {
        let address = without_version(self.full_url.as_deref()?);
        Some(split_address(address).1.strip_prefix("Immunization/").unwrap_or(address))
    }
}

/// Reads one entry more than the limit and skips the rest, so that a small file does not become a
/// long list.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry<'de>>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<Entry<'de>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries: Vec<Entry<'de>> = Vec::new();
            while entries.len() <= MAX_ENTRIES {
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
    pub(super) fn file(self) -> File<'a> {
        let is_transaction = self.kind.as_deref() == Some("transaction");
        File {
            kind: if is_transaction { FhirKind::Transaction } else { FhirKind::Bundle },
            timestamp: self
                .timestamp
                .filter(|written| written.get().len() <= LONGEST_TIMESTAMP)
                .and_then(|written| serde_json::from_str(written.get()).ok()),
            entries: self.entry,
        }
    }
}

/// A FHIR file of any kind, represented as a list of entries.
pub(super) struct File<'a> {
    pub kind: FhirKind,
    /// The `timestamp` of a Bundle; `None` for other kinds of files.
    pub timestamp: Option<String>,
    pub entries: Vec<Entry<'a>>,
}

impl<'a> File<'a> {
    /// Creates a file with a single resource.
    pub(super) fn of_resource(text: &'a str) -> Result<Self, FeedProblem> {
        let resource = serde_json::from_str(text).map_err(|error| not_fhir(error.line() as u64))?;
        let entries = vec![Entry::of_line(1, Some(resource))];
        Ok(Self { kind: FhirKind::Resource, timestamp: None, entries })
    }

    /// Parses a file of Bulk Data.
    ///
    /// # Errors
    ///
    /// Returns a problem if the first line is malformed or the last line is truncated. Other
    /// malformed lines become entries without a resource.
    pub(super) fn of_lines(text: &'a str) -> Result<Self, FeedProblem> {
        let mut entries = Vec::new();
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let mut lines = lines.take(MAX_ENTRIES + 1).peekable();
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

    /// The rows of the file: one row for each Immunization, and one rejected row for each entry
    /// that cannot be read.
    pub(super) fn rows(&self, received_at: Option<Timestamp>) -> Result<Vec<Line>, FeedProblem> {
        let referables = Referables::of(&self.entries)?;
        let mut rows = Vec::new();
        let mut length = 0;
        for entry in &self.entries {
            let row = match (entry.deleted_or_patched(), entry.resource.map(Resource::read)) {
                (Some(id), _) => Err(Unreadable::new(&id, Reason::RequestUnsupported)),
                (None, Some(Some(Resource::Immunization(immunization)))) => {
                    self.row(entry, &immunization, &referables, received_at)
                }
                (None, Some(Some(_))) => continue,
                // An entry without a resource is a search, or a request about another resource.
                (None, None) if self.kind != FhirKind::Lines => continue,
                (None, None | Some(None)) => Err(Unreadable::new("", Reason::RowMalformed)),
            };
            if let Ok(row) = &row {
                length += row.fields().iter().map(|field| field.len()).sum::<usize>();
            }
            if length > MAX_ROW_BYTES {
                return Err(too_large());
            }
            rows.push(Line { line: entry.line, row });
        }
        Ok(rows)
    }
}

//! What senders of doses are answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of doses that were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DosesAnswer {
    /// The job, for `/api/intake/jobs/{job}`. It follows from what was sent: the same sent again is the same job.
    pub job: String,
    /// What became of each row, in their order.
    pub rows: Vec<RowAnswer>,
    /// Rows by outcome.
    pub totals: BTreeMap<String, u64>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowAnswer {
    /// The line on which it begins, from 1; of a Bundle, which entry it is.
    pub line: u64,
    /// The id of the event that it names, at most its first 300 characters.
    pub event_id: String,
    /// `issued`, `incomplete`, `held`, `rejected`, `duplicate`, `superseded` or `retracted`.
    #[cfg_attr(feature = "openapi", schema(example = "issued"))]
    pub outcome: String,
    /// Why, as stable codes.
    pub reasons: Vec<String>,
    /// The id of the event that already reported this dose, where the reasons have `dose_duplicate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
}

/// How a job of the intake stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobAnswer {
    /// The job.
    pub job: String,
    /// `running`, `done`, or `failed`: the file as such is bad, and what was whole of it was taken in.
    #[cfg_attr(feature = "openapi", schema(example = "done"))]
    pub state: String,
    /// Rows that are read.
    pub rows: u64,
    /// Rows that are kept, or can only be reported back.
    pub rows_kept: u64,
    /// Rows by outcome, once it is done.
    pub totals: BTreeMap<String, u64>,
    /// What is wrong with the file as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<JobProblem>,
    /// An address of the report (CSV: `line,event_id,outcome,reasons,duplicate_of`), good for five minutes, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Parts whose rows are kept, while it is running, at most 100 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<JobPart>,
    /// Where there are more parts: what to ask for `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// What is wrong with a file as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobProblem {
    /// A stable code. The file breaks off or is damaged: `broken_off`, `row_too_long`, `compression_broken`,
    /// `compressed_too_much`. It is a table, but no feed: `empty`, `header_wrong`, `not_utf8`. It is another file:
    /// `excel_workbook`, `opendocument_sheet`, `office_document`, `pdf`, `picture`, `html_page`, `xml_document`, `archive`,
    /// `sqlite_database`, `json_array`, `binary_file`. Others are of FHIR.
    pub code: String,
    /// The line of the file, from 1.
    pub line: u64,
    /// What is wrong and what to do, in English.
    pub detail: String,
}

/// A part of a job that is running: some of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPart {
    /// Which one, from 1.
    pub part: u32,
    /// Rows that it has.
    pub rows: u64,
    /// Rows by outcome, as far as it is known: a later row may supersede one.
    pub totals: BTreeMap<String, u64>,
    /// An address of its report (CSV without a header), good for five minutes.
    pub report: String,
}

//! Responses to senders of doses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of importing the doses in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DosesAnswer {
    /// The id of the job, for `/api/intake/jobs/{job}`. It is derived from the content, so sending
    /// the same content again yields the same job.
    pub job: String,
    /// The result of each row, in the order of the request.
    pub rows: Vec<RowAnswer>,
    /// The number of rows with each result.
    pub totals: BTreeMap<String, u64>,
}

/// The result of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowAnswer {
    /// The line on which the row begins, from 1. For a Bundle, the number of the entry.
    pub line: u64,
    /// The row's event id, truncated to 300 characters.
    pub event_id: String,
    /// The result: `issued`, `incomplete`, `held`, `rejected`, `duplicate`, `superseded` or
    /// `retracted`.
    #[cfg_attr(feature = "openapi", schema(example = "issued"))]
    pub outcome: String,
    /// The reasons for the result, as stable codes.
    pub reasons: Vec<String>,
    /// The id of the event that already reported this dose, if the reasons contain
    /// `dose_duplicate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
}

/// The state of an import job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobAnswer {
    /// The id of the job.
    pub job: String,
    /// The state: `running`, `done` or `failed`. If the job has failed, the file is damaged or not
    /// a feed, and only the rows before the error were imported.
    #[cfg_attr(feature = "openapi", schema(example = "done"))]
    pub state: String,
    /// The number of rows that have been read.
    pub rows: u64,
    /// The number of rows that have been processed, which means stored or rejected.
    pub rows_kept: u64,
    /// The number of rows with each result, once the job is done.
    pub totals: BTreeMap<String, u64>,
    /// The error in the file as a whole, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<JobProblem>,
    /// A URL of the report, valid for five minutes, once the job is done. The report is CSV with
    /// the columns `line,event_id,outcome,reasons,duplicate_of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The parts that have been processed, at most 100 per page. Only present while the job is
    /// running.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<JobPart>,
    /// The value of `after` for the next page of parts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// An error in a file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobProblem {
    /// A stable code. For truncated or damaged files: `broken_off`, `row_too_long`,
    /// `compression_broken`, `compressed_too_much`. For tables that are not feeds: `empty`,
    /// `header_wrong`, `not_utf8`. For files of another type: `excel_workbook`,
    /// `opendocument_sheet`, `office_document`, `pdf`, `picture`, `html_page`, `xml_document`,
    /// `archive`, `sqlite_database`, `json_array`, `binary_file`. All other codes are for errors in
    /// FHIR files.
    pub code: String,
    /// The line of the file that contains the error, from 1.
    pub line: u64,
    /// A description of the error, and what to do about it, in English.
    pub detail: String,
}

/// A part of a running job: a section of the feed's rows that is imported at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPart {
    /// The number of the part, from 1.
    pub part: u32,
    /// The number of rows in the part.
    pub rows: u64,
    /// The number of rows with each result. It is preliminary, since a later row may supersede a
    /// row of this part.
    pub totals: BTreeMap<String, u64>,
    /// A URL of the part's report (CSV without a header), valid for five minutes.
    pub report: String,
}

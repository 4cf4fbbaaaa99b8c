//! Import jobs: the progress and results of importing a feed from the bucket or a request over
//! HTTP.

use std::collections::BTreeMap;

use bukti_domain::codes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Sender;

codes! {
    /// The state of an import job.
    #[derive(Default)]
    JobState {
        /// The import is in progress.
        #[default]
        Running = "running",
        /// The whole file was imported.
        Done = "done",
        /// The file itself is damaged. The rows before the damage were imported.
        Failed = "failed",
    }
}

/// A defect of the file itself, as opposed to its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProblem {
    /// A stable code: `not_utf8`, `header_wrong`, `broken_off`, `row_too_long` or `empty`; for
    /// compressed files also `compression_broken` or `compressed_too_much`; for FHIR also
    /// `json_malformed`, `not_a_bundle` or `bundle_too_large`.
    pub code: String,
    /// The line of the file where the defect was found, from 1.
    pub line: u64,
    /// A description of the defect in English, without personal data.
    pub detail: String,
}

/// The stored record of an import job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRecord {
    /// Whether the import is in progress, done or failed.
    pub state: JobState,
    /// The key of the imported object in the bucket.
    pub source: String,
    /// The sender of a request over HTTP; `None` for a feed that was put into the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// The entity tag of the imported object, which changes if another file replaces it.
    pub etag: String,
    /// The length of the file in bytes.
    pub bytes_total: u64,
    /// The number of bytes that have been read.
    pub bytes_done: u64,
    /// The number of rows that have been read.
    #[serde(rename = "rows_read")]
    pub rows: u64,
    /// The number of rows that have been processed: stored, or listed in the report if they cannot
    /// be stored.
    pub rows_kept: u64,
    /// The number of parts into which the rows read so far were divided.
    pub parts_cut: u32,
    /// The total number of parts; `None` until the file has been read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_all: Option<u32>,
    /// The number of parts whose rows are stored.
    pub parts_kept: u32,
    /// The number of parts whose results are final.
    pub parts_reported: u32,
    /// The number of rows by row result; empty until the job is done.
    pub totals: BTreeMap<String, u64>,
    /// The defect of the file itself, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<FeedProblem>,
    /// The key of the report in the bucket; `None` until the report exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When the record was last written.
    pub updated_at: Timestamp,
}

impl JobRecord {
    /// Whether the rows of all parts are stored.
    pub fn is_kept(&self) -> bool {
        self.parts_all.is_some_and(|all| self.parts_kept >= all)
    }

    /// Whether the results of all parts are final.
    pub fn is_reported(&self) -> bool {
        self.parts_all.is_some_and(|all| self.parts_reported >= all)
    }
}

/// The stored record of a part of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// The number of rows in the part.
    pub rows: u64,
    /// The number of rows by row result, which changes until the results are final.
    pub totals: BTreeMap<String, u64>,
    /// Whether the results are final, because they were determined after the rows of all parts were
    /// stored.
    pub reported: bool,
}

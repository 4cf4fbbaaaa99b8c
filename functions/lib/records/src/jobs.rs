//! Import jobs: progress and results of a feed in the bucket or a request over HTTP.

use std::collections::BTreeMap;

use bukti_domain::codes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Sender;

codes! {
    /// The state of a job.
    #[derive(Default)]
    JobState {
        /// The import is in progress.
        #[default]
        Running = "running",
        /// The whole file was imported.
        Done = "done",
        /// The file itself is damaged; the rows before the damage were imported.
        Failed = "failed",
    }
}

/// A defect of a file itself, not of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProblem {
    /// A stable code: `not_utf8`, `header_wrong`, `broken_off`, `row_too_long`, `empty`; of
    /// compressed files `compression_broken`, `compressed_too_much`; of FHIR `json_malformed`,
    /// `not_a_bundle`, `bundle_too_large`.
    pub code: String,
    /// The line of the file, from 1.
    pub line: u64,
    /// A description in English, without personal data.
    pub detail: String,
}

/// The stored record of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRecord {
    /// The state.
    pub state: JobState,
    /// The key of the imported object in the bucket.
    pub source: String,
    /// The sender of a request over HTTP; `None` for a feed that was put into the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// The entity tag of the object.
    pub etag: String,
    /// The length of the file in bytes.
    pub bytes_total: u64,
    /// The number of bytes read so far.
    pub bytes_done: u64,
    /// The number of rows read so far.
    #[serde(rename = "rows_read")]
    pub rows: u64,
    /// The number of rows that are stored or, where they cannot be stored, in the report.
    pub rows_kept: u64,
    /// The number of parts that the rows read so far form.
    pub parts_cut: u32,
    /// The total number of parts, once the file has been read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_all: Option<u32>,
    /// The number of parts whose rows are stored.
    pub parts_kept: u32,
    /// The number of parts whose results are final.
    pub parts_reported: u32,
    /// The number of rows by result, once the job is done.
    pub totals: BTreeMap<String, u64>,
    /// The defect of the file itself, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<FeedProblem>,
    /// The key of the report in the bucket, once it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When it was last written.
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
    /// The number of rows of the part.
    pub rows: u64,
    /// The number of rows by result, as far as it is known.
    pub totals: BTreeMap<String, u64>,
    /// Whether the results are final: they were determined after the rows of all parts were stored.
    pub reported: bool,
}

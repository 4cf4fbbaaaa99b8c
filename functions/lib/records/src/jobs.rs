//! Jobs of the intake: how far a dropped feed is, and what became of what was sent over HTTP.

use std::collections::BTreeMap;

use bukti_domain::codes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Sender;

codes! {
    /// Where a job stands.
    #[derive(Default)]
    JobState {
        /// Under way.
        #[default]
        Running = "running",
        /// The whole file was taken in.
        Done = "done",
        /// The file as such is bad. What was whole of it was taken in.
        Failed = "failed",
    }
}

/// What is wrong with a file as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProblem {
    /// A stable code: `not_utf8`, `header_wrong`, `broken_off`, `row_too_long`, `empty`; of packed
    /// files `compression_broken`,
    /// `compressed_too_much`; of FHIR `json_malformed`, `not_a_bundle`, `bundle_too_large`.
    pub code: String,
    /// The line of the file, from 1.
    pub line: u64,
    /// What it is about, in English, without data of persons.
    pub detail: String,
}

/// A job as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRecord {
    /// Where it stands.
    pub state: JobState,
    /// The key of what was dropped.
    pub source: String,
    /// Who sent it; `None` where it was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// Its entity tag.
    pub etag: String,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// Bytes that are read.
    pub bytes_done: u64,
    /// Rows that are read.
    #[serde(rename = "rows_read")]
    pub rows: u64,
    /// Rows that are kept, or can only be reported back.
    pub rows_kept: u64,
    /// Parts that the rows so far are in.
    pub parts_cut: u32,
    /// Parts that there are, once the file is read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_all: Option<u32>,
    /// Parts whose rows are kept.
    pub parts_kept: u32,
    /// Parts that are reported for good.
    pub parts_reported: u32,
    /// Rows by outcome, once it is done.
    pub totals: BTreeMap<String, u64>,
    /// What is wrong with the file as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<FeedProblem>,
    /// Where the report is in the bucket, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl JobRecord {
    /// Whether the rows of all parts are kept.
    pub fn is_kept(&self) -> bool {
        self.parts_all.is_some_and(|all| self.parts_kept >= all)
    }

    /// Whether all parts are reported for good.
    pub fn is_reported(&self) -> bool {
        self.parts_all.is_some_and(|all| self.parts_reported >= all)
    }
}

/// A part of a job as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Rows that it has.
    pub rows: u64,
    /// Rows by outcome, as far as it is known.
    pub totals: BTreeMap<String, u64>,
    /// Whether that is so for good: the rows of all other parts were kept when it was looked up.
    pub reported: bool,
}

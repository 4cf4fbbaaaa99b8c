//! The output of the readers: lines with rows, or a problem of the file as a whole.

use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use serde::{Deserialize, Serialize};

/// The maximum length of a row, in bytes: a CSV record, a line of NDJSON, or a FHIR resource. It
/// bounds the memory for a CSV field whose quote is never closed.
pub(crate) const LONGEST_ROW: usize = 64 * 1024;

/// The maximum length of the event id of an unreadable row, in characters.
pub(crate) const LONGEST_UNREADABLE_ID: usize = 100;

/// A row of a feed with its line number.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The line on which the row begins, from 1; in a Bundle the number of its entry.
    pub line: u64,
    /// The row, or why it cannot be read.
    pub row: Result<FeedRow, Unreadable>,
}

/// A row that cannot be read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The beginning of the event id; empty if that cannot be read either.
    pub event_id: String,
    /// Why the row cannot be read.
    pub reason: Reason,
}

impl Unreadable {
    /// An unreadable row with the beginning of this event id.
    pub(crate) fn new(event_id: &str, reason: Reason) -> Self {
        Self { event_id: event_id.chars().take(LONGEST_UNREADABLE_ID).collect(), reason }
    }
}

/// A problem of the file as a whole, on this line.
pub(crate) fn problem(code: &str, line: u64, detail: impl Into<String>) -> FeedProblem {
    FeedProblem { code: code.to_owned(), line, detail: detail.into() }
}

//! The output of the readers: lines with rows, or a problem with the file as a whole.

use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use serde::{Deserialize, Serialize};

/// The maximum length of a row, in bytes: a CSV record, a line of NDJSON, or a FHIR resource. It
/// limits the memory for a CSV field whose quote is never closed.
pub(crate) const LONGEST_ROW: usize = 64 * 1024;

/// The maximum length of an unreadable row's event id, in characters.
pub(crate) const LONGEST_UNREADABLE_ID: usize = 100;

/// A row of a feed and its line number.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The line on which the row begins, counted from 1. In a Bundle, the number of the entry.
    pub line: u64,
    /// The row, or the reason why it cannot be read.
    pub row: Result<FeedRow, Unreadable>,
}

/// A row that cannot be read, which is reported as rejected.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The beginning of the event id; empty if the event id cannot be read either.
    pub event_id: String,
    /// The reason why the row cannot be read.
    pub reason: Reason,
}

impl Unreadable {
    /// Creates an unreadable row. Only the beginning of the event id is kept.
    pub(crate) fn new(event_id: &str, reason: Reason) -> Self {
        Self { event_id: event_id.chars().take(LONGEST_UNREADABLE_ID).collect(), reason }
    }
}

/// Creates a problem with the file as a whole, found on this line.
pub(crate) fn problem(code: &str, line: u64, detail: impl Into<String>) -> FeedProblem {
    FeedProblem { code: code.to_owned(), line, detail: detail.into() }
}

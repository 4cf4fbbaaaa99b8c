//! What every reader makes of a feed: lines, or a problem of the whole file.

use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use serde::{Deserialize, Serialize};

/// The longest row, in bytes: a record of CSV, a line of NDJSON, a FHIR resource. A quote that is
/// never closed makes one of all that follows.
pub(crate) const LONGEST_ROW: usize = 64 * 1024;

/// A row of the feed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The line on which it begins, from 1; of a Bundle, which entry it is.
    pub line: u64,
    /// The row, or why it cannot be read, with its event id where that can be.
    pub row: Result<FeedRow, Unreadable>,
}

/// A row that cannot be read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its event id, or what stands in its place.
    pub event_id: String,
    /// Why it cannot be read.
    pub reason: Reason,
}

/// A problem of the file as such.
pub(crate) fn problem(code: &str, line: u64, detail: impl Into<String>) -> FeedProblem {
    FeedProblem { code: code.to_owned(), line, detail: detail.into() }
}

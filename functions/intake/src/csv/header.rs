//! The header row: its position in the file, the delimiter, and the order of the columns.

use bukti_domain::feed::{COLUMNS, OPTIONAL_COLUMNS};
use bukti_domain::hygiene;
use bukti_records::FeedProblem;

use super::DELIMITERS;
use crate::line::problem;

/// The maximum number of unknown columns that an error message lists.
const MAX_NAMED_COLUMNS: usize = 20;

/// The position of the header in a file, and the delimiter if a `sep=;` line precedes the header.
pub(super) struct Header {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) delimiter: Option<u8>,
}

/// Finds the header: the first line that contains a letter or digit and is not a `sep=;` line.
/// Returns `None` if the header is incomplete.
pub(super) fn header_of(head: &[u8]) -> Option<Header> {
    let mut start = 0;
    let mut delimiter = None;
    loop {
        let end = end_of_line(head, start)?;
        let line = head[start..end].trim_ascii();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        if delimiter.is_none() && line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"sep=") {
            // If the delimiter is a tab, it has been trimmed.
            delimiter = Some(line.get(4).copied().filter(|byte| *byte != b'"').unwrap_or(b'\t'));
        } else if line.iter().any(u8::is_ascii_alphanumeric) {
            return Some(Header { start, end, delimiter });
        }
        start = end + 1;
    }
}

/// The end of the line that begins at `start`: the first line break outside quotes; `None` if there
/// is none yet.
fn end_of_line(text: &[u8], start: usize) -> Option<usize> {
    let mut quoted = false;
    text.iter().enumerate().skip(start).find_map(|(at, byte)| {
        quoted ^= *byte == b'"';
        (!quoted && matches!(byte, b'\n' | b'\r')).then_some(at)
    })
}

/// The delimiter that splits a header into the most known columns.
pub(super) fn delimiter_of(header: &[u8]) -> u8 {
    let columns = |delimiter: u8| {
        let names = header.split(|byte| *byte == delimiter).map(column_name);
        names.filter(|name| COLUMNS.contains(&&**name)).count()
    };
    // `max_by_key` returns the last maximum. Because of `rev`, a tie goes to the first delimiter.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| columns(*delimiter)).unwrap_or(b',')
}

/// Finds the feed column with this name in a header. Case is ignored, and spaces and hyphens count
/// as underscores. Returns `None` if feeds have no such column.
pub fn feed_column(header: &str) -> Option<&'static str> {
    let name = column_name(header.as_bytes());
    COLUMNS.into_iter().find(|column| *column == name)
}

/// Normalises the name of a column.
fn column_name(written: &[u8]) -> String {
    let written = String::from_utf8_lossy(written);
    hygiene::clean_code(&written).to_lowercase().replace([' ', '-'], "_")
}

/// For each column of [`COLUMNS`], its position in the header.
///
/// # Errors
///
/// Returns a problem if a column is missing, duplicated or unknown.
pub(super) fn column_positions(
    fields: &[&[u8]],
    line: u64,
) -> Result<[Option<usize>; COLUMNS.len()], FeedProblem> {
    let names: Vec<String> = fields.iter().map(|field| column_name(field)).collect();
    let mut positions = [None; COLUMNS.len()];
    let mut missing = Vec::new();
    for (position, column) in positions.iter_mut().zip(COLUMNS) {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
        match (found.next(), found.next()) {
            (Some((at, _)), None) => *position = Some(at),
            (None, _) if OPTIONAL_COLUMNS.contains(&column) => {}
            (None, _) => missing.push(column),
            (Some(_), Some(_)) => {
                return Err(problem("header_wrong", line, format!("the column {column} is there twice")));
            }
        }
    }
    if !missing.is_empty() {
        return Err(problem("header_wrong", line, format!("missing columns: {}", missing.join(", "))));
    }
    if names.len() > positions.iter().flatten().count() {
        let unknown = names.iter().enumerate().filter(|(_, name)| !COLUMNS.contains(&name.as_str()));
        let unknown: Vec<String> = unknown
            .take(MAX_NAMED_COLUMNS)
            .map(|(at, name)| match name.as_str() {
                "" => format!("the one without a name after column {at}"),
                name => name.chars().take(40).collect(),
            })
            .collect();
        let unknown = unknown.join(", ");
        return Err(problem("header_wrong", line, format!("there are columns that no feed has: {unknown}")));
    }
    Ok(positions)
}

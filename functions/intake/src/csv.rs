//! CSV feeds (RFC 4180) in UTF-8 with a header row. Spreadsheet variants are supported: semicolons,
//! tabs or bars as delimiters, `sep=;` on the first line, and empty columns and rows.

mod header;

use std::collections::HashMap;

use bukti_domain::feed::{COLUMNS, OPTIONAL_COLUMNS};
use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use csv_core::ReadRecordResult;

use crate::line::{LONGEST_ROW, Line, Unreadable, problem};

pub use self::header::feed_column;
use self::header::{Header, column_positions, delimiter_of, header_of};

/// The supported delimiters, in order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The maximum number of fields in a row: the number of columns in a spreadsheet.
const MAX_FIELDS: usize = 16 * 1024;

/// The maximum number of remembered facilities.
const MAX_FACILITIES: usize = 10_000;
/// The maximum combined length of the code and name of a remembered facility, in bytes.
const LONGEST_FACILITY: usize = 256;

/// Bytes that programs append to files: NUL, and the end-of-file character of DOS.
const FILL: [u8; 2] = [0, 0x1a];

/// The maximum number of lines to reject for a record in which a misplaced quote joined several
/// rows. No row is shorter than 64 bytes.
const MAX_JOINED_LINES: u64 = LONGEST_ROW as u64 / 64;

/// Columns that are empty in many complete rows. If a row lacks only these columns at its end, it
/// is padded with empty fields; if it lacks any other column, it counts as truncated.
const OFTEN_EMPTY: [&str; 3] = ["paspor", "jenis_kelamin", "no_hp"];

/// The quoting state at the next byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote in a quoted field. The quote closes the field unless another quote follows.
    Closing,
}

/// A push parser for CSV feeds.
pub(crate) struct CsvReader {
    /// The file up to its header; `None` once the header is complete and the delimiter known.
    head: Option<Vec<u8>>,
    csv: csv_core::Reader,
    delimiter: u8,
    quoting: Quoting,
    /// Whether the current record has text after a closing quote.
    is_misquoted: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
    fields_len: usize,
    ends_len: usize,
    /// The line number of the next byte.
    line: u64,
    /// The number of the line on which the current record began.
    record_line: Option<u64>,
    /// The number of quotes in the current record. If it is odd at the end of the file, the file is
    /// truncated inside a quoted field.
    quotes: usize,
    ended_by_newline: bool,
    /// For each column of [`COLUMNS`], its position in this file.
    positions: Option<[Option<usize>; COLUMNS.len()]>,
    columns: usize,
    /// Facility names by code. The last row is truncated if the name of its facility is a proper
    /// prefix of the known name.
    facilities: HashMap<String, String>,
}

impl Default for CsvReader {
    fn default() -> Self {
        Self {
            head: Some(Vec::new()),
            csv: csv_core::Reader::new(),
            delimiter: b',',
            quoting: Quoting::FieldStart,
            is_misquoted: false,
            fields: vec![0; 1024],
            ends: vec![0; 32],
            fields_len: 0,
            ends_len: 0,
            line: 1,
            record_line: None,
            quotes: 0,
            ended_by_newline: true,
            positions: None,
            columns: 0,
            facilities: HashMap::new(),
        }
    }
}

impl CsvReader {
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next chunk of the file and appends the rows that it completes.
    ///
    /// # Errors
    ///
    /// Returns the problem if the file as a whole is invalid. Rows that were already appended stay
    /// valid.
    pub(crate) fn push(&mut self, piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let Some(mut head) = self.head.take() else { return self.read(piece, lines) };
        head.extend_from_slice(piece);
        if header_of(&head).is_some() || head.len() > LONGEST_ROW {
            return self.begin(&head, lines);
        }
        self.head = Some(head);
        Ok(())
    }

    /// Detects the delimiter from the header and reads the file so far.
    fn begin(&mut self, head: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let header = header_of(head).unwrap_or(Header { start: 0, end: head.len(), delimiter: None });
        let text = &head[header.start..header.end];
        let delimiter = header.delimiter.unwrap_or_else(|| delimiter_of(text));
        self.csv = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        self.delimiter = delimiter;
        // A `sep=;` line is skipped, but its line is counted.
        self.line += head[..header.start].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.read(&head[header.start..], lines)
    }

    fn read(&mut self, mut piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        if let Some(last) = piece.last() {
            self.ended_by_newline = matches!(last, b'\n' | b'\r');
        }
        while !piece.is_empty() {
            let used = self.step(piece, lines)?;
            piece = &piece[used..];
        }
        Ok(())
    }

    /// Ends the file and appends its last row.
    ///
    /// # Errors
    ///
    /// Returns a problem if the file has no header, or is truncated within its last row.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        if let Some(head) = self.head.take() {
            self.begin(&head, lines)?;
        }
        let before = lines.len();
        if let Some(record_line) = self.record_line {
            let truncated = |detail: &str| problem("broken_off", record_line, detail);
            if self.quotes % 2 == 1 {
                return Err(truncated("the file ends inside a quoted field"));
            }
            let is_misquoted = self.is_misquoted;
            // The parser treats an empty chunk as the end of the file and returns the last record.
            while self.record_line.is_some() {
                self.step(&[], lines)?;
            }
            let is_truncated = match lines.get(before..).and_then(<[Line]>::last) {
                // A row with a status is complete, since the status is the last column.
                Some(Line { row: Ok(row), .. }) => {
                    !self.ended_by_newline && row.status.is_empty() && self.has_truncated_facility(row)
                }
                Some(Line { row: Err(unreadable), .. }) => {
                    unreadable.reason == Reason::RowMalformed && !is_misquoted
                }
                None => false,
            };
            if is_truncated {
                lines.truncate(before);
                return Err(truncated("the file ends in the middle of a row"));
            }
        }
        if self.positions.is_none() {
            return Err(problem("empty", 1, "the file has no header row"));
        }
        Ok(())
    }

    /// Runs the parser over a chunk, up to the end of a record at most. Returns the number of bytes
    /// consumed.
    fn step(&mut self, piece: &[u8], lines: &mut Vec<Line>) -> Result<usize, FeedProblem> {
        let (result, used, written, fields_ended) =
            self.csv.read_record(piece, &mut self.fields[self.fields_len..], &mut self.ends[self.ends_len..]);
        self.track(&piece[..used]);
        self.fields_len += written;
        self.ends_len += fields_ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::End => self.record_line = None,
            ReadRecordResult::OutputFull if self.fields.len() < LONGEST_ROW => {
                self.fields.resize(self.fields.len() * 2, 0);
            }
            ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_FIELDS => {
                self.ends.resize(self.ends.len() * 2, 0);
            }
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                return Err(problem(
                    "row_too_long",
                    self.record_line.unwrap_or(self.line),
                    "a row is longer than 64 KiB or has more than 16,384 fields: is a quote not closed?",
                ));
            }
            ReadRecordResult::Record => {
                let record_line = self.record_line.take().unwrap_or(self.line);
                // The parser consumes the line break together with the record. An empty chunk means
                // the end of the file.
                let at_line_break = !piece.is_empty();
                let line = self.record(record_line, at_line_break)?;
                let has_row = self.positions.is_some() && line.is_some();
                lines.extend(line);
                if self.is_misquoted && has_row {
                    self.reject_joined_lines(record_line, piece[..used].last() == Some(&b'\n'), lines);
                }
                (self.fields_len, self.ends_len, self.quotes) = (0, 0, 0);
                (self.quoting, self.is_misquoted) = (Quoting::FieldStart, false);
            }
        }
        Ok(used)
    }

    /// Tracks line numbers, quotes and the quoting state, which the parser does not expose.
    fn track(&mut self, used: &[u8]) {
        for byte in used {
            if self.record_line.is_none() && !matches!(byte, b'\n' | b'\r') {
                self.record_line = Some(self.line);
            }
            match byte {
                b'\n' => self.line += 1,
                b'"' => self.quotes += 1,
                _ => {}
            }
            let ends_field = *byte == self.delimiter || matches!(byte, b'\n' | b'\r');
            self.quoting = match (self.quoting, byte) {
                (Quoting::FieldStart | Quoting::Closing, b'"') => Quoting::Quoted,
                (Quoting::Quoted, b'"') => Quoting::Closing,
                (Quoting::Quoted, _) => Quoting::Quoted,
                (Quoting::Closing, b' ') => Quoting::Closing,
                _ if ends_field => Quoting::FieldStart,
                (Quoting::Closing, _) => {
                    self.is_misquoted = true;
                    Quoting::Unquoted
                }
                _ => Quoting::Unquoted,
            };
        }
    }

    /// Rejects every line of the last record, which has text after a closing quote. The opening
    /// quote may have been part of the text. In that case, the field contains the end of one row,
    /// the beginning of another, and everything in between.
    fn reject_joined_lines(&self, record_line: u64, is_line_counted: bool, lines: &mut Vec<Line>) {
        let event_id = match lines.pop().map(|line| line.row) {
            Some(Ok(row)) => row.event_id,
            Some(Err(unreadable)) => unreadable.event_id,
            None => String::new(),
        };
        let last = if is_line_counted { self.line.saturating_sub(1) } else { self.line };
        let joined = record_line..=last.clamp(record_line, record_line + MAX_JOINED_LINES);
        lines.extend(joined.map(|line| {
            let event_id = if line == record_line { &*event_id } else { "" };
            Line { line, row: Err(Unreadable::new(event_id, Reason::RowMalformed)) }
        }));
    }

    /// Converts the record that the parser has just completed to a row. `at_line_break` is false at
    /// the end of the file. Returns `None` for the header and for blank records.
    fn record(&mut self, record_line: u64, at_line_break: bool) -> Result<Option<Line>, FeedProblem> {
        let mut start = 0;
        let mut fields = Vec::with_capacity(self.ends_len);
        for end in &self.ends[..self.ends_len] {
            fields.push(&self.fields[start..*end]);
            start = *end;
        }
        // Spreadsheets also save rows and columns that were cleared. The delimiter is unknown until
        // the header is read, so a record that consists only of delimiters, whichever they are, is
        // blank.
        let is_blank = |byte: &u8| {
            byte.is_ascii_whitespace()
                || FILL.contains(byte)
                || (self.positions.is_none() && DELIMITERS.contains(byte))
        };
        let last = fields.iter().rposition(|field| !field.iter().all(is_blank));
        let filled = last.map_or(0, |last| last + 1);
        if filled == 0 {
            return Ok(None);
        }
        let Some(positions) = self.positions else {
            fields.truncate(filled);
            self.columns = fields.len();
            self.positions = Some(column_positions(&fields, record_line)?);
            return Ok(None);
        };
        if filled <= self.columns {
            fields.truncate(self.columns);
        }
        // Spreadsheets omit empty fields at the end of a row. At the end of the file, such a row is
        // indistinguishable from a truncated one.
        let may_be_omitted = |at: usize| {
            let column = positions.iter().position(|position| *position == Some(at));
            column.is_some_and(|column| {
                OPTIONAL_COLUMNS.contains(&COLUMNS[column])
                    || (at_line_break && OFTEN_EMPTY.contains(&COLUMNS[column]))
            })
        };
        if (fields.len()..self.columns).all(may_be_omitted) {
            fields.resize(fields.len().max(self.columns), b"");
        }
        let unreadable = |reason| {
            let event_id = positions[0].and_then(|at| fields.get(at)).map(|id| String::from_utf8_lossy(id));
            Line { line: record_line, row: Err(Unreadable::new(&event_id.unwrap_or_default(), reason)) }
        };
        if fields.len() != self.columns {
            return Ok(Some(unreadable(Reason::RowMalformed)));
        }
        let mut texts = [""; COLUMNS.len()];
        for (text, position) in texts.iter_mut().zip(positions) {
            let Some(position) = position else { continue };
            match fields.get(position).map(|field| std::str::from_utf8(field)) {
                Some(Ok(field)) => *text = field,
                _ => return Ok(Some(unreadable(Reason::NotUtf8))),
            }
        }
        let row = FeedRow::from_fields(texts);
        let is_short = row.kode_faskes.len() + row.nama_faskes.len() <= LONGEST_FACILITY;
        if self.facilities.len() < MAX_FACILITIES && is_short && at_line_break {
            self.facilities.insert(row.kode_faskes.clone(), row.nama_faskes.clone());
        }
        Ok(Some(Line { line: record_line, row: Ok(row) }))
    }

    fn has_truncated_facility(&self, row: &FeedRow) -> bool {
        self.facilities
            .get(&row.kode_faskes)
            .is_some_and(|known| known.len() > row.nama_faskes.len() && known.starts_with(&row.nama_faskes))
    }
}

#[cfg(test)]
mod tests;

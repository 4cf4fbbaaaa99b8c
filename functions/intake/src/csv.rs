//! CSV feeds: RFC 4180, UTF-8, a header row; also as spreadsheets write them: separated by semicolons, tabs or bars, with
//! `sep=;` on the first line, with empty columns and rows at the end.

use std::collections::HashMap;

use bukti_domain::feed::{COLUMNS, OPTIONAL_COLUMNS};
use bukti_domain::{FeedRow, Reason, hygiene};
use bukti_records::FeedProblem;
use csv_core::ReadRecordResult;

use crate::line::{LONGEST_ROW, Line, Unreadable, problem};

/// What separates fields, the usual one first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The most fields of a row: as many as a spreadsheet has columns.
const MOST_FIELDS: usize = 16 * 1024;

/// The most facilities that are remembered, and how long code and name of one together may be, in bytes.
const MOST_FACILITIES: usize = 10_000;
const LONGEST_FACILITY: usize = 256;

/// What programs fill the end of a file with: NUL, and the end-of-file character of DOS.
const FILL: [u8; 2] = [0, 0x1a];

/// The most lines that are named of a row that a quote in the wrong place made of several: no row is
/// shorter than 64 bytes.
const MOST_SWALLOWED: u64 = LONGEST_ROW as u64 / 64;

/// The most unknown columns that are named.
const MOST_NAMED: usize = 20;

/// Columns that are empty in many complete rows. A row that lacks one at its end is padded: it says no less than one with an
/// empty field. Without any other column it broke off.
const EMPTY_OFTEN: [&str; 3] = ["paspor", "jenis_kelamin", "no_hp"];

/// Where in a field the next byte is, as to quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote in a quoted field: it closes the field, or is the first of a doubled one.
    Closing,
}

/// Reads records out of the pieces of a file.
pub(crate) struct CsvReader {
    /// The file up to its header, until that is whole: it says what separates the fields.
    head: Option<Vec<u8>>,
    csv: csv_core::Reader,
    delimiter: u8,
    quoting: Quoting,
    /// Whether the record under way has text behind a closing quote.
    is_misquoted: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
    fields_len: usize,
    ends_len: usize,
    /// The line that the next byte is on.
    line: u64,
    /// The line on which the record under way began.
    began: Option<u64>,
    /// Quotes in the record under way. An odd number at the end of the file: it broke off inside one.
    quotes: usize,
    ended_by_newline: bool,
    /// For each column of a feed, where it is in this file.
    positions: Option<[Option<usize>; COLUMNS.len()]>,
    columns: usize,
    /// The facilities seen, by code: a last row whose facility's name is the beginning of the known one was cut off.
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
            began: None,
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

    /// Takes the next piece of the file and appends the rows that it completes.
    ///
    /// # Errors
    ///
    /// What is wrong with the file as such. The rows before stay good.
    pub(crate) fn push(&mut self, piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let Some(mut head) = self.head.take() else { return self.read(piece, lines) };
        head.extend_from_slice(piece);
        if header_of(&head).is_some() || head.len() > LONGEST_ROW {
            return self.begin(&head, lines);
        }
        self.head = Some(head);
        Ok(())
    }

    /// Chooses the delimiter by the header, and reads what there is.
    fn begin(&mut self, head: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let header = header_of(head).unwrap_or(Header { start: 0, end: head.len(), delimiter: None });
        let text = &head[header.start..header.end];
        let delimiter = header.delimiter.unwrap_or_else(|| delimiter_of(text));
        self.csv = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        self.delimiter = delimiter;
        // Only what says the delimiter is left out; lines are counted as they are in the file.
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

    /// Says that the file is at its end.
    ///
    /// # Errors
    ///
    /// The file is empty, or broke off in the middle of its last row.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        if let Some(head) = self.head.take() {
            self.begin(&head, lines)?;
        }
        let before = lines.len();
        if let Some(began) = self.began {
            let broken = |detail: &str| problem("broken_off", began, detail);
            if self.quotes % 2 == 1 {
                return Err(broken("the file ends inside a quoted field"));
            }
            let is_misquoted = self.is_misquoted;
            // An empty piece is the end of the file for the parser: it gives what it has.
            while self.began.is_some() {
                self.step(&[], lines)?;
            }
            let cut = match lines.get(before..).and_then(<[Line]>::last) {
                // A row with a status is whole: that is its last column.
                Some(Line { row: Ok(row), .. }) => {
                    !self.ended_by_newline && row.status.is_empty() && self.facility_is_cut(row)
                }
                Some(Line { row: Err(unreadable), .. }) => {
                    unreadable.reason == Reason::RowMalformed && !is_misquoted
                }
                None => false,
            };
            if cut {
                lines.truncate(before);
                return Err(broken("the file ends in the middle of a row"));
            }
        }
        if self.positions.is_none() {
            return Err(problem("empty", 1, "the file has no header row"));
        }
        Ok(())
    }

    /// Runs the parser over a piece, up to the end of a record at most, and says how much of the piece it used.
    fn step(&mut self, piece: &[u8], lines: &mut Vec<Line>) -> Result<usize, FeedProblem> {
        let (result, used, written, ended) =
            self.csv.read_record(piece, &mut self.fields[self.fields_len..], &mut self.ends[self.ends_len..]);
        self.count(&piece[..used]);
        self.fields_len += written;
        self.ends_len += ended;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::End => self.began = None,
            ReadRecordResult::OutputFull if self.fields.len() < LONGEST_ROW => {
                self.fields.resize(self.fields.len() * 2, 0);
            }
            ReadRecordResult::OutputEndsFull if self.ends.len() < MOST_FIELDS => {
                self.ends.resize(self.ends.len() * 2, 0);
            }
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                return Err(problem(
                    "row_too_long",
                    self.began.unwrap_or(self.line),
                    "a row is longer than 64 KiB or has more than 16,384 fields: is a quote not closed?",
                ));
            }
            ReadRecordResult::Record => {
                let began = self.began.take().unwrap_or(self.line);
                // The parser takes the line break with the record; the end of the file comes as an empty piece.
                let at_line_break = !piece.is_empty();
                let line = self.record(began, at_line_break)?;
                let has_row = self.positions.is_some() && line.is_some();
                lines.extend(line);
                if self.is_misquoted && has_row {
                    self.tell_swallowed(began, piece[..used].last() == Some(&b'\n'), lines);
                }
                (self.fields_len, self.ends_len, self.quotes) = (0, 0, 0);
                (self.quoting, self.is_misquoted) = (Quoting::FieldStart, false);
            }
        }
        Ok(used)
    }

    fn count(&mut self, used: &[u8]) {
        for byte in used {
            if self.began.is_none() && !matches!(byte, b'\n' | b'\r') {
                self.began = Some(self.line);
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

    /// Refuses the row that was read last, since there is text behind a closing quote: the quote that
    /// opened the field may have been a part of its text, and then what was read as one field is the
    /// rest of one row and the beginning of another. All lines that it spans are told.
    fn tell_swallowed(&self, began: u64, is_line_counted: bool, lines: &mut Vec<Line>) {
        let event_id = match lines.pop().map(|line| line.row) {
            Some(Ok(row)) => row.event_id.chars().take(100).collect(),
            Some(Err(unreadable)) => unreadable.event_id,
            None => String::new(),
        };
        let last = if is_line_counted { self.line.saturating_sub(1) } else { self.line };
        let all = began..=last.clamp(began, began + MOST_SWALLOWED);
        lines.extend(all.map(|line| {
            let event_id = if line == began { event_id.clone() } else { String::new() };
            Line { line, row: Err(Unreadable { event_id, reason: Reason::RowMalformed }) }
        }));
    }

    /// The record that the parser has just ended, at a line break or at the end of the file; `None` for the header.
    fn record(&mut self, began: u64, at_line_break: bool) -> Result<Option<Line>, FeedProblem> {
        let mut start = 0;
        let mut fields = Vec::with_capacity(self.ends_len);
        for end in &self.ends[..self.ends_len] {
            fields.push(&self.fields[start..*end]);
            start = *end;
        }
        // Spreadsheets save rows that once had something, and columns too.
        // Before the header, and so where there is none, any delimiter may be that of the file.
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
            self.positions = Some(header(&fields, began)?);
            return Ok(None);
        };
        if filled <= self.columns {
            fields.truncate(self.columns);
        }
        // Spreadsheets leave out what is empty at the end of a row. Whether a row at the end of the file was left so or broke
        // off, nothing says.
        let may_be_left_out = |at: usize| {
            let column = positions.iter().position(|position| *position == Some(at));
            column.is_some_and(|column| {
                OPTIONAL_COLUMNS.contains(&COLUMNS[column])
                    || (at_line_break && EMPTY_OFTEN.contains(&COLUMNS[column]))
            })
        };
        if (fields.len()..self.columns).all(may_be_left_out) {
            fields.resize(fields.len().max(self.columns), b"");
        }
        let unreadable = |reason| {
            let event_id = positions[0]
                .and_then(|at| fields.get(at))
                .map(|id| String::from_utf8_lossy(id).chars().take(100).collect());
            Line { line: began, row: Err(Unreadable { event_id: event_id.unwrap_or_default(), reason }) }
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
        if self.facilities.len() < MOST_FACILITIES && is_short && at_line_break {
            self.facilities.insert(row.kode_faskes.clone(), row.nama_faskes.clone());
        }
        Ok(Some(Line { line: began, row: Ok(row) }))
    }

    fn facility_is_cut(&self, row: &FeedRow) -> bool {
        self.facilities
            .get(&row.kode_faskes)
            .is_some_and(|known| known.len() > row.nama_faskes.len() && known.starts_with(&row.nama_faskes))
    }
}

/// Where a header is in the beginning of a file, and what the line before it says of the delimiter.
struct Header {
    start: usize,
    end: usize,
    delimiter: Option<u8>,
}

/// The header in the beginning of a file: the first line with a letter, behind a line `sep=;` where there is one. `None` until
/// it is whole.
fn header_of(head: &[u8]) -> Option<Header> {
    let mut start = 0;
    let mut delimiter = None;
    loop {
        let end = end_of_line(head, start)?;
        let line = head[start..end].trim_ascii();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        if delimiter.is_none() && line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"sep=") {
            // A tab was trimmed away.
            delimiter = Some(line.get(4).copied().filter(|byte| *byte != b'"').unwrap_or(b'\t'));
        } else if line.iter().any(u8::is_ascii_alphanumeric) {
            return Some(Header { start, end, delimiter });
        }
        start = end + 1;
    }
}

/// Where a line ends that begins there, outside of quotes.
fn end_of_line(text: &[u8], start: usize) -> Option<usize> {
    let mut quoted = false;
    text.iter().enumerate().skip(start).find_map(|(at, byte)| {
        quoted ^= *byte == b'"';
        (!quoted && matches!(byte, b'\n' | b'\r')).then_some(at)
    })
}

/// The delimiter by which most columns of a feed are found in a header.
fn delimiter_of(header: &[u8]) -> u8 {
    let columns = |delimiter: u8| {
        let names = header.split(|byte| *byte == delimiter).map(column_name);
        names.filter(|name| COLUMNS.contains(&&**name)).count()
    };
    // Of several that find as many, the first.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| columns(*delimiter)).unwrap_or(b',')
}

/// The column of a feed that a header names, in whatever case and with whatever quotes, spaces or hyphens; `None` where no
/// feed has such a column.
pub fn feed_column(header: &str) -> Option<&'static str> {
    let name = column_name(header.as_bytes());
    COLUMNS.into_iter().find(|column| *column == name)
}

/// The name of a column as a feed has it: in whatever case, quotes, and with spaces or hyphens for underscores.
fn column_name(written: &[u8]) -> String {
    let written = String::from_utf8_lossy(written);
    hygiene::clean_code(&written).to_lowercase().replace([' ', '-'], "_")
}

/// Where each column of a feed is, by the header's names, in whatever order.
fn header(fields: &[&[u8]], line: u64) -> Result<[Option<usize>; COLUMNS.len()], FeedProblem> {
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
            .take(MOST_NAMED)
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

#[cfg(test)]
mod tests {
    use crate::feed::{told, told_by_all_pieces};

    const HEADER: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes";

    fn row(id: &str, facility: &str) -> String {
        format!(
            "{id},2021-01-29T08:41:34+07:00,1,,Ayu,1989-01-24,P,08,1,CoronaVac,B,2021-01-29,F1,{facility}"
        )
    }

    #[test]
    fn rows_keep_their_lines_over_blank_lines_quotes_and_line_breaks() {
        let file = format!(
            "\u{feff}{HEADER}\r\n{}\r\n\r\n{}\r\n{}",
            row("A", "\"K \"\"S\"\",\nB\""),
            row("B", "P"),
            row("C", "P")
        );
        let (lines, problem) = told_by_all_pieces(file.as_bytes());
        assert_eq!(problem, None);
        let expected = [(2, "A K \"S\", B"), (5, "B P"), (6, "C P")];
        assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn refuses_lines_that_a_stray_quote_joined() {
        let file = [
            HEADER.to_owned(),
            row("A", "\"RS Harapan"),
            row("B", "Klinik"),
            row("C", "RS \"Sehat\""),
            row("D", "\"Klinik\" Sehat"),
            row("E", "\"Klinik \"\"Sehat\"\"\" "),
        ];
        for line_break in ["\n", "\r\n"] {
            let (lines, problem) = told_by_all_pieces((file.join(line_break) + line_break).as_bytes());
            assert_eq!(problem, None);
            let expected = [
                (2, "A RowMalformed"),
                (3, " RowMalformed"),
                (4, " RowMalformed"),
                (5, "D RowMalformed"),
                (6, "E Klinik \"Sehat\""),
            ];
            assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
        }
    }

    #[test]
    fn reads_last_row_with_a_status_and_what_fills_a_file() {
        let rows = [format!("{HEADER},status"), row("A", "Klinik Sehat,"), row("B", ",entered-in-error")];
        let expected = vec![(2, "A Klinik Sehat".to_owned()), (3, "B ".to_owned())];
        assert_eq!(told_by_all_pieces(rows.join("\n").as_bytes()), (expected.clone(), None));
        for fill in ["\n\u{1a}", "\r\n\0\0\0"] {
            assert_eq!(told_by_all_pieces((rows.join("\n") + fill).as_bytes()), (expected.clone(), None));
        }
    }

    #[test]
    fn rows_may_end_with_carriage_returns_alone() {
        let file =
            format!("{HEADER}\r{}\r{}\r{}", row("A", "Puskesmas"), row("B", "Klinik"), row("C", "Klin"));
        let (lines, problem) = told_by_all_pieces(file.as_bytes());
        assert_eq!(problem.unwrap().code, "broken_off", "the name of the last facility is cut");
        assert_eq!(lines.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["A Puskesmas", "B Klinik"]);
    }

    #[test]
    fn columns_may_stand_in_any_order() {
        let mut names: Vec<&str> = HEADER.split(',').collect();
        names.reverse();
        let row = row("A", "P");
        let mut fields: Vec<&str> = row.split(',').collect();
        fields.reverse();
        let (lines, problem) =
            told_by_all_pieces(format!("{}\n{}\n", names.join(","), fields.join(",")).as_bytes());
        assert_eq!((lines, problem), (vec![(2, "A P".to_owned())], None));
    }

    #[test]
    fn reads_what_spreadsheets_write() {
        let rows = [row("A", "Puskesmas"), row("B", "Klinik")];
        let plain = [HEADER, &rows[0], &rows[1]].join("\r\n");
        let expected =
            |lines: [u64; 2]| vec![(lines[0], "A Puskesmas".to_owned()), (lines[1], "B Klinik".to_owned())];
        for (delimiter, sep) in [(";", "sep=;"), ("\t", "sep=\t"), ("|", "SEP=|"), (",", "\"sep=,\"")] {
            let file = plain.replace(',', delimiter);
            assert_eq!(told_by_all_pieces(file.as_bytes()), (expected([2, 3]), None), "{delimiter:?}");
            let file = format!("\u{feff}{sep}\r\n{file}\r\n");
            assert_eq!(told_by_all_pieces(file.as_bytes()), (expected([3, 4]), None), "{sep:?}");
        }
        // Empty columns and rows at the end and in between; a header as people write one.
        let padded = plain.replace("\r\n", ";;;\r\n").replace(',', ";");
        let padded = padded.replacen("\r\n", "\r\n;;;;;;;\r\n", 2);
        assert_eq!(
            told_by_all_pieces(format!(";;\r\n{padded};;\r\n;;;\r\n \r\n").as_bytes()).0,
            expected([4, 6])
        );
        let titled =
            plain.replace("event_id", " Event ID").replace("no_hp", "\"No-HP\"").replace(",nik,", ",NIK,");
        assert_eq!(told_by_all_pieces(titled.as_bytes()), (expected([2, 3]), None));
        // What is in a column that the header does not have is no padding.
        let more = format!("{plain},x\r\n");
        assert_eq!(told_by_all_pieces(more.as_bytes()).0[1], (3, "B RowMalformed".to_owned()));
    }

    /// A file with its columns in this order.
    fn ordered(columns: &[&str], rows: &[&str]) -> Vec<u8> {
        let rest = HEADER.split(',').filter(|column| !columns.contains(column));
        let header: Vec<&str> = rest.chain(columns.iter().copied()).collect();
        [&[header.join(",").as_str()], rows].concat().join("\n").into_bytes()
    }

    #[test]
    fn pads_rows_whose_empty_fields_at_the_end_were_left_out() {
        let expected = |told: &str| vec![(2, told.to_owned()), (3, "B P".to_owned())];
        for (last, row, whole) in [
            (&["no_hp"][..], "A,t,,,Ayu,d,P,1,V,B,d,F,P", "B,t,,,Ayu,d,P,1,V,B,d,F,P,"),
            (&["paspor"], "A,t,1,Ayu,d,P,08,1,V,B,d,F,P", "B,t,1,Ayu,d,P,08,1,V,B,d,F,P,"),
            (&["jenis_kelamin", "no_hp"], "A,t,,,Ayu,d,1,V,B,d,F,P", "B,t,,,Ayu,d,1,V,B,d,F,P,,"),
            (&["no_hp", "status"], "A,t,,,Ayu,d,P,1,V,B,d,F,P", "B,t,,,Ayu,d,P,1,V,B,d,F,P,,"),
        ] {
            assert_eq!(
                told_by_all_pieces(&ordered(last, &[row, whole])),
                (expected("A P"), None),
                "{last:?}"
            );
            // As the last row of the file it may have broken off.
            let broken = told_by_all_pieces(&ordered(last, &[whole, row]));
            assert_eq!((broken.0.len(), broken.1.unwrap().code), (1, "broken_off".to_owned()), "{last:?}");
        }
        for (last, row) in [
            (&["tanggal_vaksinasi"][..], "A,t,,,Ayu,d,P,08,1,V,B,F,P"),
            (&["nama"], "A,t,1,,d,P,08,1,V,B,d,F,P"),
            (&["batch", "no_hp"], "A,t,1,,Ayu,d,P,1,V,d,F,P"),
        ] {
            let file = ordered(last, &[row, "B,t,1,,Ayu,d,P,08,1,V,B,d,F,P"]);
            assert_eq!(told_by_all_pieces(&file).0[0].1, "A RowMalformed", "{last:?}");
        }
    }

    #[test]
    fn names_columns_that_no_feed_has() {
        for (header, told) in [
            (format!("{HEADER},keterangan,no"), "keterangan, no"),
            (HEADER.replace(",nik,", ",,nik,"), "the one without a name after column 2"),
            (format!("{};Alamat Lengkap;;;", HEADER.replace(',', ";")), "alamat_lengkap"),
        ] {
            let problem = told_by_all_pieces(format!("{header}\n").as_bytes()).1.unwrap();
            assert_eq!((problem.line, &*problem.code), (1, "header_wrong"));
            assert!(problem.detail.ends_with(&format!("has: {told}")), "{}", problem.detail);
        }
    }

    #[test]
    fn a_bad_row_does_not_stop_the_others() {
        let mut file = format!("{HEADER}\n{}\nB,too few\n", row("A", "P")).into_bytes();
        file.extend(row("C", "Caf\u{fffd}").replace('\u{fffd}', "").as_bytes());
        file.extend(b"\xe9\n");
        file.extend(row("D", "P").as_bytes());
        let (lines, problem) = told_by_all_pieces(&file);
        assert_eq!(problem, None);
        let expected = [(2, "A P"), (3, "B RowMalformed"), (4, "C NotUtf8"), (5, "D P")];
        assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_file_that_breaks_off_names_the_line_and_keeps_what_was_whole() {
        let whole = format!("{HEADER}\n{}\n", row("A", "\"Klinik \"\"Sehat\"\", Bandung\""));
        let file = format!("{whole}{}", row("B", "\"Klinik \"\"Sehat\"\", Bandung\""));
        for cut in 1..(file.len() - whole.len()) {
            let (lines, problem) = told_by_all_pieces(&file.as_bytes()[..whole.len() + cut]);
            assert_eq!(lines.len(), 1, "cut after {cut}");
            assert_eq!(
                problem.map(|problem| (problem.code, problem.line)),
                Some(("broken_off".to_owned(), 3)),
                "{cut}"
            );
        }
        let (lines, problem) = told_by_all_pieces(file.as_bytes());
        assert_eq!((lines.len(), problem), (2, None), "a last row without a line break is whole");
        let unquoted =
            format!("{HEADER}\n{}\n{}", row("A", "Puskesmas Kebayoran"), row("B", "Puskesmas Keb"));
        assert_eq!(told_by_all_pieces(unquoted.as_bytes()).1.map(|problem| problem.line), Some(3));
    }

    #[test]
    fn wrong_headers_and_empty_files_are_told() {
        for (file, code) in [
            (String::new(), "empty"),
            ("\n\n".to_owned(), "empty"),
            (";;;\r\n ; ;\r\n".to_owned(), "empty"),
            ("\t\t\n".to_owned(), "empty"),
            ("a,b,c\n1,2,3\n".to_owned(), "header_wrong"),
            (HEADER.replace("nik", "ktp"), "header_wrong"),
            (HEADER.replace("paspor", "nik"), "header_wrong"),
            (format!("{HEADER},x\n"), "header_wrong"),
        ] {
            assert_eq!(
                told_by_all_pieces(file.as_bytes()).1.map(|problem| problem.code).as_deref(),
                Some(code),
                "{file}"
            );
        }
        let long = format!("{HEADER}\n\"{}", "x".repeat(100_000));
        assert_eq!(
            told_by_all_pieces(long.as_bytes()).1.map(|problem| problem.code).as_deref(),
            Some("row_too_long")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(file in proptest::collection::vec(proptest::num::u8::ANY, 0..300), headed in proptest::bool::ANY) {
            let file = if headed { [HEADER.as_bytes(), b"\n", &file].concat() } else { file };
            let whole = told(&file, file.len().max(1));
            proptest::prop_assert_eq!(told(&file, 3), whole);
        }
    }
}

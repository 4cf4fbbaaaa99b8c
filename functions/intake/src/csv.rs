//! CSV feeds: RFC 4180, UTF-8, a header row.

use std::collections::HashMap;

use bukti_aws::FeedProblem;
use bukti_domain::feed::{COLUMNS, OPTIONAL_COLUMNS};
use bukti_domain::{FeedRow, Reason};
use csv_core::ReadRecordResult;

use crate::feed::{LONGEST_ROW, Line, Unreadable, problem};

/// Reads records out of the pieces of a file.
pub(crate) struct CsvReader {
    csv: csv_core::Reader,
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
            csv: csv_core::Reader::new(),
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
    pub(crate) fn push(&mut self, mut piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
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
        let before = lines.len();
        if let Some(began) = self.began {
            let broken = |detail: &str| problem("broken_off", began, detail);
            if self.quotes % 2 == 1 {
                return Err(broken("the file ends inside a quoted field"));
            }
            // An empty piece is the end of the file for the parser: it gives what it has.
            while self.began.is_some() {
                self.step(&[], lines)?;
            }
            let cut = match lines.get(before..).and_then(<[Line]>::last) {
                Some(Line { row: Ok(row), .. }) => !self.ended_by_newline && self.facility_is_cut(row),
                Some(Line { row: Err(unreadable), .. }) => unreadable.reason == Reason::RowMalformed,
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
            ReadRecordResult::OutputFull => {
                if self.fields.len() >= LONGEST_ROW {
                    let began = self.began.unwrap_or(self.line);
                    return Err(problem(
                        "row_too_long",
                        began,
                        "a row is longer than 64 KiB: is a quote not closed?",
                    ));
                }
                self.fields.resize(self.fields.len() * 2, 0);
            }
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            ReadRecordResult::Record => {
                let began = self.began.take().unwrap_or(self.line);
                // The parser takes the line break with the record; the end of the file comes as an empty piece.
                let line = self.record(began, !piece.is_empty())?;
                lines.extend(line);
                (self.fields_len, self.ends_len, self.quotes) = (0, 0, 0);
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
        }
    }

    /// The record that the parser has just ended, at a line break or at the end of the file; `None` for the header.
    fn record(&mut self, began: u64, at_line_break: bool) -> Result<Option<Line>, FeedProblem> {
        let mut start = 0;
        let mut fields = Vec::with_capacity(self.ends_len);
        for end in &self.ends[..self.ends_len] {
            fields.push(&self.fields[start..*end]);
            start = *end;
        }
        let Some(positions) = self.positions else {
            self.columns = fields.len();
            self.positions = Some(header(&fields, began)?);
            return Ok(None);
        };
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
        if self.facilities.len() < 10_000 && at_line_break {
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

/// Where each column of a feed is, by the header's names, in whatever order.
fn header(fields: &[&[u8]], line: u64) -> Result<[Option<usize>; COLUMNS.len()], FeedProblem> {
    let names: Vec<String> = fields
        .iter()
        .map(|field| String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_lowercase())
        .collect();
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
        return Err(problem("header_wrong", line, "there are columns that no feed has"));
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

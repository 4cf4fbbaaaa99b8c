//! NDJSON feeds: one JSON object per line, with the columns of a feed as keys.

use std::fmt;

use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::line::{LONGEST_ROW, Line, Unreadable, problem};

/// Columns in which numbers may be written as floats, such as `1.0`: their numbers are short enough
/// for a float to be exact. The judgement rejects fractions.
const FLOAT_COLUMNS: [&str; 2] = ["dosis_ke", "no_hp"];

/// A push parser for NDJSON feeds.
#[derive(Default)]
pub(crate) struct NdjsonReader {
    /// The bytes of the current line that have been read so far.
    current: Vec<u8>,
    /// The number of lines that have been completed.
    complete: u64,
}

impl NdjsonReader {
    pub(crate) fn line(&self) -> u64 {
        self.complete + 1
    }

    /// Reads the next chunk of the file and appends the rows that it completes.
    ///
    /// # Errors
    ///
    /// Returns a problem if a line is longer than [`LONGEST_ROW`].
    pub(crate) fn push(&mut self, mut piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.add(&piece[..end])?;
            lines.extend(self.take_row());
            self.complete += 1;
            piece = &piece[end + 1..];
        }
        self.add(piece)
    }

    /// Ends the file and appends its last row.
    ///
    /// # Errors
    ///
    /// Returns a problem if the file is truncated, that is, if its last line is not a valid row.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        match self.take_row() {
            Some(Line { row: Err(_), line }) => {
                Err(problem("broken_off", line, "the file ends in the middle of a row"))
            }
            row => {
                lines.extend(row);
                Ok(())
            }
        }
    }

    fn add(&mut self, part: &[u8]) -> Result<(), FeedProblem> {
        if self.current.len() + part.len() > LONGEST_ROW {
            return Err(problem("row_too_long", self.line(), "a row is longer than 64 KiB"));
        }
        self.current.extend_from_slice(part);
        Ok(())
    }

    /// Parses the current line, which is complete. Returns `None` if the line is blank.
    fn take_row(&mut self) -> Option<Line> {
        let line = self.line();
        let text = if line == 1 { self.current.strip_prefix("\u{feff}".as_bytes()) } else { None };
        let text = text.unwrap_or(&self.current).trim_ascii();
        let row = (!text.is_empty()).then(|| Line { line, row: parse_row(text) });
        self.current.clear();
        row
    }
}

fn parse_row(text: &[u8]) -> Result<FeedRow, Unreadable> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(Unreadable::new("", Reason::NotUtf8));
    };
    match serde_json::from_str::<Row>(text) {
        Ok(Row { fields, is_malformed: false }) => {
            Ok(FeedRow::from_fields(fields.each_ref().map(String::as_str)))
        }
        Ok(Row { fields: [event_id, ..], .. }) => Err(Unreadable::new(&event_id, Reason::RowMalformed)),
        Err(_) => Err(Unreadable::new("", Reason::RowMalformed)),
    }
}

struct Row {
    /// The fields in the order of [`COLUMNS`].
    fields: [String; COLUMNS.len()],
    /// Whether the object has an unknown or duplicate key, or a value that is not a string, number
    /// or null.
    is_malformed: bool,
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row { fields: Default::default(), is_malformed: false };
                let mut seen = [false; COLUMNS.len()];
                while let Some(name) = map.next_key::<String>()? {
                    let value: serde_json::Value = map.next_value()?;
                    let Some(at) = COLUMNS.iter().position(|column| *column == name) else {
                        row.is_malformed = true;
                        continue;
                    };
                    row.is_malformed |= std::mem::replace(&mut seen[at], true);
                    match value {
                        serde_json::Value::String(text) => row.fields[at] = text,
                        // In other columns, a float may have lost digits.
                        serde_json::Value::Number(number)
                            if !number.is_f64() || FLOAT_COLUMNS.contains(&&*name) =>
                        {
                            row.fields[at] = number.to_string();
                        }
                        serde_json::Value::Null => {}
                        _ => row.is_malformed = true,
                    }
                }
                Ok(row)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::read_summaries;

    #[test]
    fn numbers_rows_by_line_and_skips_bad_ones() {
        let file = [
            r#"{"event_id":"A","nama_faskes":"P","dosis_ke":1,"paspor":null}"#,
            "",
            r#"{"event_id":"B","nama_faskes":"Klinik \"Sehat\"\n"}"#,
            r#"{"event_id":"C","faskes":"P"}"#,
            r#"{"event_id":"D","event_id":"E"}"#,
            r#"{"event_id":"F","nama":["Ayu"]}"#,
            r#"{"event_id":"G","dosis_ke":1.0,"no_hp":81234567891.0}"#,
            r#"{"event_id":"H""#,
            r#"["I"]"#,
            "  {\"event_id\":\"J\"}\r",
        ]
        .join("\n");
        let (lines, problem) = read_summaries(file.as_bytes());
        assert_eq!(problem, None);
        let expected = [
            (1, "A P"),
            (3, "B Klinik \"Sehat\""),
            (4, "C RowMalformed"),
            (5, "E RowMalformed"),
            (6, "F RowMalformed"),
            (7, "G "),
            (8, " RowMalformed"),
            (9, " RowMalformed"),
            (10, "J "),
        ];
        assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn reports_rows_not_utf8_truncated_or_too_long() {
        let file =
            [b"{\"event_id\":\"A\"}\n{\"event_id\":\"\xff\"}\n".as_slice(), b"{\"event_id\":\"C"].concat();
        let (lines, problem) = read_summaries(&file);
        assert_eq!(lines.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["A ", " NotUtf8"]);
        let problem = problem.unwrap();
        assert_eq!((&*problem.code, problem.line), ("broken_off", 3));

        let long = format!("{{\"event_id\":\"A\"}}\n{{\"nama\":\"{}", "x".repeat(100_000));
        let problem = read_summaries(long.as_bytes()).1.unwrap();
        assert_eq!((&*problem.code, problem.line), ("row_too_long", 2));
    }
}

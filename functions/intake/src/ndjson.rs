//! NDJSON feeds: a JSON object on each line, with the columns of a feed as its names.

use std::fmt;

use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, Reason};
use bukti_records::FeedProblem;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::line::{LONGEST_ROW, Line, Unreadable, problem};

/// Columns whose numbers are short enough to be whole in a float: `1.0` is a number there, as in a CSV, and `1.5` is none.
const MAY_BE_FLOAT: [&str; 2] = ["dosis_ke", "no_hp"];

/// Reads lines out of the pieces of a file.
#[derive(Default)]
pub(crate) struct NdjsonReader {
    /// The line under way.
    begun: Vec<u8>,
    /// The lines that are ended.
    ended: u64,
}

impl NdjsonReader {
    pub(crate) fn line(&self) -> u64 {
        self.ended + 1
    }

    /// Takes the next piece of the file and appends the rows that it completes.
    ///
    /// # Errors
    ///
    /// A line is longer than any row.
    pub(crate) fn push(&mut self, mut piece: &[u8], lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.add(&piece[..end])?;
            lines.extend(self.row());
            self.ended += 1;
            piece = &piece[end + 1..];
        }
        self.add(piece)
    }

    /// Says that the file is at its end.
    ///
    /// # Errors
    ///
    /// The file broke off in the middle of its last row.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        match self.row() {
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
        if self.begun.len() + part.len() > LONGEST_ROW {
            return Err(problem("row_too_long", self.line(), "a row is longer than 64 KiB"));
        }
        self.begun.extend_from_slice(part);
        Ok(())
    }

    /// The row of the line under way, which is at its end; `None` where it is blank.
    fn row(&mut self) -> Option<Line> {
        let line = self.line();
        let text = if line == 1 { self.begun.strip_prefix("\u{feff}".as_bytes()) } else { None };
        let text = text.unwrap_or(&self.begun).trim_ascii();
        let row = (!text.is_empty()).then(|| Line { line, row: read(text) });
        self.begun.clear();
        row
    }
}

fn read(text: &[u8]) -> Result<FeedRow, Unreadable> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(Unreadable { event_id: String::new(), reason: Reason::NotUtf8 });
    };
    let malformed = |event_id| Unreadable { event_id, reason: Reason::RowMalformed };
    match serde_json::from_str::<Row>(text) {
        Ok(Row { fields, malformed: false }) => {
            Ok(FeedRow::from_fields(fields.each_ref().map(String::as_str)))
        }
        Ok(Row { fields: [event_id, ..], .. }) => Err(malformed(event_id.chars().take(100).collect())),
        Err(_) => Err(malformed(String::new())),
    }
}

/// The fields of a row, in the order of [`COLUMNS`].
struct Row {
    fields: [String; COLUMNS.len()],
    /// It has a name that no feed has, a name twice, or something else than a text or a number under one.
    malformed: bool,
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
                let mut row = Row { fields: Default::default(), malformed: false };
                let mut seen = [false; COLUMNS.len()];
                while let Some(name) = map.next_key::<String>()? {
                    let value: serde_json::Value = map.next_value()?;
                    let Some(at) = COLUMNS.iter().position(|column| *column == name) else {
                        row.malformed = true;
                        continue;
                    };
                    row.malformed |= std::mem::replace(&mut seen[at], true);
                    match value {
                        serde_json::Value::String(text) => row.fields[at] = text,
                        // Of other columns a float may have lost digits.
                        serde_json::Value::Number(number)
                            if !number.is_f64() || MAY_BE_FLOAT.contains(&&*name) =>
                        {
                            row.fields[at] = number.to_string();
                        }
                        serde_json::Value::Null => {}
                        _ => row.malformed = true,
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
    use crate::feed::told_by_all_pieces;

    #[test]
    fn rows_keep_their_lines_and_bad_ones_do_not_stop_the_others() {
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
        let (lines, problem) = told_by_all_pieces(file.as_bytes());
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
    fn a_row_that_is_not_utf8_or_never_ends_is_told() {
        let file =
            [b"{\"event_id\":\"A\"}\n{\"event_id\":\"\xff\"}\n".as_slice(), b"{\"event_id\":\"C"].concat();
        let (lines, problem) = told_by_all_pieces(&file);
        assert_eq!(lines.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["A ", " NotUtf8"]);
        let problem = problem.unwrap();
        assert_eq!((&*problem.code, problem.line), ("broken_off", 3));

        let long = format!("{{\"event_id\":\"A\"}}\n{{\"nama\":\"{}", "x".repeat(100_000));
        let problem = told_by_all_pieces(long.as_bytes()).1.unwrap();
        assert_eq!((&*problem.code, problem.line), ("row_too_long", 2));
    }
}

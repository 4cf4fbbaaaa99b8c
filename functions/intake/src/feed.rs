//! The push parser for feeds: CSV, NDJSON or FHIR, plain or compressed with gzip or zstd, in UTF-8,
//! or in UTF-16 with a byte order mark.
//!
//! ```text
//! chunks of the file ──► decompressed ──► decoded ──► csv │ ndjson │ fhir ──► cleaned lines
//! ```
//!
//! CSV and NDJSON take constant memory; a FHIR file is read as a whole, up to 16 MiB. The format is
//! detected from the first bytes, since file names and media types are often wrong.

mod encoding;
mod other_files;

use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, Reason, Verdict, hygiene};
use bukti_records::FeedProblem;
use jiff::Timestamp;

use crate::compression::Decompressor;
use crate::csv::CsvReader;
use crate::fhir::{FhirKind, FhirReader};
use crate::line::{LONGEST_ROW, Line, Unreadable, problem};
use crate::ndjson::NdjsonReader;

use self::encoding::Encoding;
use self::other_files::other_file;

/// The number of bytes needed to recognise a file that is not a feed.
const DETECTION_BYTES: usize = 4 * 1024;

/// Reads rows from a file that arrives in chunks. It is a push parser, so that it works with any
/// source of chunks, sync or async.
#[derive(Default)]
pub struct FeedReader {
    decompressor: Decompressor,
    /// Decompressed bytes that have not been read yet.
    text: Vec<u8>,
    encoding: Encoding,
    format: Format,
    received_at: Option<Timestamp>,
}

enum Format {
    /// The text so far, from which the format cannot be detected yet.
    Unknown(Vec<u8>),
    Csv(Box<CsvReader>),
    Ndjson(NdjsonReader),
    Fhir(FhirReader),
}

impl Default for Format {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl FeedReader {
    /// Creates a reader for a file that was received at this time. The time becomes the `sent_at`
    /// of FHIR rows that state none.
    pub fn new(received_at: Timestamp) -> Self {
        Self { received_at: Some(received_at), ..Self::default() }
    }

    /// The number of bytes read so far, after decompression.
    pub fn decompressed_len(&self) -> u64 {
        self.decompressor.output_len()
    }

    /// The kind of a FHIR file, known once the file has ended; `None` for other files.
    pub fn fhir(&self) -> Option<FhirKind> {
        match &self.format {
            Format::Fhir(reader) => reader.kind(),
            _ => None,
        }
    }

    /// Reads a bounded amount of the next chunk of the file and appends the rows that it completes.
    /// Returns the rest of the chunk, for which the caller must call again, or `None` if the chunk
    /// is fully processed. The rest may be empty while decompressed output is pending.
    ///
    /// # Errors
    ///
    /// Returns the problem if the file as a whole is invalid. Rows that were already appended stay
    /// valid.
    pub fn push<'a>(
        &mut self,
        piece: &'a [u8],
        lines: &mut Vec<Line>,
    ) -> Result<Option<&'a [u8]>, FeedProblem> {
        let before = lines.len();
        let rest = self.decompressor.step(piece, &mut self.text);
        let read = self.read_text(lines, false);
        clean(&mut lines[before..]);
        read?;
        rest.map_err(|error| error.on_line(self.format.line()))
    }

    /// Ends the file and appends its last rows.
    ///
    /// # Errors
    ///
    /// Returns a problem if the file is empty or truncated, or is a FHIR file that cannot be read.
    pub fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let before = lines.len();
        let read = self.read_end(lines);
        clean(&mut lines[before..]);
        if self.fhir() == Some(FhirKind::Transaction) {
            let now = self.received_at.unwrap_or_else(Timestamp::now);
            reject_as_a_whole(lines, |row| match row.judge(now) {
                (Verdict::Rejected, reasons) => reasons.first().copied(),
                _ => None,
            });
        }
        read
    }

    fn read_end(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let decompressed = self.decompressor.finish(&mut self.text);
        self.read_text(lines, true)?;
        decompressed.map_err(|error| error.on_line(self.format.line()))?;
        self.format.finish(lines, self.received_at)
    }

    /// Decodes and parses the decompressed bytes.
    fn read_text(&mut self, lines: &mut Vec<Line>, is_last: bool) -> Result<(), FeedProblem> {
        let text = std::mem::take(&mut self.text);
        let decoded = self.encoding.decode(&text, is_last);
        let read = self.format.push(&decoded, lines, self.received_at);
        drop(decoded);
        // The allocation is reused.
        self.text = text;
        self.text.clear();
        read
    }
}

/// Rejects all rows of a transaction if one of them is unreadable, or if `rejection` returns a
/// reason to reject one.
pub(crate) fn reject_as_a_whole(lines: &mut [Line], rejection: impl Fn(&FeedRow) -> Option<Reason>) {
    let reason = |line: &Line| match &line.row {
        Ok(row) => rejection(row),
        Err(unreadable) => Some(unreadable.reason),
    };
    if lines.iter().all(|line| reason(line).is_none()) {
        return;
    }
    for line in lines {
        let reason = reason(line).unwrap_or(Reason::TransactionRefused);
        if let Ok(row) = &line.row {
            line.row = Err(Unreadable::new(&row.event_id, reason));
        }
    }
}

/// Applies text hygiene to rows, whichever format they were read from.
fn clean(lines: &mut [Line]) {
    for line in lines {
        match &mut line.row {
            Ok(row) => *row = row.cleaned(),
            Err(unreadable) => unreadable.event_id = hygiene::clean(&unreadable.event_id).into_owned(),
        }
    }
}

impl Format {
    fn push(
        &mut self,
        text: &[u8],
        lines: &mut Vec<Line>,
        received_at: Option<Timestamp>,
    ) -> Result<(), FeedProblem> {
        match self {
            Format::Unknown(start) => {
                start.extend_from_slice(text);
                let Some(format) = Self::detect(start, false, received_at)? else { return Ok(()) };
                let start = std::mem::take(start);
                *self = format;
                self.push(&start, lines, received_at)
            }
            Format::Csv(reader) => reader.push(text, lines),
            Format::Ndjson(reader) => reader.push(text, lines),
            Format::Fhir(reader) => reader.push(text),
        }
    }

    fn finish(&mut self, lines: &mut Vec<Line>, received_at: Option<Timestamp>) -> Result<(), FeedProblem> {
        if let Format::Unknown(start) = self {
            let format =
                Self::detect(start, true, received_at)?.unwrap_or_else(|| Format::Csv(Box::default()));
            let start = std::mem::take(start);
            *self = format;
            self.push(&start, lines, received_at)?;
        }
        match self {
            Format::Unknown(_) => Ok(()),
            Format::Csv(reader) => reader.finish(lines),
            Format::Ndjson(reader) => reader.finish(lines),
            Format::Fhir(reader) => reader.finish(lines),
        }
    }

    /// Detects the format from the start of a file; `is_whole_file` says that nothing follows.
    /// Returns `None` if more bytes are needed. JSON is FHIR unless its first line contains the
    /// name of a column and no `resourceType`.
    fn detect(
        start: &[u8],
        is_whole_file: bool,
        received_at: Option<Timestamp>,
    ) -> Result<Option<Self>, FeedProblem> {
        let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start).trim_ascii_start();
        if start.len() < DETECTION_BYTES && !is_whole_file {
            return Ok(None);
        }
        if let Some((code, detail)) = other_file(text) {
            return Err(problem(code, 1, detail));
        }
        match text.first() {
            None if start.len() < LONGEST_ROW => return Ok(None),
            Some(b'{') => {}
            _ => return Ok(Some(Format::Csv(Box::default()))),
        }
        let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        if end.is_none() && !is_whole_file && text.len() < LONGEST_ROW {
            return Ok(None);
        }
        let first_line = text[..end.unwrap_or(text.len())].trim_ascii_end();
        let has = |name: &str| {
            let name = format!("\"{name}\"");
            first_line.windows(name.len()).any(|part| part == name.as_bytes())
        };
        Ok(Some(if has("resourceType") || !COLUMNS.iter().any(|column| has(column)) {
            Format::Fhir(FhirReader::new(received_at))
        } else {
            Format::Ndjson(NdjsonReader::default())
        }))
    }

    /// The line number of the next byte.
    fn line(&self) -> u64 {
        match self {
            Format::Unknown(_) => 1,
            Format::Csv(reader) => reader.line(),
            Format::Ndjson(reader) => reader.line(),
            Format::Fhir(reader) => reader.line(),
        }
    }
}

/// Reads a file in chunks of this length. Returns a summary of each line: its number, and either
/// the event id and facility of its row or the reason why the row is unreadable.
#[cfg(test)]
pub(crate) fn read_in_pieces(file: &[u8], piece_len: usize) -> (Vec<(u64, String)>, Option<FeedProblem>) {
    let mut reader = FeedReader::default();
    let mut lines = Vec::new();
    let pushed = file.chunks(piece_len).try_for_each(|piece| {
        let mut rest = Some(piece);
        while let Some(piece) = rest {
            rest = reader.push(piece, &mut lines)?;
        }
        Ok(())
    });
    let result = pushed.and_then(|()| reader.finish(&mut lines));
    let summaries = lines.into_iter().map(|line| match line.row {
        Ok(row) => (line.line, format!("{} {}", row.event_id, row.nama_faskes)),
        Err(unreadable) => (line.line, format!("{} {:?}", unreadable.event_id, unreadable.reason)),
    });
    (summaries.collect(), result.err())
}

/// Reads a file as [`read_in_pieces`] does, and checks that the result does not depend on the
/// length of the chunks.
#[cfg(test)]
pub(crate) fn read_summaries(file: &[u8]) -> (Vec<(u64, String)>, Option<FeedProblem>) {
    let whole = read_in_pieces(file, file.len().max(1));
    let lengths: &[usize] = if file.len() < 10_000 { &[1, 2, 7, 64] } else { &[1000, 4096] };
    for &length in lengths {
        assert_eq!(read_in_pieces(file, length), whole, "in pieces of {length} bytes");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(file: &[u8]) -> Option<String> {
        read_summaries(file).1.map(|problem| problem.code)
    }

    #[test]
    fn detects_format_by_first_bytes() {
        let row = r#"{"event_id":"A","nama_faskes":"P"}"#;
        let rows = |text: &str| read_summaries(text.as_bytes()).0;
        let one = vec![(1, "A P".to_owned())];
        assert_eq!(rows(row), one, "one row without a line break");
        assert_eq!(rows(&format!("\u{feff}{row}\r\n")), one, "a byte order mark");
        assert_eq!(rows(&format!("\n\n  {row}\n"))[0].0, 3, "blank lines before");
        assert_eq!(code(br#"{"resourceType":"Patient"}"#).as_deref(), Some("not_a_bundle"));
        assert_eq!(code(b"{\n  \"resourceType\": \"Bundle\"\n}"), None);
        assert_eq!(code(br#"[{"event_id":"A"}]"#).as_deref(), Some("json_array"));
        assert_eq!(code("\u{feff}".as_bytes()).as_deref(), Some("empty"));
    }

    #[test]
    fn reads_utf_16_with_a_byte_order_mark() {
        let file = format!("\u{feff}{}\r\nA{}P\r\n", COLUMNS.join("\t"), "\t".repeat(13));
        let units = || file.encode_utf16();
        for bytes in [
            units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            units().flat_map(u16::to_be_bytes).collect(),
        ] {
            assert_eq!(read_summaries(&bytes), (vec![(2, "A P".to_owned())], None));
            assert_eq!(code(&bytes[2..]).as_deref(), Some("not_utf8"), "without a mark");
            let odd = &bytes[..bytes.len() - 1];
            assert_eq!(code(odd).as_deref(), Some("broken_off"), "cut within a character");
        }
    }

    #[test]
    fn rejects_only_rows_with_broken_utf_16() {
        let row = |id: &str| format!("{id}{}P\r\n", "\t".repeat(13)).encode_utf16().collect::<Vec<u16>>();
        let header: Vec<u16> = format!("\u{feff}{}\r\n", COLUMNS[..14].join("\t")).encode_utf16().collect();
        for broken in [&[0xd800][..], &[0xdc00], &[0xdc00, 0xd800], &[0xd83d, 0x41]] {
            let units = [&header, &row("A"), broken, &row("B"), &row("C")].concat();
            for bytes in [
                units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
                units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            ] {
                let (lines, problem) = read_summaries(&bytes);
                assert_eq!(problem, None);
                let lines: Vec<(u64, &str)> =
                    lines.iter().map(|(line, text)| (*line, text.split(' ').next_back().unwrap())).collect();
                assert_eq!(lines, [(2, "P"), (3, "NotUtf8"), (4, "P")], "{broken:x?}");
            }
        }
    }

    #[test]
    fn names_files_that_are_not_feeds() {
        for (file, expected) in [
            (&b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml"[..], "excel_workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel_workbook"),
            (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "opendocument_sheet"),
            (b"PK\x03\x04....doses.csv", "archive"),
            (b"%PDF-1.7", "pdf"),
            (b"\x89PNG\r\n\x1a\n", "picture"),
            (b"\xff\xd8\xff\xe0", "picture"),
            (b"{\\rtf1\\ansi", "office_document"),
            (b"PK\x03\x04....[Content_Types].xml....word/document.xml", "office_document"),
            (b"PK\x03\x04....[Content_Types].xml....ppt/presentation.xml", "office_document"),
            (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.text", "office_document"),
            (b"PK\x05\x06\0\0", "archive"),
            (b"7z\xbc\xaf\x27\x1c", "archive"),
            (b"Rar!\x1a\x07\x01\0", "archive"),
            (b"BZh91AY&SY", "archive"),
            (b"GIF89a", "picture"),
            (b"\0\0\0\x18ftypheic", "picture"),
            (b"MIME-Version: 1.0\r\nX-Document-Type: Workbook", "html_page"),
            (b"\x7fELF\x02\x01\x01\0\0\0", "binary_file"),
            (b"\0\x01\0\0Standard Jet DB\0", "binary_file"),
            (b"e\0v\0e\0n\0t\0_\0i\0d\0", "not_utf8"),
            (b"\0e\0v\0e\0n\0t\0_\0i\0d", "not_utf8"),
            (b"SQLite format 3\0", "sqlite_database"),
            (b"\r\n<HTML><body><table>", "html_page"),
            (b"<?xml version=\"1.0\"?><Bundle/>", "xml_document"),
        ] {
            let (lines, problem) = read_summaries(file);
            assert_eq!((lines.len(), problem.map(|it| it.code).as_deref()), (0, Some(expected)));
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(
            start in proptest::sample::select(vec![
                b"".as_slice(), b"{", b"{\"event_id\":\"A\"}\n", b"{\"resourceType\":", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd",
            ]),
            file in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            let file = [start, &file].concat();
            let whole = read_in_pieces(&file, file.len().max(1));
            // The rows before the damage in a compressed file depend on the length of the chunks.
            if start.is_ascii() && !start.starts_with(b"\x1f") {
                proptest::prop_assert_eq!(read_in_pieces(&file, 3), whole);
            }
        }
    }
}

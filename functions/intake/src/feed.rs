//! Reads a feed as it comes, in constant memory: CSV, NDJSON or FHIR; plain, or packed by gzip or zstd; in UTF-8, or in UTF-16
//! with a byte order mark.
//!
//! ```text
//! pieces of the file ──► unpacked ──► decoded ──► csv │ ndjson │ fhir ──► cleaned lines
//! ```
//!
//! What a file is, its first bytes say: file names are often wrong.

use std::borrow::Cow;

use bukti_aws::FeedProblem;
use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, Reason, Verdict, hygiene};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::compression::Unpacker;
use crate::csv::CsvReader;
use crate::fhir::{FhirKind, FhirReader};
use crate::ndjson::NdjsonReader;

/// The longest row, in bytes. A quote that is never closed makes one of all that follows.
pub(crate) const LONGEST_ROW: usize = 64 * 1024;

/// After so many bytes it shows what a file is that is no feed.
const TELLING: usize = 4 * 1024;

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

/// Reads rows out of the pieces of a file. A push parser, so that it does not care where the pieces come from.
#[derive(Default)]
pub struct FeedReader {
    unpacker: Unpacker,
    /// What was unpacked last, and is to be read.
    text: Vec<u8>,
    encoding: Encoding,
    format: Format,
    received_at: Option<Timestamp>,
}

enum Format {
    /// Not known yet: the text so far.
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

pub(crate) fn problem(code: &str, line: u64, detail: impl Into<String>) -> FeedProblem {
    FeedProblem { code: code.to_owned(), line, detail: detail.into() }
}

impl FeedReader {
    /// A reader of a file that was received then: when its rows were sent, where nothing in them says it (FHIR).
    pub fn new(received_at: Timestamp) -> Self {
        Self { received_at: Some(received_at), ..Self::default() }
    }

    /// What a FHIR file is, once it was read; `None` of other files.
    pub fn fhir(&self) -> Option<FhirKind> {
        match &self.format {
            Format::Fhir(reader) => reader.kind(),
            _ => None,
        }
    }

    /// Takes what it can of the next piece of the file, appends the rows that this completes, and gives the rest: `None` where
    /// the piece is used up. A packed file becomes many times as long, so a rest may also be empty.
    ///
    /// # Errors
    ///
    /// What is wrong with the file as such. The rows before stay good.
    pub fn push<'a>(
        &mut self,
        piece: &'a [u8],
        lines: &mut Vec<Line>,
    ) -> Result<Option<&'a [u8]>, FeedProblem> {
        let before = lines.len();
        let unpacked = self.unpacker.step(piece, &mut self.text);
        let read = self.read(lines, false);
        clean(&mut lines[before..]);
        read?;
        unpacked.map_err(|broken| broken.on_line(self.format.line()))
    }

    /// Says that the file is at its end.
    ///
    /// # Errors
    ///
    /// The file is empty, or broke off.
    pub fn finish(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let before = lines.len();
        let read = self.read_end(lines);
        clean(&mut lines[before..]);
        if self.fhir() == Some(FhirKind::Transaction) {
            refuse_as_a_whole(lines, self.received_at.unwrap_or_else(Timestamp::now));
        }
        read
    }

    fn read_end(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let unpacked = self.unpacker.finish(&mut self.text);
        self.read(lines, true)?;
        unpacked.map_err(|broken| broken.on_line(self.format.line()))?;
        self.format.finish(lines, self.received_at)
    }
}

impl FeedReader {
    /// Reads what was unpacked.
    fn read(&mut self, lines: &mut Vec<Line>, is_last: bool) -> Result<(), FeedProblem> {
        let text = std::mem::take(&mut self.text);
        let decoded = self.encoding.decode(&text, is_last);
        let decoded = decoded.ok_or_else(|| {
            problem(
                Reason::NotUtf8.code(),
                self.format.line(),
                "the file is broken UTF-16; save it as CSV UTF-8",
            )
        })?;
        let read = self.format.push(&decoded, lines, self.received_at);
        drop(decoded);
        // Its room is used again.
        self.text = text;
        self.text.clear();
        read
    }
}

/// How a file's text is encoded, by its byte order mark.
#[derive(Default)]
enum Encoding {
    /// Not known yet: the first byte.
    #[default]
    Unknown,
    Begun(u8),
    Utf8,
    Utf16(Box<encoding_rs::Decoder>),
}

impl Encoding {
    /// The next bytes as UTF-8; `None` where they are no UTF-16 though they began so. Bytes that began otherwise are left as they
    /// are: the readers look at each row.
    fn decode<'a>(&mut self, bytes: &'a [u8], is_last: bool) -> Option<Cow<'a, [u8]>> {
        let mut bytes = Cow::Borrowed(bytes);
        if let Encoding::Begun(first) = self {
            bytes = Cow::Owned([&[*first], &*bytes].concat());
            *self = Encoding::Unknown;
        }
        if matches!(self, Encoding::Unknown) {
            *self = match &*bytes {
                [0xff, 0xfe, ..] => {
                    Encoding::Utf16(Box::new(encoding_rs::UTF_16LE.new_decoder_with_bom_removal()))
                }
                [0xfe, 0xff, ..] => {
                    Encoding::Utf16(Box::new(encoding_rs::UTF_16BE.new_decoder_with_bom_removal()))
                }
                [first @ (0xff | 0xfe)] if !is_last => {
                    *self = Encoding::Begun(*first);
                    return Some(Cow::Borrowed(&[]));
                }
                [] => return Some(bytes),
                _ => Encoding::Utf8,
            };
        }
        let Encoding::Utf16(decoder) = self else { return Some(bytes) };
        let room = decoder.max_utf8_buffer_length(bytes.len())?;
        let mut text = vec![0; room];
        let (_, _, written, had_errors) = decoder.decode_to_utf8(&bytes, &mut text, is_last);
        text.truncate(written);
        (!had_errors).then_some(Cow::Owned(text))
    }
}

/// What a file is that is no feed, by its first bytes: a stable code, and what to do.
fn no_feed(begun: &[u8]) -> Option<(&'static str, &'static str)> {
    const WORKBOOK: (&str, &str) = (
        "excel_workbook",
        "this is an Excel workbook: `bukti import` reads it, elsewhere save its sheet as \"CSV UTF-8\"",
    );
    let has = |part: &[u8]| begun.windows(part.len()).any(|found| found.eq_ignore_ascii_case(part));
    Some(match begun {
        [b'P', b'K', 3, 4, ..] if has(b"opendocument.spreadsheet") => (
            "opendocument_sheet",
            "this is an OpenDocument sheet: `bukti import` reads it, elsewhere save it as CSV in UTF-8",
        ),
        [b'P', b'K', 3, 4, ..] if has(b"xl/") || has(b"[Content_Types].xml") => WORKBOOK,
        [b'P', b'K', 3, 4, ..] => {
            ("archive", "this is a zip archive: send the file in it, plain or packed by gzip")
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => WORKBOOK,
        [b'%', b'P', b'D', b'F', ..] => {
            ("pdf", "this is a PDF: send the table that it was made from, as CSV")
        }
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => {
            ("picture", "this is a picture: send the table itself, as CSV")
        }
        [b'{', b'\\', b'r', b't', b'f', ..] => {
            ("rtf_document", "this is an RTF document: send the table itself, as CSV")
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => {
            ("sqlite_database", "this is an SQLite database: export the table as CSV")
        }
        [b'<', ..] if has(b"<html") || has(b"<!doctype html") || has(b"<table") => {
            ("html_page", "this is an HTML page, as some systems export: save it as CSV in UTF-8")
        }
        [b'<', ..] => ("xml_document", "this is XML: send CSV, NDJSON or FHIR JSON"),
        _ if begun.iter().take(64).filter(|byte| **byte == 0).count() >= 4 => (
            Reason::NotUtf8.code(),
            "this looks like UTF-16 without a byte order mark: save it as \"CSV UTF-8\"",
        ),
        _ => return None,
    })
}

/// Of a transaction no row is kept where one of them cannot be.
fn refuse_as_a_whole(lines: &mut [Line], now: Timestamp) {
    let reason = |line: &Line| match &line.row {
        Ok(row) => match row.judge(now) {
            (Verdict::Rejected, reasons) => reasons.first().copied(),
            _ => None,
        },
        Err(unreadable) => Some(unreadable.reason),
    };
    if lines.iter().all(|line| reason(line).is_none()) {
        return;
    }
    for line in lines {
        let reason = reason(line).unwrap_or(Reason::TransactionRefused);
        if let Ok(row) = &line.row {
            let event_id = row.event_id.chars().take(100).collect();
            line.row = Err(Unreadable { event_id, reason });
        }
    }
}

/// Text hygiene for every row, whichever format it came in.
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
            Format::Unknown(begun) => {
                begun.extend_from_slice(text);
                let Some(format) = Self::of(begun, false, received_at)? else { return Ok(()) };
                let begun = std::mem::take(begun);
                *self = format;
                self.push(&begun, lines, received_at)
            }
            Format::Csv(reader) => reader.push(text, lines),
            Format::Ndjson(reader) => reader.push(text, lines),
            Format::Fhir(reader) => reader.push(text),
        }
    }

    fn finish(&mut self, lines: &mut Vec<Line>, received_at: Option<Timestamp>) -> Result<(), FeedProblem> {
        if let Format::Unknown(begun) = self {
            let format = Self::of(begun, true, received_at)?.unwrap_or_else(|| Format::Csv(Box::default()));
            let begun = std::mem::take(begun);
            *self = format;
            self.push(&begun, lines, received_at)?;
        }
        match self {
            Format::Unknown(_) => Ok(()),
            Format::Csv(reader) => reader.finish(lines),
            Format::Ndjson(reader) => reader.finish(lines),
            Format::Fhir(reader) => reader.finish(lines),
        }
    }

    /// The format of a file that begins so; `None` where more must be seen. JSON is a Bundle unless its first line
    /// has the name of a column, and none of a resource.
    fn of(begun: &[u8], is_all: bool, received_at: Option<Timestamp>) -> Result<Option<Self>, FeedProblem> {
        let text = begun.strip_prefix("\u{feff}".as_bytes()).unwrap_or(begun).trim_ascii_start();
        // What is in a file of another kind shows within its first bytes.
        if begun.len() < TELLING && !is_all {
            return Ok(None);
        }
        if let Some((code, detail)) = no_feed(text) {
            return Err(problem(code, 1, detail));
        }
        match text.first() {
            None if begun.len() < LONGEST_ROW => return Ok(None),
            Some(b'{' | b'[') => {}
            _ => return Ok(Some(Format::Csv(Box::default()))),
        }
        let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        if end.is_none() && !is_all && text.len() < LONGEST_ROW {
            return Ok(None);
        }
        let first = text[..end.unwrap_or(text.len())].trim_ascii_end();
        let has = |name: &str| {
            let name = format!("\"{name}\"");
            first.windows(name.len()).any(|part| part == name.as_bytes())
        };
        Ok(Some(if has("resourceType") || !COLUMNS.iter().any(|column| has(column)) {
            Format::Fhir(FhirReader::new(received_at))
        } else {
            Format::Ndjson(NdjsonReader::default())
        }))
    }

    /// The line that the next byte is on.
    fn line(&self) -> u64 {
        match self {
            Format::Unknown(_) => 1,
            Format::Csv(reader) => reader.line(),
            Format::Ndjson(reader) => reader.line(),
            Format::Fhir(reader) => reader.line(),
        }
    }
}

/// What a reader makes of a file in pieces of some length, in short.
#[cfg(test)]
pub(crate) fn told(file: &[u8], piece: usize) -> (Vec<(u64, String)>, Option<FeedProblem>) {
    let mut reader = FeedReader::default();
    let mut lines = Vec::new();
    let pushed = file.chunks(piece).try_for_each(|piece| {
        let mut rest = Some(piece);
        while let Some(piece) = rest {
            rest = reader.push(piece, &mut lines)?;
        }
        Ok(())
    });
    let result = pushed.and_then(|()| reader.finish(&mut lines));
    let told = lines.into_iter().map(|line| match line.row {
        Ok(row) => (line.line, format!("{} {}", row.event_id, row.nama_faskes)),
        Err(unreadable) => (line.line, format!("{} {:?}", unreadable.event_id, unreadable.reason)),
    });
    (told.collect(), result.err())
}

/// The same, however the file is cut into pieces.
#[cfg(test)]
pub(crate) fn told_by_all_pieces(file: &[u8]) -> (Vec<(u64, String)>, Option<FeedProblem>) {
    let whole = told(file, file.len().max(1));
    let pieces: &[usize] = if file.len() < 10_000 { &[1, 2, 7, 64] } else { &[1000, 4096] };
    for &piece in pieces {
        assert_eq!(told(file, piece), whole, "in pieces of {piece}");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(file: &[u8]) -> Option<String> {
        told_by_all_pieces(file).1.map(|problem| problem.code)
    }

    #[test]
    fn a_file_is_what_it_begins_with() {
        let row = r#"{"event_id":"A","nama_faskes":"P"}"#;
        let rows = |text: &str| told_by_all_pieces(text.as_bytes()).0;
        let one = vec![(1, "A P".to_owned())];
        assert_eq!(rows(row), one, "one row without a line break");
        assert_eq!(rows(&format!("\u{feff}{row}\r\n")), one, "a byte order mark");
        assert_eq!(rows(&format!("\n\n  {row}\n"))[0].0, 3, "blank lines before");
        assert_eq!(code(br#"{"resourceType":"Patient"}"#).as_deref(), Some("not_a_bundle"));
        assert_eq!(code(b"{\n  \"resourceType\": \"Bundle\"\n}"), None);
        assert_eq!(code(b"[]").as_deref(), Some("not_a_bundle"));
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
            assert_eq!(told_by_all_pieces(&bytes), (vec![(2, "A P".to_owned())], None));
            assert_eq!(code(&bytes[2..]).as_deref(), Some("not_utf8"), "without a mark");
            let odd = &bytes[..bytes.len() - 1];
            assert_eq!(code(odd).as_deref(), Some("not_utf8"), "cut within a character");
        }
    }

    #[test]
    fn names_files_that_are_no_feed() {
        for (file, expected) in [
            (&b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml"[..], "excel_workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel_workbook"),
            (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "opendocument_sheet"),
            (b"PK\x03\x04....doses.csv", "archive"),
            (b"%PDF-1.7", "pdf"),
            (b"\x89PNG\r\n\x1a\n", "picture"),
            (b"\xff\xd8\xff\xe0", "picture"),
            (b"{\\rtf1\\ansi", "rtf_document"),
            (b"SQLite format 3\0", "sqlite_database"),
            (b"\r\n<HTML><body><table>", "html_page"),
            (b"<?xml version=\"1.0\"?><Bundle/>", "xml_document"),
        ] {
            let (lines, problem) = told_by_all_pieces(file);
            assert_eq!((lines.len(), problem.map(|it| it.code).as_deref()), (0, Some(expected)));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(
            begins in proptest::sample::select(vec![
                b"".as_slice(), b"{", b"{\"event_id\":\"A\"}\n", b"{\"resourceType\":", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd",
            ]),
            file in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            let file = [begins, &file].concat();
            let whole = told(&file, file.len().max(1));
            // How much a damaged file gives before that shows depends on the pieces.
            if begins.is_ascii() && !begins.starts_with(b"\x1f") {
                proptest::prop_assert_eq!(told(&file, 3), whole);
            }
        }
    }
}

//! Reads a feed as it comes, in constant memory: CSV, NDJSON or FHIR; plain, or packed by gzip or zstd; in UTF-8, or in UTF-16
//! with a byte order mark.
//!
//! ```text
//! pieces of the file ──► unpacked ──► decoded ──► csv │ ndjson │ fhir ──► cleaned lines
//! ```
//!
//! What a file is, its first bytes say: file names are often wrong.

use std::borrow::Cow;

use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, Reason, Verdict, hygiene};
use bukti_records::FeedProblem;
use encoding_rs::DecoderResult;
use jiff::Timestamp;

use crate::compression::Unpacker;
use crate::csv::CsvReader;
use crate::fhir::{FhirKind, FhirReader};
use crate::line::{LONGEST_ROW, Line, Unreadable, problem};
use crate::ndjson::NdjsonReader;

/// After so many bytes it shows what a file is that is no feed.
const TELLING: usize = 4 * 1024;

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

impl FeedReader {
    /// A reader of a file that was received then: when its rows were sent, where nothing in them says it (FHIR).
    pub fn new(received_at: Timestamp) -> Self {
        Self { received_at: Some(received_at), ..Self::default() }
    }

    /// How many bytes the file has become so far, unpacked.
    pub fn unpacked(&self) -> u64 {
        self.unpacker.unpacked()
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
            let now = self.received_at.unwrap_or_else(Timestamp::now);
            refuse_as_a_whole(lines, |row| match row.judge(now) {
                (Verdict::Rejected, reasons) => reasons.first().copied(),
                _ => None,
            });
        }
        read
    }

    fn read_end(&mut self, lines: &mut Vec<Line>) -> Result<(), FeedProblem> {
        let unpacked = self.unpacker.finish(&mut self.text);
        self.read(lines, true)?;
        unpacked.map_err(|broken| broken.on_line(self.format.line()))?;
        self.format.finish(lines, self.received_at)
    }

    /// Reads what was unpacked.
    fn read(&mut self, lines: &mut Vec<Line>, is_last: bool) -> Result<(), FeedProblem> {
        let text = std::mem::take(&mut self.text);
        let decoded = self.encoding.decode(&text, is_last);
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
    /// The next bytes as UTF-8. Bytes that began without a mark are left as they are: the readers check each row. So that they
    /// also refuse a row with broken UTF-16, and not the file, what cannot be decoded becomes a byte that UTF-8 never has.
    fn decode<'a>(&mut self, bytes: &'a [u8], is_last: bool) -> Cow<'a, [u8]> {
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
                    return Cow::Borrowed(&[]);
                }
                [] => return bytes,
                _ => Encoding::Utf8,
            };
        }
        let Encoding::Utf16(decoder) = self else { return bytes };
        let (mut rest, mut text) = (&*bytes, Vec::with_capacity(bytes.len() * 2));
        loop {
            let begun = text.len();
            text.resize(
                begun + decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(64),
                0,
            );
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut text[begun..], is_last);
            text.truncate(begun + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Cow::Owned(text),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => text.push(0xff),
            }
        }
    }
}

/// What a file is that is no feed, by its first bytes: a stable code, and what to do.
///
/// The codes are listed in the API's document (`JobProblem`) and in the README.
fn no_feed(begun: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXCEL_WORKBOOK: &str = "excel_workbook";
    const OFFICE_DOCUMENT: (&str, &str) =
        ("office_document", "this is a document (Word, RTF or the like): send the table itself, as CSV");
    const HTML_PAGE: (&str, &str) =
        ("html_page", "this is an HTML page, as Excel and some systems export: save it as CSV in UTF-8");
    let has = |part: &[u8]| begun.windows(part.len()).any(|found| found.eq_ignore_ascii_case(part));
    Some(match begun {
        [b'P', b'K', 3, 4, ..] if has(b"opendocument.spreadsheet") => (
            "opendocument_sheet",
            "this is an OpenDocument sheet: `bukti import` reads it, elsewhere save it as CSV in UTF-8",
        ),
        [b'P', b'K', 3, 4, ..] if has(b"word/") || has(b"ppt/") || has(b"opendocument.") => OFFICE_DOCUMENT,
        [b'P', b'K', 3, 4, ..] if has(b"xl/") || has(b"[Content_Types].xml") => (
            EXCEL_WORKBOOK,
            "this is an Excel workbook: `bukti import` reads it, elsewhere save its sheet as \"CSV UTF-8\"",
        ),
        // What kind of Office file it is stands anywhere in it; most that are sent as feeds are workbooks.
        [0xd0, 0xcf, 0x11, 0xe0, ..] => (
            EXCEL_WORKBOOK,
            "this is an Excel workbook (.xls), one with a password, or another Office file of that kind: `bukti import` reads \
             workbooks without a password, elsewhere save the sheet as \"CSV UTF-8\"",
        ),
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..]
        | [b'7', b'z', 0xbc, 0xaf, ..]
        | [b'R', b'a', b'r', b'!', ..]
        | [0xfd, b'7', b'z', b'X', b'Z', ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', ..] => (
            "archive",
            "this is an archive (zip, 7z, rar, xz, bzip2): send the file in it, plain or packed by gzip",
        ),
        [b'%', b'P', b'D', b'F', ..] => {
            ("pdf", "this is a PDF: send the table that it was made from, as CSV")
        }
        [0x89, b'P', b'N', b'G', ..]
        | [0xff, 0xd8, 0xff, ..]
        | [b'G', b'I', b'F', b'8', ..]
        | [b'I', b'I', b'*', 0, ..]
        | [b'M', b'M', 0, b'*', ..]
        | [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..]
        | [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
            ("picture", "this is a picture: send the table itself, as CSV")
        }
        [b'{', b'\\', b'r', b't', b'f', ..] => OFFICE_DOCUMENT,
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => {
            ("sqlite_database", "this is an SQLite database: export the table as CSV")
        }
        [b'<', ..] if has(b"<html") || has(b"<!doctype html") || has(b"<table") => HTML_PAGE,
        [b'M' | b'm', ..] if begun.len() > 13 && begun[..13].eq_ignore_ascii_case(b"MIME-Version:") => {
            HTML_PAGE
        }
        [b'<', ..] => ("xml_document", "this is XML: send CSV, NDJSON or FHIR JSON"),
        [b'[', ..] => ("json_array", "this is a JSON array: send its objects one on each line (NDJSON)"),
        _ => return no_text(&begun[..begun.len().min(64)]),
    })
}

/// What bytes are that no text begins with.
fn no_text(begun: &[u8]) -> Option<(&'static str, &'static str)> {
    let zeros_at = |odd: usize| begun.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros_at(0), zeros_at(1));
    match even + odd {
        0 => None,
        // Letters of the header take the other half of each unit.
        zeros if zeros >= 4 && (even == 0 || odd == 0) => Some((
            Reason::NotUtf8.code(),
            "this looks like UTF-16 without a byte order mark: save it as \"CSV UTF-8\"",
        )),
        _ => Some(("binary_file", "this is no text file: send the table as CSV in UTF-8")),
    }
}

/// Of a transaction no row is kept where one of them cannot be. `rejection` says why a row that was read cannot.
pub(crate) fn refuse_as_a_whole(lines: &mut [Line], rejection: impl Fn(&FeedRow) -> Option<Reason>) {
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
            Some(b'{') => {}
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
            assert_eq!(told_by_all_pieces(&bytes), (vec![(2, "A P".to_owned())], None));
            assert_eq!(code(&bytes[2..]).as_deref(), Some("not_utf8"), "without a mark");
            let odd = &bytes[..bytes.len() - 1];
            assert_eq!(code(odd).as_deref(), Some("broken_off"), "cut within a character");
        }
    }

    #[test]
    fn refuses_rows_of_broken_utf_16_alone() {
        let row = |id: &str| format!("{id}{}P\r\n", "\t".repeat(13)).encode_utf16().collect::<Vec<u16>>();
        let header: Vec<u16> = format!("\u{feff}{}\r\n", COLUMNS[..14].join("\t")).encode_utf16().collect();
        for broken in [&[0xd800][..], &[0xdc00], &[0xdc00, 0xd800], &[0xd83d, 0x41]] {
            let units = [&header, &row("A"), broken, &row("B"), &row("C")].concat();
            for bytes in [
                units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
                units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            ] {
                let (lines, problem) = told_by_all_pieces(&bytes);
                assert_eq!(problem, None);
                let lines: Vec<(u64, &str)> =
                    lines.iter().map(|(line, told)| (*line, told.split(' ').next_back().unwrap())).collect();
                assert_eq!(lines, [(2, "P"), (3, "NotUtf8"), (4, "P")], "{broken:x?}");
            }
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

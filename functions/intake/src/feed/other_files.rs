//! Recognition of files that are not feeds.

use bukti_domain::Reason;

/// Recognises a file that is not a feed by its first bytes. Returns a stable code and an
/// instruction for the sender.
///
/// The codes are listed in the OpenAPI document (`JobProblem`) and in the README.
pub(super) fn other_file(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXCEL_WORKBOOK: &str = "excel_workbook";
    const OFFICE_DOCUMENT: (&str, &str) =
        ("office_document", "this is a document (Word, RTF or the like): send the table itself, as CSV");
    const HTML_PAGE: (&str, &str) =
        ("html_page", "this is an HTML page, as Excel and some systems export: save it as CSV in UTF-8");
    let has = |part: &[u8]| start.windows(part.len()).any(|found| found.eq_ignore_ascii_case(part));
    Some(match start {
        [b'P', b'K', 3, 4, ..] if has(b"opendocument.spreadsheet") => (
            "opendocument_sheet",
            "this is an OpenDocument sheet: `bukti import` reads it, elsewhere save it as CSV in UTF-8",
        ),
        [b'P', b'K', 3, 4, ..] if has(b"word/") || has(b"ppt/") || has(b"opendocument.") => OFFICE_DOCUMENT,
        [b'P', b'K', 3, 4, ..] if has(b"xl/") || has(b"[Content_Types].xml") => (
            EXCEL_WORKBOOK,
            "this is an Excel workbook: `bukti import` reads it, elsewhere save its sheet as \"CSV UTF-8\"",
        ),
        // The first bytes of an OLE file do not show its kind. Most OLE files that are sent as
        // feeds are workbooks.
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
        [b'M' | b'm', ..] if start.len() > 13 && start[..13].eq_ignore_ascii_case(b"MIME-Version:") => {
            HTML_PAGE
        }
        [b'<', ..] => ("xml_document", "this is XML: send CSV, NDJSON or FHIR JSON"),
        [b'[', ..] => ("json_array", "this is a JSON array: send its objects one on each line (NDJSON)"),
        _ => return binary_file(&start[..start.len().min(64)]),
    })
}

/// Recognises UTF-16 or a binary file by its zero bytes, which occur neither in CSV nor in JSON.
fn binary_file(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let zeros_at = |odd: usize| start.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros_at(0), zeros_at(1));
    match even + odd {
        0 => None,
        // In UTF-16, one byte of each ASCII character is zero: always the first, or always the
        // second.
        zeros if zeros >= 4 && (even == 0 || odd == 0) => Some((
            Reason::NotUtf8.code(),
            "this looks like UTF-16 without a byte order mark: save it as \"CSV UTF-8\"",
        )),
        _ => Some(("binary_file", "this is no text file: send the table as CSV in UTF-8")),
    }
}

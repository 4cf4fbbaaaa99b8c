//! Tests workbooks that could exhaust memory or crash the reader.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Cursor, Write};
use std::process::{Command, Output};

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Creates a workbook whose first sheet has a header in A1 and a cell at this reference.
fn workbook_with_cell_at(reference: &str) -> Vec<u8> {
    let package = "http://schemas.openxmlformats.org/package/2006";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relation = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"{package}/relationships\">\
             <Relationship Id=\"r1\" Type=\"{office}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let cell =
        |at: &str, text: &str| format!("<row><c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c></row>");
    let sheet = format!(
        "<worksheet xmlns=\"{main}\"><sheetData>{}{}</sheetData></worksheet>",
        cell("A1", "NIK"),
        cell(reference, "x")
    );
    let workbook = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>\
         <sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    let types = format!("<Types xmlns=\"{package}/content-types\"/>");
    archive(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", relation("officeDocument", "xl/workbook.xml").as_bytes()),
        ("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml").as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

/// Runs a subcommand of `bukti` on a workbook.
fn run(command: &str, workbook: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doses.xlsx");
    std::fs::write(&file, workbook).unwrap();
    Command::new(env!("CARGO_BIN_EXE_bukti")).arg(command).arg(file).output().unwrap()
}

/// Converts a workbook to CSV with `bukti workbook`.
fn csv(workbook: &[u8]) -> Vec<u8> {
    let written = run("workbook", workbook);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    written.stdout
}

/// Returns the error message with which `bukti import` rejects a workbook.
fn rejection(workbook: &[u8]) -> String {
    let rejected = run("import", workbook);
    let message = String::from_utf8(rejected.stderr).unwrap();
    assert_eq!(rejected.status.code(), Some(1), "{message}");
    assert!(
        message.starts_with("bukti: cannot read the workbook /") && message.lines().count() == 1,
        "{message}"
    );
    message
}

#[test]
fn rejects_cells_beyond_the_end_of_a_sheet() {
    assert_eq!(csv(&workbook_with_cell_at("A3")), b"NIK\n\nx\n");
    let last = csv(&workbook_with_cell_at("XFD1048576")).len();
    assert!(last < 2 * 1024 * 1024, "{last}");
    for beyond in ["A1048577", "XFE2", "A4294967295"] {
        let message = rejection(&workbook_with_cell_at(beyond));
        assert!(message.contains("beyond XFD1048576"), "{beyond}: {message}");
    }
}

#[test]
fn rejects_workbooks_that_crash_the_reader() {
    for overflow in ["ZZZZZZ99999999999", "A99999999999", "ZZZZZZZZZ2"] {
        let workbook = workbook_with_cell_at(overflow);
        // The workbook must crash the reader, otherwise the test proves nothing.
        assert_ne!(run("workbook", &workbook).status.code(), Some(1), "{overflow} does not crash the reader");
        let message = rejection(&workbook);
        assert!(
            message.ends_with("doses.xlsx: it is damaged: save its sheet as \"CSV UTF-8\" and import that\n")
        );
    }
}

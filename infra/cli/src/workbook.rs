//! Converts the first visible sheet of a workbook (.xlsx, .xlsb, .xls, .ods) to a CSV feed.
//!
//! A workbook of a few kilobytes can expand to gigabytes. The unpacked size is therefore measured
//! before the workbook is read, the cells of .xlsx and .xlsb files are streamed, and the size of
//! the CSV is limited.

mod archive;
mod cells;
mod csv_writer;

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use calamine::{
    Reader, SheetType, SheetVisible, Sheets, Xls, XlsError, Xlsx, XlsxError, open_workbook_auto_from_rs,
};
use tempfile::NamedTempFile;

use self::archive::check_unpacked_size;
use self::csv_writer::CsvWriter;

/// The largest accepted workbook, in bytes.
const MAX_WORKBOOK: u64 = 64 * 1024 * 1024;

/// The remedy at the end of each message about an unreadable workbook.
const SAVE_AS_CSV: &str = "save its sheet as \"CSV UTF-8\" and import that";

/// A workbook of any supported format, read from memory.
type Workbook<'a> = Sheets<Cursor<&'a [u8]>>;

/// Whether this code of an intake problem means that the file is a workbook.
pub(crate) fn is_workbook(problem: &str) -> bool {
    matches!(problem, "excel_workbook" | "opendocument_sheet")
}

/// Converts the first visible sheet of a workbook to a temporary CSV file, which is deleted when
/// the handle is dropped. Each row of the sheet becomes one line, so that line numbers in the
/// report match the spreadsheet.
///
/// The workbook is read by a separate process (`bukti workbook`), because the library panics on
/// some damaged workbooks and release builds abort on a panic.
pub(crate) fn to_csv(path: &Path) -> Result<NamedTempFile> {
    let csv = NamedTempFile::with_suffix(".csv").context("cannot create a temporary file")?;
    let run_reader = || -> io::Result<_> {
        let mut reader = Command::new(std::env::current_exe()?);
        reader.arg("workbook").arg("--").arg(path).stdout(Stdio::from(csv.as_file().try_clone()?)).output()
    };
    let output = run_reader().context("cannot start a process that reads the workbook")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => eprint!("{stderr}"),
        Some(1) => bail!("{}", stderr.trim_end().trim_start_matches("bukti: ")),
        // The process panicked or was killed by a signal.
        _ => bail!("cannot read the workbook {}: it is damaged: {SAVE_AS_CSV}", path.display()),
    }
    Ok(csv)
}

/// Writes the first visible sheet of a workbook as CSV. Runs in the process that [`to_csv`] starts.
pub(crate) fn write_csv(path: &Path, to: impl Write) -> Result<()> {
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(MAX_WORKBOOK + 1).read_to_end(&mut bytes));
    opened.with_context(|| format!("cannot read {}", path.display()))?;
    convert(&bytes, to).with_context(|| format!("cannot read the workbook {}", path.display()))
}

fn convert(bytes: &[u8], to: impl Write) -> Result<()> {
    ensure!(bytes.len() as u64 <= MAX_WORKBOOK, "it is larger than 64 MiB: {SAVE_AS_CSV}");
    check_unpacked_size(bytes)?;
    let mut workbook = open(bytes)?;
    let sheets = workbook.sheets_metadata();
    let is_visible = |sheet: &&calamine::Sheet| {
        sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible
    };
    let name = sheets.iter().find(is_visible).or(sheets.first()).map(|sheet| sheet.name.clone());
    let name = name.with_context(|| format!("it has no sheet: {SAVE_AS_CSV}"))?;
    let others = sheets.iter().filter(is_visible).count().saturating_sub(1);
    write_sheet(&mut workbook, &name, to)?;
    if others > 0 {
        eprintln!("Only the first sheet is imported; the workbook has {others} more.");
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Workbook<'_>> {
    let new = || Cursor::new(bytes);
    if !bytes.starts_with(b"PK") {
        let is_locked = matches!(Xls::new(new()).err(), Some(XlsError::Password))
            || matches!(Xlsx::new(new()).err(), Some(XlsxError::Password));
        ensure!(!is_locked, "it is protected by a password: save it without one, or {SAVE_AS_CSV}");
    }
    // The library's own error says only that no format matches.
    open_workbook_auto_from_rs(new()).ok().with_context(|| {
        format!("it is damaged, protected by a password, or of an unsupported format: {SAVE_AS_CSV}")
    })
}

fn write_sheet(workbook: &mut Workbook<'_>, name: &str, to: impl Write) -> Result<()> {
    let damaged = || format!("its first sheet is damaged: {SAVE_AS_CSV}");
    let has_1904_epoch = match workbook {
        Sheets::Xlsx(workbook) => workbook.has_1904_epoch(),
        Sheets::Xlsb(workbook) => workbook.has_1904_epoch(),
        Sheets::Xls(workbook) => workbook.has_1904_epoch(),
        Sheets::Ods(_) => false,
    };
    let mut csv = CsvWriter::new(to, has_1904_epoch);
    match workbook {
        Sheets::Xlsx(workbook) => {
            let mut cells = workbook.worksheet_cells_reader(name).with_context(damaged)?;
            while let Some(cell) = cells.next_cell().with_context(damaged)? {
                csv.write_cell(cell.get_position(), &cell.get_value().clone().into())?;
            }
        }
        Sheets::Xlsb(workbook) => {
            let mut cells = workbook.worksheet_cells_reader(name).with_context(damaged)?;
            while let Some(cell) = cells.next_cell().with_context(damaged)? {
                csv.write_cell(cell.get_position(), &cell.get_value().clone().into())?;
            }
        }
        Sheets::Xls(_) | Sheets::Ods(_) => {
            let sheet = workbook.worksheet_range(name).with_context(damaged)?;
            let (first_row, first_column) = sheet.start().unwrap_or_default();
            for (row, column, cell) in sheet.used_cells() {
                csv.write_cell((first_row + row as u32, first_column + column as u32), cell)?;
            }
        }
    }
    csv.finish()
}

#[cfg(test)]
mod tests {
    use super::archive::tests::archive;
    use super::*;

    #[test]
    fn reads_an_opendocument_sheet() {
        let cell = |attributes: &str, text: &str| {
            format!("<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>")
        };
        let string = |text: &str| cell("office:value-type=\"string\"", text);
        let empty = "<table:table-cell table:number-columns-repeated=\"16000\"/>";
        let row = |cells: &[String]| format!("<table:table-row>{}{empty}</table:table-row>", cells.concat());
        let header = row(&["Event ID", "Tanggal Lahir", "NIK", "Batch"].map(string));
        let date = cell("office:value-type=\"date\" office:date-value=\"1989-01-24\"", "24/01/89");
        let nik = cell("office:value-type=\"float\" office:value=\"3171012401896246\"", "3,17E+15");
        let first = row(&[string("A"), date, nik, string("B1")]);
        let gap = format!(
            "<table:table-row table:number-rows-repeated=\"2\">{empty}</table:table-row>{}",
            row(&[string("C")])
        );
        let content = format!(
            "<?xml version=\"1.0\"?><office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
             xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
             xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\"><office:body><office:spreadsheet>\
             <table:table table:name=\"Data\">{header}{first}{gap}</table:table>\
             </office:spreadsheet></office:body></office:document-content>"
        );
        let manifest =
            "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"/>";
        let bytes = archive(&[
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("META-INF/manifest.xml", manifest.as_bytes()),
            ("content.xml", content.as_bytes()),
        ]);
        let mut csv = Vec::new();
        convert(&bytes, &mut csv).unwrap();
        let expected = "Event ID,Tanggal Lahir,NIK,Batch\nA,1989-01-24,3171012401896246.0,B1\n\n\nC,,,\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
    }

    #[test]
    fn rejects_damaged_workbooks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doses.xlsx");
        let no_sheet = archive(&[("[Content_Types].xml", b"<Types/>"), ("xl/styles.xml", b"<styleSheet/>")]);
        for content in [&b"PK\x03\x04 broken"[..], b"\xd0\xcf\x11\xe0", b"event_id,nik", &no_sheet] {
            std::fs::write(&file, content).unwrap();
            let error = format!("{:#}", write_csv(&file, io::sink()).unwrap_err());
            assert!(error.contains("doses.xlsx: it is damaged"), "{error}");
        }
    }
}

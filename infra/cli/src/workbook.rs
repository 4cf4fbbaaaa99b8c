//! Workbooks of spreadsheets (.xlsx, .xls, .xlsb, .ods) as CSV feeds: the first sheet, cell by cell, a line for each row.

use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bukti_domain::feed::COLUMNS;
use calamine::{Data, Range, Reader, open_workbook_auto_from_rs};
use jiff::civil::{Date, date};
use tempfile::NamedTempFile;

/// The largest workbook that is read, in bytes: all of it is held in memory, and becomes many times as large.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Whole numbers up to here are exact in a spreadsheet, which counts in floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a file that begins so is a workbook, or another archive of Excel's or LibreOffice's kind.
pub(crate) fn is_workbook(begun: &[u8]) -> bool {
    begun.starts_with(b"PK\x03\x04") || begun.starts_with(b"\xd0\xcf\x11\xe0")
}

/// The first sheet of a workbook as CSV, in a file that goes when it is dropped. Its lines are the sheet's rows, so that the
/// report names them as the spreadsheet does.
///
/// # Errors
///
/// Where the file is no workbook that can be read, or too large.
pub(crate) fn to_csv(path: &Path) -> Result<NamedTempFile> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{name} is larger than 64 MiB: save its sheet as \"CSV UTF-8\" and import that");
    }
    let unreadable = || {
        format!(
            "{name} is no workbook that can be read: is it protected by a password, or damaged? \
             Save its sheet as \"CSV UTF-8\" and import that"
        )
    };
    let mut workbook = open_workbook_auto_from_rs(Cursor::new(bytes)).with_context(unreadable)?;
    let sheet = workbook.worksheet_range_at(0).with_context(|| format!("{name} has no sheet"))?;
    let sheet = sheet.with_context(unreadable)?;
    let mut file = NamedTempFile::with_suffix(".csv").context("cannot make a temporary file")?;
    write(&sheet, &mut file).context("cannot write a temporary file")?;
    Ok(file)
}

fn write(sheet: &Range<Data>, to: &mut impl Write) -> std::io::Result<()> {
    let mut to = std::io::BufWriter::new(to);
    let mut columns: Option<Vec<Option<&str>>> = None;
    // What is before the first row with something in it.
    for _ in 0..sheet.start().map_or(0, |(row, _)| row) {
        writeln!(to)?;
    }
    for row in sheet.rows() {
        if row.iter().all(|cell| matches!(cell, Data::Empty)) {
            writeln!(to)?;
            continue;
        }
        let fields: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(at, cell)| text(cell, columns.as_ref().and_then(|columns| columns.get(at).copied()?)))
            .collect();
        columns.get_or_insert_with(|| fields.iter().map(|name| column(name)).collect());
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(&fields)?;
        to.write_all(&line.into_inner().map_err(std::io::Error::other)?)?;
    }
    to.flush()
}

/// The column of a feed that a header names.
fn column(header: &str) -> Option<&'static str> {
    let name = header.trim().to_lowercase().replace([' ', '-'], "_");
    COLUMNS.into_iter().find(|column| *column == name)
}

/// A cell as a feed writes it. Line breaks become spaces, so that each row is one line.
fn text(cell: &Data, column: Option<&str>) -> String {
    let is_date = column.is_some_and(|column| column.starts_with("tanggal_"));
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
            text.replace(['\r', '\n'], " ")
        }
        Data::Bool(value) => value.to_string(),
        Data::Error(error) => error.to_string(),
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let day = format!("{year:04}-{month:02}-{day:02}");
            // A spreadsheet knows no zone: the clock on the wall is western Indonesia's.
            if is_date { day } else { format!("{day}T{hour:02}:{minute:02}:{second:02}+07:00") }
        }
        Data::Int(number) => number_text(*number as f64, column, is_date),
        Data::Float(number) => number_text(*number, column, is_date),
    }
}

fn number_text(number: f64, column: Option<&str>, is_date: bool) -> String {
    if is_date && let Some(day) = day_of_serial(number) {
        return day.to_string();
    }
    let is_whole = number.fract() == 0.0 && number.abs() < EXACT;
    match column {
        // A spreadsheet keeps 15 digits of a number, a NIK has 16: whatever stands there may have been another. As a float it
        // is refused.
        Some("nik") => format!("{number:.1}"),
        _ if is_whole => format!("{number:.0}"),
        _ => number.to_string(),
    }
}

/// The day of a serial number of Excel's, counted from the end of 1899; only of this and the last century.
fn day_of_serial(serial: f64) -> Option<Date> {
    let days = (1.0..=73_050.0).contains(&serial).then(|| serial.floor() as i64)?;
    date(1899, 12, 30).checked_add(jiff::Span::new().days(days)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cells_as_a_feed_has_them() {
        let whole = |number| Data::Float(number);
        for (cell, column, expected) in [
            (whole(81_234_567_890.0), "no_hp", "81234567890"),
            (Data::Int(81_234_567_890), "no_hp", "81234567890"),
            (Data::String("081234567890".into()), "no_hp", "081234567890"),
            (whole(3_171_012_401_896_246.0), "nik", "3171012401896246.0"),
            (Data::Int(3_171_012_401_896_246), "nik", "3171012401896246.0"),
            (Data::String("3171012401896246".into()), "nik", "3171012401896246"),
            (whole(1.0), "dosis_ke", "1"),
            (whole(1.5), "dosis_ke", "1.5"),
            (whole(32_532.0), "tanggal_lahir", "1989-01-24"),
            (whole(44_225.6), "tanggal_vaksinasi", "2021-01-29"),
            (Data::String("2021-01-29".into()), "tanggal_vaksinasi", "2021-01-29"),
            (Data::String("Puskesmas\nMenteng".into()), "nama_faskes", "Puskesmas Menteng"),
            (Data::Empty, "batch", ""),
            (Data::Error(calamine::CellErrorType::NA), "batch", "#N/A"),
            (whole(202_106.0), "batch", "202106"),
        ] {
            assert_eq!(text(&cell, Some(column)), expected, "{column}");
        }
    }

    #[test]
    fn refuses_what_is_no_workbook() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doses.xlsx");
        for content in [&b"PK\x03\x04 broken"[..], b"\xd0\xcf\x11\xe0", b"event_id,nik"] {
            std::fs::write(&file, content).unwrap();
            let said = format!("{:#}", to_csv(&file).unwrap_err());
            assert!(said.contains("doses.xlsx is no workbook"), "{said}");
        }
    }
}

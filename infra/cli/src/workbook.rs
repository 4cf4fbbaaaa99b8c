//! Workbooks of spreadsheets (.xlsx, .xlsb, .xls, .ods) as CSV feeds: the first visible sheet, a line for each of its rows.
//!
//! A workbook of a few kilobytes can unpack to gigabytes, so its archive is measured before it is read, the cells of Excel's
//! newer formats are read one by one, and the CSV has a largest size.

use std::fs::File;
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use bukti_intake::feed_column;
use calamine::{
    Data, ExcelDateTime, ExcelDateTimeType, Reader, SheetType, SheetVisible, Sheets, Xls, XlsError, Xlsx,
    XlsxError, open_workbook_auto_from_rs,
};
use jiff::civil::DateTime;
use tempfile::NamedTempFile;

/// The largest workbook that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The most bytes that its files may have together when they are unpacked: about half a million rows.
const MOST_UNPACKED: u64 = 512 * 1024 * 1024;
/// The most cells that an OpenDocument sheet may write by saying that one is repeated.
const MOST_REPEATED: u64 = 1_000_000;
/// The largest CSV that is made of a sheet, in bytes: cells can repeat a text without having it.
const LARGEST_CSV: u64 = 1024 * 1024 * 1024;
/// The longest row, in bytes: the intake takes no longer ones.
const LONGEST_ROW: usize = 64 * 1024;
/// The last row and column of a sheet, from 0: cell XFD1048576.
const LAST_CELL: (u32, u32) = (1_048_575, 16_383);
/// Whole numbers below this are as they were entered: Excel keeps 15 significant digits.
const EXACT: f64 = 1e15;

/// What to do with a workbook that is not read.
const SAVE_AS_CSV: &str = "save its sheet as \"CSV UTF-8\" and import that";

/// A workbook in memory.
type Workbook<'a> = Sheets<Cursor<&'a [u8]>>;

/// Whether a file with this problem as a feed is a workbook.
pub(crate) fn is_workbook(problem: &str) -> bool {
    matches!(problem, "excel_workbook" | "opendocument_sheet")
}

/// The first visible sheet of a workbook as CSV, in a file that is deleted when it is dropped. Its lines are the sheet's rows,
/// so that the report names them as the spreadsheet does.
///
/// The workbook is read by a process of its own (`bukti workbook`): the reader panics at some that
/// are damaged, and in releases a panic cannot be caught.
///
/// # Errors
///
/// Where the file is no workbook that can be read, or too large.
pub(crate) fn to_csv(path: &Path) -> Result<NamedTempFile> {
    let csv = NamedTempFile::with_suffix(".csv").context("cannot make a temporary file")?;
    let reader = || -> io::Result<_> {
        let mut reader = Command::new(std::env::current_exe()?);
        reader.arg("workbook").arg("--").arg(path).stdout(Stdio::from(csv.as_file().try_clone()?)).output()
    };
    let ended = reader().context("cannot start a process that reads the workbook")?;
    let said = String::from_utf8_lossy(&ended.stderr);
    match ended.status.code() {
        Some(0) => eprint!("{said}"),
        Some(1) => bail!("{}", said.trim_end().trim_start_matches("bukti: ")),
        // It panicked, or a signal ended it.
        _ => bail!("cannot read the workbook {}: it is damaged: {SAVE_AS_CSV}", path.display()),
    }
    Ok(csv)
}

/// Writes the first visible sheet of a workbook as CSV, for [`to_csv`].
///
/// # Errors
///
/// Where the file is no workbook that can be read, or too large.
pub(crate) fn write_csv(path: &Path, to: impl Write) -> Result<()> {
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    opened.with_context(|| format!("cannot read {}", path.display()))?;
    read(&bytes, to).with_context(|| format!("cannot read the workbook {}", path.display()))
}

fn read(bytes: &[u8], to: impl Write) -> Result<()> {
    ensure!(bytes.len() as u64 <= LARGEST, "it is larger than 64 MiB: {SAVE_AS_CSV}");
    measure(bytes)?;
    convert(bytes, to)
}

fn convert(bytes: &[u8], to: impl Write) -> Result<()> {
    let mut workbook = open(bytes)?;
    let sheets = workbook.sheets_metadata();
    let is_shown = |sheet: &&calamine::Sheet| {
        sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible
    };
    let name = sheets.iter().find(is_shown).or(sheets.first()).map(|sheet| sheet.name.clone());
    let name = name.with_context(|| format!("it has no sheet: {SAVE_AS_CSV}"))?;
    let others = sheets.iter().filter(is_shown).count().saturating_sub(1);
    write(&mut workbook, &name, to)?;
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
    // Its own error says only that no format fits.
    open_workbook_auto_from_rs(new()).ok().with_context(|| {
        format!("it is damaged, protected by a password, or of a kind that is not read: {SAVE_AS_CSV}")
    })
}

/// Unpacks the files of a workbook, if it is an archive, without keeping them: what the archive says of their sizes may be
/// wrong.
fn measure(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(b"PK") {
        return Ok(());
    }
    let damaged = || format!("it is damaged: {SAVE_AS_CSV}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).with_context(damaged)?;
    let (mut unpacked, mut repeated) = (0, Repeated::default());
    for at in 0..archive.len() {
        let file = archive.by_index(at).with_context(damaged)?;
        let is_content = file.name().is_ok_and(|name| name.eq_ignore_ascii_case("content.xml"));
        let mut file = file.take(MOST_UNPACKED + 1 - unpacked);
        unpacked += if is_content {
            io::copy(&mut file, &mut repeated).with_context(damaged)?
        } else {
            io::copy(&mut file, &mut io::sink()).with_context(damaged)?
        };
        ensure!(
            unpacked <= MOST_UNPACKED && repeated.cells <= MOST_REPEATED,
            "it becomes too large when it is unpacked: {SAVE_AS_CSV}"
        );
    }
    Ok(())
}

/// Counts the filled cells that an OpenDocument sheet repeats within its rows (ODF 1.2, 19.675), as its XML goes by.
#[derive(Default)]
struct Repeated {
    /// The tag under way, without its `<`.
    tag: Option<Vec<u8>>,
    cells: u64,
}

impl Repeated {
    fn end_tag(&mut self, tag: &[u8]) {
        const TIMES: &[u8] = b"number-columns-repeated=";
        let find = |part: &[u8]| tag.windows(part.len()).position(|found| found == part);
        // One without a value or a formula is empty, and not kept.
        let is_filled = find(b"office:").is_some() || find(b"table:formula").is_some();
        let Some(at) = find(TIMES).filter(|_| is_filled) else { return };
        let digits = tag[at + TIMES.len()..].iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let times = digits
            .fold(0_u64, |times, digit| times.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        self.cells = self.cells.saturating_add(times);
    }
}

impl Write for Repeated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            match (byte, &mut self.tag) {
                (b'<', _) => self.tag = Some(Vec::new()),
                (b'>', Some(_)) => {
                    let tag = self.tag.take().unwrap_or_default();
                    self.end_tag(&tag);
                }
                (byte, Some(tag)) if tag.len() < LONGEST_ROW => tag.push(*byte),
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a sheet as CSV.
fn write(workbook: &mut Workbook<'_>, name: &str, to: impl Write) -> Result<()> {
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
                csv.cell(cell.get_position(), &cell.get_value().clone().into())?;
            }
        }
        Sheets::Xlsb(workbook) => {
            let mut cells = workbook.worksheet_cells_reader(name).with_context(damaged)?;
            while let Some(cell) = cells.next_cell().with_context(damaged)? {
                csv.cell(cell.get_position(), &cell.get_value().clone().into())?;
            }
        }
        Sheets::Xls(_) | Sheets::Ods(_) => {
            let sheet = workbook.worksheet_range(name).with_context(damaged)?;
            let (row, column) = sheet.start().unwrap_or_default();
            for (down, right, cell) in sheet.used_cells() {
                csv.cell((row + down as u32, column + right as u32), cell)?;
            }
        }
    }
    csv.finish()
}

/// Writes cells as lines of CSV, in the order of the sheet.
struct CsvWriter<W: Write> {
    to: BufWriter<W>,
    written: u64,
    has_1904_epoch: bool,
    /// The columns of the feed by their place in the sheet, once the header is written.
    columns: Option<Vec<Option<&'static str>>>,
    /// The row under way, from 0, and its fields.
    row: u32,
    fields: Vec<String>,
    length: usize,
}

impl<W: Write> CsvWriter<W> {
    fn new(to: W, has_1904_epoch: bool) -> Self {
        Self {
            to: BufWriter::new(to),
            written: 0,
            has_1904_epoch,
            columns: None,
            row: 0,
            fields: Vec::new(),
            length: 0,
        }
    }

    fn cell(&mut self, (row, column): (u32, u32), cell: &Data) -> Result<()> {
        // Before anything is written for the rows up to it: a reference of 11 bytes would cost a GiB.
        ensure!(
            row <= LAST_CELL.0 && column <= LAST_CELL.1,
            "it has a cell beyond XFD1048576, where a sheet ends: {SAVE_AS_CSV}"
        );
        let column = column as usize;
        ensure!(
            row >= self.row && (row > self.row || column >= self.fields.len()),
            "the cells of row {} are out of order: {SAVE_AS_CSV}",
            row + 1
        );
        while self.row < row {
            self.end_row()?;
        }
        let name = self.columns.as_ref().and_then(|columns| columns.get(column).copied()?);
        let text = text(cell, name, self.has_1904_epoch);
        self.length += text.len();
        if self.length > LONGEST_ROW {
            bail!("row {} is longer than 64 KiB", row + 1);
        }
        if !text.is_empty() {
            self.fields.resize(column, String::new());
            self.fields.push(text);
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<()> {
        let mut fields = std::mem::take(&mut self.fields);
        let mut line = vec![b'\n'];
        if !fields.is_empty() {
            // A sheet leaves out empty cells wherever they are: its rows break off nowhere.
            let width = self.columns.as_ref().map_or(0, Vec::len);
            fields.resize(fields.len().max(width), String::new());
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields)?;
            line = writer.into_inner().map_err(|error| error.into_error())?;
        }
        if self.columns.is_none() {
            let columns: Vec<_> = fields.iter().map(|name| feed_column(name)).collect();
            self.columns = columns.iter().any(Option::is_some).then_some(columns);
        }
        self.written += line.len() as u64;
        ensure!(self.written <= LARGEST_CSV, "its sheet is larger than 1 GiB: {SAVE_AS_CSV}");
        self.to.write_all(&line).context("cannot write a temporary file")?;
        (self.row, self.length) = (self.row + 1, 0);
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if !self.fields.is_empty() {
            self.end_row()?;
        }
        self.to.flush().context("cannot write a temporary file")
    }
}

/// A cell as a feed writes it. Line breaks become spaces, so that each row is one line.
fn text(cell: &Data, column: Option<&str>, has_1904_epoch: bool) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DurationIso(text) => text.replace(['\r', '\n'], " "),
        Data::Bool(value) => value.to_string(),
        Data::Error(error) => error.to_string(),
        Data::Int(number) => number_text(*number as f64, column, has_1904_epoch),
        Data::Float(number) => number_text(*number, column, has_1904_epoch),
        Data::DateTime(moment) if moment.is_datetime() => {
            moment_text(moment_of_serial(moment.as_f64(), has_1904_epoch), column)
        }
        Data::DateTime(duration) => duration.as_f64().to_string(),
        Data::DateTimeIso(text) => {
            let day = bukti_domain::parse_date(text.trim()).map(|day| day.at(0, 0, 0, 0));
            moment_text(day.or_else(|| text.trim().parse().ok()), column)
        }
    }
}

/// A date or time as a feed writes it. In a column of neither, the spreadsheet took another text for it, which is lost: it is
/// left empty, and so reported as missing.
fn moment_text(moment: Option<DateTime>, column: Option<&str>) -> String {
    match (moment, column) {
        (Some(moment), Some(column)) if column.starts_with("tanggal_") => moment.date().to_string(),
        // A spreadsheet knows no zone: the clock on the wall is western Indonesia's.
        (Some(moment), Some("sent_at")) => format!("{}+07:00", moment.strftime("%Y-%m-%dT%H:%M:%S")),
        _ => String::new(),
    }
}

fn number_text(number: f64, column: Option<&str>, has_1904_epoch: bool) -> String {
    let is_whole = number.fract() == 0.0;
    match column {
        // A NIK has 16 digits, one more than a spreadsheet keeps: what stands there may have been another. With a fraction it is
        // refused.
        Some("nik") => format!("{number:.1}"),
        // A year alone, as of a birth date of which no more is known, and not a day of the year 1905.
        Some(column) if column.starts_with("tanggal_") && is_whole && (1900.0..=2100.0).contains(&number) => {
            number.to_string()
        }
        Some(column) if column.starts_with("tanggal_") || column == "sent_at" => {
            match moment_of_serial(number, has_1904_epoch) {
                Some(moment) => moment_text(Some(moment), Some(column)),
                None => number.to_string(),
            }
        }
        // Digits are lost: two event ids may have become one.
        _ if number.abs() >= EXACT => String::new(),
        _ => number.to_string(),
    }
}

/// The moment of a serial number of Excel's, to the second, from 1900-03-01 (before, its days are off by one) to 2099.
fn moment_of_serial(serial: f64, has_1904_epoch: bool) -> Option<DateTime> {
    let first = if has_1904_epoch { 0.0 } else { 61.0 };
    if !(first..73_051.0).contains(&serial) {
        return None;
    }
    // To the second, as a time is entered: as a fraction of a day it is inexact. The end of a day,
    // which databases write as 23:59:59.999, stays on it.
    let serial = (serial * 86_400.0 + 0.000_1).floor() / 86_400.0;
    let moment = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, has_1904_epoch);
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let field = |value: u8| i8::try_from(value).ok();
    let moment = DateTime::new(
        i16::try_from(year).ok()?,
        field(month)?,
        field(day)?,
        field(hour)?,
        field(minute)?,
        field(second)?,
        i32::from(milli) * 1_000_000,
    );
    moment.ok()?.round(jiff::Unit::Second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cells_as_a_feed_has_them() {
        let number = Data::Float;
        let moment = |serial| Data::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false));
        let iso = |text: &str| Data::DateTimeIso(text.to_owned());
        let string = |text: &str| Data::String(text.to_owned());
        for (cell, column, expected) in [
            (number(81_234_567_890.0), "no_hp", "81234567890"),
            (Data::Int(81_234_567_890), "no_hp", "81234567890"),
            (string("081234567890"), "no_hp", "081234567890"),
            (number(3_171_012_401_896_246.0), "nik", "3171012401896246.0"),
            (number(317_101_240_189_900.0), "nik", "317101240189900.0"),
            (Data::Int(3_171_012_401_896_246), "nik", "3171012401896246.0"),
            (string("3171012401896246"), "nik", "3171012401896246"),
            (number(1.0), "dosis_ke", "1"),
            (number(1.5), "dosis_ke", "1.5"),
            (number(202_106.0), "batch", "202106"),
            (number(999_999_999_999_999.0), "event_id", "999999999999999"),
            (number(1_234_567_890_123_450.0), "event_id", ""),
            (number(1e300), "batch", ""),
            (number(32_532.0), "tanggal_lahir", "1989-01-24"),
            (number(44_225.6), "tanggal_vaksinasi", "2021-01-29"),
            (number(1989.0), "tanggal_lahir", "1989"),
            (number(20_210_129.0), "tanggal_vaksinasi", "20210129"),
            (number(-1.0), "tanggal_lahir", "-1"),
            (number(44_225.0), "sent_at", "2021-01-29T00:00:00+07:00"),
            (moment(32_532.0), "tanggal_lahir", "1989-01-24"),
            (moment(1989.0), "tanggal_lahir", "1905-06-11"),
            (moment(44_225.362_199_074), "sent_at", "2021-01-29T08:41:34+07:00"),
            (moment(44_225.999_999), "sent_at", "2021-01-29T23:59:59+07:00"),
            // The end of a day, as databases write it.
            (moment(44_225.0 + 86_399.999 / 86_400.0), "tanggal_vaksinasi", "2021-01-29"),
            (moment(32_531.0 + 86_399.997 / 86_400.0), "tanggal_lahir", "1989-01-23"),
            (moment(0.5), "sent_at", ""),
            (moment(44_225.0), "batch", ""),
            (moment(44_225.0), "event_id", ""),
            (iso("2021-01-29"), "tanggal_vaksinasi", "2021-01-29"),
            (iso("2021-01-29T08:41:34"), "tanggal_vaksinasi", "2021-01-29"),
            (iso("2021-01-29T08:41:34.000"), "sent_at", "2021-01-29T08:41:34+07:00"),
            (iso("2021-01-29"), "sent_at", "2021-01-29T00:00:00+07:00"),
            (iso("2021-01-29"), "batch", ""),
            (string("2021-01-29"), "tanggal_vaksinasi", "2021-01-29"),
            (string("Puskesmas\nMenteng"), "nama_faskes", "Puskesmas Menteng"),
            (Data::Empty, "batch", ""),
            (Data::Bool(true), "batch", "true"),
            (Data::Error(calamine::CellErrorType::NA), "batch", "#N/A"),
        ] {
            assert_eq!(text(&cell, Some(column), false), expected, "{column}: {cell:?}");
        }
        // The same day in a workbook of an old Macintosh.
        assert_eq!(text(&number(31_070.0), Some("tanggal_lahir"), true), "1989-01-24");
    }

    #[test]
    fn reads_every_second_as_it_was_entered() {
        let midnight = jiff::civil::date(2021, 1, 29).at(0, 0, 0, 0);
        for second in 0..86_400 {
            let serial = 44_225.0 + f64::from(second) / 86_400.0;
            let entered = midnight + jiff::Span::new().seconds(i64::from(second));
            assert_eq!(moment_of_serial(serial, false), Some(entered));
        }
    }

    fn lines(cells: &[((u32, u32), Data)]) -> Result<String> {
        let mut out = Vec::new();
        let mut csv = CsvWriter::new(&mut out, false);
        cells.iter().try_for_each(|(at, cell)| csv.cell(*at, cell))?;
        csv.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn lines_are_the_rows_of_the_sheet() {
        let string = |text: &str| Data::String(text.to_owned());
        let cells = [
            ((2, 1), string("NIK")),
            ((2, 3), string("Tanggal Lahir")),
            ((5, 1), Data::Float(3_171_012_401_896_246.0)),
            ((5, 3), Data::Float(32_532.0)),
            ((5, 9), string("")),
            ((6, 2), string("a \"b\"\n,c")),
        ];
        let expected =
            "\n\n,NIK,,Tanggal Lahir\n\n\n,3171012401896246.0,,1989-01-24\n,,\"a \"\"b\"\" ,c\",\n";
        assert_eq!(lines(&cells).unwrap(), expected);
        assert_eq!(lines(&[]).unwrap(), "");
        for wrong in [[(2, 1), (1, 1)], [(1, 2), (1, 1)], [(1, 1), (1, 1)]] {
            let cells = wrong.map(|at| (at, string("x")));
            assert!(lines(&cells).unwrap_err().to_string().contains("out of order"));
        }
    }

    #[test]
    fn refuses_rows_that_are_too_long() {
        let cells: Vec<_> = (0..16_384).map(|at| ((4, at), Data::String("12345".into()))).collect();
        assert!(lines(&cells).unwrap_err().to_string().contains("row 5 is longer than 64 KiB"));
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn refuses_archives_that_become_too_large() {
        let blanks = vec![b' '; 64 * 1024 * 1024];
        let files = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|name| (name, &*blanks));
        let bomb = archive(&files);
        assert!(bomb.len() < 1024 * 1024);
        assert!(measure(&bomb).unwrap_err().to_string().contains("too large"));
        measure(&archive(&files[..2])).unwrap();

        let cell = |times: &str, more: &str| {
            format!("<table:table-cell table:number-columns-repeated=\"{times}\"{more}><text:p>x</text:p>")
        };
        let content = |cell: String| archive(&[("content.xml", cell.repeat(100).as_bytes())]);
        let filled = " office:value-type=\"string\"";
        for times in ["16384", "99999999999999999999999"] {
            assert!(measure(&content(cell(times, filled))).unwrap_err().to_string().contains("too large"));
        }
        measure(&content(cell("3", filled))).unwrap();
        measure(&content(cell("16384", ""))).unwrap();
    }

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
        read(&bytes, &mut csv).unwrap();
        let expected = "Event ID,Tanggal Lahir,NIK,Batch\nA,1989-01-24,3171012401896246.0,B1\n\n\nC,,,\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
    }

    #[test]
    fn refuses_what_is_no_workbook() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doses.xlsx");
        let no_sheet = archive(&[("[Content_Types].xml", b"<Types/>"), ("xl/styles.xml", b"<styleSheet/>")]);
        for content in [&b"PK\x03\x04 broken"[..], b"\xd0\xcf\x11\xe0", b"event_id,nik", &no_sheet] {
            std::fs::write(&file, content).unwrap();
            let said = format!("{:#}", write_csv(&file, io::sink()).unwrap_err());
            assert!(said.contains("doses.xlsx: it is damaged"), "{said}");
        }
    }
}

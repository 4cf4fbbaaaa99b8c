//! Converts the cells of a sheet to the text that a feed has in the same column.

use calamine::{Data, ExcelDateTime, ExcelDateTimeType};
use jiff::civil::DateTime;

/// The limit below which whole numbers are exact, because Excel keeps 15 significant digits.
const EXACT_NUMBERS_BELOW: f64 = 1e15;

/// Converts a cell to the text for this column of the feed. Line breaks become spaces, so that each
/// row stays on one line of the CSV.
pub(super) fn cell_text(cell: &Data, column: Option<&str>, has_1904_epoch: bool) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DurationIso(text) => text.replace(['\r', '\n'], " "),
        Data::Bool(value) => value.to_string(),
        Data::Error(error) => error.to_string(),
        Data::Int(number) => number_text(*number as f64, column, has_1904_epoch),
        Data::Float(number) => number_text(*number, column, has_1904_epoch),
        Data::DateTime(serial) if serial.is_datetime() => {
            date_time_text(serial_to_date_time(serial.as_f64(), has_1904_epoch), column)
        }
        Data::DateTime(duration) => duration.as_f64().to_string(),
        Data::DateTimeIso(text) => {
            let day = bukti_domain::parse_date(text.trim()).map(|day| day.at(0, 0, 0, 0));
            date_time_text(day.or_else(|| text.trim().parse().ok()), column)
        }
    }
}

/// Formats a date and time for this column. Returns an empty text for a column that holds neither:
/// the spreadsheet converted another value, such as a batch number, to a date, and the original is
/// lost. The import then reports the field as missing.
fn date_time_text(date_time: Option<DateTime>, column: Option<&str>) -> String {
    match (date_time, column) {
        (Some(date_time), Some(column)) if column.starts_with("tanggal_") => date_time.date().to_string(),
        // Spreadsheets store local times without a time zone, so Western Indonesian time is
        // assumed.
        (Some(date_time), Some("sent_at")) => {
            format!("{}+07:00", date_time.strftime("%Y-%m-%dT%H:%M:%S"))
        }
        _ => String::new(),
    }
}

fn number_text(number: f64, column: Option<&str>, has_1904_epoch: bool) -> String {
    let is_whole = number.fract() == 0.0;
    match column {
        // A NIK has 16 digits, one more than a spreadsheet keeps, so its last digit may be wrong.
        // The added fraction makes the import reject it.
        Some("nik") => format!("{number:.1}"),
        // This is a birth date of which only the year is known, not the serial number of a day in
        // 1905.
        Some(column) if column.starts_with("tanggal_") && is_whole && (1900.0..=2100.0).contains(&number) => {
            number.to_string()
        }
        Some(column) if column.starts_with("tanggal_") || column == "sent_at" => {
            match serial_to_date_time(number, has_1904_epoch) {
                Some(date_time) => date_time_text(Some(date_time), Some(column)),
                None => number.to_string(),
            }
        }
        // Without the digits that the spreadsheet dropped, two event ids could become equal.
        _ if number.abs() >= EXACT_NUMBERS_BELOW => String::new(),
        _ => number.to_string(),
    }
}

/// Converts an Excel serial number to a date and time, to the second. Returns `None` before
/// 1900-03-01, where Excel is off by one day, and after 2099.
fn serial_to_date_time(serial: f64, has_1904_epoch: bool) -> Option<DateTime> {
    let first = if has_1904_epoch { 0.0 } else { 61.0 };
    if !(first..73_051.0).contains(&serial) {
        return None;
    }
    // A fraction of a day is inexact, so it is truncated to the second, with a margin for rounding
    // errors. 23:59:59.999, which databases write as the end of a day, must not become the next
    // day.
    let serial = (serial * 86_400.0 + 0.000_1).floor() / 86_400.0;
    let date_time = ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, has_1904_epoch);
    let (year, month, day, hour, minute, second, milli) = date_time.to_ymd_hms_milli();
    let field = |value: u8| i8::try_from(value).ok();
    let date_time = DateTime::new(
        i16::try_from(year).ok()?,
        field(month)?,
        field(day)?,
        field(hour)?,
        field(minute)?,
        field(second)?,
        i32::from(milli) * 1_000_000,
    );
    date_time.ok()?.round(jiff::Unit::Second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cells_as_text_of_their_column() {
        let number = Data::Float;
        let date_time =
            |serial| Data::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false));
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
            (date_time(32_532.0), "tanggal_lahir", "1989-01-24"),
            (date_time(1989.0), "tanggal_lahir", "1905-06-11"),
            (date_time(44_225.362_199_074), "sent_at", "2021-01-29T08:41:34+07:00"),
            (date_time(44_225.999_999), "sent_at", "2021-01-29T23:59:59+07:00"),
            // Databases write the end of a day like this.
            (date_time(44_225.0 + 86_399.999 / 86_400.0), "tanggal_vaksinasi", "2021-01-29"),
            (date_time(32_531.0 + 86_399.997 / 86_400.0), "tanggal_lahir", "1989-01-23"),
            (date_time(0.5), "sent_at", ""),
            (date_time(44_225.0), "batch", ""),
            (date_time(44_225.0), "event_id", ""),
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
            assert_eq!(cell_text(&cell, Some(column), false), expected, "{column}: {cell:?}");
        }
        // The same date in a workbook with the 1904 epoch, which old Macintosh versions used.
        assert_eq!(cell_text(&number(31_070.0), Some("tanggal_lahir"), true), "1989-01-24");
    }

    #[test]
    fn reads_every_second_of_a_day_exactly() {
        let midnight = jiff::civil::date(2021, 1, 29).at(0, 0, 0, 0);
        for second in 0..86_400 {
            let serial = 44_225.0 + f64::from(second) / 86_400.0;
            let entered = midnight + jiff::Span::new().seconds(i64::from(second));
            assert_eq!(serial_to_date_time(serial, false), Some(entered));
        }
    }
}

//! Dates as feeds and forms write them.

use jiff::civil::Date;
use jiff::tz::Offset;

/// Western Indonesian time (WIB), UTC+7: the offset in which "today" is meant where nothing else says so.
pub const INDONESIA_WEST: Offset = Offset::constant(7);

/// A calendar date written `YYYY-MM-DD` (ISO 8601, extended form) and nothing else. `None` where there is no such day.
///
/// ```
/// assert!(bukti_domain::parse_date("2021-02-28").is_some());
/// assert!(bukti_domain::parse_date("2021-02-30").is_none());
/// assert!(bukti_domain::parse_date("20210228").is_none());
/// ```
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shape { text.parse().ok() } else { None }
}

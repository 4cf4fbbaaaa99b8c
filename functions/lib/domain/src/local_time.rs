//! The offset of local time at a facility, determined by the province in the facility's code.

use std::fmt;
use std::sync::OnceLock;

use jiff::tz::Offset;

use crate::date::{INDONESIA_CENTRAL, INDONESIA_EAST, INDONESIA_WEST};

/// Provinces in the WIB zone: Sumatra, Java, West and Central Kalimantan. The first two digits of
/// the Ministry of Home Affairs' region codes denote the province. NIKs begin with the same codes.
const WEST: [&str; 18] = [
    "11", "12", "13", "14", "15", "16", "17", "18", "19", "21", "31", "32", "33", "34", "35", "36", "61",
    "62",
];

/// Provinces in the WITA zone: Bali, Nusa Tenggara, South, East and North Kalimantan, Sulawesi.
const CENTRAL: [&str; 12] = ["51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"];

/// Provinces in the WIT zone: the Moluccas and Papua. The Ministry of Home Affairs and Statistics
/// Indonesia (BPS, up to 97) number the provinces of Papua differently, but all of them are in this
/// zone.
const EAST: [&str; 9] = ["81", "82", "91", "92", "93", "94", "95", "96", "97"];

/// The deployment's offset for facilities outside central and eastern Indonesia.
static DEFAULT: OnceLock<Offset> = OnceLock::new();

/// Sets the offset for facilities whose code is not in central or eastern Indonesia. It applies to
/// the whole process. Call it before the offset is first used. Without this call, the offset is
/// western Indonesian time (WIB).
///
/// ```
/// assert!(bukti_domain::set_default_offset("+07:00").is_ok());
/// assert!(bukti_domain::set_default_offset("Asia/Jakarta").is_err());
/// ```
///
/// # Errors
///
/// Returns [`OffsetError`] if the offset does not have the format `+HH:MM` or `-HH:MM`, or if a
/// different offset has already been set.
pub fn set_default_offset(written: &str) -> Result<(), OffsetError> {
    let offset = parse_offset(written).ok_or(OffsetError)?;
    if *DEFAULT.get_or_init(|| offset) == offset { Ok(()) } else { Err(OffsetError) }
}

fn parse_offset(written: &str) -> Option<Offset> {
    let sign = match written.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = written[1..].split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| is_number)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let is_offset = hours <= 14 && minutes < 60;
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok().filter(|_| is_offset)
}

/// The default offset cannot be set: it is malformed, or a different offset has already been set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetError;

impl fmt::Display for OffsetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "not an offset from UTC, or different from the one that was set before; write it as `+07:00`",
        )
    }
}

impl std::error::Error for OffsetError {}

/// The offset of local time from UTC at a facility. The facility's code in the national register
/// consists of an optional letter and the digits of its region, which begin with the province
/// (`P3174020101`). Returns the deployment's default, unless the province is in central or eastern
/// Indonesia.
///
/// ```
/// use bukti_domain::facility_offset;
/// assert_eq!(facility_offset("P9471010101").seconds(), 9 * 3600);
/// assert_eq!(facility_offset("klinik-7").seconds(), 7 * 3600);
/// ```
pub fn facility_offset(code: &str) -> Offset {
    match province(code) {
        Some(province) if CENTRAL.contains(&province) => INDONESIA_CENTRAL,
        Some(province) if EAST.contains(&province) => INDONESIA_EAST,
        _ => DEFAULT.get().copied().unwrap_or(INDONESIA_WEST),
    }
}

/// The offset of local time at a facility, for a time that was written with an offset. The written
/// offset applies if it belongs to an Indonesian zone and the code has no known province. Otherwise
/// the result is the same as for [`facility_offset`].
///
/// ```
/// use bukti_domain::{INDONESIA_EAST, facility_offset, occurrence_offset};
/// assert_eq!(occurrence_offset("klinik-7", Some(INDONESIA_EAST)), INDONESIA_EAST);
/// let bali = "P5171010101";
/// assert_eq!(occurrence_offset(bali, Some(INDONESIA_EAST)), facility_offset(bali));
/// ```
pub fn occurrence_offset(code: &str, written: Option<Offset>) -> Offset {
    let is_province = province(code)
        .is_some_and(|province| [&WEST[..], &CENTRAL, &EAST].iter().any(|zone| zone.contains(&province)));
    written
        .filter(|offset| [INDONESIA_WEST, INDONESIA_CENTRAL, INDONESIA_EAST].contains(offset) && !is_province)
        .unwrap_or_else(|| facility_offset(code))
}

/// The province in a facility's code: the first two digits of its region.
fn province(code: &str) -> Option<&str> {
    let code = code.trim();
    let region = code.strip_prefix(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(code);
    let digits = region.bytes().take_while(u8::is_ascii_digit).count();
    // Codes with fewer digits do not contain a region.
    region.get(..2).filter(|_| digits >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_depends_on_province() {
        for (code, hours) in [
            ("P3174020101", 7),
            ("3578011", 7),
            ("R5171010", 8),
            ("P6471010101", 8),
            ("7371", 8),
            ("P8171010101", 9),
            ("P9471010101", 9),
            ("P9701010101", 9),
            ("m5301", 8),
            ("KL9471010101", 7),
            ("P-9471", 7),
            ("", 7),
            ("91", 7),
            ("P", 7),
            ("10000004", 7),
            ("ééé", 7),
        ] {
            assert_eq!(facility_offset(code).seconds(), hours * 3600, "{code}");
        }
    }

    #[test]
    fn parses_offsets_of_settings() {
        for (written, seconds) in [
            ("+07:00", Some(7 * 3600)),
            ("+08:00", Some(8 * 3600)),
            ("+05:30", Some(19_800)),
            ("-03:30", Some(-12_600)),
            ("+00:00", Some(0)),
            ("", None),
            ("7", None),
            ("+7:00", None),
            ("+0700", None),
            ("+15:00", None),
            ("+07:60", None),
            ("+-7:00", None),
            ("é07:00", None),
            ("Asia/Jakarta", None),
        ] {
            assert_eq!(parse_offset(written).map(Offset::seconds), seconds, "{written}");
        }
    }
}

//! Which time it is where a facility stands.

use jiff::tz::Offset;

use crate::{INDONESIA_EAST, INDONESIA_WEST};

/// Central Indonesian time (WITA), UTC+8.
const INDONESIA_CENTRAL: Offset = Offset::constant(8);

/// Provinces in which WITA is the time, by the first two digits of their codes (Ministry of Home Affairs, the same as in a
/// NIK): Bali, Nusa Tenggara, South, East and North Kalimantan, Sulawesi.
const CENTRAL: [&str; 12] = ["51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"];

/// Provinces in which WIT is the time: the Moluccas and Papua.
const EAST: [&str; 8] = ["81", "82", "91", "92", "93", "94", "95", "96"];

/// The offset of local time from UTC at a facility, by its code: a letter at most, then the digits of its region, of which the
/// first two are the province (`P3174020101`). Western time (WIB) where the code says nothing else.
///
/// ```
/// use bukti_domain::facility_offset;
/// assert_eq!(facility_offset("P9471010101").seconds(), 9 * 3600);
/// assert_eq!(facility_offset("klinik-7").seconds(), 7 * 3600);
/// ```
pub fn facility_offset(code: &str) -> Offset {
    let code = code.trim().trim_start_matches(|character: char| character.is_ascii_alphabetic());
    let digits = code.bytes().take_while(u8::is_ascii_digit).count();
    // A number as short as this is no region's.
    match code.get(..2).filter(|_| digits >= 4) {
        Some(province) if CENTRAL.contains(&province) => INDONESIA_CENTRAL,
        Some(province) if EAST.contains(&province) => INDONESIA_EAST,
        _ => INDONESIA_WEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_follows_the_province() {
        for (code, hours) in [
            ("P3174020101", 7),
            ("3578011", 7),
            ("R5171010", 8),
            ("P6471010101", 8),
            ("7371", 8),
            ("P8171010101", 9),
            ("P9471010101", 9),
            ("", 7),
            ("91", 7),
            ("P", 7),
            ("10000004", 7),
            ("ééé", 7),
        ] {
            assert_eq!(facility_offset(code).seconds(), hours * 3600, "{code}");
        }
    }
}

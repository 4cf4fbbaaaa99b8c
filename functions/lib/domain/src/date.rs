//! Parsing of the dates and times in feeds and forms.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Western Indonesian time (WIB), UTC+7. It determines the current day if no more precise offset is
/// known.
pub const INDONESIA_WEST: Offset = Offset::constant(7);

/// Central Indonesian time (WITA), UTC+8.
pub(crate) const INDONESIA_CENTRAL: Offset = Offset::constant(8);

/// Eastern Indonesian time (WIT), UTC+9. Each day begins first in this zone.
pub const INDONESIA_EAST: Offset = Offset::constant(9);

/// Parses an RFC 3339 or ISO 8601 time with an offset (`Z`, `+07`, `+0700`, `+07:00`). An RFC 9557
/// time zone may follow (`+07:00[Asia/Jakarta]`); if it is an Indonesian zone, the offset may be
/// omitted. Returns `None` for anything else, including a local time without an offset or zone,
/// which does not identify an instant.
///
/// ```
/// use bukti_domain::parse_moment;
/// let moment = parse_moment("2026-11-20T09:00:00+07:00");
/// assert!(moment.is_some());
/// for same in ["2026-11-20T02:00:00Z", "2026-11-20T09:00:00+0700", "2026-11-20T09:00:00[Asia/Jakarta]"] {
///     assert_eq!(parse_moment(same), moment, "{same}");
/// }
/// assert_eq!(parse_moment("2026-11-20T09:00:00"), None);
/// ```
pub fn parse_moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let (local, zone) = text.strip_suffix(']')?.split_once('[')?;
    let offset = match zone.trim_start_matches('!') {
        "Asia/Jakarta" | "Asia/Pontianak" => INDONESIA_WEST,
        "Asia/Makassar" | "Asia/Ujung_Pandang" => INDONESIA_CENTRAL,
        "Asia/Jayapura" => INDONESIA_EAST,
        _ => return None,
    };
    offset.to_timestamp(local.parse::<DateTime>().ok()?).ok()
}

/// Parses a calendar date in the format `YYYY-MM-DD` (ISO 8601, extended format). Returns `None`
/// for any other format, and for a day that does not exist.
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
    if !shape {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?).ok()
}

/// Serde support for dates in JSON as `YYYY-MM-DD`, for use in the `with` attribute.
///
/// The format is the same as jiff's own. jiff's implementation is not used because its parser
/// accepts every time format and reports detailed errors: it would be a seventh of the code that a
/// phone loads to open the site.
pub mod iso_date {
    use jiff::civil::Date;
    use serde::de::{Deserializer, Error, Unexpected};
    use serde::{Deserialize, Serializer};

    /// Serialises a date as `YYYY-MM-DD`.
    ///
    /// # Errors
    ///
    /// Returns the serialiser's errors.
    pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    /// Deserialises a date from `YYYY-MM-DD`.
    ///
    /// # Errors
    ///
    /// Returns the deserialiser's errors, and an error if the text is not a date.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        read(&String::deserialize(deserializer)?)
    }

    fn read<E: Error>(text: &str) -> Result<Date, E> {
        super::parse_date(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &"a date, YYYY-MM-DD"))
    }

    /// Serde support for optional dates, as `YYYY-MM-DD` or null.
    pub mod option {
        use jiff::civil::Date;
        use serde::de::Deserializer;
        use serde::{Deserialize, Serializer};

        /// Serialises a date, or null for `None`.
        ///
        /// # Errors
        ///
        /// Returns the serialiser's errors.
        pub fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
            match date {
                Some(date) => super::serialize(date, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Deserialises a date, or `None` from null.
        ///
        /// # Errors
        ///
        /// Returns the deserialiser's errors, and an error if the text is not a date.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
            Option::<String>::deserialize(deserializer)?.map(|text| super::read(&text)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_times_with_offset_or_indonesian_zone() {
        let moment: Timestamp = "2026-11-19T23:05:00Z".parse().unwrap();
        for text in [
            "2026-11-19T23:05:00Z",
            "2026-11-19t23:05:00z",
            "2026-11-19 23:05:00Z",
            "2026-11-20T06:05:00+07",
            "2026-11-20T06:05:00+0700",
            "2026-11-20T06:05:00+07:00",
            "2026-11-20T08:05:00.000+09:00",
            "20261120T060500+0700",
            "2026-11-19T18:05:00-05:00[America/New_York]",
            "2026-11-20T06:05:00+07:00[Asia/Jakarta]",
            "2026-11-20T08:05:00[Asia/Jayapura]",
            "2026-11-20T07:05:00[Asia/Makassar]",
            "2026-11-20T06:05+07:00",
        ] {
            assert_eq!(parse_moment(text), Some(moment), "{text}");
        }
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T06:05:00",
            "2026-11-20T06:05:00[Europe/Berlin]",
            "kemarin",
            "[Asia/Jakarta]",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_dates_parse_back(year in 1i16..=9999, day in 1i16..=365) {
            let written = date(year, 1, 1).with().day_of_year(day).build().unwrap();
            prop_assert_eq!(parse_date(&written.to_string()), Some(written));
        }

        #[test]
        fn only_canonical_dates_parse(text in "[0-9+ -]{8,12}") {
            if let Some(read) = parse_date(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}

//! Dates as feeds and forms write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Western Indonesian time (WIB), UTC+7: the offset in which "today" is meant where nothing else says so.
pub const INDONESIA_WEST: Offset = Offset::constant(7);

/// Central Indonesian time (WITA), UTC+8.
pub(crate) const INDONESIA_CENTRAL: Offset = Offset::constant(8);

/// Eastern Indonesian time (WIT), UTC+9: where the day begins first.
pub const INDONESIA_EAST: Offset = Offset::constant(9);

/// The moment of an RFC 3339 or ISO 8601 time with an offset (`Z`, `+07`, `+0700`, `+07:00`), also
/// with an RFC 9557 zone behind it (`+07:00[Asia/Jakarta]`). Without an offset the zone decides,
/// where it is one of Indonesia's. `None` for anything else: a local time alone is no moment.
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
    if !shape {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?).ok()
}

/// How dates go over the wire: `YYYY-MM-DD`, for serde's `with`.
///
/// The same as jiff's own form. But jiff reads every form of a moment that there is, and says what is wrong with it, which
/// would be a seventh of what a phone loads to open the site.
pub mod iso_date {
    use jiff::civil::Date;
    use serde::de::{Deserializer, Error, Unexpected};
    use serde::{Deserialize, Serializer};

    /// Writes a date.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    /// Reads a date.
    ///
    /// # Errors
    ///
    /// Where it is none, and those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        read(&String::deserialize(deserializer)?)
    }

    fn read<E: Error>(text: &str) -> Result<Date, E> {
        super::parse_date(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &"a date, YYYY-MM-DD"))
    }

    /// The same for a date that may be absent.
    pub mod option {
        use jiff::civil::Date;
        use serde::de::Deserializer;
        use serde::{Deserialize, Serializer};

        /// Writes a date, or nothing.
        ///
        /// # Errors
        ///
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
            match date {
                Some(date) => super::serialize(date, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a date, or nothing.
        ///
        /// # Errors
        ///
        /// Where it is none, and those of the deserializer.
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
    fn reads_every_form_of_an_offset() {
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
        fn every_day_is_read_as_it_is_written(year in 1i16..=9999, day in 1i16..=365) {
            let written = date(year, 1, 1).with().day_of_year(day).build().unwrap();
            prop_assert_eq!(parse_date(&written.to_string()), Some(written));
        }

        #[test]
        fn nothing_else_is_a_date(text in "[0-9+ -]{8,12}") {
            if let Some(read) = parse_date(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}

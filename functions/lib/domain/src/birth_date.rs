//! Birth dates, which are not always known to the day.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::parse_date;

/// A birth date as an identity document states it: a full date, a year and month, or only a year.
///
/// Some passports have no day or month of birth. The EU Digital COVID Certificate (`dob`, JSON
/// schema 1.3.x) and the WHO's ICVP write such dates as `1989-01` and `1989` (ISO 8601, reduced
/// precision). Feeds, FHIR and the text form of this type do the same.
///
/// ```
/// use bukti_domain::BirthDate;
/// let known = BirthDate::parse("1989-01").unwrap();
/// assert!(known.is_matched_by(BirthDate::parse("1989-01-24").unwrap()));
/// assert!(!known.is_matched_by(BirthDate::parse("1989").unwrap()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate {
    /// The earliest possible day of birth.
    first: Date,
    precision: Precision,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Year,
    Month,
    Day,
}

impl BirthDate {
    /// Parses `YYYY-MM-DD`, `YYYY-MM` or `YYYY`. Returns `None` for any other format, and for a day
    /// or month that does not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, precision) = match text.len() {
            4 => (parse_date(&format!("{text}-01-01")), Precision::Year),
            7 => (parse_date(&format!("{text}-01")), Precision::Month),
            _ => (parse_date(text), Precision::Day),
        };
        Some(Self { first: first?, precision })
    }

    /// The full date; `None` if the day is unknown.
    pub fn to_day(self) -> Option<Date> {
        (self.precision == Precision::Day).then_some(self.first)
    }

    /// The earliest possible day of birth: for `1989-01`, 1 January 1989.
    pub fn first_day(self) -> Date {
        self.first
    }

    /// The year of birth, which is always known.
    pub fn year(self) -> i16 {
        self.first.year()
    }

    /// The month of birth, 1 to 12; `None` if only the year is known.
    pub fn month(self) -> Option<i8> {
        (self.precision >= Precision::Month).then(|| self.first.month())
    }

    /// Whether a date that a person entered matches this date on record. The entered date must be
    /// at least as precise. It may be more precise, since people know their birthday even if their
    /// passport omits it.
    pub fn is_matched_by(self, given: BirthDate) -> bool {
        let month = self.month().is_none_or(|month| given.month() == Some(month));
        let day = self.to_day().is_none_or(|day| given.to_day() == Some(day));
        self.year() == given.year() && month && day
    }
}

impl From<Date> for BirthDate {
    fn from(first: Date) -> Self {
        Self { first, precision: Precision::Day }
    }
}

/// Formats the date as [`BirthDate::parse`] accepts it. Personal data: use it only in documents,
/// sealed fields and keyed hashes.
impl fmt::Display for BirthDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.year(), self.first.month());
        match self.precision {
            Precision::Year => write!(formatter, "{year:04}"),
            Precision::Month => write!(formatter, "{year:04}-{month:02}"),
            Precision::Day => self.first.fmt(formatter),
        }
    }
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BirthDate(…)")
    }
}

impl Serialize for BirthDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BirthDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The error omits the text, which is personal data.
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a birth date, YYYY-MM-DD, YYYY-MM or YYYY"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> BirthDate {
        BirthDate::parse(text).unwrap()
    }

    #[test]
    fn round_trips_three_precisions() {
        for text in ["1989-01-24", "1989-01", "1989", "2004-02-29"] {
            assert_eq!(parse(text).to_string(), text);
            assert_eq!(serde_json::to_string(&parse(text)).unwrap(), format!("\"{text}\""));
        }
        for text in
            ["", "89", "1989-13", "1989-1", "1989-02-30", "1989-00", "19890124", "1989-01-24T00:00", "198é"]
        {
            assert!(BirthDate::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn matches_dates_of_same_or_higher_precision() {
        for (known, given, matched) in [
            ("1989", "1989", true),
            ("1989", "1989-01-24", true),
            ("1989-01", "1989-01-24", true),
            ("1989-01-24", "1989-01-24", true),
            ("1989-01-24", "1989-01", false),
            ("1989-01", "1989", false),
            ("1989", "1990-01-24", false),
            ("1989-01", "1989-02-24", false),
        ] {
            assert_eq!(parse(known).is_matched_by(parse(given)), matched, "{known} {given}");
        }
    }

    #[test]
    fn debug_masks_the_date() {
        assert_eq!(format!("{:?}", parse("1989-01-24")), "BirthDate(…)");
    }
}

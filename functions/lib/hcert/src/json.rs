//! Reads and validates the fields of a JSON payload.

use jiff::civil::Date;
use serde_json::Value;

/// Returns a field that is a string; `None` if it is missing or has another type.
pub(crate) fn text_of<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

pub(crate) fn longer_than(text: &str, characters: usize) -> bool {
    text.chars().nth(characters).is_some()
}

/// Returns the date part, `YYYY-MM-DD`, of a date or of a date with a time; `None` if the date does
/// not exist in the calendar.
pub(crate) fn date(text: &str) -> Option<&str> {
    let (day, time) = text.split_at_checked(10)?;
    let whole = time.is_empty() || time.starts_with('T');
    (whole && day.parse::<Date>().is_ok_and(|date| date.to_string() == day)).then_some(day)
}

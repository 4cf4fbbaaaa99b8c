//! Fields of a payload as JSON.

use jiff::civil::Date;
use serde_json::Value;

/// The text of a field; `None` where there is none or where it is no text.
pub(crate) fn text_of<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// Whether a text has more characters than that.
pub(crate) fn longer_than(text: &str, characters: usize) -> bool {
    text.chars().nth(characters).is_some()
}

/// The day of a date or of a date with a time, `YYYY-MM-DD`; `None` where it is no day that there is.
pub(crate) fn date(text: &str) -> Option<&str> {
    let (day, time) = text.split_at_checked(10)?;
    let whole = time.is_empty() || time.starts_with('T');
    (whole && day.parse::<Date>().is_ok_and(|date| date.to_string() == day)).then_some(day)
}

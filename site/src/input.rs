//! Parsing and formatting of typed input.

use bukti_domain::{BirthDate, parse_date};
use jiff::civil::Date;

/// Formats a NIK while it is being typed. Returns its digits in groups of four, and the new
/// position of the caret.
///
/// Digits beyond the sixteenth are kept, because dropping them would hide that a digit was typed
/// twice. A caret between two groups is placed before the space, so that Backspace deletes a digit
/// and not the space, which would be inserted again.
pub fn group_nik(typed: &str, caret: usize) -> (String, usize) {
    let is_digit = |character: &char| character.is_ascii_digit();
    let before = typed.chars().take(caret).filter(is_digit).count();
    let mut grouped = String::with_capacity(20);
    for (at, digit) in typed.chars().filter(is_digit).enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    (grouped, before + before.saturating_sub(1) / 4)
}

/// Parses a date from three fields. `None` if they do not form a valid date.
pub fn date(day: &str, month: &str, year: &str) -> Option<Date> {
    let digits = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    };
    let (day, month, year) = (digits(day)?, digits(month)?, digits(year)?);
    parse_date(&format!("{year:0>4}-{month:0>2}-{day:0>2}")).filter(|date| date.year() >= 1900)
}

/// Parses a birth date from three fields. The day, or both day and month, may be empty, because
/// some passports omit them. `None` if the fields do not form a valid date.
pub fn birth_date(day: &str, month: &str, year: &str) -> Option<BirthDate> {
    let day = day.trim();
    if !day.is_empty() {
        return date(day, month, year).map(BirthDate::from);
    }
    let (month, year) = (month.trim(), year.trim());
    let written = if month.is_empty() { year.to_owned() } else { format!("{year}-{month:0>2}") };
    BirthDate::parse(&written).filter(|born| born.year() >= 1900)
}

/// Converts a written phone number to a `tel:` URI. For example, `119 ext. 9` becomes `tel:119,9`.
/// The comma makes the phone pause before it dials the extension.
pub fn tel_uri(written: &str) -> String {
    let mut address = String::from("tel:");
    let mut parts = written.split("ext");
    let keep = |character: &char| character.is_ascii_digit() || *character == '+';
    address.extend(parts.next().unwrap_or_default().chars().filter(keep));
    for extension in parts {
        address.push(',');
        address.extend(extension.chars().filter(keep));
    }
    address
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn groups_nik_while_typing() {
        assert_eq!(group_nik("", 0), (String::new(), 0));
        assert_eq!(group_nik("3171", 4), ("3171".into(), 4));
        assert_eq!(group_nik("31710", 5), ("3171 0".into(), 6));
        assert_eq!(group_nik("3171012401896246", 16), ("3171 0124 0189 6246".into(), 19));
        assert_eq!(group_nik("3171-0124.0189 6246", 19), ("3171 0124 0189 6246".into(), 19));
        assert_eq!(group_nik("31710124018962467", 17).0, "3171 0124 0189 6246 7");
    }

    #[test]
    fn keeps_position_of_caret() {
        // A digit was inserted at the front.
        assert_eq!(group_nik("93171 012", 1), ("9317 1012".into(), 1));
        // Backspace deleted the space. The space is inserted again, with the caret before it.
        assert_eq!(group_nik("31710124", 4), ("3171 0124".into(), 4));
        assert_eq!(group_nik("3171 0124", 6), ("3171 0124".into(), 6));
    }

    #[test]
    fn parses_date_from_three_fields() {
        assert_eq!(date("24", "1", "1989"), Some(civil::date(1989, 1, 24)));
        assert_eq!(date(" 05 ", "02", "2004"), Some(civil::date(2004, 2, 5)));
        assert_eq!(date("30", "2", "1989"), None);
        assert_eq!(date("24", "1", "89"), None);
        assert_eq!(date("+4", "1", "1989"), None);
        assert_eq!(date("", "1", "1989"), None);
    }

    #[test]
    fn birth_date_may_lack_day_and_month() {
        let typed = |day, month, year| birth_date(day, month, year).map(|born| born.to_string());
        assert_eq!(typed("24", "1", "1989").as_deref(), Some("1989-01-24"));
        assert_eq!(typed("", "1", " 1989").as_deref(), Some("1989-01"));
        assert_eq!(typed("", " ", "1989").as_deref(), Some("1989"));
        for (day, month, year) in
            [("24", "", "1989"), ("", "13", "1989"), ("", "", "89"), ("", "", ""), ("", "1", "")]
        {
            assert_eq!(typed(day, month, year), None, "{day} {month} {year}");
        }
    }

    #[test]
    fn tel_uri_includes_extension() {
        assert_eq!(tel_uri("119 ext. 9"), "tel:119,9");
        assert_eq!(tel_uri("(021) 500-567"), "tel:021500567");
        assert_eq!(tel_uri("+62 21 500567"), "tel:+6221500567");
    }
}

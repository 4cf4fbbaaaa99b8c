//! The texts of a certificate, in the words of a language.

use bukti_locales::{Locale, fill, text};
use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

use crate::Certificate;

/// A date as it is written out: `29 Januari 2021`, `29 January 2021`.
pub(crate) fn date(locale: Locale, date: Date) -> String {
    let month = format!("document.month_{}", date.month());
    fill(
        locale,
        "document.date",
        &[
            ("day", &date.day().to_string()),
            ("month", text(locale, &month)),
            ("year", &date.year().to_string()),
        ],
    )
}

/// Which dose it is: `Dosis 1 dari 2`, or a booster when it goes beyond the series.
pub(crate) fn dose(locale: Locale, certificate: &Certificate<'_>) -> String {
    let number = certificate.dose_number.to_string();
    if certificate.dose_number > certificate.doses_in_series {
        fill(locale, "document.dose_booster", &[("number", &number)])
    } else {
        let total = certificate.doses_in_series.to_string();
        fill(locale, "document.dose", &[("number", &number), ("total", &total)])
    }
}

/// A text from outside, made fit to show: composed, on one line, and without what is not seen but changes
/// what is, such as marks that turn the direction of writing.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.nfc() {
        if character.is_whitespace() {
            if !shown.is_empty() && !shown.ends_with(' ') {
                shown.push(' ');
            }
        } else if !is_invisible(character) {
            shown.push(character);
        }
    }
    shown.truncate(shown.trim_end().len());
    shown
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_out() {
        let day = jiff::civil::date(2021, 1, 29);
        assert_eq!(date(Locale::Id, day), "29 Januari 2021");
        assert_eq!(date(Locale::En, day), "29 January 2021");
        for month in 1..=12 {
            for locale in Locale::ALL {
                let written = date(locale, jiff::civil::date(2021, month, 1));
                assert!(!written.contains("month"), "{written}");
            }
        }
    }

    #[test]
    fn a_text_from_outside_is_composed_and_tidied() {
        assert_eq!(shown("Nguye\u{302}\u{303}n\tThi\u{323}  Hoa "), "Nguyễn Thị Hoa");
        assert_eq!(shown("A\u{202E}B\u{0}C\u{FFFE}"), "ABC");
        assert_eq!(shown(" \n "), "");
    }
}

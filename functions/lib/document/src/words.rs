//! Texts from outside, made fit to show.

use bukti_domain::hygiene::is_invisible;
use bukti_locales::{Locale, text as words_of};
use unicode_normalization::UnicodeNormalization;

/// A text from outside, made fit to show: composed, on one line, and without what is not seen but changes
/// what is, such as marks that turn the direction of writing.
pub(crate) fn shown(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.bytes().all(plain) && !text.contains("  ") {
        return text.trim().to_owned();
    }
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

/// A group of a certificate's id as one reads it out: digits, and letters by the words of the international spelling
/// alphabet.
pub(crate) fn spelled(group: &str) -> String {
    let words = words_of(Locale::Id, "document.spelling");
    let mut spelled = String::new();
    for character in group.chars() {
        if !spelled.is_empty() {
            spelled.push(' ');
        }
        let letter =
            character.is_ascii_alphabetic().then(|| character.to_ascii_uppercase() as usize - 'A' as usize);
        match letter.and_then(|letter| words.split(' ').nth(letter)) {
            Some(word) => spelled.push_str(word),
            None => spelled.push(character),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_composed_and_tidied() {
        assert_eq!(shown("Nguye\u{302}\u{303}n\tThi\u{323}  Hoa "), "Nguyễn Thị Hoa");
        assert_eq!(shown("A\u{202E}B\u{0}C\u{FFFE}"), "ABC");
        assert_eq!(shown(" \n "), "");
    }

    #[test]
    fn an_id_is_read_out() {
        assert_eq!(spelled("7KQ2"), "7 Kilo Quebec 2");
        assert_eq!(spelled("AZ"), "Alfa Zulu");
        assert_eq!(spelled(""), "");
    }
}

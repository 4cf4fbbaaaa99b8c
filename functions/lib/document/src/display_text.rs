//! Sanitises senders' texts for display, and spells out certificate ids.

use bukti_domain::hygiene::is_invisible;
use bukti_locales::{Locale, text as words_of};
use unicode_normalization::UnicodeNormalization;

/// Normalises a text to NFC, puts it on one line, and removes invisible characters that affect how
/// other characters are shown, such as overrides of the writing direction.
pub(crate) fn for_display(text: &str) -> String {
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

/// Spells out a group of a certificate's id: `7 Kilo Quebec 2`. Letters become words of the
/// international spelling alphabet.
pub(crate) fn spelled_out(group: &str) -> String {
    let words = words_of(Locale::Id, "document.spelling");
    let mut out = String::new();
    for character in group.chars() {
        if !out.is_empty() {
            out.push(' ');
        }
        let letter =
            character.is_ascii_alphabetic().then(|| character.to_ascii_uppercase() as usize - 'A' as usize);
        match letter.and_then(|letter| words.split(' ').nth(letter)) {
            Some(word) => out.push_str(word),
            None => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composes_text_and_removes_invisible_characters() {
        assert_eq!(for_display("Nguye\u{302}\u{303}n\tThi\u{323}  Hoa "), "Nguyễn Thị Hoa");
        assert_eq!(for_display("A\u{202E}B\u{0}C\u{FFFE}"), "ABC");
        assert_eq!(for_display(" \n "), "");
    }

    #[test]
    fn spells_out_groups_of_an_id() {
        assert_eq!(spelled_out("7KQ2"), "7 Kilo Quebec 2");
        assert_eq!(spelled_out("AZ"), "Alfa Zulu");
        assert_eq!(spelled_out(""), "");
    }
}

//! Texts from outside, made fit to show.

use unicode_normalization::UnicodeNormalization;

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
    fn a_text_from_outside_is_composed_and_tidied() {
        assert_eq!(shown("Nguye\u{302}\u{303}n\tThi\u{323}  Hoa "), "Nguyễn Thị Hoa");
        assert_eq!(shown("A\u{202E}B\u{0}C\u{FFFE}"), "ABC");
        assert_eq!(shown(" \n "), "");
    }
}

//! Text hygiene: removes artefacts of senders, spreadsheets and keyboards when text enters the
//! system.
//!
//! - [`clean`] is applied to the names in a feed.
//! - [`clean_message`] is applied to every text in a request body.
//! - [`clean_code`] is applied to numbers, dates and codes. It converts full-width characters and
//!   digits of other scripts to ASCII.
//! - [`is_placeholder`] is applied to the fields of a feed, where `null`, `-`, `tidak ada` and
//!   similar texts mean an empty field.
//!
//! The `clean` functions are idempotent. They return ASCII text without artefacts unchanged.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Placeholders for an empty field, in lower case. Programs write the placeholders under `machine`
/// (a database's null, a spreadsheet's error value); people at a facility type those under `typed`.
const PLACEHOLDERS: &str = include_str!("../placeholders.json");

/// Removes invisible characters and artefacts from a text. The result is composed (NFC) and
/// trimmed. Control and format characters are removed (zero-width characters, bidi marks and
/// isolates, word joiner, byte order mark, soft hyphen). White space and line breaks become spaces,
/// and dashes become hyphens. A spreadsheet's leading apostrophe or `="…"` is removed.
///
/// ```
/// use bukti_domain::hygiene::clean;
/// assert_eq!(clean("Si\u{200b}ti\u{a0}Aminah"), "Siti Aminah");
/// assert_eq!(clean("=\"0812\u{2011}3456\""), "0812-3456");
/// ```
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let visible = visible(text, false);
    let mut rest = visible.trim();
    // Artefacts can be nested: an apostrophe before `="…"`, or quotes inside it.
    while let Some(inner) = without_artefact(rest) {
        rest = inner.trim();
    }
    Cow::Owned(rest.to_owned())
}

/// Like [`clean`], but keeps line breaks and text that looks like a spreadsheet artefact. It is
/// meant for texts that people write to each other.
pub fn clean_message(text: &str) -> Cow<'_, str> {
    if is_plain(text) { Cow::Borrowed(text) } else { Cow::Owned(visible(text, true)) }
}

/// Like [`clean`], but for numbers, dates and codes: full-width forms and the decimal digits of all
/// scripts are converted to ASCII, too.
///
/// ```
/// assert_eq!(bukti_domain::hygiene::clean_code("\u{ff10}\u{ff18}1\u{661}"), "0811");
/// ```
pub fn clean_code(text: &str) -> Cow<'_, str> {
    let cleaned = clean(text);
    if cleaned.is_ascii() {
        return cleaned;
    }
    let ascii: String = cleaned.chars().map(to_ascii).collect();
    // Full-width quotes and equals signs become artefacts only after conversion to ASCII.
    Cow::Owned(clean(&ascii).into_owned())
}

/// Prefixes a text with an apostrophe if a spreadsheet would evaluate it as a formula.
pub fn escape_formula(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The origin of a placeholder: a program or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// A program wrote it because the field was left empty.
    Machine,
    /// A person typed it because there was nothing to enter.
    Typed,
}

/// Whether a cleaned text consists of zeros (`0`, `000`, `0.0`). Such a text means an empty field,
/// unless zero is a valid value of the field.
pub fn is_zero(text: &str) -> bool {
    text.contains('0') && text.chars().all(|character| matches!(character, '0' | '.' | ','))
}

/// The origin of a placeholder for an empty field, given a cleaned text. Returns `None` if the text
/// is not listed in the data file `placeholders.json`.
///
/// ```
/// use bukti_domain::hygiene::{Placeholder, is_placeholder};
/// assert_eq!(is_placeholder("NULL"), Some(Placeholder::Machine));
/// assert_eq!(is_placeholder("Tidak ada"), Some(Placeholder::Typed));
/// assert_eq!(is_placeholder("B123"), None);
/// ```
pub fn is_placeholder(text: &str) -> Option<Placeholder> {
    placeholders().get(&text.to_lowercase()).copied()
}

/// The integer part of a number that ends in `.0` or `,0`. Spreadsheets and data frames write whole
/// numbers like this if they store them as floats. Returns `None` for any other text.
///
/// A float has 15 to 17 significant digits. That is enough for a phone number, but a 16-digit NIK
/// may have been rounded.
pub fn integer_of_float(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once(['.', ','])?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let zeros = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    (zeros && is_number(whole.strip_prefix('+').unwrap_or(whole))).then_some(whole)
}

fn placeholders() -> &'static HashMap<String, Placeholder> {
    #[derive(Default, Deserialize)]
    struct File {
        machine: Vec<String>,
        typed: Vec<String>,
    }

    static PARSED: OnceLock<HashMap<String, Placeholder>> = OnceLock::new();
    PARSED.get_or_init(|| {
        // A test parses the file, so this default is never used.
        let File { machine, typed } = serde_json::from_str(PLACEHOLDERS).unwrap_or_default();
        let machine = machine.into_iter().map(|text| (text, Placeholder::Machine));
        machine.chain(typed.into_iter().map(|text| (text, Placeholder::Typed))).collect()
    })
}

/// Whether cleaning changes nothing: the text is printable ASCII without leading or trailing spaces
/// and without artefacts.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        && !matches!(bytes.first(), Some(b' ' | b'\'' | b'=' | b'"'))
        && !matches!(bytes.last(), Some(b' '))
}

fn visible(text: &str, keep_line_breaks: bool) -> String {
    let visible = |character: char| {
        Some(match character {
            '\n' if keep_line_breaks => '\n',
            _ if character.is_whitespace() => ' ',
            _ if is_invisible(character) => return None,
            _ if is_dash(character) => '-',
            _ => character,
        })
    };
    // Composition comes last, since an invisible character may have separated a letter from its
    // combining mark.
    text.chars().filter_map(visible).nfc().collect()
}

/// The text inside the outermost spreadsheet artefact; `None` if there is none.
fn without_artefact(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('\'') {
        return Some(rest);
    }
    let text = text.strip_prefix('=').map_or(text, str::trim_start);
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
}

/// Whether a character is invisible: a control or format character, a filler, a variation selector
/// or a noncharacter.
pub fn is_invisible(character: char) -> bool {
    matches!(character.general_category(), GeneralCategory::Control | GeneralCategory::Format)
        || matches!(character,
            '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_dash(character: char) -> bool {
    character.general_category() == GeneralCategory::DashPunctuation
        // The hyphen bullet and the minus sign are in other categories but are used as hyphens.
        || matches!(character, '\u{2043}' | '\u{2212}')
}

/// Maps full-width forms and decimal digits of any script to ASCII. Leaves other characters
/// unchanged.
fn to_ascii(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xff01 + 0x21).unwrap_or(character),
        // Phone keyboards insert these as apostrophes.
        '\u{2018}' | '\u{2019}' => '\'',
        _ if character.is_ascii() || character.general_category() != GeneralCategory::DecimalNumber => {
            character
        }
        _ => ascii_digit(character),
    }
}

/// The ASCII digit with the same value as a decimal digit of any script. Unicode encodes decimal
/// digits in contiguous runs from zero to nine (Unicode Standard, section 4.6), so the number of
/// digits that precede a digit, modulo ten, is its value.
fn ascii_digit(digit: char) -> char {
    let is_decimal = |code: &u32| {
        char::from_u32(*code).is_some_and(|it| it.general_category() == GeneralCategory::DecimalNumber)
    };
    let before = (0..u32::from(digit)).rev().take_while(is_decimal).count();
    char::from_digit((before % 10) as u32, 10).unwrap_or(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_invisible_characters() {
        for (text, cleaned) in [
            ("\u{202a}0812-3456\u{202c}", "0812-3456"),
            ("Si\u{200b}ti", "Siti"),
            ("Si\u{ad}ti", "Siti"),
            ("\u{feff}Siti\u{2069}", "Siti"),
            ("SITI\u{1}\u{9f}", "SITI"),
            ("A\u{2060}B\u{180e}C\u{e0041}", "ABC"),
            ("Si\u{0}ti", "Siti"),
            ("\u{200b}", ""),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn normalises_spaces_and_dashes() {
        for (text, cleaned) in [
            ("Siti\u{a0}Aminah", "Siti Aminah"),
            ("Siti\u{3000}Aminah\u{2009}", "Siti Aminah"),
            ("Siti\r\nAminah\t", "Siti  Aminah"),
            ("0812\u{2011}3456\u{2013}7890", "0812-3456-7890"),
            ("0812\u{2212}3456", "0812-3456"),
            ("0812\u{ff0d}3456", "0812-3456"),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn removes_spreadsheet_artefacts() {
        for (text, cleaned) in [
            ("'081234567890", "081234567890"),
            ("=\"081234567890\"", "081234567890"),
            ("= \"081234567890\"", "081234567890"),
            ("'=\"0812\"", "0812"),
            ("\"0812\"", "0812"),
            ("''0812", "0812"),
            ("\u{200b}'0812", "0812"),
            ("=", "="),
            ("\"", "\""),
            ("=SUM(A1)", "=SUM(A1)"),
            ("'", ""),
            ("=\"\"", ""),
            ("Nur'aini", "Nur'aini"),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn composes_after_removing_invisible_characters() {
        assert_eq!(clean("Nguye\u{302}\u{303}n"), "Nguyễn");
        assert_eq!(clean("Mu\u{200b}\u{308}ller"), "Müller");
        assert_eq!(clean("\u{212b}"), "\u{c5}");
    }

    #[test]
    fn converts_digits_of_other_scripts_and_widths() {
        for (text, cleaned) in [
            ("０８１２", "0812"),
            ("٠٨١٢", "0812"),
            ("०८१२", "0812"),
            ("＋６２ ８１２", "+62 812"),
            ("\u{1d7ce}\u{1d7e1}", "09"),
            ("ＡＢ１２", "AB12"),
            ("\u{2019}0812", "0812"),
            ("B\u{b2}", "B\u{b2}"),
        ] {
            assert_eq!(clean_code(text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn converts_every_decimal_digit_of_basic_plane() {
        let digits =
            ('\u{80}'..='\u{ffff}').filter(|it| it.general_category() == GeneralCategory::DecimalNumber);
        let is_converted = |digit: &char| {
            let known = deunicode::deunicode_char(*digit).and_then(|known| known.parse::<char>().ok());
            to_ascii(*digit).is_ascii_digit() && known.is_none_or(|known| to_ascii(*digit) == known)
        };
        let unconverted: Vec<char> = digits.filter(|digit| !is_converted(digit)).collect();
        assert_eq!(unconverted, []);
    }

    #[test]
    fn recognises_placeholders_and_zeros() {
        for text in ["null", "N/A", "NaN", "None", "#N/A", "\\N", "UNKNOWN"] {
            assert_eq!(is_placeholder(text), Some(Placeholder::Machine), "{text}");
        }
        for text in ["-", "--", "Tidak Ada", "tidak diketahui", "KOSONG"] {
            assert_eq!(is_placeholder(text), Some(Placeholder::Typed), "{text}");
        }
        for text in ["", "B123", "???", "Nona", "10", "-5", "08"] {
            assert_eq!(is_placeholder(text), None, "{text}");
        }
        assert_eq!(
            ["0", "0000", "0.0", "0,0", "10", "-0", ""].map(is_zero),
            [true, true, true, true, false, false, false]
        );
        assert!(placeholders().keys().all(|text| *text == text.to_lowercase() && clean(text) == *text));
    }

    #[test]
    fn keeps_line_breaks_in_messages() {
        assert_eq!(clean_message("Halo\u{200b}\r\n'ya'\n"), "Halo \n'ya'\n");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_is_idempotent(text in "(\\PC|[\u{200b}'\"=\u{a0}\u{308}-]){0,24}") {
            let once = clean(&text).into_owned();
            proptest::prop_assert_eq!(clean(&once), &*once);
            let code = clean_code(&text).into_owned();
            proptest::prop_assert_eq!(clean_code(&code), &*code);
        }

        #[test]
        fn plain_ascii_stays_unchanged(text in "[!#-&(-<>-~][ -~]{0,20}[!-~]") {
            proptest::prop_assert_eq!(clean(&text), &*text);
            proptest::prop_assert!(matches!(clean(&text), Cow::Borrowed(_)));
        }
    }
}

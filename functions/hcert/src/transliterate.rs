//! Names in the letters of a machine-readable zone.

/// Transliterates a name after ICAO 9303 part 3, section 6: upper case letters, `<` for what separates words,
/// apostrophes left out.
///
/// Latin letters follow the table of section 6 A; other scripts are romanised. The result is empty where nothing of the
/// name has a letter.
///
/// ```
/// use bukti_hcert::transliterate;
/// assert_eq!(transliterate("Anna-Lena Müller"), "ANNA<LENA<MUELLER");
/// assert_eq!(transliterate("O'Brien"), "OBRIEN");
/// ```
pub fn transliterate(name: &str) -> String {
    let mut zone = String::with_capacity(name.len());
    // Decomposed writings ("u" with a combining diaeresis) mean the same letters as composed ones.
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let mark = characters.peek().copied();
        match (composed(character, mark), character) {
            (Some(letters), _) => {
                characters.next();
                zone.push_str(letters);
            }
            (None, '\'' | '’' | '‘' | 'ʼ' | '`' | '´') => {}
            (None, character) => match special(character) {
                Some(letters) => zone.push_str(letters),
                None if character.is_alphabetic() => zone.extend(
                    deunicode::deunicode_char(character)
                        .unwrap_or_default()
                        .chars()
                        .filter(char::is_ascii_alphabetic)
                        .map(|letter| letter.to_ascii_uppercase()),
                ),
                None if combining(character) => {}
                None => separate(&mut zone),
            },
        }
    }
    while zone.ends_with('<') {
        zone.pop();
    }
    zone
}

fn separate(zone: &mut String) {
    if !zone.is_empty() && !zone.ends_with('<') {
        zone.push('<');
    }
}

fn combining(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// The pairs of letter and combining mark that the table writes with more than the letter alone.
fn composed(letter: char, mark: Option<char>) -> Option<&'static str> {
    match (letter.to_ascii_uppercase(), mark?) {
        ('A', '\u{308}') => Some("AE"),
        ('O', '\u{308}') => Some("OE"),
        ('U', '\u{308}') => Some("UE"),
        ('A', '\u{30a}') => Some("AA"),
        _ => None,
    }
}

/// The letters that the table writes otherwise than without their marks.
fn special(character: char) -> Option<&'static str> {
    Some(match character {
        'Ä' | 'ä' | 'Æ' | 'æ' => "AE",
        'Å' | 'å' => "AA",
        'Ð' | 'ð' => "D",
        'Đ' | 'đ' => "D",
        'Ö' | 'ö' | 'Ø' | 'ø' | 'Œ' | 'œ' => "OE",
        'Ü' | 'ü' => "UE",
        'Þ' | 'þ' => "TH",
        'ß' | 'ẞ' => "SS",
        'Ĳ' | 'ĳ' => "IJ",
        'Ŋ' | 'ŋ' => "N",
        'ı' => "I",
        'ĸ' => "Q",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_region() {
        for (name, zone) in [
            ("Nguyễn Thị Hoa", "NGUYEN<THI<HOA"),
            ("José Ximenes", "JOSE<XIMENES"),
            ("Nur'aini Ma'ruf", "NURAINI<MARUF"),
            ("Mu\u{308}ller", "MUELLER"),
            ("  M. Ilham  Akbar S. ", "M<ILHAM<AKBAR<S"),
            ("王芳", "WANGFANG"),
            ("", ""),
            ("12 -", ""),
        ] {
            assert_eq!(transliterate(name), zone, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_becomes_a_zone(text in "\\PC{0,60}") {
            let zone = transliterate(&text);
            proptest::prop_assert!(zone.bytes().all(|byte| byte == b'<' || byte.is_ascii_uppercase()));
            proptest::prop_assert!(!zone.contains("<<"));
        }
    }
}

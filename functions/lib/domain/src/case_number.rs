//! Helpdesk case numbers.

use crate::CROCKFORD_ALPHABET;

/// A case number, designed to be read out over the phone: nine characters of [`CROCKFORD_ALPHABET`]
/// (45 bits) and a check character.
///
/// The check character follows the Luhn mod N algorithm with N = 32 (ISO/IEC 7812-1, annex B,
/// adapted to base 32). It detects every single wrong character and almost every swap of adjacent
/// characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseNumber(String);

/// The number of characters before the check character.
const PAYLOAD_LEN: usize = 9;

impl CaseNumber {
    /// Creates a case number from the lowest 45 bits of `bits`.
    pub fn of_bits(bits: u64) -> Self {
        let payload: Vec<u8> = (0..PAYLOAD_LEN).rev().map(|at| (bits >> (at * 5) & 31) as u8).collect();
        let check = check_digit(&payload);
        Self(
            payload
                .into_iter()
                .chain([check])
                .map(|code| char::from(CROCKFORD_ALPHABET[usize::from(code)]))
                .collect(),
        )
    }

    /// Parses a case number as people write it: in upper or lower case, with or without hyphens and
    /// spaces, with O for 0, and with I or L for 1. Returns `None` if the length, a character or
    /// the check character is wrong.
    ///
    /// ```
    /// use bukti_domain::CaseNumber;
    /// let number = CaseNumber::of_bits(0x123_4567_89ab);
    /// assert_eq!(number.grouped(), "14D2P-F2DBV");
    /// assert_eq!(CaseNumber::parse("i4d2p f2dbv"), Some(number));
    /// assert_eq!(CaseNumber::parse("14D2P-F2DBW"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut codes = Vec::with_capacity(PAYLOAD_LEN + 1);
        for character in text.chars().filter(|character| !matches!(character, '-' | ' ' | '\u{a0}')) {
            let letter = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let code = CROCKFORD_ALPHABET.iter().position(|known| char::from(*known) == letter)?;
            codes.push(code as u8);
            if codes.len() > PAYLOAD_LEN + 1 {
                return None;
            }
        }
        let (check, payload) = codes.split_last()?;
        (payload.len() == PAYLOAD_LEN && check_digit(payload) == *check).then(|| {
            Self(codes.iter().map(|code| char::from(CROCKFORD_ALPHABET[usize::from(*code)])).collect())
        })
    }

    /// The ten characters without a hyphen. The number alone is not a secret: opening a case also
    /// takes the birth date.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in two groups of five characters (`14D2P-F2DBV`), for reading it out.
    pub fn grouped(&self) -> String {
        let (first, second) = self.0.split_at(5);
        format!("{first}-{second}")
    }
}

fn check_digit(payload: &[u8]) -> u8 {
    let sum: u32 = payload
        .iter()
        .rev()
        .enumerate()
        .map(|(at, code)| {
            let addend = u32::from(*code) * if at % 2 == 0 { 2 } else { 1 };
            addend / 32 + addend % 32
        })
        .sum();
    ((32 - sum % 32) % 32) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_parse_back(bits in 0u64..1 << 45) {
            let number = CaseNumber::of_bits(bits);
            proptest::prop_assert_eq!(CaseNumber::parse(&number.grouped().to_lowercase()), Some(number.clone()));
            proptest::prop_assert_eq!(CaseNumber::parse(number.as_str()), Some(number));
        }

        #[test]
        fn rejects_number_with_one_wrong_character(bits in 0u64..1 << 45, at in 0usize..10, by in 1usize..32) {
            let mut wrong = CaseNumber::of_bits(bits).0.into_bytes();
            let code = CROCKFORD_ALPHABET.iter().position(|known| *known == wrong[at]).unwrap();
            wrong[at] = CROCKFORD_ALPHABET[(code + by) % 32];
            proptest::prop_assert_eq!(CaseNumber::parse(std::str::from_utf8(&wrong).unwrap()), None);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,14}") {
            let _ = CaseNumber::parse(&text);
        }
    }
}

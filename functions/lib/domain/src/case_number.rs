//! The number of a helpdesk case.

use crate::READABLE;

/// The number of a case: ten letters and digits that are read out over the phone, the last of which checks the others.
///
/// Nine of [`READABLE`] (45 bits), then a check character: Luhn mod N with N = 32 (ISO/IEC 7812-1, annex B, for another
/// base), which finds every letter that is wrong and nearly all neighbours that are swapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseNumber(String);

/// Letters without the check character.
const RANDOM: usize = 9;

impl CaseNumber {
    /// The number of these bits, of which the lowest 45 count.
    pub fn of_bits(bits: u64) -> Self {
        let letters: Vec<u8> = (0..RANDOM).rev().map(|at| (bits >> (at * 5) & 31) as u8).collect();
        let check = check_of(&letters);
        Self(letters.into_iter().chain([check]).map(|code| char::from(READABLE[usize::from(code)])).collect())
    }

    /// Reads a number as people write it down: any case, with or without hyphen and spaces, O for 0, I or L for 1. `None`
    /// where it is none, or the check character says that a letter is wrong.
    ///
    /// ```
    /// use bukti_domain::CaseNumber;
    /// let number = CaseNumber::of_bits(0x123_4567_89ab);
    /// assert_eq!(number.grouped(), "14D2P-F2DBV");
    /// assert_eq!(CaseNumber::parse("i4d2p f2dbv"), Some(number));
    /// assert_eq!(CaseNumber::parse("14D2P-F2DBW"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut codes = Vec::with_capacity(RANDOM + 1);
        for character in text.chars().filter(|character| !matches!(character, '-' | ' ' | '\u{a0}')) {
            let letter = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let code = READABLE.iter().position(|known| char::from(*known) == letter)?;
            codes.push(code as u8);
            if codes.len() > RANDOM + 1 {
                return None;
            }
        }
        let (check, letters) = codes.split_last()?;
        (letters.len() == RANDOM && check_of(letters) == *check)
            .then(|| Self(codes.iter().map(|code| char::from(READABLE[usize::from(*code)])).collect()))
    }

    /// The ten characters. What the number opens needs the birth date as well.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In two groups of five, as people read it out.
    pub fn grouped(&self) -> String {
        let (first, second) = self.0.split_at(5);
        format!("{first}-{second}")
    }
}

fn check_of(letters: &[u8]) -> u8 {
    let sum: u32 = letters
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
        fn what_is_read_out_is_read_back(bits in 0u64..1 << 45) {
            let number = CaseNumber::of_bits(bits);
            proptest::prop_assert_eq!(CaseNumber::parse(&number.grouped().to_lowercase()), Some(number.clone()));
            proptest::prop_assert_eq!(CaseNumber::parse(number.as_str()), Some(number));
        }

        #[test]
        fn a_wrong_letter_is_found(bits in 0u64..1 << 45, at in 0usize..10, by in 1usize..32) {
            let mut wrong = CaseNumber::of_bits(bits).0.into_bytes();
            let code = READABLE.iter().position(|known| *known == wrong[at]).unwrap();
            wrong[at] = READABLE[(code + by) % 32];
            proptest::prop_assert_eq!(CaseNumber::parse(std::str::from_utf8(&wrong).unwrap()), None);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,14}") {
            let _ = CaseNumber::parse(&text);
        }
    }
}

//! Numbers that identify a person: the NIK from an identity card, or a passport number.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::hygiene;

/// Sex as registered: `L` (laki-laki) or `P` (perempuan) in Indonesian feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Male, `L` in feeds.
    Male,
    /// Female, `P` in feeds.
    Female,
}

impl Sex {
    /// Parses `L` or `P`, as feeds write it, in upper or lower case. Returns `None` for anything
    /// else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "L" | "l" => Some(Sex::Male),
            "P" | "p" => Some(Sex::Female),
            _ => None,
        }
    }
}

/// A NIK (Nomor Induk Kependudukan): the 16 digits of an Indonesian identity card.
///
/// It consists of a region (6 digits), the day, month and year of birth (2 digits each; 40 is added
/// to a woman's day), and a serial number (4 digits). It does not encode the century. Parsing does
/// not compare the digits with a birth date, since a NIK that contradicts one is still a NIK; see
/// [`Nik::agrees_on_birth_date`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nik([u8; 16]);

impl Nik {
    /// Parses 16 digits, with or without spaces, dots or hyphens between them. Returns `None` for
    /// anything else, including a float (`….0`), which cannot hold 16 digits without rounding
    /// errors.
    ///
    /// ```
    /// use bukti_domain::Nik;
    /// assert!(Nik::parse("3171 0124 0189 6246").is_some());
    /// assert!(Nik::parse("63710150O7103892").is_none(), "a letter O is not a zero");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let text = hygiene::clean_code(text);
        if hygiene::integer_of_float(&text).is_some() {
            return None;
        }
        let mut digits = [0; 16];
        let mut count = 0;
        for character in text.chars() {
            match character {
                '0'..='9' => {
                    *digits.get_mut(count)? = character as u8;
                    count += 1;
                }
                ' ' | '.' | '-' => {}
                _ => return None,
            }
        }
        (count == 16).then_some(Self(digits))
    }

    /// The 16 digits. Personal data: use them only in keyed hashes and sealed fields.
    pub fn digits(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn two_digits(&self, at: usize) -> i16 {
        i16::from(self.0[at] - b'0') * 10 + i16::from(self.0[at + 1] - b'0')
    }

    /// Whether the NIK encodes the day, month and two-digit year of this date.
    pub fn agrees_on_birth_date(&self, birth_date: Date) -> bool {
        let (day, month, year) = (birth_date.day(), birth_date.month(), birth_date.year());
        self.encoded_birth_date() == (i16::from(day), i16::from(month), year.rem_euclid(100))
    }

    /// The day, month and two-digit year of birth that the NIK encodes, without the 40 that is
    /// added to a woman's day. Not every NIK encodes an existing date.
    pub fn encoded_birth_date(&self) -> (i16, i16, i16) {
        let day = self.two_digits(6);
        (if day > 40 { day - 40 } else { day }, self.two_digits(8), self.two_digits(10))
    }

    /// The sex that the NIK encodes.
    pub fn sex(&self) -> Sex {
        if self.two_digits(6) > 40 { Sex::Female } else { Sex::Male }
    }
}

impl fmt::Debug for Nik {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nik(…)")
    }
}

/// A passport number: 5 to 20 letters and digits in upper case. ICAO 9303 part 4 allows 9
/// characters, but longer numbers exist.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Passport(String);

impl Passport {
    /// Parses a passport number in upper or lower case, with or without spaces and hyphens. Returns
    /// `None` if it has no digit, contains another character, has the wrong length, or consists of
    /// more than 12 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let number: String = hygiene::clean_code(text)
            .chars()
            .filter(|character| !matches!(character, ' ' | '-'))
            .map(|character| character.to_ascii_uppercase())
            .collect();
        // A long number without letters is assumed to be a NIK in the wrong field.
        let longest = if number.bytes().all(|byte| byte.is_ascii_digit()) { 12 } else { 20 };
        let valid = (5..=longest).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && number.bytes().any(|byte| byte.is_ascii_digit());
        valid.then_some(Self(number))
    }
}

impl fmt::Debug for Passport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passport(…)")
    }
}

/// The number that identifies a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The NIK from an Indonesian identity card.
    Nik(Nik),
    /// The number of a foreign passport.
    Passport(Passport),
}

impl Identity {
    /// Parses a NIK or, if the text is not a NIK, a passport number.
    pub fn parse(text: &str) -> Option<Self> {
        Nik::parse(text).map(Identity::Nik).or_else(|| Passport::parse(text).map(Identity::Passport))
    }

    /// The number with its kind as a prefix, `nik:…` or `passport:…`. Personal data: use it only in
    /// keyed hashes.
    pub fn tagged(&self) -> String {
        match self {
            Identity::Nik(nik) => format!("nik:{}", nik.digits()),
            Identity::Passport(passport) => format!("passport:{}", passport.0),
        }
    }

    /// The number without a prefix. Personal data: use it only in sealed fields and for officers.
    pub fn number(&self) -> &str {
        match self {
            Identity::Nik(nik) => nik.digits(),
            Identity::Passport(passport) => &passport.0,
        }
    }

    /// The number as it is printed. Only the last four characters are visible, or the last three if
    /// the number has fewer than eight.
    ///
    /// ```
    /// use bukti_domain::{Identity, Nik};
    /// let identity = Identity::Nik(Nik::parse("3171012401896246").unwrap());
    /// assert_eq!(identity.masked(), "••••••••••••6246");
    /// ```
    pub fn masked(&self) -> String {
        let number = self.number();
        let shown = if number.len() < 8 { 3 } else { 4 };
        let hidden = number.len().saturating_sub(shown);
        number.char_indices().map(|(at, character)| if at < hidden { '•' } else { character }).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn nik_encodes_birth_date_and_sex() {
        let man = Nik::parse("3171012401896246").unwrap();
        assert!(man.agrees_on_birth_date(date(1989, 1, 24)));
        assert!(!man.agrees_on_birth_date(date(1989, 1, 25)));
        assert_eq!(man.sex(), Sex::Male);
        let woman = Nik::parse("7371016506829651").unwrap();
        assert!(woman.agrees_on_birth_date(date(1982, 6, 25)));
        assert_eq!(woman.sex(), Sex::Female);
        assert_eq!(woman.encoded_birth_date(), (25, 6, 82));
    }

    #[test]
    fn parses_nik_with_spreadsheet_artefacts_but_no_float() {
        for text in [
            "'3171012401896246",
            "=\"3171012401896246\"",
            "3171012401896246\u{200b}",
            "3171 0124\u{a0}0189\u{2011}6246",
            "\u{ff13}171012401896246",
        ] {
            assert_eq!(Nik::parse(text).unwrap().digits(), "3171012401896246", "{text}");
        }
        for text in ["317101240189624.0", "3171012401896246.0", "3171012401896246,00", "3.17101240189625E+15"]
        {
            assert!(Nik::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_hides_numbers() {
        let identity = Identity::Nik(Nik::parse("3171012401896246").unwrap());
        assert!(!format!("{identity:?}").contains("3171"));
        let passport = Identity::Passport(Passport::parse("a 1687353").unwrap());
        assert!(!format!("{passport:?}").contains("1687353"));
        assert_eq!(passport.tagged(), "passport:A1687353");
        assert_eq!(passport.masked(), "••••7353");
    }

    #[test]
    fn parses_nik_or_passport_number() {
        assert!(matches!(Identity::parse("3171 0124 0189 6246"), Some(Identity::Nik(_))));
        for passport in ["A1687353", "567892341"] {
            assert!(matches!(Identity::parse(passport), Some(Identity::Passport(_))), "{passport}");
        }
        for neither in ["317101240189624", "31710124018962466", "", "Iwan"] {
            assert!(Identity::parse(neither).is_none(), "{neither}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,24}") {
            let _ = (Nik::parse(&text), Passport::parse(&text));
        }
    }
}

//! Phone numbers as clinics type them.

use std::fmt;
use std::sync::OnceLock;

/// A number that gets SMS. Only Indonesian mobile numbers do, since SMS fraud sends to costly countries, and those of
/// countries that the deployment names ([`PhoneNumber::allow_countries`]).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a mobile number as people write it: `0812…`, `812…`, `62812…`, `+62 812-…`, `(0812) …`.
    ///
    /// The national number begins with 8 and has 9 to 12 digits (Indonesia's numbering plan for mobile services).
    /// `None` for anything else: landlines, countries that are not allowed, words, too few or too many digits. A number of
    /// another country begins with `+` or `00` and its country's code, and has 8 to 15 digits with it (ITU-T E.164).
    ///
    /// ```
    /// use bukti_domain::PhoneNumber;
    /// assert_eq!(PhoneNumber::parse("(0857) 0813692").unwrap().e164(), "+628570813692");
    /// assert!(PhoneNumber::parse("021-5551234").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with(text, COUNTRIES.get().map_or(&[], Vec::as_slice))
    }

    /// Allows numbers of other countries from now on, by their codes: `+60,+65`. Before the first number is read.
    ///
    /// # Errors
    ///
    /// [`CountriesError`] where it is no list of codes, or others are allowed already.
    pub fn allow_countries(codes: &str) -> Result<(), CountriesError> {
        let code = |code: &str| {
            let digits = code.trim().strip_prefix('+')?;
            let is_code = (1..=3).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0');
            is_code.then(|| digits.to_owned())
        };
        let codes: Vec<String> = codes.split(',').map(code).collect::<Option<_>>().ok_or(CountriesError)?;
        let allowed = COUNTRIES.get_or_init(|| codes.clone());
        if *allowed == codes { Ok(()) } else { Err(CountriesError) }
    }

    fn parse_with(text: &str, countries: &[String]) -> Option<Self> {
        let mut digits = String::with_capacity(text.len().min(24));
        let mut international = false;
        for (at, character) in text.trim().chars().enumerate() {
            match character {
                '0'..='9' => digits.push(character),
                '+' if at == 0 => international = true,
                ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/' => {}
                _ => return None,
            }
        }
        let abroad = if international { Some(&*digits) } else { digits.strip_prefix("00") };
        if let Some(number) = abroad
            && countries.iter().any(|code| number.starts_with(code))
            && (8..=15).contains(&number.len())
        {
            return Some(Self(format!("+{number}")));
        }
        let national = if international {
            digits.strip_prefix("62")?
        } else {
            digits
                .strip_prefix("0062")
                .or_else(|| digits.strip_prefix("62"))
                .or_else(|| digits.strip_prefix('0'))
                .unwrap_or(&digits)
        };
        // "+62 (0)812…" and "62 0812…" are common too.
        let national = national.strip_prefix('0').unwrap_or(national);
        (national.starts_with('8') && (9..=12).contains(&national.len()))
            .then(|| Self(format!("+62{national}")))
    }

    /// The number in E.164: `+62812…`. Personal: for sending, keyed hashes and sealed fields only.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The last two digits: enough for its owner to see that it is another number, too little for anyone to call it.
    pub fn hint(&self) -> &str {
        &self.0[self.0.len() - 2..]
    }
}

/// The codes of other countries that are allowed, without `+`.
static COUNTRIES: OnceLock<Vec<String>> = OnceLock::new();

/// The countries cannot be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountriesError;

impl fmt::Display for CountriesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("countries are a list of codes such as `+60,+65`, and the same all the time")
    }
}

impl std::error::Error for CountriesError {}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PhoneNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_people_write_one_number() {
        for text in [
            "081234567890",
            "81234567890",
            "6281234567890",
            "+62 812-3456-7890",
            "(0812) 34567890",
            "0062 81234567890",
            "+62 (0)812 3456 7890",
            " 0812.3456.7890 ",
        ] {
            assert_eq!(
                PhoneNumber::parse(text).map(|phone| phone.0).as_deref(),
                Some("+6281234567890"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_mobile_number() {
        for text in [
            "",
            "-",
            "0000",
            "08",
            "021-5551234",
            "0812345678901234",
            "tidak ada",
            "+1 202 555 0100",
            "+8123456789",
        ] {
            assert!(PhoneNumber::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_of_other_countries_are_read_where_they_are_allowed() {
        let countries = ["60".to_owned(), "65".to_owned()];
        let read = |text| PhoneNumber::parse_with(text, &countries).map(|phone| phone.0);
        assert_eq!(read("+60 12-345 6789").as_deref(), Some("+60123456789"));
        assert_eq!(read("0065 8123 4567").as_deref(), Some("+6581234567"));
        assert_eq!(read("0812 3456 7890").as_deref(), Some("+6281234567890"));
        for text in ["+1 202 555 0100", "+60 12", "+60 1234 5678 9012 3456", "60123456789"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(PhoneNumber::parse("+60 12-345 6789"), None);
        for codes in ["", "60", "+", "+0", "+1234", "+60,", "+6a"] {
            assert_eq!(PhoneNumber::allow_countries(codes), Err(CountriesError), "{codes}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_reads_again_as_itself(text in "[+0-9 ()-]{0,20}") {
            if let Some(phone) = PhoneNumber::parse(&text) {
                let again = PhoneNumber::parse(phone.e164());
                proptest::prop_assert_eq!(again, Some(phone));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            if let Some(phone) = PhoneNumber::parse(&text) {
                proptest::prop_assert_eq!(phone.hint().len(), 2);
            }
        }
    }
}

//! Phone numbers as clinics type them.

use std::fmt;

/// An Indonesian mobile number, the only kind that gets an SMS by default: SMS fraud sends to costly countries.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a mobile number as people write it: `0812…`, `812…`, `62812…`, `+62 812-…`, `(0812) …`.
    ///
    /// The national number begins with 8 and has 9 to 12 digits (Indonesia's numbering plan for mobile services).
    /// `None` for anything else: landlines, other countries, words, too few or too many digits.
    ///
    /// ```
    /// use bukti_domain::PhoneNumber;
    /// assert_eq!(PhoneNumber::parse("(0857) 0813692").unwrap().e164(), "+628570813692");
    /// assert!(PhoneNumber::parse("021-5551234").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
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

//! Parsing of phone numbers as clinics type them.

use std::fmt;
use std::sync::OnceLock;

use crate::hygiene;

/// A phone number to which SMS messages are sent: an Indonesian mobile number, or a number from a
/// country that the deployment allows ([`PhoneNumber::allow_countries`]). Other numbers are not
/// accepted, since toll fraud exploits SMS to expensive countries.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Parses a mobile number as people write it: `0812…`, `812…`, `62812…`, `+62 812-…`,
    /// `(0812) …`.
    ///
    /// The national number begins with 8 and has 9 to 12 digits (Indonesia's numbering plan for
    /// mobile services). A number from another country begins with `+` or `00` and the country
    /// code, and has 8 to 15 digits including the country code (ITU-T E.164). A trailing `.0`,
    /// which spreadsheets add, is dropped.
    ///
    /// Returns `None` for anything else: landlines, countries that are not allowed, words, too few
    /// or too many digits, and fields with two numbers. To avoid joining the digits of two numbers,
    /// only spaces, hyphens, dots and parentheses may separate groups of digits, and no group may
    /// be a complete number.
    ///
    /// ```
    /// use bukti_domain::PhoneNumber;
    /// assert_eq!(PhoneNumber::parse("(0857) 0813692").unwrap().e164(), "+628570813692");
    /// assert!(PhoneNumber::parse("021-5551234").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_with(text, COUNTRIES.get().map_or(&[], Vec::as_slice))
    }

    /// Allows numbers from other countries, given as country codes (`+60,+65`), for the whole
    /// process. Call it before the first number is parsed.
    ///
    /// # Errors
    ///
    /// Returns [`CountriesError`] if `codes` is not a list of country codes, or if a different list
    /// has already been set.
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
        let text = hygiene::clean_code(text);
        let text = hygiene::integer_of_float(&text).unwrap_or(&text);
        // People often write "(+62) 812…".
        let international = text.starts_with('+') || text.starts_with("(+");
        let written = if international { text.replacen('+', "", 1) } else { text.to_owned() };
        if !written.chars().all(|character| character.is_ascii_digit() || SEPARATORS.contains(&character)) {
            return None;
        }
        let groups = groups(&written);
        let digits = digits_of(&groups);
        let abroad = if international { Some(&*digits) } else { digits.strip_prefix("00") };
        if let Some(number) = abroad
            && countries.iter().any(|code| number.starts_with(code))
            && (8..=15).contains(&number.len())
            && is_one_number(&groups, |group| group.len() >= 9, |before| before.len() <= 5)
        {
            return Some(Self(format!("+{number}")));
        }
        let national = if international {
            digits.strip_prefix("62")?
        } else if digits.starts_with("00") {
            digits.strip_prefix("0062")?
        } else {
            digits.strip_prefix("62").or_else(|| digits.strip_prefix('0')).unwrap_or(&digits)
        };
        // People often write "+62 (0)812…" or "62 0812…".
        let national = national.strip_prefix('0').unwrap_or(national);
        let is_whole = |group: &str| {
            let national = group.strip_prefix("62").or(group.strip_prefix('0')).unwrap_or(group);
            is_national(national) || group.strip_prefix("0062").is_some_and(is_national)
        };
        let is_code = |before: &str| matches!(before, "0" | "62" | "620" | "0062" | "00620");
        (is_national(national) && is_one_number(&groups, is_whole, is_code))
            .then(|| Self(format!("+62{national}")))
    }

    /// The number in E.164 format, `+62812…`. Personal data: use it only for sending, and in keyed
    /// hashes and sealed fields.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The last two digits: enough for the owner to recognise the number, too few to call it.
    pub fn hint(&self) -> &str {
        &self.0[self.0.len() - 2..]
    }
}

/// Whether the digits are an Indonesian mobile number without the leading zero.
fn is_national(digits: &str) -> bool {
    digits.starts_with('8') && (9..=12).contains(&digits.len())
}

/// A run of digits and the separator before it.
struct Group<'a> {
    separator: &'a str,
    digits: &'a str,
}

fn groups(mut text: &str) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    while let Some(start) = text.find(|character: char| character.is_ascii_digit()) {
        let (separator, rest) = text.split_at(start);
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        groups.push(Group { separator, digits: &rest[..end] });
        text = &rest[end..];
    }
    groups
}

fn digits_of(groups: &[Group<'_>]) -> String {
    groups.iter().map(|group| group.digits).collect()
}

/// Whether the groups of digits form a single number. If the field contains two numbers, or a
/// number and an extension, joining their digits would produce a stranger's number. The groups form
/// a single number if both of these conditions hold:
///
/// - No group is a complete number, except the last group if at most a country code precedes it.
/// - If the preceding groups form a complete number, a group may continue it only after a separator
///   that already occurs between them (not `0812-345-678 90`), and only with at least three digits,
///   or with two if the preceding groups are regular (`0812 345 678 90`, `0812 34 56 78 90`).
fn is_one_number(
    groups: &[Group<'_>],
    is_whole: impl Fn(&str) -> bool,
    is_code: impl Fn(&str) -> bool,
) -> bool {
    (0..groups.len()).all(|at| {
        let (before, rest) = groups.split_at(at);
        let Some((group, after)) = rest.split_first() else { return true };
        let joined = digits_of(before);
        let stands_alone =
            is_whole(group.digits) && !(after.is_empty() && (before.is_empty() || is_code(&joined)));
        let code = before.first().is_some_and(|first| is_code(first.digits));
        let mut separators = before.iter().skip(if code { 2 } else { 1 }).map(|group| group.separator);
        let may_continue = match group.digits.len() {
            1 => false,
            2 => is_regular(if code { &before[1..] } else { before }),
            _ => true,
        };
        let continues =
            !is_whole(&joined) || (may_continue && separators.any(|separator| separator == group.separator));
        !stands_alone && continues
    })
}

/// Whether the groups are the beginning of a regularly grouped number, in which the last group may
/// have two digits: all groups have three or four digits, or all but the first have two.
fn is_regular(groups: &[Group<'_>]) -> bool {
    let have_lengths = |groups: &[Group<'_>], lengths: std::ops::RangeInclusive<usize>| {
        groups.len() > 1 && groups.iter().all(|group| lengths.contains(&group.digits.len()))
    };
    let is_in_pairs = || groups.len() > 2 && have_lengths(&groups[1..], 2..=2);
    digits_of(groups).len() <= 10 && (have_lengths(groups, 3..=4) || is_in_pairs())
}

/// The characters that may separate the digits of a number.
const SEPARATORS: [char; 5] = [' ', '-', '.', '(', ')'];

/// The codes of the other allowed countries, without `+`.
static COUNTRIES: OnceLock<Vec<String>> = OnceLock::new();

/// The list of allowed countries cannot be set: it is malformed, or a different list has already
/// been set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountriesError;

impl fmt::Display for CountriesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "not a list of country codes, or different from the list that was set before; write it as `+60,+65`",
        )
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
    fn parses_spellings_of_one_number() {
        for text in [
            "081234567890",
            "81234567890",
            "6281234567890",
            "+62 812-3456-7890",
            "(0812) 34567890",
            "0062 81234567890",
            "+62 (0)812 3456 7890",
            " 0812.3456.7890 ",
            "(+62) 812 3456 7890",
            "+62 81234567890",
            "0812 345 678 90",
            "+62 812 345 678 90",
            "(+62) 812-345-678-90",
            "0812 34 56 78 90",
            "81234567890.0",
            "081234567890,0",
            "6281234567890.00",
            "'081234567890",
            "=\"081234567890\"",
            "\u{202a}0812-3456-7890\u{202c}",
            "+62\u{a0}812\u{2011}3456\u{2011}7890",
            "\u{ff10}\u{ff18}1234567890",
            "0812\u{200b}34567890",
        ] {
            assert_eq!(
                PhoneNumber::parse(text).map(|phone| phone.0).as_deref(),
                Some("+6281234567890"),
                "{text}"
            );
        }
    }

    #[test]
    fn rejects_texts_other_than_one_mobile_number() {
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
            "0811123456/57",
            "081234567890 / 081234567891",
            "081234567890, 081234567891",
            "081234567890;081234567891",
            "0811123456 57",
            "081234567890-91",
            "081234567890 (ext. 2)",
            "0812-3456-7890 atau 0813",
            "8.12345678901E+10",
            "812345678.90",
            "62 0811123456 7",
            "0812-345-678 90",
            "+62 812-345-6789.01",
            "0812-3456-7890-2",
            "0812 3456 7890 1",
            "0812 3450-0232 3",
            "0811-123456-57",
            "0811.123.456.0",
            "0812-3456-7890-12",
            "0081 90 1234 5678",
            "0084 912 345 678",
            "0082-10-1234-5678",
            "0085291234567",
            "00886912345678",
            "00812 3456 7890",
        ] {
            assert!(PhoneNumber::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn parses_foreign_numbers_of_allowed_countries_only() {
        let countries = ["60".to_owned(), "65".to_owned()];
        let parse = |text| PhoneNumber::parse_with(text, &countries).map(|phone| phone.0);
        assert_eq!(parse("+60 12-345 6789").as_deref(), Some("+60123456789"));
        assert_eq!(parse("0065 8123 4567").as_deref(), Some("+6581234567"));
        assert_eq!(parse("0812 3456 7890").as_deref(), Some("+6281234567890"));
        for text in [
            "+1 202 555 0100",
            "+60 12",
            "+60 1234 5678 9012 3456",
            "60123456789",
            "+6581234567 22",
            "+65 81234567/8",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(PhoneNumber::parse("+60 12-345 6789"), None);
        for codes in ["", "60", "+", "+0", "+1234", "+60,", "+6a"] {
            assert_eq!(PhoneNumber::allow_countries(codes), Err(CountriesError), "{codes}");
        }
    }

    proptest::proptest! {
        #[test]
        fn digits_of_two_numbers_are_never_joined(
            one in "(0|62|\\+62 ?|)8[0-9]{2}-?[0-9]{3}-?[0-9]{3,6}",
            between in "( ?[-/,;|&+] ?| |  |\\.|\n|\t|[.]0/| atau |\\(|\u{2009}|\u{2f})",
            other in "((0|62|\\+62|)8[0-9]{8,11}|[0-9]{1,6})",
        ) {
            // A spreadsheet that stores a number as a float appends `.0` or `,0`.
            let is_float = matches!(&*between, "." | ",") && other.bytes().all(|digit| digit == b'0');
            // `one` contains only hyphens as separators, so another hyphen may follow.
            if PhoneNumber::parse(&one).is_some() && !between.starts_with('-') && !is_float {
                proptest::prop_assert_eq!(PhoneNumber::parse(&format!("{one}{between}{other}")), None);
            }
        }

        #[test]
        fn e164_parses_back(text in "[+0-9 ()-]{0,20}") {
            if let Some(phone) = PhoneNumber::parse(&text) {
                let again = PhoneNumber::parse(phone.e164());
                proptest::prop_assert_eq!(again, Some(phone));
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,24}") {
            if let Some(phone) = PhoneNumber::parse(&text) {
                proptest::prop_assert_eq!(phone.hint().len(), 2);
            }
        }
    }
}

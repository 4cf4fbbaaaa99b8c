//! Bounds that functions, site, readers of feeds and tests share.

/// The highest number that a dose has.
pub const MOST_DOSES: u8 = 9;

/// The longest field that a row of a feed or a record may have, in characters. Far above any real one.
pub const LONGEST_FIELD: usize = 300;

/// The longest text that people and officers write, in characters.
pub const LONGEST_TEXT: usize = 1000;

/// The media types of evidence, with the endings of file names.
pub const EVIDENCE_TYPES: [(&str, &[&str]); 4] = [
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
    ("image/heic", &["heic", "heif"]),
    ("application/pdf", &["pdf"]),
];

/// The most bytes of a piece of evidence.
pub const MOST_EVIDENCE_BYTES: u32 = 5 * 1024 * 1024;

/// The most pieces of evidence of a case.
pub const MOST_EVIDENCE: usize = 5;

/// Reads a dose number.
///
/// ```
/// use bukti_domain::dose_number;
/// assert_eq!(["1", "9", "0", "10", "x"].map(dose_number), [Some(1), Some(9), None, None, None]);
/// ```
pub fn dose_number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| (1..=MOST_DOSES).contains(number))
}

/// Reads a code of six digits, from an SMS or an authenticator. People type it in groups.
///
/// ```
/// use bukti_domain::six_digits;
/// assert_eq!(six_digits("123 456").as_deref(), Some("123456"));
/// assert_eq!(["12345", "12345x", ""].map(six_digits), [None, None, None]);
/// ```
pub fn six_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

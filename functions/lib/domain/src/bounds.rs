//! Limits that the functions, the site, the readers of feeds and the tests share.

/// The highest dose number.
pub const MOST_DOSES: u8 = 9;

/// The longest field of a row or a record, in characters. Well above any real one.
pub const MAX_FIELD_CHARS: usize = 300;

/// The longest message of an applicant or officer, in characters.
pub const LONGEST_TEXT: usize = 1000;

/// The accepted media types of evidence, each with its file extensions.
pub const EVIDENCE_TYPES: [(&str, &[&str]); 4] = [
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
    ("image/heic", &["heic", "heif"]),
    ("application/pdf", &["pdf"]),
];

/// The maximum size of a piece of evidence, in bytes.
pub const MAX_EVIDENCE_BYTES: u32 = 5 * 1024 * 1024;

/// The maximum number of pieces of evidence of a case.
pub const MAX_EVIDENCE_COUNT: usize = 5;

/// Parses a dose number, 1 to [`MOST_DOSES`].
///
/// ```
/// use bukti_domain::dose_number;
/// assert_eq!(["1", "9", "0", "10", "x"].map(dose_number), [Some(1), Some(9), None, None, None]);
/// ```
pub fn dose_number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| (1..=MOST_DOSES).contains(number))
}

/// Parses a six-digit code of an SMS or an authenticator. Spaces and hyphens are dropped, since
/// people type codes in groups.
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

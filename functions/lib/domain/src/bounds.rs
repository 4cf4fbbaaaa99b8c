//! Limits that the functions, the site, the feed readers and the tests share.

/// The highest dose number, boosters included.
pub const MOST_DOSES: u8 = 9;

/// The maximum length of a field of a row or record, in characters. Real values are far shorter.
pub const MAX_FIELD_CHARS: usize = 300;

/// The maximum length of a message from an applicant or officer, in characters.
pub const LONGEST_TEXT: usize = 1000;

/// The accepted media types of evidence, each with its file name extensions.
pub const EVIDENCE_TYPES: [(&str, &[&str]); 4] = [
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
    ("image/heic", &["heic", "heif"]),
    ("application/pdf", &["pdf"]),
];

/// The maximum size of one evidence file, in bytes.
pub const MAX_EVIDENCE_BYTES: u32 = 5 * 1024 * 1024;

/// The maximum number of evidence files per case.
pub const MAX_EVIDENCE_COUNT: usize = 5;

/// Parses a dose number from 1 to [`MOST_DOSES`]. Returns `None` for anything else.
///
/// ```
/// use bukti_domain::dose_number;
/// assert_eq!(["1", "9", "0", "10", "x"].map(dose_number), [Some(1), Some(9), None, None, None]);
/// ```
pub fn dose_number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| (1..=MOST_DOSES).contains(number))
}

/// Parses a six-digit code from an SMS or an authenticator app. Spaces and hyphens are ignored,
/// since people type codes in groups.
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

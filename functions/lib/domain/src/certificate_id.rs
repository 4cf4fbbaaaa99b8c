//! The format of certificate ids.

/// The alphabet of ids that people read out: Crockford's base 32, which omits I, L, O and U.
pub const CROCKFORD_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Whether a text is a certificate id as it is stored: 16 characters of [`CROCKFORD_ALPHABET`],
/// without hyphens.
///
/// ```
/// assert!(bukti_domain::is_certificate_id("7KQ2M4XD9TRA6HVC"));
/// assert!(!bukti_domain::is_certificate_id("7KQ2-M4XD-9TRA-6HVC"));
/// ```
pub fn is_certificate_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| CROCKFORD_ALPHABET.contains(&byte))
}

/// Formats a certificate id in groups of four characters, for reading it out.
///
/// ```
/// assert_eq!(bukti_domain::certificate_id_grouped("7KQ2M4XD9TRA6HVC"), "7KQ2-M4XD-9TRA-6HVC");
/// ```
pub fn certificate_id_grouped(id: &str) -> String {
    let groups: Vec<&str> =
        id.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("-")
}

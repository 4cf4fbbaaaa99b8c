//! The id of a certificate.

/// The letters of ids that people read out: Crockford's base 32, no I, L, O, U.
pub const READABLE: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Whether this is the id of a certificate, as it is kept: 16 [`READABLE`] letters, no hyphens.
///
/// ```
/// assert!(bukti_domain::is_certificate_id("7KQ2M4XD9TRA6HVC"));
/// assert!(!bukti_domain::is_certificate_id("7KQ2-M4XD-9TRA-6HVC"));
/// ```
pub fn is_certificate_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| READABLE.contains(&byte))
}

//! What is sealed: one dose.

use bukti_domain::feed::CompleteDose;

/// A vaccination as the certificate says it.
pub struct Vaccination<'a> {
    /// The dose.
    pub dose: &'a CompleteDose,
    /// Who issues the certificate, at most 80 characters.
    pub issuer: &'a str,
    /// The certificate's UVCI.
    pub uvci: &'a str,
}

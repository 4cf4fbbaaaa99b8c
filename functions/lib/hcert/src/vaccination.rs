//! The input of a certificate: one dose.

use bukti_domain::feed::CompleteDose;

/// The data that a certificate states.
pub struct Vaccination<'a> {
    /// The dose.
    pub dose: &'a CompleteDose,
    /// The name of the issuer; cut to 80 characters in the certificate.
    pub issuer: &'a str,
    /// The certificate's UVCI.
    pub uvci: &'a str,
}

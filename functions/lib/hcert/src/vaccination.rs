//! The input for sealing a certificate.

use bukti_domain::feed::CompleteDose;

/// A dose with the data about its certificate.
pub struct Vaccination<'a> {
    /// The dose that the certificate is for.
    pub dose: &'a CompleteDose,
    /// The issuer's name; the certificate contains the first 80 characters.
    pub issuer: &'a str,
    /// The certificate's identifier; only a DCC contains it.
    pub uvci: &'a str,
}

//! A certificate as people keep it.

use bukti_locales::Locale;
use jiff::civil::Date;

/// What is printed on a certificate.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// The certificate's id, in groups that a person can read out: `7KQ2-M4XD-9TRA-6HVC`.
    pub id: &'a str,
    /// Who issued it.
    pub issuer: &'a str,
    /// The name as on the identity card, any Unicode.
    pub name: &'a str,
    /// The identity number, masked: `3171•••••••••246`.
    pub identity: &'a str,
    /// The birth date.
    pub birth_date: Date,
    /// Which dose this is, from 1.
    pub dose_number: u8,
    /// How many doses the series has.
    pub doses_in_series: u8,
    /// The vaccine's name as people know it.
    pub vaccine: &'a str,
    /// The batch number.
    pub batch: &'a str,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// Name of the facility.
    pub facility: &'a str,
    /// The day of issue.
    pub issued_on: Date,
    /// The signed text of the QR, `HC1:…`.
    pub qr_text: &'a str,
    /// Where a verifier checks it, as an address without scheme: `bukti.example.go.id/verify`.
    pub verify_at: &'a str,
    /// The helpdesk's phone.
    pub helpdesk_phone: &'a str,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: &'a str,
}

/// The certificate as a PDF: one A4 page.
pub fn pdf(_certificate: &Certificate<'_>) -> Result<Vec<u8>, DocumentError> {
    Err(DocumentError::QrTextTooLong)
}

/// The certificate as a picture for the screen: an SVG document.
pub fn picture(_certificate: &Certificate<'_>, _locale: Locale) -> Result<String, DocumentError> {
    Err(DocumentError::QrTextTooLong)
}

/// Why a document could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No QR of level M holds this text.
    #[error("the QR text is too long")]
    QrTextTooLong,
}

//! The certificate as a PDF.

mod draft;
mod objects;
mod printed;
mod stream;
mod template;

pub(crate) use template::Template;

/// The forms (ISO 32000-1, 8.10) that differ from certificate to certificate: the QR in a square of one point, and the
/// guilloche.
const QR: &str = "Qr";
const BAND: &str = "Band";

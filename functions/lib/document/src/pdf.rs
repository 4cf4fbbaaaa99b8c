//! The certificate as a PDF.

mod draft;
mod printed;
mod stream;
mod template;
mod update;

pub(crate) use template::Template;

/// What differs from certificate to certificate and is drawn from more than one page: the QR as an image, in a square of one
/// point, and the guilloche as a form (ISO 32000-1, 8.9 and 8.10).
const QR: &str = "Qr";
const BAND: &str = "Band";

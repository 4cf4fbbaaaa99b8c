//! Writes a certificate as a PDF: fixed content from a template, values as an incremental update.

mod draft;
mod render;
mod stream;
mod template;
mod update;

pub(crate) use template::Template;

/// The resource names of the QR code (an image) and of the guilloche (a form XObject; ISO 32000-1,
/// 8.9 and 8.10). Both differ between certificates and may be drawn on several pages.
const QR: &str = "Qr";
const BAND: &str = "Band";

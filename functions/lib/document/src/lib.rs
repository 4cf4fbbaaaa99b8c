//! Renders a certificate as a PDF for printing and as an SVG image for phone screens.
//!
//! Both show the same person, dose and QR code. Text can be selected, searched and read by screen
//! readers, and the QR code is sharp at any size.
//!
//! The input, a [`Certificate`], contains only a masked identity number and no phone number, so
//! neither number can be printed by mistake. The fixed texts are in
//! `functions/lib/locales/texts/*/document.json`.
//!
//! ```
//! use bukti_document::{Certificate, Form, Printer};
//! use bukti_domain::{Publisher, Sex};
//! use bukti_locales::Locale;
//! use jiff::civil::date;
//!
//! let certificate = Certificate {
//!     id: "7KQ2-M4XD-9TRA-6HVC",
//!     name: "Siti Rahayu",
//!     identity: "••••••••••••6246".to_owned(),
//!     birth_date: date(1987, 3, 14).into(),
//!     sex: Some(Sex::Female),
//!     nationality: Some("IDN"),
//!     dose_number: 1,
//!     doses_in_series: Some(2),
//!     icvp: false,
//!     disease: &bukti_domain::disease("covid-19").unwrap().name,
//!     vaccine: "CoronaVac (Sinovac)",
//!     batch: "2021011234",
//!     vaccination_date: date(2021, 1, 29),
//!     valid_from: None,
//!     facility: "Puskesmas Kecamatan Menteng",
//!     issued_on: date(2021, 1, 30),
//!     qr_text: "HC1:6BFOXN%TS3DH",
//! };
//! let printer = Printer::new(Publisher {
//!     issuer: "Kementerian Kesehatan Republik Indonesia".to_owned(),
//!     host: "bukti.example.go.id".to_owned(),
//!     helpdesk_phone: "119 ext. 9".to_owned(),
//!     helpdesk_email: "bantuan@bukti.example.go.id".to_owned(),
//! });
//! assert!(printer.pdf(&certificate, Form::Complete)?.starts_with(b"%PDF-1.7"));
//! assert!(printer.picture(&certificate, Locale::Id)?.contains("Dosis 1 dari 2"));
//! # Ok::<(), bukti_document::DocumentError>(())
//! ```

mod a4;
mod canvas;
mod card;
mod colours;
mod display_text;
mod field;
mod font;
mod guilloche;
mod pdf;
mod qr;
mod sheet;
mod svg;

use std::sync::OnceLock;

pub use bukti_domain::DocumentForm as Form;
use bukti_domain::feed::CompleteDose;
use bukti_domain::{BirthDate, DiseaseName, Publisher, Sex, disease};
use bukti_locales::Locale;
use jiff::Span;
use jiff::civil::Date;

use crate::pdf::Template;
use crate::qr::Qr;

/// The data that is printed on a certificate.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// The certificate's id in groups that are easy to read out: `7KQ2-M4XD-9TRA-6HVC`.
    pub id: &'a str,
    /// The holder's name as on the identity card, in any script.
    pub name: &'a str,
    /// The masked identity number: `••••••••••••6246`.
    pub identity: String,
    /// The holder's birth date.
    pub birth_date: BirthDate,
    /// The holder's sex; `None` if it is unknown.
    pub sex: Option<Sex>,
    /// The holder's nationality (ISO 3166-1 alpha-3); `None` if it is unknown.
    pub nationality: Option<&'a str>,
    /// The number of the dose in its series, counted from 1. A number above
    /// [`doses_in_series`](Self::doses_in_series) denotes a booster.
    pub dose_number: u8,
    /// The number of doses in the series; `None` if the vaccine's doses are not counted.
    pub doses_in_series: Option<u8>,
    /// Whether the certificate has the title and wording of the WHO's International Certificate of
    /// Vaccination or Prophylaxis.
    pub icvp: bool,
    /// The disease that the vaccine protects against.
    pub disease: &'a DiseaseName,
    /// The vaccine's name in our catalogue.
    pub vaccine: &'a str,
    /// The batch number of the vaccine.
    pub batch: &'a str,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// The day from which the certificate is valid for life; `None` if the International Health
    /// Regulations (annex 7) do not define it for this disease.
    pub valid_from: Option<Date>,
    /// The name of the facility that gave the dose.
    pub facility: &'a str,
    /// The day on which the certificate was issued.
    pub issued_on: Date,
    /// The signed text for the QR code, `HC1:…`.
    pub qr_text: &'a str,
}

impl<'a> Certificate<'a> {
    /// Collects the data for a dose's certificate. `id` is the certificate's id in groups.
    pub fn of(dose: &'a CompleteDose, id: &'a str, issued_on: Date, qr_text: &'a str) -> Self {
        let after = disease(&dose.vaccine.disease).and_then(|disease| disease.valid_for_life_after_days);
        let valid_from =
            after.and_then(|days| dose.vaccination_date.checked_add(Span::new().days(days)).ok());
        Self {
            id,
            name: dose.name.text(),
            identity: dose.identity.masked(),
            birth_date: dose.birth_date,
            sex: dose.known_sex(),
            nationality: dose.nationality(),
            dose_number: dose.dose_number,
            doses_in_series: dose.counted_series(),
            icvp: dose.vaccine.is_icvp(),
            disease: &dose.vaccine.disease_name,
            vaccine: &dose.vaccine.name,
            batch: &dose.batch,
            vaccination_date: dose.vaccination_date,
            valid_from,
            facility: &dose.facility.name,
            issued_on,
            qr_text,
        }
    }
}

/// Renders the certificates of a deployment. Reuse a printer: it prepares the template of each form
/// only once.
pub struct Printer {
    publisher: Publisher,
    /// Indexed by form, then by whether the certificate is international. Prepared on first use.
    templates: [[OnceLock<Template>; 2]; Form::ALL.len()],
}

impl Printer {
    /// Creates a printer without templates; each is prepared on first use.
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher, templates: Default::default() }
    }

    /// Renders a certificate as a PDF, in Indonesian and English.
    ///
    /// The output is deterministic. The embedded font covers Latin with all its extensions,
    /// including Vietnamese; words in other scripts are transliterated as in the machine-readable
    /// zone of a passport. A name with letters that are rare in Indonesia takes a few milliseconds
    /// longer, since the fonts must be subset for it.
    ///
    /// # Errors
    ///
    /// [`DocumentError::QrTextTooLong`] if the QR text is longer than 3391 alphanumeric characters.
    /// [`DocumentError::Font`] and [`DocumentError::Write`] do not occur with the built-in fonts.
    pub fn pdf(&self, certificate: &Certificate<'_>, form: Form) -> Result<Vec<u8>, DocumentError> {
        let qr = Qr::of_certificate(certificate.qr_text)?;
        let cached = &self.templates[form as usize][usize::from(certificate.icvp)];
        let template = match cached.get() {
            Some(template) => template,
            // Two threads may prepare the template at the same time. Both results are equal, and
            // only one is kept.
            None => {
                let template = Template::new(form, &self.publisher, certificate.icvp, &Default::default())?;
                cached.get_or_init(|| template)
            }
        };
        let texts = template.texts(certificate);
        let missing = template.missing_letters(&texts);
        if missing.iter().all(|letters| letters.is_empty()) {
            return template.fill(certificate, &qr, &texts);
        }
        Template::new(form, &self.publisher, certificate.icvp, &missing)?.fill(certificate, &qr, &texts)
    }

    /// Renders the front of the card as an SVG document for screens, in one language.
    ///
    /// The document contains no scripts, style sheets or external references, so it can be embedded
    /// in a page unchanged. It has a title and a description for screen readers.
    ///
    /// # Errors
    ///
    /// The same errors as [`pdf`](Self::pdf).
    pub fn picture(&self, certificate: &Certificate<'_>, locale: Locale) -> Result<String, DocumentError> {
        svg::picture(certificate, &self.publisher, locale)
    }
}

/// Renders the QR code of a plain text, such as a ticket's URL, as an SVG document: black on white,
/// with the quiet zone.
///
/// The document can be embedded in a page unchanged, at any size. It has no title for screen
/// readers, so the page must add one.
///
/// ```
/// assert!(bukti_document::qr_picture("https://bukti.example.go.id/tiket#")?.starts_with("<svg"));
/// # Ok::<(), bukti_document::DocumentError>(())
/// ```
///
/// # Errors
///
/// [`DocumentError::QrTextTooLong`] if the text is longer than 2331 bytes, the capacity of a QR
/// code of error correction level M.
pub fn qr_picture(text: &str) -> Result<String, DocumentError> {
    svg::qr(text)
}

/// An error while rendering a document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The text does not fit into a QR code of error correction level M.
    #[error("QR text is too long for a QR code of level M; shorten it")]
    QrTextTooLong,
    /// A built-in font cannot be parsed.
    #[error("cannot parse a built-in font; rebuild the program with intact files in `fonts`")]
    Font,
    /// The document could not be assembled or serialised.
    #[error("cannot write the document")]
    Write,
}

impl From<lopdf::Error> for DocumentError {
    fn from(_: lopdf::Error) -> Self {
        Self::Write
    }
}

//! A certificate as people keep it: a page to print, and a picture for the phone.
//!
//! Both show the same person, dose and QR, and both are drawn as vectors: text stays text that can be
//! selected, searched and read aloud, and the QR is sharp at any size.
//!
//! What is shown comes in a [`Certificate`], already masked: no full identity number and no phone of the
//! person has a field here, so that none can end up on paper by mistake. The words around it are those of
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
mod field;
mod font;
mod guilloche;
mod look;
mod pdf;
mod qr;
mod sheet;
mod svg;
mod words;

use std::sync::OnceLock;

pub use bukti_domain::DocumentForm as Form;
use bukti_domain::feed::CompleteDose;
use bukti_domain::{BirthDate, DiseaseName, Publisher, Sex, disease};
use bukti_locales::Locale;
use jiff::Span;
use jiff::civil::Date;

use crate::pdf::Template;
use crate::qr::Qr;

/// What is printed on a certificate.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// The certificate's id, in groups that a person can read out: `7KQ2-M4XD-9TRA-6HVC`.
    pub id: &'a str,
    /// The name as on the identity card, any Unicode.
    pub name: &'a str,
    /// The identity number, masked: `••••••••••••6246`.
    pub identity: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The sex, where it is known.
    pub sex: Option<Sex>,
    /// The nationality (ISO 3166-1 alpha-3), where it is known.
    pub nationality: Option<&'a str>,
    /// Which dose this is, from 1. Beyond [`doses_in_series`](Self::doses_in_series) it is a booster.
    pub dose_number: u8,
    /// How many doses the series has, where they are counted.
    pub doses_in_series: Option<u8>,
    /// Whether it is the WHO's International Certificate of Vaccination or Prophylaxis, which stands in its title then.
    pub icvp: bool,
    /// What the vaccine protects from.
    pub disease: &'a DiseaseName,
    /// The vaccine's name as people know it.
    pub vaccine: &'a str,
    /// The batch number.
    pub batch: &'a str,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// From which day the certificate is valid for life, where the International Health Regulations (annex 7) say so.
    pub valid_from: Option<Date>,
    /// Name of the facility.
    pub facility: &'a str,
    /// The day of issue.
    pub issued_on: Date,
    /// The signed text of the QR, `HC1:…`.
    pub qr_text: &'a str,
}

impl<'a> Certificate<'a> {
    /// What is printed of a dose whose certificate has this id (in groups) and QR text and was issued on this day.
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

/// Prints the certificates of a deployment. What they have in common is prepared once, so keep it.
pub struct Printer {
    publisher: Publisher,
    /// By form, each for usual and for international certificates; prepared when first asked for.
    templates: [[OnceLock<Template>; 2]; Form::ALL.len()],
}

impl Printer {
    /// A printer for what this publisher issues.
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher, templates: Default::default() }
    }

    /// A certificate as a PDF, in Indonesian with English beside it.
    ///
    /// The same certificate always gives the same bytes. Words with letters that the embedded font lacks (it has Latin in
    /// all its extensions, so Vietnamese too) stand there in the letters of a machine-readable zone, as in a passport. A
    /// name with letters that are rare in Indonesia takes some milliseconds, since its fonts are its own.
    ///
    /// # Errors
    ///
    /// [`DocumentError::QrTextTooLong`] if the QR text is longer than 3391 alphanumeric characters;
    /// [`DocumentError::Font`] and [`DocumentError::Write`] do not happen with the fonts that are built in.
    pub fn pdf(&self, certificate: &Certificate<'_>, form: Form) -> Result<Vec<u8>, DocumentError> {
        let qr = Qr::new(certificate.qr_text)?;
        let kept = &self.templates[form as usize][usize::from(certificate.icvp)];
        let template = match kept.get() {
            Some(template) => template,
            // Of two that prepare it at once one is kept; both are the same.
            None => {
                let template = Template::new(form, &self.publisher, certificate.icvp, &Default::default())?;
                kept.get_or_init(|| template)
            }
        };
        let texts = template.texts(certificate);
        let lacks = template.lacks(&texts);
        if lacks.iter().all(|letters| letters.is_empty()) {
            return template.fill(certificate, &qr, &texts);
        }
        Template::new(form, &self.publisher, certificate.icvp, &lacks)?.fill(certificate, &qr, &texts)
    }

    /// A certificate as a picture for the screen: the front of the card as an SVG document, in one language.
    ///
    /// It has no script, no style sheet and no reference to anything outside, so that it can be put into a page
    /// as it is, and it names itself to a screen reader.
    ///
    /// # Errors
    ///
    /// As [`pdf`](Self::pdf).
    pub fn picture(&self, certificate: &Certificate<'_>, locale: Locale) -> Result<String, DocumentError> {
        svg::picture(certificate, &self.publisher, locale)
    }
}

/// The QR of a text of words, such as a ticket's address, as an SVG document: black on white in its quiet zone, nothing else.
///
/// It can be put into a page as it is, at any size. It has no name of its own: whoever shows it says what it is.
///
/// ```
/// assert!(bukti_document::qr_picture("https://bukti.example.go.id/tiket#")?.starts_with("<svg"));
/// # Ok::<(), bukti_document::DocumentError>(())
/// ```
///
/// # Errors
///
/// [`DocumentError::QrTextTooLong`] if the text is longer than a QR of level M holds, 2331 bytes.
pub fn qr_picture(text: &str) -> Result<String, DocumentError> {
    svg::qr(text)
}

/// Why a document could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No QR of level M holds this text.
    #[error("the QR text is too long")]
    QrTextTooLong,
    /// A font that is built into the program cannot be read: the program was built wrong.
    #[error("the built-in font cannot be read")]
    Font,
    /// The document could not be put together or written out.
    #[error("the document could not be written")]
    Write,
}

impl From<lopdf::Error> for DocumentError {
    fn from(_: lopdf::Error) -> Self {
        Self::Write
    }
}

//! The certificate on paper: one A4 page, in Indonesian with English beside it.

use bukti_domain::{DiseaseName, Publisher};
use bukti_locales::{Locale, date, dose, fill, text};
use jiff::civil::Date;
use printpdf::{DictItem, PdfDocument, PdfSaveOptions};

use crate::font::{Fonts, fonts};
use crate::look::{BLACK, BRAND, Colour, GROUND, LINE, QUIET, TEXT, WARNING, WARNING_GROUND, WAVES, WHITE};
use crate::page::{Page, Style, WIDTH};
use crate::qr::Qr;
use crate::words::shown;
use crate::{Certificate, DocumentError, guilloche};

/// The margin at the left and right.
const MARGIN: f32 = 56.0;
/// Between the margins.
const MEASURE: f32 = WIDTH - 2.0 * MARGIN;
/// The height of the guilloche band along the upper edge.
const BAND: f32 = 27.0;
/// The side of the QR with its quiet zone: 55 mm, of which the modules of a usual certificate take 50.
const QR_SIDE: f32 = 156.0;
/// From the quiet zone to the frame around it.
const FRAME: f32 = 3.0;
/// The width of the fields left of the QR.
const COLUMN: f32 = MEASURE - QR_SIDE - 40.0;

/// The page as a PDF.
pub(crate) fn pdf(certificate: &Certificate<'_>, publisher: &Publisher) -> Result<Vec<u8>, DocumentError> {
    let fonts = fonts()?;
    let qr = Qr::new(certificate.qr_text)?;
    let mut sheet = Sheet { page: Page::default(), fonts, publisher };
    sheet.draw(certificate, &qr);

    // The person's name stays out of title and metadata: those show up in file lists and search indexes.
    let title = format!("{} {}", text(Locale::Id, certificate.title()), certificate.id);
    let mut document = PdfDocument::new(&title);
    document.metadata.info.author = shown(&publisher.issuer);
    document.metadata.info.creator = text(Locale::Id, "document.wordmark").to_owned();
    document.metadata.info.subject = text(Locale::En, certificate.title()).to_owned();
    for face in [&fonts.regular, &fonts.bold] {
        document.resources.fonts.map.insert(face.id.clone(), face.embedded());
    }
    document.pages.push(sheet.page.finish());
    write(&document, certificate)
}

fn write(document: &PdfDocument, certificate: &Certificate<'_>) -> Result<Vec<u8>, DocumentError> {
    // `secure` would leave out the drawing operators that the library has no type for; all of them are ours.
    let options = PdfSaveOptions { secure: false, ..PdfSaveOptions::default() };
    let mut warnings = Vec::new();
    let mut pdf = document.to_lopdf_document(&options, &mut warnings);
    let string = |text: &str| DictItem::String { data: text.as_bytes().to_vec(), literal: true }.to_lopdf();

    // What the library does not write: the language, the title in the window, the day of issue, and an id
    // that the same certificate always has, so that the same bytes come out each time.
    pdf.version = "1.7".to_owned();
    let shows_title = [("DisplayDocTitle".to_owned(), DictItem::Bool(true))].into();
    let catalog = pdf.catalog_mut().map_err(|_| DocumentError::Write)?;
    catalog.set("Lang", string(Locale::Id.tag()));
    catalog.set("ViewerPreferences", DictItem::Dict { map: shows_title }.to_lopdf());
    let info =
        pdf.trailer.get(b"Info").and_then(|info| info.as_reference()).map_err(|_| DocumentError::Write)?;
    let info = pdf.get_dictionary_mut(info).map_err(|_| DocumentError::Write)?;
    let issued = format!("D:{}", certificate.issued_on.strftime("%Y%m%d"));
    info.set("CreationDate", string(&issued));
    info.set("ModDate", string(&issued));
    info.remove(b"GTS_PDFXVersion");
    info.remove(b"Identifier");
    let fingerprint = guilloche::fingerprint(certificate.qr_text).to_be_bytes();
    let id = DictItem::Bytes([fingerprint, guilloche::fingerprint(certificate.id).to_be_bytes()].concat());
    pdf.trailer.set("ID", DictItem::Array(vec![id.clone(), id]).to_lopdf());

    pdf.compress();
    let mut bytes = Vec::with_capacity(24 * 1024);
    pdf.save_to(&mut bytes).map_err(|_| DocumentError::Write)?;
    Ok(bytes)
}

/// The page with the fonts at hand. Each part is drawn below a `y` and returns where the next may start.
struct Sheet<'p> {
    page: Page,
    fonts: &'static Fonts,
    publisher: &'p Publisher,
}

impl Sheet<'_> {
    /// Draws everything and returns the last baseline.
    fn draw(&mut self, certificate: &Certificate<'_>, qr: &Qr) -> f32 {
        self.head(certificate);
        let y = self.person(certificate, 190.0);
        self.page.rule(MARGIN, y, MEASURE, LINE);
        let fields_end = self.dose(certificate, y + 34.0);
        let qr_end = self.qr(certificate, qr, y + 18.0);
        let y = self.verify(fields_end.max(qr_end) + 6.0);
        let y = self.warning(y + 12.0);
        self.foot(y + 24.0)
    }

    fn regular(&self, size: f32, colour: Colour) -> Style<'static> {
        Style::new(&self.fonts.regular, size, colour)
    }

    fn bold(&self, size: f32, colour: Colour) -> Style<'static> {
        Style::new(&self.fonts.bold, size, colour)
    }

    /// Band, wordmark, issuer, title and day of issue.
    fn head(&mut self, certificate: &Certificate<'_>) {
        self.page.panel((0.0, 0.0), (WIDTH, BAND), 0.0, GROUND);
        self.page.curves((0.0, 0.0), &guilloche::band(certificate.id, WIDTH, BAND), &WAVES, 0.45);

        self.page.panel((MARGIN, 54.0), (24.0, 24.0), 6.0, BRAND);
        let tick = [(6.5, 12.5), (10.5, 16.5), (17.5, 8.0)].map(|(x, y)| (MARGIN + x, 54.0 + y));
        self.page.stroke(&tick, WHITE, 2.6);
        self.page.text(MARGIN + 32.0, 73.5, self.bold(21.0, BRAND), text(Locale::Id, "document.wordmark"));
        let issuer = self.fonts.regular.fit(&shown(&self.publisher.issuer), 300.0, 2, 11.0, 8.0);
        let mut y = if issuer.lines.len() > 1 { 64.0 } else { 72.0 };
        for line in &issuer.lines {
            self.page.text_to(WIDTH - MARGIN, y, self.regular(issuer.size, TEXT), line);
            y += issuer.size * 1.35;
        }
        self.page.rule(MARGIN, 94.0, MEASURE, LINE);

        let (id, en) = (self.regular(10.5, TEXT), self.regular(9.0, QUIET));
        let mut room = MEASURE;
        for (locale, style, y) in [(Locale::Id, id, 136.0), (Locale::En, en, 155.0)] {
            let issued =
                fill(locale, "document.issued_on", &[("date", &date(locale, certificate.issued_on))]);
            self.page.text_to(WIDTH - MARGIN, y, style, &issued);
            room = room.min(MEASURE - style.width(&issued) - 16.0);
        }
        let fonts = self.fonts;
        let titles =
            [(Locale::Id, &fonts.bold, 136.0, 27.0, TEXT), (Locale::En, &fonts.regular, 155.0, 13.0, QUIET)];
        for (locale, face, y, size, colour) in titles {
            let title = face.fit(text(locale, certificate.title()), room, 1, size, 9.0);
            for line in &title.lines {
                self.page.text(MARGIN, y, Style::new(face, title.size, colour), line);
            }
        }
    }

    /// Name, identity number and birth date.
    fn person(&mut self, certificate: &Certificate<'_>, y: f32) -> f32 {
        let mut y = self.label(MARGIN, y, "document.name");
        let name = self.fonts.bold.fit(&shown(certificate.name), MEASURE, 2, 23.0, 9.0);
        y += name.size * 0.5;
        for line in &name.lines {
            self.page.text(MARGIN, y, self.bold(name.size, TEXT), line);
            y += name.size * 1.25;
        }
        y += 28.0 - name.size * 0.55;
        self.field(MARGIN, y, COLUMN / 2.0 + 8.0, "document.identity", &certificate.identity);
        let right = MARGIN + COLUMN / 2.0 + 24.0;
        self.date_field(right, y, "document.birth_date", certificate.birth_date) - 12.0
    }

    /// The dose and what was given when and where, left of the QR.
    fn dose(&mut self, certificate: &Certificate<'_>, y: f32) -> f32 {
        self.page.text(
            MARGIN,
            y,
            self.bold(19.0, BRAND),
            &dose(Locale::Id, certificate.dose_number, certificate.doses_in_series),
        );
        self.page.text(
            MARGIN,
            y + 17.0,
            self.regular(11.0, QUIET),
            &dose(Locale::En, certificate.dose_number, certificate.doses_in_series),
        );
        let disease = match certificate.disease {
            DiseaseName { id, en } if id == en => id.clone(),
            DiseaseName { id, en } => format!("{id} / {en}"),
        };
        let y = self.field(MARGIN, y + 42.0, COLUMN, "document.disease", &disease);
        let y = self.field(MARGIN, y, COLUMN, "document.vaccine", certificate.vaccine);
        let y = self.date_field(MARGIN, y, "document.vaccination_date", certificate.vaccination_date);
        let y = self.field(MARGIN, y, COLUMN, "document.batch", certificate.batch);
        self.field(MARGIN, y, COLUMN, "document.facility", certificate.facility)
    }

    /// The QR with the certificate's number below it.
    fn qr(&mut self, certificate: &Certificate<'_>, qr: &Qr, y: f32) -> f32 {
        let x = WIDTH - MARGIN - FRAME - QR_SIDE;
        let middle = x + QR_SIDE / 2.0;
        self.page.qr((x, y), QR_SIDE, qr, BLACK);
        let framed = QR_SIDE + 2.0 * FRAME;
        self.page.frame((x - FRAME, y - FRAME), (framed, framed), 8.0, LINE);
        let y = y + QR_SIDE + 19.0;
        self.page.text_around(middle, y, self.bold(9.5, TEXT), text(Locale::Id, "document.scan"));
        self.page.text_around(middle, y + 12.0, self.regular(8.5, QUIET), text(Locale::En, "document.scan"));
        let (id, en) =
            (text(Locale::Id, "document.certificate_id"), text(Locale::En, "document.certificate_id"));
        self.page.text_around(middle, y + 36.0, self.bold(8.5, QUIET), id);
        self.page.text_around(middle, y + 47.0, self.regular(8.0, QUIET), en);
        let number = self.fonts.bold.fit(&shown(certificate.id), framed, 2, 12.5, 7.0);
        let mut y = y + 64.0;
        for line in &number.lines {
            self.page.text_around(middle, y, self.bold(number.size, TEXT), line);
            y += number.size * 1.3;
        }
        y
    }

    /// How one checks it.
    fn verify(&mut self, y: f32) -> f32 {
        let address = shown(&format!("{}/verify", self.publisher.host));
        let words = |locale| fill(locale, "document.verify", &[("address", &address)]);
        self.note(y, GROUND, BRAND, "document.verify_title", words)
    }

    /// That it should not be posted for all to see.
    fn warning(&mut self, y: f32) -> f32 {
        let words = |locale| text(locale, "document.warning").to_owned();
        self.note(y, WARNING_GROUND, WARNING, "document.warning_title", words)
    }

    /// A panel with a title and a text in both languages.
    fn note(
        &mut self,
        y: f32,
        ground: Colour,
        colour: Colour,
        title: &str,
        words: impl Fn(Locale) -> String,
    ) -> f32 {
        let (x, width) = (MARGIN + 16.0, MEASURE - 32.0);
        let (id, en) = (self.regular(9.5, TEXT), self.regular(8.5, QUIET));
        let (id_words, en_words) = (words(Locale::Id), words(Locale::En));
        // The panel lies under the text, so its height must be known before.
        let id_height = id.height(width, &id_words);
        let height = 37.0 + id_height + en.height(width, &en_words);
        self.page.panel((MARGIN, y), (MEASURE, height), 6.0, ground);
        self.page.panel((MARGIN, y), (4.0, height), 2.0, colour);
        let title_style = self.bold(10.5, colour);
        self.page.text(x, y + 19.0, title_style, text(Locale::Id, title));
        let beside = x + title_style.width(text(Locale::Id, title)) + 8.0;
        self.page.text(beside, y + 19.0, en, text(Locale::En, title));
        let next = self.page.paragraph(x, y + 35.0, width, id, &id_words);
        self.page.paragraph(x, next, width, en, &en_words);
        y + height
    }

    /// Whom to ask.
    fn foot(&mut self, y: f32) -> f32 {
        let (phone, email) = (shown(&self.publisher.helpdesk_phone), shown(&self.publisher.helpdesk_email));
        for (locale, size, colour, y) in [(Locale::Id, 9.5, TEXT, y), (Locale::En, 8.5, QUIET, y + 13.0)] {
            let title = self.bold(size, colour);
            self.page.text(MARGIN, y, title, text(locale, "document.help_title"));
            let beside = MARGIN + title.width(text(locale, "document.help_title")) + 5.0;
            let help = fill(locale, "document.help", &[("phone", &phone), ("email", &email)]);
            let help = self.fonts.regular.fit(&help, WIDTH - MARGIN - beside, 1, size, 6.0);
            for line in &help.lines {
                self.page.text(beside, y, self.regular(help.size, colour), line);
            }
        }
        y + 13.0
    }

    /// A label in both languages. Returns the baseline of what it labels.
    fn label(&mut self, x: f32, y: f32, key: &str) -> f32 {
        let style = self.bold(8.5, QUIET);
        let label = text(Locale::Id, key);
        self.page.text(x, y, style, label);
        self.page.text(x + style.width(label) + 5.0, y, self.regular(8.0, QUIET), text(Locale::En, key));
        y + 17.0
    }

    /// A label with a value of two lines at most below it. Returns where the next field starts.
    fn field(&mut self, x: f32, y: f32, width: f32, key: &str, value: &str) -> f32 {
        let mut y = self.label(x, y, key);
        let value = self.fonts.regular.fit(&shown(value), width, 2, 13.0, 8.0);
        for line in &value.lines {
            self.page.text(x, y, self.regular(value.size, TEXT), line);
            y += value.size * 1.25;
        }
        y + 25.0 - value.size * 1.25
    }

    /// A label with a date below it, in both languages. Returns where the next field starts.
    fn date_field(&mut self, x: f32, y: f32, key: &str, day: Date) -> f32 {
        let y = self.label(x, y, key);
        let style = self.regular(13.0, TEXT);
        let written = date(Locale::Id, day);
        self.page.text(x, y, style, &written);
        let beside = x + style.width(&written) + 7.0;
        self.page.text(beside, y, self.regular(9.0, QUIET), &date(Locale::En, day));
        y + 25.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::HEIGHT;

    #[test]
    fn the_longest_certificate_stays_on_the_page() {
        let long = "Sarana Pelayanan Kesehatan Masyarakat ".repeat(40);
        let certificate = Certificate {
            id: "7KQ2-M4XD-9TRA-6HVC",
            name: &long,
            identity: long.clone(),
            birth_date: jiff::civil::date(1987, 9, 30),
            dose_number: 255,
            doses_in_series: Some(255),
            icvp: true,
            disease: &DiseaseName { id: long.clone(), en: long.clone() + "x" },
            vaccine: &long,
            batch: &long,
            vaccination_date: jiff::civil::date(2021, 9, 30),
            facility: &long,
            issued_on: jiff::civil::date(2021, 9, 30),
            qr_text: "HC1:6BF",
        };
        let publisher = Publisher {
            issuer: long.clone(),
            host: "sertifikat.kesehatan.example.go.id".to_owned(),
            helpdesk_phone: "119 ext. 9".to_owned(),
            helpdesk_email: "layanan.sertifikat@kesehatan.example.go.id".to_owned(),
        };
        let qr = Qr::new(certificate.qr_text).unwrap();
        let mut sheet = Sheet { page: Page::default(), fonts: fonts().unwrap(), publisher: &publisher };
        let last = sheet.draw(&certificate, &qr);
        assert!(last < HEIGHT - 24.0, "{last}");
    }
}

//! The peers' input: the texts and QR codes that Bukti prints, with the position of each line.
//!
//! This favours the peers, which need neither break text into lines nor draw Bukti's decoration.

use bukti_document::Certificate;
use bukti_domain::Publisher;
use bukti_locales::{Locale, birth_date, date, dose, fill, text};
use serde::{Deserialize, Serialize};

/// The size of an A4 page, in points.
pub const A4: (f32, f32) = (595.28, 841.89);
/// The size of an ID-1 card (ISO/IEC 7810), 85.60 x 53.98 mm, in points.
const CARD: (f32, f32) = (242.65, 153.01);
/// The left margin of the A4 page, in points.
const MARGIN: f32 = 56.0;

/// The content of `people.json`, which all peers read.
#[derive(Serialize, Deserialize)]
pub struct PeerInput {
    /// The width and height of the A4 page, in points.
    pub a4: (f32, f32),
    /// The width and height of the card, in points.
    pub card: (f32, f32),
    /// The position of the QR code on the A4 page, including its quiet zone.
    pub a4_qr: Square,
    /// The position of the QR code on the front of the card, including its quiet zone.
    pub card_qr: Square,
    /// The texts of each person's certificate.
    pub people: Vec<Printout>,
}

/// The position of a QR code, in points from the top left corner.
#[derive(Serialize, Deserialize)]
pub struct Square {
    /// The distance from the left edge.
    pub x: f32,
    /// The distance from the top edge.
    pub y: f32,
    /// The side length.
    pub side: f32,
}

/// The text lines and the QR text of one person's certificate.
#[derive(Serialize, Deserialize)]
pub struct Printout {
    /// The text of the QR code.
    pub qr: String,
    /// The lines of the A4 page.
    pub a4: Vec<Line>,
    /// The lines of the front of the card.
    pub front: Vec<Line>,
    /// The lines of the back of the card.
    pub back: Vec<Line>,
}

/// A line of text with its position.
#[derive(Serialize, Deserialize)]
pub struct Line {
    /// The start of the line, in points from the left edge.
    pub x: f32,
    /// The baseline, in points from the top edge.
    pub y: f32,
    /// The font size, in points.
    pub size: f32,
    /// Whether the line is set in bold.
    pub bold: bool,
    /// The text of the line.
    pub text: String,
}

impl PeerInput {
    /// Combines these printouts with the sizes and positions that they share.
    pub fn new(people: Vec<Printout>) -> Self {
        Self {
            a4: A4,
            card: CARD,
            a4_qr: Square { x: A4.0 - MARGIN - 159.0, y: 318.0, side: 156.0 },
            card_qr: Square { x: 134.0, y: 34.0, side: 100.0 },
            people,
        }
    }
}

impl Printout {
    /// Lays out a certificate on the A4 page and on the card.
    pub fn new(certificate: &Certificate<'_>, publisher: &Publisher) -> Self {
        Self {
            qr: certificate.qr_text.to_owned(),
            a4: a4(certificate, publisher),
            front: front(certificate),
            back: back(publisher),
        }
    }
}

fn a4(certificate: &Certificate<'_>, publisher: &Publisher) -> Vec<Line> {
    let mut page = Page::default();
    page.line(MARGIN + 32.0, 73.5, 21.0, true, text(Locale::Id, "document.wordmark"));
    page.line(330.0, 72.0, 11.0, false, &publisher.issuer);
    for (locale, y, size, bold) in [(Locale::Id, 136.0, 27.0, true), (Locale::En, 155.0, 13.0, false)] {
        page.line(MARGIN, y, size, bold, title(locale, certificate));
        page.line(400.0, y + 20.0, 9.5, false, &issued_on(locale, certificate));
    }
    page.label(MARGIN, 200.0, "name");
    page.line(MARGIN, 222.0, 20.0, true, certificate.name);
    page.label(MARGIN, 250.0, "identity");
    page.line(MARGIN, 267.0, 13.0, false, &certificate.identity);
    page.label(230.0, 250.0, "birth_date");
    page.date(230.0, 267.0, certificate.birth_date.first_day());

    for (locale, y, size, bold) in [(Locale::Id, 318.0, 19.0, true), (Locale::En, 335.0, 11.0, false)] {
        page.line(MARGIN, y, size, bold, &number(locale, certificate));
    }
    page.label(MARGIN, 360.0, "disease");
    let disease = certificate.disease;
    let disease = if disease.id == disease.en {
        disease.id.clone()
    } else {
        format!("{} / {}", disease.id, disease.en)
    };
    page.line(MARGIN, 377.0, 13.0, false, &disease);
    page.label(MARGIN, 402.0, "vaccine");
    page.line(MARGIN, 419.0, 13.0, false, certificate.vaccine);
    page.label(MARGIN, 444.0, "vaccination_date");
    page.date(MARGIN, 461.0, certificate.vaccination_date);
    page.label(MARGIN, 486.0, "batch");
    page.line(MARGIN, 503.0, 13.0, false, certificate.batch);
    page.label(MARGIN, 528.0, "facility");
    page.line(MARGIN, 545.0, 13.0, false, certificate.facility);

    let qr = 400.0;
    page.line(qr, 495.0, 9.5, true, text(Locale::Id, "document.scan"));
    page.line(qr, 507.0, 8.5, false, text(Locale::En, "document.scan"));
    page.line(qr, 528.0, 8.5, true, text(Locale::Id, "common.certificate_id"));
    page.line(qr, 539.0, 8.0, false, text(Locale::En, "common.certificate_id"));
    page.line(qr, 556.0, 11.0, true, certificate.id);

    let y = page.note(590.0, "verify_title", |locale| verify(locale, publisher));
    let y = page.note(y + 22.0, "warning_title", |locale| text(locale, "document.warning").to_owned());
    for (locale, y, size) in [(Locale::Id, y + 22.0, 9.5), (Locale::En, y + 36.0, 8.5)] {
        page.line(MARGIN, y, size, true, text(locale, "document.help_title"));
        page.line(MARGIN + 130.0, y, size, false, &help(locale, publisher));
    }
    page.lines
}

fn front(certificate: &Certificate<'_>) -> Vec<Line> {
    let mut page = Page::default();
    let x = 10.0;
    page.line(x, 18.0, 10.0, true, text(Locale::Id, "document.wordmark"));
    page.line(x + 40.0, 18.0, 6.5, true, title(Locale::Id, certificate));
    page.line(x + 40.0, 26.0, 5.5, false, title(Locale::En, certificate));
    page.paragraph(x, 44.0, 9.0, true, 120.0, certificate.name);
    page.line(x, 70.0, 6.5, false, &certificate.identity);
    page.line(x, 79.0, 6.5, false, &birth_date(Locale::Id, certificate.birth_date));
    for (locale, y, size) in [(Locale::Id, 93.0, 7.5), (Locale::En, 101.0, 5.5)] {
        page.line(x, y, size, locale == Locale::Id, &number(locale, certificate));
    }
    page.line(x, 111.0, 6.5, false, certificate.vaccine);
    page.line(x, 120.0, 6.5, false, &date(Locale::Id, certificate.vaccination_date));
    page.line(x, 129.0, 6.5, false, certificate.batch);
    page.line(x, 145.0, 6.5, true, certificate.id);
    page.lines
}

fn back(publisher: &Publisher) -> Vec<Line> {
    let mut page = Page::default();
    let (x, width) = (10.0, 222.0);
    let mut y = 20.0;
    for locale in Locale::ALL {
        page.line(x, y, 7.0, true, text(locale, "document.verify_title"));
        y = page.paragraph(x, y + 9.0, 5.5, false, width, &verify(locale, publisher));
        y = page.paragraph(x, y, 5.5, false, width, text(locale, "document.warning"));
        y = page.paragraph(x, y, 5.5, false, width, &help(locale, publisher)) + 6.0;
    }
    page.line(x, 145.0, 5.5, false, &publisher.issuer);
    page.lines
}

fn title(locale: Locale, certificate: &Certificate<'_>) -> &'static str {
    text(locale, if certificate.icvp { "common.title_icvp" } else { "common.title" })
}

fn issued_on(locale: Locale, certificate: &Certificate<'_>) -> String {
    fill(locale, "document.issued_on", &[("date", &date(locale, certificate.issued_on))])
}

fn number(locale: Locale, certificate: &Certificate<'_>) -> String {
    dose(locale, certificate.dose_number, certificate.doses_in_series)
}

fn verify(locale: Locale, publisher: &Publisher) -> String {
    fill(locale, "document.verify", &[("address", &format!("{}/verify", publisher.host))])
}

fn help(locale: Locale, publisher: &Publisher) -> String {
    let (phone, email) = (&publisher.helpdesk_phone, &publisher.helpdesk_email);
    fill(locale, "document.help", &[("phone", phone), ("email", email)])
}

#[derive(Default)]
struct Page {
    lines: Vec<Line>,
}

impl Page {
    fn line(&mut self, x: f32, y: f32, size: f32, bold: bool, text: &str) {
        self.lines.push(Line { x, y, size, bold, text: text.to_owned() });
    }

    /// Adds a field's label in both languages.
    fn label(&mut self, x: f32, y: f32, key: &str) {
        let key = format!("document.{key}");
        let (id, en) = (text(Locale::Id, &key), text(Locale::En, &key));
        self.line(x, y, 8.5, true, id);
        self.line(x + 1.2 * width(id, 8.5) + 5.0, y, 8.0, false, en);
    }

    /// Adds a date in both languages.
    fn date(&mut self, x: f32, y: f32, day: jiff::civil::Date) {
        let id = date(Locale::Id, day);
        self.line(x, y, 13.0, false, &id);
        self.line(x + 1.2 * width(&id, 13.0) + 5.0, y, 9.0, false, &date(Locale::En, day));
    }

    /// Adds a title and a text in both languages. Returns the last baseline.
    fn note(&mut self, y: f32, title: &str, words: impl Fn(Locale) -> String) -> f32 {
        let mut y = y;
        for (locale, size) in [(Locale::Id, 9.5), (Locale::En, 8.5)] {
            self.line(MARGIN, y, size + 1.0, true, text(locale, &format!("document.{title}")));
            y = self.paragraph(MARGIN, y + 14.0, size, false, A4.0 - 2.0 * MARGIN, &words(locale)) + 4.0;
        }
        y
    }

    /// Adds a text in lines of at most `measure` points. Returns the baseline for the next line.
    fn paragraph(&mut self, x: f32, y: f32, size: f32, bold: bool, measure: f32, text: &str) -> f32 {
        let mut y = y;
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && width(&line, size) + width(word, size) > measure {
                self.line(x, y, size, bold, &line);
                y += size * 1.4;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(x, y, size, bold, &line);
        y + size * 1.4
    }
}

/// Estimates the width of a text. It cannot be exact, since the peers use different fonts.
fn width(text: &str, size: f32) -> f32 {
    text.chars().count() as f32 * size * 0.53
}

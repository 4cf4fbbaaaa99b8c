//! The layout of the card's front and back. It has the size of a bank card (ISO/IEC 7810 ID-1).

use bukti_domain::Publisher;
use bukti_locales::fill;

use crate::canvas::{Canvas, MM, Role, Slot, Style, Weight};
use crate::colours::{BRAND, Colour, LINE, QUIET, TEXT, WARNING, WARNING_GROUND};
use crate::display_text::for_display;
use crate::field::{Field, Language};

/// The size of the card, 85.60 x 53.98 mm, in points.
pub(crate) const SIZE: (f32, f32) = (85.60 * MM, 53.98 * MM);
/// How far the print extends beyond the edge, to allow for inexact cuts.
pub(crate) const BLEED: f32 = 3.0 * MM;
/// The side of the QR code with its quiet zone. Modules are at least 0.40 mm wide up to QR version
/// 22; the longest names in the tests need version 18.
pub(crate) const QR_SIDE: f32 = 45.2 * MM;

const MARGIN: f32 = 10.5;
/// The height of the band along the lower edge.
const BAND: f32 = 12.0;
const BAND_SCALE: f32 = BAND / crate::guilloche::HEIGHT;
const QR_LEFT: f32 = SIZE.0 - QR_SIDE - 1.0 * MM;
const QR_TOP: f32 = 1.6 * MM;
/// The width of the text to the left of the QR code. No gap is needed, since the quiet zone is
/// white.
const COLUMN: f32 = QR_LEFT - MARGIN;

/// Draws the front with the person, the dose and the QR code.
pub(crate) fn front(canvas: &mut impl Canvas, publisher: &Publisher, icvp: bool, language: Language) {
    band(canvas);
    canvas.mark((MARGIN, 9.5), 11.5);
    canvas.text(
        (MARGIN + 15.5, 18.6),
        text_style(Weight::Bold, 10.5, BRAND, language),
        &language.text("document.wordmark"),
    );
    let title = if icvp { "common.title_icvp" } else { "common.title" };
    let style = text_style(Weight::Regular, 6.6, BRAND, language);
    canvas.text_in_box((MARGIN, 24.3), (COLUMN, 8.8), style, 3.6, &language.text(title));
    let style = text_style(Weight::Regular, 5.0, QUIET, language);
    canvas.text_in_box((MARGIN, 33.6), (COLUMN, 9.2), style, 3.6, &for_display(&publisher.issuer));

    let mut column = Column { canvas, language };
    column.slot(Field::Name, 45.0, 23.0, (13.5, 3.6), Weight::Regular, TEXT);
    for (at, locale) in language.locales().iter().enumerate() {
        column.language = Language::One(*locale);
        let (y, colour) = if at == 0 { (70.5, TEXT) } else { (77.5, QUIET) };
        column.slot(Field::LabelledBirthDate, y, 5.0, (6.0, 4.0), Weight::Regular, colour);
    }
    column.language = language;
    column.slot(Field::Identity, 85.0, 4.8, (6.4, 4.4), Weight::Regular, TEXT);
    column.slot(Field::Dose, 95.0, 12.0, (11.5, 4.5), Weight::Bold, BRAND);
    column.slot(Field::DiseaseAndVaccine, 110.0, 11.0, (7.0, 4.4), Weight::Regular, TEXT);
    column.slot(Field::VaccinationDate, 124.5, 6.0, (7.0, 4.0), Weight::Regular, TEXT);
    canvas.qr((QR_LEFT, QR_TOP), QR_SIDE);
}

/// Draws the back: batch, facility, day of issue, id, how to verify the certificate, helpdesk and
/// warning.
pub(crate) fn back(canvas: &mut impl Canvas, publisher: &Publisher, language: Language) {
    band(canvas);
    let wide = SIZE.0 - 2.0 * MARGIN;
    let half = wide / 2.0 - 5.0;
    let right = MARGIN + half + 10.0;
    let mut labelled = |x: f32, y: f32, width: f32, height: f32, key: &'static str, field: Field| {
        let label = text_style(Weight::Regular, 5.0, QUIET, language);
        canvas.text_on_line((x, y), width, label, &language.text(key));
        let style = Style::new(Weight::Regular, 7.4, TEXT);
        canvas.slot(Slot { field, language, x, y: y + 3.2, width, height, style, min_size: 4.4 });
    };
    labelled(MARGIN, 13.0, half, 6.0, "document.batch", Field::Batch);
    labelled(right, 13.0, half, 6.0, "document.issued", Field::IssuedOn);
    labelled(MARGIN, 30.0, wide, 6.0, "document.facility", Field::Facility);
    labelled(MARGIN, 47.0, wide, 8.0, "common.certificate_id", Field::Id);
    let spelled = Style::new(Weight::Regular, 5.6, QUIET);
    let slot = Slot {
        field: Field::IdSpelled,
        language,
        x: MARGIN,
        y: 60.0,
        width: wide,
        height: 4.5,
        style: spelled,
        min_size: 3.6,
    };
    canvas.slot(slot);
    canvas.stroke(&[(MARGIN, 70.5), (MARGIN + wide, 70.5)], LINE, 0.5, 0.0);

    let host = for_display(&format!("{}/verify", publisher.host));
    let (phone, email) = (for_display(&publisher.helpdesk_phone), for_display(&publisher.helpdesk_email));
    let verify = [("address", &*host)];
    let help = [("phone", &*phone), ("email", &*email)];
    let mut y = 79.0;
    for (key, values) in [("document.verify_card", &verify[..]), ("document.help_card", &help[..])] {
        let locales = language.locales();
        for (at, locale) in locales.iter().enumerate() {
            let colour = if at == 0 { TEXT } else { QUIET };
            let size = if at == 0 { 5.8 } else { 5.2 };
            let style = Style::new(Weight::Regular, size, colour).locale(*locale);
            canvas.text_on_line((MARGIN, y), wide, style, &fill(*locale, key, values));
            y += size + 1.8;
        }
        y += 2.0;
    }
    let locales = language.locales();
    canvas.panel(
        (MARGIN - 4.0, y - 5.5),
        (wide + 8.0, 8.2 * locales.len() as f32 + 4.0),
        3.0,
        WARNING_GROUND,
    );
    y += 2.5;
    for (at, locale) in locales.iter().enumerate() {
        let size = if at == 0 { 6.2 } else { 5.4 };
        let style = Style::new(Weight::Regular, size, WARNING).locale(*locale);
        canvas.text_on_line((MARGIN, y), wide, style, &fill(*locale, "document.warning_card", &[]));
        y += 8.0;
    }
}

/// Returns the style of a text in this language, or in the first of both languages.
fn text_style(weight: Weight, size: f32, colour: Colour, language: Language) -> Style {
    Style::new(weight, size, colour).locale(language.locales()[0])
}

/// Draws the band along the lower edge, including its bleed.
fn band(canvas: &mut impl Canvas) {
    let size = (SIZE.0 + 2.0 * BLEED, BAND + BLEED);
    canvas.band((-BLEED, SIZE.1 - BAND), size, BAND_SCALE);
}

/// The column of text to the left of the QR code.
struct Column<'c, C> {
    canvas: &'c mut C,
    language: Language,
}

impl<C: Canvas> Column<'_, C> {
    fn slot(
        &mut self,
        field: Field,
        y: f32,
        height: f32,
        (size, min_size): (f32, f32),
        weight: Weight,
        colour: Colour,
    ) {
        let role = if field == Field::Name { Role::Title } else { Role::Text };
        let style = Style::new(weight, size, colour).role(role);
        self.canvas.slot(Slot {
            field,
            language: self.language,
            x: MARGIN,
            y,
            width: COLUMN,
            height,
            style,
            min_size,
        });
    }
}

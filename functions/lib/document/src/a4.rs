//! The layout of the A4 page, in Indonesian and English.
//!
//! Folded in half four times, the page is A8 (52.5 x 74.25 mm) and fits into a wallet, with the QR
//! code on the outside. No fold crosses the QR code or the text beside it.

use bukti_domain::Publisher;
use bukti_locales::{Locale, fill, text};

use crate::canvas::{Align, Canvas, MM, Role, Slot, Style, Weight};
use crate::card::QR_SIDE;
use crate::colours::{BRAND, Colour, GROUND, LINE, QUIET, TEXT, WARNING, WARNING_GROUND};
use crate::display_text::for_display;
use crate::field::{Field, Language};
use crate::font::LEADING;

/// The size of an A4 page, 210 x 297 mm, in points.
pub(crate) const SIZE: (f32, f32) = (210.0 * MM, 297.0 * MM);

/// The left and right margins, and the width of the text area between them.
const MARGIN: f32 = 16.0 * MM;
const MEASURE: f32 = SIZE.0 - 2.0 * MARGIN;
/// The height of the guilloche band along the upper edge.
const BAND: f32 = crate::guilloche::HEIGHT;
/// The x and y coordinates of the folds.
const COLUMNS: [f32; 3] = [SIZE.0 / 4.0, SIZE.0 / 2.0, SIZE.0 * 0.75];
const ROWS: [f32; 3] = [SIZE.1 / 4.0, SIZE.1 / 2.0, SIZE.1 * 0.75];
/// The width of the table to the left of the QR code, and the width of its label column.
const FIELDS: f32 = COLUMNS[1] - MARGIN - 12.0;
const LABELS: f32 = 84.0;

/// Draws the page and returns the y coordinate at which its content ends. `icvp` selects the WHO's
/// International Certificate of Vaccination or Prophylaxis, whose wording is prescribed.
pub(crate) fn page(canvas: &mut impl Canvas, publisher: &Publisher, icvp: bool) -> f32 {
    let mut page = Page { canvas, publisher };
    page.folds();
    page.header(icvp);
    page.person(icvp);
    page.dose();
    page.folded_front();
    page.certificate_id();
    page.notes(icvp)
}

struct Page<'c, C> {
    canvas: &'c mut C,
    publisher: &'c Publisher,
}

fn regular(size: f32, colour: Colour) -> Style {
    Style::new(Weight::Regular, size, colour)
}

fn bold(size: f32, colour: Colour) -> Style {
    Style::new(Weight::Bold, size, colour)
}

impl<C: Canvas> Page<'_, C> {
    /// Draws the fold marks: dashed lines across areas without text, and ticks at the page's edges
    /// elsewhere.
    fn folds(&mut self) {
        let (width, height) = SIZE;
        for y in [ROWS[0], ROWS[1]] {
            self.canvas.stroke(&[(0.0, y), (width, y)], LINE, 0.6, 3.0);
        }
        for x in [COLUMNS[1], COLUMNS[2]] {
            self.canvas.stroke(&[(x, ROWS[0]), (x, ROWS[1])], LINE, 0.6, 3.0);
        }
        for x in COLUMNS {
            self.canvas.stroke(&[(x, height - 14.0), (x, height)], LINE, 0.6, 3.0);
        }
        for x in [0.0, width - 14.0] {
            self.canvas.stroke(&[(x, ROWS[2]), (x + 14.0, ROWS[2])], LINE, 0.6, 3.0);
        }
    }

    /// Draws the band, the wordmark, the issuer, the title and the day of issue.
    fn header(&mut self, icvp: bool) {
        let right = SIZE.0 - MARGIN;
        self.canvas.band((0.0, 0.0), (SIZE.0, BAND), 1.0);
        self.canvas.mark((MARGIN, 44.0), 24.0);
        let wordmark = bold(21.0, BRAND).locale(Locale::Id);
        self.canvas.text((MARGIN + 32.0, 63.5), wordmark, text(Locale::Id, "document.wordmark"));
        let issuer = regular(11.0, TEXT).locale(Locale::Id).align(Align::Right);
        self.canvas.text_in_box(
            (right, 47.0),
            (300.0, 24.0),
            issuer,
            8.0,
            &for_display(&self.publisher.issuer),
        );

        let title = if icvp { "common.title_icvp" } else { "common.title" };
        let id = bold(26.0, TEXT).role(Role::Title).locale(Locale::Id);
        let en = regular(13.0, QUIET).locale(Locale::En);
        self.canvas.text_on_line((MARGIN, 112.0), MEASURE - 130.0, id, text(Locale::Id, title));
        self.canvas.text_on_line((MARGIN, 131.0), MEASURE - 130.0, en, text(Locale::En, title));
        let at = right - 118.0;
        self.label(at, 100.0, 118.0, "document.issued");
        self.bilingual_value(Slot {
            field: Field::IssuedOn,
            language: Language::Both,
            x: at,
            y: 115.0,
            width: 118.0,
            height: 12.5,
            style: regular(12.5, TEXT),
            min_size: 6.0,
        });
    }

    /// Draws the name. An international certificate also requires the sex and the nationality.
    fn person(&mut self, icvp: bool) {
        let width = if icvp { COLUMNS[1] + 40.0 - MARGIN } else { MEASURE };
        self.label(MARGIN, 151.0, width, "document.name");
        let name = Slot {
            field: Field::Name,
            language: Language::Both,
            x: MARGIN,
            y: 166.0,
            width,
            height: 39.0,
            style: regular(26.0, TEXT).role(Role::Heading),
            min_size: 9.0,
        };
        self.canvas.slot(name);
        if icvp {
            let fields = [("document.sex", Field::Sex), ("document.nationality", Field::Nationality)];
            for ((key, field), x) in fields.into_iter().zip([COLUMNS[2] - 60.0, COLUMNS[2] + 30.0]) {
                self.label(x, 151.0, 80.0, key);
                let style = regular(11.5, TEXT);
                self.canvas.slot(Slot {
                    field,
                    x,
                    y: 167.0,
                    width: 80.0,
                    height: 12.0,
                    style,
                    min_size: 5.0,
                    ..name
                });
            }
        }
    }

    /// Draws the table to the left of the QR code: identity, birth date, dose, disease, vaccine,
    /// date, batch and facility.
    fn dose(&mut self) {
        let rows = [
            ("common.identity", Field::Identity),
            ("document.birth_date", Field::BirthDate),
            ("document.which_dose", Field::Dose),
            ("document.disease", Field::Disease),
            ("document.vaccine", Field::Vaccine),
            ("document.vaccination_date", Field::VaccinationDate),
            ("document.batch", Field::Batch),
            ("document.facility", Field::Facility),
        ];
        let pitch = (ROWS[1] - ROWS[0] - 12.0) / rows.len() as f32;
        for (at, (key, field)) in rows.into_iter().enumerate() {
            let y = ROWS[0] + 9.0 + at as f32 * pitch;
            self.label(MARGIN, y + 8.0, LABELS - 6.0, key);
            let style = match field {
                Field::Dose => bold(12.5, BRAND),
                _ => regular(11.5, TEXT),
            };
            let slot = Slot {
                field,
                language: Language::Both,
                x: MARGIN + LABELS,
                y: y + 1.5,
                width: FIELDS - LABELS,
                height: 19.0,
                style,
                min_size: 6.0,
            };
            match field {
                Field::Dose | Field::BirthDate | Field::VaccinationDate => self.bilingual_value(slot),
                _ => self.canvas.slot(slot),
            }
        }
    }

    /// Draws the panel that is on the outside when the page is folded: dose, vaccine and QR code.
    fn folded_front(&mut self) {
        let middle = (COLUMNS[1] + COLUMNS[2]) / 2.0;
        let dose = Slot {
            field: Field::Dose,
            language: Language::One(Locale::Id),
            x: middle,
            y: ROWS[0] + 13.0,
            width: QR_SIDE,
            height: 11.0,
            style: bold(11.0, BRAND).align(Align::Middle).locale(Locale::Id),
            min_size: 6.0,
        };
        self.canvas.slot(dose);
        let style = regular(8.0, QUIET).align(Align::Middle);
        let vaccine = Slot {
            field: Field::DiseaseAndVaccine,
            y: ROWS[0] + 27.0,
            height: 10.0,
            style,
            min_size: 4.0,
            ..dose
        };
        self.canvas.slot(vaccine);
        let y = ROWS[0] + 41.0;
        self.canvas.frame((middle - QR_SIDE / 2.0 - 2.0, y - 2.0), (QR_SIDE + 4.0, QR_SIDE + 4.0), 7.0, LINE);
        self.canvas.qr((middle - QR_SIDE / 2.0, y), QR_SIDE);
        let y = y + QR_SIDE + 17.0;
        let id = regular(9.5, TEXT).align(Align::Middle).locale(Locale::Id);
        let en = regular(8.0, QUIET).align(Align::Middle).locale(Locale::En);
        self.canvas.text((middle, y), id, text(Locale::Id, "document.scan"));
        self.canvas.text((middle, y + 11.0), en, text(Locale::En, "document.scan"));
    }

    /// Draws the certificate's id. Below each group is its spelling, for reading the id out on the
    /// phone.
    fn certificate_id(&mut self) {
        let (x, width) = (COLUMNS[2] + 14.0, SIZE.0 - MARGIN - COLUMNS[2] - 14.0);
        let y = ROWS[0] + 20.0;
        self.label(x, y, width, "common.certificate_id");
        for group in 0..4 {
            let y = y + 24.0 + group as f32 * 36.0;
            let style = regular(16.0, TEXT);
            let slot = Slot {
                field: Field::IdGroup(group),
                language: Language::Both,
                x,
                y,
                width,
                height: 15.0,
                style,
                min_size: 6.0,
            };
            self.canvas.slot(slot);
            let style = regular(7.6, QUIET);
            self.canvas.slot(Slot {
                field: Field::GroupSpelled(group),
                y: y + 15.5,
                height: 8.0,
                style,
                min_size: 4.0,
                ..slot
            });
        }
    }

    /// Draws the lower half: how to verify, a warning and the helpdesk. It is the same on all
    /// certificates, except that an international certificate also has its statement. Returns the y
    /// coordinate at which the notes end.
    fn notes(&mut self, icvp: bool) -> f32 {
        let gap = if icvp { 8.0 } else { 14.0 };
        let mut y = ROWS[1] + gap + 2.0;
        if icvp {
            y = self.statement(y) + gap;
        }
        let host = for_display(&format!("{}/verify", self.publisher.host));
        let verify = |locale| fill(locale, "document.verify", &[("address", &*host)]);
        y = self.note(y, GROUND, BRAND, "document.verify_title", verify) + gap;
        let warning = |locale| text(locale, "document.warning").to_owned();
        y = self.note(y, WARNING_GROUND, WARNING, "document.warning_title", warning) + gap;
        let (phone, email) =
            (for_display(&self.publisher.helpdesk_phone), for_display(&self.publisher.helpdesk_email));
        let help = |locale| fill(locale, "document.help", &[("phone", &*phone), ("email", &*email)]);
        let end = self.note(y, GROUND, BRAND, "document.help_title", help);
        for (locale, y) in [(Locale::Id, SIZE.1 - 32.0), (Locale::En, SIZE.1 - 21.0)] {
            let style = regular(8.0, QUIET).locale(locale).align(Align::Middle);
            self.canvas.text_on_line((SIZE.0 / 2.0, y), MEASURE, style, text(locale, "document.fold"));
        }
        end
    }

    /// Draws the statement that the International Health Regulations (annex 6) prescribe for an
    /// international certificate, and the certificate's validity period. Returns the y coordinate
    /// at which the statement ends.
    fn statement(&mut self, y: f32) -> f32 {
        let slots = [(Locale::Id, MARGIN, TEXT), (Locale::En, COLUMNS[1] + 8.0, QUIET)];
        let mut end = y;
        for (locale, x, colour) in slots {
            let title = regular(10.5, BRAND).locale(locale).role(Role::Heading);
            self.canvas.text_on_line((x, y + 9.0), FIELDS, title, text(locale, "document.icvp_title"));
            let slot = Slot {
                field: Field::Statement,
                language: Language::One(locale),
                x,
                y: y + 16.0,
                width: FIELDS,
                height: 42.0,
                style: regular(9.0, colour).locale(locale),
                min_size: 7.0,
            };
            self.canvas.slot(slot);
            let style = regular(9.2, BRAND).locale(locale);
            self.canvas.slot(Slot { field: Field::ValidFrom, y: y + 62.0, height: 9.2, style, ..slot });
            let style = regular(7.8, QUIET).locale(locale);
            end = self
                .canvas
                .paragraph((x, y + 84.0), FIELDS, style, text(locale, "document.icvp_rules"))
                .max(end);
        }
        end
    }

    /// Draws a panel with a title and a text, in Indonesian to the left of the middle fold and in
    /// English to the right. Returns the y coordinate of its lower edge.
    fn note(
        &mut self,
        y: f32,
        ground: Colour,
        colour: Colour,
        title: &str,
        words: impl Fn(Locale) -> String,
    ) -> f32 {
        let width = FIELDS - 14.0;
        let columns = [
            (Locale::Id, MARGIN + 14.0, bold(10.0, colour), regular(9.0, TEXT)),
            (Locale::En, COLUMNS[1] + 8.0, regular(10.0, colour), regular(9.0, QUIET)),
        ];
        // The panel lies below the text and is drawn first, so its height is computed in advance.
        let heights = columns.map(|(locale, _, _, style)| self.canvas.height(width, style, &words(locale)));
        let height = 26.0 + heights[0].max(heights[1]);
        self.canvas.panel((MARGIN, y), (MEASURE, height), 6.0, ground);
        self.canvas.panel((MARGIN, y), (4.0, height), 2.0, colour);
        for (locale, x, heading, style) in columns {
            let heading = heading.locale(locale).role(Role::Heading);
            self.canvas.text_on_line((x, y + 16.0), width, heading, text(locale, title));
            self.canvas.paragraph(
                (x, y + 19.0 + style.size * LEADING),
                width,
                style.locale(locale),
                &words(locale),
            );
        }
        y + height
    }

    /// Draws a label in Indonesian, with the English label below it.
    fn label(&mut self, x: f32, y: f32, width: f32, key: &str) {
        for (locale, size, y) in [(Locale::Id, 8.5, y), (Locale::En, 7.0, y + 9.0)] {
            self.canvas.text_on_line((x, y), width, regular(size, QUIET).locale(locale), text(locale, key));
        }
    }

    /// Draws a one-line value in Indonesian, with the English value below it.
    fn bilingual_value(&mut self, slot: Slot) {
        let (height, min_size) = (slot.style.size, 6.0);
        let style = slot.style.locale(Locale::Id);
        self.canvas.slot(Slot { language: Language::One(Locale::Id), height, style, min_size, ..slot });
        let style = regular(8.0, QUIET).locale(Locale::En);
        let y = slot.y + height;
        self.canvas.slot(Slot {
            language: Language::One(Locale::En),
            y,
            height: 8.0,
            style,
            min_size,
            ..slot
        });
    }
}

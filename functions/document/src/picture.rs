//! The certificate on a phone's screen: an SVG in the proportions of a bank card.

use std::fmt::{self, Write};

use bukti_domain::Publisher;
use bukti_locales::{Locale, date, dose, fill, text};

use crate::font::{Face, Fonts, fonts};
use crate::look::{BLACK, BRAND, Colour, GROUND, LINE, QUIET, TEXT, WAVES, WHITE};
use crate::qr::{QUIET_ZONE, Qr};
use crate::words::shown;
use crate::{Certificate, DocumentError, guilloche};

/// Ten to a millimetre of an ID-1 card.
const WIDTH: f32 = 856.0;
const HEIGHT: f32 = 540.0;
/// The band along the lower edge.
const BAND: f32 = 44.0;
/// The margin at the left and right.
const MARGIN: f32 = 36.0;
/// The QR with its quiet zone: two thirds of the height, since this is what a camera must read off a phone.
/// The design asks for 40 % at the least.
const QR_SIDE: f32 = 368.0;
// The quiet zone is white like the card, so it may reach into the margin: the modules then end where the text
// does.
const QR_LEFT: f32 = WIDTH - MARGIN + 15.0 - QR_SIDE;
const QR_TOP: f32 = 100.0;
/// The width for text left of the QR.
const COLUMN: f32 = QR_LEFT - MARGIN - 4.0;
/// The width for the issuer, right of the wordmark.
const ISSUER: f32 = 540.0;
/// The share of its room that a line may take before its length is fixed: the widest of the phones' fonts
/// runs a fifth wider than the one that we measure with.
const LOOSE: f32 = 0.8;

/// The picture as an SVG document.
pub(crate) fn picture(
    certificate: &Certificate<'_>,
    publisher: &Publisher,
    locale: Locale,
) -> Result<String, DocumentError> {
    let qr = Qr::new(certificate.qr_text)?;
    let mut svg = Svg { out: String::with_capacity(24 * 1024), fonts: fonts()? };
    svg.draw(certificate, publisher, locale, &qr).map_err(|_| DocumentError::Write)?;
    Ok(svg.out)
}

struct Svg {
    out: String,
    /// To measure with, and only that: the picture uses the phone's font.
    fonts: &'static Fonts,
}

impl Svg {
    fn draw(
        &mut self,
        certificate: &Certificate<'_>,
        publisher: &Publisher,
        locale: Locale,
        qr: &Qr,
    ) -> fmt::Result {
        let name = shown(certificate.name);
        let issuer = shown(&publisher.issuer);
        let vaccine = shown(certificate.vaccine);
        let disease = shown(certificate.disease.in_language(locale.tag()));
        let identity = shown(&certificate.identity);
        let (dose, day) = (
            dose(locale, certificate.dose_number, certificate.doses_in_series),
            date(locale, certificate.vaccination_date),
        );
        let description = fill(
            locale,
            "document.picture_description",
            &[
                ("dose", &dose),
                ("vaccine", &vaccine),
                ("disease", &disease),
                ("date", &day),
                ("identity", &identity),
                ("issuer", &issuer),
            ],
        );
        // Ids are shared by everything on the page that the picture is put into.
        let key = format!("bukti-{:016x}", guilloche::fingerprint(certificate.id));

        write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" lang=\"{tag}\" xml:lang=\"{tag}\" \
             aria-labelledby=\"{key}-title\" aria-describedby=\"{key}-desc\" \
             font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Helvetica Neue',Arial,\
             sans-serif\"><title id=\"{key}-title\">{title}: {name}</title>\
             <desc id=\"{key}-desc\">{description}</desc>",
            tag = locale.tag(),
            title = Escaped(text(locale, certificate.title())),
            name = Escaped(&name),
            description = Escaped(&description),
        )?;
        self.ground(certificate, &key)?;
        self.head(locale, &issuer)?;
        let given = format!("{disease} · {vaccine}");
        self.title(text(locale, certificate.title()))?;
        self.fields(locale, &name, &dose, &given, &day, &identity)?;
        self.qr(qr)?;
        self.out.push_str("</svg>\n");
        Ok(())
    }

    /// The card with its band.
    fn ground(&mut self, certificate: &Certificate<'_>, key: &str) -> fmt::Result {
        let top = HEIGHT - BAND;
        write!(
            self.out,
            "<clipPath id=\"{key}-card\"><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"32\"/></clipPath>\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"32\" fill=\"{WHITE}\"/>\
             <g clip-path=\"url(#{key}-card)\" fill=\"none\" stroke-width=\"1.1\">\
             <rect y=\"{top}\" width=\"{WIDTH}\" height=\"{BAND}\" fill=\"{GROUND}\"/>",
        )?;
        let curves = guilloche::band(certificate.id, WIDTH, BAND);
        for (curve, colour) in curves.iter().zip(WAVES.iter().cycle()) {
            let (x, y) = curve.start;
            write!(self.out, "<path stroke=\"{colour}\" d=\"M{x:.0} {:.1}C", top + y)?;
            for (index, (x, y)) in curve.pieces.iter().flatten().enumerate() {
                let separator = if index == 0 { "" } else { " " };
                write!(self.out, "{separator}{x:.1} {:.1}", top + y)?;
            }
            self.out.push_str("\"/>");
        }
        write!(
            self.out,
            "</g><rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"31\" fill=\"none\" stroke=\"{LINE}\" \
             stroke-width=\"2\"/>",
            WIDTH - 2.0,
            HEIGHT - 2.0,
        )
    }

    /// Wordmark and issuer.
    fn head(&mut self, locale: Locale, issuer: &str) -> fmt::Result {
        write!(
            self.out,
            "<rect x=\"{MARGIN}\" y=\"32\" width=\"38\" height=\"38\" rx=\"10\" fill=\"{BRAND}\"/>\
             <path d=\"M{} 51.5l6.5 6.5l11-13\" fill=\"none\" stroke=\"{WHITE}\" stroke-width=\"4\" \
             stroke-linecap=\"round\" stroke-linejoin=\"round\"/>",
            MARGIN + 10.0,
        )?;
        let fonts = self.fonts;
        self.line(
            (MARGIN + 50.0, 61.0),
            &fonts.bold,
            30.0,
            BRAND,
            Anchor::Start,
            text(locale, "document.wordmark"),
        )?;
        let issuer = fonts.regular.fit(issuer, ISSUER, 2, 19.0, 13.0);
        let mut y = if issuer.lines.len() > 1 { 47.0 } else { 57.0 };
        for line in &issuer.lines {
            self.line((WIDTH - MARGIN, y), &fonts.regular, issuer.size, QUIET, Anchor::End, line)?;
            y += issuer.size * 1.3;
        }
        Ok(())
    }

    fn title(&mut self, title: &str) -> fmt::Result {
        let fonts = self.fonts;
        let title = fonts.regular.fit(title, COLUMN, 1, 19.0, 13.0);
        for line in &title.lines {
            self.line((MARGIN, 132.0), &fonts.regular, title.size, QUIET, Anchor::Start, line)?;
        }
        Ok(())
    }

    /// What is beside the QR, below the title.
    fn fields(
        &mut self,
        locale: Locale,
        name: &str,
        dose: &str,
        given: &str,
        day: &str,
        identity: &str,
    ) -> fmt::Result {
        let fonts = self.fonts;
        let y = self.fitted(177.0, &fonts.bold, (38.0, 16.0), TEXT, name)?;
        let y = self.label(y.max(232.0) + 10.0, text(locale, "document.identity"))?;
        self.fitted(y, &fonts.regular, (22.0, 16.0), TEXT, identity)?;
        // The dose stays where it is, whether the name takes one line or two.
        let y = self.fitted(366.0, &fonts.bold, (34.0, 18.0), BRAND, dose)?;
        let y = self.fitted(y, &fonts.regular, (22.0, 16.0), TEXT, given)?;
        self.fitted(y, &fonts.regular, (22.0, 16.0), TEXT, day)?;
        Ok(())
    }

    fn label(&mut self, y: f32, label: &str) -> Result<f32, fmt::Error> {
        let fonts = self.fonts;
        self.line((MARGIN, y), &fonts.regular, 17.0, QUIET, Anchor::Start, label)?;
        Ok(y + 27.0)
    }

    /// A text of two lines at most, as large as fits between the sizes. Returns the baseline after it.
    fn fitted(
        &mut self,
        y: f32,
        face: &Face,
        (largest, smallest): (f32, f32),
        colour: Colour,
        text: &str,
    ) -> Result<f32, fmt::Error> {
        let fitted = face.fit(text, COLUMN, 2, largest, smallest);
        let mut y = y;
        for line in &fitted.lines {
            self.line((MARGIN, y), face, fitted.size, colour, Anchor::Start, line)?;
            y += fitted.size * 1.2;
        }
        Ok(y + 6.0)
    }

    /// The QR, as strokes one module thick: fewer letters than rectangles.
    fn qr(&mut self, qr: &Qr) -> fmt::Result {
        write!(
            self.out,
            "<rect x=\"{QR_LEFT}\" y=\"{QR_TOP}\" width=\"{QR_SIDE}\" height=\"{QR_SIDE}\" fill=\"{WHITE}\"/>\
             <path transform=\"translate({QR_LEFT} {QR_TOP}) scale({:.4})\" stroke=\"{BLACK}\" \
             shape-rendering=\"crispEdges\" d=\"",
            QR_SIDE / qr.width_with_quiet_zone() as f32,
        )?;
        let mut row = None;
        let mut end = 0;
        for run in qr.runs() {
            if row == Some(run.y) {
                write!(self.out, "m{} 0h{}", run.x - end, run.length)?;
            } else {
                write!(self.out, "M{} {}.5h{}", run.x + QUIET_ZONE, run.y + QUIET_ZONE, run.length)?;
            }
            row = Some(run.y);
            end = run.x + run.length;
        }
        self.out.push_str("\"/>");
        Ok(())
    }

    fn line(
        &mut self,
        (x, y): (f32, f32),
        face: &Face,
        size: f32,
        colour: Colour,
        anchor: Anchor,
        text: &str,
    ) -> fmt::Result {
        let weight = if std::ptr::eq(face, &self.fonts.bold) { " font-weight=\"700\"" } else { "" };
        let (anchor, room) = match anchor {
            Anchor::Start => ("", COLUMN),
            Anchor::End => (" text-anchor=\"end\"", ISSUER),
        };
        write!(
            self.out,
            "<text x=\"{x}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\"{weight}{anchor}",
        )?;
        let length = face.width(text) * size;
        if length > LOOSE * room {
            // Else the end of the line might run into the QR, with fonts that we do not know.
            write!(self.out, " textLength=\"{length:.0}\" lengthAdjust=\"spacingAndGlyphs\"")?;
        }
        write!(self.out, ">{}</text>", Escaped(text))
    }
}

#[derive(Clone, Copy, Debug)]
enum Anchor {
    Start,
    End,
}

/// A text as XML writes it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            formatter.write_str(&rest[..at])?;
            formatter.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        formatter.write_str(rest)
    }
}

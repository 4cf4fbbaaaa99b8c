//! SVG images for phone screens: the front of the card, and the QR code of a ticket.

use std::fmt::{self, Write};

use bukti_domain::Publisher;
use bukti_locales::{Locale, fill, text};

use crate::canvas::{Align, Canvas, Slot, Style, Weight};
use crate::colours::{BLACK, Colour, GROUND, LINE, WAVES, WHITE};
use crate::display_text::for_display;
use crate::field::{Field, Language};
use crate::font::{CAPITALS, Fonts, LEADING, fonts};
use crate::qr::{PIXELS, QUIET_ZONE, Qr};
use crate::{Certificate, DocumentError, card, guilloche};

/// The corner radius of a bank card (ISO/IEC 7810), 3.18 mm, in points.
const CORNER: f32 = 9.0;
/// The share of the available width above which `textLength` fixes a line's length. The widest
/// system font on phones is a fifth wider than the font that the measurements are based on.
const MAX_FLEXIBLE_SHARE: f32 = 0.8;

/// Renders the front of the card as an SVG document.
pub(crate) fn picture(
    certificate: &Certificate<'_>,
    publisher: &Publisher,
    locale: Locale,
) -> Result<String, DocumentError> {
    let mut svg = Svg {
        out: String::with_capacity(24 * 1024),
        result: Ok(()),
        fonts: fonts()?,
        certificate,
        qr: Qr::of_certificate(certificate.qr_text)?,
        // Element ids must be unique in the page that embeds the image.
        id_prefix: format!("bukti-{:016x}", guilloche::fingerprint(certificate.id)),
    };
    svg.open(publisher, locale);
    card::front(&mut svg, publisher, certificate.icvp, Language::One(locale));
    svg.close();
    svg.result.map_err(|_| DocumentError::Write)?;
    Ok(svg.out)
}

/// Renders a QR code with its quiet zone as an SVG document.
pub(crate) fn qr(text: &str) -> Result<String, DocumentError> {
    let qr = Qr::of_plain_text(text)?;
    let side = qr.width_with_quiet_zone();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{size}\" height=\"{size}\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"{WHITE}\"/>\
         <path stroke=\"{BLACK}\" shape-rendering=\"crispEdges\" d=\"{strokes}\"/></svg>\n",
        size = side * PIXELS,
        strokes = Strokes(&qr),
    ))
}

/// A canvas that writes an SVG document. The first error is kept and returned at the end.
struct Svg<'c> {
    out: String,
    result: fmt::Result,
    /// Used only for measuring. The image itself uses the phone's system font, which supports other
    /// scripts.
    fonts: &'static Fonts,
    certificate: &'c Certificate<'c>,
    qr: Qr,
    id_prefix: String,
}

/// Writes to the SVG, unless an earlier write failed.
macro_rules! write_svg {
    ($svg:expr, $($format:tt)*) => {
        if $svg.result.is_ok() {
            $svg.result = write!($svg.out, $($format)*);
        }
    };
}

impl Svg<'_> {
    fn open(&mut self, publisher: &Publisher, locale: Locale) {
        let of = |field: Field| field.text(self.certificate, Language::One(locale));
        let description = fill(
            locale,
            "document.picture_description",
            &[
                ("dose", &of(Field::Dose)),
                ("vaccine", &of(Field::Vaccine)),
                ("disease", &of(Field::Disease)),
                ("date", &of(Field::VaccinationDate)),
                ("identity", &of(Field::Identity)),
                ("issuer", &for_display(&publisher.issuer)),
            ],
        );
        let title = if self.certificate.icvp { "common.title_icvp" } else { "common.title" };
        let (name, key, (width, height)) = (of(Field::Name), &self.id_prefix, card::SIZE);
        write_svg!(
            self,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.2} {height:.2}\" width=\"856\" \
             height=\"540\" role=\"img\" lang=\"{tag}\" xml:lang=\"{tag}\" \
             aria-labelledby=\"{key}-title\" aria-describedby=\"{key}-desc\" \
             font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Helvetica Neue',Arial,\
             sans-serif\"><title id=\"{key}-title\">{title}: {name}</title>\
             <desc id=\"{key}-desc\">{description}</desc>\
             <clipPath id=\"{key}-card\"><rect width=\"{width:.2}\" height=\"{height:.2}\" rx=\"{CORNER}\"/></clipPath>\
             <g clip-path=\"url(#{key}-card)\">\
             <rect width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{WHITE}\"/>",
            tag = locale.tag(),
            title = Escaped(text(locale, title)),
            name = Escaped(&name),
            description = Escaped(&description),
        );
    }

    fn close(&mut self) {
        let (width, height) = card::SIZE;
        write_svg!(self, "</g>");
        self.frame((0.3, 0.3), (width - 0.6, height - 0.6), CORNER - 0.3, LINE);
        write_svg!(self, "</svg>\n");
    }

    /// Draws a line of text. `available` is the width that it may take.
    fn line(&mut self, (x, y): (f32, f32), style: Style, available: f32, line: &str) {
        let weight = if style.weight == Weight::Bold { " font-weight=\"700\"" } else { "" };
        let anchor = match style.align {
            Align::Left => "",
            Align::Middle => " text-anchor=\"middle\"",
            Align::Right => " text-anchor=\"end\"",
        };
        write_svg!(
            self,
            "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{:.2}\" fill=\"{}\"{weight}{anchor}",
            style.size,
            style.colour
        );
        let length = self.width(style, line);
        if length > MAX_FLEXIBLE_SHARE * available {
            // Otherwise, the line could run into the QR code if the phone's font is wider.
            write_svg!(self, " textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"");
        }
        write_svg!(self, ">{}</text>", Escaped(line));
    }
}

impl Canvas for Svg<'_> {
    fn fonts(&self) -> &'static Fonts {
        self.fonts
    }

    fn lines(&mut self, (x, y): (f32, f32), style: Style, leading: f32, lines: &[&str]) {
        for (at, line) in lines.iter().enumerate() {
            // The available width is unknown here, so the length of the line is always fixed.
            self.line((x, y + at as f32 * leading), style, 0.0, line);
        }
    }

    fn slot(&mut self, slot: Slot) {
        let text = slot.field.text(self.certificate, slot.language);
        let area = (slot.width, slot.height);
        let fitted = self.face(slot.style.weight).fit(&text, area, slot.style.size, slot.min_size);
        let style = Style { size: fitted.size, ..slot.style };
        let mut y = slot.y + CAPITALS * fitted.size;
        for line in &fitted.lines {
            self.line((slot.x, y), style, slot.width, line);
            y += LEADING * fitted.size;
        }
    }

    fn panel(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32, fill: Colour) {
        write_svg!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" rx=\"{radius:.2}\" \
             fill=\"{fill}\"/>"
        );
    }

    fn frame(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32, line: Colour) {
        write_svg!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" rx=\"{radius:.2}\" \
             fill=\"none\" stroke=\"{line}\" stroke-width=\"0.6\"/>"
        );
    }

    fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32, dash: f32) {
        write_svg!(self, "<path d=\"");
        for (at, (x, y)) in points.iter().enumerate() {
            write_svg!(self, "{}{x:.2} {y:.2}", if at == 0 { 'M' } else { 'L' });
        }
        write_svg!(self, "\" fill=\"none\" stroke=\"{line}\" stroke-width=\"{thickness:.2}\"");
        if dash > 0.0 {
            write_svg!(self, " stroke-dasharray=\"{dash}\"");
        }
        write_svg!(self, " stroke-linecap=\"round\" stroke-linejoin=\"round\"/>");
    }

    fn qr(&mut self, (x, y): (f32, f32), side: f32) {
        let scale = side / self.qr.width_with_quiet_zone() as f32;
        write_svg!(
            self,
            "<path transform=\"translate({x:.2} {y:.2}) scale({scale:.5})\" stroke=\"{BLACK}\" \
             shape-rendering=\"crispEdges\" d=\"{}\"/>",
            Strokes(&self.qr)
        );
    }

    fn band(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), scale: f32) {
        let right = (width / scale).ceil();
        write_svg!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{GROUND}\"/>\
             <g transform=\"translate({x:.2} {y:.2}) scale({scale:.4})\" fill=\"none\" stroke-width=\"0.45\">"
        );
        for (ribbon, placement) in guilloche::ribbons().iter().zip(guilloche::placements(self.certificate.id))
        {
            write_svg!(
                self,
                "<g transform=\"matrix({:.4} 0 0 1 {:.2} 0)\">",
                placement.stretch,
                placement.shift
            );
            for (curve, colour) in ribbon.waves.iter().zip(WAVES.iter().cycle()) {
                write_svg!(self, "<path stroke=\"{colour}\" d=\"");
                // Only the visible part of the ribbon is written.
                let visible = |x: f32| (0.0..right).contains(&(placement.stretch * x + placement.shift));
                let starts = (0..ribbon.repeats).map(|repeat| ribbon.period * repeat as f32);
                let mut drawing = false;
                for start in starts.filter(|start| visible(*start) || visible(start + ribbon.period)) {
                    if !std::mem::replace(&mut drawing, true) {
                        write_svg!(self, "M{:.1} {:.1}C", start + curve.start.0, curve.start.1);
                    }
                    for (x, y) in curve.pieces.iter().flatten() {
                        write_svg!(self, "{:.0} {y:.1} ", start + x);
                    }
                }
                write_svg!(self, "\"/>");
            }
            write_svg!(self, "</g>");
        }
        write_svg!(self, "</g>");
    }
}

/// Formats the dark modules of a QR code as a path of strokes one module wide, which is shorter
/// than a path of rectangles. The unit is a module, and the origin is the corner of the quiet zone.
struct Strokes<'a>(&'a Qr);

impl fmt::Display for Strokes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = None;
        let mut end = 0;
        for run in self.0.runs() {
            if row == Some(run.y) {
                write!(formatter, "m{} 0h{}", run.x - end, run.length)?;
            } else {
                write!(formatter, "M{} {}.5h{}", run.x + QUIET_ZONE, run.y + QUIET_ZONE, run.length)?;
            }
            row = Some(run.y);
            end = run.x + run.length;
        }
        Ok(())
    }
}

/// Formats a text with XML's special characters escaped.
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

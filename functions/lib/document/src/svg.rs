//! What is shown on a phone's screen, as SVG: the front of the card, and the QR of a ticket.

use std::fmt::{self, Write};

use bukti_domain::Publisher;
use bukti_locales::{Locale, fill, text};

use crate::canvas::{Align, Canvas, Slot, Style, Weight};
use crate::field::{Field, Language};
use crate::font::{CAPITALS, Fonts, LEADING, fonts};
use crate::look::{BLACK, Colour, GROUND, LINE, WAVES, WHITE};
use crate::qr::{PIXELS, QUIET_ZONE, Qr};
use crate::words::shown;
use crate::{Certificate, DocumentError, card, guilloche};

/// The corners of a bank card (ISO/IEC 7810): 3.18 mm.
const CORNER: f32 = 9.0;
/// The share of its room that a line may take before its length is fixed: the widest of the phones' fonts
/// runs a fifth wider than the one that we measure with.
const LOOSE: f32 = 0.8;

/// The picture as an SVG document.
pub(crate) fn picture(
    certificate: &Certificate<'_>,
    publisher: &Publisher,
    locale: Locale,
) -> Result<String, DocumentError> {
    let mut svg = Svg {
        out: String::with_capacity(24 * 1024),
        written: Ok(()),
        fonts: fonts()?,
        certificate,
        qr: Qr::new(certificate.qr_text)?,
        // Ids are shared by everything on the page that the picture is put into.
        key: format!("bukti-{:016x}", guilloche::fingerprint(certificate.id)),
    };
    svg.open(publisher, locale);
    card::front(&mut svg, publisher, certificate.icvp, Language::One(locale));
    svg.close();
    svg.written.map_err(|_| DocumentError::Write)?;
    Ok(svg.out)
}

/// A QR alone, in its quiet zone, as an SVG document.
pub(crate) fn qr(text: &str) -> Result<String, DocumentError> {
    let qr = Qr::of_words(text)?;
    let side = qr.width_with_quiet_zone();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{size}\" height=\"{size}\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"{WHITE}\"/>\
         <path stroke=\"{BLACK}\" shape-rendering=\"crispEdges\" d=\"{strokes}\"/></svg>\n",
        size = side * PIXELS,
        strokes = Strokes(&qr),
    ))
}

/// A canvas that writes an SVG. What fails is kept for the end.
struct Svg<'c> {
    out: String,
    written: fmt::Result,
    /// To measure with, and only that: the picture uses the phone's font, which has any script.
    fonts: &'static Fonts,
    certificate: &'c Certificate<'c>,
    qr: Qr,
    key: String,
}

/// Writes, unless something failed before.
macro_rules! put {
    ($svg:expr, $($format:tt)*) => {
        if $svg.written.is_ok() {
            $svg.written = write!($svg.out, $($format)*);
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
                ("issuer", &shown(&publisher.issuer)),
            ],
        );
        let title = if self.certificate.icvp { "common.title_icvp" } else { "common.title" };
        let (name, key, (width, height)) = (of(Field::Name), &self.key, card::SIZE);
        put!(
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
        put!(self, "</g>");
        self.frame((0.3, 0.3), (width - 0.6, height - 0.6), CORNER - 0.3, LINE);
        put!(self, "</svg>\n");
    }

    /// A line of text in a room of this width.
    fn line(&mut self, (x, y): (f32, f32), style: Style, room: f32, line: &str) {
        let weight = if style.weight == Weight::Bold { " font-weight=\"700\"" } else { "" };
        let anchor = match style.align {
            Align::Left => "",
            Align::Middle => " text-anchor=\"middle\"",
            Align::Right => " text-anchor=\"end\"",
        };
        put!(
            self,
            "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{:.2}\" fill=\"{}\"{weight}{anchor}",
            style.size,
            style.colour
        );
        let length = self.width(style, line);
        if length > LOOSE * room {
            // Else the end of the line might run into the QR, with fonts that we do not know.
            put!(self, " textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"");
        }
        put!(self, ">{}</text>", Escaped(line));
    }
}

impl Canvas for Svg<'_> {
    fn fonts(&self) -> &'static Fonts {
        self.fonts
    }

    fn lines(&mut self, (x, y): (f32, f32), style: Style, leading: f32, lines: &[&str]) {
        for (at, line) in lines.iter().enumerate() {
            // Nobody says how much room these have, so they are as wide as with our font.
            self.line((x, y + at as f32 * leading), style, 0.0, line);
        }
    }

    fn slot(&mut self, slot: Slot) {
        let text = slot.field.text(self.certificate, slot.language);
        let room = (slot.width, slot.height);
        let fitted = self.face(slot.style.weight).fit(&text, room, slot.style.size, slot.smallest);
        let style = Style { size: fitted.size, ..slot.style };
        let mut y = slot.y + CAPITALS * fitted.size;
        for line in &fitted.lines {
            self.line((slot.x, y), style, slot.width, line);
            y += LEADING * fitted.size;
        }
    }

    fn panel(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32, fill: Colour) {
        put!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" rx=\"{radius:.2}\" \
             fill=\"{fill}\"/>"
        );
    }

    fn frame(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32, line: Colour) {
        put!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" rx=\"{radius:.2}\" \
             fill=\"none\" stroke=\"{line}\" stroke-width=\"0.6\"/>"
        );
    }

    fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32, dash: f32) {
        put!(self, "<path d=\"");
        for (at, (x, y)) in points.iter().enumerate() {
            put!(self, "{}{x:.2} {y:.2}", if at == 0 { 'M' } else { 'L' });
        }
        put!(self, "\" fill=\"none\" stroke=\"{line}\" stroke-width=\"{thickness:.2}\"");
        if dash > 0.0 {
            put!(self, " stroke-dasharray=\"{dash}\"");
        }
        put!(self, " stroke-linecap=\"round\" stroke-linejoin=\"round\"/>");
    }

    fn qr(&mut self, (x, y): (f32, f32), side: f32) {
        let scale = side / self.qr.width_with_quiet_zone() as f32;
        put!(
            self,
            "<path transform=\"translate({x:.2} {y:.2}) scale({scale:.5})\" stroke=\"{BLACK}\" \
             shape-rendering=\"crispEdges\" d=\"{}\"/>",
            Strokes(&self.qr)
        );
    }

    fn band(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), scale: f32) {
        let right = (width / scale).ceil();
        put!(
            self,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{GROUND}\"/>\
             <g transform=\"translate({x:.2} {y:.2}) scale({scale:.4})\" fill=\"none\" stroke-width=\"0.45\">"
        );
        for (ribbon, place) in guilloche::ribbons().iter().zip(guilloche::places(self.certificate.id)) {
            put!(self, "<g transform=\"matrix({:.4} 0 0 1 {:.2} 0)\">", place.stretch, place.shift);
            for (curve, colour) in ribbon.waves.iter().zip(WAVES.iter().cycle()) {
                put!(self, "<path stroke=\"{colour}\" d=\"");
                // No more than is seen.
                let seen = |x: f32| (0.0..right).contains(&(place.stretch * x + place.shift));
                let starts = (0..ribbon.repeats).map(|repeat| ribbon.period * repeat as f32);
                let mut drawing = false;
                for start in starts.filter(|start| seen(*start) || seen(start + ribbon.period)) {
                    if !std::mem::replace(&mut drawing, true) {
                        put!(self, "M{:.1} {:.1}C", start + curve.start.0, curve.start.1);
                    }
                    for (x, y) in curve.pieces.iter().flatten() {
                        put!(self, "{:.0} {y:.1} ", start + x);
                    }
                }
                put!(self, "\"/>");
            }
            put!(self, "</g>");
        }
        put!(self, "</g>");
    }
}

/// The dark modules of a QR as a path of strokes one module thick, in modules from the corner of the quiet zone: fewer
/// letters than rectangles.
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

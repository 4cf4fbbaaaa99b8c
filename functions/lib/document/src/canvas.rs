//! The drawing interface for the layouts. One implementation writes PDF, the other SVG.
//!
//! Coordinates are in points from the top left corner. Layouts draw a certificate's values as slots
//! rather than as text, so that the PDF canvas can prepare everything else once, as a template.

use bukti_locales::Locale;

use crate::colours::Colour;
use crate::field::{Field, Language};
use crate::font::{CAPITALS, Face, Fonts, LEADING};

/// The number of points per millimetre.
pub(crate) const MM: f32 = 72.0 / 25.4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular = 0,
    Bold = 1,
}

/// The point of a line of text that lies at `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// The role of a text in the document structure, as screen readers announce it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Title,
    Heading,
    Text,
}

/// The appearance of a text, its role and its language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) weight: Weight,
    /// The font size, in points.
    pub(crate) size: f32,
    pub(crate) colour: Colour,
    pub(crate) align: Align,
    pub(crate) role: Role,
    /// The language of the text; `None` for names and numbers.
    pub(crate) locale: Option<Locale>,
}

impl Style {
    pub(crate) fn new(weight: Weight, size: f32, colour: Colour) -> Self {
        Self { weight, size, colour, align: Align::Left, role: Role::Text, locale: None }
    }

    pub(crate) fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    pub(crate) fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    pub(crate) fn locale(self, locale: Locale) -> Self {
        Self { locale: Some(locale), ..self }
    }
}

/// A box for a value of the certificate. The value is set as large as fits, on several lines if
/// needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) field: Field,
    pub(crate) language: Language,
    /// The left edge, the centre or the right edge of the box, depending on the style's alignment.
    pub(crate) x: f32,
    /// The top of the first line's capital letters.
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// The style of the value; its size is the largest size allowed.
    pub(crate) style: Style,
    /// The smallest size allowed. A text that does not fit even at this size is truncated.
    pub(crate) min_size: f32,
}

/// A page or an image that a layout draws on.
pub(crate) trait Canvas {
    fn fonts(&self) -> &'static Fonts;

    /// Draws lines of text, with the first baseline at `y`.
    fn lines(&mut self, at: (f32, f32), style: Style, leading: f32, lines: &[&str]);

    /// Draws a value of the certificate, or leaves room for it in a template.
    fn slot(&mut self, slot: Slot);

    /// Draws a filled rectangle with rounded corners.
    fn panel(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, fill: Colour);

    /// Draws the outline of a rectangle with rounded corners.
    fn frame(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, line: Colour);

    /// Draws a line through the points. It is dashed if `dash` is above 0; otherwise it is solid,
    /// with round caps and joins.
    fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32, dash: f32);

    /// Draws the QR code with its white quiet zone, in a square with this side.
    fn qr(&mut self, at: (f32, f32), side: f32);

    /// Draws the guilloche band at this scale, clipped to a rectangle.
    fn band(&mut self, at: (f32, f32), size: (f32, f32), scale: f32);

    fn face(&self, weight: Weight) -> &'static Face {
        match weight {
            Weight::Regular => &self.fonts().regular,
            Weight::Bold => &self.fonts().bold,
        }
    }

    fn width(&self, style: Style, text: &str) -> f32 {
        self.face(style.weight).width(text) * style.size
    }

    /// Draws one line of text, with its baseline at `y`.
    fn text(&mut self, at: (f32, f32), style: Style, text: &str) {
        self.lines(at, style, 0.0, &[text]);
    }

    /// Draws a text as large as fits into a rectangle, up to the style's size. `y` is the top of
    /// the first line's capital letters.
    fn text_in_box(&mut self, (x, y): (f32, f32), area: (f32, f32), style: Style, min_size: f32, text: &str) {
        let face = self.face(style.weight);
        let fitted = face.fit(&face.drawable(text), area, style.size, min_size);
        let lines: Vec<&str> = fitted.lines.iter().map(String::as_str).collect();
        let at = (x, y + CAPITALS * fitted.size);
        self.lines(at, Style { size: fitted.size, ..style }, LEADING * fitted.size, &lines);
    }

    /// Draws one line of text, reduced in size if it would be wider than `width`.
    fn text_on_line(&mut self, at: (f32, f32), width: f32, style: Style, text: &str) {
        let size = (width / self.face(style.weight).width(text).max(0.01)).min(style.size);
        self.text(at, Style { size, ..style }, text);
    }

    /// Returns the height of a text that is set as a paragraph of this width.
    fn height(&self, width: f32, style: Style, text: &str) -> f32 {
        self.face(style.weight).lines(text, width / style.size).len() as f32 * style.size * LEADING
    }

    /// Draws a text in lines of at most `width`, with the first baseline at `y`. Returns the
    /// baseline for the next line.
    fn paragraph(&mut self, (x, y): (f32, f32), width: f32, style: Style, text: &str) -> f32 {
        let lines = self.face(style.weight).lines(text, width / style.size);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let leading = style.size * LEADING;
        self.lines((x, y), style, leading, &lines);
        y + leading * lines.len() as f32
    }

    /// Draws Bukti's logo, a tick in a rounded square with this side.
    fn mark(&mut self, (x, y): (f32, f32), side: f32) {
        let unit = side / 24.0;
        self.panel((x, y), (side, side), 6.0 * unit, crate::colours::BRAND);
        let tick = [(6.5, 12.5), (10.5, 16.5), (17.5, 8.0)].map(|(dx, dy)| (x + dx * unit, y + dy * unit));
        self.stroke(&tick, crate::colours::WHITE, 2.6 * unit, 0.0);
    }
}

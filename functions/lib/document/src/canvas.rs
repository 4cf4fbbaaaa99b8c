//! What a design is drawn on.
//!
//! A design is drawn the same for paper and screen, in points from the top left. What it says of the person stands in
//! slots, so that a canvas may keep all that is the same on every certificate.

use bukti_locales::Locale;

use crate::field::{Field, Language};
use crate::font::{CAPITALS, Face, Fonts, LEADING};
use crate::look::Colour;

/// A millimetre, in points.
pub(crate) const MM: f32 = 72.0 / 25.4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular = 0,
    Bold = 1,
}

/// Where `x` is on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Middle,
    Right,
}

/// What a text is to who has it read aloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Title,
    Heading,
    Text,
}

/// How a text looks, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) weight: Weight,
    /// In points.
    pub(crate) size: f32,
    pub(crate) colour: Colour,
    pub(crate) align: Align,
    pub(crate) role: Role,
    /// The language; none for names and numbers.
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

/// Room for what a certificate says of its person: as large as fits, on as many lines as fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) field: Field,
    pub(crate) language: Language,
    /// The left edge, the middle or the right edge, as the style aligns.
    pub(crate) x: f32,
    /// The upper edge of the first line's capitals.
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// With the largest size.
    pub(crate) style: Style,
    /// The smallest size. What does not even fit so is cut.
    pub(crate) smallest: f32,
}

/// What a design is drawn on.
pub(crate) trait Canvas {
    fn fonts(&self) -> &'static Fonts;

    /// Lines of text, the first one's baseline at `y`.
    fn lines(&mut self, at: (f32, f32), style: Style, leading: f32, lines: &[&str]);

    /// What a certificate says of its person.
    fn slot(&mut self, slot: Slot);

    /// A filled rectangle with round corners.
    fn panel(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, fill: Colour);

    /// The outline of a rectangle with round corners.
    fn frame(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, line: Colour);

    /// A line through points, with round ends and corners; dashed where dashes have a length.
    fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32, dash: f32);

    /// The QR in a square of `side`, which its white quiet zone belongs to.
    fn qr(&mut self, at: (f32, f32), side: f32);

    /// A guilloche band over a rectangle, at a scale.
    fn band(&mut self, at: (f32, f32), size: (f32, f32), scale: f32);

    fn face(&self, weight: Weight) -> &'static Face {
        match weight {
            Weight::Regular => &self.fonts().regular,
            Weight::Bold => &self.fonts().bold,
        }
    }

    /// How wide a text is.
    fn width(&self, style: Style, text: &str) -> f32 {
        self.face(style.weight).width(text) * style.size
    }

    /// One line of text, its baseline at `y`.
    fn text(&mut self, at: (f32, f32), style: Style, text: &str) {
        self.lines(at, style, 0.0, &[text]);
    }

    /// A text as large as fits into a rectangle, from the style's size down. `y` is the upper edge of the capitals.
    fn fit(&mut self, (x, y): (f32, f32), room: (f32, f32), style: Style, smallest: f32, text: &str) {
        let face = self.face(style.weight);
        let fitted = face.fit(&face.drawable(text), room, style.size, smallest);
        let lines: Vec<&str> = fitted.lines.iter().map(String::as_str).collect();
        let at = (x, y + CAPITALS * fitted.size);
        self.lines(at, Style { size: fitted.size, ..style }, LEADING * fitted.size, &lines);
    }

    /// One line of text, smaller where it would be wider.
    fn fitted(&mut self, at: (f32, f32), width: f32, style: Style, text: &str) {
        let size = (width / self.face(style.weight).width(text).max(0.01)).min(style.size);
        self.text(at, Style { size, ..style }, text);
    }

    /// How high a paragraph of this width is.
    fn height(&self, width: f32, style: Style, text: &str) -> f32 {
        self.face(style.weight).lines(text, width / style.size).len() as f32 * style.size * LEADING
    }

    /// A text in as many lines as it takes over `width`, the first baseline at `y`. Gives the baseline after the last.
    fn paragraph(&mut self, (x, y): (f32, f32), width: f32, style: Style, text: &str) -> f32 {
        let lines = self.face(style.weight).lines(text, width / style.size);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let leading = style.size * LEADING;
        self.lines((x, y), style, leading, &lines);
        y + leading * lines.len() as f32
    }

    /// The product's mark: a tick in a round square of this side.
    fn mark(&mut self, (x, y): (f32, f32), side: f32) {
        let unit = side / 24.0;
        self.panel((x, y), (side, side), 6.0 * unit, crate::look::BRAND);
        let tick = [(6.5, 12.5), (10.5, 16.5), (17.5, 8.0)].map(|(dx, dy)| (x + dx * unit, y + dy * unit));
        self.stroke(&tick, crate::look::WHITE, 2.6 * unit, 0.0);
    }
}

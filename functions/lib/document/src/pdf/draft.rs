//! A canvas that records a page as printpdf operations. The operations are split at the slots.

use bukti_locales::Locale;
use printpdf::{DictItem, Op, PdfFontHandle, Pt, TextItem, TextMatrix};

use super::stream::operator;
use crate::canvas::{Align, Canvas, Role, Slot, Style};
use crate::colours::{Colour, GROUND, WAVES};
use crate::font::{Fonts, fonts};
use crate::guilloche::{self, Ribbon};

/// An element of a page in the document's structure tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) role: ElementRole,
    pub(super) locale: Option<Locale>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ElementRole {
    Text(Role),
    /// The QR code with its bounds: left, bottom, right, top.
    Qr([f32; 4]),
}

/// A page in the course of being drawn. Copied text and screen readers follow the order of drawing.
pub(super) struct Draft {
    fonts: &'static Fonts,
    height: f32,
    /// The operations before the first slot, between the slots, and after the last slot.
    pub(super) pieces: Vec<Vec<Op>>,
    pub(super) slots: Vec<Slot>,
    pub(super) elements: Vec<Element>,
    /// The fixed texts, first regular, then bold. The fonts must contain their letters.
    pub(super) texts: [String; 2],
    in_artifact: bool,
    /// The current fill colour; `None` if it has not been set.
    fill: Option<Colour>,
}

impl Draft {
    pub(super) fn new(height: f32) -> Result<Self, crate::DocumentError> {
        Ok(Self {
            fonts: fonts()?,
            height,
            pieces: vec![Vec::new()],
            slots: Vec::new(),
            elements: Vec::new(),
            texts: Default::default(),
            in_artifact: false,
            fill: None,
        })
    }

    /// Ends the artifact if one is open.
    pub(super) fn finish(&mut self) {
        if std::mem::take(&mut self.in_artifact) {
            self.push([Op::EndMarkedContent]);
        }
    }

    /// Marks the following operations as decoration, which screen readers skip.
    fn begin_artifact(&mut self) {
        if !std::mem::replace(&mut self.in_artifact, true) {
            self.push([Op::BeginMarkedContent { tag: "Artifact".to_owned() }]);
        }
    }

    fn begin_element(&mut self, element: Element) {
        self.finish();
        let id = i64::try_from(self.elements.len()).unwrap_or_default();
        let properties = DictItem::Dict { map: [("MCID".to_owned(), DictItem::Int(id))].into() };
        let tag = element.tag().to_owned();
        self.elements.push(element);
        // BDC is written as an unknown operator, since printpdf's own operation for it requires
        // layers.
        self.push([Op::Unknown {
            key: "BDC".to_owned(),
            value: vec![DictItem::Name(tag.into_bytes()), properties],
        }]);
    }

    fn end_element(&mut self) {
        self.push([Op::EndMarkedContent]);
    }

    fn push(&mut self, operations: impl IntoIterator<Item = Op>) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.extend(operations);
        }
    }

    fn rounded_rectangle(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32) {
        // The distance between the corner and the control points of a Bézier quarter circle.
        let bend = radius * 0.4477;
        let (left, right, top, bottom) = (x, x + width, self.height - y, self.height - y - height);
        if radius == 0.0 {
            return self.operator("re", &[left, bottom, width, height]);
        }
        self.operator("m", &[left + radius, top]);
        self.operator("l", &[right - radius, top]);
        self.operator("c", &[right - bend, top, right, top - bend, right, top - radius]);
        self.operator("l", &[right, bottom + radius]);
        self.operator("c", &[right, bottom + bend, right - bend, bottom, right - radius, bottom]);
        self.operator("l", &[left + radius, bottom]);
        self.operator("c", &[left + bend, bottom, left, bottom + bend, left, bottom + radius]);
        self.operator("l", &[left, top - radius]);
        self.operator("c", &[left, top - bend, left + bend, top, left + radius, top]);
        self.operator("h", &[]);
    }

    fn set_fill_colour(&mut self, colour: Colour) {
        if self.fill.replace(colour) == Some(colour) {
            return;
        }
        self.operator("rg", &colour.parts());
    }

    fn set_line(&mut self, colour: Colour, thickness: f32) {
        self.operator("RG", &colour.parts());
        self.operator("w", &[thickness]);
    }

    /// Draws a form XObject, which is first scaled and then moved to `(x, y)`.
    pub(super) fn draw_form(&mut self, name: &str, (x, y): (f32, f32), scale: (f32, f32)) {
        self.operator("q", &[]);
        self.operator("cm", &[scale.0, 0.0, 0.0, scale.1, x, y]);
        self.push([Op::Unknown {
            key: "Do".to_owned(),
            value: vec![DictItem::Name(name.as_bytes().to_vec())],
        }]);
        self.operator("Q", &[]);
    }

    /// Draws a card on a print sheet, with its upper left corner at a point, rotated by 180° if
    /// `rotated`.
    pub(super) fn draw_card(&mut self, name: &str, (x, y): (f32, f32), rotated: bool) {
        self.begin_artifact();
        let (width, height) = crate::card::SIZE;
        if rotated {
            self.draw_form(name, (x + width, self.height - y), (-1.0, -1.0));
        } else {
            self.draw_form(name, (x, self.height - y - height), (1.0, 1.0));
        }
    }

    /// Writes an operator directly, since printpdf needs many operators for a rectangle, and does
    /// not support form XObjects.
    pub(super) fn operator(&mut self, operator: &str, numbers: &[f32]) {
        let value = numbers.iter().map(|number| DictItem::Real(rounded(*number))).collect();
        self.push([Op::Unknown { key: operator.to_owned(), value }]);
    }
}

impl Element {
    /// The element's standard structure type (ISO 32000-1, 14.8.4).
    pub(super) fn tag(&self) -> &'static str {
        match self.role {
            ElementRole::Text(Role::Title) => "H1",
            ElementRole::Text(Role::Heading) => "H2",
            ElementRole::Text(Role::Text) => "P",
            ElementRole::Qr(_) => "Figure",
        }
    }
}

impl Canvas for Draft {
    fn fonts(&self) -> &'static Fonts {
        self.fonts
    }

    fn lines(&mut self, (x, y): (f32, f32), style: Style, leading: f32, lines: &[&str]) {
        let face = self.face(style.weight);
        self.begin_element(Element { role: ElementRole::Text(style.role), locale: style.locale });
        self.set_fill_colour(style.colour);
        for (at, line) in lines.iter().enumerate() {
            let text = face.drawable(line);
            self.texts[style.weight as usize].push_str(&text);
            let x = match style.align {
                Align::Left => x,
                Align::Middle => x - self.width(style, &text) / 2.0,
                Align::Right => x - self.width(style, &text),
            };
            let y = self.height - y - at as f32 * leading;
            self.push([
                Op::StartTextSection,
                Op::SetFont { font: PdfFontHandle::External(face.id.clone()), size: Pt(rounded(style.size)) },
                Op::SetTextMatrix { matrix: TextMatrix::Translate(Pt(rounded(x)), Pt(rounded(y))) },
                Op::ShowText { items: vec![TextItem::Text(text.into_owned())] },
                Op::EndTextSection,
            ]);
        }
        self.end_element();
    }

    fn slot(&mut self, slot: Slot) {
        self.begin_element(Element { role: ElementRole::Text(slot.style.role), locale: slot.style.locale });
        self.set_fill_colour(slot.style.colour);
        self.slots.push(slot);
        self.pieces.push(Vec::new());
        self.end_element();
    }

    fn panel(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, fill: Colour) {
        self.begin_artifact();
        self.set_fill_colour(fill);
        self.rounded_rectangle(at, size, radius);
        self.operator("f", &[]);
    }

    fn frame(&mut self, at: (f32, f32), size: (f32, f32), radius: f32, line: Colour) {
        self.begin_artifact();
        self.set_line(line, 0.75);
        self.rounded_rectangle(at, size, radius);
        self.operator("S", &[]);
    }

    fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32, dash: f32) {
        self.begin_artifact();
        self.operator("q", &[]);
        self.set_line(line, thickness);
        if dash > 0.0 {
            let dashes = DictItem::Array(vec![DictItem::Real(dash)]);
            self.push([Op::Unknown { key: "d".to_owned(), value: vec![dashes, DictItem::Int(0)] }]);
        } else {
            self.operator("J", &[1.0]);
            self.operator("j", &[1.0]);
        }
        for (index, (x, y)) in points.iter().enumerate() {
            self.operator(if index == 0 { "m" } else { "l" }, &[*x, self.height - y]);
        }
        self.operator("S", &[]);
        self.operator("Q", &[]);
    }

    fn qr(&mut self, (x, y): (f32, f32), side: f32) {
        let bottom = self.height - y - side;
        let bounds = [x, bottom, x + side, bottom + side].map(rounded);
        self.begin_element(Element { role: ElementRole::Qr(bounds), locale: Some(Locale::Id) });
        self.draw_form(super::QR, (x, bottom), (side, side));
        self.end_element();
    }

    fn band(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), scale: f32) {
        self.begin_artifact();
        let bottom = self.height - y - height;
        self.operator("q", &[]);
        self.operator("re", &[x, bottom, width, height]);
        self.operator("W", &[]);
        self.set_fill_colour(GROUND);
        self.operator("f", &[]);
        self.draw_form(super::BAND, (x, bottom + height - guilloche::HEIGHT * scale), (scale, scale));
        self.operator("Q", &[]);
        self.fill = None;
    }
}

/// Writes one period of a ribbon as a content stream. Coordinates are rounded to a tenth of a
/// point, which is invisible and keeps the file small.
pub(super) fn waves(ribbon: &Ribbon) -> Vec<u8> {
    let mut out = Vec::new();
    operator(&mut out, "w", &[0.45]);
    let rounded = |(x, y): (f32, f32)| [x, y].map(|number| (number * 10.0).round() / 10.0);
    for (curve, colour) in ribbon.waves.iter().zip(WAVES.iter().cycle()) {
        operator(&mut out, "RG", &colour.parts());
        operator(&mut out, "m", &rounded(curve.start));
        for piece in &curve.pieces {
            operator(&mut out, "c", &piece.map(rounded).concat());
        }
        operator(&mut out, "S", &[]);
    }
    out
}

/// Rounds to a hundredth of a point to keep the file small. No printer resolves finer differences.
fn rounded(number: f32) -> f32 {
    (number * 100.0).round() / 100.0
}

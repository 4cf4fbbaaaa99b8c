//! A page to draw on, in points, from the top left.

use printpdf::{DictItem, Mm, Op, PdfFontHandle, PdfPage, Pt, TextItem, TextMatrix};

use crate::font::Face;
use crate::guilloche::Curve;
use crate::look::Colour;
use crate::qr::{QUIET_ZONE, Qr};

/// A4, in points.
pub(crate) const WIDTH: f32 = 595.28;
pub(crate) const HEIGHT: f32 = 841.89;

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'f> {
    pub(crate) face: &'f Face,
    /// Size in points.
    pub(crate) size: f32,
    pub(crate) colour: Colour,
}

impl<'f> Style<'f> {
    pub(crate) fn new(face: &'f Face, size: f32, colour: Colour) -> Self {
        Self { face, size, colour }
    }

    /// How wide a text is, in points.
    pub(crate) fn width(&self, text: &str) -> f32 {
        self.face.width(text) * self.size
    }

    /// From one baseline to the next in a paragraph.
    fn leading(&self) -> f32 {
        self.size * 1.4
    }

    /// How high a paragraph over `width` is.
    pub(crate) fn height(&self, width: f32, text: &str) -> f32 {
        self.face.lines(text, width / self.size).len() as f32 * self.leading()
    }
}

/// A page while it is drawn. Readers and screen readers take the texts in the order in which they are drawn.
#[derive(Debug, Default)]
pub(crate) struct Page {
    operations: Vec<Op>,
}

impl Page {
    /// The finished page.
    pub(crate) fn finish(self) -> PdfPage {
        PdfPage::new(Mm::from(Pt(WIDTH)), Mm::from(Pt(HEIGHT)), self.operations)
    }

    /// A line of text whose baseline starts at `(x, y)`.
    pub(crate) fn text(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        if text.is_empty() {
            return;
        }
        self.fill_colour(style.colour);
        self.operations.extend([
            Op::StartTextSection,
            Op::SetFont { font: PdfFontHandle::External(style.face.id.clone()), size: Pt(style.size) },
            Op::SetTextMatrix { matrix: TextMatrix::Translate(Pt(rounded(x)), Pt(rounded(HEIGHT - y))) },
            Op::ShowText { items: vec![TextItem::Text(style.face.drawable(text))] },
            Op::EndTextSection,
        ]);
    }

    /// A line of text that ends at `x`.
    pub(crate) fn text_to(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        self.text(x - style.width(text), y, style, text);
    }

    /// A line of text with `x` in its middle.
    pub(crate) fn text_around(&mut self, x: f32, y: f32, style: Style<'_>, text: &str) {
        self.text(x - style.width(text) / 2.0, y, style, text);
    }

    /// A text in as many lines as it takes over `width`, the first baseline at `y`. Returns the baseline
    /// after the last.
    pub(crate) fn paragraph(&mut self, x: f32, y: f32, width: f32, style: Style<'_>, text: &str) -> f32 {
        let mut y = y;
        for line in style.face.lines(text, width / style.size) {
            self.text(x, y, style, &line);
            y += style.leading();
        }
        y
    }

    /// A filled rectangle with round corners.
    pub(crate) fn panel(
        &mut self,
        (x, y): (f32, f32),
        (width, height): (f32, f32),
        radius: f32,
        fill: Colour,
    ) {
        self.fill_colour(fill);
        self.rounded_rectangle((x, y), (width, height), radius);
        self.operator("f", &[]);
    }

    /// The outline of a rectangle with round corners.
    pub(crate) fn frame(
        &mut self,
        (x, y): (f32, f32),
        (width, height): (f32, f32),
        radius: f32,
        line: Colour,
    ) {
        self.line_colour(line, 0.75);
        self.rounded_rectangle((x, y), (width, height), radius);
        self.operator("S", &[]);
    }

    /// A horizontal hairline.
    pub(crate) fn rule(&mut self, x: f32, y: f32, width: f32, line: Colour) {
        self.stroke(&[(x, y), (x + width, y)], line, 0.75);
    }

    /// A line through points, with round ends and corners.
    pub(crate) fn stroke(&mut self, points: &[(f32, f32)], line: Colour, thickness: f32) {
        self.line_colour(line, thickness);
        self.operator("J", &[1.0]);
        self.operator("j", &[1.0]);
        for (index, (x, y)) in points.iter().enumerate() {
            self.operator(if index == 0 { "m" } else { "l" }, &[*x, HEIGHT - y]);
        }
        self.operator("S", &[]);
    }

    /// Curves that lie over `(x, y)`, in these colours by turns.
    pub(crate) fn curves(
        &mut self,
        (x, y): (f32, f32),
        curves: &[Curve],
        colours: &[Colour],
        thickness: f32,
    ) {
        for (curve, colour) in curves.iter().zip(colours.iter().cycle()) {
            self.line_colour(*colour, thickness);
            // To a tenth of a point: a hair's breadth, and shorter in the file.
            let at = |(point_x, point_y): (f32, f32)| {
                [x + point_x, HEIGHT - y - point_y].map(|number| (number * 10.0).round() / 10.0)
            };
            self.operator("m", &at(curve.start));
            for piece in &curve.pieces {
                self.operator("c", &piece.map(at).concat());
            }
            self.operator("S", &[]);
        }
    }

    /// A QR in a square of `side`, which its white quiet zone belongs to.
    ///
    /// It is one path of a rectangle a run, in units of one module, so that it stays sharp at any size, no
    /// seam shows between the modules, and the numbers compress well.
    pub(crate) fn qr(&mut self, (x, y): (f32, f32), side: f32, qr: &Qr, dark: Colour) {
        let module = side / qr.width_with_quiet_zone() as f32;
        let margin = module * QUIET_ZONE as f32;
        self.operations.push(Op::SaveGraphicsState);
        self.fill_colour(dark);
        // The module size is not rounded: over 85 modules that would show.
        self.exact_operator("cm", &[module, 0.0, 0.0, -module, x + margin, HEIGHT - y - margin]);
        for run in qr.runs() {
            self.exact_operator("re", &[run.x as f32, run.y as f32, run.length as f32, 1.0]);
        }
        self.operator("f", &[]);
        self.operations.push(Op::RestoreGraphicsState);
    }

    fn rounded_rectangle(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32) {
        // How far the control points of a Bézier quarter circle lie from its corner.
        let bend = radius * 0.4477;
        let (left, right, top, bottom) = (x, x + width, HEIGHT - y, HEIGHT - y - height);
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

    fn fill_colour(&mut self, colour: Colour) {
        self.operator("rg", &colour.parts());
    }

    fn line_colour(&mut self, colour: Colour, thickness: f32) {
        self.operator("RG", &colour.parts());
        self.operator("w", &[thickness]);
    }

    fn operator(&mut self, operator: &str, numbers: &[f32]) {
        let value = numbers.iter().map(|number| DictItem::Real(rounded(*number))).collect();
        self.operations.push(Op::Unknown { key: operator.to_owned(), value });
    }

    // The library's own paths know no `re`, and take five operators for a rectangle.
    fn exact_operator(&mut self, operator: &str, numbers: &[f32]) {
        let value = numbers.iter().map(|number| DictItem::Real(*number)).collect();
        self.operations.push(Op::Unknown { key: operator.to_owned(), value });
    }
}

/// To a hundredth of a point, which is far finer than any printer, so that the file does not carry idle
/// digits.
fn rounded(number: f32) -> f32 {
    (number * 100.0).round() / 100.0
}

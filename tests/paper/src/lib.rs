//! Reads printed certificates in tests, independently of the code that writes them: rasterises
//! pages, scans their QR codes, extracts their text, and searches the whole file.
//!
//! hayro rasterises the pages, and rxing's port of zxing-cpp scans them; the page `/verify` uses
//! the same port. Unreadable input causes a panic, so that the test fails.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "unreadable input fails the test")]

mod everything;
mod picture;

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use lopdf::Document;

pub use picture::{Picture, Qr};

/// The number of PDF points per inch.
const INCH: f32 = 72.0;

/// A PDF, parsed by two independent libraries.
pub struct Paper {
    bytes: Vec<u8>,
    pages: Pdf,
    objects: Document,
}

impl Paper {
    /// Parses a PDF; panics if it is damaged.
    pub fn read(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let pages = Pdf::new(bytes.clone()).unwrap();
        let objects = Document::load_mem(&bytes).unwrap();
        Self { bytes, pages, objects }
    }

    /// Returns the width and height of each page, in points.
    pub fn sizes(&self) -> Vec<(f32, f32)> {
        self.pages.pages().iter().map(|page| page.render_dimensions()).collect()
    }

    /// Rasterises a page on a white background. Pages are counted from 0.
    pub fn picture(&self, page: usize, dpi: u16) -> Picture {
        let scale = f32::from(dpi) / INCH;
        let pixels = hayro::render(
            &self.pages.pages()[page],
            &RenderCache::new(),
            &InterpreterSettings::default(),
            &RenderSettings::default(),
            &PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE },
        );
        let grey = |pixel: &hayro::vello_cpu::color::PremulRgba8| {
            ((u16::from(pixel.r) + u16::from(pixel.g) + u16::from(pixel.b)) / 3) as u8
        };
        Picture::new(pixels.width().into(), pixels.data().iter().map(grey).collect(), dpi)
    }

    /// Decodes the QR codes on a page. Pages are counted from 0. The decoder occasionally fails at
    /// one resolution, so this function tries 150, 200 and 300 dpi until it finds the expected
    /// number, like a phone that is moved closer.
    pub fn scan(&self, page: usize, expected: usize) -> Vec<Qr> {
        let mut best = Vec::new();
        for dpi in [150, 200, 300] {
            let found = self.picture(page, dpi).qrs();
            if found.len() > best.len() {
                best = found;
            }
            if best.len() >= expected {
                break;
            }
        }
        best
    }

    /// Returns the text of the only QR code on a page; panics if there is not exactly one. Pages
    /// are counted from 0.
    pub fn qr_text(&self, page: usize) -> String {
        let mut found = self.scan(page, 1);
        assert_eq!(found.len(), 1, "QRs on page {page}");
        found.remove(0).text
    }

    /// Extracts the text of a page in the order of its content stream. Pages are counted from 0.
    pub fn text(&self, page: usize) -> String {
        self.objects.extract_text(&[u32::try_from(page + 1).unwrap()]).unwrap()
    }

    /// The PDF's objects, as lopdf parsed them.
    pub fn objects(&self) -> &Document {
        &self.objects
    }

    /// The unchanged bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

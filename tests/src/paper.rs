//! Reading a certificate off its page, as a scanner does.

#![expect(clippy::unwrap_used, reason = "a page that cannot be read fails the test")]

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};

/// The texts of the QRs on the first page of a PDF, scanned at 150 dpi.
pub fn scan(pdf: Vec<u8>) -> Vec<String> {
    let pdf = Pdf::new(pdf).unwrap();
    let pages = pdf.pages();
    assert_eq!(pages.len(), 1);
    let scale = 150.0 / 72.0;
    let pixels = hayro::render(
        &pages[0],
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE },
    );
    let (width, height) = (usize::from(pixels.width()), usize::from(pixels.height()));
    let pixels = pixels.data();
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let pixel = pixels[y * width + x];
        ((u16::from(pixel.r) + u16::from(pixel.g) + u16::from(pixel.b)) / 3) as u8
    });
    image.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

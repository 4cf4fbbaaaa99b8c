//! Reading a certificate off its page, as a scanner does, and measuring it.

#![expect(clippy::unwrap_used, reason = "a page that cannot be read fails the test")]

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};

/// The texts of the QRs on the first page of a PDF, scanned at 150 dpi or more.
pub fn scan(pdf: Vec<u8>) -> Vec<String> {
    let pdf = Pdf::new(pdf).unwrap();
    let pages = pdf.pages();
    // One decoder fails now and then at one resolution, so it looks more than once, as a phone does.
    let looks = [150.0, 200.0, 300.0].map(|dpi| dpi / 72.0);
    let mut seen = looks.into_iter().map(|scale| {
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
        let codes = image.detect_grids();
        codes.iter().filter_map(|code| code.decode().ok()).map(|(_, text)| text).collect::<Vec<_>>()
    });
    seen.find(|texts| !texts.is_empty()).unwrap_or_default()
}

/// Width and height of each page of a PDF in millimetres, to a hundredth.
pub fn pages(pdf: Vec<u8>) -> Vec<(f64, f64)> {
    let mm = |points: f32| (f64::from(points) * 2540.0 / 72.0).round() / 100.0;
    let pdf = Pdf::new(pdf).unwrap();
    let sizes = pdf.pages().iter().map(|page| page.render_dimensions());
    sizes.map(|(width, height)| (mm(width), mm(height))).collect()
}

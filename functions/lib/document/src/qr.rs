//! Encodes a text as a QR code.

use qrcode::bits::encode_auto;
use qrcode::canvas::{Canvas, MaskPattern};
use qrcode::{Color, EcLevel, ec};

use crate::DocumentError;

/// The width of the white margin that the standard requires around a QR code, in modules (ISO/IEC
/// 18004, 4.3.8).
pub(crate) const QUIET_ZONE: usize = 4;

/// The number of pixels per side of a module; see [`Qr::filtered_pixels`]. With modules of 0.5 mm,
/// the resolution is 400 dpi, enough for sharp edges.
pub(crate) const PIXELS: usize = 8;

/// The modules of a QR code, without the quiet zone.
#[derive(Debug)]
pub(crate) struct Qr {
    width: usize,
    dark: Vec<bool>,
}

/// A run of adjacent dark modules in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The column of the first module, counted from the left.
    pub(crate) x: usize,
    /// The row, counted from the top.
    pub(crate) y: usize,
    /// The length of the run, in modules.
    pub(crate) length: usize,
}

impl Qr {
    /// Encodes the text of a certificate as the smallest QR code of error correction level M that
    /// holds it.
    ///
    /// Level M is used because cheap phones failed to scan the smaller modules of level Q. The text
    /// is base45, so it is encoded in alphanumeric segments.
    pub(crate) fn of_certificate(text: &str) -> Result<Self, DocumentError> {
        let mut canvas = Self::unmasked(text)?;
        // The standard requires the best of all eight masks, but trying them takes forty times as
        // long. The compressed and signed text is practically random under any mask, and readers
        // accept any mask that the QR code declares. The checkerboard also breaks up the regular
        // padding at the end.
        canvas.apply_mask(MaskPattern::Checkerboard);
        Ok(Self::from_canvas(canvas))
    }

    /// Encodes a plain text as the smallest QR code of error correction level M that holds it.
    /// Plain text can produce large uniform areas, so the best of the eight masks is used.
    pub(crate) fn of_plain_text(text: &str) -> Result<Self, DocumentError> {
        Ok(Self::from_canvas(Self::unmasked(text)?.apply_best_mask()))
    }

    fn unmasked(text: &str) -> Result<Canvas, DocumentError> {
        let bits = encode_auto(text.as_bytes(), EcLevel::M).map_err(|_| DocumentError::QrTextTooLong)?;
        let version = bits.version();
        let (data, correction) = ec::construct_codewords(&bits.into_bytes(), version, EcLevel::M)
            .map_err(|_| DocumentError::QrTextTooLong)?;
        let mut canvas = Canvas::new(version, EcLevel::M);
        canvas.draw_all_functional_patterns();
        canvas.draw_data(&data, &correction);
        Ok(canvas)
    }

    fn from_canvas(canvas: Canvas) -> Self {
        let dark: Vec<bool> = canvas.into_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        Self { width: dark.len().isqrt(), dark }
    }

    /// The number of modules per side, including the quiet zone.
    pub(crate) fn width_with_quiet_zone(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// Returns the pixels including the quiet zone, one bit per pixel; 1 is white. A module is
    /// [`PIXELS`] = 8 pixels wide, so it takes one byte of each row.
    ///
    /// Each row starts with its PNG filter type (section 9.2 of <https://www.w3.org/TR/png-3/>). In
    /// each row of modules, the first row of pixels is written in full, and the others as zero
    /// differences from the row above. This halves the compressed size.
    pub(crate) fn filtered_pixels(&self) -> Vec<u8> {
        const NONE: u8 = 0;
        const UP: u8 = 2;
        let side = self.width_with_quiet_zone();
        let mut pixels = Vec::with_capacity((side + 1) * side * PIXELS);
        for y in 0..side {
            pixels.push(NONE);
            let start = pixels.len();
            pixels.resize(start + side, 0xFF);
            let dark = y.checked_sub(QUIET_ZONE).and_then(|y| self.dark.chunks(self.width.max(1)).nth(y));
            for (pixel, dark) in pixels[start + QUIET_ZONE..].iter_mut().zip(dark.into_iter().flatten()) {
                *pixel = if *dark { 0 } else { 0xFF };
            }
            for _ in 1..PIXELS {
                pixels.push(UP);
                pixels.resize(pixels.len() + side, 0);
            }
        }
        pixels
    }

    /// Returns the runs of dark modules, row by row from the top left. Drawing runs takes half as
    /// many shapes as drawing modules.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        self.dark.chunks(self.width.max(1)).enumerate().flat_map(|(y, row)| {
            let mut x = 0;
            std::iter::from_fn(move || {
                x += row.get(x..)?.iter().position(|dark| *dark)?;
                let length = row[x..].iter().take_while(|dark| **dark).count();
                let run = Run { x, y, length };
                x += length;
                Some(run)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> String {
        "HC1:".chars().chain("6BFOXN%TS3DH-M0 $*/".chars().cycle()).take(length).collect()
    }

    #[test]
    fn certificate_texts_give_the_measured_versions() {
        assert_eq!(Qr::of_certificate(&text(537)).unwrap().width, 77, "version 15");
        assert_eq!(Qr::of_certificate(&text(700)).unwrap().width, 85, "version 17");
    }

    #[test]
    fn runs_cover_only_the_dark_modules() {
        let qr = Qr::of_certificate(&text(537)).unwrap();
        let mut dark = vec![false; qr.width * qr.width];
        for run in qr.runs() {
            for x in run.x..run.x + run.length {
                assert!(!std::mem::replace(&mut dark[run.y * qr.width + x], true));
            }
        }
        assert_eq!(dark, qr.dark);
    }

    #[test]
    fn pixels_match_modules_and_quiet_zone() {
        let qr = Qr::of_certificate(&text(537)).unwrap();
        let (side, pixels) = (qr.width_with_quiet_zone(), qr.filtered_pixels());
        assert_eq!(pixels.len(), (side + 1) * side * PIXELS);
        for (y, row) in pixels.chunks(side + 1).enumerate() {
            if y % PIXELS > 0 {
                assert!(row[0] == 2 && row[1..].iter().all(|difference| *difference == 0), "{y}");
                continue;
            }
            assert_eq!(row[0], 0, "{y}");
            let y = y / PIXELS;
            for (x, pixels) in row[1..].iter().enumerate() {
                let inside = [x, y].iter().all(|at| (QUIET_ZONE..QUIET_ZONE + qr.width).contains(at));
                let dark = inside && qr.dark[(y - QUIET_ZONE) * qr.width + x - QUIET_ZONE];
                assert_eq!(*pixels, if dark { 0 } else { 0xFF }, "{x} {y}");
            }
        }
    }

    #[test]
    fn rejects_text_longer_than_the_largest_qr() {
        assert!(matches!(Qr::of_certificate(&text(3392)), Err(DocumentError::QrTextTooLong)));
        assert!(Qr::of_certificate(&text(3391)).is_ok(), "the capacity of version 40 at level M");
    }
}

//! A QR: from its text to its modules.

use qrcode::bits::encode_auto;
use qrcode::canvas::{Canvas, MaskPattern};
use qrcode::{Color, EcLevel, ec};

use crate::DocumentError;

/// The white margin that the standard asks for around a QR, in modules (ISO/IEC 18004, 4.3.8).
pub(crate) const QUIET_ZONE: usize = 4;

/// The pixels of a module's side, see [`Qr::filtered_pixels`]. At 0.5 mm a module that is 400 dpi,
/// so that no edge is soft.
pub(crate) const PIXELS: usize = 8;

/// The modules of a QR, without the quiet zone.
#[derive(Debug)]
pub(crate) struct Qr {
    width: usize,
    dark: Vec<bool>,
}

/// Dark modules beside each other in one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Column of the first module.
    pub(crate) x: usize,
    /// Row, from the top.
    pub(crate) y: usize,
    /// Number of modules.
    pub(crate) length: usize,
}

impl Qr {
    /// The smallest QR of error correction level M that holds the text of a certificate.
    ///
    /// Level M because cheap phones failed on the finer modules of level Q. The text is base45, so the
    /// segments come out alphanumeric.
    pub(crate) fn new(text: &str) -> Result<Self, DocumentError> {
        let mut canvas = Self::unmasked(text)?;
        // The standard would have us draw all eight masks and keep the best, which takes forty times as long.
        // The text is compressed and signed, so it is as good as random, and so is what any mask makes of it;
        // a reader takes whichever the QR names. The checkerboard also breaks up the regular padding at the
        // end.
        canvas.apply_mask(MaskPattern::Checkerboard);
        Ok(Self::of(canvas))
    }

    /// The smallest QR of error correction level M that holds a text of words, which can come out in patterns: it gets the
    /// best of the eight masks.
    pub(crate) fn of_words(text: &str) -> Result<Self, DocumentError> {
        Ok(Self::of(Self::unmasked(text)?.apply_best_mask()))
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

    fn of(canvas: Canvas) -> Self {
        let dark: Vec<bool> = canvas.into_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        Self { width: dark.len().isqrt(), dark }
    }

    /// Modules on a side with the quiet zone.
    pub(crate) fn width_with_quiet_zone(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// The pixels with the quiet zone, a bit each, 1 for white: a module is [`PIXELS`] wide and high, so a byte is a module.
    ///
    /// Each row has a filter of PNG before it (12.4 of <https://www.w3.org/TR/png-3/>): a row of
    /// modules is written once and then repeated by differences of zero, which compresses to half.
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

    /// The dark runs, row by row from the top left: half as many shapes as single modules.
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
    fn the_versions_are_those_that_were_measured() {
        assert_eq!(Qr::new(&text(537)).unwrap().width, 77, "version 15");
        assert_eq!(Qr::new(&text(700)).unwrap().width, 85, "version 17");
    }

    #[test]
    fn runs_cover_exactly_the_dark_modules() {
        let qr = Qr::new(&text(537)).unwrap();
        let mut dark = vec![false; qr.width * qr.width];
        for run in qr.runs() {
            for x in run.x..run.x + run.length {
                assert!(!std::mem::replace(&mut dark[run.y * qr.width + x], true));
            }
        }
        assert_eq!(dark, qr.dark);
    }

    #[test]
    fn pixels_show_the_modules_in_their_quiet_zone() {
        let qr = Qr::new(&text(537)).unwrap();
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
    fn a_text_that_no_qr_holds_is_an_error() {
        assert!(matches!(Qr::new(&text(3392)), Err(DocumentError::QrTextTooLong)));
        assert!(Qr::new(&text(3391)).is_ok(), "the most that version 40 holds at level M");
    }
}

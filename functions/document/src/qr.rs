//! The QR of a certificate: from its text to its modules.

use qrcode::bits::encode_auto;
use qrcode::canvas::{Canvas, MaskPattern};
use qrcode::{Color, EcLevel, ec};

use crate::DocumentError;

/// The white margin that the standard asks for around a QR, in modules (ISO/IEC 18004, 4.3.8).
pub(crate) const QUIET_ZONE: usize = 4;

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

/// A rectangle of dark modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Column of the left modules.
    pub(crate) x: usize,
    /// Row of the upper modules.
    pub(crate) y: usize,
    /// Number of columns.
    pub(crate) width: usize,
    /// Number of rows.
    pub(crate) height: usize,
}

impl Qr {
    /// The smallest QR of error correction level M that holds the text.
    ///
    /// Level M because cheap phones failed on the finer modules of level Q. The text is base45, so the
    /// segments come out alphanumeric.
    pub(crate) fn new(text: &str) -> Result<Self, DocumentError> {
        let bits = encode_auto(text.as_bytes(), EcLevel::M).map_err(|_| DocumentError::QrTextTooLong)?;
        let version = bits.version();
        let (data, correction) = ec::construct_codewords(&bits.into_bytes(), version, EcLevel::M)
            .map_err(|_| DocumentError::QrTextTooLong)?;
        let mut canvas = Canvas::new(version, EcLevel::M);
        canvas.draw_all_functional_patterns();
        canvas.draw_data(&data, &correction);
        // The standard would have us draw all eight masks and keep the best, which takes forty times as long.
        // The text is compressed and signed, so it is as good as random, and so is what any mask makes of it;
        // a reader takes whichever the QR names. The checkerboard also breaks up the regular padding at the
        // end.
        canvas.apply_mask(MaskPattern::Checkerboard);
        let dark = canvas.into_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        Ok(Self { width: usize::try_from(version.width()).unwrap_or_default(), dark })
    }

    /// Modules on a side with the quiet zone.
    pub(crate) fn width_with_quiet_zone(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// Rectangles that cover the dark modules, each once: runs, one with those of the same place in the rows below.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let dark = |x: usize, y: usize| self.dark.get(y * self.width + x).copied().unwrap_or_default();
        // Whether just this run is in a row.
        let is_run = move |run: Run, y: usize| {
            y < self.width
                && (run.x..run.x + run.length).all(|x| dark(x, y))
                && !(run.x > 0 && dark(run.x - 1, y))
                && !(run.x + run.length < self.width && dark(run.x + run.length, y))
        };
        self.runs().filter(move |run| run.y == 0 || !is_run(*run, run.y - 1)).map(move |run| {
            let height = (run.y..).take_while(|y| is_run(run, *y)).count();
            Block { x: run.x, y: run.y, width: run.length, height }
        })
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
    fn blocks_cover_each_dark_module_once() {
        let qr = Qr::new(&text(537)).unwrap();
        let mut dark = vec![false; qr.width * qr.width];
        for block in qr.blocks() {
            for (x, y) in (0..block.width).flat_map(|x| (0..block.height).map(move |y| (x, y))) {
                let module = &mut dark[(block.y + y) * qr.width + block.x + x];
                assert!(!std::mem::replace(module, true));
            }
        }
        assert_eq!(dark, qr.dark);
        assert!(qr.blocks().count() < qr.runs().count());
    }

    #[test]
    fn a_text_that_no_qr_holds_is_an_error() {
        assert!(matches!(Qr::new(&text(3392)), Err(DocumentError::QrTextTooLong)));
        assert!(Qr::new(&text(3391)).is_ok(), "the most that version 40 holds at level M");
    }
}

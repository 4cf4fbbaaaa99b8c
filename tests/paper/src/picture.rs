//! Finds and decodes QR codes in images.

use std::collections::HashSet;
use std::f32::consts::SQRT_2;

use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::qrcode::cpp_port::{decoder, detector};
use rxing::{Binarizer, Luma8Source};

/// A greyscale image.
pub struct Picture {
    width: usize,
    grey: Vec<u8>,
    dpi: u16,
}

/// A decoded QR code.
#[derive(Clone, Debug)]
pub struct Qr {
    /// The text that the QR code contains.
    pub text: String,
    /// The number of modules per side, without the quiet zone.
    pub modules: usize,
    /// The measured side length of a module, in millimetres.
    pub module_mm: f32,
    /// The resolution of the image, in dots per inch.
    pub dpi: u16,
}

impl Picture {
    /// Creates an image from its grey values, row by row from the top. `dpi` is its resolution.
    pub fn new(width: usize, grey: Vec<u8>, dpi: u16) -> Self {
        Self { width, grey, dpi }
    }

    /// Rasterises only the QR code in an SVG document written by `bukti-document`, with 4 pixels
    /// per module at 300 dpi. The margin on all sides equals the left margin.
    pub fn of_qr_in(svg: &str) -> Self {
        let document = roxmltree::Document::parse(svg).unwrap();
        let path = document.descendants().find(|node| node.attribute("shape-rendering").is_some()).unwrap();
        let path = path.attribute("d").unwrap();
        // The path uses three commands, with a module as the unit: `M` moves to the middle of a
        // row, `m` skips light modules, and `h` draws dark modules.
        let (mut x, mut y, mut dark) = (0, 0, HashSet::new());
        for (command, numbers) in path.matches(['M', 'm', 'h']).zip(path.split(['M', 'm', 'h']).skip(1)) {
            let numbers: Vec<f32> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
            match command {
                "M" => (x, y) = (numbers[0] as usize, numbers[1] as usize),
                "m" => x += numbers[0] as usize,
                _ => {
                    dark.extend((0..numbers[0] as usize).map(|step| (x + step, y)));
                    x += numbers[0] as usize;
                }
            }
        }
        let columns = || dark.iter().map(|(x, _)| x);
        let side = columns().min().unwrap() + columns().max().unwrap() + 1;
        let shades = (0..side * 4).flat_map(|y| (0..side * 4).map(move |x| (x / 4, y / 4)));
        let shades = shades.map(|module| if dark.contains(&module) { 0 } else { 255 });
        Self::new(side * 4, shades.collect(), 300)
    }

    /// Returns the QR codes that can be decoded, except for codes that are distorted by
    /// perspective.
    pub fn qrs(&self) -> Vec<Qr> {
        let height = self.grey.len() / self.width.max(1);
        let (Ok(width), Ok(height)) = (u32::try_from(self.width), u32::try_from(height)) else {
            return Vec::new();
        };
        let source = || Luma8Source::new_with_slice(&self.grey, width, height).unwrap();
        // The hybrid binarizer uses local thresholds and copes with shadows; the global binarizer
        // reads smaller modules.
        let hybrid = HybridBinarizer::new(source());
        let global = GlobalHistogramBinarizer::new(source());
        let first = hybrid.get_black_matrix().map(|modules| self.read(modules)).unwrap_or_default();
        let second = || global.get_black_matrix().map(|modules| self.read(modules)).unwrap_or_default();
        if first.is_empty() { second() } else { first }
    }

    fn read(&self, picture: &BitMatrix) -> Vec<Qr> {
        // `true` makes the detector search every third row. With its default step, it misses the
        // finder patterns of a QR code on a whole page.
        let mut patterns = detector::FindFinderPatterns(picture, true, 0);
        let mut used: Vec<ConcentricPattern> = Vec::new();
        let mut qrs = Vec::new();
        for corners in detector::GenerateFinderPatternSets(&mut patterns) {
            let patterns = [corners.bl, corners.tl, corners.tr];
            if patterns.iter().any(|pattern| used.contains(pattern)) {
                continue;
            }
            let Ok(found) = detector::SampleQR(picture, &corners) else { continue };
            let Ok(read) = decoder::Decode(found.getBits()) else { continue };
            let Ok(text) = String::from_utf8(read.content().bytes().to_vec()) else { continue };
            if !read.isValid() {
                continue;
            }
            let modules = found.getBits().width() as usize;
            // The centre of a finder pattern is 3.5 modules away from the edge of the QR code.
            let distance = |a: ConcentricPattern, b: ConcentricPattern| (a.p.x - b.p.x).hypot(a.p.y - b.p.y);
            let sides = [distance(corners.tl, corners.tr), distance(corners.tl, corners.bl)];
            let by_diagonal = distance(corners.tr, corners.bl) / SQRT_2;
            // Thanks to error correction, decoding can succeed even if a corner was misdetected,
            // but the module size would then be wrong.
            if sides.iter().any(|side| (side / by_diagonal - 1.0).abs() > 0.02) {
                continue;
            }
            used.extend(patterns);
            let side = (sides[0] + sides[1]) / 2.0;
            let module_mm = side / (modules as f32 - 7.0) / f32::from(self.dpi) * 25.4;
            qrs.push(Qr { text, modules, module_mm, dpi: self.dpi });
        }
        qrs
    }
}

//! Finding and reading QRs in a picture.

use std::collections::HashSet;
use std::f32::consts::SQRT_2;

use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::qrcode::cpp_port::{decoder, detector};
use rxing::{Binarizer, Luma8Source};

/// A picture in shades of grey.
pub struct Picture {
    width: usize,
    grey: Vec<u8>,
    dpi: u16,
}

/// A QR in a picture.
#[derive(Clone, Debug)]
pub struct Qr {
    /// Its text.
    pub text: String,
    /// Modules on a side, without the quiet zone.
    pub modules: usize,
    /// The side of a module as measured in the picture, in millimetres.
    pub module_mm: f32,
    /// The resolution of the picture, in dots per inch.
    pub dpi: u16,
}

impl Picture {
    /// A picture from its shades, row by row from the top, and its resolution in dots per inch.
    pub fn new(width: usize, grey: Vec<u8>, dpi: u16) -> Self {
        Self { width, grey, dpi }
    }

    /// The QR of a picture of ours (an SVG), without what is around it but with as much margin as it has at the left: 4 pixels
    /// a module, at 300 dpi.
    pub fn of_qr_in(svg: &str) -> Self {
        let document = roxmltree::Document::parse(svg).unwrap();
        let path = document.descendants().find(|node| node.attribute("shape-rendering").is_some()).unwrap();
        let path = path.attribute("d").unwrap();
        // The path knows three things, all in modules: go to a row's middle, skip light ones, draw dark ones.
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

    /// The QRs that can be read, and lie flat: none of a picture taken aslant.
    pub fn qrs(&self) -> Vec<Qr> {
        let height = self.grey.len() / self.width.max(1);
        let (Ok(width), Ok(height)) = (u32::try_from(self.width), u32::try_from(height)) else {
            return Vec::new();
        };
        let source = || Luma8Source::new_with_slice(&self.grey, width, height).unwrap();
        // The first looks at the light around each spot and reads in shadow; the second reads smaller modules.
        let by_surroundings = HybridBinarizer::new(source());
        let by_histogram = GlobalHistogramBinarizer::new(source());
        let first = by_surroundings.get_black_matrix().map(|modules| self.read(modules)).unwrap_or_default();
        let second = || by_histogram.get_black_matrix().map(|modules| self.read(modules)).unwrap_or_default();
        if first.is_empty() { second() } else { first }
    }

    fn read(&self, picture: &BitMatrix) -> Vec<Qr> {
        // Looks at every third row: the fewer that it takes by itself pass over the corners of a QR on a whole page.
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
            // Finder patterns have their middle three and a half modules from the edge.
            let apart = |a: ConcentricPattern, b: ConcentricPattern| (a.p.x - b.p.x).hypot(a.p.y - b.p.y);
            let sides = [apart(corners.tl, corners.tr), apart(corners.tl, corners.bl)];
            let by_diagonal = apart(corners.tr, corners.bl) / SQRT_2;
            // Error correction reads a text also from a corner that is none: there is nothing to be measured then.
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

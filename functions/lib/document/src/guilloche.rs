//! The guilloche band: fine waves as on a banknote, slightly different for each certificate.
//!
//! It consists of two overlapping ribbons of crossing waves. All certificates have the same
//! ribbons, but their offset, stretch and direction are derived from the certificate's id. The band
//! is only decoration: the QR code proves a certificate, and nothing checks the band.

use std::f32::consts::{PI, TAU};

/// The height of the ribbons, in points.
pub(crate) const HEIGHT: f32 = 27.0;
/// The wavelength of each ribbon, in points.
const PERIODS: [f32; 2] = [84.0, 118.0];
/// The minimum length of a ribbon, in points, so that it covers an A4 page at any offset and
/// stretch.
const MIN_LENGTH: f32 = 840.0;
/// The number of waves in a ribbon.
const WAVES: usize = 4;
/// The number of Bézier segments in a period, which is enough to approximate a sine.
const PIECES: usize = 6;

/// A curve of cubic Bézier segments. Each segment has two control points and an end point.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) start: (f32, f32),
    pub(crate) pieces: Vec<[(f32, f32); 3]>,
}

/// Transforms a ribbon's x coordinates to `stretch * x + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placement {
    pub(crate) stretch: f32,
    pub(crate) shift: f32,
}

/// One period of a ribbon's waves, starting at `x = 0`. It is drawn `repeats` times.
pub(crate) struct Ribbon {
    pub(crate) period: f32,
    pub(crate) repeats: usize,
    pub(crate) waves: Vec<Curve>,
}

pub(crate) fn ribbons() -> [Ribbon; 2] {
    PERIODS.map(|period| Ribbon {
        period,
        repeats: repeats(period),
        waves: (0..WAVES).map(|wave| curve(period, wave)).collect(),
    })
}

fn repeats(period: f32) -> usize {
    (MIN_LENGTH / period).ceil() as usize
}

fn curve(period: f32, wave: usize) -> Curve {
    // The cosine runs from nearly 1 to nearly -1 over the waves. All waves cross where the sine is
    // zero, so they look like a twisted ribbon.
    let amplitude = 0.44 * HEIGHT * (PI * (wave as f32 + 0.5) / WAVES as f32).cos();
    let at = |piece: usize| {
        let angle = TAU * piece as f32 / PIECES as f32;
        (HEIGHT / 2.0 + amplitude * angle.sin(), amplitude * angle.cos() * TAU / period)
    };
    let step = period / PIECES as f32;
    let pieces = (0..PIECES)
        .map(|piece| {
            let (from, to) = (step * piece as f32, step * (piece + 1) as f32);
            let ((y0, slope0), (y1, slope1)) = (at(piece), at(piece + 1));
            // Converts from Hermite to Bézier form: the control points lie a third of the step
            // along the tangents.
            let third = step / 3.0;
            [(from + third, y0 + slope0 * third), (to - third, y1 - slope1 * third), (to, y1)]
        })
        .collect();
    Curve { start: (0.0, HEIGHT / 2.0), pieces }
}

/// Returns the placements of both ribbons on the certificate with this id.
pub(crate) fn placements(id: &str) -> [Placement; 2] {
    let mut random = Random::new(id);
    PERIODS.map(|period| {
        let stretch = random.between(0.85, 1.2);
        let shift = -random.between(0.0, period * stretch);
        let run = stretch * period * repeats(period) as f32;
        if random.between(0.0, 1.0) < 0.5 {
            Placement { stretch, shift }
        } else {
            Placement { stretch: -stretch, shift: shift + run }
        }
    })
}

/// Computes the FNV-1a hash of a text.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// A SplitMix64 generator, seeded with the hash of a text.
struct Random(u64);

impl Random {
    fn new(text: &str) -> Self {
        Self(fingerprint(text))
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        low + (high - low) * ((mixed >> 40) as f32 / (1_u64 << 24) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ribbons_stay_in_the_band_and_cover_a_page() {
        for ribbon in ribbons() {
            for curve in &ribbon.waves {
                for (_, y) in curve.pieces.iter().flatten() {
                    assert!((0.0..=HEIGHT).contains(y), "{y}");
                }
            }
        }
        for id in ["7KQ2-M4XD-9TRA-6HVC", "7KQ2-M4XD-9TRA-6HVD", "", "x"] {
            for (ribbon, placement) in ribbons().iter().zip(placements(id)) {
                let end = ribbon.period * ribbon.repeats as f32;
                let ends = [placement.shift, placement.stretch * end + placement.shift];
                let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                assert!(low <= 0.0 && high >= 596.0, "{id}: {low} {high}");
            }
        }
    }

    #[test]
    fn placements_depend_on_the_id_only() {
        assert_eq!(placements("7KQ2-M4XD-9TRA-6HVC"), placements("7KQ2-M4XD-9TRA-6HVC"));
        assert_ne!(placements("7KQ2-M4XD-9TRA-6HVC"), placements("7KQ2-M4XD-9TRA-6HVD"));
    }
}

//! The guilloche band: fine waves in the manner of a banknote, a little different on each certificate.
//!
//! It is decoration. What proves a certificate is its QR, and nothing reads the band.

use std::f32::consts::{PI, TAU};

/// Waves that cross each other.
const WAVES: usize = 7;
/// Pieces of Bézier curve in one period of the carrying wave: enough that the eye sees a sine.
const PIECES_PER_PERIOD: usize = 6;

/// A curve: where it starts, and cubic Bézier pieces of two control points and an end, all as `(x, y)`.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) start: (f32, f32),
    pub(crate) pieces: Vec<[(f32, f32); 3]>,
}

/// The curves of a band over `width` x `height` at the origin, y downwards, drawn from a certificate's id.
pub(crate) fn band(id: &str, width: f32, height: f32) -> Vec<Curve> {
    let mut random = Random::new(id);
    // Periods over the band. Whole numbers differ visibly from one another and the ends still look alike.
    let carrier = random.between(5.0, 8.0).round();
    let swell = random.between(2.0, 4.0).round() + 0.5;
    let (phase, swell_phase) = (random.between(0.0, TAU), random.between(0.0, TAU));
    let pieces = carrier as usize * PIECES_PER_PERIOD;
    let step = width / pieces as f32;
    (0..WAVES)
        .map(|wave| {
            // From +1 to -1 over the waves, so that all cross where the carrier is zero: a twisted ribbon.
            let spread = (PI * (wave as f32 + 0.5) / WAVES as f32).cos();
            let at = |x: f32| {
                let (carried, swelled) =
                    (TAU * carrier * x / width + phase, TAU * swell * x / width + swell_phase);
                let y = 0.5 + 0.34 * spread * carried.sin() + 0.13 * swelled.sin();
                let slope = 0.34 * spread * carried.cos() * TAU * carrier / width
                    + 0.13 * swelled.cos() * TAU * swell / width;
                (y * height, slope * height)
            };
            let (start, _) = at(0.0);
            let pieces = (0..pieces)
                .map(|piece| {
                    let (from, to) = (step * piece as f32, step * (piece + 1) as f32);
                    let ((y0, slope0), (y1, slope1)) = (at(from), at(to));
                    // Hermite to Bézier: the control points lie a third of the way along the tangents.
                    let third = step / 3.0;
                    [(from + third, y0 + slope0 * third), (to - third, y1 - slope1 * third), (to, y1)]
                })
                .collect();
            Curve { start: (0.0, start), pieces }
        })
        .collect()
}

/// A number that stays the same for the same text (FNV-1a).
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// Numbers that differ with the text and are always the same for it (SplitMix64).
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

    fn points(id: &str) -> Vec<(f32, f32)> {
        band(id, 600.0, 30.0)
            .into_iter()
            .flat_map(|curve| std::iter::once(curve.start).chain(curve.pieces.into_iter().flatten()))
            .collect()
    }

    #[test]
    fn a_band_stays_inside_and_is_its_own() {
        for id in ["7KQ2-M4XD-9TRA-6HVC", "7KQ2-M4XD-9TRA-6HVD", ""] {
            for (x, y) in points(id) {
                assert!((-0.01..=600.01).contains(&x) && (0.0..=30.0).contains(&y), "{id}: {x} {y}");
            }
            assert_eq!(points(id), points(id));
        }
        assert_ne!(points("7KQ2-M4XD-9TRA-6HVC"), points("7KQ2-M4XD-9TRA-6HVD"));
    }
}

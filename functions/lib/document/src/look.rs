//! The colours of a certificate, as the design's tokens have them. Both documents are read in the light:
//! paper is white, and a phone's camera wants black on white.

/// A colour, `0xRRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u32);

/// The ground of a quiet panel.
pub(crate) const GROUND: Colour = Colour(0x00F3_F8F7);
/// Text.
pub(crate) const TEXT: Colour = Colour(0x0012_302F);
/// Text that steps back: labels and the second language.
pub(crate) const QUIET: Colour = Colour(0x004A_5F5E);
/// The brand.
pub(crate) const BRAND: Colour = Colour(0x0000_696B);
/// A hairline.
pub(crate) const LINE: Colour = Colour(0x00C3_D4D2);
/// A warning, and its ground.
pub(crate) const WARNING: Colour = Colour(0x008A_4B00);
pub(crate) const WARNING_GROUND: Colour = Colour(0x00FF_F3E0);
pub(crate) const WHITE: Colour = Colour(0x00FF_FFFF);
/// The QR: black, since nothing scans better.
pub(crate) const BLACK: Colour = Colour(0);
/// The waves of the guilloche, in turn.
pub(crate) const WAVES: [Colour; 3] = [Colour(0x0000_696B), Colour(0x0035_A9A4), Colour(0x003B_8F5E)];

impl Colour {
    /// Red, green and blue from 0 to 1.
    pub(crate) fn parts(self) -> [f32; 3] {
        [16, 8, 0].map(|shift| ((self.0 >> shift) & 0xFF) as f32 / 255.0)
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{:06X}", self.0)
    }
}

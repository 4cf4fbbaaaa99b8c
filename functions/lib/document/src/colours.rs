//! The colours of the design. Only the light variant exists, since paper is white, and cameras scan
//! black QR codes on white best.

/// A colour in the form `0xRRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u32);

/// The background of a plain panel.
pub(crate) const GROUND: Colour = Colour(0x00F3_F8F7);
pub(crate) const TEXT: Colour = Colour(0x0012_302F);
/// Secondary text, such as labels and the second language.
pub(crate) const QUIET: Colour = Colour(0x004A_5F5E);
pub(crate) const BRAND: Colour = Colour(0x0000_696B);
/// The colour of thin lines.
pub(crate) const LINE: Colour = Colour(0x00C3_D4D2);
/// The text of a warning and the background behind it.
pub(crate) const WARNING: Colour = Colour(0x008A_4B00);
pub(crate) const WARNING_GROUND: Colour = Colour(0x00FF_F3E0);
pub(crate) const WHITE: Colour = Colour(0x00FF_FFFF);
/// The colour of QR codes, for the best contrast.
pub(crate) const BLACK: Colour = Colour(0);
/// The colours of the guilloche's waves, which alternate.
pub(crate) const WAVES: [Colour; 3] = [Colour(0x0000_696B), Colour(0x0035_A9A4), Colour(0x003B_8F5E)];

impl Colour {
    /// Returns red, green and blue, each from 0 to 1.
    pub(crate) fn parts(self) -> [f32; 3] {
        [16, 8, 0].map(|shift| ((self.0 >> shift) & 0xFF) as f32 / 255.0)
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{:06X}", self.0)
    }
}

//! The fonts of the PDF, and the measuring of text with them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use allsorts::binary::read::ReadScope;
use allsorts::font_data::FontData;
use allsorts::subset::{CmapTarget, SubsetProfile, subset};
use bukti_domain::transliterate;
use printpdf::{FontId, ParsedFont, PdfFont};

use crate::DocumentError;

/// The baseline of a line under the one before, and the upper edge of its capitals over its
/// baseline, in sizes.
pub(crate) const LEADING: f32 = 1.25;
pub(crate) const CAPITALS: f32 = 0.72;

/// What stands for a character that the font lacks: a person sees that something is missing.
pub(crate) const REPLACEMENT: char = '\u{FFFD}';
/// The characters below this, all that the font has beside [`REPLACEMENT`], are looked up in a table.
const TABLE_END: usize = 0x2200;
/// In the table: the font lacks this character.
const LACKING: u16 = u16::MAX;

/// Both weights.
#[derive(Debug)]
pub(crate) struct Fonts {
    pub(crate) regular: Face,
    pub(crate) bold: Face,
}

/// One weight of the font.
#[derive(Debug)]
pub(crate) struct Face {
    /// What pages call the font. PDF wants six capitals before the name of a subset (ISO 32000-1, 9.6.4), and these are they.
    pub(crate) id: FontId,
    parsed: ParsedFont,
    /// Advance widths in font units.
    advances: Vec<u16>,
    /// The font's glyphs, 0 where it has none.
    glyphs: Vec<u16>,
    replacement: u16,
    replacement_advance: u16,
    units_per_em: f32,
}

/// The fonts, parsed once in the life of the process.
pub(crate) fn fonts() -> Result<&'static Fonts, DocumentError> {
    static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            Some(Fonts {
                regular: Face::parse(
                    "BUKTIR",
                    "NotoSans-Regular",
                    include_bytes!("../fonts/NotoSans-Regular.ttf"),
                )?,
                bold: Face::parse("BUKTIB", "NotoSans-Bold", include_bytes!("../fonts/NotoSans-Bold.ttf"))?,
            })
        })
        .as_ref()
        .ok_or(DocumentError::Font)
}

impl Face {
    fn parse(id: &str, name: &str, bytes: &[u8]) -> Option<Self> {
        let mut parsed = ParsedFont::from_bytes(bytes, 0, &mut Vec::new())?;
        parsed.font_name = Some(format!("{id}+{name}"));
        let glyphs: Vec<u16> = (0..TABLE_END as u32)
            .map(|character| parsed.lookup_glyph_index(character).unwrap_or_default())
            .collect();
        let advance = |glyph| parsed.get_glyph_width(glyph).unwrap_or_default();
        let advances =
            glyphs.iter().map(|glyph| if *glyph == 0 { LACKING } else { advance(*glyph) }).collect();
        let replacement = parsed.lookup_glyph_index(u32::from(REPLACEMENT))?;
        let replacement_advance = advance(replacement);
        let units_per_em = f32::from(parsed.units_per_em);
        Some(Self {
            id: FontId(id.to_owned()),
            parsed,
            advances,
            glyphs,
            replacement,
            replacement_advance,
            units_per_em,
        })
    }

    /// The font as a document takes it, with the glyphs of these letters alone, in the order of [`Face::kept`].
    pub(crate) fn embedded(&self, letters: &BTreeSet<char>) -> Result<PdfFont, DocumentError> {
        // The first glyph of a font is what is drawn where there is none.
        let kept: Vec<u16> = std::iter::once(0).chain(self.kept(letters)).collect();
        let small = || {
            let font = ReadScope::new(&self.parsed.original_bytes).read::<FontData<'_>>().ok()?;
            let tables = font.table_provider(0).ok()?;
            subset(&tables, &kept, &SubsetProfile::Pdf, CmapTarget::Unicode).ok()
        };
        let (mut glyphs, mut widths) = (BTreeMap::new(), BTreeMap::new());
        let codes = self.codes(letters);
        for letter in letters {
            let code = codes.of(*letter);
            glyphs.insert(u32::from(*letter), code);
            let width = kept.get(usize::from(code)).and_then(|glyph| self.parsed.get_glyph_width(*glyph));
            widths.insert(code, width.unwrap_or_default());
        }
        let ParsedFont { font_name, units_per_em, font_metrics, pdf_font_metrics, .. } = &self.parsed;
        let bytes = small().ok_or(DocumentError::Font)?;
        let (name, metrics) = (font_name.clone(), font_metrics.clone());
        let mut embedded =
            ParsedFont::with_glyph_data(bytes, 0, name, glyphs, widths, *units_per_em, metrics);
        embedded.pdf_font_metrics = pdf_font_metrics.clone();
        Ok(PdfFont::new(embedded))
    }

    /// The glyphs of these letters, in the order of the font.
    fn kept(&self, letters: &BTreeSet<char>) -> BTreeSet<u16> {
        letters.iter().map(|letter| self.glyph(*letter)).collect()
    }

    /// The font's glyph of a character; of [`REPLACEMENT`] where it has none.
    pub(crate) fn glyph(&self, character: char) -> u16 {
        match self.glyphs.get(character as usize) {
            Some(glyph) if *glyph != 0 => *glyph,
            _ => self.replacement,
        }
    }

    /// The codes of glyphs in a document whose font has these letters alone: from 1, in the order of the font.
    pub(crate) fn codes(&self, letters: &BTreeSet<char>) -> Codes {
        let kept = self.kept(letters);
        let code = |glyph: u16| kept.iter().position(|kept| *kept == glyph).map_or(0, |at| at as u16 + 1);
        let mut codes = vec![0; TABLE_END];
        for letter in letters {
            if let Some(place) = codes.get_mut(*letter as usize) {
                *place = code(self.glyph(*letter));
            }
        }
        Codes { codes, replacement: code(self.replacement) }
    }

    fn advance(&self, character: char) -> Option<u16> {
        self.advances.get(character as usize).copied().filter(|advance| *advance != LACKING)
    }

    /// A text that the font can draw: words that it cannot are written in the letters of a machine-readable zone (ICAO
    /// 9303), as in a passport. [`REPLACEMENT`] stands for what has no letters either.
    pub(crate) fn drawable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let can = |text: &str| text.chars().all(|character| self.advance(character).is_some());
        if can(text) {
            return Cow::Borrowed(text);
        }
        let words = text.split(' ').map(|word| {
            if can(word) {
                return word.to_owned();
            }
            let letters = transliterate(word).replace('<', " ");
            if letters.is_empty() {
                let shown =
                    |character| if self.advance(character).is_some() { character } else { REPLACEMENT };
                return word.chars().map(shown).collect();
            }
            letters
        });
        Cow::Owned(words.collect::<Vec<_>>().join(" "))
    }

    /// How wide a text is at size 1.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let units: u32 = text
            .chars()
            .map(|character| u32::from(self.advance(character).unwrap_or(self.replacement_advance)))
            .sum();
        units as f32 / self.units_per_em
    }

    /// The lines that a text breaks into at size 1 over a width: between words, inside a word only when it
    /// alone is too wide.
    pub(crate) fn lines(&self, text: &str, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        let mut used = 0.0;
        let space = self.width(" ");
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let word_width = self.width(word);
            if !line.is_empty() && used + space + word_width <= width {
                line.push(' ');
                line.push_str(word);
                used += space + word_width;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            used = 0.0;
            for character in word.chars() {
                let character_width = self.width(character.encode_utf8(&mut [0; 4]));
                if !line.is_empty() && used + character_width > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                }
                line.push(character);
                used += character_width;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// A text made to fit into a rectangle: at the largest size from `largest` down to `smallest` at which its lines
    /// do; cut with an ellipsis where not even the smallest does.
    pub(crate) fn fit(&self, text: &str, (width, height): (f32, f32), largest: f32, smallest: f32) -> Fitted {
        let mut size = largest;
        loop {
            let mut lines = self.lines(text, width / size);
            let most = (((height / size - CAPITALS) / LEADING + 0.01) as usize) + 1;
            if lines.len() <= most {
                return Fitted { size, lines };
            }
            if size <= smallest {
                lines.truncate(most);
                if let Some(last) = lines.last_mut() {
                    while !last.is_empty() && (self.width(last) + self.width("…")) * size > width {
                        last.pop();
                    }
                    last.push('…');
                }
                return Fitted { size, lines };
            }
            size = (size * 0.96).max(smallest);
        }
    }
}

/// The codes of a font's glyphs in a document, see [`Face::codes`].
pub(crate) struct Codes {
    /// By character; 0 where the document's font has none.
    codes: Vec<u16>,
    replacement: u16,
}

impl Codes {
    /// The code of a letter; of [`REPLACEMENT`] where the document's font has none.
    pub(crate) fn of(&self, letter: char) -> u16 {
        if self.has(letter) { self.codes[letter as usize] } else { self.replacement }
    }

    /// Whether the document's font has a letter.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.codes.get(letter as usize).is_some_and(|code| *code != 0)
    }
}

/// A text made to fit, see [`Face::fit`].
#[derive(Debug, PartialEq)]
pub(crate) struct Fitted {
    pub(crate) size: f32,
    pub(crate) lines: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_the_names_of_the_world_in_latin() {
        let fonts = fonts().unwrap();
        for face in [&fonts.regular, &fonts.bold] {
            for text in
                ["Nguyễn Thị Hoa", "José Ximenes", "Þórður Ægisson", "Łukasz Žižek", "3171•••••••••246…"]
            {
                assert_eq!(face.drawable(text), text);
            }
            assert_eq!(face.drawable("محمد الأمين 3"), "MXHMD ALXAEMYN 3");
            assert_eq!(face.drawable("A 😀"), "A \u{FFFD}");
        }
    }

    #[test]
    fn a_long_name_shrinks_before_it_is_cut() {
        let face = &fonts().unwrap().bold;
        let room = (400.0, 40.0);
        let fitted = face.fit("SRI", room, 22.0, 9.0);
        assert_eq!(fitted, Fitted { size: 22.0, lines: vec!["SRI".to_owned()] });
        let name = "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI";
        let fitted = face.fit(name, room, 22.0, 9.0);
        assert_eq!(fitted.lines.len(), 2);
        assert!(fitted.size < 22.0 && fitted.lines.join(" ") == name, "{fitted:?}");
        let fitted = face.fit(&"W".repeat(400), room, 22.0, 9.0);
        assert_eq!((fitted.lines.len(), fitted.size), (3, 9.0));
        assert!(fitted.lines[2].ends_with('…'));
        assert!(fitted.lines.iter().all(|line| face.width(line) * 9.0 <= 400.0));
    }

    #[test]
    fn nothing_takes_no_lines() {
        assert!(fonts().unwrap().regular.lines("", 10.0).is_empty());
    }
}

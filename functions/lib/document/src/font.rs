//! The fonts of the PDF: text measurement, line breaking and subsetting.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use allsorts::binary::read::ReadScope;
use allsorts::font_data::FontData;
use allsorts::subset::{CmapTarget, SubsetProfile};
use bukti_domain::transliterate;
use printpdf::{FontId, ParsedFont, PdfFont};

use crate::DocumentError;

/// The distance between baselines, as a multiple of the font size.
pub(crate) const LEADING: f32 = 1.25;
/// The height of capitals above the baseline, as a multiple of the font size.
pub(crate) const CAPITALS: f32 = 0.72;

/// Drawn instead of a character that the font lacks, so that readers see that something is missing.
pub(crate) const REPLACEMENT: char = '\u{FFFD}';
/// The length of tables that are indexed by character. The font contains no character beyond it
/// except [`REPLACEMENT`].
const TABLE_END: usize = 0x2200;
/// Marks a character that the font lacks in the table of advance widths.
const MISSING: u16 = u16::MAX;

#[derive(Debug)]
pub(crate) struct Fonts {
    pub(crate) regular: Face,
    pub(crate) bold: Face,
}

/// The regular or bold weight of the font.
#[derive(Debug)]
pub(crate) struct Face {
    /// The font's resource name in pages, and the prefix of its PostScript name. PDF requires a
    /// prefix of six capital letters for a subset (ISO 32000-1, 9.6.4).
    pub(crate) id: FontId,
    parsed: ParsedFont,
    /// Advance widths in font units, indexed by character.
    advances: Vec<u16>,
    /// Glyph ids, indexed by character; 0 if the font lacks the character.
    glyphs: Vec<u16>,
    replacement: u16,
    replacement_advance: u16,
    units_per_em: f32,
}

/// The fonts, parsed once per process.
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
            glyphs.iter().map(|glyph| if *glyph == 0 { MISSING } else { advance(*glyph) }).collect();
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

    /// Subsets the font for embedding. It then contains only the glyphs of these letters, in the
    /// order of [`Face::glyphs_of`].
    pub(crate) fn subset(&self, letters: &BTreeSet<char>) -> Result<PdfFont, DocumentError> {
        // Glyph 0 (`.notdef`), which is drawn for missing characters, is mandatory.
        let kept: Vec<u16> = std::iter::once(0).chain(self.glyphs_of(letters)).collect();
        let font_file = || {
            let font = ReadScope::new(&self.parsed.original_bytes).read::<FontData<'_>>().ok()?;
            let tables = font.table_provider(0).ok()?;
            allsorts::subset::subset(&tables, &kept, &SubsetProfile::Pdf, CmapTarget::Unicode).ok()
        };
        let (mut glyphs, mut widths) = (BTreeMap::new(), BTreeMap::new());
        let codes = self.codes(letters);
        for letter in letters {
            let code = codes.code(*letter);
            glyphs.insert(u32::from(*letter), code);
            let width = kept.get(usize::from(code)).and_then(|glyph| self.parsed.get_glyph_width(*glyph));
            widths.insert(code, width.unwrap_or_default());
        }
        let ParsedFont { font_name, units_per_em, font_metrics, pdf_font_metrics, .. } = &self.parsed;
        let bytes = font_file().ok_or(DocumentError::Font)?;
        let (name, metrics) = (font_name.clone(), font_metrics.clone());
        let mut embedded =
            ParsedFont::with_glyph_data(bytes, 0, name, glyphs, widths, *units_per_em, metrics);
        embedded.pdf_font_metrics = pdf_font_metrics.clone();
        Ok(PdfFont::new(embedded))
    }

    /// Returns the glyphs of these letters, in the order of the font.
    fn glyphs_of(&self, letters: &BTreeSet<char>) -> BTreeSet<u16> {
        letters.iter().map(|letter| self.glyph(*letter)).collect()
    }

    /// Returns the glyph of a character, or the glyph of [`REPLACEMENT`] if the font lacks the
    /// character.
    pub(crate) fn glyph(&self, character: char) -> u16 {
        match self.glyphs.get(character as usize) {
            Some(glyph) if *glyph != 0 => *glyph,
            _ => self.replacement,
        }
    }

    /// Assigns codes to the glyphs in the subset for these letters, counted from 1 in the order of
    /// the font.
    pub(crate) fn codes(&self, letters: &BTreeSet<char>) -> Codes {
        let kept = self.glyphs_of(letters);
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
        self.advances.get(character as usize).copied().filter(|advance| *advance != MISSING)
    }

    /// Transliterates words that the font cannot draw, as in the machine-readable zone of a
    /// passport (ICAO 9303). Characters without a transliteration become [`REPLACEMENT`].
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
                let replaced =
                    |character| if self.advance(character).is_some() { character } else { REPLACEMENT };
                return word.chars().map(replaced).collect();
            }
            letters
        });
        Cow::Owned(words.collect::<Vec<_>>().join(" "))
    }

    /// The width of a text at font size 1.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let units: u32 = text
            .chars()
            .map(|character| u32::from(self.advance(character).unwrap_or(self.replacement_advance)))
            .sum();
        units as f32 / self.units_per_em
    }

    /// Breaks a text at font size 1 into lines of at most `width`. Lines break between words, or
    /// within a word that is wider than a line.
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

    /// Fits a text into a rectangle, at the largest font size from `min_size` to `max_size` at
    /// which its lines fit. If it does not fit even at `min_size`, it is truncated with an
    /// ellipsis.
    pub(crate) fn fit(
        &self,
        text: &str,
        (width, height): (f32, f32),
        max_size: f32,
        min_size: f32,
    ) -> FittedText {
        let mut size = max_size;
        loop {
            let mut lines = self.lines(text, width / size);
            let max_lines = (((height / size - CAPITALS) / LEADING + 0.01) as usize) + 1;
            if lines.len() <= max_lines {
                return FittedText { size, lines };
            }
            if size <= min_size {
                lines.truncate(max_lines);
                if let Some(last) = lines.last_mut() {
                    while !last.is_empty() && (self.width(last) + self.width("…")) * size > width {
                        last.pop();
                    }
                    last.push('…');
                }
                return FittedText { size, lines };
            }
            size = (size * 0.96).max(min_size);
        }
    }
}

/// The codes of the glyphs in a font subset; see [`Face::codes`].
pub(crate) struct Codes {
    /// Indexed by character; 0 if the subset lacks the character.
    codes: Vec<u16>,
    replacement: u16,
}

impl Codes {
    /// Returns the code of a letter, or the code of [`REPLACEMENT`] if the subset lacks the letter.
    pub(crate) fn code(&self, letter: char) -> u16 {
        if self.has(letter) { self.codes[letter as usize] } else { self.replacement }
    }

    /// Whether the subset contains a letter.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.codes.get(letter as usize).is_some_and(|code| *code != 0)
    }
}

/// The font size and the lines that [`Face::fit`] chose.
#[derive(Debug, PartialEq)]
pub(crate) struct FittedText {
    pub(crate) size: f32,
    pub(crate) lines: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_latin_names_and_transliterates_others() {
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
    fn shrinks_long_name_before_cutting_it() {
        let face = &fonts().unwrap().bold;
        let area = (400.0, 40.0);
        let fitted = face.fit("SRI", area, 22.0, 9.0);
        assert_eq!(fitted, FittedText { size: 22.0, lines: vec!["SRI".to_owned()] });
        let name = "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI";
        let fitted = face.fit(name, area, 22.0, 9.0);
        assert_eq!(fitted.lines.len(), 2);
        assert!(fitted.size < 22.0 && fitted.lines.join(" ") == name, "{fitted:?}");
        let fitted = face.fit(&"W".repeat(400), area, 22.0, 9.0);
        assert_eq!((fitted.lines.len(), fitted.size), (3, 9.0));
        assert!(fitted.lines[2].ends_with('…'));
        assert!(fitted.lines.iter().all(|line| face.width(line) * 9.0 <= 400.0));
    }

    #[test]
    fn empty_text_has_no_lines() {
        assert!(fonts().unwrap().regular.lines("", 10.0).is_empty());
    }
}

//! Runs printpdf on the pages, and returns their content streams and the embedded fonts.

use std::collections::{BTreeMap, BTreeSet};

use lopdf::{Dictionary, Document, Stream, dictionary};
use printpdf::{DictItem, Mm, Op, PdfDocument, PdfFontHandle, PdfPage, PdfSaveOptions, Pt, TextItem};

use crate::DocumentError;
use crate::font::{Codes, Face, Fonts};

pub(super) struct RenderedPieces {
    /// One content stream per chunk, in order.
    pub(super) streams: Vec<Vec<u8>>,
    /// A document that contains only the fonts and the objects they refer to.
    pub(super) document: Document,
    /// The fonts, keyed by resource name.
    pub(super) fonts: Dictionary,
}

/// Writes chunks of pages, and embeds the regular and the bold font with these letters.
pub(super) fn render_pieces(
    fonts: &Fonts,
    letters: &[BTreeSet<char>; 2],
    codes: &[Codes; 2],
    pieces: Vec<Vec<Op>>,
) -> Result<RenderedPieces, DocumentError> {
    let faces = [&fonts.regular, &fonts.bold];
    let mut printed = PdfDocument::new("");
    for (face, letters) in faces.iter().zip(letters) {
        printed.resources.fonts.map.insert(face.id.clone(), face.subset(letters)?);
    }
    // Each chunk becomes a page, so that printpdf writes a separate stream for it. printpdf writes
    // widths only for letters that it has seen, so an additional last page contains all letters.
    let pieces = pieces.into_iter().map(|piece| with_literal_strings(piece, &faces, codes));
    for operations in pieces.chain([specimen(&faces, letters)]) {
        printed.pages.push(PdfPage::new(Mm(0.0), Mm(0.0), operations));
    }
    // `secure` would drop operators that printpdf has no type for. The operators used here are
    // safe.
    let options = PdfSaveOptions { secure: false, ..PdfSaveOptions::default() };
    let mut document = printed.to_lopdf_document(&options, &mut Vec::new());

    let pages: Vec<_> = document.page_iter().collect();
    let mut streams: Vec<_> = pages.iter().map(|page| document.get_page_content(*page)).collect();
    streams.pop();
    let page = pages.first().ok_or(DocumentError::Write)?;
    let resources = document.get_dictionary(*page)?.get_deref(b"Resources", &document)?.as_dict()?;
    let used = resources.get_deref(b"Font", &document)?.as_dict()?.clone();
    for ((face, letters), codes) in faces.iter().zip(letters).zip(codes) {
        let font = used.get_deref(face.id.0.as_bytes(), &document)?.as_dict()?;
        let map = font.get(b"ToUnicode")?.as_reference()?;
        document.set_object(map, Stream::new(Dictionary::new(), to_unicode(letters, codes)));
    }
    // Removes everything except the fonts.
    *document.catalog_mut()? = dictionary! { "Font" => used };
    document.trailer = dictionary! { "Root" => document.trailer.get(b"Root")?.clone() };
    document.prune_objects();
    document.renumber_objects();
    let fonts = document.catalog()?.get(b"Font")?.as_dict()?.clone();
    Ok(RenderedPieces { streams, document, fonts })
}

/// Returns a page that contains all letters of the fonts.
fn specimen(faces: &[&Face; 2], letters: &[BTreeSet<char>; 2]) -> Vec<Op> {
    let lines = faces.iter().zip(letters).flat_map(|(face, letters)| {
        [
            Op::StartTextSection,
            Op::SetFont { font: PdfFontHandle::External(face.id.clone()), size: Pt(1.0) },
            Op::ShowText { items: vec![TextItem::Text(letters.iter().collect())] },
            Op::EndTextSection,
        ]
    });
    lines.collect()
}

/// Converts the texts in a chunk to literal strings, which are half as long as the hexadecimal
/// strings that printpdf writes.
fn with_literal_strings(piece: Vec<Op>, faces: &[&Face; 2], codes: &[Codes; 2]) -> Vec<Op> {
    let mut current = &codes[0];
    let convert = |operation| match operation {
        Op::SetFont { font: PdfFontHandle::External(id), size } => {
            current = if id == faces[1].id { &codes[1] } else { &codes[0] };
            Op::SetFont { font: PdfFontHandle::External(id), size }
        }
        Op::ShowText { items } => {
            let texts = items.iter().map(|item| if let TextItem::Text(text) = item { text } else { "" });
            let letters = texts.flat_map(str::chars);
            let data = letters.flat_map(|letter| current.code(letter).to_be_bytes()).collect();
            Op::Unknown { key: "Tj".to_owned(), value: vec![DictItem::String { data, literal: true }] }
        }
        other => other,
    };
    piece.into_iter().map(convert).collect()
}

/// Builds a font's ToUnicode map from codes to characters (ISO 32000-1, 9.10.3). It consists of
/// ranges, so it is half as long as printpdf's map of single codes.
fn to_unicode(letters: &BTreeSet<char>, codes: &Codes) -> Vec<u8> {
    // Several letters may share a glyph. In reverse order, the plain letter overwrites the others,
    // so that text copied from the PDF contains ordinary spaces.
    let meanings: BTreeMap<u16, char> =
        letters.iter().rev().map(|letter| (codes.code(*letter), *letter)).collect();
    let mut ranges: Vec<(u16, u16, u32)> = Vec::new();
    for (code, letter) in meanings {
        let letter = u32::from(letter);
        match ranges.last_mut() {
            // The high byte must not change within a range.
            Some((first, last, from))
                if *last + 1 == code
                    && *from + u32::from(code - *first) == letter
                    && (*first ^ code) < 0x100
                    && (*from ^ letter) < 0x100 =>
            {
                *last = code;
            }
            _ => ranges.push((code, code, letter)),
        }
    }
    let mut map = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n\
                   /CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n\
                   /CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n\
                   1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        .to_owned();
    // A section may contain at most 100 ranges.
    for section in ranges.chunks(100) {
        map += &format!("{} beginbfrange\n", section.len());
        for (first, last, from) in section {
            map += &format!("<{first:04X}> <{last:04X}> <{from:04X}>\n");
        }
        map += "endbfrange\n";
    }
    map += "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n";
    map.into_bytes()
}

//! What printpdf makes of the pages: their streams, and the fonts that they use.

use std::collections::{BTreeMap, BTreeSet};

use lopdf::{Dictionary, Document, Stream, dictionary};
use printpdf::{DictItem, Mm, Op, PdfDocument, PdfFontHandle, PdfPage, PdfSaveOptions, Pt, TextItem};

use crate::DocumentError;
use crate::font::{Codes, Face, Fonts};

pub(super) struct Printed {
    /// The streams of the pieces, in order.
    pub(super) streams: Vec<Vec<u8>>,
    /// The fonts with all that belongs to them, and a catalog that names nothing else.
    pub(super) document: Document,
    /// The fonts by the names that the streams call them.
    pub(super) fonts: Dictionary,
}

/// Has pieces of pages written, and fonts that have these letters, regular and bold.
pub(super) fn print(
    fonts: &Fonts,
    letters: &[BTreeSet<char>; 2],
    codes: &[Codes; 2],
    pieces: Vec<Vec<Op>>,
) -> Result<Printed, DocumentError> {
    let faces = [&fonts.regular, &fonts.bold];
    let mut printed = PdfDocument::new("");
    for (face, letters) in faces.iter().zip(letters) {
        printed.resources.fonts.map.insert(face.id.clone(), face.embedded(letters)?);
    }
    // Each piece is a page of its own, so that printpdf writes a stream for each. It describes only
    // the letters that it has seen, hence a last page with all of them.
    let pieces = pieces.into_iter().map(|piece| shortened(piece, &faces, codes));
    for operations in pieces.chain([specimen(&faces, letters)]) {
        printed.pages.push(PdfPage::new(Mm(0.0), Mm(0.0), operations));
    }
    // `secure` would leave out the drawing operators that the library has no type for; all of them are ours.
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
    // Nothing but the fonts is kept.
    *document.catalog_mut()? = dictionary! { "Font" => used };
    document.trailer = dictionary! { "Root" => document.trailer.get(b"Root")?.clone() };
    document.prune_objects();
    document.renumber_objects();
    let fonts = document.catalog()?.get(b"Font")?.as_dict()?.clone();
    Ok(Printed { streams, document, fonts })
}

/// A page with all letters of the fonts.
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

/// The same piece with texts as literal strings, which are half as long as the hexadecimal ones of
/// printpdf.
fn shortened(piece: Vec<Op>, faces: &[&Face; 2], codes: &[Codes; 2]) -> Vec<Op> {
    let mut chosen = &codes[0];
    let shorten = |operation| match operation {
        Op::SetFont { font: PdfFontHandle::External(id), size } => {
            chosen = if id == faces[1].id { &codes[1] } else { &codes[0] };
            Op::SetFont { font: PdfFontHandle::External(id), size }
        }
        Op::ShowText { items } => {
            let texts = items.iter().map(|item| if let TextItem::Text(text) = item { text } else { "" });
            let letters = texts.flat_map(str::chars);
            let data = letters.flat_map(|letter| chosen.of(letter).to_be_bytes()).collect();
            Op::Unknown { key: "Tj".to_owned(), value: vec![DictItem::String { data, literal: true }] }
        }
        other => other,
    };
    piece.into_iter().map(shorten).collect()
}

/// What characters the codes of a font mean (ISO 32000-1, 9.10.3), by ranges where printpdf names each code: half as long.
fn to_unicode(letters: &BTreeSet<char>, codes: &Codes) -> Vec<u8> {
    // In reverse, so that where letters are drawn alike the code means the plain one, a space and
    // no other blank.
    let meanings: BTreeMap<u16, char> =
        letters.iter().rev().map(|letter| (codes.of(*letter), *letter)).collect();
    let mut ranges: Vec<(u16, u16, u32)> = Vec::new();
    for (code, letter) in meanings {
        let letter = u32::from(letter);
        match ranges.last_mut() {
            // A range may not go on into another high byte.
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
    // At most a hundred stand together.
    for some in ranges.chunks(100) {
        map += &format!("{} beginbfrange\n", some.len());
        for (first, last, from) in some {
            map += &format!("<{first:04X}> <{last:04X}> <{from:04X}>\n");
        }
        map += "endbfrange\n";
    }
    map += "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n";
    map.into_bytes()
}

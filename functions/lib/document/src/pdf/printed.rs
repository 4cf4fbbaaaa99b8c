//! What printpdf makes of the pages: their streams, and the fonts that they use.

use std::collections::{BTreeMap, BTreeSet};

use printpdf::{Mm, Op, PdfDocument, PdfPage, PdfSaveOptions, Pt};

use super::stream::{compressed, literal};
use crate::DocumentError;
use crate::font::Fonts;

/// An object as it stands between `obj` and `endobj`.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) is_stream: bool,
}

pub(super) struct Printed {
    /// The streams of the pages, in order.
    pub(super) streams: Vec<Vec<u8>>,
    /// The fonts with all that belongs to them, by number.
    pub(super) objects: BTreeMap<u32, Object>,
    /// The fonts by the names that the streams call them, regular and bold.
    pub(super) fonts: Vec<(String, u32)>,
}

/// Has the pages written, given with width and height. The fonts have these letters; `meanings` are what their codes mean.
pub(super) fn print(
    fonts: &Fonts,
    letters: &[BTreeSet<char>; 2],
    meanings: [BTreeMap<u16, char>; 2],
    pages: Vec<((f32, f32), Vec<Op>)>,
) -> Result<Printed, DocumentError> {
    let mut document = PdfDocument::new("");
    for (face, letters) in [&fonts.regular, &fonts.bold].into_iter().zip(letters) {
        document.resources.fonts.map.insert(face.id.clone(), face.embedded(letters)?);
    }
    for ((width, height), operations) in pages {
        document.pages.push(PdfPage::new(Mm::from(Pt(width)), Mm::from(Pt(height)), operations));
    }
    // `secure` would leave out the drawing operators that the library has no type for; all of them are ours.
    let options = PdfSaveOptions { secure: false, ..PdfSaveOptions::default() };
    let mut pdf = document.to_lopdf_document(&options, &mut Vec::new());

    let numbers: Vec<_> = pdf.get_pages().into_values().collect();
    let streams = numbers.iter().map(|page| shortened(&pdf.get_page_content(*page))).collect();
    // Of the rest only the fonts are kept.
    let first = numbers.first().ok_or(DocumentError::Write)?;
    let page = pdf.get_dictionary(*first).map_err(|_| DocumentError::Write)?;
    let resources =
        page.get(b"Resources").and_then(|it| it.as_reference()).map_err(|_| DocumentError::Write)?;
    let used = pdf
        .get_dictionary(resources)
        .and_then(|it| it.get(b"Font"))
        .map_err(|_| DocumentError::Write)?
        .clone();
    let catalog = pdf.catalog_mut().map_err(|_| DocumentError::Write)?;
    catalog.remove(b"Pages");
    catalog.set("Font", used);
    pdf.trailer.remove(b"Info");
    pdf.prune_objects();
    pdf.renumber_objects();
    pdf.compress();

    let catalog = pdf.catalog().map_err(|_| DocumentError::Write)?;
    let used = catalog.get(b"Font").and_then(|it| it.as_reference()).map_err(|_| DocumentError::Write)?;
    let of_catalog =
        pdf.trailer.get(b"Root").and_then(|it| it.as_reference()).map_err(|_| DocumentError::Write)?;
    let names = [&fonts.regular, &fonts.bold].map(|face| face.id.0.clone());
    let fonts = names.into_iter().map(|name| {
        let fonts = pdf.get_dictionary(used).map_err(|_| DocumentError::Write)?;
        let font = fonts.get(name.as_bytes()).and_then(|it| it.as_reference());
        Ok((name, font.map_err(|_| DocumentError::Write)?.0))
    });
    let fonts = fonts.collect::<Result<Vec<_>, DocumentError>>()?;
    let is_stream: BTreeMap<u32, bool> =
        pdf.objects.iter().map(|(id, object)| (id.0, object.as_stream().is_ok())).collect();
    let mut file = Vec::new();
    pdf.save_to(&mut file).map_err(|_| DocumentError::Write)?;
    let mut maps = BTreeMap::new();
    for ((_, font), meanings) in fonts.iter().zip(meanings) {
        let font = pdf.get_dictionary((*font, 0)).map_err(|_| DocumentError::Write)?;
        let map =
            font.get(b"ToUnicode").and_then(|it| it.as_reference()).map_err(|_| DocumentError::Write)?;
        maps.insert(map.0, to_unicode(&meanings)?);
    }
    let mut objects = BTreeMap::new();
    for (number, bytes) in sliced(&file).ok_or(DocumentError::Write)? {
        if number != of_catalog.0 && number != used.0 {
            let is_stream = is_stream.get(&number).copied().unwrap_or_default();
            let bytes = maps.remove(&number).unwrap_or(bytes);
            objects.insert(number, Object { bytes, is_stream });
        }
    }
    Ok(Printed { streams, objects, fonts })
}

/// What characters the codes of a font mean (ISO 32000-1, 9.10.3), by ranges where printpdf names each code: half as long.
fn to_unicode(letters: &BTreeMap<u16, char>) -> Result<Vec<u8>, DocumentError> {
    let mut ranges: Vec<(u16, u16, u32)> = Vec::new();
    for (code, letter) in letters {
        let letter = u32::from(*letter);
        match ranges.last_mut() {
            // A range may not go on into another high byte.
            Some((first, last, from))
                if *last + 1 == *code
                    && *from + u32::from(*code - *first) == letter
                    && (*first ^ *code) < 0x100
                    && (*from ^ letter) < 0x100 =>
            {
                *last = *code;
            }
            _ => ranges.push((*code, *code, letter)),
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
    let mut object = Vec::new();
    super::objects::stream(&mut object, "/Filter/FlateDecode", &compressed(map.as_bytes(), 9)?);
    Ok(object)
}

/// A stream with its hexadecimal strings as literal ones, which are half as long. printpdf writes all texts hexadecimal.
fn shortened(stream: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(stream.len());
    let mut rest = stream;
    while let Some(open) = rest.iter().position(|byte| *byte == b'<') {
        let (before, string) = rest.split_at(open);
        short.extend(before);
        let end = string.iter().position(|byte| *byte == b'>').unwrap_or_default();
        let digits =
            string.get(1..end).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        let pairs = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16));
        match pairs.collect::<Result<Vec<u8>, _>>() {
            Ok(bytes) if !bytes.is_empty() => {
                literal(&mut short, bytes);
                rest = &string[end + 1..];
            }
            // A dictionary.
            _ => {
                short.push(b'<');
                rest = &string[1..];
            }
        }
    }
    short.extend(rest);
    short
}

/// The objects of a file with a plain cross-reference table, by number.
fn sliced(file: &[u8]) -> Option<BTreeMap<u32, Vec<u8>>> {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).rposition(|window| window == what);
    let table = find(file, b"\nxref\n")?;
    let lines = std::str::from_utf8(&file[table..]).ok()?.lines().skip(2);
    // Either a section's first number and length, or an object's offset, generation and state.
    let (mut next, mut offsets) = (0, BTreeMap::new());
    for line in lines.take_while(|line| !line.starts_with("trailer")) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [first, _] => next = first.parse().ok()?,
            [offset, _, state] => {
                if state == "n" {
                    offsets.insert(offset.parse::<usize>().ok()?, next);
                }
                next += 1;
            }
            _ => return None,
        }
    }
    let ends = offsets.keys().copied().skip(1).chain([table]);
    let slices = offsets.iter().zip(ends).map(|((start, number), end)| {
        let object = file.get(*start..end)?;
        let begins = format!("{number} 0 obj\n");
        let body = object.strip_prefix(begins.as_bytes())?;
        let body = &body[..find(body, b"endobj")?];
        Some((*number, body.trim_ascii_end().to_vec()))
    });
    slices.collect()
}

//! A baseline that uses printpdf and qrcode as their READMEs show: one A4 page, with fonts parsed
//! and embedded for each certificate.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use printpdf::{
    Color, Mm, Op, PaintMode, ParsedFont, PdfDocument, PdfFontHandle, PdfPage, PdfSaveOptions, Point, Pt,
    Rect, Rgb, TextItem,
};
use qrcode::QrCode;

use crate::peer_input::{A4, Line, PeerInput, Printout, Square};
use crate::timing::measure;

const REGULAR: &[u8] = include_bytes!("../../../functions/lib/document/fonts/NotoSans-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../functions/lib/document/fonts/NotoSans-Bold.ttf");

/// Measures the baseline with the people in `people.json`.
pub fn bench(folder: &Path, rounds: usize) -> Result<()> {
    let file = folder.join("people.json");
    let file = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let input: PeerInput = serde_json::from_slice(&file)?;
    let first = input.people.first().context("the list of people is empty")?;
    fs::write(folder.join("printpdf.pdf"), page(first, &input.a4_qr)?)?;
    let what = "unsigned; QR, A4 page; font embedded";
    measure("printpdf + qrcode", what, rounds, |round| {
        let printout = &input.people[round % input.people.len()];
        Ok(Some(page(printout, &input.a4_qr)?.len()))
    })?
    .print()
}

fn page(printout: &Printout, place: &Square) -> Result<Vec<u8>> {
    let mut document = PdfDocument::new("Sertifikat Vaksinasi");
    let mut warnings = Vec::new();
    let mut font = |bytes| ParsedFont::from_bytes(bytes, 0, &mut warnings).context("cannot parse the font");
    let (regular, bold) = (font(REGULAR)?, font(BOLD)?);
    let (regular, bold) = (document.add_font(&regular), document.add_font(&bold));

    let mut contents = vec![Op::SetFillColor { col: Color::Rgb(Rgb::new(0.0, 0.0, 0.0, None)) }];
    let code = QrCode::new(printout.qr.as_bytes())?;
    let quiet_zone = 4.0;
    let module = place.side / (code.width() as f32 + 2.0 * quiet_zone);
    for (y, row) in code.to_colors().chunks(code.width()).enumerate() {
        for (x, colour) in row.iter().enumerate() {
            if *colour == qrcode::Color::Dark {
                contents.push(Op::DrawRectangle {
                    rectangle: Rect {
                        x: Pt(place.x + (x as f32 + quiet_zone) * module),
                        y: Pt(A4.1 - place.y - (y as f32 + 1.0 + quiet_zone) * module),
                        width: Pt(module),
                        height: Pt(module),
                        mode: Some(PaintMode::Fill),
                        winding_order: None,
                    },
                });
            }
        }
    }
    for Line { x, y, size, bold: is_bold, text } in &printout.a4 {
        let font = if *is_bold { &bold } else { &regular };
        contents.extend([
            Op::StartTextSection,
            Op::SetTextCursor { pos: Point { x: Pt(*x), y: Pt(A4.1 - y) } },
            Op::SetFont { font: PdfFontHandle::External(font.clone()), size: Pt(*size) },
            Op::ShowText { items: vec![TextItem::Text(text.clone())] },
            Op::EndTextSection,
        ]);
    }
    let page = PdfPage::new(Mm(210.0), Mm(297.0), contents);
    let options = PdfSaveOptions { subset_fonts: true, ..PdfSaveOptions::default() };
    Ok(document.with_pages(vec![page]).save(&options, &mut Vec::new()))
}

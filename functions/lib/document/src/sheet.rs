//! The layout of the print sheet: ten cards on an A4 page, in five rows of two.
//!
//! Between columns, each card has its full bleed. Between rows, there is room for only one bleed,
//! which both cards share. Every other row is rotated by 180°, so that adjacent edges have the same
//! colours.

use crate::a4;
use crate::canvas::{Canvas, MM};
use crate::card::{BLEED, SIZE};
use crate::colours::BLACK;

const COLUMNS: usize = 2;
const ROWS: usize = 5;
/// The gaps between columns and between rows, in points.
const GAPS: (f32, f32) = (2.0 * BLEED, BLEED);
/// The position of the first card's upper left corner.
const LEFT: f32 = (a4::SIZE.0 - COLUMNS as f32 * SIZE.0 - (COLUMNS - 1) as f32 * GAPS.0) / 2.0;
const TOP: f32 = (a4::SIZE.1 - ROWS as f32 * SIZE.1 - (ROWS - 1) as f32 * GAPS.1) / 2.0;
/// The maximum length of a crop mark, and its minimum distance from the edge of the paper.
const MARK: f32 = 5.0 * MM;
const EDGE: f32 = 0.5 * MM;

/// Draws one side of the sheet. `draw_card` gets the upper left corner of a card, and whether to
/// rotate the card by 180°. Front and back use the same layout: it is symmetric, and all cards on a
/// sheet are equal, so each back lies behind a front if the sheet is printed duplex, flipped on the
/// long edge.
pub(crate) fn draw<C: Canvas>(canvas: &mut C, mut draw_card: impl FnMut(&mut C, (f32, f32), bool)) {
    let column = |at: usize| LEFT + at as f32 * (SIZE.0 + GAPS.0);
    let row = |at: usize| TOP + at as f32 * (SIZE.1 + GAPS.1);
    // Each row's bleed covers the bleed of the previous row, which has the same colours.
    for at in 0..ROWS {
        for column in (0..COLUMNS).map(column) {
            draw_card(canvas, (column, row(at)), at % 2 == 1);
        }
    }
    let mut line = |from: (f32, f32), to: (f32, f32)| canvas.stroke(&[from, to], BLACK, 0.25, 0.0);
    let (width, height) = a4::SIZE;
    let across = (LEFT - BLEED - EDGE).min(MARK);
    let along = (TOP - BLEED - EDGE).min(MARK);
    for cut in (0..COLUMNS).flat_map(|at| [column(at), column(at) + SIZE.0]) {
        let (top, bottom) = (TOP - BLEED, height - TOP + BLEED);
        line((cut, top - along), (cut, top));
        line((cut, bottom), (cut, bottom + along));
    }
    for cut in (0..ROWS).flat_map(|at| [row(at), row(at) + SIZE.1]) {
        let (left, right) = (LEFT - BLEED, width - LEFT + BLEED);
        line((left - across, cut), (left, cut));
        line((right, cut), (right + across, cut));
    }
}

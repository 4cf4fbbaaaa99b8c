//! The print sheet: ten cards on A4.
//!
//! Five rows of two. Between the columns both cards have their whole bleed. Between the rows there is room for one bleed,
//! which two cards share: every other row stands on its head, so that edges of the same colours meet.

use crate::a4;
use crate::canvas::{Canvas, MM};
use crate::card::{BLEED, SIZE};
use crate::look::BLACK;

const COLUMNS: usize = 2;
const ROWS: usize = 5;
/// From a card to the next.
const GAPS: (f32, f32) = (2.0 * BLEED, BLEED);
/// From the paper's edge to the first card.
const LEFT: f32 = (a4::SIZE.0 - COLUMNS as f32 * SIZE.0 - (COLUMNS - 1) as f32 * GAPS.0) / 2.0;
const TOP: f32 = (a4::SIZE.1 - ROWS as f32 * SIZE.1 - (ROWS - 1) as f32 * GAPS.1) / 2.0;
/// The longest crop mark, and from a mark to the paper's edge.
const MARK: f32 = 5.0 * MM;
const EDGE: f32 = 0.5 * MM;

/// Draws the sheet. `place` puts a card with its upper left corner at a point, or turned by half with its lower right there.
/// The backs are mirrored, so that each comes behind its front when the sheet is turned over its long edge; all cards of a
/// sheet are the same, so that nothing else changes.
pub(crate) fn draw<C: Canvas>(canvas: &mut C, mut place: impl FnMut(&mut C, (f32, f32), bool)) {
    let column = |at: usize| LEFT + at as f32 * (SIZE.0 + GAPS.0);
    let row = |at: usize| TOP + at as f32 * (SIZE.1 + GAPS.1);
    // Each row's bleed lies over that of the row before, of the same colours.
    for at in 0..ROWS {
        for column in (0..COLUMNS).map(column) {
            place(canvas, (column, row(at)), at % 2 == 1);
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

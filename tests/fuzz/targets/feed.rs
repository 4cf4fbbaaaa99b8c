//! Reads arbitrary bytes as a feed. The rows and the reported problem must not depend on the size
//! of the chunks in which the feed is read, and judging a row must not panic.
#![no_main]

use bukti_domain::feed::COLUMNS;
use bukti_intake::{FeedReader, Line};
use bukti_records::FeedProblem;
use jiff::Timestamp;

fn read(file: &[u8], piece: usize) -> (Vec<Line>, Option<FeedProblem>) {
    let (mut reader, mut lines) = (FeedReader::default(), Vec::new());
    let pushed = file.chunks(piece).try_for_each(|piece| {
        let mut rest = Some(piece);
        while let Some(piece) = rest {
            rest = reader.push(piece, &mut lines)?;
        }
        Ok(())
    });
    let ended = pushed.and_then(|()| reader.finish(&mut lines));
    (lines, ended.err())
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let with_header = [COLUMNS.join(",").as_bytes(), b"\n", content].concat();
    for file in [content, &with_header] {
        let whole = read(file, file.len().max(1));
        let piece = usize::from(*content.first().unwrap_or(&0)) + 1;
        // Compressed files are exempt: how many rows a damaged file yields before the error depends
        // on the size of the chunks.
        let in_pieces = read(file, piece);
        let is_compressed = file.starts_with(&[0x1f, 0x8b]) || file.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        assert!(is_compressed || in_pieces == whole, "different result with pieces of {piece} bytes");
        let (lines, _) = whole;
        assert!(lines.is_sorted_by_key(|line| line.line));
        let now = Timestamp::new(1_795_000_000, 0).expect("the constant is in range");
        for row in lines.iter().filter_map(|line| line.row.as_ref().ok()) {
            let (verdict, reasons) = row.judge(now);
            verdict.outcome().code();
            reasons.iter().for_each(|reason| assert!(!reason.code().is_empty()));
            row.content();
            row.sent();
            let dose = row.dose();
            if let Some(complete) = dose.complete() {
                complete.nationality();
            }
        }
    }
});

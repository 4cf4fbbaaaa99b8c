//! Streaming decompression of gzip (RFC 1952) and zstd (RFC 8878) in bounded steps, so that a
//! decompression bomb takes no more memory than any other file.

use std::io::{self, Write};

use bukti_records::FeedProblem;
use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::line::problem;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The maximum output of a step for plain text and zstd, in bytes.
const STEP: usize = 64 * 1024;
/// The maximum gzip input of a step, in bytes. Gzip can expand its input a thousandfold. All rows
/// of a step are held in memory, and a three-byte row takes up more than 300 bytes there.
const GZIP_STEP: usize = 64;
/// The maximum window of a zstd file, as a power of two: 8 MiB, which RFC 8878 (3.1.1.1.2)
/// recommends that every decoder support.
const WINDOW_LOG: u32 = 23;

/// The maximum compression ratio. Feeds reach 10 to 20; a file with a far higher ratio is a
/// decompression bomb.
const MAX_RATIO: u64 = 100;
/// The output length up to which any ratio is accepted, in bytes.
const MIN_CHECKED_LEN: u64 = 16 * 1024 * 1024;

/// The reason why a file cannot be decompressed.
pub(crate) enum DecompressionError {
    /// The compressed data are damaged or truncated.
    Damaged,
    /// The compression ratio exceeds [`MAX_RATIO`].
    RatioTooHigh,
}

impl DecompressionError {
    pub(crate) fn on_line(self, line: u64) -> FeedProblem {
        match self {
            DecompressionError::Damaged => {
                let detail =
                    "the compressed file is damaged, truncated here, or needs a window of more than 8 MiB";
                problem("compression_broken", line, detail)
            }
            DecompressionError::RatioTooHigh => problem(
                "compressed_too_much",
                line,
                "the file becomes more than 100 times as long when it is decompressed; send it uncompressed",
            ),
        }
    }
}

/// Decompresses a file. Plain files pass through unchanged.
#[derive(Default)]
pub(crate) struct Decompressor {
    kind: Kind,
    input_len: u64,
    output_len: u64,
}

enum Kind {
    /// All bytes so far, which are too few to detect the kind.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd {
        decoder: Box<Decoder<'static>>,
        buffer: Vec<u8>,
        is_in_frame: bool,
    },
}

impl Default for Kind {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Decompressor {
    /// Decompresses a bounded amount of a chunk and appends the output to `text`. Returns the rest
    /// of the chunk, for which the caller must call again, or `None` if the chunk is fully
    /// processed.
    pub(crate) fn step<'a>(
        &mut self,
        piece: &'a [u8],
        text: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, DecompressionError> {
        if let Kind::Unknown(start) = &mut self.kind {
            let (first, rest) = piece.split_at((ZSTD.len() - start.len()).min(piece.len()));
            start.extend_from_slice(first);
            if start.len() < ZSTD.len() {
                return Ok(None);
            }
            self.detect(text)?;
            return Ok(Some(rest));
        }
        let before = text.len();
        let rest = self.kind.step(piece, text).map_err(|_| DecompressionError::Damaged)?;
        self.count(piece.len() - rest.map_or(0, <[u8]>::len), text.len() - before)?;
        Ok(rest)
    }

    /// Ends the file and appends the remaining output to `text`.
    pub(crate) fn finish(&mut self, text: &mut Vec<u8>) -> Result<(), DecompressionError> {
        if matches!(self.kind, Kind::Unknown(_)) {
            self.detect(text)?;
        }
        match &mut self.kind {
            Kind::Gzip(decoder) => {
                let finished = decoder.try_finish();
                text.append(decoder.get_mut());
                finished.map_err(|_| DecompressionError::Damaged)
            }
            Kind::Zstd { is_in_frame: true, .. } => Err(DecompressionError::Damaged),
            Kind::Zstd { .. } | Kind::Plain | Kind::Unknown(_) => Ok(()),
        }
    }

    /// Detects the kind of the file by its first bytes and decompresses those bytes.
    fn detect(&mut self, text: &mut Vec<u8>) -> Result<(), DecompressionError> {
        let Kind::Unknown(start) = std::mem::take(&mut self.kind) else { return Ok(()) };
        self.kind = if start == ZSTD {
            let window = DParameter::WindowLogMax(WINDOW_LOG);
            let mut decoder = Decoder::new().map_err(|_| DecompressionError::Damaged)?;
            decoder.set_parameter(window).map_err(|_| DecompressionError::Damaged)?;
            Kind::Zstd { decoder: Box::new(decoder), buffer: vec![0; STEP], is_in_frame: true }
        } else if start.starts_with(&GZIP) {
            Kind::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Kind::Plain
        };
        let mut rest = Some(&*start);
        while let Some(piece) = rest {
            rest = self.kind.step(piece, text).map_err(|_| DecompressionError::Damaged)?;
        }
        self.count(start.len(), text.len())
    }

    /// The total length of the output so far, in bytes.
    pub(crate) fn output_len(&self) -> u64 {
        self.output_len
    }

    fn count(&mut self, input_len: usize, output_len: usize) -> Result<(), DecompressionError> {
        self.input_len += input_len as u64;
        self.output_len += output_len as u64;
        let is_bomb = self.output_len > MIN_CHECKED_LEN && self.output_len / MAX_RATIO > self.input_len;
        if is_bomb { Err(DecompressionError::RatioTooHigh) } else { Ok(()) }
    }
}

impl Kind {
    fn step<'a>(&mut self, piece: &'a [u8], text: &mut Vec<u8>) -> io::Result<Option<&'a [u8]>> {
        let (rest, full) = match self {
            Kind::Unknown(_) => (piece, false),
            Kind::Plain => {
                let (now, rest) = piece.split_at(STEP.min(piece.len()));
                text.extend_from_slice(now);
                (rest, false)
            }
            Kind::Gzip(decoder) => {
                let (now, rest) = piece.split_at(GZIP_STEP.min(piece.len()));
                let written = decoder.write_all(now);
                text.append(decoder.get_mut());
                written?;
                (rest, false)
            }
            Kind::Zstd { decoder, buffer, is_in_frame } => {
                let mut input = InBuffer::around(piece);
                let mut output = OutBuffer::around(&mut **buffer);
                let wanted = decoder.run(&mut input, &mut output)?;
                let (used, given) = (input.pos(), output.pos());
                // At the end of a frame, a step without input and output does not begin a new
                // frame.
                if used > 0 || given > 0 {
                    *is_in_frame = wanted != 0;
                }
                text.extend_from_slice(&buffer[..given]);
                (&piece[used..], given == buffer.len())
            }
        };
        Ok((full || !rest.is_empty()).then_some(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{FeedReader, read_in_pieces, read_summaries};

    const HEADER: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes\n";

    fn feed(rows: usize) -> Vec<u8> {
        let row = |at: usize| format!("E-{at},,,,,,,,,,,,,P{at}\n");
        [HEADER.to_owned()].into_iter().chain((0..rows).map(row)).collect::<String>().into_bytes()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        // The `zstd` command does the same.
        encoder.include_checksum(true).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_files_give_same_rows() {
        let feed = feed(300);
        let plain = read_in_pieces(&feed, feed.len());
        assert_eq!(plain.0.len(), 300);
        let (first, second) = feed.split_at(feed.len() / 2);
        for packed in [
            gzip(&feed),
            zstd(&feed),
            // Multiple gzip members, and multiple zstd frames.
            [gzip(first), gzip(second)].concat(),
            [zstd(first), zstd(second)].concat(),
        ] {
            assert_eq!(read_summaries(&packed), plain);
        }
    }

    #[test]
    fn truncated_or_damaged_files_keep_earlier_rows() {
        let feed = feed(20_000);
        for packed in [gzip(&feed), zstd(&feed)] {
            for length in [packed.len() - 1, packed.len() / 2, 12] {
                let (lines, problem) = read_in_pieces(&packed[..length], 1000);
                assert_eq!(problem.unwrap().code, "compression_broken", "{length} of {}", packed.len());
                assert!(lines.len() >= if length > packed.len() / 3 { 1000 } else { 0 }, "{}", lines.len());
            }
            let mut damaged = packed.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0xff;
            let code = read_in_pieces(&damaged, 1000).1.unwrap().code;
            assert!(["compression_broken", "row_too_long"].contains(&&*code), "{code}");
            let appended = [&*packed, b"event_id"].concat();
            assert_eq!(read_in_pieces(&appended, 1000).1.unwrap().code, "compression_broken");
        }
    }

    #[test]
    fn rejects_decompression_bombs_in_bounded_memory() {
        let row = "E,,,,,,,,,,,,,P\n".repeat(64 * 1024);
        // 32 MiB of short rows, and 32 MiB of a single row.
        for (block, code) in [(row.as_bytes(), "compressed_too_much"), (&[b'0'; 1024 * 1024], "row_too_long")]
        {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
            let writers: [&mut dyn Write; 2] = [&mut gzip, &mut zstd];
            for writer in writers {
                writer.write_all(HEADER.as_bytes()).unwrap();
                (0..32).for_each(|_| writer.write_all(block).unwrap());
            }
            for packed in [gzip.finish().unwrap(), zstd.finish().unwrap()] {
                let (mut reader, mut lines) = (FeedReader::default(), Vec::new());
                let mut rest = Ok(Some(&*packed));
                while let Ok(Some(piece)) = rest {
                    lines.clear();
                    rest = reader.push(piece, &mut lines);
                    assert!(lines.len() < 100_000, "{} rows at once", lines.len());
                }
                let found = rest.err().map(|problem| problem.code);
                assert_eq!(found.as_deref(), Some(code), "of {} bytes", packed.len());
            }
        }
    }
}

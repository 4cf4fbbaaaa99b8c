//! Unpacks what gzip (RFC 1952) or zstd (RFC 8878) packed, a little at a time, so that a small file that becomes a huge one
//! takes no more memory than another.

use std::io::{self, Write};

use bukti_records::FeedProblem;
use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::line::problem;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Plain text that is handed on at once.
const STEP: usize = 64 * 1024;
/// Packed bytes that gzip is given at once: they become a thousand times as many at most. What they become is read at once, and
/// a row of three bytes takes more than a hundred times as many when it is read.
const GZIP_STEP: usize = 64;
/// The largest window of a zstd file, as a power of two: 8 MiB, what every decoder must take (RFC 8878, 3.1.1.1.2).
const WINDOW_LOG: u32 = 23;

/// A file of rows becomes ten to twenty times as long. One that becomes far longer is made to keep us busy.
const MOST_TIMES: u64 = 100;
/// Of so little no harm comes, however often it says the same.
const HARMLESS: u64 = 16 * 1024 * 1024;

/// Why a file cannot be unpacked.
pub(crate) enum Broken {
    /// The packed data are damaged, or broke off.
    Damaged,
    /// It becomes too long.
    TooMuch,
}

impl Broken {
    pub(crate) fn on_line(self, line: u64) -> FeedProblem {
        match self {
            Broken::Damaged => {
                let detail =
                    "the compressed file is damaged, broke off here, or needs a window of more than 8 MiB";
                problem("compression_broken", line, detail)
            }
            Broken::TooMuch => problem(
                "compressed_too_much",
                line,
                "the file becomes more than 100 times as long when it is unpacked",
            ),
        }
    }
}

/// Unpacks a file.
#[derive(Default)]
pub(crate) struct Unpacker {
    kind: Kind,
    taken: u64,
    given: u64,
}

enum Kind {
    /// Not known yet: the first bytes.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd {
        decoder: Box<Decoder<'static>>,
        buffer: Vec<u8>,
        in_a_frame: bool,
    },
}

impl Default for Kind {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Unpacker {
    /// Takes what it can of a piece, appends what it becomes, and gives the rest: `None` where nothing is left to be done.
    pub(crate) fn step<'a>(
        &mut self,
        piece: &'a [u8],
        text: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, Broken> {
        if let Kind::Unknown(begun) = &mut self.kind {
            let (first, rest) = piece.split_at((ZSTD.len() - begun.len()).min(piece.len()));
            begun.extend_from_slice(first);
            if begun.len() < ZSTD.len() {
                return Ok(None);
            }
            self.begin(text)?;
            return Ok(Some(rest));
        }
        let before = text.len();
        let rest = self.kind.step(piece, text).map_err(|_| Broken::Damaged)?;
        self.count(piece.len() - rest.map_or(0, <[u8]>::len), text.len() - before)?;
        Ok(rest)
    }

    /// Says that the file is at its end, and appends what is left.
    pub(crate) fn finish(&mut self, text: &mut Vec<u8>) -> Result<(), Broken> {
        if matches!(self.kind, Kind::Unknown(_)) {
            self.begin(text)?;
        }
        match &mut self.kind {
            Kind::Gzip(decoder) => {
                let ended = decoder.try_finish();
                text.append(decoder.get_mut());
                ended.map_err(|_| Broken::Damaged)
            }
            Kind::Zstd { in_a_frame: true, .. } => Err(Broken::Damaged),
            Kind::Zstd { .. } | Kind::Plain | Kind::Unknown(_) => Ok(()),
        }
    }

    /// Decides what the file is by its first bytes, and takes those.
    fn begin(&mut self, text: &mut Vec<u8>) -> Result<(), Broken> {
        let Kind::Unknown(begun) = std::mem::take(&mut self.kind) else { return Ok(()) };
        self.kind = if begun == ZSTD {
            let mut decoder = Decoder::new().map_err(|_| Broken::Damaged)?;
            decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(|_| Broken::Damaged)?;
            Kind::Zstd { decoder: Box::new(decoder), buffer: vec![0; STEP], in_a_frame: true }
        } else if begun.starts_with(&GZIP) {
            Kind::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Kind::Plain
        };
        let mut rest = Some(&*begun);
        while let Some(piece) = rest {
            rest = self.kind.step(piece, text).map_err(|_| Broken::Damaged)?;
        }
        self.count(begun.len(), text.len())
    }

    /// How many bytes the file has become so far.
    pub(crate) fn unpacked(&self) -> u64 {
        self.given
    }

    fn count(&mut self, taken: usize, given: usize) -> Result<(), Broken> {
        self.taken += taken as u64;
        self.given += given as u64;
        let too_much = self.given > HARMLESS && self.given / MOST_TIMES > self.taken;
        if too_much { Err(Broken::TooMuch) } else { Ok(()) }
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
            Kind::Zstd { decoder, buffer, in_a_frame } => {
                let mut input = InBuffer::around(piece);
                let mut output = OutBuffer::around(&mut **buffer);
                let wanted = decoder.run(&mut input, &mut output)?;
                let (used, given) = (input.pos(), output.pos());
                // Nothing was done at a frame's end: the next frame has not begun.
                if used > 0 || given > 0 {
                    *in_a_frame = wanted != 0;
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
    use crate::feed::{FeedReader, told, told_by_all_pieces};

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
        // As the program zstd does.
        encoder.include_checksum(true).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_files_say_the_same() {
        let feed = feed(300);
        let plain = told(&feed, feed.len());
        assert_eq!(plain.0.len(), 300);
        let (first, second) = feed.split_at(feed.len() / 2);
        for packed in [
            gzip(&feed),
            zstd(&feed),
            // Members, and frames, one after the other.
            [gzip(first), gzip(second)].concat(),
            [zstd(first), zstd(second)].concat(),
        ] {
            assert_eq!(told_by_all_pieces(&packed), plain);
        }
    }

    #[test]
    fn what_broke_off_keeps_the_rows_before() {
        let feed = feed(20_000);
        for packed in [gzip(&feed), zstd(&feed)] {
            for length in [packed.len() - 1, packed.len() / 2, 12] {
                let (lines, problem) = told(&packed[..length], 1000);
                assert_eq!(problem.unwrap().code, "compression_broken", "{length} of {}", packed.len());
                assert!(lines.len() >= if length > packed.len() / 3 { 1000 } else { 0 }, "{}", lines.len());
            }
            let mut damaged = packed.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0xff;
            let code = told(&damaged, 1000).1.unwrap().code;
            assert!(["compression_broken", "row_too_long"].contains(&&*code), "{code}");
            let appended = [&*packed, b"event_id"].concat();
            assert_eq!(told(&appended, 1000).1.unwrap().code, "compression_broken");
        }
    }

    #[test]
    fn a_bomb_ends_early_and_takes_no_memory() {
        let row = "E,,,,,,,,,,,,,P\n".repeat(64 * 1024);
        // 32 MiB of rows, and of one row.
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

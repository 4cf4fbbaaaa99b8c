//! Serialises the elements of a PDF: numbers, strings and compressed streams.

use std::cell::RefCell;
use std::collections::HashMap;

use adler2::Adler32;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::DocumentError;

/// A compressed chunk of a stream.
pub(super) struct Piece {
    plain: Vec<u8>,
    /// Deflate blocks (RFC 1951) that end on a byte boundary and do not refer to earlier data, so
    /// that chunks can be concatenated.
    deflated: Vec<u8>,
}

impl Piece {
    /// Compresses a chunk of a template at the highest level, since it is compressed only once.
    pub(super) fn new(plain: &[u8]) -> Result<Self, DocumentError> {
        Self::with_level(plain.to_vec(), 9)
    }

    /// Compresses a chunk at this level; see [`compressed`].
    pub(super) fn with_level(plain: Vec<u8>, level: u32) -> Result<Self, DocumentError> {
        let deflated = deflated(&plain, level, Header::None, FlushCompress::Sync)?;
        Ok(Self { plain, deflated })
    }
}

/// Concatenates chunks into a zlib stream (RFC 1950).
pub(super) struct ZlibWriter {
    bytes: Vec<u8>,
    checksum: Adler32,
}

impl ZlibWriter {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(8 * 1024);
        // The zlib header for deflate with a window of 32 KiB.
        bytes.extend([0x78, 0x9C]);
        Self { bytes, checksum: Adler32::new() }
    }

    pub(super) fn append(&mut self, piece: &Piece) {
        self.bytes.extend(&piece.deflated);
        self.checksum.write_slice(&piece.plain);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        // An empty stored block with the final flag ends the stream.
        self.bytes.extend([1, 0, 0, 0xFF, 0xFF]);
        self.bytes.extend(self.checksum.checksum().to_be_bytes());
        self.bytes
    }
}

/// Compresses bytes to a zlib stream (RFC 1950), at a `level` from 1 (fastest) to 9 (smallest).
pub(super) fn compressed(plain: &[u8], level: u32) -> Result<Vec<u8>, DocumentError> {
    deflated(plain, level, Header::Zlib, FlushCompress::Finish)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Header {
    None,
    Zlib,
}

fn deflated(
    plain: &[u8],
    level: u32,
    header: Header,
    flush: FlushCompress,
) -> Result<Vec<u8>, DocumentError> {
    thread_local! {
        /// Compressors are reused. Each has a quarter of a megabyte of state, and allocating that
        /// takes longer than compressing a certificate's streams.
        static COMPRESSORS: RefCell<HashMap<(u32, Header), Compress>> = RefCell::default();
    }
    COMPRESSORS.with_borrow_mut(|compressors| {
        let new = || Compress::new(Compression::new(level), header == Header::Zlib);
        let compress = compressors.entry((level, header)).or_insert_with(new);
        compress.reset();
        compress_all(compress, plain, flush)
    })
}

fn compress_all(
    compress: &mut Compress,
    plain: &[u8],
    flush: FlushCompress,
) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = Vec::with_capacity(plain.len() / 2 + 64);
    loop {
        let done = compress.total_in() as usize;
        let status =
            compress.compress_vec(&plain[done..], &mut bytes, flush).map_err(|_| DocumentError::Write)?;
        // If there is unused capacity, everything was written.
        if status == Status::StreamEnd || bytes.len() < bytes.capacity() {
            return Ok(bytes);
        }
        bytes.reserve(plain.len() / 2 + 1024);
    }
}

/// Writes an operator after its operands.
pub(super) fn operator(out: &mut Vec<u8>, operator: &str, numbers: &[f32]) {
    for number in numbers {
        decimal(out, *number);
        out.push(b' ');
    }
    out.extend(operator.as_bytes());
    out.push(b'\n');
}

/// Writes a number with at most three decimal places.
pub(super) fn decimal(out: &mut Vec<u8>, number: f32) {
    let thousandths = (f64::from(number) * 1000.0).round() as i64;
    if thousandths < 0 {
        out.push(b'-');
    }
    let thousandths = thousandths.unsigned_abs();
    integer(out, (thousandths / 1000) as usize);
    let mut rest = (thousandths % 1000) as usize;
    if rest > 0 {
        out.push(b'.');
        let mut place = 100;
        while rest > 0 {
            out.push(b'0' + (rest / place) as u8);
            rest %= place;
            place /= 10;
        }
    }
}

/// Writes an integer without allocating a string.
pub(super) fn integer(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(&digits[at..]);
}

/// Writes bytes as a literal string (ISO 32000-1, 7.3.4.2).
pub(super) fn literal(out: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) {
    out.push(b'(');
    for byte in bytes {
        match byte {
            b'(' | b')' | b'\\' => out.extend([b'\\', byte]),
            // Readers treat an unescaped carriage return as a line feed.
            b'\r' => out.extend(b"\\r"),
            _ => out.push(byte),
        }
    }
    out.push(b')');
}

/// Writes a text string (ISO 32000-1, 7.9.2.2), which is for text outside the pages, such as the
/// title.
pub(super) fn text_string(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() {
        literal(out, text.bytes());
    } else {
        let utf16 = text.encode_utf16().flat_map(u16::to_be_bytes);
        literal(out, [0xFE, 0xFF].into_iter().chain(utf16));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn inflated(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn concatenated_pieces_inflate_to_their_data() {
        // Noise is hardly compressible, so it exceeds the initial capacity.
        let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut zlib = ZlibWriter::new();
        let pieces = [&b"abcabcabcabc"[..], b"", b"abcabc", &noise, b"abc"];
        for (at, plain) in pieces.iter().enumerate() {
            let level = if at % 2 == 0 { 9 } else { 2 };
            zlib.append(&Piece::with_level(plain.to_vec(), level).unwrap());
        }
        assert_eq!(inflated(&zlib.finish()), pieces.concat());
    }

    #[test]
    fn compressed_data_inflates_to_the_original() {
        let long = vec![b'x'; 200_000];
        // Noise is hardly compressible, so it exceeds the initial capacity.
        let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for plain in [&long[..], &noise, b""] {
            for level in [1, 2, 9] {
                assert_eq!(inflated(&compressed(plain, level).unwrap()), plain);
            }
        }
    }

    #[test]
    fn writes_numbers_with_up_to_three_decimals() {
        let written = |number| {
            let mut out = Vec::new();
            decimal(&mut out, number);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(0.0), "0");
        assert_eq!(written(-0.0001), "0");
        assert_eq!(written(12.5), "12.5");
        assert_eq!(written(-3.007), "-3.007");
        assert_eq!(written(595.276), "595.276");
        assert_eq!(written(0.99999), "1");
    }

    #[test]
    fn escapes_strings() {
        let mut out = Vec::new();
        literal(&mut out, *b"a(b)\\\r\n");
        assert_eq!(out, b"(a\\(b\\)\\\\\\r\n)");
        out.clear();
        text_string(&mut out, "Tí");
        assert_eq!(out, b"(\xFE\xFF\0T\0\xED)");
    }
}

//! The bytes of a PDF: numbers, strings, compressed streams.

use std::cell::RefCell;
use std::collections::HashMap;

use adler2::Adler32;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::DocumentError;

/// A piece of a stream, compressed.
pub(super) struct Piece {
    plain: Vec<u8>,
    /// Deflate blocks (RFC 1951) that end on a byte and refer to nothing before them, so that pieces can follow each other.
    deflated: Vec<u8>,
}

impl Piece {
    /// A piece that is the same for every certificate: compressed once, and well.
    pub(super) fn new(plain: &[u8]) -> Result<Self, DocumentError> {
        Self::of_level(plain.to_vec(), 9)
    }

    /// A piece that is compressed at a level, see [`compressed`].
    pub(super) fn of_level(plain: Vec<u8>, level: u32) -> Result<Self, DocumentError> {
        let deflated = deflated(&plain, level, Header::None, FlushCompress::Sync)?;
        Ok(Self { plain, deflated })
    }
}

/// A stream (RFC 1950) while it is put together from pieces.
pub(super) struct Zlib {
    bytes: Vec<u8>,
    checksum: Adler32,
}

impl Zlib {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(8 * 1024);
        // Deflate with a window of 32 KB.
        bytes.extend([0x78, 0x9C]);
        Self { bytes, checksum: Adler32::new() }
    }

    pub(super) fn piece(&mut self, piece: &Piece) {
        self.bytes.extend(&piece.deflated);
        self.checksum.write_slice(&piece.plain);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        // An empty block that is the last.
        self.bytes.extend([1, 0, 0, 0xFF, 0xFF]);
        self.bytes.extend(self.checksum.checksum().to_be_bytes());
        self.bytes
    }
}

/// Compresses a stream (RFC 1950), `level` from 1, quick, to 9.
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
        /// Each takes a quarter of a megabyte, which costs more to get than a certificate's streams to compress.
        static USED: RefCell<HashMap<(u32, Header), Compress>> = RefCell::default();
    }
    USED.with_borrow_mut(|used| {
        let new = || Compress::new(Compression::new(level), header == Header::Zlib);
        let compress = used.entry((level, header)).or_insert_with(new);
        compress.reset();
        compress_by(compress, plain, flush)
    })
}

fn compress_by(
    compress: &mut Compress,
    plain: &[u8],
    flush: FlushCompress,
) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = Vec::with_capacity(plain.len() / 2 + 64);
    loop {
        let done = compress.total_in() as usize;
        let status =
            compress.compress_vec(&plain[done..], &mut bytes, flush).map_err(|_| DocumentError::Write)?;
        // Whatever has room left over was written to its end.
        if status == Status::StreamEnd || bytes.len() < bytes.capacity() {
            return Ok(bytes);
        }
        bytes.reserve(plain.len() / 2 + 1024);
    }
}

/// An operator after its operands.
pub(super) fn operator(out: &mut Vec<u8>, operator: &str, numbers: &[f32]) {
    for number in numbers {
        decimal(out, *number);
        out.push(b' ');
    }
    out.extend(operator.as_bytes());
    out.push(b'\n');
}

/// A number with at most three decimals.
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

/// A whole number in decimal digits.
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

/// Bytes as a literal string (ISO 32000-1, 7.3.4.2).
pub(super) fn literal(out: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) {
    out.push(b'(');
    for byte in bytes {
        match byte {
            b'(' | b')' | b'\\' => out.extend([b'\\', byte]),
            // Read as a line feed where it stands alone.
            b'\r' => out.extend(b"\\r"),
            _ => out.push(byte),
        }
    }
    out.push(b')');
}

/// A text outside of the pages, such as the title (ISO 32000-1, 7.9.2.2).
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
    fn a_stream_of_pieces_inflates_to_them() {
        // What hardly compresses needs more room than was thought.
        let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut zlib = Zlib::new();
        let pieces = [&b"abcabcabcabc"[..], b"", b"abcabc", &noise, b"abc"];
        for (at, plain) in pieces.iter().enumerate() {
            let level = if at % 2 == 0 { 9 } else { 2 };
            zlib.piece(&Piece::of_level(plain.to_vec(), level).unwrap());
        }
        assert_eq!(inflated(&zlib.finish()), pieces.concat());
    }

    #[test]
    fn what_is_compressed_inflates_again() {
        let long = vec![b'x'; 200_000];
        // What hardly compresses needs more room than was thought.
        let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for plain in [&long[..], &noise, b""] {
            for level in [1, 2, 9] {
                assert_eq!(inflated(&compressed(plain, level).unwrap()), plain);
            }
        }
    }

    #[test]
    fn numbers_are_short() {
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
    fn strings_are_escaped() {
        let mut out = Vec::new();
        literal(&mut out, *b"a(b)\\\r\n");
        assert_eq!(out, b"(a\\(b\\)\\\\\\r\n)");
        out.clear();
        text_string(&mut out, "Tí");
        assert_eq!(out, b"(\xFE\xFF\0T\0\xED)");
    }
}

//! Decoding of UTF-16 files to UTF-8.

use std::borrow::Cow;

use encoding_rs::DecoderResult;

/// The encoding of a file, detected from its byte order mark.
#[derive(Default)]
pub(super) enum Encoding {
    /// No bytes have been read.
    #[default]
    Unknown,
    /// The first byte of a possible UTF-16 byte order mark.
    HalfMark(u8),
    /// UTF-8, or an unknown encoding, without a UTF-16 byte order mark.
    Utf8,
    Utf16(Box<encoding_rs::Decoder>),
}

impl Encoding {
    /// Decodes the next bytes to UTF-8. Without a UTF-16 byte order mark, they are returned
    /// unchanged, since the readers check each row. Malformed UTF-16 becomes a byte that never
    /// occurs in UTF-8, so that the readers reject the row rather than the file.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8], is_last: bool) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        if let Encoding::HalfMark(first) = self {
            bytes = Cow::Owned([&[*first], &*bytes].concat());
            *self = Encoding::Unknown;
        }
        if matches!(self, Encoding::Unknown) {
            *self = match &*bytes {
                [0xff, 0xfe, ..] => {
                    Encoding::Utf16(Box::new(encoding_rs::UTF_16LE.new_decoder_with_bom_removal()))
                }
                [0xfe, 0xff, ..] => {
                    Encoding::Utf16(Box::new(encoding_rs::UTF_16BE.new_decoder_with_bom_removal()))
                }
                [first @ (0xff | 0xfe)] if !is_last => {
                    *self = Encoding::HalfMark(*first);
                    return Cow::Borrowed(&[]);
                }
                [] => return bytes,
                _ => Encoding::Utf8,
            };
        }
        let Encoding::Utf16(decoder) = self else { return bytes };
        let (mut rest, mut text) = (&*bytes, Vec::with_capacity(bytes.len() * 2));
        loop {
            let start = text.len();
            text.resize(
                start + decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(64),
                0,
            );
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut text[start..], is_last);
            text.truncate(start + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Cow::Owned(text),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => text.push(0xff),
            }
        }
    }
}

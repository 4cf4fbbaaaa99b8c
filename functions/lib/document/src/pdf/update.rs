//! Incremental updates (ISO 32000-1, 7.5.6), which append objects to a complete PDF without
//! changing its bytes.

use std::ops::Range;

use lopdf::{Document, SaveOptions};

use super::stream::{integer, literal};
use crate::DocumentError;

/// A PDF that updates are appended to. It refers to objects that only the updates contain.
pub(super) struct Base {
    bytes: Vec<u8>,
    /// The byte offset of its cross-reference stream.
    xref: usize,
    /// The number of object numbers in use, including number 0.
    size: u32,
    /// The object numbers of an update. The last number is for its cross-reference stream.
    numbers: Range<u32>,
}

impl Base {
    /// Serialises a document. `numbers` are object numbers that the document does not define.
    pub(super) fn new(mut document: Document, numbers: Range<u32>) -> Result<Self, DocumentError> {
        document.version = "1.7".to_owned();
        document.compress();
        let options = SaveOptions::builder()
            .use_object_streams(true)
            .use_xref_streams(true)
            .max_objects_per_stream(1000)
            .compression_level(9)
            .build();
        let mut bytes = Vec::new();
        document.save_with_options(&mut bytes, options).map_err(|_| DocumentError::Write)?;
        // The second-to-last line contains the offset of the cross-reference stream (ISO 32000-1,
        // 7.5.5).
        let mut lines = bytes.rsplit(|byte| *byte == b'\n').skip(1);
        let xref = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.parse().ok());
        let xref = xref.ok_or(DocumentError::Write)?;
        Ok(Self { bytes, xref, size: document.max_id + 1, numbers })
    }
}

/// An update in the course of being written.
pub(super) struct Update<'b> {
    base: &'b Base,
    out: Vec<u8>,
    /// The byte offsets of the objects, in the order of [`Base::numbers`].
    offsets: Vec<u32>,
}

impl<'b> Update<'b> {
    pub(super) fn new(base: &'b Base) -> Self {
        let mut out = Vec::with_capacity(base.bytes.len() + 16 * 1024);
        out.extend(&base.bytes);
        out.push(b'\n');
        Self { base, out, offsets: vec![0; base.numbers.len()] }
    }

    fn begin(&mut self, number: u32) {
        let at = number.checked_sub(self.base.numbers.start);
        if let Some(offset) = at.and_then(|at| self.offsets.get_mut(at as usize)) {
            // The cast is lossless, since a document is far smaller than 4 GiB.
            *offset = self.out.len() as u32;
        }
        integer(&mut self.out, number as usize);
        self.out.extend(b" 0 obj\n");
    }

    pub(super) fn object(&mut self, number: u32, body: &[u8]) {
        self.begin(number);
        self.out.extend(body);
        self.out.extend(b"\nendobj\n");
    }

    pub(super) fn stream(&mut self, number: u32, dictionary: &[u8], bytes: &[u8]) {
        self.begin(number);
        self.out.extend(b"<<");
        self.out.extend(dictionary);
        self.out.extend(b"/Length ");
        integer(&mut self.out, bytes.len());
        self.out.extend(b">>stream\n");
        self.out.extend(bytes);
        self.out.extend(b"\nendstream\nendobj\n");
    }

    /// Appends the cross-reference stream (7.5.8). `id` is the file identifier.
    pub(super) fn finish(mut self, catalog: u32, information: u32, id: &[u8]) -> Vec<u8> {
        let Base { xref, size, numbers, .. } = self.base;
        let start = self.out.len();
        if let Some(own) = self.offsets.last_mut() {
            *own = start as u32;
        }
        // The columns are type, offset and generation.
        let row = |offset: &u32| {
            let [a, b, c, d] = offset.to_be_bytes();
            [1, a, b, c, d, 0]
        };
        let rows: Vec<u8> = self.offsets.iter().flat_map(row).collect();
        let mut dictionary = format!(
            "/Type/XRef/Size {size}/W[1 4 1]/Index[{} {}]/Prev {xref}/Root {catalog} 0 R/Info {information} 0 R/ID[",
            numbers.start,
            numbers.len(),
        )
        .into_bytes();
        literal(&mut dictionary, id.iter().copied());
        literal(&mut dictionary, id.iter().copied());
        dictionary.push(b']');
        self.stream(numbers.end - 1, &dictionary, &rows);
        self.out.extend(b"startxref\n");
        integer(&mut self.out, start);
        self.out.extend(b"\n%%EOF\n");
        self.out
    }
}

//! The objects that are the same in every document of a form.

use std::collections::BTreeMap;

use super::printed::Object;
use super::stream::compressed;
use crate::DocumentError;

/// A row of the cross-references: where an object is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    /// Nowhere: it is not used, or is yet to be written.
    Free,
    /// At this byte of the file.
    At(usize),
    /// In the stream of objects of this number, at this place.
    In(u32, usize),
}

impl Row {
    /// Type, three bytes, one byte (ISO 32000-1, 7.5.8.3). A document is far shorter than 16 MB.
    pub(super) fn bytes(self) -> [u8; 5] {
        let (kind, middle, last) = match self {
            Self::Free => (0, 0, 0),
            Self::At(offset) => (1, offset as u32, 0),
            Self::In(container, at) => (2, container, at as u8),
        };
        let [_, high, middle, low] = middle.to_be_bytes();
        [kind, high, middle, low, last]
    }
}

/// The most objects that [`Row::In`] can count.
const IN_ONE_STREAM: usize = 256;

/// Objects while they are collected.
pub(super) struct Objects {
    next: u32,
    streams: Vec<(u32, Vec<u8>)>,
    plain: Vec<(u32, Vec<u8>)>,
}

impl Objects {
    /// Goes on after these.
    pub(super) fn after(objects: BTreeMap<u32, Object>) -> Self {
        let next = objects.last_key_value().map_or(1, |(last, _)| last + 1);
        let mut all = Self { next, streams: Vec::new(), plain: Vec::new() };
        for (number, object) in objects {
            let list = if object.is_stream { &mut all.streams } else { &mut all.plain };
            list.push((number, object.bytes));
        }
        all
    }

    /// Numbers for more objects.
    pub(super) fn numbers<const N: usize>(&mut self) -> [u32; N] {
        std::array::from_fn(|_| {
            self.next += 1;
            self.next - 1
        })
    }

    pub(super) fn plain(&mut self, number: u32, body: &str) {
        self.plain_bytes(number, body.as_bytes().to_vec());
    }

    pub(super) fn plain_bytes(&mut self, number: u32, body: Vec<u8>) {
        self.plain.push((number, body));
    }

    pub(super) fn stream(&mut self, number: u32, dictionary: &str, bytes: &[u8]) {
        let mut body = Vec::with_capacity(bytes.len() + 128);
        stream(&mut body, dictionary, bytes);
        self.streams.push((number, body));
    }

    /// The beginning of the file with all of them, and a row for each number that was given.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Vec<Row>), DocumentError> {
        let mut rows = vec![Row::Free; self.next as usize];
        let mut set = |number: u32, row| {
            if let Some(place) = rows.get_mut(number as usize) {
                *place = row;
            }
        };
        let mut containers = Vec::new();
        // Plain objects lie in compressed streams (ISO 32000-1, 7.5.7).
        for (at, part) in self.plain.chunks(IN_ONE_STREAM).enumerate() {
            let container = self.next + at as u32;
            let (mut index, mut bodies) = (String::new(), Vec::new());
            for (place, (number, body)) in part.iter().enumerate() {
                index += &format!("{number} {} ", bodies.len());
                bodies.extend(body);
                bodies.push(b'\n');
                set(*number, Row::In(container, place));
            }
            let dictionary =
                format!("/Type/ObjStm/N {}/First {}/Filter/FlateDecode", part.len(), index.len());
            let mut body = Vec::new();
            stream(&mut body, &dictionary, &compressed(&[index.as_bytes(), &bodies].concat(), 9)?);
            containers.push((container, body));
        }
        let mut head = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
        let mut offsets = Vec::new();
        self.streams.extend(containers);
        for (number, body) in &self.streams {
            offsets.push((*number, head.len()));
            head.extend(format!("{number} 0 obj\n").as_bytes());
            head.extend(body);
            head.extend(b"\nendobj\n");
        }
        for (number, offset) in offsets {
            let number = number as usize;
            if number >= rows.len() {
                rows.resize(number + 1, Row::Free);
            }
            if let Some(row) = rows.get_mut(number) {
                *row = Row::At(offset);
            }
        }
        Ok((head, rows))
    }
}

/// A stream object's body.
pub(super) fn stream(out: &mut Vec<u8>, dictionary: &str, bytes: &[u8]) {
    out.extend(b"<<");
    out.extend(dictionary.as_bytes());
    out.extend(b"/Length ");
    super::stream::integer(out, bytes.len());
    out.extend(b">>stream\n");
    out.extend(bytes);
    out.extend(b"\nendstream");
}

//! A part of a feed, as it is put aside: a JSON object for each row.

use bukti_store::StoreError;

use crate::Line;

/// The form in which a part is put aside.
pub(crate) fn write(lines: &[Line]) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut part, line)
            .map_err(|_| StoreError::Corrupt("a part cannot be written"))?;
        part.push(b'\n');
    }
    Ok(part)
}

/// Reads a part.
pub(crate) fn read(part: &[u8]) -> Result<Vec<Line>, StoreError> {
    let lines = serde_json::Deserializer::from_slice(part).into_iter();
    lines.collect::<Result<_, _>>().map_err(|_| StoreError::Corrupt("a part of a feed"))
}

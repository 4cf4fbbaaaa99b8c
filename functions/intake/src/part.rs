//! The format of stored parts: one JSON object per row.

use bukti_store::StoreError;

use crate::Line;

/// Serialises the lines of a part.
pub(crate) fn write(lines: &[Line]) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut part, line)
            .map_err(|_| StoreError::Corrupt("a part of a feed cannot be serialised"))?;
        part.push(b'\n');
    }
    Ok(part)
}

/// Parses the lines of a stored part.
pub(crate) fn read(part: &[u8]) -> Result<Vec<Line>, StoreError> {
    let lines = serde_json::Deserializer::from_slice(part).into_iter();
    lines.collect::<Result<_, _>>().map_err(|_| StoreError::Corrupt("a part of a feed"))
}

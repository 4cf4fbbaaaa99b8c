//! A limit on the nesting of JSON, checked before parsing. The parser does not limit values that it
//! skips, such as raw values and unknown fields.

/// The maximum depth of objects and arrays, which equals `serde_json`'s limit for parsed values.
const MAX_DEPTH: usize = 128;

/// Tracks the depth of JSON that arrives in chunks.
#[derive(Default)]
pub(super) struct NestingLimit {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// Whether a value has begun.
    has_value: bool,
    /// Whether the first value was complete at the end of its line. If so, the file is Bulk Data,
    /// and the depth is counted per line.
    is_lines: bool,
}

impl NestingLimit {
    /// Whether every byte of the next chunk is within the limit.
    pub(super) fn accepts(&mut self, piece: &[u8]) -> bool {
        piece.iter().all(|byte| {
            match byte {
                // A JSON string cannot contain a line break. A string that is still open here is
                // malformed, and must not extend to the next line.
                b'\n' => {
                    (self.in_string, self.is_escaped) = (false, false);
                    self.is_lines |= self.has_value && self.depth == 0;
                    if self.is_lines {
                        self.depth = 0;
                    }
                }
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.has_value = true;
                    self.depth += 1;
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.depth <= MAX_DEPTH
        })
    }
}

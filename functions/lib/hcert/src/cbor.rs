//! Builds and reads the CBOR (RFC 8949) of certificates.

use ciborium::Value;

pub(crate) fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

pub(crate) fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

/// Parses bytes that consist of exactly one CBOR item. `None` if they are not valid CBOR, if bytes
/// follow the item, or if it is nested too deeply.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}

/// Returns the value of an integer key; `None` if the map lacks it, or if `map` is not a map.
pub(crate) fn claim(map: &Value, key: i64) -> Option<&Value> {
    let entries = map.as_map()?;
    entries.iter().find(|(known, _)| *known == Value::Integer(key.into())).map(|(_, value)| value)
}

/// Converts a CBOR item to JSON. Drops tags, writes bytes as hexadecimal digits, and turns integer
/// keys into strings. `None` if JSON cannot represent a number or a key.
pub(crate) fn to_json(value: &Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(number) => Json::Number(match i64::try_from(*number) {
            Ok(number) => number.into(),
            Err(_) => u64::try_from(*number).ok()?.into(),
        }),
        Value::Float(number) => Json::Number(serde_json::Number::from_f64(*number)?),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => Json::String(hex(bytes)),
        Value::Tag(_, value) => to_json(value)?,
        Value::Array(values) => Json::Array(values.iter().map(to_json).collect::<Option<_>>()?),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        Value::Text(text) => text.clone(),
                        Value::Integer(number) => i128::from(*number).to_string(),
                        _ => return None,
                    };
                    Some((key, to_json(value)?))
                })
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// Encodes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Reading answers: the browser parses the JSON, which it does anyway and well, and serde gets the result.
//!
//! A reader for wasm that is downloaded over a slow net: no second parser, and none of the messages of `serde_json` and
//! `jiff` about what is wrong with an answer, since nobody would see them.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use wasm_bindgen::{JsCast, JsValue};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Nothing,
    Truth(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Record(Vec<(String, Json)>),
}

/// The text is no JSON, or not of the expected form.
#[derive(Debug)]
pub struct Unreadable;

/// Reads an answer.
///
/// # Errors
/// [`Unreadable`] where it is no JSON or something else than a `T`.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let value = js_sys::JSON::parse(text).map_err(|_| Unreadable)?;
    T::deserialize(Json::from(&value))
}

impl From<&JsValue> for Json {
    fn from(value: &JsValue) -> Self {
        if let Some(text) = value.as_string() {
            Json::Text(text)
        } else if let Some(number) = value.as_f64() {
            Json::Number(number)
        } else if let Some(truth) = value.as_bool() {
            Json::Truth(truth)
        } else if let Some(list) = value.dyn_ref::<js_sys::Array>() {
            Json::List(list.iter().map(|value| Json::from(&value)).collect())
        } else if let Some(record) = value.dyn_ref::<js_sys::Object>() {
            let entries = js_sys::Object::entries(record);
            let entries = entries.iter().map(|entry| {
                let entry = js_sys::Array::from(&entry);
                (entry.get(0).as_string().unwrap_or_default(), Json::from(&entry.get(1)))
            });
            Json::Record(entries.collect())
        } else {
            Json::Nothing
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unreadable")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Unreadable
    }

    fn invalid_type(_unexpected: de::Unexpected<'_>, _expected: &dyn de::Expected) -> Self {
        Unreadable
    }

    fn invalid_value(_unexpected: de::Unexpected<'_>, _expected: &dyn de::Expected) -> Self {
        Unreadable
    }

    fn invalid_length(_length: usize, _expected: &dyn de::Expected) -> Self {
        Unreadable
    }

    fn unknown_variant(_variant: &str, _expected: &'static [&'static str]) -> Self {
        Unreadable
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Unreadable
    }

    fn missing_field(_field: &'static str) -> Self {
        Unreadable
    }

    fn duplicate_field(_field: &'static str) -> Self {
        Unreadable
    }
}

/// The elements of a list.
struct Elements(std::vec::IntoIter<Json>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        self.0.next().map(|element| seed.deserialize(element)).transpose()
    }
}

/// The fields of a record, and the value of the one whose name was read last.
struct Fields(std::vec::IntoIter<(String, Json)>, Json);

impl Fields {
    // Not inlined into the reader of every type.
    #[inline(never)]
    fn name(&mut self) -> Option<String> {
        let (name, value) = self.0.next()?;
        self.1 = value;
        Some(name)
    }

    #[inline(never)]
    fn value(&mut self) -> Json {
        std::mem::replace(&mut self.1, Json::Nothing)
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Unreadable;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unreadable> {
        self.name().map(|name| seed.deserialize(Json::Text(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unreadable> {
        seed.deserialize(self.value())
    }
}

/// A method for each shape, so that the reader of a type holds the code of its own shape only.
macro_rules! one_shape {
    ($($method:ident)* => |$visitor:ident| $shape:pat => $visit:expr) => {$(
        fn $method<V: Visitor<'de>>(self, $visitor: V) -> Result<V::Value, Unreadable> {
            match self {
                $shape => $visit,
                _ => Err(Unreadable),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Json {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Json::Nothing => visitor.visit_unit(),
            Json::Truth(truth) => visitor.visit_bool(truth),
            // Answers have whole numbers only.
            Json::Number(number) => visitor.visit_i64(number as i64),
            Json::Text(text) => visitor.visit_string(text),
            Json::List(list) => visitor.visit_seq(Elements(list.into_iter())),
            Json::Record(record) => visitor.visit_map(Fields(record.into_iter(), Json::Nothing)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Json::Nothing => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self {
            Json::Text(code) => visitor.visit_enum(code.into_deserializer()),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    one_shape!(deserialize_map => |visitor| Json::Record(record) => {
        visitor.visit_map(Fields(record.into_iter(), Json::Nothing))
    });
    one_shape!(deserialize_seq => |visitor| Json::List(list) => visitor.visit_seq(Elements(list.into_iter())));
    one_shape!(deserialize_str deserialize_identifier => |visitor| Json::Text(text) => visitor.visit_str(&text));
    one_shape!(deserialize_string => |visitor| Json::Text(text) => visitor.visit_string(text));
    one_shape!(deserialize_bool => |visitor| Json::Truth(truth) => visitor.visit_bool(truth));
    one_shape!(
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        => |visitor| Json::Number(number) => visitor.visit_i64(number as i64)
    );

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
    }
}

#[cfg(test)]
mod tests {
    use bukti_wire::{Certificates, Problem, ProblemCode, StatusAnswer};
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::*;

    impl From<Value> for Json {
        fn from(value: Value) -> Self {
            match value {
                Value::Null => Json::Nothing,
                Value::Bool(truth) => Json::Truth(truth),
                Value::Number(number) => Json::Number(number.as_f64().unwrap()),
                Value::String(text) => Json::Text(text),
                Value::Array(list) => Json::List(list.into_iter().map(Json::from).collect()),
                Value::Object(record) => {
                    Json::Record(record.into_iter().map(|(name, value)| (name, value.into())).collect())
                }
            }
        }
    }

    /// What is read is what was written.
    fn reads<T: DeserializeOwned + Serialize>(written: Value) {
        let read = T::deserialize(Json::from(written.clone())).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }

    fn dose() -> Value {
        json!({
            "dose_number": 2, "vaccine": "CoronaVac", "vaccination_date": "2021-02-26", "facility": null,
            "diagnosis": {
                "code": "dose_incomplete", "reasons": ["batch_missing"], "actor": "facility",
                "next_steps": ["wait", "ask_facility"], "usual_days": { "from": 3, "to": 7 }
            },
            "issued_on": null, "phone_hint": "90"
        })
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        reads::<StatusAnswer>(json!({ "doses": [dose()] }));
        reads::<StatusAnswer>(json!({ "doses": [], "none": dose()["diagnosis"] }));
        let mut held = dose();
        held["batch"] = json!("2021011");
        held["certificate"] = json!({
            "id": "7KQ2", "name": "Siti", "dose_number": 1, "doses_in_series": 2, "vaccine": "CoronaVac",
            "vaccination_date": "2021-01-29", "picture": "<svg/>", "qr_text": "HC1:"
        });
        reads::<Certificates>(json!({ "person": { "id": "a", "name": "Siti" }, "doses": [held] }));
    }

    #[test]
    fn problems_are_read_by_their_code() {
        let problem = json!({
            "type": "urn:bukti:problem:code_wrong", "status": 422, "code": "code_wrong", "title": "t", "detail": "d",
            "errors": [{ "field": "code", "code": "invalid" }], "tries_left": 3, "new": true
        });
        let problem = Problem::deserialize(Json::from(problem)).unwrap();
        assert_eq!((problem.code, problem.tries_left), (ProblemCode::CodeWrong, Some(3)));
        assert_eq!(problem.errors[0].field, "code");
    }

    #[test]
    fn what_has_another_form_is_unreadable() {
        let mut wrong = [dose(), dose(), dose()];
        wrong[0]["vaccination_date"] = json!("2021-02-30");
        wrong[1]["diagnosis"]["code"] = json!("new_code");
        wrong[2]["dose_number"] = json!(300);
        for dose in wrong.into_iter().chain([json!("doses"), Value::Null]) {
            assert!(StatusAnswer::deserialize(Json::from(json!({ "doses": [dose] }))).is_err());
        }
    }
}

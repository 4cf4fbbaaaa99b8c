//! Builds signed certificates in the variants that other issuers write.

use std::io::Write;

use bukti_hcert::{LocalSigner, Signer};
use ciborium::Value;

use crate::wait;

/// The claims, headers and CBOR tags of a certificate to be signed.
pub struct Envelope {
    pub claims: Value,
    pub protected: Vec<(i64, Value)>,
    pub unprotected: Vec<(i64, Value)>,
    pub tags: Vec<u64>,
}

pub fn integer(number: i64) -> Value {
    Value::Integer(number.into())
}

pub fn map(entries: Vec<(i64, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (integer(key), value)).collect())
}

pub fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

impl Envelope {
    pub fn around(kind: i64, payload: &serde_json::Value, signer: &LocalSigner) -> Self {
        let hcert = map(vec![(kind, Value::serialized(payload).unwrap())]);
        Self {
            claims: map(vec![(-260, hcert)]),
            protected: vec![(1, integer(-7)), (4, Value::Bytes(signer.kid().to_vec()))],
            unprotected: vec![],
            tags: vec![18],
        }
    }

    pub fn with_claim(mut self, key: i64, value: Value) -> Self {
        let Value::Map(entries) = &mut self.claims else { unreachable!() };
        entries.push((integer(key), value));
        self
    }

    pub fn message(self, signer: &LocalSigner) -> Vec<u8> {
        let protected = Value::Bytes(bytes(&map(self.protected)));
        let payload = Value::Bytes(bytes(&self.claims));
        let signed = Value::Array(vec![
            Value::Text("Signature1".into()),
            protected.clone(),
            Value::Bytes(vec![]),
            payload.clone(),
        ]);
        let signature = wait(signer.sign(&bytes(&signed))).unwrap();
        let parts = vec![protected, map(self.unprotected), payload, Value::Bytes(signature)];
        let tagged = self.tags.iter().fold(Value::Array(parts), |inner, tag| Value::Tag(*tag, inner.into()));
        bytes(&tagged)
    }

    pub fn text(self, signer: &LocalSigner) -> String {
        text_of(&self.message(signer))
    }
}

pub fn compressed(message: &[u8]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(message).unwrap();
    zlib.finish().unwrap()
}

pub fn text_of(message: &[u8]) -> String {
    format!("HC1:{}", base45::encode(compressed(message)))
}

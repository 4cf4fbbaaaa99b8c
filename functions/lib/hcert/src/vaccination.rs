//! What is sealed: one dose, in the payload that its vaccine calls for.

use bukti_domain::Codes;
use bukti_domain::feed::CompleteDose;
use ciborium::Value;

use crate::{dcc, icvp};

/// A vaccination as the certificate says it.
pub struct Vaccination<'a> {
    /// The dose.
    pub dose: &'a CompleteDose,
    /// Who issues the certificate, at most 80 characters.
    pub issuer: &'a str,
    /// The certificate's UVCI.
    pub uvci: &'a str,
}

impl Vaccination<'_> {
    /// The claim `hcert`: a map of the payload's kind to the payload.
    pub(crate) fn to_cbor(&self) -> Value {
        let (kind, payload) = match &self.dose.vaccine.codes {
            Codes::Dcc { vp, mp, ma } => (dcc::CLAIM, dcc::payload(self, vp, mp, ma)),
            Codes::Icvp { vp } => (icvp::CLAIM, icvp::payload(self, vp)),
        };
        Value::Map(vec![(Value::Integer(kind.into()), payload)])
    }
}

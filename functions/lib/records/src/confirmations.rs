//! Confirmed identities: data of a person that rightly contradict their NIK, confirmed by two
//! officers.

use bukti_domain::IdentityData;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Keys, PersonKey};

/// A confirmation as it is kept. Nothing in it is personal: the digests are keyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmationRecord {
    /// The person's index key.
    pub pk: PersonKey,
    /// Digests of the identity data that it covers: NIK, birth date and sex.
    pub covered: Vec<String>,
    /// When it was granted.
    pub confirmed_at: Timestamp,
}

impl ConfirmationRecord {
    /// The record by which a case confirms these data of a person.
    pub fn new(person: &PersonKey, data: &IdentityData, now: Timestamp, keys: &Keys) -> Self {
        Self {
            pk: person.clone(),
            covered: data.covered().iter().map(|data| keys.identity_data(data)).collect(),
            confirmed_at: now,
        }
    }
}

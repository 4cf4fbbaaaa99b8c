//! Confirmations by two officers that a person's identity data, which contradict the NIK, are
//! correct.

use bukti_domain::IdentityData;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Keys, PersonKey};

/// The stored record of a confirmation. It contains no personal data: the digests are keyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmationRecord {
    /// The person's index key.
    pub pk: PersonKey,
    /// Keyed digests of the covered identity data: NIK, birth date and sex.
    pub covered: Vec<String>,
    /// When it was granted.
    pub confirmed_at: Timestamp,
}

impl ConfirmationRecord {
    /// Creates the record that confirms these data of a person.
    pub fn new(person: &PersonKey, data: &IdentityData, now: Timestamp, keys: &Keys) -> Self {
        Self {
            pk: person.clone(),
            covered: data.covered().iter().map(|data| keys.identity_data(data)).collect(),
            confirmed_at: now,
        }
    }
}

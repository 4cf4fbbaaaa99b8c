//! Confirmations by two officers that a person's identity data are correct although they contradict
//! the NIK.

use bukti_domain::IdentityData;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Keys, PersonKey};

/// The stored record of a confirmation. It contains no personal data, because the digests are
/// keyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmationRecord {
    /// The index key of the person.
    pub pk: PersonKey,
    /// The keyed digests of the confirmed identity data: NIK, birth date and sex.
    pub covered: Vec<String>,
    /// When the confirmation was granted.
    pub confirmed_at: Timestamp,
}

impl ConfirmationRecord {
    /// Creates the record that confirms these identity data of a person.
    pub fn new(person: &PersonKey, data: &IdentityData, now: Timestamp, keys: &Keys) -> Self {
        Self {
            pk: person.clone(),
            covered: data.covered().iter().map(|data| keys.identity_data(data)).collect(),
            confirmed_at: now,
        }
    }
}

//! Withdrawing and reinstating a dose.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DoseRecord;
use crate::{DoseKey, SmsKind};

/// Marks a dose that an admin has withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When the dose was withdrawn.
    at: Timestamp,
    /// The claims that the event keeps, so that no other event that reports the dose gets a
    /// certificate: the claim of the dose in the revoked certificate, and the claim that the event
    /// owned when it was withdrawn.
    pub claims: BTreeSet<DoseKey>,
}

impl DoseRecord {
    /// The dose after an admin revokes one of its certificates. `shown` is the claim on the dose
    /// that the certificate shows.
    pub fn withdrawn(&self, shown: Option<&DoseKey>, at: Timestamp) -> Self {
        let owned = self.claim.as_ref().filter(|_| !self.duplicate);
        let withdrawal = Withdrawal { at, claims: shown.into_iter().chain(owned).cloned().collect() };
        Self { revision: self.revision + 1, withdrawn: Some(withdrawal), ..self.clone() }
    }

    /// The dose after an admin reinstates it. If the dose is complete, it
    /// [lacks](Self::lacks_certificate_id) a certificate id until `issue` assigns one; otherwise it
    /// gets an id when it becomes complete. An SMS to its phone is requested.
    pub fn reinstated(&self) -> Self {
        let mut next = Self {
            revision: self.revision + 1,
            withdrawn: None,
            certificate_id: None,
            certificate_digest: String::new(),
            ..self.clone()
        };
        next.raise_phone_version();
        next.request_sms(SmsKind::Corrected);
        next
    }
}

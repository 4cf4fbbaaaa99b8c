//! Withdrawing and reinstating a dose.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DoseRecord;
use crate::{DoseKey, SmsKind};

/// The mark of a dose that an admin withdrew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When it was withdrawn.
    at: Timestamp,
    /// The claims that the event keeps, so that no other event that reports the dose gets a
    /// certificate: the claim of the dose that the revoked certificate shows, and the one that the
    /// event owned at that time.
    pub claims: BTreeSet<DoseKey>,
}

impl DoseRecord {
    /// The dose after an admin revoked a certificate of it. `shown` is the claim of the dose that
    /// the certificate shows.
    pub fn withdrawn(&self, shown: Option<&DoseKey>, at: Timestamp) -> Self {
        let owned = self.claim.as_ref().filter(|_| !self.duplicate);
        let withdrawal = Withdrawal { at, claims: shown.into_iter().chain(owned).cloned().collect() };
        Self { revision: self.revision + 1, withdrawn: Some(withdrawal), ..self.clone() }
    }

    /// The dose after an admin reinstated it. If it is complete, it
    /// [lacks](Self::lacks_certificate_id) a certificate id until `issue` assigns one; otherwise it
    /// gets one when it becomes complete. An SMS to its phone is requested.
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

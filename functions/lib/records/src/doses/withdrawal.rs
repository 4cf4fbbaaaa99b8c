//! Withdrawing a dose, and reinstating it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DoseRecord;
use crate::{DoseKey, SmsKind};

/// That an admin withdrew a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When.
    at: Timestamp,
    /// The claims that the event keeps: those of the dose that the revoked certificate shows, and
    /// of the dose as it was then. So no other event that reports it gets a certificate.
    pub claims: BTreeSet<DoseKey>,
}

impl DoseRecord {
    /// The dose after an admin revoked a certificate of it, which shows the dose of this claim.
    pub fn withdrawn(&self, shown: Option<&DoseKey>, at: Timestamp) -> Self {
        let owned = self.claim.as_ref().filter(|_| !self.duplicate);
        let withdrawal = Withdrawal { at, claims: shown.into_iter().chain(owned).cloned().collect() };
        Self { revision: self.revision + 1, withdrawn: Some(withdrawal), ..self.clone() }
    }

    /// The dose after an admin reinstated it. Where it is complete, it
    /// [lacks](Self::lacks_certificate_id) a certificate, and else gets one when it is; its phone
    /// is told.
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

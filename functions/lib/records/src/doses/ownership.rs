//! Transitions of doses that several events report. One of these events owns the claim.

use bukti_domain::Verdict;

use super::DoseRecord;
use super::incoming::certificate_digest;
use crate::{Corrupt, DoseKey, Keys};

impl DoseRecord {
    /// The dose as a duplicate, after the event `owner` was found to own its claim.
    pub fn demoted(&self, owner: &DoseRecord) -> Self {
        let mut next = Self {
            revision: self.revision + 1,
            certificate_id: None,
            duplicate: true,
            superseded_by: owner.certificate_id.clone(),
            ..self.clone()
        };
        next.end_certificates();
        next
    }

    /// The dose, which is neither complete nor a duplicate, after another event took its claim.
    /// `certificate_id` is the certificate of that event.
    pub fn evicted(&self, certificate_id: Option<String>) -> Self {
        let mut next =
            Self { revision: self.revision + 1, claim: None, superseded_by: certificate_id, ..self.clone() };
        next.end_certificates();
        next
    }

    /// The complete dose with a new certificate version. For a duplicate that became the owner of
    /// its claim, a reinstated dose, or a dose whose certificate shows outdated data about the
    /// series.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row cannot be opened or is incomplete.
    pub fn reissued(&self, keys: &Keys) -> Result<Self, Corrupt> {
        let dose = self.dose(keys).map_err(|_| Corrupt("dose"))?.complete();
        let dose = dose.ok_or(Corrupt("dose"))?;
        let mut next = Self {
            revision: self.revision + 1,
            duplicate: false,
            superseded_by: None,
            certificate_digest: certificate_digest(&dose, keys),
            ..self.clone()
        };
        next.raise_certificate_version();
        next.certificate_id = next.latest_certificate(keys);
        Ok(next)
    }

    /// Whether the event owns this claim and its dose is complete.
    pub fn holds(&self, claim: &DoseKey) -> bool {
        self.is_owner_of(claim) && self.verdict == Verdict::Complete
    }

    /// Whether no other event can get this claim, because the event [holds](Self::holds) it, or was
    /// withdrawn while it had the claim.
    pub fn keeps(&self, claim: &DoseKey) -> bool {
        match &self.withdrawn {
            Some(withdrawal) => withdrawal.claims.contains(claim),
            None => self.holds(claim),
        }
    }

    /// Whether the event owns this claim, even if its dose is incomplete.
    pub fn is_owner_of(&self, claim: &DoseKey) -> bool {
        self.claim.as_ref() == Some(claim) && !self.duplicate
    }

    /// Whether the event is a duplicate that waits for this claim.
    pub fn waits_for(&self, claim: &DoseKey) -> bool {
        self.claim.as_ref() == Some(claim) && self.duplicate && self.verdict == Verdict::Complete
    }

    /// Whether this revision holds a claim that the previous one did not own. Then the claim has to
    /// be acquired.
    pub fn gains_claim(&self, before: Option<&DoseRecord>) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| self.holds(claim) && !before.is_some_and(|before| before.is_owner_of(claim)))
    }
}

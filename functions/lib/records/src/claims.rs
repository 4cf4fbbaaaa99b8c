//! Claims, which deduplicate doses: if several events report one dose, only one of them gets a
//! certificate.
//!
//! A facility and the hub may report one dose under two event ids. Events report the same dose if
//! their person, vaccination date, vaccine and dose number are equal. The key of a claim is a keyed
//! hash of these four values. The claim names the event that owns the dose, and the duplicates that
//! wait for it, oldest first.
//!
//! ```text
//! event A   dose written ── claim put: A owns it ── issue confirms it ─► certificate
//! event B        dose written ── claim refused: A owns it ─► B becomes a duplicate and waits
//! event A   retracted, or moved to another claim ─► B owns it ─► certificate of B
//! ```
//!
//! - The first event that puts the claim owns it. SMS are sent to the phone of the owner. A
//!   correction of a duplicate changes only the duplicate.
//! - An event writes its dose before its claim. So if the claim's owner does not hold the claim,
//!   another event can take it over at once: the former owner notices this when it acquires the
//!   claim again. Before `issue` makes a certificate, it checks that the event owns its claim, and
//!   acquires the claim if a process died between the two writes.
//! - Every change except the first claim is a transaction on all records involved, so that a dose
//!   always has an event that owns it or waits for it. A transaction for the first claim would
//!   double the write units.
//! - If a later row makes the owner incomplete or contradictory, the owner keeps its claim until
//!   another event reports the dose, because its certificate may become valid again. The
//!   certificate of the other event then supersedes the owner's.
//! - An event that an admin has withdrawn keeps the claim on its dose until it is reinstated, even
//!   if it is retracted: no other event that reports the dose gets a certificate instead. A
//!   withdrawn event gets no other claims.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Corrupt, DoseKey, DoseRecord, EventKey, Keys};

/// The maximum number of events that wait for one claim. Further events become duplicates too, but
/// can never become the owner.
const MAX_WAITING: usize = 100;

/// The stored record of a claim. It contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The key of the claim, which identifies the dose.
    pub pk: DoseKey,
    /// The number of times that the record was written; the optimistic lock of the next write.
    pub revision: u32,
    /// The key of the event that owns the dose.
    pub owner: EventKey,
    /// The keys of the duplicates that wait, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<EventKey>,
}

/// What releasing a claim requires.
#[derive(Debug, PartialEq)]
pub enum Release {
    /// Nothing: the event still has a right to the claim, or was never part of it.
    Nothing,
    /// Write this claim, from which the waiting event has been removed.
    Leave(ClaimRecord),
    /// The event owns the claim, which must be [handed over](ClaimRecord::handed_over).
    HandOver,
}

/// The records that one transaction writes to transfer a claim from its owner to another event.
#[derive(Debug)]
pub struct Handover {
    /// The next revision of the claim; `None` if no other event reports the dose, in which case the
    /// claim is deleted.
    pub claim: Option<ClaimRecord>,
    /// The next revision of the successor, if a duplicate becomes the owner.
    pub promoted: Option<DoseRecord>,
    /// The next revision of the former owner, if it loses a claim that it still had. If `None`, the
    /// transaction requires that the former owner's record was not changed concurrently.
    pub evicted: Option<DoseRecord>,
}

impl ClaimRecord {
    /// Creates the claim with the key `claim`, which `owner` owns.
    pub fn first(claim: &DoseKey, owner: &EventKey) -> Self {
        Self { pk: claim.clone(), revision: 1, owner: owner.clone(), waiting: Vec::new() }
    }

    fn next(&self, owner: &EventKey, waiting: Vec<EventKey>) -> Self {
        Self { pk: self.pk.clone(), revision: self.revision + 1, owner: owner.clone(), waiting }
    }

    /// Whether an event waits for the claim.
    pub fn is_waiting(&self, event: &EventKey) -> bool {
        self.waiting.contains(event)
    }

    /// The claim with a new duplicate at the end of the waiting events, unless the event already
    /// waits. `None` if too many events wait; the transaction must then require that the claim was
    /// not changed concurrently.
    pub fn with_waiting(&self, event: &EventKey) -> Option<Self> {
        // Increment the revision even if the event already waits. A concurrent release, which would
        // remove the event, then fails.
        if self.is_waiting(event) {
            return Some(self.next(&self.owner, self.waiting.clone()));
        }
        let waiting = || self.waiting.iter().cloned().chain([event.clone()]).collect();
        (self.waiting.len() < MAX_WAITING).then(|| self.next(&self.owner, waiting()))
    }

    /// Determines how an event, whose current record is `dose`, releases the claim.
    pub fn release(&self, event: &EventKey, dose: Option<&DoseRecord>) -> Release {
        let dose_satisfies =
            |condition: fn(&DoseRecord, &DoseKey) -> bool| dose.is_some_and(|dose| condition(dose, &self.pk));
        if self.owner == *event {
            return if dose_satisfies(DoseRecord::keeps) { Release::Nothing } else { Release::HandOver };
        }
        if dose_satisfies(DoseRecord::waits_for) || !self.is_waiting(event) {
            return Release::Nothing;
        }
        let waiting = self.waiting.iter().filter(|waiting| *waiting != event).cloned().collect();
        Release::Leave(self.next(&self.owner, waiting))
    }

    /// Transfers the claim from its owner, whose current record is `owner`. The new owner is the
    /// `successor` if there is one: the oldest duplicate that still waits, given with the other
    /// waiting events. Otherwise it is the event `asking` if there is one, which reports the dose
    /// and does not wait yet. Otherwise the claim is deleted. `None` if the owner keeps the claim,
    /// because no other event reports the dose and the owner's certificate may become valid again.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row of the successor cannot be opened or is incomplete.
    pub fn handed_over(
        &self,
        owner: Option<&DoseRecord>,
        successor: Option<(&DoseRecord, Vec<EventKey>)>,
        asking: Option<&DoseRecord>,
        keys: &Keys,
    ) -> Result<Option<Handover>, Corrupt> {
        let owner = owner.filter(|owner| owner.is_owner_of(&self.pk));
        let (claim, promoted) = match (successor, asking) {
            (Some((successor, waiting)), _) => {
                (Some(self.next(&successor.pk, waiting)), Some(successor.reissued(keys)?))
            }
            (None, Some(asking)) => (Some(self.next(&asking.pk, Vec::new())), None),
            (None, None) if owner.is_some() => return Ok(None),
            (None, None) => (None, None),
        };
        let certificate = promoted.as_ref().or(asking).and_then(|dose| dose.certificate_id.clone());
        let evicted = owner.map(|owner| owner.evicted(certificate));
        Ok(Some(Handover { claim, promoted, evicted }))
    }

    /// The next revision of the claim's owner when another event of the dose is withdrawn (at
    /// `withdrawn_at`) or reinstated (`None`), because this affects the owner as well. `None` if
    /// the owner is already in this state.
    pub fn withdrawn_owner(&self, owner: &DoseRecord, withdrawn_at: Option<Timestamp>) -> Option<DoseRecord> {
        match withdrawn_at {
            Some(at) if owner.withdrawn.is_none() => Some(owner.withdrawn(Some(&self.pk), at)),
            None if owner.withdrawn.is_some() => Some(owner.reinstated()),
            _ => None,
        }
    }

    /// Whether the owner has been withdrawn and keeps the claim, so that no other event gets a
    /// certificate for the dose.
    pub fn is_withdrawn_with(&self, owner: &DoseRecord) -> bool {
        owner.withdrawn.is_some() && owner.keeps(&self.pk)
    }
}

#[cfg(test)]
mod tests {
    use bukti_domain::{FeedRow, Origin};

    use super::*;
    use crate::Incoming;
    use crate::keys::tests::keys;

    fn dose(event: &str, batch: &str, keys: &Keys) -> DoseRecord {
        let row = FeedRow::from_fields([
            event,
            "2021-01-29T10:00:00+07:00",
            "3171012401896246",
            "",
            "Iwan",
            "1989-01-24",
            "L",
            "",
            "1",
            "CoronaVac",
            batch,
            "2021-01-29",
            "P1",
            "Puskesmas",
            "",
        ]);
        let origin = Origin { job: "job".to_owned(), line: 2 };
        let incoming = Incoming::judge(row, origin, "2026-01-01T00:00:00Z".parse().unwrap(), keys).unwrap();
        DoseRecord::after(None, &incoming, keys).unwrap().unwrap()
    }

    #[test]
    fn record_of_event_decides_release() {
        let keys = keys();
        let (owner, other) = (dose("E1", "B1", &keys), dose("E2", "B1", &keys));
        let duplicate = other.demoted(&owner);
        let key = owner.claim.clone().unwrap();
        let claim = ClaimRecord::first(&key, &owner.pk).with_waiting(&other.pk).unwrap();
        let incomplete = DoseRecord { verdict: bukti_domain::Verdict::Incomplete, ..owner.clone() };
        let moved = DoseRecord { claim: None, ..owner.clone() };
        let withdrawn = moved.withdrawn(Some(&key), Timestamp::UNIX_EPOCH);
        let left = DoseRecord { claim: None, ..duplicate.clone() };
        let without = ClaimRecord { revision: 3, waiting: Vec::new(), ..claim.clone() };
        for (event, dose, expected) in [
            (&owner.pk, Some(&owner), Release::Nothing),
            (&owner.pk, Some(&withdrawn), Release::Nothing),
            (&owner.pk, Some(&incomplete), Release::HandOver),
            (&owner.pk, Some(&moved), Release::HandOver),
            (&owner.pk, None, Release::HandOver),
            (&other.pk, Some(&duplicate), Release::Nothing),
            (&other.pk, Some(&left), Release::Leave(without)),
            (&EventKey::of_id("3"), None, Release::Nothing),
        ] {
            assert_eq!(claim.release(event, dose), expected, "{dose:?}");
        }
    }

    #[test]
    fn hands_claim_to_oldest_duplicate_then_asking_event() {
        let keys = keys();
        let (owner, other, third) =
            (dose("E1", "B1", &keys), dose("E2", "B1", &keys), dose("E3", "B1", &keys));
        let claim = ClaimRecord::first(owner.claim.as_ref().unwrap(), &owner.pk);
        let incomplete = DoseRecord { verdict: bukti_domain::Verdict::Incomplete, ..owner.clone() };
        let duplicate = other.demoted(&owner);

        let kept = claim.handed_over(Some(&incomplete), None, None, &keys).unwrap();
        assert!(kept.is_none(), "its certificate may become valid again");

        let waiting = vec![third.pk.clone()];
        let successor = Some((&duplicate, waiting.clone()));
        let handover = claim.handed_over(Some(&incomplete), successor, None, &keys).unwrap().unwrap();
        let next = handover.claim.unwrap();
        assert_eq!((next.owner, next.waiting, next.revision), (other.pk.clone(), waiting, 2));
        let promoted = handover.promoted.unwrap();
        assert!(promoted.holds(&claim.pk) && promoted.certificate_id.is_some());
        let evicted = handover.evicted.unwrap();
        assert_eq!((evicted.claim, evicted.superseded_by), (None, promoted.certificate_id));

        let handover = claim.handed_over(Some(&incomplete), None, Some(&third), &keys).unwrap().unwrap();
        assert_eq!(handover.claim.unwrap().owner, third.pk);
        assert_eq!(handover.evicted.unwrap().superseded_by, third.certificate_id);

        let handover = claim.handed_over(None, None, None, &keys).unwrap().unwrap();
        assert!(handover.claim.is_none() && handover.promoted.is_none() && handover.evicted.is_none());
    }

    #[test]
    fn at_most_hundred_events_wait_for_claim() {
        let mut claim = ClaimRecord::first(&DoseKey::of_id("1"), &EventKey::of_id("0"));
        for event in 1..=100 {
            claim = claim.with_waiting(&EventKey::of_id(&event.to_string())).unwrap();
        }
        assert!(claim.with_waiting(&EventKey::of_id("101")).is_none());
        assert_eq!(
            claim.with_waiting(&EventKey::of_id("7")).unwrap().waiting,
            claim.waiting,
            "it already waits"
        );
    }
}

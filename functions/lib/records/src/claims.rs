//! Claims: of several events that report the same dose, one has its certificate.
//!
//! A facility and the hub may report one dose under two event ids. Events report the same dose
//! where person, vaccination date, vaccine and dose number are the same. The key of a claim is a
//! keyed hash of these four; the claim names the event that owns the dose, and those that wait for
//! it, oldest first.
//!
//! ```text
//! event A   dose written ── claim put: A owns it ── issue confirms it ─► certificate
//! event B        dose written ── claim refused: A owns it ─► B becomes a duplicate and waits
//! event A   retracted, or moved to another claim ─► B owns it ─► certificate of B
//! ```
//!
//! - The first event to put the claim owns it. The owner's phone counts; corrections of a duplicate
//!   change nothing but the duplicate itself.
//! - An event writes its dose before its claim. So whoever finds a claim whose owner does not hold
//!   it can take it over at once: the owner would find that out when it claims it again. `issue`
//!   asks for each dose whether it owns its claim before it makes a certificate, and claims it
//!   where a process died in between.
//! - Everything but the first claim is a transaction on the records involved, so that no dose is
//!   ever without an event that owns it or waits for it. A transaction for the first claim too
//!   would cost twice the write units.
//! - An owner whose later row is incomplete or contradictory keeps its claim, since its certificate
//!   may come back, until another event reports the dose: then the certificate is superseded by
//!   that of the other event.
//! - An event that an admin withdrew keeps the claim of the dose until it is reinstated, even where
//!   it is retracted: no other event that reports the dose gets a certificate instead. It gets no
//!   other claim.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Corrupt, DoseKey, DoseRecord, EventKey, Keys};

/// How many events wait for one claim at most. An event beyond them is a duplicate too, but does
/// not become the owner.
const MOST_WAITING: usize = 100;

/// A claim as it is kept. Nothing in it is personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The claim's key.
    pub pk: DoseKey,
    /// Which write this is, from 1: the condition of the next.
    pub revision: u32,
    /// The key of the event that owns the dose.
    pub owner: EventKey,
    /// The keys of the duplicates, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<EventKey>,
}

/// What releasing a claim comes to, by the records as they are.
#[derive(Debug, PartialEq)]
pub enum Release {
    /// The event holds the claim or waits for it, or it was released before.
    Nothing,
    /// The event waits no more: the claim without it.
    Leave(ClaimRecord),
    /// The event owned the claim: it is [handed over](ClaimRecord::handed_over).
    HandOver,
}

/// How a claim goes from its owner to another event: what is written, all or nothing.
#[derive(Debug)]
pub struct Handover {
    /// The claim's next revision; `None` where nobody else reports the dose, and the claim is
    /// deleted.
    pub claim: Option<ClaimRecord>,
    /// The successor's next revision, where a duplicate becomes the owner.
    pub promoted: Option<DoseRecord>,
    /// The former owner's next revision, where it lost a claim that it still owned. It is else
    /// required to be as it was read.
    pub evicted: Option<DoseRecord>,
}

impl ClaimRecord {
    /// The claim that no event owned before.
    pub fn first(claim: &DoseKey, owner: &EventKey) -> Self {
        Self { pk: claim.clone(), revision: 1, owner: owner.clone(), waiting: Vec::new() }
    }

    fn next(&self, owner: &EventKey, waiting: Vec<EventKey>) -> Self {
        Self { pk: self.pk.clone(), revision: self.revision + 1, owner: owner.clone(), waiting }
    }

    /// Whether an event waits for it.
    pub fn is_waiting(&self, event: &EventKey) -> bool {
        self.waiting.contains(event)
    }

    /// The claim after an event became a duplicate: it waits at the end, or as before. `None` where
    /// too many wait; the claim is then required to be as it was read.
    pub fn with_waiting(&self, event: &EventKey) -> Option<Self> {
        // Where it waits already, the claim is written all the same, so that a release that would
        // take the event off the list at this moment fails.
        if self.is_waiting(event) {
            return Some(self.next(&self.owner, self.waiting.clone()));
        }
        let waiting = || self.waiting.iter().cloned().chain([event.clone()]).collect();
        (self.waiting.len() < MOST_WAITING).then(|| self.next(&self.owner, waiting()))
    }

    /// What it comes to where an event, which is this dose now, gives up its claim.
    pub fn release(&self, event: &EventKey, dose: Option<&DoseRecord>) -> Release {
        let is = |is: fn(&DoseRecord, &DoseKey) -> bool| dose.is_some_and(|dose| is(dose, &self.pk));
        if self.owner == *event {
            return if is(DoseRecord::keeps) { Release::Nothing } else { Release::HandOver };
        }
        if is(DoseRecord::waits_for) || !self.is_waiting(event) {
            return Release::Nothing;
        }
        let waiting = self.waiting.iter().filter(|waiting| *waiting != event).cloned().collect();
        Release::Leave(self.next(&self.owner, waiting))
    }

    /// How it goes from its owner, which is this dose now, to the successor, the oldest duplicate
    /// that still waits, given with the others that wait; else to the event that asks for it, which
    /// reports the dose too and waits for nothing yet; else to nobody. `None` where the owner keeps
    /// it: its certificate may come back as long as nobody else has the dose.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] where the successor's seal does not open.
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

    /// The next revision of its owner, where that is another event than the one that is withdrawn
    /// (at this time) or reinstated: the owner is so as well. `None` where it is already.
    pub fn withdrawn_owner(&self, owner: &DoseRecord, withdrawn_at: Option<Timestamp>) -> Option<DoseRecord> {
        match withdrawn_at {
            Some(at) if owner.withdrawn.is_none() => Some(owner.withdrawn(Some(&self.pk), at)),
            None if owner.withdrawn.is_some() => Some(owner.reinstated()),
            _ => None,
        }
    }

    /// Whether its owner is withdrawn with it, so that no other event gets a certificate of the
    /// dose.
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
    fn claim_is_released_by_what_its_event_is_now() {
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
    fn claim_goes_to_the_oldest_duplicate_then_to_who_asks() {
        let keys = keys();
        let (owner, other, third) =
            (dose("E1", "B1", &keys), dose("E2", "B1", &keys), dose("E3", "B1", &keys));
        let claim = ClaimRecord::first(owner.claim.as_ref().unwrap(), &owner.pk);
        let incomplete = DoseRecord { verdict: bukti_domain::Verdict::Incomplete, ..owner.clone() };
        let duplicate = other.demoted(&owner);

        let kept = claim.handed_over(Some(&incomplete), None, None, &keys).unwrap();
        assert!(kept.is_none(), "its certificate may come back");

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
    fn hundred_events_wait_for_a_claim() {
        let mut claim = ClaimRecord::first(&DoseKey::of_id("1"), &EventKey::of_id("0"));
        for event in 1..=100 {
            claim = claim.with_waiting(&EventKey::of_id(&event.to_string())).unwrap();
        }
        assert!(claim.with_waiting(&EventKey::of_id("101")).is_none());
        assert_eq!(
            claim.with_waiting(&EventKey::of_id("7")).unwrap().waiting,
            claim.waiting,
            "it waits already"
        );
    }
}

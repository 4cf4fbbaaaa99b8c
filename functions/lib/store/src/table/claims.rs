//! Claims: of several events that report the same dose, one has its certificate.
//!
//! A facility and the hub may report one dose under two event ids. Events report the same dose where person, vaccination
//! date, vaccine and dose number are the same. The key of a claim is a keyed hash of these four; the claim names the event
//! that owns the dose, and those that wait for it, oldest first.
//!
//! ```text
//! event A   dose written ── claim put: A owns it ── issue confirms it ─► certificate
//! event B        dose written ── claim refused: A owns it ─► B becomes a duplicate and waits
//! event A   retracted, or moved to another claim ─► B owns it ─► certificate of B
//! ```
//!
//! - The first event to put the claim owns it. The owner's phone counts; corrections of a duplicate change nothing but
//!   the duplicate itself.
//! - An event writes its dose before its claim. So whoever finds a claim whose owner does not hold it can take it over at
//!   once: the owner would find that out when it claims it again. `issue` asks for each dose whether it owns its claim
//!   before it makes a certificate, and claims it where a process died in between.
//! - Everything but the first claim is a transaction on the records involved, so that no dose is ever without an event
//!   that owns it or waits for it. A transaction for the first claim too would cost twice the write units.
//! - An owner whose later row is incomplete or contradictory keeps its claim, since its certificate may come back, until
//!   another event reports the dose: then the certificate is superseded by that of the other event.
//! - An event that an admin withdrew keeps the claim of the dose until it is reinstated, even where
//!   it is retracted: no other event that reports the dose gets a certificate instead. It gets no
//!   other claim.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::TransactWriteItem;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::doses::{self, DoseRecord};
use crate::table::{RACES, Table, Written, from_item, key, to_item};
use crate::{Aws, Keys, StoreError};

const SK: &str = "CLAIM";

/// How many events wait for one claim at most. An event beyond them is a duplicate too, but does not become the owner.
const MOST_WAITING: usize = 100;

/// A claim as it is kept. Nothing in it is personal.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ClaimRecord {
    pk: String,
    /// Which write this is, from 1: the condition of the next.
    revision: u32,
    /// The key of the event that owns the dose.
    owner: String,
    /// The keys of the duplicates, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<String>,
}

impl ClaimRecord {
    fn first(claim: &str, owner: &str) -> Self {
        Self { pk: claim.to_owned(), revision: 1, owner: owner.to_owned(), waiting: Vec::new() }
    }

    fn next(&self, owner: String, waiting: Vec<String>) -> Self {
        Self { pk: self.pk.clone(), revision: self.revision + 1, owner, waiting }
    }
}

/// The writes by which an event that is withdrawn or reinstated keeps a claim: it owns the claim
/// from then on, or where another event does, that one is withdrawn or reinstated as well.
pub(crate) async fn withdrawing(
    table: &Table,
    claim: &str,
    event: &str,
    withdrawn_at: Option<Timestamp>,
) -> Result<Vec<TransactWriteItem>, StoreError> {
    let Some(known) = of_key(table, claim).await? else {
        let item = to_item(claim, SK, &ClaimRecord::first(claim, event))?;
        return Ok(vec![table.putting(item, "attribute_not_exists(pk)", &[])?]);
    };
    let mut writes = vec![table.checking_at(known.revision, claim, SK)?];
    if known.owner != event {
        let owner = doses::of_event(table, &known.owner).await?;
        if let Some(owner) = owner.filter(|owner| owner.withdrawn.is_some() != withdrawn_at.is_some()) {
            let next = match withdrawn_at {
                Some(at) => owner.withdrawn(Some(&known.pk), at),
                None => owner.reinstated(),
            };
            writes.push(table.putting_at(owner.revision, to_item(&owner.pk, doses::SK, &next)?)?);
        }
    }
    Ok(writes)
}

/// Whether an event that is withdrawn keeps this claim, so that no other gets a certificate of the
/// dose.
pub(crate) async fn is_withdrawn(table: &Table, claim: &str) -> Result<bool, StoreError> {
    let Some(known) = of_key(table, claim).await? else { return Ok(false) };
    let owner = doses::of_event(table, &known.owner).await?;
    Ok(owner.is_some_and(|owner| owner.withdrawn.is_some() && owner.keeps(claim)))
}

/// Whether an event waits for this claim.
pub(crate) async fn is_waiting(table: &Table, claim: &str, event: &str) -> Result<bool, StoreError> {
    let known = of_key(table, claim).await?;
    Ok(known.is_some_and(|known| known.waiting.iter().any(|waiting| waiting == event)))
}

async fn of_key(table: &Table, claim: &str) -> Result<Option<ClaimRecord>, StoreError> {
    table.get(claim, SK).await?.map(|item| from_item(item, "claim")).transpose()
}

/// Decides which event owns a dose.
#[derive(Clone)]
pub struct Claims {
    table: Table,
    keys: Keys,
}

impl Claims {
    /// The claims of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Claims the dose of an event that is complete; gives its record as it is then: the owner, or a duplicate.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; `issue` then claims the dose.
    pub async fn acquire(&self, dose: DoseRecord) -> Result<DoseRecord, StoreError> {
        let mut dose = dose;
        for _ in 0..RACES {
            let Some(claim) = dose.claim.clone().filter(|claim| dose.holds(claim)) else { return Ok(dose) };
            // It gets no certificate, so it keeps no further dose from another event.
            if dose.withdrawn.is_some() {
                return Ok(dose);
            }
            let item = to_item(&claim, SK, &ClaimRecord::first(&claim, &dose.pk))?;
            let known = match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
                Written::Done => return Ok(dose),
                Written::Refused(Some(item)) => from_item::<ClaimRecord>(item, "claim")?,
                Written::Refused(None) => continue,
            };
            if known.owner == dose.pk {
                return Ok(dose);
            }
            match doses::of_event(&self.table, &known.owner).await? {
                Some(owner) if owner.keeps(&claim) => {
                    let next = dose.demoted(&owner);
                    if self.demote(&known, &dose, &next).await? {
                        return Ok(next);
                    }
                    dose =
                        doses::of_event(&self.table, &dose.pk).await?.ok_or(StoreError::Corrupt("dose"))?;
                }
                _ => self.release_for(&claim, &known.owner, Some(&dose)).await?,
            }
        }
        Err(StoreError::Unavailable("too many writers of one claim".to_owned()))
    }

    /// Whether an event owns the claim of its dose, so that it may have a certificate: gives its record as it is then. Costs
    /// a read where the claim is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn confirm(&self, dose: DoseRecord) -> Result<DoseRecord, StoreError> {
        let Some(claim) = dose.claim.as_ref().filter(|claim| dose.holds(claim)) else { return Ok(dose) };
        match of_key(&self.table, claim).await? {
            Some(known) if known.owner == dose.pk => Ok(dose),
            _ => self.acquire(dose).await,
        }
    }

    /// Gives up the claim of an event that does not hold it any more, or waits for it no more: the oldest duplicate becomes
    /// the owner. Does nothing where the event holds the claim, or where it was given up before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn release(&self, claim: &str, event: &str) -> Result<(), StoreError> {
        self.release_for(claim, event, None).await
    }

    /// [`Claims::release`], where `asking` is an event that reports the dose too, and waits for nothing yet.
    async fn release_for(
        &self,
        claim: &str,
        event: &str,
        asking: Option<&DoseRecord>,
    ) -> Result<(), StoreError> {
        for _ in 0..RACES {
            let Some(known) = of_key(&self.table, claim).await? else { return Ok(()) };
            let dose = doses::of_event(&self.table, event).await?;
            let is_there =
                |is: fn(&DoseRecord, &str) -> bool| dose.as_ref().is_some_and(|dose| is(dose, claim));
            if known.owner != event {
                if is_there(DoseRecord::waits_for) || !known.waiting.iter().any(|waiting| waiting == event) {
                    return Ok(());
                }
                let waiting = known.waiting.iter().filter(|waiting| *waiting != event).cloned().collect();
                if self.put(&known, &known.next(known.owner.clone(), waiting)).await? {
                    return Ok(());
                }
                continue;
            }
            if is_there(DoseRecord::keeps) {
                return Ok(());
            }
            let successor = self.successor(&known).await?;
            let mut writes = Vec::new();
            let certificate_id = match (&successor, asking) {
                (Some((before, waiting)), _) => {
                    let promoted = before.reissued(&self.keys)?;
                    let next = known.next(promoted.pk.clone(), waiting.clone());
                    writes.push(self.putting(&known, &next)?);
                    let item = to_item(&promoted.pk, doses::SK, &promoted)?;
                    writes.push(self.table.putting_at(before.revision, item)?);
                    promoted.certificate_id
                }
                (None, Some(asking)) => {
                    writes.push(self.putting(&known, &known.next(asking.pk.clone(), Vec::new()))?);
                    asking.certificate_id.clone()
                }
                (None, None) => {
                    writes.push(self.table.deleting_at(known.revision, claim, SK)?);
                    None
                }
            };
            writes.push(match &dose {
                // Its certificate may come back as long as nobody else has the dose.
                Some(dose) if dose.is_owner_of(claim) => {
                    if successor.is_none() && asking.is_none() {
                        return Ok(());
                    }
                    let evicted = dose.evicted(certificate_id);
                    self.table.putting_at(dose.revision, to_item(event, doses::SK, &evicted)?)?
                }
                Some(dose) => self.table.checking_at(dose.revision, event, doses::SK)?,
                None => self.table.checking(event, doses::SK, "attribute_not_exists(pk)", &[])?,
            });
            if self.table.transact(writes).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many writers of one claim".to_owned()))
    }

    /// The keys of the events that own these claims, by claim.
    pub(crate) async fn owners<'a>(
        &self,
        claims: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, StoreError> {
        let claims: BTreeSet<&str> = claims.into_iter().collect();
        let keys = claims.into_iter().map(|claim| key(claim, SK)).collect();
        let items = self.table.get_all(keys, None).await?;
        let owner = |item| from_item(item, "claim").map(|claim: ClaimRecord| (claim.pk, claim.owner));
        items.into_iter().map(owner).collect()
    }

    /// The oldest duplicate that still waits and is not withdrawn, and the others that wait.
    async fn successor(&self, claim: &ClaimRecord) -> Result<Option<(DoseRecord, Vec<String>)>, StoreError> {
        let mut waiting = Vec::new();
        let mut events = claim.waiting.iter();
        for event in events.by_ref() {
            let Some(dose) =
                doses::of_event(&self.table, event).await?.filter(|dose| dose.waits_for(&claim.pk))
            else {
                continue;
            };
            if dose.withdrawn.is_none() {
                waiting.extend(events.cloned());
                return Ok(Some((dose, waiting)));
            }
            waiting.push(event.clone());
        }
        Ok(None)
    }

    /// Makes an event a duplicate; `false` where claim or dose were changed meanwhile.
    async fn demote(
        &self,
        claim: &ClaimRecord,
        dose: &DoseRecord,
        next: &DoseRecord,
    ) -> Result<bool, StoreError> {
        let item = to_item(&next.pk, doses::SK, next)?;
        let mut writes = vec![self.table.putting_at(dose.revision, item)?];
        writes.push(if claim.waiting.contains(&dose.pk) {
            // Written all the same, so that a release that would take it off the list at this moment fails.
            self.putting(claim, &claim.next(claim.owner.clone(), claim.waiting.clone()))?
        } else if claim.waiting.len() < MOST_WAITING {
            let waiting = claim.waiting.iter().chain([&dose.pk]).cloned().collect();
            self.putting(claim, &claim.next(claim.owner.clone(), waiting))?
        } else {
            self.table.checking_at(claim.revision, &claim.pk, SK)?
        });
        self.table.transact(writes).await
    }

    fn putting(&self, before: &ClaimRecord, next: &ClaimRecord) -> Result<TransactWriteItem, StoreError> {
        self.table.putting_at(before.revision, to_item(&next.pk, SK, next)?)
    }

    async fn put(&self, before: &ClaimRecord, next: &ClaimRecord) -> Result<bool, StoreError> {
        let written = self.table.put_at(before.revision, to_item(&next.pk, SK, next)?).await?;
        Ok(matches!(written, Written::Done))
    }
}

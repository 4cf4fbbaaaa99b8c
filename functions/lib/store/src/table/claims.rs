//! Acquires, confirms and releases [claims](ClaimRecord), which determine the event that owns a
//! dose.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_records::{ClaimRecord, DoseKey, DoseRecord, EventKey, ItemKey, Keys, Release};
use jiff::Timestamp;

use super::doses;
use crate::table::{MAX_RACES, Table, Written, from_item, key, to_item};
use crate::{Aws, StoreError};

/// The writes to a claim when an event is withdrawn or reinstated. If the claim does not exist, the
/// event takes it. If another event owns the claim, that event is withdrawn or reinstated as well.
pub(crate) async fn withdrawing(
    table: &Table,
    claim: &DoseKey,
    event: &EventKey,
    withdrawn_at: Option<Timestamp>,
) -> Result<Vec<TransactWriteItem>, StoreError> {
    let Some(known) = of_key(table, claim).await? else {
        let item = to_item(&ItemKey::claim(claim), &ClaimRecord::first(claim, event))?;
        return Ok(vec![table.putting(item, "attribute_not_exists(pk)", &[])?]);
    };
    let mut writes = vec![table.checking_at(known.revision, &ItemKey::claim(claim))?];
    if known.owner != *event
        && let Some(owner) = doses::of_event(table, &known.owner).await?
        && let Some(next) = known.withdrawn_owner(&owner, withdrawn_at)
    {
        writes.push(doses::replacing(table, &owner, &next)?);
    }
    Ok(writes)
}

/// Whether a withdrawn event keeps this claim, so that no other event gets a certificate for the
/// dose.
pub(crate) async fn is_withdrawn(table: &Table, claim: &DoseKey) -> Result<bool, StoreError> {
    let Some(known) = of_key(table, claim).await? else { return Ok(false) };
    let owner = doses::of_event(table, &known.owner).await?;
    Ok(owner.is_some_and(|owner| known.is_withdrawn_with(&owner)))
}

/// Whether an event waits for this claim.
pub(crate) async fn is_waiting(table: &Table, claim: &DoseKey, event: &EventKey) -> Result<bool, StoreError> {
    Ok(of_key(table, claim).await?.is_some_and(|known| known.is_waiting(event)))
}

async fn of_key(table: &Table, claim: &DoseKey) -> Result<Option<ClaimRecord>, StoreError> {
    table.get(&ItemKey::claim(claim)).await?.map(|item| from_item(item, "claim")).transpose()
}

/// Acquires, confirms and releases claims.
#[derive(Clone)]
pub struct Claims {
    table: Table,
    keys: Keys,
}

impl Claims {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Acquires the claim of a complete dose. Returns the current record of the event, which may
    /// have become a duplicate.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the claim may not have been acquired; `issue` acquires it later.
    pub async fn acquire(&self, dose: DoseRecord) -> Result<DoseRecord, StoreError> {
        let mut dose = dose;
        for _ in 0..MAX_RACES {
            let Some(claim) = dose.claim.clone().filter(|claim| dose.holds(claim)) else { return Ok(dose) };
            // A withdrawn dose gets no certificate, so it must not take further claims from other
            // events.
            if dose.withdrawn.is_some() {
                return Ok(dose);
            }
            let item = to_item(&ItemKey::claim(&claim), &ClaimRecord::first(&claim, &dose.pk))?;
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

    /// Ensures that the claim of a dose is decided before a certificate is issued: acquires the
    /// claim unless the event already owns it. Returns the current record. Costs one read if the
    /// event owns the claim.
    pub async fn confirm(&self, dose: DoseRecord) -> Result<DoseRecord, StoreError> {
        let Some(claim) = dose.claim.as_ref().filter(|claim| dose.holds(claim)) else { return Ok(dose) };
        match of_key(&self.table, claim).await? {
            Some(known) if known.owner == dose.pk => Ok(dose),
            _ => self.acquire(dose).await,
        }
    }

    /// Releases the claim of an event that no longer holds it or waits for it. If the event owned
    /// the claim, the oldest duplicate becomes the owner. Idempotent; does nothing if the event
    /// still holds the claim.
    pub async fn release(&self, claim: &DoseKey, event: &EventKey) -> Result<(), StoreError> {
        self.release_for(claim, event, None).await
    }

    /// Like [`Claims::release`], for an event that is acquiring the claim: `contender` reports the
    /// same dose and is not in the claim's waiting list yet.
    async fn release_for(
        &self,
        claim: &DoseKey,
        event: &EventKey,
        contender: Option<&DoseRecord>,
    ) -> Result<(), StoreError> {
        for _ in 0..MAX_RACES {
            let Some(known) = of_key(&self.table, claim).await? else { return Ok(()) };
            let dose = doses::of_event(&self.table, event).await?;
            let is_done = match known.release(event, dose.as_ref()) {
                Release::Nothing => true,
                Release::Leave(next) => {
                    let written =
                        self.table.put_at(known.revision, to_item(&ItemKey::claim(claim), &next)?).await?;
                    matches!(written, Written::Done)
                }
                Release::HandOver => self.hand_over(&known, event, dose.as_ref(), contender).await?,
            };
            if is_done {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many writers of one claim".to_owned()))
    }

    /// Hands over the claim that this event owns; `false` if a record was changed concurrently.
    async fn hand_over(
        &self,
        known: &ClaimRecord,
        event: &EventKey,
        dose: Option<&DoseRecord>,
        contender: Option<&DoseRecord>,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let successor = self.successor(known).await?;
        let next = successor.as_ref().map(|(dose, waiting)| (dose, waiting.clone()));
        let Some(handover) = known.handed_over(dose, next, contender, &self.keys)? else { return Ok(true) };
        let mut writes = vec![match &handover.claim {
            Some(next) => self.putting(known, next)?,
            None => table.deleting_at(known.revision, &ItemKey::claim(&known.pk))?,
        }];
        if let (Some((before, _)), Some(promoted)) = (&successor, &handover.promoted) {
            writes.push(doses::replacing(table, before, promoted)?);
        }
        writes.push(match (dose, &handover.evicted) {
            (Some(dose), Some(evicted)) => doses::replacing(table, dose, evicted)?,
            (Some(dose), None) => table.checking_at(dose.revision, &ItemKey::dose(event))?,
            (None, _) => table.checking(&ItemKey::dose(event), "attribute_not_exists(pk)", &[])?,
        });
        table.transact(writes).await
    }

    /// The keys of the events that own these claims, by claim.
    pub(crate) async fn owners<'a>(
        &self,
        claims: impl IntoIterator<Item = &'a DoseKey>,
    ) -> Result<HashMap<DoseKey, EventKey>, StoreError> {
        let claims: BTreeSet<&DoseKey> = claims.into_iter().collect();
        let keys = claims.into_iter().map(|claim| key(&ItemKey::claim(claim))).collect();
        let items = self.table.get_all(keys, None).await?;
        let owner = |item| from_item(item, "claim").map(|claim: ClaimRecord| (claim.pk, claim.owner));
        items.into_iter().map(owner).collect()
    }

    /// The oldest duplicate that still waits and is not withdrawn, with the other waiting events.
    async fn successor(
        &self,
        claim: &ClaimRecord,
    ) -> Result<Option<(DoseRecord, Vec<EventKey>)>, StoreError> {
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

    /// Makes an event a duplicate; `false` if the claim or the dose was changed concurrently.
    async fn demote(
        &self,
        claim: &ClaimRecord,
        dose: &DoseRecord,
        next: &DoseRecord,
    ) -> Result<bool, StoreError> {
        let waiting = match claim.with_waiting(&dose.pk) {
            Some(next) => self.putting(claim, &next)?,
            None => self.table.checking_at(claim.revision, &ItemKey::claim(&claim.pk))?,
        };
        self.table.transact(vec![doses::replacing(&self.table, dose, next)?, waiting]).await
    }

    fn putting(&self, before: &ClaimRecord, next: &ClaimRecord) -> Result<TransactWriteItem, StoreError> {
        self.table.putting_at(before.revision, to_item(&ItemKey::claim(&next.pk), next)?)
    }
}

//! Which event owns a dose: acquires, confirms and releases [claims](ClaimRecord).

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_records::{ClaimRecord, DoseKey, DoseRecord, EventKey, ItemKey, Keys, Release};
use jiff::Timestamp;

use super::doses;
use crate::table::{RACES, Table, Written, from_item, key, to_item};
use crate::{Aws, StoreError};

/// The writes by which an event that is withdrawn or reinstated keeps a claim: it owns the claim
/// from then on, or where another event does, that one is withdrawn or reinstated as well.
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

/// Whether an event that is withdrawn keeps this claim, so that no other gets a certificate of the
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

    /// Claims the dose of an event that is complete; gives its record as it is then: the owner, or
    /// a duplicate.
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

    /// Whether an event owns the claim of its dose, so that it may have a certificate: gives its
    /// record as it is then. Costs a read where the claim is there.
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

    /// Gives up the claim of an event that does not hold it any more, or waits for it no more: the
    /// oldest duplicate becomes the owner. Does nothing where the event holds the claim, or where
    /// it was given up before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn release(&self, claim: &DoseKey, event: &EventKey) -> Result<(), StoreError> {
        self.release_for(claim, event, None).await
    }

    /// [`Claims::release`], where `asking` is an event that reports the dose too, and waits for nothing yet.
    async fn release_for(
        &self,
        claim: &DoseKey,
        event: &EventKey,
        asking: Option<&DoseRecord>,
    ) -> Result<(), StoreError> {
        for _ in 0..RACES {
            let Some(known) = of_key(&self.table, claim).await? else { return Ok(()) };
            let dose = doses::of_event(&self.table, event).await?;
            let is_done = match known.release(event, dose.as_ref()) {
                Release::Nothing => true,
                Release::Leave(next) => {
                    let written =
                        self.table.put_at(known.revision, to_item(&ItemKey::claim(claim), &next)?).await?;
                    matches!(written, Written::Done)
                }
                Release::HandOver => self.hand_over(&known, event, dose.as_ref(), asking).await?,
            };
            if is_done {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many writers of one claim".to_owned()))
    }

    /// Hands over the claim of its owner, this event; `false` where a record was changed meanwhile.
    async fn hand_over(
        &self,
        known: &ClaimRecord,
        event: &EventKey,
        dose: Option<&DoseRecord>,
        asking: Option<&DoseRecord>,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let successor = self.successor(known).await?;
        let next = successor.as_ref().map(|(dose, waiting)| (dose, waiting.clone()));
        let Some(handover) = known.handed_over(dose, next, asking, &self.keys)? else { return Ok(true) };
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

    /// The oldest duplicate that still waits and is not withdrawn, and the others that wait.
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

    /// Makes an event a duplicate; `false` where claim or dose were changed meanwhile.
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

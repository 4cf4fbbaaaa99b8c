//! Doses: adds rows to the histories of their events, applies corrections, and reads doses.

mod lookup;

use std::pin::pin;

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::{FeedRow, Identity, IdentityData, Origin, Verdict};
use bukti_records::{DoseRecord, EventKey, Incoming, ItemKey, Keys, PersonKey, PhoneKey, Rewrite};
use futures::TryStreamExt;
use jiff::Timestamp;

use crate::table::confirmations::Confirmations;
use crate::table::{MAX_RACES, Table, Written, from_item, to_item};
use crate::{Aws, Claims, StoreError};

/// The dose of the event with this key.
pub(crate) async fn of_event(table: &Table, event: &EventKey) -> Result<Option<DoseRecord>, StoreError> {
    table.get(&ItemKey::dose(event)).await?.map(|item| from_item(item, "dose")).transpose()
}

/// Part of a transaction: writes the next revision of a dose, unless it was changed concurrently.
pub(crate) fn replacing(
    table: &Table,
    record: &DoseRecord,
    next: &DoseRecord,
) -> Result<TransactWriteItem, StoreError> {
    table.putting_at(record.revision, to_item(&ItemKey::dose(&next.pk), next)?)
}

/// Reads and writes doses.
#[derive(Clone)]
pub struct Doses {
    table: Table,
    keys: Keys,
    claims: Claims,
    confirmations: Confirmations,
}

impl Doses {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self {
            table: aws.table(),
            keys: aws.keys.clone(),
            claims: Claims::new(aws),
            confirmations: Confirmations::new(aws),
        }
    }

    /// Adds a row to its event, and returns the event's record. After this returns, the history
    /// contains the row and no duplicate of it, whatever other writes happened concurrently. The
    /// only exception: nothing is added if [another sender](DoseRecord::belongs_to_other_sender)
    /// first reported the event.
    ///
    /// The first row of an event costs one write, and a complete row one more for its
    /// [claim](crate::Claims). `known` is the event's record as the caller knows it. If the record
    /// has changed, the conditional write fails and returns the current record, and the row is then
    /// added to that.
    ///
    /// A held row also costs a read of the person's confirmations. If a confirmation is granted
    /// after this read, `issue`, which reads the table's stream, applies it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row may not have been stored. Retrying is safe.
    pub async fn keep(
        &self,
        known: Option<&DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        let covered = match incoming.held_person() {
            Some(person) => self.confirmations.covered(person).await?,
            None => Vec::new(),
        };
        let confirmed = incoming.confirmed(&covered, &self.keys);
        self.add_row(known.cloned(), confirmed.as_ref().unwrap_or(incoming)).await
    }

    /// Adds a row after the person's confirmations were applied to it.
    async fn add_row(
        &self,
        mut known: Option<DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        for _ in 0..MAX_RACES {
            let Some(next) = DoseRecord::after(known.as_ref(), incoming, &self.keys)? else {
                let known = known.ok_or(StoreError::Corrupt("dose"))?;
                // The row may be a retry of a line whose first attempt died before it acquired the
                // claim.
                return if known.has_row_of(incoming) { self.claims.confirm(known).await } else { Ok(known) };
            };
            let item = to_item(&ItemKey::dose(&next.pk), &next)?;
            let written = match &known {
                None => self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?,
                Some(known) => self.table.put_at(known.revision, item).await?,
            };
            known = match written {
                Written::Done => {
                    let gains_claim = next.gains_claim(known.as_ref());
                    return if gains_claim { self.claims.acquire(next).await } else { Ok(next) };
                }
                Written::Refused(Some(item)) => Some(from_item(item, "dose")?),
                Written::Refused(None) => self.of_event(incoming.event()).await?,
            };
        }
        Err(StoreError::Unavailable("too many writers of one event".to_owned()))
    }

    /// Completes a held dose if the person's identity data are confirmed, so that it gets a
    /// certificate.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the dose may not have been completed. Retrying is safe.
    pub async fn confirm_held(&self, record: DoseRecord) -> Result<(), StoreError> {
        match &record.person {
            Some(person) if record.verdict == Verdict::Held => {
                let covered = self.confirmations.covered(person).await?;
                self.confirm(record, &covered).await
            }
            _ => Ok(()),
        }
    }

    /// Completes all held doses of a person whose identity data are confirmed. Each dose is written
    /// separately, and a retry after an error continues with the remaining doses.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if some doses may not have been completed. Retrying is safe.
    pub async fn confirm_all_held(&self, person: &PersonKey) -> Result<(), StoreError> {
        let covered = self.confirmations.covered(person).await?;
        let mut doses = pin!(self.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            self.confirm(record, &covered).await?;
        }
        Ok(())
    }

    /// The key of a held first dose of a person, registered with this phone (its index key), for
    /// which a certificate is issued once these data are confirmed.
    pub(crate) async fn first_dose_to_issue(
        &self,
        person: &PersonKey,
        data: &IdentityData,
        phone: &PhoneKey,
    ) -> Result<Option<DoseRecord>, StoreError> {
        let mut doses = pin!(self.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            if record.is_first_to_issue(data, phone, &self.keys)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Applies confirmations to a dose; retries if it is changed concurrently.
    async fn confirm(&self, record: DoseRecord, covered: &[String]) -> Result<(), StoreError> {
        let mut record = record;
        if covered.is_empty() {
            return Ok(());
        }
        for _ in 0..MAX_RACES {
            let Some(next) = record.confirmed(covered, &self.keys)? else { return Ok(()) };
            let item = to_item(&ItemKey::dose(&next.pk), &next)?;
            record = match self.table.put_at(record.revision, item).await? {
                // `issue` acquires the claim before it issues the certificate.
                Written::Done => return Ok(()),
                Written::Refused(Some(item)) => from_item(item, "dose")?,
                Written::Refused(None) => match self.of_event(&next.pk).await? {
                    Some(record) => record,
                    None => return Ok(()),
                },
            };
        }
        Err(StoreError::Unavailable("too many writers of one event".to_owned()))
    }

    /// The dose after a correction by the helpdesk, see [`DoseRecord::rewritten`].
    pub(crate) async fn rewritten(
        &self,
        record: Option<&DoseRecord>,
        row: FeedRow,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<Rewrite>, StoreError> {
        let data = IdentityData::of(&row.dose()).filter(|data| !data.contradictions().is_empty());
        let covered = match data {
            Some(data) => self.confirmations.covered(&self.keys.person(&Identity::Nik(data.nik))).await?,
            None => Vec::new(),
        };
        Ok(DoseRecord::rewritten(record, row, origin, now, &covered, &self.keys)?)
    }

    /// Part of a transaction: writes a corrected dose, unless it was changed concurrently. Also
    /// returns the event's key.
    pub(crate) fn writing(
        &self,
        record: Option<&DoseRecord>,
        rewrite: &Rewrite,
    ) -> Result<(EventKey, TransactWriteItem), StoreError> {
        let next = rewrite.record();
        let item = to_item(&ItemKey::dose(&next.pk), next)?;
        let writing = match record {
            None => self.table.putting(item, "attribute_not_exists(pk)", &[])?,
            Some(record) => self.table.putting_at(record.revision, item)?,
        };
        Ok((next.pk.clone(), writing))
    }

    /// Requests that `notify` resend the link to a dose's certificate. Earlier links become
    /// invalid. Call this after charging the SMS to the phone's quota. `false` if the dose was
    /// changed concurrently.
    pub async fn resend(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        self.replace(record, &record.resent()).await
    }

    /// Writes the next revision of a dose; `false` if the dose was changed concurrently.
    async fn replace(&self, record: &DoseRecord, next: &DoseRecord) -> Result<bool, StoreError> {
        let written = self.table.put_at(record.revision, to_item(&ItemKey::dose(&next.pk), next)?).await?;
        Ok(matches!(written, Written::Done))
    }

    /// Requests the SMS of a dose again. It is sent only if it has not been sent yet. `false` if
    /// the dose was changed concurrently.
    pub async fn request_sms_again(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        match record.with_sms_requested_again() {
            Some(next) => self.replace(record, &next).await,
            None => Ok(true),
        }
    }

    /// Makes `issue` and `notify` process a dose again, by a change that creates a stream record.
    /// `false` if the dose was changed concurrently, which creates a stream record too.
    pub async fn redrive(&self, record: &DoseRecord, now: Timestamp) -> Result<bool, StoreError> {
        self.replace(record, &record.redriven(now)).await
    }

    /// Moves a complete dose to a new certificate version, because its certificate shows an
    /// outdated number of doses (then no SMS is sent), or because the dose was reinstated. `false`
    /// if the dose was changed concurrently.
    pub async fn reissue(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        self.replace(record, &record.reissued(&self.keys)?).await
    }

    /// The dose of the event with this key; `None` if no row of the event is stored.
    pub async fn of_event(&self, event: &EventKey) -> Result<Option<DoseRecord>, StoreError> {
        of_event(&self.table, event).await
    }
}

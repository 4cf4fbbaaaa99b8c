//! Doses: keeps rows in the history of their events, and reads them.

mod lookup;

use std::pin::pin;

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::{FeedRow, Identity, IdentityData, Origin, Verdict};
use bukti_records::{DoseRecord, EventKey, Incoming, ItemKey, Keys, PersonKey, PhoneKey, Rewrite};
use futures::TryStreamExt;
use jiff::Timestamp;

use crate::table::confirmations::Confirmations;
use crate::table::{RACES, Table, Written, from_item, n, s, to_item};
use crate::{Aws, Claims, StoreError};

/// The dose of an event's key.
pub(crate) async fn of_event(table: &Table, event: &EventKey) -> Result<Option<DoseRecord>, StoreError> {
    table.get(&ItemKey::dose(event)).await?.map(|item| from_item(item, "dose")).transpose()
}

/// Part of a transaction: writes the next revision of a dose, where it was not changed meanwhile.
pub(crate) fn replacing(
    table: &Table,
    record: &DoseRecord,
    next: &DoseRecord,
) -> Result<TransactWriteItem, StoreError> {
    table.putting_at(record.revision, to_item(&ItemKey::dose(&next.pk), next)?)
}

/// Reads and keeps doses.
#[derive(Clone)]
pub struct Doses {
    table: Table,
    keys: Keys,
    claims: Claims,
    confirmations: Confirmations,
}

impl Doses {
    /// The doses of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            table: aws.table(),
            keys: aws.keys.clone(),
            claims: Claims::new(aws),
            confirmations: Confirmations::new(aws),
        }
    }

    /// Keeps a row, and gives the record of its event. When this returns, the row is in the table,
    /// once, whoever else writes the same event; but where [another](DoseRecord::is_anothers) said
    /// the event, it is not.
    ///
    /// The first row of an event costs one write, and where it is complete another for its
    /// [claim](crate::Claims). `known` is the event's record as far as the caller knows it. The
    /// condition fails where there is another by now, and its answer brings the record that the row
    /// is then added to.
    ///
    /// A row that is held costs a read of the person's confirmations. One that is granted after
    /// this read is applied by whoever reads the table's stream.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the row may then be kept or not, and can be sent again.
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
        self.keep_judged(known.cloned(), confirmed.as_ref().unwrap_or(incoming)).await
    }

    /// Keeps a row that is judged with the person's confirmations.
    async fn keep_judged(
        &self,
        mut known: Option<DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        for _ in 0..RACES {
            let Some(next) = DoseRecord::after(known.as_ref(), incoming, &self.keys)? else {
                let known = known.ok_or(StoreError::Corrupt("dose"))?;
                // The same line of the same job again: the process may have died before the claim.
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

    /// Issues a dose that is held, where the person's data are confirmed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it can be called again.
    pub async fn confirm_held(&self, record: DoseRecord) -> Result<(), StoreError> {
        match &record.person {
            Some(person) if record.verdict == Verdict::Held => {
                let covered = self.confirmations.covered(person).await?;
                self.confirm(record, &covered).await
            }
            _ => Ok(()),
        }
    }

    /// Issues all doses of a person that are held for data that are confirmed. Each dose is a write
    /// of its own: after an error, calling it again does the rest.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some doses may be issued then.
    pub async fn confirm_all_held(&self, person: &PersonKey) -> Result<(), StoreError> {
        let covered = self.confirmations.covered(person).await?;
        let mut doses = pin!(self.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            self.confirm(record, &covered).await?;
        }
        Ok(())
    }

    /// A first dose of a person that is held, was registered with this phone (its index key), and
    /// is issued once these data are confirmed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Applies confirmations to a dose, whoever else writes it meanwhile.
    async fn confirm(&self, record: DoseRecord, covered: &[String]) -> Result<(), StoreError> {
        let mut record = record;
        if covered.is_empty() {
            return Ok(());
        }
        for _ in 0..RACES {
            let Some(next) = record.confirmed(covered, &self.keys)? else { return Ok(()) };
            let item = to_item(&ItemKey::dose(&next.pk), &next)?;
            record = match self.table.put_at(record.revision, item).await? {
                // The claim is acquired before a certificate is issued.
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

    /// The dose after a correction by the helpdesk, which counts from now on: its links are dead,
    /// its certificate is made anew, and its phone is told. `None` where nothing would change.
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

    /// Part of a transaction: writes a dose as a correction leaves it, where it is what it was.
    /// With the event's key.
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

    /// Has the link to a dose's certificate sent once more, by whoever reads the table's stream;
    /// links that were sent before are dead, so the caller has taken the SMS from the phone's
    /// allowance before. `false` where the dose has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn resend(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        self.replace(record, &record.resent()).await
    }

    /// Writes the next revision of a dose; `false` where it was changed concurrently.
    async fn replace(&self, record: &DoseRecord, next: &DoseRecord) -> Result<bool, StoreError> {
        let written = self.table.put_at(record.revision, to_item(&ItemKey::dose(&next.pk), next)?).await?;
        Ok(matches!(written, Written::Done))
    }

    /// Requests the SMS of a dose once more; it is sent unless it was sent before. `false` where the
    /// dose was changed concurrently.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn request_sms_again(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        match record.with_sms_requested_again() {
            Some(next) => self.replace(record, &next).await,
            None => Ok(true),
        }
    }

    /// Has `issue` process a dose again, by a change that creates a stream record. `false` where the
    /// dose was changed concurrently, which creates one too.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn redrive(&self, record: &DoseRecord, now: Timestamp) -> Result<bool, StoreError> {
        let values = [(":now", s(now.to_string())), (":revision", n(record.revision))];
        let update = "SET again_at = :now";
        Ok(self
            .table
            .update_if(&ItemKey::dose(&record.pk), update, "revision = :revision", &values)
            .await?
            .is_some())
    }

    /// Has the certificate of a dose that is complete issued anew: since what it says of other
    /// doses is no longer right, where its holder is not told again, or since the dose was
    /// reinstated. `false` where the dose has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reissue(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        self.replace(record, &record.reissued(&self.keys)?).await
    }

    /// The dose of an event's key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_event(&self, event: &EventKey) -> Result<Option<DoseRecord>, StoreError> {
        of_event(&self.table, event).await
    }
}

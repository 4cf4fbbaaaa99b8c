//! Quick download: who asked for a link to a certificate without an account, and for whom that is locked.
//!
//! Whoever asks is answered before anybody looks whether the facts are right: a request is one
//! write, the same for every number. Who reads the table's stream compares the facts, and sends the
//! link to the registered phone. Only there requests are counted, those that fit: whoever knows a
//! number alone uses up nothing of its owner's.

use bukti_domain::Identity;
use bukti_records::{
    Admission, AdmittedRecord, DownloadFacts, DownloadKey, DownloadRecord, ItemKey, Keys, PersonKey,
};
use jiff::Timestamp;

use crate::table::{Table, Written, from_item, n, s, to_item};
use crate::{Aws, StoreError};

fn lock_of(person: &PersonKey) -> ItemKey {
    ItemKey::lock(&DownloadKey::of(person))
}

/// Keeps requests for quick downloads, and for whom that is locked.
#[derive(Clone)]
pub struct Downloads {
    table: Table,
    keys: Keys,
}

impl Downloads {
    /// How long until a person gets another link, in seconds.
    pub const RESEND_AFTER: u32 = DownloadRecord::RESEND_AFTER;

    /// The quick downloads of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Keeps a request. Nothing of it depends on whether anybody has this number. Whoever reads the
    /// table's stream gets each request, also one that another has replaced since.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn ask(
        &self,
        identity: &Identity,
        facts: &DownloadFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = DownloadRecord::new(&self.keys.person(identity), facts, &self.keys, now)?;
        self.table.put(to_item(&ItemKey::download(&record.pk), &record)?).await
    }

    /// Decides whether a request whose facts fit gets a link: one in five minutes and three a day
    /// for a person, by when they were sent. The same request is admitted again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn admit(&self, request: &DownloadRecord) -> Result<bool, StoreError> {
        let last = self.table.get(&ItemKey::admitted(&request.pk)).await?;
        let last: Option<AdmittedRecord> =
            last.map(|item| from_item(item, "admitted request")).transpose()?;
        let admitted = match request.admission(last.as_ref()) {
            Admission::Before => return Ok(true),
            Admission::Refused => return Ok(false),
            Admission::New(record) => to_item(&ItemKey::admitted(&request.pk), &record)?,
        };
        // Of those who come at the same moment, one is let through.
        let written = match last {
            None => self.table.put_if(admitted, "attribute_not_exists(pk)", &[]).await?,
            Some(last) => {
                let values = [(":sent_at", n(last.count.sent_at))];
                self.table.put_if(admitted, "sent_at = :sent_at", &values).await?
            }
        };
        Ok(matches!(written, Written::Done))
    }

    /// Forgets what was said in a request, unless another has come since.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget(&self, request: &DownloadRecord) -> Result<(), StoreError> {
        let values = [(":sent_at", n(request.sent_at))];
        self.table
            .update_if(
                &ItemKey::download(&request.pk),
                "REMOVE facts, sms_request",
                "sent_at = :sent_at",
                &values,
            )
            .await?;
        Ok(())
    }

    /// Locks quick download for the person of this index key: requests are taken as before, and get no SMS. Only
    /// somebody who has spoken with the person unlocks it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn lock(&self, person: &PersonKey, now: Timestamp) -> Result<(), StoreError> {
        let values = [(":now", s(now.to_string()))];
        let (update, condition) = ("SET locked_at = :now", "attribute_not_exists(pk)");
        self.table.update_if(&lock_of(person), update, condition, &values).await?;
        Ok(())
    }

    /// Unlocks quick download for the person of this index key; `false` where it was not locked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn unlock(&self, person: &PersonKey) -> Result<bool, StoreError> {
        let was_locked = self.is_locked(person).await?;
        self.table.delete(&lock_of(person)).await?;
        Ok(was_locked)
    }

    /// Whether quick download is locked for the person of this index key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_locked(&self, person: &PersonKey) -> Result<bool, StoreError> {
        Ok(self.table.get(&lock_of(person)).await?.is_some())
    }
}

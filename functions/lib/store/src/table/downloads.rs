//! Requests for quick downloads, and locks that disable the quick download of a person.
//!
//! The response does not depend on whether the facts are correct: every request is one write, for
//! any identity number. `notify`, which reads the table's stream, compares the facts and sends the
//! link to the phone on record. Only requests with matching facts count towards the rate limit, so
//! that a stranger who knows just the identity number cannot exhaust its holder's quota.

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

/// Stores requests for quick downloads, and the locks.
#[derive(Clone)]
pub struct Downloads {
    table: Table,
    keys: Keys,
}

impl Downloads {
    /// The minimum interval between two links for one person, in seconds.
    pub const RESEND_AFTER: u32 = DownloadRecord::RESEND_AFTER;

    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Stores a request. Its effects do not depend on whether the identity number has records. The
    /// table's stream delivers every request, even if a later request has replaced it in the table.
    pub async fn ask(
        &self,
        identity: &Identity,
        facts: &DownloadFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = DownloadRecord::new(&self.keys.person(identity), facts, &self.keys, now)?;
        self.table.put(to_item(&ItemKey::download(&record.pk), &record)?).await
    }

    /// Applies the rate limit to a request whose facts match: one link in five minutes and three a
    /// day per person, by the time of the request. Idempotent: a request that was admitted is
    /// admitted again.
    pub async fn admit(&self, request: &DownloadRecord) -> Result<bool, StoreError> {
        let last = self.table.get(&ItemKey::admitted(&request.pk)).await?;
        let last: Option<AdmittedRecord> =
            last.map(|item| from_item(item, "admitted request")).transpose()?;
        let admitted = match request.admission(last.as_ref()) {
            Admission::Before => return Ok(true),
            Admission::Refused => return Ok(false),
            Admission::New(record) => to_item(&ItemKey::admitted(&request.pk), &record)?,
        };
        // The condition admits only one of several concurrent requests.
        let written = match last {
            None => self.table.put_if(admitted, "attribute_not_exists(pk)", &[]).await?,
            Some(last) => {
                let values = [(":sent_at", n(last.count.sent_at))];
                self.table.put_if(admitted, "sent_at = :sent_at", &values).await?
            }
        };
        Ok(matches!(written, Written::Done))
    }

    /// Deletes the facts of a request, unless a later request has replaced it.
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

    /// Locks the quick download of the person with this index key: requests are accepted as usual,
    /// but no SMS is sent. Only an officer who has spoken with the person may unlock it.
    pub async fn lock(&self, person: &PersonKey, now: Timestamp) -> Result<(), StoreError> {
        let values = [(":now", s(now.to_string()))];
        let (update, condition) = ("SET locked_at = :now", "attribute_not_exists(pk)");
        self.table.update_if(&lock_of(person), update, condition, &values).await?;
        Ok(())
    }

    /// Unlocks the quick download of the person with this index key; `false` if it was not locked.
    pub async fn unlock(&self, person: &PersonKey) -> Result<bool, StoreError> {
        let was_locked = self.is_locked(person).await?;
        self.table.delete(&lock_of(person)).await?;
        Ok(was_locked)
    }

    /// Whether the quick download of the person with this index key is locked.
    pub async fn is_locked(&self, person: &PersonKey) -> Result<bool, StoreError> {
        Ok(self.table.get(&lock_of(person)).await?.is_some())
    }
}

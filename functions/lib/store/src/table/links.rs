//! Links in SMS. The token in a link, together with the birth date, opens one certificate.

use bukti_records::{DoseRecord, ItemKey, Keys, LinkAttempt, LinkKey, LinkRecord, PersonKey, Token};
use jiff::Timestamp;

use crate::table::{Table, from_item, n, s, to_item, to_value};
use crate::{Aws, StoreError};

/// Creates, opens, locks and refuses links.
#[derive(Clone)]
pub struct Links {
    table: Table,
}

impl Links {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Stores a link for the dose's current phone, unless it exists. `download_of` is the index key
    /// of the person whose quick download was requested; `None` for other links.
    pub async fn make(
        &self,
        token: &Token,
        dose: &DoseRecord,
        download_of: Option<&PersonKey>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = LinkRecord::new(token, dose, download_of, now);
        self.table
            .put_if(to_item(&ItemKey::link(&record.pk), &record)?, "attribute_not_exists(pk)", &[])
            .await?;
        Ok(())
    }

    /// Counts an attempt to open a link. Compare the birth date only after
    /// [`LinkAttempt::Counted`], so that concurrent attempts cannot try more than five wrong birth
    /// dates.
    pub async fn count_try(&self, token: &str, now: Timestamp) -> Result<LinkAttempt, StoreError> {
        let key = Keys::link(token);
        let counted = self.table.count_down(&ItemKey::link(&key), "expires_at", now).await?;
        if let Some(item) = counted {
            return Ok(LinkAttempt::Counted(from_item(item, "link")?));
        }
        Ok(LinkRecord::uncounted(self.of_key(&key).await?, now))
    }

    /// Locks a link after its last attempt failed, and requests the SMS that notifies the phone
    /// that received the link. Idempotent.
    pub async fn lock(&self, link: &LinkRecord, now: Timestamp) -> Result<(), StoreError> {
        let condition =
            "tries_left = :zero AND attribute_not_exists(locked_at) AND attribute_not_exists(refused_at)";
        let request = to_value(&LinkRecord::locked_sms(now))?;
        let values = [(":zero", n(0)), (":now", s(now.to_string())), (":request", request)];
        let update = "SET locked_at = :now, sms_request = :request";
        self.table.update_if(&ItemKey::link(&link.pk), update, condition, &values).await?;
        Ok(())
    }

    /// Restores the attempts after a correct birth date, so that only consecutive wrong ones lock
    /// the link. `false` if the link was refused after the attempt was counted.
    pub async fn opened(&self, link: &LinkRecord, now: Timestamp) -> Result<bool, StoreError> {
        let condition = "attribute_exists(pk) AND attribute_not_exists(refused_at)";
        let update = "SET tries_left = :all, opened_at = if_not_exists(opened_at, :now)";
        let values = [(":all", n(LinkRecord::TRIES)), (":now", s(now.to_string()))];
        Ok(self.table.update_if(&ItemKey::link(&link.pk), update, condition, &values).await?.is_some())
    }

    /// The link with this key, which [`Notifications::of_dose`](crate::Notifications::of_dose)
    /// returns.
    pub async fn of_key(&self, link: &LinkKey) -> Result<Option<LinkRecord>, StoreError> {
        self.table.get(&ItemKey::link(link)).await?.map(|item| from_item(item, "link")).transpose()
    }

    /// Invalidates a link whose recipient answered "this was not me", even if it is locked.
    /// Idempotent. `None` if the link is unknown or has expired.
    pub async fn refuse(&self, token: &str, now: Timestamp) -> Result<Option<LinkRecord>, StoreError> {
        let values = [(":zero", n(0)), (":at", s(now.to_string())), (":now", n(now.as_second()))];
        let update = "SET tries_left = :zero, refused_at = if_not_exists(refused_at, :at)";
        let refused = self
            .table
            .update_if(&ItemKey::link(&Keys::link(token)), update, "expires_at > :now", &values)
            .await?;
        refused.map(|item| from_item(item, "link")).transpose()
    }
}

//! The links of the SMS: a token that opens one certificate, for who knows the birth date.

use bukti_records::{DoseRecord, ItemKey, Keys, LinkKey, LinkRecord, LinkTry, PersonKey, Token};
use jiff::Timestamp;

use crate::table::{Table, from_item, n, s, to_item, to_value};
use crate::{Aws, StoreError};

/// Makes and opens links.
#[derive(Clone)]
pub struct Links {
    table: Table,
}

impl Links {
    /// The links of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Keeps a link for the phone that the dose has now, unless it is there already. `download_of` is the index key of the
    /// person for whom it was asked by quick download.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Counts a try. Only what this lets through may compare a birth date, so however many come at once, no more than
    /// five wrong ones are ever compared.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count_try(&self, token: &str, now: Timestamp) -> Result<LinkTry, StoreError> {
        let key = Keys::link(token);
        let counted = self.table.count_down(&ItemKey::link(&key), "expires_at", now).await?;
        if let Some(item) = counted {
            return Ok(LinkTry::Counted(from_item(item, "link")?));
        }
        Ok(LinkRecord::uncounted(self.of_key(&key).await?, now))
    }

    /// Records that the last attempt failed, and requests the SMS to the link's owner, once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn lock(&self, link: &LinkRecord, now: Timestamp) -> Result<(), StoreError> {
        let condition =
            "tries_left = :zero AND attribute_not_exists(locked_at) AND attribute_not_exists(refused_at)";
        let request = to_value(&LinkRecord::locked_sms(now))?;
        let values = [(":zero", n(0)), (":now", s(now.to_string())), (":request", request)];
        let update = "SET locked_at = :now, sms_request = :request";
        self.table.update_if(&ItemKey::link(&link.pk), update, condition, &values).await?;
        Ok(())
    }

    /// Gives the tries back after a right birth date: only wrong ones in a row lock. `false` where the link was refused
    /// since the try was counted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn opened(&self, link: &LinkRecord, now: Timestamp) -> Result<bool, StoreError> {
        let condition = "attribute_exists(pk) AND attribute_not_exists(refused_at)";
        let update = "SET tries_left = :all, opened_at = if_not_exists(opened_at, :now)";
        let values = [(":all", n(LinkRecord::TRIES)), (":now", s(now.to_string()))];
        Ok(self.table.update_if(&ItemKey::link(&link.pk), update, condition, &values).await?.is_some())
    }

    /// The link of a key, as [`Notifications::of_dose`](crate::Notifications::of_dose) names it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_key(&self, link: &LinkKey) -> Result<Option<LinkRecord>, StoreError> {
        self.table.get(&ItemKey::link(link)).await?.map(|item| from_item(item, "link")).transpose()
    }

    /// Kills a link whose receiver says "this was not me", also one that is locked. Saying it again changes nothing. `None`
    /// where it is unknown or expired.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

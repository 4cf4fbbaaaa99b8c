//! Records of sent SMS, which prevent duplicates.
//!
//! An SMS is sent twice only if a process dies after the SMS service accepts it and before this is
//! recorded. The claim stores the link's token, so that the next attempt sends an identical text
//! with an identical idempotency key, by which an SMS service may deduplicate it.

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_records::{Claimed, EventKey, Keys, LinkKey, NotificationRecord, Occasion, Partition, Sent, Token};
use jiff::Timestamp;
use serde_bytes::ByteBuf;

use crate::table::{Table, Written, from_item, n, to_item};
use crate::{Aws, StoreError};

/// The maximum number of SMS that are read for a dose.
const MAX_SMS: usize = 100;

/// The outcome of claiming an SMS.
pub enum Claim {
    /// The caller has the lease, and has to send the SMS with this token in its link.
    Ours {
        /// The token that the first claim generated.
        token: Token,
        /// The idempotency key of the message.
        name: String,
    },
    /// The SMS has already been sent.
    Sent,
    /// Another process has the lease, and may have died while sending: retry later.
    Theirs,
}

/// An SMS about a dose, as the helpdesk sees it.
#[derive(Clone, Debug)]
pub struct DoseSms {
    /// When the first attempt to send it began.
    pub begun_at: Timestamp,
    /// When the SMS service accepted it; `None` if it has not.
    pub accepted_at: Option<Timestamp>,
    /// The key of the link in the SMS; `None` until the SMS is accepted.
    pub link: Option<LinkKey>,
}

/// Claims SMS, and records which SMS were sent.
#[derive(Clone)]
pub struct Notifications {
    table: Table,
    keys: Keys,
}

impl Notifications {
    /// The duration of a lease in seconds. A process that has not recorded the SMS by then is
    /// assumed to have died.
    pub const LEASE_SECONDS: i64 = NotificationRecord::LEASE_SECONDS;

    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Claims the SMS of an occasion, so that only one process sends it.
    pub async fn claim(&self, occasion: &Occasion, now: Timestamp) -> Result<Claim, StoreError> {
        let name = occasion.name();
        let token = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let sealed = self.keys.seal(&name, &token, now).map(ByteBuf::from);
        let record = NotificationRecord::first(occasion, sealed, now);
        let known = match self.put(occasion, &record, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => return Ok(Claim::Ours { token, name }),
            Written::Refused(None) => return Ok(Claim::Theirs),
            Written::Refused(Some(item)) => from_item::<NotificationRecord>(item, "notification")?,
        };
        let record = match record.claimed(&known, now) {
            Claimed::Sent => return Ok(Claim::Sent),
            Claimed::Own => return Ok(Claim::Ours { token, name }),
            Claimed::Leased => return Ok(Claim::Theirs),
            Claimed::TakenOver(record) => record,
        };
        let condition = "attribute_not_exists(sent) AND lease_until = :before";
        match self.put(occasion, &record, condition, &[(":before", n(known.lease_until))]).await? {
            Written::Refused(_) => Ok(Claim::Theirs),
            Written::Done => {
                let sealed = record.token.ok_or(StoreError::Corrupt("notification"))?;
                Ok(Claim::Ours { token: self.keys.open(&name, &sealed)?, name })
            }
        }
    }

    /// Records that the SMS service has accepted the SMS.
    pub async fn sent(
        &self,
        occasion: &Occasion,
        token: &Token,
        message_id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sent =
            Some(Sent { at: now, message_id: message_id.to_owned(), link: Some(Keys::link(token.secret())) });
        let expires_at = occasion.expires_at;
        let record = NotificationRecord { lease_until: 0, claimed_at: now, token: None, sent, expires_at };
        self.put(occasion, &record, "attribute_exists(pk)", &[]).await?;
        Ok(())
    }

    /// Releases the claim after the SMS service rejected the SMS, so that the next attempt does not
    /// have to wait until the lease expires.
    pub async fn give_back(&self, occasion: &Occasion) -> Result<(), StoreError> {
        let (update, condition) =
            ("SET lease_until = :zero", "attribute_exists(pk) AND attribute_not_exists(sent)");
        self.table.update_if(&occasion.key, update, condition, &[(":zero", n(0))]).await?;
        Ok(())
    }

    /// Whether the SMS of an occasion was sent.
    pub async fn is_sent(&self, occasion: &Occasion) -> Result<bool, StoreError> {
        let item = self.table.get(&occasion.key).await?;
        let record = item.map(|item| from_item::<NotificationRecord>(item, "notification")).transpose()?;
        Ok(record.is_some_and(|record| record.sent.is_some()))
    }

    /// The SMS to the current and all earlier phones of a dose, oldest first; at most one hundred.
    pub async fn of_dose(&self, event: &EventKey) -> Result<Vec<DoseSms>, StoreError> {
        let mut all = Vec::new();
        for item in self.table.partition_first(&Partition::sms(event), MAX_SMS).await?.items {
            let record: NotificationRecord = from_item(item, "notification")?;
            all.push(DoseSms {
                begun_at: record.claimed_at,
                accepted_at: record.sent.as_ref().map(|sent| sent.at),
                link: record.sent.and_then(|sent| sent.link),
            });
        }
        Ok(all)
    }

    async fn put(
        &self,
        occasion: &Occasion,
        record: &NotificationRecord,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Written, StoreError> {
        let item = to_item(&occasion.key, record)?;
        self.table.put_if(item, condition, values).await
    }
}

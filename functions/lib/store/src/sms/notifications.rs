//! Which SMS were sent, so that none is sent twice.
//!
//! An SMS can go out twice only where a process dies between the SMS service's answer and the record of it. The claim keeps
//! the link's token, so that whoever goes on says the same again, under the same name, by which an SMS service that can
//! will leave the second out.

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_records::{Claimed, EventKey, Keys, LinkKey, NotificationRecord, Occasion, Partition, Sent, Token};
use jiff::Timestamp;
use serde_bytes::ByteBuf;

use crate::table::{Table, Written, from_item, n, to_item};
use crate::{Aws, StoreError};

/// The most SMS of a dose that are read.
const MOST_SMS: usize = 100;

/// What became of a claim.
pub enum Claim {
    /// It is the caller's to send, with this token in its link.
    Ours {
        /// Of whoever claimed it first.
        token: Token,
        /// The message's name, the same at each try.
        name: String,
    },
    /// It was sent.
    Sent,
    /// Another is sending it now, or died while sending: come again later.
    Theirs,
}

/// An SMS about a dose, as the helpdesk sees it.
#[derive(Clone, Debug)]
pub struct DoseSms {
    /// When somebody began to send it.
    pub begun_at: Timestamp,
    /// When the SMS service took it; none where it has not.
    pub accepted_at: Option<Timestamp>,
    /// The key of its link.
    pub link: Option<LinkKey>,
}

/// Claims and records the SMS that go out once.
#[derive(Clone)]
pub struct Notifications {
    table: Table,
    keys: Keys,
}

impl Notifications {
    /// How long a claim holds, in seconds. After so long its process is taken to have died.
    pub const LEASE_SECONDS: i64 = NotificationRecord::LEASE_SECONDS;

    /// The notifications of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Claims the SMS of an occasion.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Records that the SMS was accepted by the SMS service.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Gives a claim back after the SMS service refused, so that the next try need not wait for the lease to end.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back(&self, occasion: &Occasion) -> Result<(), StoreError> {
        let (update, condition) =
            ("SET lease_until = :zero", "attribute_exists(pk) AND attribute_not_exists(sent)");
        self.table.update_if(&occasion.key, update, condition, &[(":zero", n(0))]).await?;
        Ok(())
    }

    /// Whether the SMS of an occasion was sent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_sent(&self, occasion: &Occasion) -> Result<bool, StoreError> {
        let item = self.table.get(&occasion.key).await?;
        let record = item.map(|item| from_item::<NotificationRecord>(item, "notification")).transpose()?;
        Ok(record.is_some_and(|record| record.sent.is_some()))
    }

    /// The SMS to the phones that a dose had, oldest first; at most a hundred.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_dose(&self, event: &EventKey) -> Result<Vec<DoseSms>, StoreError> {
        let mut all = Vec::new();
        for item in self.table.partition_first(&Partition::sms(event), MOST_SMS).await?.items {
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

//! Which SMS were sent, so that none is sent twice.
//!
//! ```text
//!  (none) ──claim──► sending, leased ──sent──► sent
//!                      │      ▲
//!                      └──────┘ lease over: its process died; whoever comes next claims it
//! ```
//!
//! An SMS can go out twice only where a process dies between the SMS service's answer and the record of it.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, Written, from_item, n, to_item};
use crate::{Aws, DoseRecord, StoreError};

/// How long one sender has for one SMS. Longer than the time-outs of all calls that it makes.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's to send.
    Ours,
    /// It was sent.
    Sent,
    /// Another is sending it now, or died while sending: come again later.
    Theirs,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotificationRecord {
    /// Until when the sender has it, Unix milliseconds.
    lease_until: i64,
    claimed_at: Timestamp,
    /// When the SMS service accepted it, and under which id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    at: Timestamp,
    message_id: String,
}

/// Claims and records the first-dose SMS.
#[derive(Clone)]
pub struct Notifications {
    table: Table,
}

fn sort_key(phone_version: u32) -> String {
    format!("SMS#{phone_version:05}")
}

impl Notifications {
    /// The notifications of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Claims the first-dose SMS to the phone that the dose has now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn claim(&self, dose: &DoseRecord, now: Timestamp) -> Result<Claim, StoreError> {
        let lease_until = (now + LEASE).as_millisecond();
        let record = NotificationRecord { lease_until, claimed_at: now, sent: None };
        let condition = "attribute_not_exists(pk) OR (attribute_not_exists(sent) AND lease_until < :now)";
        match self.put(dose, &record, condition, &[(":now", n(now.as_millisecond()))]).await? {
            Written::Done => Ok(Claim::Ours),
            Written::Refused(Some(item)) => {
                let known: NotificationRecord = from_item(item, "notification")?;
                Ok(if known.sent.is_some() { Claim::Sent } else { Claim::Theirs })
            }
            Written::Refused(None) => Ok(Claim::Theirs),
        }
    }

    /// Records that the SMS was accepted by the SMS service.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn sent(&self, dose: &DoseRecord, message_id: &str, now: Timestamp) -> Result<(), StoreError> {
        let sent = Some(Sent { at: now, message_id: message_id.to_owned() });
        let record = NotificationRecord { lease_until: 0, claimed_at: now, sent };
        self.put(dose, &record, "attribute_exists(pk)", &[]).await?;
        Ok(())
    }

    /// Gives a claim back after the SMS service refused, so that the next try need not wait for the lease to end.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back(&self, dose: &DoseRecord, now: Timestamp) -> Result<(), StoreError> {
        let record = NotificationRecord { lease_until: 0, claimed_at: now, sent: None };
        self.put(dose, &record, "attribute_not_exists(sent)", &[]).await?;
        Ok(())
    }

    async fn put(
        &self,
        dose: &DoseRecord,
        record: &NotificationRecord,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Written, StoreError> {
        let item = to_item(&dose.pk, &sort_key(dose.phone_version), record)?;
        self.table.put_if(item, condition, values).await
    }
}

//! Which SMS were sent, so that none is sent twice.
//!
//! ```text
//!  (none) ──claim──► sending, leased ──sent──► sent
//!                      │      ▲
//!                      └──────┘ lease over: its process died; whoever comes next claims it
//! ```
//!
//! An SMS can go out twice only where a process dies between the SMS service's answer and the record of it. The claim keeps
//! the link's token, so that whoever goes on says the same again, under the same name, by which an SMS service that can
//! will leave the second out.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::links::link_key;
use crate::table::{Table, Written, from_item, n, to_item};
use crate::{Aws, CaseRecord, DoseRecord, DownloadRecord, Keys, LinkRecord, StoreError, Token};

/// The most SMS of a dose that are read.
const MOST_SMS: usize = 100;

/// How long one sender has for one SMS. Longer than the time-outs of all calls that it makes.
const LEASE: SignedDuration = SignedDuration::from_secs(Notifications::LEASE_SECONDS);

/// How long after a request has ended its claim is kept. Streams keep what they bring for a day.
const CLAIM_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// What an SMS is sent for. For each of them one goes out at most.
#[derive(Clone, Debug)]
pub struct Occasion {
    pk: String,
    sk: String,
    expires_at: Option<i64>,
}

impl Occasion {
    /// A dose with the phone that it has now.
    pub fn dose(dose: &DoseRecord) -> Self {
        Self { pk: dose.pk.clone(), sk: format!("SMS#{:05}", dose.phone_version), expires_at: None }
    }

    /// A request for a quick download.
    pub fn download(request: &DownloadRecord) -> Self {
        Self {
            pk: request.pk.clone(),
            sk: format!("SMS#{}", request.sent_at()),
            // Well after the stream can bring the request for the last time.
            expires_at: Some((request.ends() + CLAIM_KEPT).as_second()),
        }
    }

    /// The owner of the phone that a dose had before, where the helpdesk put another in its place.
    pub fn replaced(dose: &DoseRecord) -> Self {
        Self { pk: dose.pk.clone(), sk: format!("SMS#{:05}#OLD", dose.phone_version), expires_at: None }
    }

    /// The holder of a certificate whose dose was retracted.
    pub fn retracted(dose: &DoseRecord) -> Self {
        Self { pk: dose.pk.clone(), sk: format!("SMS#{:05}#RETRACTED", dose.void_version), expires_at: None }
    }

    /// A step of a case that the person is told of.
    pub fn case(case: &CaseRecord) -> Self {
        Self { pk: case.pk.clone(), sk: format!("SMS#{:05}", case.revision), expires_at: None }
    }

    /// A link that was locked.
    pub fn locked(link: &LinkRecord) -> Self {
        Self { pk: link.pk().to_owned(), sk: "SMS".to_owned(), expires_at: Some(link.expires_at()) }
    }

    fn name(&self) -> String {
        format!("{} {}", self.pk, self.sk)
    }
}

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

#[derive(Debug, Serialize, Deserialize)]
struct NotificationRecord {
    /// Until when the sender has it, Unix milliseconds.
    lease_until: i64,
    claimed_at: Timestamp,
    /// The token of its link, sealed, until it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<ByteBuf>,
    /// When the SMS service accepted it, and under which id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    at: Timestamp,
    message_id: String,
    /// The key of its link, whether or not there is one.
    #[serde(default)]
    link: String,
}

/// An SMS about a dose, as the helpdesk sees it.
#[derive(Clone, Debug)]
pub struct DoseSms {
    /// When somebody began to send it.
    pub begun_at: Timestamp,
    /// When the SMS service took it; none where it has not.
    pub accepted_at: Option<Timestamp>,
    /// The key of its link.
    pub link: Option<String>,
}

/// Claims and records the SMS that go out once.
#[derive(Clone)]
pub struct Notifications {
    table: Table,
    keys: Keys,
}

impl Notifications {
    /// How long a claim holds, in seconds. After so long its process is taken to have died.
    pub const LEASE_SECONDS: i64 = 20;

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
        let lease_until = (now + LEASE).as_millisecond();
        let (name, expires_at) = (occasion.name(), occasion.expires_at);
        let token = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let sealed = self.keys.seal(&name, &token).map(ByteBuf::from);
        let record =
            NotificationRecord { lease_until, claimed_at: now, token: sealed, sent: None, expires_at };
        let known = match self.put(occasion, &record, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => return Ok(Claim::Ours { token, name }),
            Written::Refused(None) => return Ok(Claim::Theirs),
            Written::Refused(Some(item)) => from_item::<NotificationRecord>(item, "notification")?,
        };
        if known.sent.is_some() {
            return Ok(Claim::Sent);
        }
        // Sealed with another nonce each time: no other's is the same. The answer to the write was lost, and the SDK wrote again.
        if known.token == record.token {
            return Ok(Claim::Ours { token, name });
        }
        if known.lease_until >= now.as_millisecond() {
            return Ok(Claim::Theirs);
        }
        let before = known.lease_until;
        let record = NotificationRecord { lease_until, ..known };
        let condition = "attribute_not_exists(sent) AND lease_until = :before";
        match self.put(occasion, &record, condition, &[(":before", n(before))]).await? {
            Written::Refused(_) => Ok(Claim::Theirs),
            Written::Done => {
                let sealed = record.token.ok_or(StoreError::Corrupt("notification"))?;
                let token =
                    self.keys.open(&name, &sealed).map_err(|_| StoreError::Corrupt("notification"))?;
                Ok(Claim::Ours { token, name })
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
        let sent = Some(Sent { at: now, message_id: message_id.to_owned(), link: link_key(token) });
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
        self.table.update_if(&occasion.pk, &occasion.sk, update, condition, &[(":zero", n(0))]).await?;
        Ok(())
    }

    /// Whether the SMS of an occasion was sent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_sent(&self, occasion: &Occasion) -> Result<bool, StoreError> {
        let item = self.table.get(&occasion.pk, &occasion.sk).await?;
        let record = item.map(|item| from_item::<NotificationRecord>(item, "notification")).transpose()?;
        Ok(record.is_some_and(|record| record.sent.is_some()))
    }

    /// The SMS to the phones that a dose had, oldest first; at most a hundred.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_dose(&self, event: &str) -> Result<Vec<DoseSms>, StoreError> {
        let mut all = Vec::new();
        for item in self.table.partition_part_first(event, "SMS#", MOST_SMS).await?.items {
            let record: NotificationRecord = from_item(item, "notification")?;
            all.push(DoseSms {
                begun_at: record.claimed_at,
                accepted_at: record.sent.as_ref().map(|sent| sent.at),
                link: record.sent.map(|sent| sent.link),
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
        let item = to_item(&occasion.pk, &occasion.sk, record)?;
        self.table.put_if(item, condition, values).await
    }
}

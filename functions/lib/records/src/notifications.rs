//! Records of sent SMS, with which duplicate requests are recognised.
//!
//! ```text
//!  (none) ──claim──► sending, leased ──sent──► sent
//!                      │      ▲
//!                      └──────┘ lease expired: its process died; the next attempt takes it over
//! ```
//!
//! A process that dies between the call of the SMS service and the write of [`Sent`] leaves an SMS
//! that the next attempt sends again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CaseRecord, DoseRecord, DownloadRecord, ItemKey, LinkKey, LinkRecord};

/// How long the claim is stored after its request has ended. It has to outlast the retention of the
/// table's stream, 24 hours.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(48);

/// The reason for an SMS. Requests for the same occasion are duplicates.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The key of its record.
    pub key: ItemKey,
    /// When its record expires, in Unix seconds; `None` for never.
    pub expires_at: Option<i64>,
}

impl Occasion {
    /// The certificate of a dose, to its current phone.
    pub fn dose(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::dose_sms(&dose.pk, dose.phone_version), expires_at: None }
    }

    /// A request for a quick download.
    pub fn download(request: &DownloadRecord) -> Self {
        Self {
            key: ItemKey::download_sms(&request.pk, request.sent_at),
            // After the last possible delivery of the request by the stream.
            expires_at: Some((request.ends() + CLAIM_RETENTION).as_second()),
        }
    }

    /// The notice to the previous phone of a dose whose phone the helpdesk corrected.
    pub fn replaced(before: &DoseRecord) -> Self {
        Self { key: ItemKey::replaced_sms(&before.pk, before.phone_version), expires_at: None }
    }

    /// The notice to the holder of a certificate whose dose was retracted.
    pub fn retracted(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::retracted_sms(&dose.pk, dose.void_version), expires_at: None }
    }

    /// A step of a case that the applicant has to know.
    pub fn case(case: &CaseRecord) -> Self {
        Self { key: ItemKey::case_sms(&case.pk, case.revision), expires_at: None }
    }

    /// The notice that a link was locked.
    pub fn locked(link: &LinkRecord) -> Self {
        Self { key: ItemKey::locked_sms(&link.pk), expires_at: Some(link.expires_at) }
    }

    /// The name of the message, the same for each attempt.
    pub fn name(&self) -> String {
        self.key.to_string()
    }
}

/// The stored record of an SMS that is being sent, or was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotificationRecord {
    /// When the lease expires, in Unix milliseconds.
    pub lease_until: i64,
    /// When the first attempt began.
    pub claimed_at: Timestamp,
    /// The token of its link, sealed, until it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<ByteBuf>,
    /// The confirmation by the SMS service, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// When the record expires, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The SMS service's confirmation that it accepted an SMS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// When the service accepted it.
    pub at: Timestamp,
    /// The service's id of the message.
    pub message_id: String,
    /// The key that a link with the SMS's token has, even if the SMS contains no link.
    pub link: Option<LinkKey>,
}

/// The outcome of claiming an SMS that was claimed before.
#[derive(Debug)]
pub enum Claimed {
    /// The SMS was sent.
    Sent,
    /// The stored claim is the caller's own: the response to its write was lost.
    Own,
    /// Another process has the lease.
    Leased,
    /// The lease has expired, since its process died. Writing this record takes it over.
    TakenOver(NotificationRecord),
}

impl NotificationRecord {
    /// The duration of the lease in seconds. Longer than the sum of the time-outs of all calls that
    /// sending an SMS makes.
    pub const LEASE_SECONDS: i64 = 20;

    /// The first claim, with the sealed token of its link.
    pub fn first(occasion: &Occasion, token: Option<ByteBuf>, now: Timestamp) -> Self {
        let lease_until = (now + SignedDuration::from_secs(Self::LEASE_SECONDS)).as_millisecond();
        Self { lease_until, claimed_at: now, token, sent: None, expires_at: occasion.expires_at }
    }

    /// Decides the outcome of this first claim, given the stored claim.
    pub fn claimed(&self, known: &Self, now: Timestamp) -> Claimed {
        if known.sent.is_some() {
            return Claimed::Sent;
        }
        // Each sealed token has its own nonce, so only a claim of the same process can be equal.
        if known.token == self.token {
            return Claimed::Own;
        }
        if known.lease_until >= now.as_millisecond() {
            return Claimed::Leased;
        }
        Claimed::TakenOver(Self { lease_until: self.lease_until, ..known.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_claim_after_lease_expires() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let occasion = Occasion { key: ItemKey::dose_sms(&crate::EventKey::of_id("1"), 1), expires_at: None };
        let claim = |token: u8, second| {
            NotificationRecord::first(&occasion, Some(ByteBuf::from([token])), at(second))
        };
        let known = claim(1, 0);
        assert!(matches!(claim(1, 0).claimed(&known, at(0)), Claimed::Own));
        assert!(matches!(claim(2, 20).claimed(&known, at(20)), Claimed::Leased));
        let Claimed::TakenOver(next) = claim(2, 21).claimed(&known, at(21)) else { panic!() };
        assert_eq!((next.token, next.lease_until), (known.token.clone(), 41_000));
        let sent = Some(Sent { at: at(5), message_id: String::new(), link: None });
        let known = NotificationRecord { sent, ..known };
        assert!(matches!(claim(2, 21).claimed(&known, at(21)), Claimed::Sent));
    }
}

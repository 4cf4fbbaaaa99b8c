//! Records of sent SMS, by which duplicate requests are recognised.
//!
//! ```text
//!  (none) ──claim──► sending, leased ──sent──► sent
//!                      │      ▲
//!                      └──────┘ lease expired: its process died; the next attempt takes it over
//! ```
//!
//! If a process dies after calling the SMS service and before writing [`Sent`], the next attempt
//! sends the SMS again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CaseRecord, DoseRecord, DownloadRecord, ItemKey, LinkKey, LinkRecord};

/// How long a claim is stored after its request has ended. It must outlast the retention period of
/// the table's stream, which is 24 hours.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(48);

/// The reason for an SMS. Multiple requests for one occasion are duplicates.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The key of the SMS record.
    pub key: ItemKey,
    /// When the SMS record expires, in seconds since the Unix epoch; `None` if it never expires.
    pub expires_at: Option<i64>,
}

impl Occasion {
    /// The link to the certificate of a dose, sent to its current phone.
    pub fn dose(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::dose_sms(&dose.pk, dose.phone_version), expires_at: None }
    }

    /// The link of a quick download.
    pub fn download(request: &DownloadRecord) -> Self {
        Self {
            key: ItemKey::download_sms(&request.pk, request.sent_at),
            // After the stream's last possible delivery of the request.
            expires_at: Some((request.ends() + CLAIM_RETENTION).as_second()),
        }
    }

    /// The notice to the previous phone of a dose whose phone the helpdesk corrected.
    pub fn replaced(before: &DoseRecord) -> Self {
        Self { key: ItemKey::replaced_sms(&before.pk, before.phone_version), expires_at: None }
    }

    /// The notice to the holder of a certificate that the dose was retracted.
    pub fn retracted(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::retracted_sms(&dose.pk, dose.void_version), expires_at: None }
    }

    /// The notice about a step of a case that the applicant has to know.
    pub fn case(case: &CaseRecord) -> Self {
        Self { key: ItemKey::case_sms(&case.pk, case.revision), expires_at: None }
    }

    /// The notice that a link was locked.
    pub fn locked(link: &LinkRecord) -> Self {
        Self { key: ItemKey::locked_sms(&link.pk), expires_at: Some(link.expires_at) }
    }

    /// The idempotency key of the message.
    pub fn name(&self) -> String {
        self.key.to_string()
    }
}

/// The stored record of an SMS that is being sent or was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotificationRecord {
    /// When the lease expires, in milliseconds since the Unix epoch.
    pub lease_until: i64,
    /// When the first attempt began.
    pub claimed_at: Timestamp,
    /// The sealed token of the link in the SMS; `None` once the SMS has been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<ByteBuf>,
    /// The confirmation by the SMS service; `None` until it accepts the SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// When the record expires, in seconds since the Unix epoch; `None` if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The confirmation that the SMS service accepted an SMS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// When the SMS service accepted the SMS.
    pub at: Timestamp,
    /// The message id that the SMS service assigned.
    pub message_id: String,
    /// The key of the link with the SMS's token, even if the SMS contains no link.
    pub link: Option<LinkKey>,
}

/// The outcome of claiming an SMS that already has a stored claim.
#[derive(Debug)]
pub enum Claimed {
    /// The SMS has already been sent.
    Sent,
    /// The stored claim is the caller's own; the response to its write was lost.
    Own,
    /// Another process has the lease.
    Leased,
    /// The lease has expired, because the process that had it died. Write this record to take it
    /// over.
    TakenOver(NotificationRecord),
}

impl NotificationRecord {
    /// The duration of the lease in seconds. It exceeds the sum of the time-outs of all calls that
    /// sending an SMS makes.
    pub const LEASE_SECONDS: i64 = 20;

    /// Creates the first claim of an SMS, with the sealed token of its link.
    pub fn first(occasion: &Occasion, token: Option<ByteBuf>, now: Timestamp) -> Self {
        let lease_until = (now + SignedDuration::from_secs(Self::LEASE_SECONDS)).as_millisecond();
        Self { lease_until, claimed_at: now, token, sent: None, expires_at: occasion.expires_at }
    }

    /// The outcome of this claim if the claim `known` is already stored.
    pub fn claimed(&self, known: &Self, now: Timestamp) -> Claimed {
        if known.sent.is_some() {
            return Claimed::Sent;
        }
        // Each sealed token has its own nonce, so an equal token means that this process wrote the
        // claim.
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

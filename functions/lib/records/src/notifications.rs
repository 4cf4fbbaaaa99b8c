//! Which SMS were sent, so that none is sent twice.
//!
//! ```text
//!  (none) ──claim──► sending, leased ──sent──► sent
//!                      │      ▲
//!                      └──────┘ lease over: its process died; whoever comes next claims it
//! ```

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CaseRecord, DoseRecord, DownloadRecord, ItemKey, LinkKey, LinkRecord};

/// How long after a request has ended its claim is kept. Streams keep what they bring for a day.
const CLAIM_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// What an SMS is sent for. For each of them one goes out at most.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The key of its record.
    pub key: ItemKey,
    /// When its record ends, Unix seconds.
    pub expires_at: Option<i64>,
}

impl Occasion {
    /// A dose with the phone that it has now.
    pub fn dose(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::dose_sms(&dose.pk, dose.phone_version), expires_at: None }
    }

    /// A request for a quick download.
    pub fn download(request: &DownloadRecord) -> Self {
        Self {
            key: ItemKey::download_sms(&request.pk, request.sent_at),
            // Well after the stream can bring the request for the last time.
            expires_at: Some((request.ends() + CLAIM_KEPT).as_second()),
        }
    }

    /// The notice to the phone of a dose that the helpdesk replaces by another.
    pub fn replaced(before: &DoseRecord) -> Self {
        Self { key: ItemKey::replaced_sms(&before.pk, before.phone_version), expires_at: None }
    }

    /// The holder of a certificate whose dose was retracted.
    pub fn retracted(dose: &DoseRecord) -> Self {
        Self { key: ItemKey::retracted_sms(&dose.pk, dose.void_version), expires_at: None }
    }

    /// A step of a case that the person is told of.
    pub fn case(case: &CaseRecord) -> Self {
        Self { key: ItemKey::case_sms(&case.pk, case.revision), expires_at: None }
    }

    /// A link that was locked.
    pub fn locked(link: &LinkRecord) -> Self {
        Self { key: ItemKey::locked_sms(&link.pk), expires_at: Some(link.expires_at) }
    }

    /// The message's name, the same at each try.
    pub fn name(&self) -> String {
        self.key.to_string()
    }
}

/// An SMS that is sent, or was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotificationRecord {
    /// Until when the sender has it, Unix milliseconds.
    pub lease_until: i64,
    /// When somebody began to send it.
    pub claimed_at: Timestamp,
    /// The token of its link, sealed, until it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<ByteBuf>,
    /// When the SMS service accepted it, and under which id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// When the record ends, Unix seconds.
    pub expires_at: Option<i64>,
}

/// That the SMS service accepted it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// When.
    pub at: Timestamp,
    /// The SMS service's id of it.
    pub message_id: String,
    /// The key of its link, whether or not there is one.
    pub link: Option<LinkKey>,
}

/// What a claim comes to where another claimed the SMS before.
#[derive(Debug)]
pub enum Claimed {
    /// It was sent.
    Sent,
    /// The claim is the caller's own: the answer to its write was lost.
    Own,
    /// Another is sending it now.
    Leased,
    /// The lease is over, so whoever had it died: this record takes it over.
    TakenOver(NotificationRecord),
}

impl NotificationRecord {
    /// How long one sender has for one SMS, in seconds. Longer than the time-outs of all calls that
    /// it makes.
    pub const LEASE_SECONDS: i64 = 20;

    /// The first claim, with the sealed token of its link.
    pub fn first(occasion: &Occasion, token: Option<ByteBuf>, now: Timestamp) -> Self {
        let lease_until = (now + SignedDuration::from_secs(Self::LEASE_SECONDS)).as_millisecond();
        Self { lease_until, claimed_at: now, token, sent: None, expires_at: occasion.expires_at }
    }

    /// What this first claim comes to where the SMS was claimed before.
    pub fn claimed(&self, known: &Self, now: Timestamp) -> Claimed {
        if known.sent.is_some() {
            return Claimed::Sent;
        }
        // Sealed with another nonce each time: no other's is the same.
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
    fn claim_is_taken_over_once_its_lease_is_over() {
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

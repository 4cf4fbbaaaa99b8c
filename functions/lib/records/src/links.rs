//! Links of the SMS: how long they live, and what a try to open one comes to.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{DoseRecord, EventKey, Keys, LinkKey, PersonKey, SmsKind, SmsRequest, Token};

/// How long a link lives.
const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A link as it is kept, under the hash of its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkRecord {
    /// Its key.
    pub pk: LinkKey,
    /// The key of the event whose certificate it opens.
    pub event: EventKey,
    /// The version of the dose's phone that it was sent to. It is dead once the dose has another.
    pub phone_version: u32,
    /// How many wrong birth dates it still bears.
    pub tries_left: u32,
    /// The index key of the person for whom it was asked by quick download; none in the SMS after a
    /// first dose. Not named
    /// `person`, which is what the index of persons lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_of: Option<PersonKey>,
    /// When it was locked, after too many wrong birth dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<Timestamp>,
    /// The request for the SMS to its owner, since it was locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// When it was first opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When its receiver said "this was not me". It is dead since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// When it ends, Unix seconds.
    pub expires_at: i64,
}

impl LinkRecord {
    /// How many wrong birth dates a link bears.
    pub const TRIES: u32 = 5;

    /// A link for the phone that the dose has now. `download_of` is the index key of the person for
    /// whom it was asked by quick download.
    pub fn new(token: &Token, dose: &DoseRecord, download_of: Option<&PersonKey>, now: Timestamp) -> Self {
        Self {
            pk: Keys::link(token.secret()),
            event: dose.pk.clone(),
            phone_version: dose.phone_version,
            tries_left: Self::TRIES,
            download_of: download_of.cloned(),
            locked_at: None,
            sms_request: None,
            opened_at: None,
            refused_at: None,
            expires_at: (now + LIFETIME).as_second(),
        }
    }

    /// The request for the SMS that a link is locked at this time.
    pub fn locked_sms(now: Timestamp) -> SmsRequest {
        SmsRequest { kind: SmsKind::LinkLocked, number: now.as_millisecond() }
    }

    /// What a try comes to that could not be counted: it was tried too often, or it is dead.
    pub fn uncounted(known: Option<Self>, now: Timestamp) -> LinkTry {
        match known {
            Some(link) if link.refused_at.is_none() && link.expires_at > now.as_second() => LinkTry::Locked,
            _ => LinkTry::Dead,
        }
    }
}

/// What a try to open a link came to.
#[derive(Debug)]
pub enum LinkTry {
    /// The try counts: the birth date may now be compared.
    Counted(LinkRecord),
    /// Tried too often.
    Locked,
    /// Unknown, expired or refused.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncounted_try_is_locked_or_dead() {
        let now = Timestamp::from_second(1_000).unwrap();
        let link = LinkRecord {
            pk: Keys::link("token"),
            event: EventKey::of_id("1"),
            phone_version: 1,
            tries_left: 0,
            download_of: None,
            locked_at: None,
            sms_request: None,
            opened_at: None,
            refused_at: None,
            expires_at: 1_001,
        };
        let dead = |link: Option<LinkRecord>| matches!(LinkRecord::uncounted(link, now), LinkTry::Dead);
        assert!(matches!(LinkRecord::uncounted(Some(link.clone()), now), LinkTry::Locked));
        assert!(dead(Some(LinkRecord { expires_at: 1_000, ..link.clone() })), "expired");
        assert!(dead(Some(LinkRecord { refused_at: Some(now), ..link })), "refused");
        assert!(dead(None), "unknown");
    }
}

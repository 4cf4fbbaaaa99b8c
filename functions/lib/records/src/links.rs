//! Links in SMS: how long they are valid, and the lockout after wrong birth dates.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{DoseRecord, EventKey, Keys, LinkKey, PersonKey, SmsKind, SmsRequest, Token};

/// How long a link is valid.
const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The stored record of a link, under the hash of its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkRecord {
    /// The key of the link, which contains the hash of its token.
    pub pk: LinkKey,
    /// The key of the event whose certificate the link opens.
    pub event: EventKey,
    /// The version of the dose's phone to which the link was sent. The link is invalid once the
    /// dose has a later phone version.
    pub phone_version: u32,
    /// The number of remaining attempts. A correct birth date resets it; a link without remaining
    /// attempts is locked.
    pub tries_left: u32,
    /// The index key of the person whose quick download was requested; `None` for other links. Not
    /// named `person`, because the index of persons lists all items that have this attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_of: Option<PersonKey>,
    /// When the link was locked after too many wrong birth dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<Timestamp>,
    /// The request for the notice that the link was locked, to the phone that received the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// When the link was first opened with the correct birth date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When the recipient answered "this was not me", which invalidates the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// When the link expires, in seconds since the Unix epoch.
    pub expires_at: i64,
}

impl LinkRecord {
    /// The number of consecutive wrong birth dates that lock a link.
    pub const TRIES: u32 = 5;

    /// Creates a link for the dose's current phone. `download_of` is the index key of the person
    /// whose quick download was requested; `None` for other links.
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

    /// The request for the notice that a link was locked at `now`.
    pub fn locked_sms(now: Timestamp) -> SmsRequest {
        SmsRequest { kind: SmsKind::LinkLocked, number: now.as_millisecond() }
    }

    /// The outcome of an attempt that could not be counted, because the link is locked or invalid.
    pub fn uncounted(known: Option<Self>, now: Timestamp) -> LinkAttempt {
        match known {
            Some(link) if link.refused_at.is_none() && link.expires_at > now.as_second() => {
                LinkAttempt::Locked
            }
            _ => LinkAttempt::Dead,
        }
    }
}

/// The outcome of an attempt to open a link.
#[derive(Debug)]
pub enum LinkAttempt {
    /// The attempt was counted, so the birth date may be compared.
    Counted(LinkRecord),
    /// The link is locked: no attempts remain.
    Locked,
    /// The link is unknown, expired or refused.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncounted_attempt_is_locked_or_dead() {
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
        let dead = |link: Option<LinkRecord>| matches!(LinkRecord::uncounted(link, now), LinkAttempt::Dead);
        assert!(matches!(LinkRecord::uncounted(Some(link.clone()), now), LinkAttempt::Locked));
        assert!(dead(Some(LinkRecord { expires_at: 1_000, ..link.clone() })), "expired");
        assert!(dead(Some(LinkRecord { refused_at: Some(now), ..link })), "refused");
        assert!(dead(None), "unknown");
    }
}

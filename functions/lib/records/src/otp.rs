//! One-time codes: six digits, valid for five minutes, five attempts, single use.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{Keys, PhoneKey};

/// The number of attempts per code.
const TRIES: u32 = 5;

/// The stored record of a request for a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtpRecord {
    /// The index key of the phone. Not named `phone`, because the index of phones lists all items
    /// that have this attribute.
    pub phone_key: PhoneKey,
    /// The keyed hash of the phone and the code.
    pub code: String,
    /// The number of remaining attempts.
    pub tries_left: u32,
    /// When the code expires, in seconds since the Unix epoch.
    pub code_ends: i64,
    /// When the requester may request another code, in seconds since the Unix epoch.
    pub next_at: i64,
    /// The name for the account, sealed; `None` if the requester gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ByteBuf>,
    /// When the record expires, in seconds since the Unix epoch.
    pub expires_at: i64,
}

impl OtpRecord {
    /// How long a code is valid.
    pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
    /// The minimum interval between two requests for a code.
    pub const PAUSE: SignedDuration = SignedDuration::from_secs(60);

    /// Creates a request for a one-time code, from the code's keyed hash and the phone's index key.
    pub fn new(phone_key: PhoneKey, code: String, name: Option<ByteBuf>, now: Timestamp) -> Self {
        let code_ends = (now + Self::LIFETIME).as_second();
        let next_at = (now + Self::PAUSE).as_second();
        Self { phone_key, code, tries_left: TRIES, code_ends, next_at, name, expires_at: code_ends }
    }

    /// The number of seconds, at least one, until the requester may request another code for this
    /// phone (its index key). `None` if this request was for another phone.
    pub fn pause(&self, phone_key: &PhoneKey, now: Timestamp) -> Option<u32> {
        let seconds = (self.next_at - now.as_second()).max(1);
        (self.phone_key == *phone_key).then(|| u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// Whether an entered code, given by its keyed hash, is correct. Compares in constant time.
    pub fn is_right(&self, tried: &str) -> bool {
        Keys::is_equal(tried, &self.code)
    }
}

/// The stored record that a phone has logged in with a device.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// When the device is forgotten, in seconds since the Unix epoch.
    pub expires_at: i64,
}

impl DeviceRecord {
    /// Whether the device is still remembered.
    pub fn is_known(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second()
    }
}

/// The outcome of an attempt with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeAttempt {
    /// The code was correct, and cannot be used again.
    Right {
        /// The name for the account; `None` if the requester gave none.
        name: Option<String>,
    },
    /// The code was wrong, but more attempts may remain.
    Wrong {
        /// The number of remaining attempts.
        tries_left: u32,
    },
    /// There is no valid code: none was requested, or it has expired, was used, or has no attempts
    /// left.
    Dead,
}

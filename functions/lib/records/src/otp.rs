//! One-time codes: six digits, five minutes, five tries, one use.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{Keys, PhoneKey};

const TRIES: u32 = 5;

/// A request for a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtpRecord {
    /// Not named `phone`, which is what the index of phones lists: doses only.
    pub phone_key: PhoneKey,
    /// Keyed hash of phone and code.
    pub code: String,
    /// How often it can still be tried.
    pub tries_left: u32,
    /// When the code ends, Unix seconds.
    pub code_ends: i64,
    /// When the requester may ask for another, Unix seconds.
    pub next_at: i64,
    /// The name of a new account, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ByteBuf>,
    /// When the record ends, Unix seconds.
    pub expires_at: i64,
}

impl OtpRecord {
    /// How long a code lives.
    pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
    /// How long until a requester can have another sent.
    pub const PAUSE: SignedDuration = SignedDuration::from_secs(60);

    /// A request for this code (its keyed hash) of this phone (its index key).
    pub fn new(phone_key: PhoneKey, code: String, name: Option<ByteBuf>, now: Timestamp) -> Self {
        let code_ends = (now + Self::LIFETIME).as_second();
        let next_at = (now + Self::PAUSE).as_second();
        Self { phone_key, code, tries_left: TRIES, code_ends, next_at, name, expires_at: code_ends }
    }

    /// Seconds that its requester waits for another code of this phone (its index key), at least
    /// one; `None` where it was for another phone.
    pub fn pause(&self, phone_key: &PhoneKey, now: Timestamp) -> Option<u32> {
        let seconds = (self.next_at - now.as_second()).max(1);
        (self.phone_key == *phone_key).then(|| u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// Whether the code that was tried, by its keyed hash, is the right one; compared in constant
    /// time.
    pub fn is_right(&self, tried: &str) -> bool {
        Keys::same(tried, &self.code)
    }
}

/// A phone that has logged in with a device.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Until when the device is known, Unix seconds.
    pub expires_at: i64,
}

impl DeviceRecord {
    /// Whether the device is still known.
    pub fn is_known(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second()
    }
}

/// What a try with a code came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeTry {
    /// Right, and now used.
    Right {
        /// The name given for a new account.
        name: Option<String>,
    },
    /// Wrong.
    Wrong {
        /// How many tries are left.
        tries_left: u32,
    },
    /// No code that could be tried: the requester asked for none, it ended, was used, or was tried
    /// too often.
    Dead,
}

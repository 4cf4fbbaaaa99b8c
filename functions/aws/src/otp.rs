//! One-time codes: six digits, five minutes, five tries, one use.

use aws_lc_rs::rand;
use bukti_domain::PhoneNumber;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::limit::{Count, DAY, Limit};
use crate::table::{Table, from_item, n, s};
use crate::{Aws, Keys, StoreError};

const SK: &str = "OTP";
const TRIES: u32 = 5;
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// Of the codes that a phone gets.
const LIMIT: Limit = Limit { pause: SignedDuration::from_secs(60), per_day: 5 };

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OtpRecord {
    code: String,
    tries_left: u32,
    /// When the code ends, Unix seconds.
    code_ends: i64,
    #[serde(flatten)]
    count: Count,
    /// The name of a new account, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<ByteBuf>,
    expires_at: i64,
}

/// Whether a code may be sent.
#[derive(Clone, PartialEq, Eq)]
pub enum SendDecision {
    /// Send this code. Secret.
    Send {
        /// The six digits.
        code: String,
    },
    /// Too soon or too often.
    Wait {
        /// Seconds until another can be sent.
        seconds: u32,
    },
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
    /// No code that could be tried: none was sent, it ended, was used, or was tried too often.
    Dead,
}

/// Makes and tries one-time codes.
#[derive(Clone)]
pub struct Otps {
    table: Table,
    keys: Keys,
}

impl Otps {
    /// How long a code lives, in seconds.
    pub const EXPIRES_IN: u32 = 5 * 60;
    /// How long until another can be sent, in seconds.
    pub const RESEND_AFTER: u32 = 60;

    /// The one-time codes of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    fn pk(&self, phone: &PhoneNumber) -> String {
        format!("O#{}", self.keys.phone(phone))
    }

    /// Decides whether a code may be sent, and keeps the new one if so. Of requests at the same moment, one is let through.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn request(
        &self,
        phone: &PhoneNumber,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<SendDecision, StoreError> {
        let pk = self.pk(phone);
        let code = new_code()?;
        let name = name.map(|name| self.keys.seal(&format!("{pk} {SK} name"), &name).map(ByteBuf::from));
        let record = |count| {
            Ok(OtpRecord {
                code: self.keys.code(phone.e164(), &code),
                tries_left: TRIES,
                code_ends: (now + LIFETIME).as_second(),
                count,
                name: name.flatten(),
                expires_at: (now + DAY).as_second(),
            })
        };
        Ok(match LIMIT.put(&self.table, (&pk, SK), now, record).await? {
            None => SendDecision::Send { code },
            Some(seconds) => SendDecision::Wait { seconds },
        })
    }

    /// Lets another code be asked for at once, after the SMS service refused this one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn not_sent(&self, phone: &PhoneNumber, now: Timestamp) -> Result<(), StoreError> {
        let values = [(":zero", n(0)), (":one", n(1)), (":now", n(now.as_millisecond()))];
        self.table
            .update_if(
                &self.pk(phone),
                SK,
                "SET sent_at = :zero, sent = sent - :one",
                "sent_at = :now",
                &values,
            )
            .await?;
        Ok(())
    }

    /// Tries a code. A try is counted before it is judged, so however many come at once, no more than five are judged;
    /// and of right ones at the same moment, one wins.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn try_code(
        &self,
        phone: &PhoneNumber,
        code: &str,
        now: Timestamp,
    ) -> Result<CodeTry, StoreError> {
        let pk = self.pk(phone);
        let counted = self.table.count_down(&pk, SK, "code_ends", now).await?;
        let Some(item) = counted else { return Ok(CodeTry::Dead) };
        let record: OtpRecord = from_item(item, "one-time code")?;
        let tried = self.keys.code(phone.e164(), code);
        if !Keys::same(&tried, &record.code) {
            return Ok(CodeTry::Wrong { tries_left: record.tries_left });
        }
        let used = self
            .table
            .update_if(
                &pk,
                SK,
                "SET code_ends = :zero, tries_left = :zero",
                "code = :code AND code_ends > :zero",
                &[(":zero", n(0)), (":code", s(tried))],
            )
            .await?;
        if used.is_none() {
            return Ok(CodeTry::Dead);
        }
        let item_key = format!("{pk} {SK} name");
        let name = record.name.and_then(|sealed| self.keys.open(&item_key, &sealed).ok());
        Ok(CodeTry::Right { name })
    }
}

/// Six digits, each number as likely as any other.
fn new_code() -> Result<String, StoreError> {
    // The largest multiple of a million below 2^32: numbers above would make small codes likelier.
    const FAIR: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let mut bytes = [0; 4];
        rand::fill(&mut bytes).map_err(|_| StoreError::Unavailable("no randomness".to_owned()))?;
        let number = u32::from_le_bytes(bytes);
        if number < FAIR {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}

//! One-time codes: six digits, five minutes, five tries, one use.

use aws_lc_rs::rand;
use bukti_domain::PhoneNumber;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, Written, from_item, n, s, to_item};
use crate::{Aws, Keys, StoreError};

const SK: &str = "OTP";
const TRIES: u32 = 5;
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
const RESEND_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// How many codes a phone gets in a day.
const PER_DAY: u32 = 5;
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OtpRecord {
    code: String,
    tries_left: u32,
    /// When the code ends, Unix seconds.
    code_ends: i64,
    /// When the last one was sent, Unix milliseconds: the condition of the next.
    sent_at: i64,
    /// Since when `sent` counts, Unix seconds.
    day_began: i64,
    sent: u32,
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
        let known: Option<OtpRecord> =
            self.table.get(&pk, SK).await?.map(|item| from_item(item, "one-time code")).transpose()?;
        let wait = |until: Timestamp| SendDecision::Wait {
            seconds: u32::try_from((until - now).get_seconds().max(1)).unwrap_or(1),
        };
        let mut day_began = now.as_second();
        let mut sent = 0;
        if let Some(known) = &known {
            let last = Timestamp::from_millisecond(known.sent_at).unwrap_or(now);
            if last + RESEND_AFTER > now {
                return Ok(wait(last + RESEND_AFTER));
            }
            let began = Timestamp::from_second(known.day_began).unwrap_or(now);
            if began + DAY > now {
                if known.sent >= PER_DAY {
                    return Ok(wait(began + DAY));
                }
                (day_began, sent) = (known.day_began, known.sent);
            }
        }

        let code = new_code()?;
        let name = name.map(|name| self.keys.seal(&format!("{pk} {SK} name"), &name).map(ByteBuf::from));
        let record = OtpRecord {
            code: self.keys.code(phone.e164(), &code),
            tries_left: TRIES,
            code_ends: (now + LIFETIME).as_second(),
            sent_at: now.as_millisecond(),
            day_began,
            sent: sent + 1,
            name: name.flatten(),
            expires_at: (now + DAY).as_second(),
        };
        let item = to_item(&pk, SK, &record)?;
        let written = match known {
            None => self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?,
            Some(known) => {
                self.table.put_if(item, "sent_at = :sent_at", &[(":sent_at", n(known.sent_at))]).await?
            }
        };
        Ok(match written {
            Written::Done => SendDecision::Send { code },
            Written::Refused(_) => wait(now + RESEND_AFTER),
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

//! One-time codes: six digits, valid for five minutes, five attempts, single use.
//!
//! A code belongs to the request for which it was sent. A random token in the requester's cookie
//! identifies the request, and each attempt needs it. So nobody can use up the attempts for another
//! requester's code, or learn from a response that this code exists.
//!
//! A phone has several daily quotas of codes, so that a stranger who exhausts one of them does not
//! lock out the owner:
//!
//! | quota | counted per | purpose |
//! |---|---|---|
//! | [`OPEN`] | phone | available to all requesters |
//! | [`PROVEN`] | phone | for a harder captcha, which browsers solve for a second code |
//! | [`OF_NETWORK`] | phone and client network | limits the share of one network in the above |
//! | [`OF_DEVICE`] | phone and device | for a device that logged in before; exempt from the above |
//! | [`OF_DEVICES`] | phone | limits all such devices together |
//!
//! If a quota is exhausted that the requester shares with others, the response does not change but
//! no code is sent. An error would reveal that others are logging in. The minimum interval between
//! two codes belongs to one requester, so it is reported.

use aws_lc_rs::rand;
use bukti_domain::PhoneNumber;
use bukti_records::{
    CodeAttempt, DAY, DeviceRecord, ItemKey, Keys, OtpRecord, Partition, PhoneKey, Rate, Token,
};
use jiff::{SignedDuration, Timestamp};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, n, s, to_item};
use crate::{Aws, Rates, StoreError, Taken};

const fn daily(name: &'static str, most: u32) -> Rate {
    Rate { name, window: DAY, most }
}

/// Codes that anyone can request for a phone. Together with [`PROVEN`], this limits a stranger to
/// 50 guesses a day at one of a million codes.
const OPEN: Rate = daily("codes of a phone", 5);
/// Additional codes for a phone, for requesters who solved a harder captcha.
const PROVEN: Rate = daily("codes of a phone for a harder captcha", 5);
/// Codes that one client network can request for a phone, including codes that were not sent. The
/// members of a household share a network.
const OF_NETWORK: Rate = daily("codes of a phone from a network", 4);
/// Codes that a device can request for a phone with which it has logged in before.
const OF_DEVICE: Rate = daily("codes of a phone from a known device", 5);
/// Codes that all such devices together can request for a phone. Without this limit, a person who
/// can log in could register any number of devices.
const OF_DEVICES: Rate = daily("codes of a phone from all known devices", 10);

/// The requester of a code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requester<'a> {
    /// The token of the latest request from this browser, if any.
    pub request: Option<&'a str>,
    /// The token of the device, if it has one.
    pub device: Option<&'a str>,
    /// The client's network, which identifies a household or a mobile operator.
    pub network: &'a str,
    /// Whether the requester solved a harder captcha.
    pub is_proven: bool,
}

/// Whether a code may be sent.
pub enum SendDecision {
    /// Send this code.
    Send(Request),
    /// Send no code, but respond as if one was sent, because a quota is exhausted that the
    /// requester shares with others.
    Withhold(Request),
    /// Send no code: the requester's last code is too recent.
    Wait {
        /// Seconds until another code can be requested.
        seconds: u32,
    },
}

/// A stored request for a code.
pub struct Request {
    /// The code of six digits. Secret.
    pub code: String,
    /// The token that identifies the requester, to be stored in the cookie. Secret.
    pub token: Token,
    /// Whether the device has logged in with the phone before.
    pub is_known_device: bool,
    /// The quotas that this request was charged to, with their subjects.
    taken: Vec<(&'static Rate, String)>,
}

/// Creates and checks one-time codes.
#[derive(Clone)]
pub struct Otps {
    table: Table,
    keys: Keys,
    rates: Rates,
}

impl Otps {
    /// How long a code is valid, in seconds.
    pub const EXPIRES_IN: u32 = OtpRecord::LIFETIME.as_secs() as u32;
    /// The minimum interval between two requests for a code by one requester, in seconds.
    pub const RESEND_AFTER: u32 = OtpRecord::PAUSE.as_secs() as u32;
    /// How long a device is remembered after a log-in, in seconds.
    pub const DEVICE_KEPT: u32 = 90 * 24 * 60 * 60;

    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), rates: Rates::new(aws) }
    }

    /// Stores a request for a code, and decides whether to send the code. Of several concurrent
    /// requests with one token, only one is accepted.
    pub async fn request(
        &self,
        phone: &PhoneNumber,
        name: Option<&str>,
        requester: Requester<'_>,
        now: Timestamp,
    ) -> Result<SendDecision, StoreError> {
        let phone_key = self.keys.phone(phone);
        if let Some(seconds) = self.pause(requester.request, &phone_key, now).await? {
            return Ok(SendDecision::Wait { seconds });
        }
        let is_known_device = match requester.device {
            Some(device) => self.knows(device, &phone_key, now).await?,
            None => false,
        };
        let device = requester.device.filter(|_| is_known_device);
        let (may_send, taken) = self.take(&phone_key, device, requester, now).await?;

        let code = new_code()?;
        let token = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let key = ItemKey::otp(&Keys::login(token.secret()));
        let name = name.and_then(|name| self.keys.seal(&key.field("name"), &name, now)).map(ByteBuf::from);
        // A code that is not sent must not be guessable, because requests without an SMS are not
        // limited.
        let hash = self.keys.code(phone.e164(), if may_send { &code } else { token.secret() });
        let record = OtpRecord::new(phone_key, hash, name, now);
        self.table.put(to_item(&key, &record)?).await?;
        let request = Request { code, token, is_known_device, taken };
        Ok(if may_send { SendDecision::Send(request) } else { SendDecision::Withhold(request) })
    }

    /// Starts the next interval between the requester's codes for this phone. If the current
    /// interval has not ended, returns the number of seconds until it ends.
    async fn pause(
        &self,
        token: Option<&str>,
        phone_key: &PhoneKey,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let Some(token) = token else { return Ok(None) };
        let key = ItemKey::otp(&Keys::login(token));
        let last: Option<OtpRecord> =
            self.table.get(&key).await?.map(|item| from_item(item, "one-time code")).transpose()?;
        let Some(seconds) = last.and_then(|last| last.pause(phone_key, now)) else { return Ok(None) };
        let values = [(":next", n((now + OtpRecord::PAUSE).as_second())), (":now", n(now.as_second()))];
        let begun =
            self.table.update_if(&key, "SET next_at = :next", "next_at <= :now", &values).await?.is_some();
        Ok((!begun).then_some(seconds))
    }

    /// Charges the first quota that is not exhausted. Returns whether a quota was left, and the
    /// charges.
    async fn take(
        &self,
        phone_key: &PhoneKey,
        device: Option<&str>,
        requester: Requester<'_>,
        now: Timestamp,
    ) -> Result<(bool, Vec<(&'static Rate, String)>), StoreError> {
        if let Some(device) = device {
            let subject = format!("{} {device}", phone_key.as_str());
            if let Taken::Now(_) = self.rates.take(&OF_DEVICE, &subject, now).await? {
                if let Taken::Now(_) = self.rates.take(&OF_DEVICES, phone_key.as_str(), now).await? {
                    return Ok((
                        true,
                        vec![(&OF_DEVICE, subject), (&OF_DEVICES, phone_key.as_str().to_owned())],
                    ));
                }
                self.rates.give_back(&OF_DEVICE, &subject, now).await?;
            }
        }
        let subject = format!("{} {}", phone_key.as_str(), requester.network);
        if let Taken::Full { .. } = self.rates.take(&OF_NETWORK, &subject, now).await? {
            return Ok((false, Vec::new()));
        }
        let mut taken = vec![(&OF_NETWORK, subject)];
        for rate in [&OPEN, &PROVEN].into_iter().take(if requester.is_proven { 2 } else { 1 }) {
            if let Taken::Now(_) = self.rates.take(rate, phone_key.as_str(), now).await? {
                taken.push((rate, phone_key.as_str().to_owned()));
                return Ok((true, taken));
            }
        }
        Ok((false, taken))
    }

    /// Deletes a request whose code could not be sent, and refunds its quotas.
    pub async fn discard(&self, request: &Request, now: Timestamp) -> Result<(), StoreError> {
        for (rate, subject) in &request.taken {
            self.rates.give_back(rate, subject, now).await?;
        }
        self.table.delete(&ItemKey::otp(&Keys::login(request.token.secret()))).await
    }

    /// Replaces the code of a request whose SMS was withheld after all. No six digits match the
    /// replacement.
    pub async fn withhold(&self, token: &str, phone: &PhoneNumber) -> Result<(), StoreError> {
        let values = [(":code", s(self.keys.code(phone.e164(), token)))];
        let condition = "attribute_exists(pk)";
        self.table
            .update_if(&ItemKey::otp(&Keys::login(token)), "SET code = :code", condition, &values)
            .await?;
        Ok(())
    }

    /// Checks a code for the request with this token. An attempt is counted before its code is
    /// compared, so that at most five are compared even if more are made concurrently. A
    /// conditional write lets at most one correct attempt succeed.
    pub async fn try_code(
        &self,
        token: &str,
        phone: &PhoneNumber,
        code: &str,
        now: Timestamp,
    ) -> Result<CodeAttempt, StoreError> {
        let key = ItemKey::otp(&Keys::login(token));
        let counted = self.table.count_down(&key, "code_ends", now).await?;
        let Some(item) = counted else { return Ok(CodeAttempt::Dead) };
        let record: OtpRecord = from_item(item, "one-time code")?;
        // The hash of a code depends on the phone as well.
        let tried = self.keys.code(phone.e164(), code);
        if !record.is_right(&tried) {
            return Ok(CodeAttempt::Wrong { tries_left: record.tries_left });
        }
        let used = self
            .table
            .update_if(
                &key,
                "SET code_ends = :zero, tries_left = :zero",
                "code = :code AND code_ends > :zero",
                &[(":zero", n(0)), (":code", s(tried))],
            )
            .await?;
        if used.is_none() {
            return Ok(CodeAttempt::Dead);
        }
        let name = record.name.and_then(|sealed| self.keys.open(&key.field("name"), &sealed).ok());
        Ok(CodeAttempt::Right { name })
    }

    /// Records that a phone has logged in with a device, and returns the device's token. An unknown
    /// token is replaced, because an attacker may have planted it.
    pub async fn remember(
        &self,
        device: Option<&str>,
        phone: &PhoneNumber,
        now: Timestamp,
    ) -> Result<Token, StoreError> {
        let known = match device {
            Some(device) => {
                let phones = self.table.partition_first(&Partition::devices(&Keys::login(device)), 1).await?;
                !phones.items.is_empty()
            }
            None => false,
        };
        let token = match device.filter(|_| known) {
            Some(device) => Token::from_request(device),
            None => Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?,
        };
        let expires_at = (now + SignedDuration::from_secs(i64::from(Self::DEVICE_KEPT))).as_second();
        let key = ItemKey::device(&Keys::login(token.secret()), &self.keys.phone(phone));
        self.table.put(to_item(&key, &DeviceRecord { expires_at })?).await?;
        Ok(token)
    }

    /// Whether a phone has logged in with a device recently enough.
    async fn knows(&self, device: &str, phone_key: &PhoneKey, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.table.get(&ItemKey::device(&Keys::login(device), phone_key)).await?;
        let record: Option<DeviceRecord> = item.map(|item| from_item(item, "device")).transpose()?;
        Ok(record.is_some_and(|record| record.is_known(now)))
    }
}

/// Generates six random digits, uniformly distributed.
fn new_code() -> Result<String, StoreError> {
    // The largest multiple of a million below 2^32. Numbers above it are rejected, because they
    // would make some codes more likely than others.
    const LIMIT: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let mut bytes = [0; 4];
        rand::fill(&mut bytes).map_err(|_| StoreError::Unavailable("no randomness".to_owned()))?;
        let number = u32::from_le_bytes(bytes);
        if number < LIMIT {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}

//! One-time codes: six digits, five minutes, five tries, one use.
//!
//! A code belongs to the request that it was sent for, which is known by a random token in the
//! requester's cookie. It can be tried with that token only, so nobody uses up the tries of
//! another's code, or learns from an answer that there is one.
//!
//! A phone has several allowances of codes, so that whoever spends one of them does not keep its
//! owner out:
//!
//! | allowance | of | for |
//! |---|---|---|
//! | [`OPEN`] | the phone | everybody |
//! | [`PROVEN`] | the phone | who solved a harder captcha, as a browser does that asks for a second code |
//! | [`OF_NETWORK`] | the phone and a client network | bounds what one network takes of the two above |
//! | [`OF_DEVICE`] | the phone and a device | a device that has logged in with the phone before; nothing of the above is taken |
//! | [`OF_DEVICES`] | the phone | bounds what all such devices take together |
//!
//! Where the allowance of somebody else than the requester is spent, the request is answered as
//! always and no code is sent: the answer would tell that somebody is logging in. The pause between
//! two codes is the requester's own, and is told.

use aws_lc_rs::rand;
use bukti_domain::PhoneNumber;
use bukti_records::{CodeTry, DAY, DeviceRecord, ItemKey, Keys, OtpRecord, Partition, PhoneKey, Rate, Token};
use jiff::{SignedDuration, Timestamp};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, n, s, to_item};
use crate::{Aws, Rates, StoreError, Taken};

const fn daily(name: &'static str, most: u32) -> Rate {
    Rate { name, window: DAY, most }
}

/// Codes that anybody can have sent to a phone. With [`PROVEN`] they bound how often a stranger
/// guesses: 50 tries a day of a million numbers.
const OPEN: Rate = daily("codes of a phone", 5);
/// Further codes of a phone for those who solved a harder captcha.
const PROVEN: Rate = daily("codes of a phone for a harder captcha", 5);
/// Codes of a phone that one client network asks for, also those that were not sent. A household
/// shares a network.
const OF_NETWORK: Rate = daily("codes of a phone from a network", 4);
/// Codes of a phone that a device asks for which has logged in with it.
const OF_DEVICE: Rate = daily("codes of a phone from a known device", 5);
/// Codes of a phone that all such devices ask for. Whoever can log in once can register any number
/// of devices.
const OF_DEVICES: Rate = daily("codes of a phone from all known devices", 10);

/// Who asks for a code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requester<'a> {
    /// The token of the last request from this browser.
    pub request: Option<&'a str>,
    /// The token of the device.
    pub device: Option<&'a str>,
    /// The client's network.
    pub network: &'a str,
    /// Whether a harder captcha was solved.
    pub is_proven: bool,
}

/// Whether a code may be sent.
pub enum SendDecision {
    /// Send this code.
    Send(Request),
    /// Send none, and answer as if one was sent: an allowance is spent that is not the requester's
    /// alone.
    Withhold(Request),
    /// Too soon after the requester's last one.
    Wait {
        /// Seconds until another can be sent.
        seconds: u32,
    },
}

/// A request for a code that was kept.
pub struct Request {
    /// The six digits. Secret.
    pub code: String,
    /// By which the requester is known: for the cookie. Secret.
    pub token: Token,
    /// Whether it comes from a device that has logged in with the phone.
    pub is_known_device: bool,
    /// What was taken for it, and of whom.
    taken: Vec<(&'static Rate, String)>,
}

/// Makes and tries one-time codes.
#[derive(Clone)]
pub struct Otps {
    table: Table,
    keys: Keys,
    rates: Rates,
}

impl Otps {
    /// How long a code lives, in seconds.
    pub const EXPIRES_IN: u32 = OtpRecord::LIFETIME.as_secs() as u32;
    /// How long until a requester can have another sent, in seconds.
    pub const RESEND_AFTER: u32 = OtpRecord::PAUSE.as_secs() as u32;
    /// How long a device is known after it has logged in, in seconds.
    pub const DEVICE_KEPT: u32 = 90 * 24 * 60 * 60;

    /// The one-time codes of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), rates: Rates::new(aws) }
    }

    /// Keeps a request for a code, and decides whether the code may be sent. Of requests with one
    /// token at the same moment, one is let through.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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
        // A code that is not sent must not be guessed either: requests without an SMS have no limit.
        let kept = self.keys.code(phone.e164(), if may_send { &code } else { token.secret() });
        let record = OtpRecord::new(phone_key, kept, name, now);
        self.table.put(to_item(&key, &record)?).await?;
        let request = Request { code, token, is_known_device, taken };
        Ok(if may_send { SendDecision::Send(request) } else { SendDecision::Withhold(request) })
    }

    /// Ends the pause after the requester's last request for this phone; where it is not over, the
    /// seconds until it is.
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

    /// Takes a code of the first allowance that has one left: whether there was one, and what was
    /// taken.
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

    /// Forgets a request whose code could not be sent, and gives back what was taken for it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn not_sent(&self, request: &Request, now: Timestamp) -> Result<(), StoreError> {
        for (rate, subject) in &request.taken {
            self.rates.give_back(rate, subject, now).await?;
        }
        self.table.delete(&ItemKey::otp(&Keys::login(request.token.secret()))).await
    }

    /// Replaces the code of a request whose SMS was withheld after all by one that no digits are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn withhold(&self, token: &str, phone: &PhoneNumber) -> Result<(), StoreError> {
        let values = [(":code", s(self.keys.code(phone.e164(), token)))];
        let condition = "attribute_exists(pk)";
        self.table
            .update_if(&ItemKey::otp(&Keys::login(token)), "SET code = :code", condition, &values)
            .await?;
        Ok(())
    }

    /// Tries the code of the request with this token. A try is counted before it is judged, so
    /// however many come at once, no more than five are judged; and of right ones at the same
    /// moment, one wins.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn try_code(
        &self,
        token: &str,
        phone: &PhoneNumber,
        code: &str,
        now: Timestamp,
    ) -> Result<CodeTry, StoreError> {
        let key = ItemKey::otp(&Keys::login(token));
        let counted = self.table.count_down(&key, "code_ends", now).await?;
        let Some(item) = counted else { return Ok(CodeTry::Dead) };
        let record: OtpRecord = from_item(item, "one-time code")?;
        // What is kept of a code depends on the phone as well.
        let tried = self.keys.code(phone.e164(), code);
        if !record.is_right(&tried) {
            return Ok(CodeTry::Wrong { tries_left: record.tries_left });
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
            return Ok(CodeTry::Dead);
        }
        let name = record.name.and_then(|sealed| self.keys.open(&key.field("name"), &sealed).ok());
        Ok(CodeTry::Right { name })
    }

    /// Remembers that a phone has logged in with a device; gives the device's token. One that is
    /// none of ours is replaced: whoever put it there knows it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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
            Some(device) => Token::brought(device),
            None => Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?,
        };
        let expires_at = (now + SignedDuration::from_secs(i64::from(Self::DEVICE_KEPT))).as_second();
        let key = ItemKey::device(&Keys::login(token.secret()), &self.keys.phone(phone));
        self.table.put(to_item(&key, &DeviceRecord { expires_at })?).await?;
        Ok(token)
    }

    /// Whether a phone has logged in with a device.
    async fn knows(&self, device: &str, phone_key: &PhoneKey, now: Timestamp) -> Result<bool, StoreError> {
        let item = self.table.get(&ItemKey::device(&Keys::login(device), phone_key)).await?;
        let record: Option<DeviceRecord> = item.map(|item| from_item(item, "device")).transpose()?;
        Ok(record.is_some_and(|record| record.is_known(now)))
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

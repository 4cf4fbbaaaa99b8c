//! The helpdesk's officers and their second factor (TOTP).

use bukti_domain::{PhoneNumber, Role};
use bukti_records::{ItemKey, Keys, Officer, Partition, PhoneKey, Rate, Token};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use totp_rs::{Algorithm, TOTP};

use crate::table::{Table, from_item, n, to_item};
use crate::{Aws, Rates, StoreError, Taken};

/// The length of the second factor's secret in bytes, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;

/// The time step of the codes in seconds (RFC 6238).
const STEP: u64 = 30;
/// The number of steps before and after the current one whose codes are accepted, because the
/// clocks of phones are inaccurate.
const SKEW: i64 = 1;

/// The number of attempts per officer, correct or wrong. An attacker who controls the officer's
/// phone number still has to guess one of a million codes.
const TRIES: Rate = Rate { name: "second factor", window: jiff::SignedDuration::from_mins(15), most: 5 };

/// The number of attempts per officer and day, more than an officer needs even if every session
/// expires. A new second factor has its own counter.
const TRIES_A_DAY: Rate =
    Rate { name: "second factor, a day", window: jiff::SignedDuration::from_hours(24), most: 40 };

#[derive(Debug, Serialize, Deserialize)]
struct OfficerRecord {
    sk: PhoneKey,
    role: Role,
    /// Empty in records of earlier versions.
    #[serde(default)]
    enrolment: String,
    /// The time step of the last accepted code. Codes of this step and of earlier ones are
    /// rejected, which prevents replay.
    last_step: i64,
    added_at: Timestamp,
    about: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct About {
    name: String,
    secret: ByteBuf,
}

/// The outcome of checking a code of the second factor.
#[derive(Debug, PartialEq, Eq)]
pub enum FactorAttempt {
    /// The code was correct, and cannot be used again.
    Right,
    /// The code was wrong, or was used before.
    Wrong,
    /// The officer has made too many attempts.
    Full {
        /// Seconds until the next attempt is allowed.
        wait: u32,
    },
}

/// Adds, finds and removes officers, and checks their second factor.
#[derive(Clone)]
pub struct Officers {
    table: Table,
    keys: Keys,
    rates: Rates,
}

impl Officers {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), rates: Rates::new(aws) }
    }

    /// Adds an officer, or replaces the role, name and second factor of an existing one. Returns
    /// the secret of the second factor for an authenticator app, in base32 (RFC 4648, without
    /// padding). The secret cannot be read later.
    pub async fn add(
        &self,
        phone: &PhoneNumber,
        name: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let sk = self.keys.phone(phone);
        let secret =
            Keys::random::<SECRET_BYTES>().ok_or_else(|| StoreError::Unavailable("no randomness".into()))?;
        let totp = totp(secret.to_vec());
        let about = About { name: name.to_owned(), secret: ByteBuf::from(secret) };
        let about = self.keys.seal(&about_aad(&sk), &about, now).map(ByteBuf::from);
        let about = about.ok_or(StoreError::Corrupt("an officer cannot be sealed"))?;
        let enrolment = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".into()))?;
        let enrolment = enrolment.secret().to_owned();
        let record = OfficerRecord { sk: sk.clone(), role, enrolment, last_step: 0, added_at: now, about };
        self.table.put(to_item(&ItemKey::officer(&sk), &record)?).await?;
        Ok(totp.get_secret_base32())
    }

    /// Removes an officer; `false` if no officer has this phone. In sessions that are open, the
    /// person then has only a citizen's permissions.
    pub async fn remove(&self, phone: &PhoneNumber) -> Result<bool, StoreError> {
        let sk = self.keys.phone(phone);
        let known = self.table.get(&ItemKey::officer(&sk)).await?.is_some();
        self.table.delete(&ItemKey::officer(&sk)).await?;
        Ok(known)
    }

    /// All officers of the helpdesk.
    pub async fn all(&self) -> Result<Vec<Officer>, StoreError> {
        let items = self.table.partition(&Partition::officers()).await?;
        items.into_iter().map(|item| Ok(self.open(from_item(item, "officer")?)?.0)).collect()
    }

    /// Reads an officer from an item of a backup; `None` if the item cannot be deserialised or
    /// opened.
    pub(crate) fn of_image(&self, image: serde_dynamo::Item) -> Option<Officer> {
        Some(self.open(serde_dynamo::from_item(image).ok()?).ok()?.0)
    }

    /// The officer whose phone has this index key; `None` if the phone belongs to no officer.
    pub async fn of_phone_key(&self, phone: &PhoneKey) -> Result<Option<Officer>, StoreError> {
        let Some(record) = self.record(phone).await? else { return Ok(None) };
        Ok(Some(self.open(record)?.0))
    }

    /// Checks a code of the second factor (RFC 6238: SHA-1, six digits, 30 seconds, one step of
    /// tolerance). An attempt is counted before its code is compared, and a conditional write marks
    /// a correct code as used. So of any number of concurrent attempts, at most five are compared
    /// and at most one succeeds.
    pub async fn try_code(
        &self,
        phone: &PhoneKey,
        code: &str,
        now: Timestamp,
    ) -> Result<FactorAttempt, StoreError> {
        let Some(record) = self.record(phone).await? else { return Ok(FactorAttempt::Wrong) };
        if let Taken::Full { wait } = self.rates.take(&TRIES, phone.as_str(), now).await? {
            return Ok(FactorAttempt::Full { wait });
        }
        let subject = format!("{} {}", phone.as_str(), record.enrolment);
        if let Taken::Full { wait } = self.rates.take(&TRIES_A_DAY, &subject, now).await? {
            return Ok(FactorAttempt::Full { wait });
        }
        let totp = totp(self.open(record)?.1);
        let step_now = now.as_second() / STEP as i64;
        let found = (step_now - SKEW..=step_now + SKEW)
            .find(|step| Keys::is_equal(&totp.generate(step.unsigned_abs() * STEP), code));
        let Some(step) = found else { return Ok(FactorAttempt::Wrong) };
        let values = [(":step", n(step))];
        let update = "SET last_step = :step";
        let used =
            self.table.update_if(&ItemKey::officer(phone), update, "last_step < :step", &values).await?;
        Ok(if used.is_some() { FactorAttempt::Right } else { FactorAttempt::Wrong })
    }

    async fn record(&self, phone: &PhoneKey) -> Result<Option<OfficerRecord>, StoreError> {
        self.table.get(&ItemKey::officer(phone)).await?.map(|item| from_item(item, "officer")).transpose()
    }

    fn open(&self, record: OfficerRecord) -> Result<(Officer, Vec<u8>), StoreError> {
        let about: About = self
            .keys
            .open(&about_aad(&record.sk), &record.about)
            .map_err(|_| StoreError::Corrupt("officer"))?;
        let officer = Officer {
            id: record.sk,
            name: about.name,
            role: record.role,
            added_at: record.added_at,
            enrolment: record.enrolment,
        };
        Ok((officer, about.secret.into_vec()))
    }
}

fn about_aad(officer: &PhoneKey) -> String {
    ItemKey::officer(officer).field("about")
}

fn totp(secret: Vec<u8>) -> TOTP {
    TOTP::new_unchecked(Algorithm::SHA1, 6, 0, STEP, secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_match_rfc_6238_test_vectors() {
        // RFC 6238, appendix B: the last six of the eight digits.
        let totp = totp(b"12345678901234567890".to_vec());
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.generate(at), code);
        }
    }
}

//! The senders of doses over HTTP, their API keys and their rate limits.
//!
//! An API key is `bk_` followed by a public id, by which it is found, and a secret. The table
//! stores only the hash of the secret. A sender may have several keys, so that it can switch to a
//! new key before the old one expires.

use bukti_records::{ApiKey, ItemKey, Keys, Partition, PersonKey, Rate, Sender, Token};
use jiff::{SignedDuration, Timestamp};

use crate::table::{Table, Written, from_item, s, to_item};
use crate::{Aws, Rates, StoreError, Taken};

/// The prefix of all API keys, by which secret scanners find leaked ones.
const PREFIX: &str = "bk_";
/// The length of a key's id in characters.
const ID_LENGTH: usize = 8;

/// The minimum interval between two writes of a key's last use.
const LAST_USE_INTERVAL: SignedDuration = SignedDuration::from_mins(60);

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// The request limit of a facility, for all of its keys together.
const OF_FACILITY: Rate = Rate { name: "requests of a facility", window: MINUTE, most: 120 };
/// The request limit of a hub, for all of its keys together.
const OF_HUB: Rate = Rate { name: "requests of a hub", window: MINUTE, most: 3_000 };

/// The number of doses that a sender can report for one person per day, more than anyone receives
/// in a day.
const OF_PERSON: Rate =
    Rate { name: "doses of a person from a sender", window: SignedDuration::from_hours(24), most: 20 };

/// Adds, finds and ends API keys, and applies the senders' rate limits.
#[derive(Clone)]
pub struct Senders {
    table: Table,
    keys: Keys,
    rates: Rates,
}

impl Senders {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), rates: Rates::new(aws) }
    }

    /// Adds an API key for a sender. Returns the whole key; its secret cannot be read later.
    pub async fn add(&self, sender: Sender, now: Timestamp) -> Result<String, StoreError> {
        let random = || Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".into()));
        let (id, secret) = (random()?.secret()[..ID_LENGTH].to_owned(), random()?);
        let hash = Keys::token(secret.secret());
        let key = ApiKey { id, sender, added_at: now, ends_at: None, used_at: None, hash };
        let item = to_item(&ItemKey::api_key(&key.id), &key)?;
        match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => Ok(format!("{PREFIX}{}_{}", key.id, secret.secret())),
            Written::Refused(_) => {
                Err(StoreError::Unavailable("a random API key id already exists; retry".into()))
            }
        }
    }

    /// All API keys, including expired ones.
    pub async fn all(&self) -> Result<Vec<ApiKey>, StoreError> {
        let items = self.table.partition(&Partition::api_keys()).await?;
        items.into_iter().map(|item| from_item(item, "API key")).collect()
    }

    /// Makes a key expire at this time, unless it expires earlier; `false` if there is no key with
    /// this id.
    pub async fn end(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let Some(known) = self.find(id).await? else { return Ok(false) };
        let at = known.ends_at.map_or(at, |ends| ends.min(at)).to_string();
        let values = [(":at", s(at))];
        let ended = self
            .table
            .update_if(&ItemKey::api_key(id), "SET ends_at = :at", "attribute_exists(pk)", &values)
            .await?;
        Ok(ended.is_some())
    }

    /// The sender that an API key identifies; `None` if the key is unknown or has expired. Records
    /// the use of the key.
    pub async fn of_key(&self, key: &str, now: Timestamp) -> Result<Option<Sender>, StoreError> {
        let parts = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts.filter(|(id, _)| id.len() == ID_LENGTH) else { return Ok(None) };
        let Some(known) = self.find(id).await? else { return Ok(None) };
        if !Keys::is_equal(&known.hash, &Keys::token(secret)) || known.has_ended(now) {
            return Ok(None);
        }
        if known.used_at.is_none_or(|used| used + LAST_USE_INTERVAL <= now) {
            let values = [(":now", s(now.to_string()))];
            self.table
                .update_if(&ItemKey::api_key(id), "SET used_at = :now", "attribute_exists(pk)", &values)
                .await?;
        }
        Ok(Some(known.sender))
    }

    /// Consumes one request of a sender's quota. If the quota is exhausted, returns the number of
    /// seconds until it is renewed.
    pub async fn take(&self, sender: &Sender, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let rate = match sender {
            Sender::Facility(_) => &OF_FACILITY,
            Sender::Hub(_) => &OF_HUB,
        };
        Ok(match self.rates.take(rate, &sender.tagged(), now).await? {
            Taken::Now(_) => None,
            Taken::Full { wait } => Some(wait),
        })
    }

    /// Consumes one dose of a sender's daily quota for a person (their index key); `false` if the
    /// quota is exhausted.
    pub async fn take_dose(
        &self,
        sender: &Sender,
        person: &PersonKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let subject = format!("{}\u{1f}{}", sender.tagged(), person.as_str());
        Ok(matches!(self.rates.take(&OF_PERSON, &subject, now).await?, Taken::Now(_)))
    }

    /// The job id for the body of a sender's request. A retry of the request gets the same id.
    pub fn job(&self, sender: &Sender, sent: &[u8]) -> String {
        self.keys.job(&sender.tagged(), sent)
    }

    async fn find(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        self.table.get(&ItemKey::api_key(id)).await?.map(|item| from_item(item, "API key")).transpose()
    }
}

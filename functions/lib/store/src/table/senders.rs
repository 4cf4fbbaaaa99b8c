//! Who sends doses over HTTP, and the API keys by which they are known.
//!
//! A key is `bk_` and two parts: an id, by which it is found and which anybody may see, and a secret, of which the table has the
//! hash. A sender may have several, so that a new one is in use before the old one ends.

use bukti_records::{ApiKey, ItemKey, Keys, Partition, PersonKey, Rate, Sender, Token};
use jiff::{SignedDuration, Timestamp};

use crate::table::{Table, Written, from_item, s, to_item};
use crate::{Aws, Rates, StoreError, Taken};

/// What every key begins with, so that one that got into a text is found there.
const PREFIX: &str = "bk_";
/// Letters and digits of a key's id.
const ID: usize = 8;

/// When a key was last used is written at most so often.
const NOTED: SignedDuration = SignedDuration::from_mins(60);

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Requests of a facility, all its keys together.
const OF_FACILITY: Rate = Rate { name: "requests of a facility", window: MINUTE, most: 120 };
/// Requests of a hub.
const OF_HUB: Rate = Rate { name: "requests of a hub", window: MINUTE, most: 3_000 };

/// Doses of one person that a sender reports: nobody is vaccinated so often in a day.
const OF_PERSON: Rate =
    Rate { name: "doses of a person from a sender", window: SignedDuration::from_hours(24), most: 20 };

/// Adds, finds, counts and ends API keys.
#[derive(Clone)]
pub struct Senders {
    table: Table,
    keys: Keys,
    rates: Rates,
}

impl Senders {
    /// The senders of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), rates: Rates::new(aws) }
    }

    /// Adds a key of a sender. Gives the key, which is told this once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn add(&self, sender: Sender, now: Timestamp) -> Result<String, StoreError> {
        let random = || Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".into()));
        let (id, secret) = (random()?.secret()[..ID].to_owned(), random()?);
        let hash = Keys::token(secret.secret());
        let key = ApiKey { id, sender, added_at: now, ends_at: None, used_at: None, hash };
        let item = to_item(&ItemKey::api_key(&key.id), &key)?;
        match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => Ok(format!("{PREFIX}{}_{}", key.id, secret.secret())),
            Written::Refused(_) => Err(StoreError::Unavailable("the id is taken".into())),
        }
    }

    /// All keys, also those that have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<ApiKey>, StoreError> {
        let items = self.table.partition(&Partition::api_keys()).await?;
        items.into_iter().map(|item| from_item(item, "API key")).collect()
    }

    /// Ends a key at this moment; `false` where there is none of this id. One that ends earlier stays so.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Whose key this is; `None` where it is nobody's, or has ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_key(&self, key: &str, now: Timestamp) -> Result<Option<Sender>, StoreError> {
        let parts = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts.filter(|(id, _)| id.len() == ID) else { return Ok(None) };
        let Some(known) = self.find(id).await? else { return Ok(None) };
        if !Keys::same(&known.hash, &Keys::token(secret)) || known.has_ended(now) {
            return Ok(None);
        }
        if known.used_at.is_none_or(|used| used + NOTED <= now) {
            let values = [(":now", s(now.to_string()))];
            self.table
                .update_if(&ItemKey::api_key(id), "SET used_at = :now", "attribute_exists(pk)", &values)
                .await?;
        }
        Ok(Some(known.sender))
    }

    /// Takes one request of a sender; where there is none left, the seconds until there is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Takes one of the doses of a person (its index key) that a sender may report in a day;
    /// `false` where there is none left.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn take_dose(
        &self,
        sender: &Sender,
        person: &PersonKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let subject = format!("{}\u{1f}{}", sender.tagged(), person.as_str());
        Ok(matches!(self.rates.take(&OF_PERSON, &subject, now).await?, Taken::Now(_)))
    }

    /// The job of what a sender sent. The same sent again is the same job, so that it is answered the same.
    pub fn job(&self, sender: &Sender, sent: &[u8]) -> String {
        self.keys.job(&sender.tagged(), sent)
    }

    async fn find(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        self.table.get(&ItemKey::api_key(id)).await?.map(|item| from_item(item, "API key")).transpose()
    }
}

//! Accounts and sessions.

use bukti_domain::PhoneNumber;
use bukti_records::{ItemKey, Keys, Partition, PhoneKey, SessionKey, Token};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, n, s, to_item};
use crate::{Aws, StoreError};

/// The most sessions of a phone that are read: ten codes a day open them, and they end after half a day.
const MOST_SESSIONS: usize = 100;

/// A session ends when it was not used for so long.
const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// And after so long in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// A use is recorded when the last record of one is older than this: not every request costs a write.
const TOUCH_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What is known of who logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name given when the account was made, where one was.
    pub name: Option<String>,
    /// The last two digits of the phone.
    pub phone_hint: String,
    /// The phone, E.164; empty in what a Bukti of before kept.
    #[serde(default)]
    pub phone: String,
}

/// What somebody logged in with, as the owner of the phone is shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The browser's family; none where it is not known.
    pub browser: Option<String>,
    /// The operating system; none where it is not known.
    pub system: Option<String>,
}

/// A session of a phone, for its owner.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// By which it can be ended. It opens nothing.
    pub id: String,
    /// What it was opened with.
    pub device: Device,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
}

/// A session that is good. Only [`Sessions::find`] makes one: it proves who is logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session's id.
    pub session: String,
    phone: PhoneKey,
    /// Who it is.
    pub account: Account,
    second_factor: Option<String>,
}

impl Login {
    /// The index key of the phone logged in with.
    pub fn phone(&self) -> &PhoneKey {
        &self.phone
    }

    /// The [enrolment](bukti_records::Officer::enrolment) whose second factor an officer has shown in it.
    pub fn second_factor(&self) -> Option<&str> {
        self.second_factor.as_deref()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct AccountRecord {
    account: ByteBuf,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct SessionRecord {
    id: String,
    /// Not named `phone`, which is what the index of phones lists: doses only.
    phone_key: PhoneKey,
    account: ByteBuf,
    created_at: Timestamp,
    used_at: i64,
    /// Of an officer's session: the enrolment whose second factor was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_factor: Option<String>,
    expires_at: i64,
}

impl SessionRecord {
    fn used_at(&self) -> Timestamp {
        Timestamp::from_second(self.used_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second() && self.used_at() + IDLE > now
    }
}

/// The entry of a session in its phone's list.
#[derive(Debug, Serialize, Deserialize)]
struct ListedRecord {
    /// The session's id.
    id: String,
    /// The key of the session.
    session: SessionKey,
    device: ByteBuf,
    expires_at: i64,
}

/// Opens, finds, lists and ends sessions, and keeps the accounts behind them.
#[derive(Clone)]
pub struct Sessions {
    table: Table,
    keys: Keys,
}

impl Sessions {
    /// The sessions of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Opens a session for a phone whose code was right. A name given makes the account or renames it: the phone's owner
    /// has just shown who they are. Without one, the account stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open(
        &self,
        phone: &PhoneNumber,
        name: Option<String>,
        device: &Device,
        now: Timestamp,
    ) -> Result<(Token, Account), StoreError> {
        let phone_key = self.keys.phone(phone);
        let key = ItemKey::account(&phone_key);
        let known: Option<AccountRecord> =
            self.table.get(&key).await?.map(|item| from_item(item, "account")).transpose()?;
        let account = match (name, known) {
            (None, Some(known)) => self
                .keys
                .open(&key.field("account"), &known.account)
                .map_err(|_| StoreError::Corrupt("account"))?,
            (name, known) => {
                let account =
                    Account { name, phone_hint: phone.hint().to_owned(), phone: phone.e164().to_owned() };
                let record = AccountRecord {
                    account: self.seal(&key.field("account"), &account, now)?,
                    created_at: known.map_or(now, |known| known.created_at),
                };
                // Whoever writes last has shown the phone last: no condition is needed.
                self.table.put(to_item(&key, &record)?).await?;
                account
            }
        };

        let random = || Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()));
        let (token, id) = (random()?, random()?.secret().to_owned());
        let session = Keys::session(token.secret());
        let (key, listed_key) = (ItemKey::session(&session), ItemKey::listed_session(&phone_key, &id));
        let expires_at = (now + LONGEST).as_second();
        let listed = ListedRecord {
            session,
            device: self.seal(&listed_key.field("device"), device, now)?,
            expires_at,
            id: id.clone(),
        };
        let record = SessionRecord {
            id,
            phone_key,
            account: self.seal(&key.field("account"), &account, now)?,
            created_at: now,
            used_at: now.as_second(),
            second_factor: None,
            expires_at,
        };
        let is_new = "attribute_not_exists(pk)";
        let both = vec![
            self.table.putting(to_item(&key, &record)?, is_new, &[])?,
            self.table.putting(to_item(&listed_key, &listed)?, is_new, &[])?,
        ];
        if !self.table.transact(both).await? {
            return Err(StoreError::Corrupt("a random token is there already"));
        }
        Ok((token, account))
    }

    fn seal(&self, item: &str, value: &impl Serialize, now: Timestamp) -> Result<ByteBuf, StoreError> {
        self.keys
            .seal(item, value, now)
            .map(ByteBuf::from)
            .ok_or(StoreError::Corrupt("an account or a device cannot be sealed"))
    }

    /// The session of a token, if it is good.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Login>, StoreError> {
        let session = Keys::session(token);
        let Some(record) = self.record(&session).await?.filter(|record| record.is_good(now)) else {
            return Ok(None);
        };
        if record.used_at() + TOUCH_AFTER <= now {
            let values = [(":now", n(now.as_second()))];
            // Not for a session that was ended in between.
            self.table
                .update_if(&ItemKey::session(&session), "SET used_at = :now", "attribute_exists(pk)", &values)
                .await?;
        }
        let account = self
            .keys
            .open(&ItemKey::session(&session).field("account"), &record.account)
            .map_err(|_| StoreError::Corrupt("session"))?;
        Ok(Some(Login {
            session: record.id,
            phone: record.phone_key,
            account,
            second_factor: record.second_factor,
        }))
    }

    /// Records in the session of this token that the second factor of an enrolment was verified;
    /// `false` where the session has ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn second_factor(&self, token: &str, enrolment: &str) -> Result<bool, StoreError> {
        let (session, values) = (Keys::session(token), [(":enrolment", s(enrolment))]);
        let update = "SET second_factor = :enrolment";
        Ok(self
            .table
            .update_if(&ItemKey::session(&session), update, "attribute_exists(pk)", &values)
            .await?
            .is_some())
    }

    async fn record(&self, session: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.table.get(&ItemKey::session(session)).await?.map(|item| from_item(item, "session")).transpose()
    }

    /// The sessions of a phone (its index key) that are good, the last used first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_phone_key(
        &self,
        phone: &PhoneKey,
        now: Timestamp,
    ) -> Result<Vec<OpenSession>, StoreError> {
        let mut sessions = Vec::new();
        for item in self.table.partition_first(&Partition::sessions(phone), MOST_SESSIONS).await?.items {
            let listed: ListedRecord = from_item(item, "session in the list")?;
            let record = self.record(&listed.session).await?;
            let Some(record) = record.filter(|record| record.is_good(now)) else { continue };
            let device =
                self.keys.open(&ItemKey::listed_session(phone, &listed.id).field("device"), &listed.device);
            let device = device.map_err(|_| StoreError::Corrupt("session in the list"))?;
            let used_at = record.used_at();
            sessions.push(OpenSession { id: record.id, device, created_at: record.created_at, used_at });
        }
        sessions.sort_by_key(|session| std::cmp::Reverse((session.used_at, session.created_at)));
        Ok(sessions)
    }

    /// Ends a session of a phone (its index key); `false` where it has none of this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end(&self, phone: &PhoneKey, id: &str) -> Result<bool, StoreError> {
        let key = ItemKey::listed_session(phone, id);
        let Some(item) = self.table.get(&key).await? else { return Ok(false) };
        let listed: ListedRecord = from_item(item, "session in the list")?;
        // The session first: whatever breaks off here, it has ended.
        self.table.delete(&ItemKey::session(&listed.session)).await?;
        self.table.delete(&key).await?;
        Ok(true)
    }

    /// Ends the session of a token, where there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_by_token(&self, token: &str) -> Result<(), StoreError> {
        let session = Keys::session(token);
        let Some(record) = self.record(&session).await? else { return Ok(()) };
        self.table.delete(&ItemKey::session(&session)).await?;
        self.table.delete(&ItemKey::listed_session(&record.phone_key, &record.id)).await
    }
}

//! The accounts of phones, and their sessions.

use bukti_domain::PhoneNumber;
use bukti_records::{ItemKey, Keys, Partition, PhoneKey, SessionKey, Token};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, n, s, to_item};
use crate::{Aws, StoreError};

/// The maximum number of sessions of a phone that are read. A phone cannot have more: each session
/// needs a one-time code, of which a phone gets at most 20 a day, and expires after half a day.
const MAX_SESSIONS: usize = 100;

/// The idle time after which a session expires.
const IDLE_TIMEOUT: SignedDuration = SignedDuration::from_mins(30);
/// The maximum duration of a session, however active it is.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(12);
/// The minimum interval between two writes of a session's last use, so that most requests write
/// nothing.
const TOUCH_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The account of a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name that was given at log-in, if any.
    pub name: Option<String>,
    /// The last two digits of the phone number.
    pub phone_hint: String,
    /// The phone number in E.164; empty in records of earlier versions.
    #[serde(default)]
    pub phone: String,
}

/// The device of a session, as shown to the owner of the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The browser family; `None` if unknown.
    pub browser: Option<String>,
    /// The operating system; `None` if unknown.
    pub system: Option<String>,
}

/// A session of a phone, as shown to its owner.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The session's id, with which it can be ended, but not used.
    pub id: String,
    /// The device from which the session was opened.
    pub device: Device,
    /// When the session was opened.
    pub created_at: Timestamp,
    /// When the session was last used, with a precision of one minute.
    pub used_at: Timestamp,
}

/// A valid session. Only [`Sessions::find`] creates this type, so a value proves that the caller is
/// logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session's id, which is not its secret token.
    pub session: String,
    phone: PhoneKey,
    /// The account of the phone that is logged in.
    pub account: Account,
    second_factor: Option<String>,
}

impl Login {
    /// The index key of the phone that is logged in.
    pub fn phone(&self) -> &PhoneKey {
        &self.phone
    }

    /// The [enrolment](bukti_records::Officer::enrolment) whose second factor was verified in this
    /// session.
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
    /// Not named `phone`, because the index of phones lists all items that have this attribute.
    phone_key: PhoneKey,
    account: ByteBuf,
    created_at: Timestamp,
    used_at: i64,
    /// In an officer's session, the enrolment whose second factor was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second_factor: Option<String>,
    expires_at: i64,
}

impl SessionRecord {
    fn used_at(&self) -> Timestamp {
        Timestamp::from_second(self.used_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second() && self.used_at() + IDLE_TIMEOUT > now
    }
}

/// The entry of a session in the session list of its phone.
#[derive(Debug, Serialize, Deserialize)]
struct ListedRecord {
    /// The public id of the session.
    id: String,
    /// The key under which the session is stored.
    session: SessionKey,
    device: ByteBuf,
    expires_at: i64,
}

/// Opens, finds, lists and ends sessions, and stores accounts.
#[derive(Clone)]
pub struct Sessions {
    table: Table,
    keys: Keys,
}

impl Sessions {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Opens a session for a phone. Call this only after a correct code, since it creates the
    /// account or renames it if a name is given. Without a name, an existing account does not
    /// change.
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
                // No condition is needed: every caller has just verified the phone, so the last
                // write may win.
                self.table.put(to_item(&key, &record)?).await?;
                account
            }
        };

        let random = || Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()));
        let (token, id) = (random()?, random()?.secret().to_owned());
        let session = Keys::session(token.secret());
        let (key, listed_key) = (ItemKey::session(&session), ItemKey::listed_session(&phone_key, &id));
        let expires_at = (now + MAX_DURATION).as_second();
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
            return Err(StoreError::Corrupt("a random token already exists"));
        }
        Ok((token, account))
    }

    fn seal(&self, item: &str, value: &impl Serialize, now: Timestamp) -> Result<ByteBuf, StoreError> {
        self.keys
            .seal(item, value, now)
            .map(ByteBuf::from)
            .ok_or(StoreError::Corrupt("an account or a device cannot be sealed"))
    }

    /// The valid session with this token; `None` if the token is unknown or the session has
    /// expired. Records the use of the session.
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Login>, StoreError> {
        let session = Keys::session(token);
        let Some(record) = self.record(&session).await?.filter(|record| record.is_valid(now)) else {
            return Ok(None);
        };
        if record.used_at() + TOUCH_AFTER <= now {
            let values = [(":now", n(now.as_second()))];
            // The condition prevents recreating a session that was ended concurrently.
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

    /// Records that the second factor of an enrolment was verified in the session with this token;
    /// `false` if the session has ended.
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

    /// The valid sessions of a phone (its index key), most recently used first.
    pub async fn of_phone_key(
        &self,
        phone: &PhoneKey,
        now: Timestamp,
    ) -> Result<Vec<OpenSession>, StoreError> {
        let mut sessions = Vec::new();
        for item in self.table.partition_first(&Partition::sessions(phone), MAX_SESSIONS).await?.items {
            let listed: ListedRecord = from_item(item, "session in the list")?;
            let record = self.record(&listed.session).await?;
            let Some(record) = record.filter(|record| record.is_valid(now)) else { continue };
            let device =
                self.keys.open(&ItemKey::listed_session(phone, &listed.id).field("device"), &listed.device);
            let device = device.map_err(|_| StoreError::Corrupt("session in the list"))?;
            let used_at = record.used_at();
            sessions.push(OpenSession { id: record.id, device, created_at: record.created_at, used_at });
        }
        sessions.sort_by_key(|session| std::cmp::Reverse((session.used_at, session.created_at)));
        Ok(sessions)
    }

    /// Ends a session of a phone (its index key); `false` if the phone has no session with this id.
    pub async fn end(&self, phone: &PhoneKey, id: &str) -> Result<bool, StoreError> {
        let key = ItemKey::listed_session(phone, id);
        let Some(item) = self.table.get(&key).await? else { return Ok(false) };
        let listed: ListedRecord = from_item(item, "session in the list")?;
        // Delete the session before its list entry, so that it has ended even if the process dies
        // between the two.
        self.table.delete(&ItemKey::session(&listed.session)).await?;
        self.table.delete(&key).await?;
        Ok(true)
    }

    /// Ends the session with this token. Does nothing if there is none.
    pub async fn end_by_token(&self, token: &str) -> Result<(), StoreError> {
        let session = Keys::session(token);
        let Some(record) = self.record(&session).await? else { return Ok(()) };
        self.table.delete(&ItemKey::session(&session)).await?;
        self.table.delete(&ItemKey::listed_session(&record.phone_key, &record.id)).await
    }
}

//! Accounts and sessions.

use bukti_domain::PhoneNumber;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, n, to_item};
use crate::{Aws, Keys, StoreError, Token};

const ACCOUNT: &str = "ACCOUNT";
const SESSION: &str = "SESSION";

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
}

/// A session that is good.
#[derive(Clone, Debug)]
pub struct Login {
    /// The index key of the phone logged in with.
    pub phone: String,
    /// Who it is.
    pub account: Account,
}

#[derive(Debug, Serialize, Deserialize)]
struct AccountRecord {
    account: ByteBuf,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct SessionRecord {
    /// Not named `phone`, which is what the index of phones lists: doses only.
    phone_key: String,
    account: ByteBuf,
    created_at: Timestamp,
    used_at: i64,
    expires_at: i64,
}

/// Opens, finds and ends sessions, and keeps the accounts behind them.
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
        now: Timestamp,
    ) -> Result<(Token, Account), StoreError> {
        let phone_key = self.keys.phone(phone);
        let pk = format!("A#{phone_key}");
        let known: Option<AccountRecord> =
            self.table.get(&pk, ACCOUNT).await?.map(|item| from_item(item, "account")).transpose()?;
        let account = match (name, known) {
            (None, Some(known)) => self
                .keys
                .open(&format!("{pk} {ACCOUNT}"), &known.account)
                .map_err(|_| StoreError::Corrupt("account"))?,
            (name, known) => {
                let account = Account { name, phone_hint: phone.hint().to_owned() };
                let record = AccountRecord {
                    account: self.seal(&format!("{pk} {ACCOUNT}"), &account)?,
                    created_at: known.map_or(now, |known| known.created_at),
                };
                // Whoever writes last has shown the phone last: no condition is needed.
                self.table.put(to_item(&pk, ACCOUNT, &record)?).await?;
                account
            }
        };

        let token = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let pk = Keys::token("S#", token.secret());
        let record = SessionRecord {
            phone_key,
            account: self.seal(&format!("{pk} {SESSION}"), &account)?,
            created_at: now,
            used_at: now.as_second(),
            expires_at: (now + LONGEST).as_second(),
        };
        self.table.put_if(to_item(&pk, SESSION, &record)?, "attribute_not_exists(pk)", &[]).await?;
        Ok((token, account))
    }

    fn seal(&self, item: &str, account: &Account) -> Result<ByteBuf, StoreError> {
        self.keys
            .seal(item, account)
            .map(ByteBuf::from)
            .ok_or(StoreError::Corrupt("an account cannot be sealed"))
    }

    /// The session of a token, if it is good.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Login>, StoreError> {
        let pk = Keys::token("S#", token);
        let Some(item) = self.table.get(&pk, SESSION).await? else { return Ok(None) };
        let record: SessionRecord = from_item(item, "session")?;
        let used_at = Timestamp::from_second(record.used_at).unwrap_or(Timestamp::UNIX_EPOCH);
        if record.expires_at <= now.as_second() || used_at + IDLE <= now {
            return Ok(None);
        }
        if used_at + TOUCH_AFTER <= now {
            let values = [(":now", n(now.as_second()))];
            // Not for a session that was ended in between.
            self.table.update_if(&pk, SESSION, "SET used_at = :now", "attribute_exists(pk)", &values).await?;
        }
        let account = self
            .keys
            .open(&format!("{pk} {SESSION}"), &record.account)
            .map_err(|_| StoreError::Corrupt("session"))?;
        Ok(Some(Login { phone: record.phone_key, account }))
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end(&self, token: &str) -> Result<(), StoreError> {
        self.table.delete(&Keys::token("S#", token), SESSION).await
    }
}

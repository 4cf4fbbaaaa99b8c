//! The audit: who looked at whose record or changed it, when and why.
//!
//! An entry is written before what it tells of is done or shown: whatever breaks off, nothing happens that it does not have.
//! Entries are inserted by PartiQL, which never writes over one that is there; on AWS no function's role may do anything else
//! to them.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::Action;
use bukti_records::{
    CaseKey, ItemKey, KeyRange, Keys, NameKey, Officer, Partition, PersonKey, PhoneKey, Token,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Item, Table, from_item, least_of, to_item};
use crate::{Aws, StoreError};

/// Number of entries that this process has written: it orders entries with the same timestamp.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// The most entries about a person that are read.
const MOST_ENTRIES: usize = 1_000;

/// An entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which officer, by id and name.
    pub officer: PhoneKey,
    /// The officer's name.
    pub officer_name: String,
    /// What.
    pub action: Action,
    /// Whose record, by the person's index key; none where it is nobody's.
    pub person: Option<PersonKey>,
    /// Which case, by its key.
    pub case: Option<CaseKey>,
    /// Whose doses were seen or changed: their keys by name and birth date.
    pub names: Vec<NameKey>,
    /// Why, in the officer's words.
    pub why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryRecord {
    sk: String,
    at: Timestamp,
    officer: PhoneKey,
    action: Action,
    /// Lists it in the index of persons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<PersonKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    case: Option<CaseKey>,
    /// Two people may be recorded under one number, and each sees the looks at their own doses only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<NameKey>,
    words: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct Words {
    officer: String,
    why: String,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The person's index key.
    pub person: Option<&'a PersonKey>,
    /// The case's key.
    pub case: Option<&'a CaseKey>,
    /// Whose doses are seen or changed: their keys by name and birth date.
    pub names: &'a [NameKey],
    /// Why, in the officer's words.
    pub why: &'a str,
}

/// Writes and reads the audit.
#[derive(Clone)]
pub struct Audit {
    table: Table,
    keys: Keys,
}

impl Audit {
    /// The audit of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Writes an entry. What it tells of may be done once this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: then it must not be done.
    pub async fn write(
        &self,
        officer: &Officer,
        action: Action,
        about: About<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let random = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let day = day_of(now);
        // A request writes its entries one after the other, at one time.
        let order = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let order = format!("{:013} {order:010} {}", now.as_millisecond(), random.secret());
        let key = ItemKey::audit_entry(day, &order);
        let words = Words { officer: officer.name.clone(), why: about.why.to_owned() };
        let words = self.keys.seal(&key.field("words"), &words, now).map(ByteBuf::from);
        let record = EntryRecord {
            at: now,
            officer: officer.id.clone(),
            action,
            person: about.person.cloned(),
            case: about.case.cloned(),
            names: about.names.to_vec(),
            words: words.ok_or(StoreError::Corrupt("an entry of the audit cannot be sealed"))?,
            sk: order,
        };
        self.insert(to_item(&key, &record)?).await
    }

    async fn insert(&self, item: Item) -> Result<(), StoreError> {
        let (names, values): (Vec<String>, Vec<AttributeValue>) = item.into_iter().unzip();
        let names: Vec<String> = names.iter().map(|name| format!("'{name}': ?")).collect();
        let statement = format!("INSERT INTO \"{}\" VALUE {{{}}}", self.table.name, names.join(", "));
        let request = self.table.client.execute_statement().statement(statement);
        match request.set_parameters(Some(values)).send().await {
            Ok(_) => Ok(()),
            // Its key is random, so it is this one: the SDK has sent it twice, since an answer was lost.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_duplicate_item_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }

    /// The entries of a day (UTC), oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_day(&self, day: Date) -> Result<Vec<Entry>, StoreError> {
        let items = self.table.partition(&Partition::audit(day)).await?.into_iter();
        items.map(|item| self.open(from_item(item, "entry of the audit")?)).collect()
    }

    /// The entries about a person, newest first; at most the newest thousand.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person_key(&self, person: &PersonKey) -> Result<Vec<Entry>, StoreError> {
        let query = self.table.query("by_person", ("person", person.as_str()), KeyRange::AUDIT);
        let newest = |item: &Item| Some(std::cmp::Reverse(item.get("sk")?.as_s().ok()?.clone()));
        let found = least_of(query.scan_index_forward(false), MOST_ENTRIES, newest).await?;
        let records = found.items.into_iter().map(|item| from_item(item, "entry of the audit"));
        records.map(|record| self.open(record?)).collect()
    }

    fn open(&self, record: EntryRecord) -> Result<Entry, StoreError> {
        let words: Words = self
            .keys
            .open(&ItemKey::audit_entry(day_of(record.at), &record.sk).field("words"), &record.words)
            .map_err(|_| StoreError::Corrupt("entry of the audit"))?;
        Ok(Entry {
            at: record.at,
            officer: record.officer,
            officer_name: words.officer,
            action: record.action,
            person: record.person,
            case: record.case,
            names: record.names,
            why: words.why,
        })
    }
}

/// The day (UTC) whose partition has what was at this time, so that a span of time is read without the rest.
fn day_of(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

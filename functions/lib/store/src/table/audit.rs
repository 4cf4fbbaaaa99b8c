//! The audit log: who viewed or changed whose record, when, and why.
//!
//! Each entry is written before the action that it records, so that every action has an entry even
//! if the process dies. Entries are inserted with PartiQL, because its `INSERT` never overwrites an
//! item. On AWS, the roles of the functions permit no other writes to the log.

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

/// The number of entries that this process has written. It orders entries with equal timestamps.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// The maximum number of entries about a person that are read.
const MAX_ENTRIES: usize = 1_000;

/// An entry of the audit log, opened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the officer took the action.
    pub at: Timestamp,
    /// The id of the officer.
    pub officer: PhoneKey,
    /// The name of the officer at that time.
    pub officer_name: String,
    /// The action that the officer took.
    pub action: Action,
    /// The index key of the person whose record was viewed or changed, if any.
    pub person: Option<PersonKey>,
    /// The key of the case that the action belongs to, if any.
    pub case: Option<CaseKey>,
    /// The index keys of the names with birth dates whose doses were viewed or changed.
    pub names: Vec<NameKey>,
    /// The officer's reason, as entered.
    pub why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryRecord {
    sk: String,
    at: Timestamp,
    officer: PhoneKey,
    action: Action,
    /// Entries with this attribute are in the index of persons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<PersonKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    case: Option<CaseKey>,
    /// Two people may be recorded under one identity number. Each of them may see only the access
    /// to their own doses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<NameKey>,
    words: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct Words {
    officer: String,
    why: String,
}

/// The subject of an entry, and the reason for the action.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The index key of the person, if the action concerns one.
    pub person: Option<&'a PersonKey>,
    /// The key of the case, if the action belongs to one.
    pub case: Option<&'a CaseKey>,
    /// The index keys of the names with birth dates whose doses are viewed or changed.
    pub names: &'a [NameKey],
    /// The officer's reason, as entered.
    pub why: &'a str,
}

/// Writes and reads the audit log.
#[derive(Clone)]
pub struct Audit {
    table: Table,
    keys: Keys,
}

impl Audit {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Writes an entry. Take the action only after this has succeeded.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the entry may not have been written; then the action must not be taken.
    pub async fn write(
        &self,
        officer: &Officer,
        action: Action,
        about: About<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let random = Token::generate().ok_or_else(|| StoreError::Unavailable("no randomness".to_owned()))?;
        let day = day_of(now);
        // A request writes its entries one after the other, all with the same timestamp.
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
            words: words.ok_or(StoreError::Corrupt("an audit entry cannot be sealed"))?,
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
            // The sort key contains random text, so the existing item is this entry: the SDK sent
            // it again after a lost response.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_duplicate_item_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }

    /// The entries of a day in UTC, oldest first.
    pub async fn of_day(&self, day: Date) -> Result<Vec<Entry>, StoreError> {
        let items = self.table.partition(&Partition::audit(day)).await?.into_iter();
        items.map(|item| self.open(from_item(item, "entry of the audit")?)).collect()
    }

    /// The latest thousand entries about a person, newest first.
    pub async fn of_person_key(&self, person: &PersonKey) -> Result<Vec<Entry>, StoreError> {
        let query = self.table.query("by_person", ("person", person.as_str()), KeyRange::AUDIT);
        let newest = |item: &Item| Some(std::cmp::Reverse(item.get("sk")?.as_s().ok()?.clone()));
        let found = least_of(query.scan_index_forward(false), MAX_ENTRIES, newest).await?;
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

/// The UTC day that contains this time. Each day has its own partition, so that a period can be
/// read without the rest of the log.
fn day_of(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

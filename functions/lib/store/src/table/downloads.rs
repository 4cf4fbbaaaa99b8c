//! Quick download: who asked for a link to a certificate without an account, and for whom that is locked.
//!
//! Whoever asks is answered before anybody looks whether the facts are right: a request is one
//! write, the same for every number. Who reads the table's stream compares the facts, and sends the
//! link to the registered phone. Only there requests are counted, those that fit: whoever knows a
//! number alone uses up nothing of its owner's.

use bukti_domain::{BirthDate, Dose, Identity, PersonName};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::limit::{Count, DAY, Limit};
use crate::table::{self, Table, from_item, n, s, to_item};
use crate::{Aws, Keys, OpenError, StoreError};

const SK: &str = "DOWNLOAD";
const ADMITTED: &str = "ADMITTED";
const LOCK: &str = "LOCK";

/// Of the requests for one person whose facts fit.
const LIMIT: Limit =
    Limit { pause: SignedDuration::from_secs(Downloads::RESEND_AFTER as i64), per_day: Downloads::PER_DAY };

/// How long a request is worth an SMS. Somebody who gets one later does not know any more what it is about.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// What somebody says of one dose of a person, beside the person's number. Personal: for sealed fields only.
#[derive(Clone, Serialize, Deserialize)]
pub struct DownloadFacts {
    /// The name, as it was written.
    pub name: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// The vaccine's name in the catalogue.
    pub vaccine: String,
}

impl DownloadFacts {
    /// Whether all of them are what is known of this dose.
    pub fn fit(&self, dose: &Dose) -> bool {
        let said = PersonName::parse(&self.name);
        let same_name = said.zip(dose.name.as_ref()).is_some_and(|(said, known)| known.matches(&said));
        same_name
            && dose.birth_date.is_some_and(|known| known.is_matched_by(self.birth_date))
            && dose.vaccination_date == Some(self.vaccination_date)
            && dose.vaccine.is_some_and(|vaccine| vaccine.name == self.vaccine)
    }
}

/// The last request for a person, as it is kept. What is personal is in `facts`, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DownloadRecord {
    pub(crate) pk: String,
    /// When it was sent, Unix milliseconds: which of the person's requests it is.
    sent_at: i64,
    /// What was said, until it was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<ByteBuf>,
    expires_at: i64,
}

impl DownloadRecord {
    /// The index key of the person that it is for, whether there is one or not.
    pub fn person(&self) -> &str {
        self.pk.strip_prefix("Q#").unwrap_or(&self.pk)
    }

    /// When it ends: from then on it gets no SMS.
    pub fn ends(&self) -> Timestamp {
        self.time() + LIFETIME
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.sent_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// When it was sent, Unix milliseconds: which of the person's requests it is.
    pub(crate) fn sent_at(&self) -> i64 {
        self.sent_at
    }

    /// What was said; `None` once it was compared.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn facts(&self, keys: &Keys) -> Result<Option<DownloadFacts>, OpenError> {
        self.facts.as_ref().map(|sealed| keys.open(&item_key(&self.pk), sealed)).transpose()
    }

    /// A record from an item of the table's stream; `None` where the item is no request.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        table::from_image(image, SK)
    }
}

/// The last request for a person whose facts fit.
#[derive(Debug, Serialize, Deserialize)]
struct AdmittedRecord {
    #[serde(flatten)]
    count: Count,
    expires_at: i64,
}

fn partition(person: &str) -> String {
    format!("Q#{person}")
}

fn item_key(pk: &str) -> String {
    format!("{pk} {SK} facts")
}

/// Keeps requests for quick downloads, and for whom that is locked.
#[derive(Clone)]
pub struct Downloads {
    table: Table,
    keys: Keys,
}

impl Downloads {
    /// How long until a person gets another link, in seconds.
    pub const RESEND_AFTER: u32 = 5 * 60;
    /// How many links a person gets in a day.
    pub const PER_DAY: u32 = 3;

    /// The quick downloads of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Keeps a request. Nothing of it depends on whether anybody has this number. Whoever reads the
    /// table's stream gets each request, also one that another has replaced since.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn ask(
        &self,
        identity: &Identity,
        facts: &DownloadFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let pk = partition(&self.keys.person(identity));
        let facts = self.keys.seal(&item_key(&pk), facts).map(ByteBuf::from);
        let facts = Some(facts.ok_or(StoreError::Corrupt("a request cannot be sealed"))?);
        let expires_at = (now + DAY).as_second();
        let record = DownloadRecord { pk, sent_at: now.as_millisecond(), facts, expires_at };
        self.table.put(to_item(&record.pk, SK, &record)?).await
    }

    /// Decides whether a request whose facts fit gets a link: one in five minutes and three a day
    /// for a person, by when they were sent. The same request is admitted again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn admit(&self, request: &DownloadRecord) -> Result<bool, StoreError> {
        let last = self.table.get(&request.pk, ADMITTED).await?;
        let last: Option<AdmittedRecord> =
            last.map(|item| from_item(item, "admitted request")).transpose()?;
        if last.is_some_and(|last| last.count.sent_at == request.sent_at) {
            return Ok(true);
        }
        let now = request.time();
        let record = |count| Ok(AdmittedRecord { count, expires_at: (now + DAY).as_second() });
        Ok(LIMIT.put(&self.table, (&request.pk, ADMITTED), now, record).await?.is_none())
    }

    /// Forgets what was said in a request, unless another has come since.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget(&self, request: &DownloadRecord) -> Result<(), StoreError> {
        let values = [(":sent_at", n(request.sent_at))];
        self.table.update_if(&request.pk, SK, "REMOVE facts", "sent_at = :sent_at", &values).await?;
        Ok(())
    }

    /// Locks quick download for the person of this index key: requests are taken as before, and get no SMS. Only
    /// somebody who has spoken with the person unlocks it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn lock(&self, person: &str, now: Timestamp) -> Result<(), StoreError> {
        let values = [(":now", s(now.to_string()))];
        let (update, condition) = ("SET locked_at = :now", "attribute_not_exists(pk)");
        self.table.update_if(&partition(person), LOCK, update, condition, &values).await?;
        Ok(())
    }

    /// Unlocks quick download for the person of this index key; `false` where it was not locked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn unlock(&self, person: &str) -> Result<bool, StoreError> {
        let was_locked = self.is_locked(person).await?;
        self.table.delete(&partition(person), LOCK).await?;
        Ok(was_locked)
    }

    /// Whether quick download is locked for the person of this index key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_locked(&self, person: &str) -> Result<bool, StoreError> {
        Ok(self.table.get(&partition(person), LOCK).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use bukti_domain::FeedRow;
    use jiff::civil::date;

    use super::*;
    use crate::Secrets;
    use crate::signing::keys::tests::keys_of;

    fn facts() -> DownloadFacts {
        DownloadFacts {
            name: "iwan purnomo".to_owned(),
            birth_date: date(1989, 1, 24).into(),
            vaccination_date: date(2021, 1, 29),
            vaccine: "CoronaVac".to_owned(),
        }
    }

    #[test]
    fn all_facts_must_fit() {
        let row = FeedRow {
            nama: "Dr. Iwan Purnomo".to_owned(),
            tanggal_lahir: "1989-01-24".to_owned(),
            vaksin: "sinovac".to_owned(),
            tanggal_vaksinasi: "2021-01-29".to_owned(),
            ..FeedRow::default()
        };
        let dose = row.dose();
        assert!(facts().fit(&dose), "an alias of the vaccine, a title before the name");
        assert!(!DownloadFacts { name: "Iwan Purnama".to_owned(), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { birth_date: date(1989, 1, 25).into(), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { vaccination_date: date(2021, 1, 28), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { vaccine: "Moderna".to_owned(), ..facts() }.fit(&dose));
        // What is not known of a dose fits nothing.
        assert!(!facts().fit(&FeedRow::default().dose()));
    }

    #[test]
    fn a_record_goes_through_an_item_and_its_facts_open() {
        let keys = keys_of(&Secrets::generate().unwrap());
        let sealed = keys.seal(&item_key("Q#P#1"), &facts()).map(ByteBuf::from);
        let sent_at = 1_700_000_000_123;
        let record = DownloadRecord { pk: "Q#P#1".to_owned(), sent_at, facts: sealed, expires_at: 1 };
        let item = to_item(&record.pk, SK, &record).unwrap();
        assert!(!format!("{item:?}").contains("iwan"));
        assert_eq!(
            item["sent_at"],
            n(1_700_000_000_123_i64),
            "conditions are on attributes of the item itself"
        );
        assert!(!item.contains_key("person"), "the index of persons does not list it");
        let read: DownloadRecord = from_item(item, "request").unwrap();
        assert_eq!((read.sent_at, read.person()), (sent_at, "P#1"));
        assert_eq!(read.facts(&keys).unwrap().unwrap().name, "iwan purnomo");
    }
}

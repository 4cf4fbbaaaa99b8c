//! Doses: all that was said of one vaccination event, and which row of it counts.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use bukti_domain::feed::CompleteDose;
use bukti_domain::{
    BirthDate, Dose, FeedRow, HeldIdentity, History, Identity, IdentityData, Origin, PersonName, Reason,
    Verdict, Version,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::certificates::CertificateRecord;
use crate::confirmations::Confirmations;
use crate::table::{self, Item, RACES, Table, Written, from_item, key, n, s, to_item};
use crate::{Aws, Keys, OpenError, Sender, StoreError};

const SK: &str = "DOSE";

/// Doses of one name and birth date that are looked at: many people are called Siti and born on the first of January.
const MOST_ALIKE: usize = 20;

/// A dose as it is kept. What is personal is in `row`, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoseRecord {
    /// The event's key.
    pub pk: String,
    /// Which write this is, from 1: the condition of the next.
    pub revision: u32,
    /// The person's index key, where the identity number could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The phone's index key, where the phone is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Grows whenever the phone changes: links and SMS belong to one version.
    pub phone_version: u32,
    /// What the row that counts was judged to be.
    pub verdict: Verdict,
    /// And why.
    pub reasons: Vec<Reason>,
    /// Which dose, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_number: Option<u8>,
    /// The id of the certificate that the dose has or is to get; none unless it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// Grows whenever what the certificate shows changes.
    pub certificate_version: u32,
    /// Keyed digest of what the certificate of that version shows.
    pub certificate_digest: String,
    /// All rows of the event.
    pub history: History,
    /// When the row that counts came.
    pub received_at: Timestamp,
    /// The facility that said the event first, where that was by its own API key: others than a hub correct nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// What is the same for all doses with this name and birth date: for the helpdesk to find those under a mistyped number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<String>,
    /// Why this version of the phone has an SMS, where that is not for a first dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsReason>,
    /// When an admin last had whoever reads the table's stream look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// The row that counts, sealed.
    row: ByteBuf,
}

/// Why a person is told of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmsReason {
    /// It is that of a first dose.
    FirstDose,
    /// The helpdesk corrected the dose.
    Corrected,
    /// The helpdesk has it sent once more.
    Resent,
}

/// A dose as a correction leaves it.
pub(crate) struct Rewrite(DoseRecord);

impl Rewrite {
    pub(crate) fn verdict(&self) -> Verdict {
        self.0.verdict
    }
}

/// A row on its way into the table.
pub struct Incoming {
    row: FeedRow,
    event: String,
    version: Version,
    person: Option<String>,
    dose_number: Option<u8>,
    certificate_digest: String,
    alike: Option<String>,
    received_at: Timestamp,
    facility: Option<String>,
}

impl Incoming {
    /// Judges a row that came now, from `origin`. `None` where the row names no event or no time, by which
    /// it could be kept: then it can only be reported back.
    pub fn judge(row: FeedRow, origin: Origin, now: Timestamp, keys: &Keys) -> Option<Self> {
        let sent_at = row.sent()?;
        if row.event_id.trim().is_empty() {
            return None;
        }
        let (verdict, reasons) = row.judge(now);
        let dose = row.dose();
        let held = (verdict == Verdict::Held).then(|| IdentityData::of(&dose)).flatten().map(|data| {
            let (verdict, reasons) = row.judge_confirmed();
            HeldIdentity { digest: keys.identity_data(&data), verdict, reasons }
        });
        let version = Version {
            sent_at,
            digest: keys.row_digest(&row),
            verdict,
            reasons,
            held,
            phone: dose.phone.as_ref().map(|phone| keys.phone(phone)),
            origin,
        };
        let certificate_digest =
            dose.clone().complete().map(|dose| keys.certificate_digest(&shown(&dose))).unwrap_or_default();
        Some(Self {
            event: keys.event(&row.event_id),
            version,
            person: dose.identity.as_ref().map(|identity| keys.person(identity)),
            dose_number: dose.dose_number,
            certificate_digest,
            alike: dose.name.as_ref().zip(dose.birth_date).map(|(name, born)| keys.alike(name, born)),
            received_at: now,
            facility: None,
            row,
        })
    }

    /// The same, from this sender.
    #[must_use]
    pub fn of(self, sender: &Sender) -> Self {
        Self { facility: sender.facility().map(str::to_owned), ..self }
    }
}

/// The fields that a certificate shows, as an unambiguous text.
fn shown(dose: &CompleteDose) -> String {
    [
        &*dose.identity.tagged(),
        dose.name.text(),
        &dose.birth_date.to_string(),
        &dose.dose_number.to_string(),
        &dose.vaccine.name,
        &dose.batch,
        &dose.vaccination_date.to_string(),
        &dose.facility.code,
        &dose.facility.name,
    ]
    .join("\u{1f}")
}

impl DoseRecord {
    /// The sort key of doses.
    pub const SK: &str = SK;

    /// The record after a row came; `None` where nothing changes, since the row is known, or from who may not correct the event.
    fn after(
        record: Option<&DoseRecord>,
        incoming: &Incoming,
        keys: &Keys,
    ) -> Result<Option<Self>, StoreError> {
        if record.is_some_and(|record| record.is_anothers(incoming.facility.as_deref())) {
            return Ok(None);
        }
        let mut history = record.map(|record| record.history.clone()).unwrap_or_default();
        if !history.add(incoming.version.clone()) {
            return Ok(None);
        }
        let counts = history.current().is_some_and(|current| {
            current.digest == incoming.version.digest && current.sent_at == incoming.version.sent_at
        });
        if let Some(record) = record {
            let next = Self { history, revision: record.revision + 1, ..record.clone() };
            if !counts {
                return Ok(Some(next.with_person_of(incoming, keys)?));
            }
            if incoming.version.verdict == Verdict::Retracted {
                return Ok(Some(next.retracted(incoming)));
            }
            history = next.history;
        }

        let version = &incoming.version;
        let complete = version.verdict == Verdict::Complete;
        let (before_version, before_digest) =
            record.map_or((0, ""), |record| (record.certificate_version, &*record.certificate_digest));
        let changed = complete && before_digest != incoming.certificate_digest;
        let certificate_version = before_version + u32::from(changed);
        let certificate_digest =
            if complete { incoming.certificate_digest.clone() } else { before_digest.to_owned() };
        let phone_version = match record {
            Some(record) => record.phone_version + u32::from(record.phone != version.phone),
            None => 1,
        };
        Ok(Some(Self {
            pk: incoming.event.clone(),
            revision: record.map_or(0, |record| record.revision) + 1,
            person: incoming.person.clone(),
            phone: version.phone.clone(),
            phone_version,
            verdict: version.verdict,
            reasons: version.reasons.clone(),
            dose_number: incoming.dose_number,
            certificate_id: complete.then(|| keys.certificate_id(&incoming.event, certificate_version)),
            certificate_version,
            certificate_digest,
            history,
            received_at: incoming.received_at,
            facility: record.map_or(&incoming.facility, |record| &record.facility).clone(),
            alike: incoming.alike.clone(),
            sms: None,
            again_at: record.and_then(|record| record.again_at),
            row: sealed_row(incoming, keys)?,
        }))
    }

    /// The dose with these confirmations applied, given by the digests of the identity data that they cover; `None` where
    /// they change nothing.
    fn confirmed(&self, covered: &[String], keys: &Keys) -> Result<Option<Self>, StoreError> {
        let mut history = self.history.clone();
        if let Some(current) = history.current().filter(|current| current.verdict == Verdict::Held)
            && current.held.is_none()
        {
            // It was kept before held rows had a digest.
            let row = self.open(keys).map_err(|_| StoreError::Corrupt("dose"))?;
            let again = Incoming::judge(row, current.origin.clone(), self.received_at, keys);
            if let Some(again) = again {
                history.add(again.version);
            }
        }
        if !history.confirm(covered) {
            return Ok(None);
        }
        let mut next = Self { revision: self.revision + 1, ..self.clone() };
        // An earlier row of the event may be the one that is confirmed: then only the reports change.
        if let Some(current) = history.current().filter(|_| self.verdict == Verdict::Held) {
            next.verdict = current.verdict;
            next.reasons = current.reasons.clone();
        }
        if next.verdict == Verdict::Complete && self.verdict != Verdict::Complete {
            let dose = self.dose(keys).map_err(|_| StoreError::Corrupt("dose"))?;
            let dose =
                dose.complete().ok_or(StoreError::Corrupt("a dose that is complete lacks something"))?;
            let digest = keys.certificate_digest(&shown(&dose));
            next.certificate_version += u32::from(digest != self.certificate_digest);
            next.certificate_digest = digest;
            next.certificate_id = Some(keys.certificate_id(&next.pk, next.certificate_version));
        }
        Ok(Some(Self { history, ..next }))
    }

    /// The dose after its event was taken back. What it said stays, so that its person finds it and learns why; its links are
    /// dead, and a later row that says it again gets another certificate.
    fn retracted(self, incoming: &Incoming) -> Self {
        Self {
            verdict: Verdict::Retracted,
            reasons: incoming.version.reasons.clone(),
            certificate_id: None,
            certificate_digest: String::new(),
            phone_version: self.phone_version + 1,
            received_at: incoming.received_at,
            sms: None,
            ..self
        }
    }

    /// The dose of an event that was taken back before anybody had said whose it was, once an earlier row that says it has come.
    fn with_person_of(self, incoming: &Incoming, keys: &Keys) -> Result<Self, StoreError> {
        if self.verdict != Verdict::Retracted || self.person.is_some() || incoming.person.is_none() {
            return Ok(self);
        }
        Ok(Self {
            person: incoming.person.clone(),
            phone: incoming.version.phone.clone(),
            dose_number: incoming.dose_number,
            alike: incoming.alike.clone(),
            row: sealed_row(incoming, keys)?,
            ..self
        })
    }

    /// The dose after a correction that counts from now on; its links are dead, its certificate is made anew, and its phone is
    /// told. `None` where nothing
    /// would change.
    fn rewritten(
        record: Option<&DoseRecord>,
        row: FeedRow,
        origin: Origin,
        now: Timestamp,
        covered: &[String],
        keys: &Keys,
    ) -> Result<Option<Rewrite>, StoreError> {
        // After all that was said before, whatever the senders' clocks say.
        let latest = record.and_then(|record| record.history.current()).map(|current| current.sent_at);
        let sent_at = latest.map_or(now, |latest| now.max(latest + jiff::SignedDuration::from_secs(1)));
        let row = FeedRow { sent_at: sent_at.to_string(), ..row };
        let Some(incoming) = Incoming::judge(row, origin, now, keys) else { return Ok(None) };
        let Some(mut next) = Self::after(record, &incoming, keys)? else { return Ok(None) };
        if let Some(confirmed) = next.confirmed(covered, keys)? {
            next = Self { revision: next.revision, ..confirmed };
        }
        if let Some(record) = record {
            // Also where the certificate shows the same as before: somebody else may hold it.
            if next.certificate_id.is_some() && next.certificate_version == record.certificate_version {
                next.certificate_version += 1;
                next.certificate_id = Some(keys.certificate_id(&next.pk, next.certificate_version));
            }
            next.phone_version = record.phone_version + 1;
        }
        next.sms = Some(SmsReason::Corrected);
        Ok(Some(Rewrite(next)))
    }

    /// Whether this facility may not correct the event, since another sender said it first. `None` is a hub, which may.
    pub fn is_anothers(&self, facility: Option<&str>) -> bool {
        facility.is_some() && self.facility.as_deref() != facility
    }

    /// The ids of the certificates that all versions of the dose got, whether or not those were issued.
    pub fn all_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The ids of the certificates that earlier versions of the dose got, whether or not those were issued.
    pub fn earlier_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The id of the certificate of the latest version that was complete, also where the dose is not now; `None` where it
    /// never was.
    pub fn latest_certificate(&self, keys: &Keys) -> Option<String> {
        let version = self.certificate_version;
        (version > 0).then(|| keys.certificate_id(&self.pk, version))
    }

    /// What is the same in all logs about this event, from its rows to its SMS: the beginning of its key, a keyed hash.
    pub fn trace(&self) -> &str {
        self.pk.strip_prefix("E#").and_then(|hash| hash.get(..12)).unwrap_or_default()
    }

    /// The row that counts.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn open(&self, keys: &Keys) -> Result<FeedRow, OpenError> {
        keys.open(&item_key(&self.pk), &self.row)
    }

    /// What the row that counts says.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn dose(&self, keys: &Keys) -> Result<Dose, OpenError> {
        Ok(self.open(keys)?.dose())
    }

    /// A record from an item of the table or of its stream; `None` where the item is no dose.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        table::from_image(image, SK)
    }
}

fn sealed_row(incoming: &Incoming, keys: &Keys) -> Result<ByteBuf, StoreError> {
    let row = keys.seal(&item_key(&incoming.event), &incoming.row);
    row.map(ByteBuf::from).ok_or(StoreError::Corrupt("a dose cannot be sealed"))
}

/// The table's keys of the doses of these events, each once.
fn table_keys<'a>(events: impl IntoIterator<Item = &'a str>) -> Vec<Item> {
    let events: BTreeSet<&str> = events.into_iter().collect();
    events.into_iter().map(|event| key(event, SK)).collect()
}

fn item_key(event: &str) -> String {
    format!("{event} {SK} row")
}

/// All doses and certificates of a person.
#[derive(Debug, Default)]
pub struct PersonRecords {
    /// The doses, also those of events whose data are not in order.
    pub doses: Vec<DoseRecord>,
    /// The certificates, also superseded ones.
    pub certificates: Vec<CertificateRecord>,
}

impl PersonRecords {
    /// The certificate of a dose as it is now.
    pub fn certificate_of(&self, dose: &DoseRecord) -> Option<&CertificateRecord> {
        let id = dose.certificate_id.as_ref()?;
        self.certificates.iter().find(|certificate| certificate.certificate_id() == id)
    }
}

/// Reads and keeps doses.
#[derive(Clone)]
pub struct Doses {
    table: Table,
    keys: Keys,
    confirmations: Confirmations,
}

impl Doses {
    /// The doses of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone(), confirmations: Confirmations::new(aws) }
    }

    /// Keeps a row, and gives the record of its event. When this returns, the row is in the table, once, whoever else writes
    /// the same event; but where [another](DoseRecord::is_anothers) said the event, it is not.
    ///
    /// The first row of an event costs one write. The condition fails where there is one already, and its answer brings
    /// the record that the row is then added to.
    ///
    /// A row that is held is issued at once where the person's data are confirmed. The confirmations are read after the row is
    /// written, so that none is missed that is granted meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the row may then be kept or not, and can be sent again.
    pub async fn keep(&self, incoming: &Incoming) -> Result<DoseRecord, StoreError> {
        let record = self.keep_row(incoming).await?;
        match &incoming.person {
            Some(person) if incoming.version.held.is_some() => {
                let covered = self.confirmations.covered(person).await?;
                self.confirm(record, &covered).await
            }
            _ => Ok(record),
        }
    }

    /// Issues a dose that is held, where the person's data are confirmed; gives the dose as it is then.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it can be called again.
    pub async fn confirm_held(&self, record: DoseRecord) -> Result<DoseRecord, StoreError> {
        match &record.person {
            Some(person) if record.verdict == Verdict::Held => {
                let covered = self.confirmations.covered(person).await?;
                self.confirm(record, &covered).await
            }
            _ => Ok(record),
        }
    }

    /// Issues all doses of a person that are held for data that are confirmed. Each dose is a write of its own: after an
    /// error, calling it again does the rest.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some doses may be issued then.
    pub async fn confirm_all_held(&self, person: &str) -> Result<(), StoreError> {
        let covered = self.confirmations.covered(person).await?;
        for record in self.of_person_key(person).await?.doses {
            self.confirm(record, &covered).await?;
        }
        Ok(())
    }

    /// The doses of a person that are held and that a confirmation of these data covers.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) async fn held_for(
        &self,
        person: &str,
        data: &IdentityData,
    ) -> Result<Vec<(DoseRecord, FeedRow)>, StoreError> {
        let covered = data.covered();
        let mut held = Vec::new();
        for record in self.of_person_key(person).await?.doses {
            if record.verdict == Verdict::Held {
                let row = record.open(&self.keys).map_err(|_| StoreError::Corrupt("dose"))?;
                if IdentityData::of(&row.dose()).is_some_and(|data| covered.contains(&data)) {
                    held.push((record, row));
                }
            }
        }
        Ok(held)
    }

    /// Applies confirmations to a dose, whoever else writes it meanwhile; gives the dose as it is then.
    async fn confirm(&self, record: DoseRecord, covered: &[String]) -> Result<DoseRecord, StoreError> {
        let mut record = record;
        if covered.is_empty() {
            return Ok(record);
        }
        for _ in 0..RACES {
            let Some(next) = record.confirmed(covered, &self.keys)? else { return Ok(record) };
            let values = [(":revision", n(record.revision))];
            let item = to_item(&next.pk, SK, &next)?;
            record = match self.table.put_if(item, "revision = :revision", &values).await? {
                Written::Done => return Ok(next),
                Written::Refused(Some(item)) => from_item(item, "dose")?,
                Written::Refused(None) => match self.of_event(&next.pk).await? {
                    Some(record) => record,
                    None => return Err(StoreError::Corrupt("dose")),
                },
            };
        }
        Err(StoreError::Unavailable("too many writers of one event".to_owned()))
    }

    /// The dose after a correction by the helpdesk, which counts from now on: its links are dead, its certificate is made
    /// anew, and its phone is told. `None` where nothing would change.
    pub(crate) async fn rewritten(
        &self,
        record: Option<&DoseRecord>,
        row: FeedRow,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<Rewrite>, StoreError> {
        let data = IdentityData::of(&row.dose()).filter(|data| !data.contradictions().is_empty());
        let covered = match data {
            Some(data) => self.confirmations.covered(&self.keys.person(&Identity::Nik(data.nik))).await?,
            None => Vec::new(),
        };
        DoseRecord::rewritten(record, row, origin, now, &covered, &self.keys)
    }

    async fn keep_row(&self, incoming: &Incoming) -> Result<DoseRecord, StoreError> {
        let mut known: Option<DoseRecord> = None;
        for _ in 0..RACES {
            let Some(next) = DoseRecord::after(known.as_ref(), incoming, &self.keys)? else {
                return known.ok_or(StoreError::Corrupt("dose"));
            };
            let item = to_item(&next.pk, SK, &next)?;
            let written = match &known {
                None => self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?,
                Some(known) => {
                    self.table
                        .put_if(item, "revision = :revision", &[(":revision", n(known.revision))])
                        .await?
                }
            };
            known = match written {
                Written::Done => return Ok(next),
                Written::Refused(Some(item)) => Some(from_item(item, "dose")?),
                Written::Refused(None) => self.of_event(&incoming.event).await?,
            };
        }
        Err(StoreError::Unavailable("too many writers of one event".to_owned()))
    }

    /// Part of a transaction: writes a dose as a correction leaves it, where it is what it was. With the event's key.
    pub(crate) fn writing(
        &self,
        record: Option<&DoseRecord>,
        rewrite: &Rewrite,
    ) -> Result<(String, TransactWriteItem), StoreError> {
        let next = &rewrite.0;
        let item = to_item(&next.pk, SK, next)?;
        let writing = match record {
            None => self.table.putting(item, "attribute_not_exists(pk)", &[])?,
            Some(record) => {
                self.table.putting(item, "revision = :revision", &[(":revision", n(record.revision))])?
            }
        };
        Ok((next.pk.clone(), writing))
    }

    /// Has the link to a dose's certificate sent once more, by whoever reads the table's stream; links that were sent before
    /// are dead. `false` where the dose has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn resend(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        let next = DoseRecord {
            revision: record.revision + 1,
            phone_version: record.phone_version + 1,
            sms: Some(SmsReason::Resent),
            ..record.clone()
        };
        let values = [(":revision", n(record.revision))];
        let written =
            self.table.put_if(to_item(&next.pk, SK, &next)?, "revision = :revision", &values).await?;
        Ok(matches!(written, Written::Done))
    }

    /// Has whoever reads the table's stream look at a dose again, for what was set aside there. `false` where it has changed
    /// meanwhile, and so is looked at anyway.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn bring_again(&self, record: &DoseRecord, now: Timestamp) -> Result<bool, StoreError> {
        let values = [(":now", s(now.to_string())), (":revision", n(record.revision))];
        let update = "SET again_at = :now";
        Ok(self.table.update_if(&record.pk, SK, update, "revision = :revision", &values).await?.is_some())
    }

    /// Has the certificate of a dose issued anew, since what it says of other doses is no longer right; its holder is not told
    /// again. `false` where the dose has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reissue(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        let certificate_version = record.certificate_version + 1;
        let next = DoseRecord {
            revision: record.revision + 1,
            certificate_id: Some(self.keys.certificate_id(&record.pk, certificate_version)),
            certificate_version,
            ..record.clone()
        };
        let item = to_item(&next.pk, SK, &next)?;
        let written =
            self.table.put_if(item, "revision = :revision", &[(":revision", n(record.revision))]).await?;
        Ok(matches!(written, Written::Done))
    }

    /// The doses with this name and birth date, whatever number they are under; at most twenty.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn alike(
        &self,
        name: &PersonName,
        birth_date: BirthDate,
    ) -> Result<Vec<DoseRecord>, StoreError> {
        #[derive(Deserialize)]
        struct Found {
            pk: String,
        }
        let items = self.table.query("by_alike", "alike", &self.keys.alike(name, birth_date)).await?;
        let mut doses = Vec::new();
        for item in items.into_iter().take(MOST_ALIKE) {
            let found: Found = from_item(item, "dose in the index")?;
            doses.extend(self.of_event(&found.pk).await?);
        }
        Ok(doses)
    }

    /// The dose of an event's key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_event(&self, event: &str) -> Result<Option<DoseRecord>, StoreError> {
        self.table.get(event, SK).await?.map(|item| from_item(item, "dose")).transpose()
    }

    /// The doses of many events, by the event's key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_events<'a>(
        &self,
        events: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, DoseRecord>, StoreError> {
        let items = self.table.get_all(table_keys(events), None).await?;
        let dose = |item| from_item(item, "dose").map(|dose: DoseRecord| (dose.pk.clone(), dose));
        items.into_iter().map(dose).collect()
    }

    /// The histories of many events, by the event's key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn histories<'a>(
        &self,
        events: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<(String, History)>, StoreError> {
        #[derive(Deserialize)]
        struct Said {
            pk: String,
            history: History,
        }
        let items = self.table.get_all(table_keys(events), Some("pk, history")).await?;
        let said = |item| from_item(item, "dose").map(|said: Said| (said.pk, said.history));
        items.into_iter().map(said).collect()
    }

    /// Doses and certificates of the person with this identity number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person(&self, identity: &Identity) -> Result<PersonRecords, StoreError> {
        self.of_person_key(&self.keys.person(identity)).await
    }

    /// Doses and certificates of the person with this index key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person_key(&self, person: &str) -> Result<PersonRecords, StoreError> {
        let mut records = PersonRecords::default();
        // From certificates (C#) to events (E#): not cases and entries of the audit.
        for item in self.table.query_between("by_person", ("person", person), ("C#", "E#~")).await? {
            match item.get("sk").and_then(|sk: &AttributeValue| sk.as_s().ok()).map(String::as_str) {
                Some(SK) => records.doses.push(from_item(item, "dose")?),
                Some(crate::certificates::SK) => records.certificates.push(from_item(item, "certificate")?),
                _ => {}
            }
        }
        records.doses.sort_by(|one, other| (one.dose_number, &one.pk).cmp(&(other.dose_number, &other.pk)));
        Ok(records)
    }

    /// The doses that were registered with this phone, by its index key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_phone_key(&self, phone: &str) -> Result<Vec<DoseRecord>, StoreError> {
        let items = self.table.query("by_phone", "phone", phone).await?;
        items.into_iter().map(|item| from_item(item, "dose")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;
    use crate::keys::tests::keys_of;

    fn keys() -> Keys {
        keys_of(&Secrets::generate().unwrap())
    }

    fn row(sent_at: &str, phone: &str, batch: &str) -> FeedRow {
        FeedRow::from_fields([
            "E1",
            sent_at,
            "3171012401896246",
            "",
            "Iwan",
            "1989-01-24",
            "L",
            phone,
            "1",
            "CoronaVac",
            batch,
            "2021-01-29",
            "P1",
            "Puskesmas",
            "",
        ])
    }

    fn keep(record: Option<DoseRecord>, row: FeedRow, keys: &Keys) -> Option<DoseRecord> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let origin = Origin { job: "job".to_owned(), line: 2 };
        let incoming = Incoming::judge(row, origin, now, keys).unwrap();
        DoseRecord::after(record.as_ref(), &incoming, keys).unwrap()
    }

    #[test]
    fn a_corrected_phone_keeps_the_certificate_and_kills_the_link() {
        let keys = keys();
        let first = keep(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
        assert_eq!((first.certificate_version, first.phone_version), (1, 1));
        let second =
            keep(Some(first.clone()), row("2021-01-30T10:00:00+07:00", "081234567891", "B1"), &keys).unwrap();
        assert_eq!((second.certificate_version, second.phone_version), (1, 2));
        assert_eq!(second.certificate_id, first.certificate_id);
        let third =
            keep(Some(second), row("2021-01-31T10:00:00+07:00", "081234567891", "B2"), &keys).unwrap();
        assert_eq!((third.certificate_version, third.phone_version), (2, 2));
        assert_ne!(third.certificate_id, first.certificate_id);
    }

    #[test]
    fn a_row_that_comes_late_changes_the_history_only() {
        let keys = keys();
        let newer = keep(None, row("2021-01-30T10:00:00+07:00", "081234567891", "B1"), &keys).unwrap();
        let late =
            keep(Some(newer.clone()), row("2021-01-29T10:00:00+07:00", "081234567890", ""), &keys).unwrap();
        assert_eq!(late.verdict, Verdict::Complete);
        assert_eq!((late.certificate_id, late.phone), (newer.certificate_id, newer.phone));
        assert_ne!(late.history, newer.history);
    }

    #[test]
    fn the_same_row_again_changes_nothing() {
        let keys = keys();
        let first = keep(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
        assert!(keep(Some(first), row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).is_none());
    }

    /// A held row: the NIK of a man born in 1989, and the data of a woman born in 1990.
    fn held_row(sent_at: &str, batch: &str) -> FeedRow {
        FeedRow {
            tanggal_lahir: "1990-01-24".into(),
            jenis_kelamin: "P".into(),
            ..row(sent_at, "081234567890", batch)
        }
    }

    fn covered_by(row: &FeedRow, keys: &Keys) -> Vec<String> {
        let data = IdentityData::of(&row.dose()).unwrap();
        data.covered().iter().map(|data| keys.identity_data(data)).collect()
    }

    #[test]
    fn confirmation_gives_held_dose_a_certificate() {
        let keys = keys();
        let row = held_row("2021-01-29T10:00:00+07:00", "B1");
        let held = keep(None, row.clone(), &keys).unwrap();
        assert_eq!((held.verdict, &held.certificate_id), (Verdict::Held, &None));
        let covered = covered_by(&row, &keys);
        let issued = held.confirmed(&covered, &keys).unwrap().unwrap();
        assert_eq!((issued.verdict, issued.reasons.len(), issued.revision), (Verdict::Complete, 0, 2));
        assert_eq!(issued.certificate_id, Some(keys.certificate_id(&held.pk, 1)));
        assert!(issued.confirmed(&covered, &keys).unwrap().is_none(), "applied twice, it changes nothing");
        assert!(keep(Some(issued.clone()), row, &keys).is_none(), "the same row again is not held again");
        // A corrected row of the event gets its own certificate.
        let corrected = held_row("2021-01-30T10:00:00+07:00", "B2");
        let held = keep(Some(issued), corrected, &keys).unwrap();
        assert_eq!(held.verdict, Verdict::Held);
        let issued = held.confirmed(&covered, &keys).unwrap().unwrap();
        assert_eq!((issued.verdict, issued.certificate_version), (Verdict::Complete, 2));
    }

    #[test]
    fn confirmation_leaves_other_and_incomplete_doses_without_certificate() {
        let keys = keys();
        let covered = covered_by(&held_row("2021-01-29T10:00:00+07:00", "B1"), &keys);
        let sent = "2021-01-29T10:00:00+07:00";
        for other in [
            FeedRow { tanggal_lahir: "1990-01-25".into(), ..held_row(sent, "B1") },
            FeedRow { jenis_kelamin: "L".into(), ..held_row(sent, "B1") },
            FeedRow { nik: "3171012401896247".into(), ..held_row(sent, "B1") },
        ] {
            let held = keep(None, other, &keys).unwrap();
            assert_eq!(held.verdict, Verdict::Held);
            assert!(held.confirmed(&covered, &keys).unwrap().is_none());
        }
        let incomplete = keep(None, held_row(sent, ""), &keys).unwrap();
        let incomplete = incomplete.confirmed(&covered, &keys).unwrap().unwrap();
        assert_eq!(incomplete.verdict, Verdict::Incomplete);
        assert_eq!((incomplete.reasons, incomplete.certificate_id), (vec![Reason::BatchMissing], None));
    }

    #[test]
    fn confirmation_applies_to_records_from_before_digests() {
        let keys = keys();
        let row = held_row("2021-01-29T10:00:00+07:00", "B1");
        let held = keep(None, row.clone(), &keys).unwrap();
        let mut item = to_item(&held.pk, SK, &held).unwrap();
        let Some(AttributeValue::L(versions)) = item.get_mut("history") else { panic!() };
        let AttributeValue::M(version) = &mut versions[0] else { panic!() };
        assert!(version.remove("held").is_some());
        let old: DoseRecord = from_item(item, "dose").unwrap();
        let issued = old.confirmed(&covered_by(&row, &keys), &keys).unwrap().unwrap();
        assert_eq!(issued.verdict, Verdict::Complete);
    }

    #[test]
    fn a_record_goes_through_an_item_and_its_row_opens() {
        let keys = keys();
        let record = keep(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
        let item = to_item(&record.pk, SK, &record).unwrap();
        assert!(!format!("{item:?}").contains("Iwan"));
        let read: DoseRecord = from_item(item, "dose").unwrap();
        assert_eq!(read.open(&keys).unwrap().nama, "Iwan");
    }
}

//! Doses: all that was said of one vaccination event, and which row of it counts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use bukti_domain::feed::CompleteDose;
use bukti_domain::{
    BirthDate, Dose, FeedRow, HeldIdentity, History, Identity, IdentityData, Origin, PersonName, Reason,
    Verdict, Version,
};
use futures::{Stream, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::certificates::CertificateRecord;
use crate::table::confirmations::Confirmations;
use crate::table::{self, Item, RACES, Table, Written, first_of, from_item, key, least_of, n, s, to_item};
use crate::{Aws, Claims, Keys, OpenError, Sender, StoreError};

pub(crate) const SK: &str = "DOSE";

/// The most doses of a person that are read for an answer, far more than anybody gets.
const MOST_DOSES: usize = 200;
/// The most certificates of these doses, also superseded ones.
const MOST_CERTIFICATES: usize = 1_000;
/// The most doses of a phone that are read: a clinic may have typed its own number for everybody.
const MOST_DOSES_OF_PHONE: usize = 500;

/// The keys of events, by which an index tells doses from what else a person has.
const EVENTS: (&str, &str) = ("E#", "E#~");

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
    /// The id of the certificate that the dose has or is to get; none unless it is complete and no duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// Grows whenever what the certificate shows changes.
    pub certificate_version: u32,
    /// Keyed digest of what the certificate of that version shows.
    pub certificate_digest: String,
    /// The key of the claim by which only one event of several that report the same dose has its certificate. An event
    /// that was complete keeps it while a later row makes it incomplete or contradictory, until another event needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Whether another event owns the claim: this one then has no certificate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The certificates up to this version are void: the dose was retracted, or went to another event.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub void_version: u32,
    /// The certificate that supersedes the void ones, where the dose went to another event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Where an admin revoked a certificate of the dose: until it is reinstated, no certificate of
    /// it is issued, whichever rows come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
    /// All rows of the event.
    pub history: History,
    /// When the row that counts came.
    pub received_at: Timestamp,
    /// When the first row came that counted, where that was an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_received_at: Option<Timestamp>,
    /// The facility that said the event first, where that was by its own API key: others than a hub correct nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// What is the same for all doses with this name and birth date: for the helpdesk to find those under a mistyped number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<String>,
    /// Why this version of the phone has an SMS, where that is not for a first dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsReason>,
    /// When an admin, or `issue` for a retraction, last had whoever reads the table's stream look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// The row that counts, sealed; of a retracted event the row that [`History::shown`] names.
    row: ByteBuf,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

/// That an admin withdrew a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When.
    at: Timestamp,
    /// The claims that the event keeps: those of the dose that the revoked certificate shows, and
    /// of the dose as it was then. So no other event that reports it gets a certificate.
    pub claims: BTreeSet<String>,
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

    /// The key of the claim of the dose that is then reported.
    pub(crate) fn claim(&self) -> Option<&str> {
        self.0.claim.as_deref()
    }
}

/// A row on its way into the table.
#[derive(Clone)]
pub struct Incoming {
    row: FeedRow,
    event: String,
    version: Version,
    person: Option<String>,
    phone: Option<String>,
    dose_number: Option<u8>,
    certificate_digest: String,
    claim: Option<String>,
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
        let digest = keys.row_digest(&row);
        let row = if verdict == Verdict::Retracted { row.without_long_fields() } else { row };
        let dose = row.dose();
        let phone = dose.phone.as_ref().map(|phone| keys.phone(phone));
        let held = IdentityData::of(&dose).filter(|_| verdict == Verdict::Held).map(|data| {
            let (verdict, reasons) = row.judge_confirmed();
            HeldIdentity { digest: keys.identity_data(&data), verdict, reasons }
        });
        let version = Version {
            sent_at,
            digest,
            verdict,
            reasons,
            held,
            phone: phone.clone().filter(|_| verdict != Verdict::Retracted),
            origin,
        };
        let incoming = Self {
            event: keys.event(&row.event_id),
            version,
            person: dose.identity.as_ref().map(|identity| keys.person(identity)),
            phone,
            dose_number: dose.dose_number,
            certificate_digest: String::new(),
            claim: None,
            alike: dose.name.as_ref().zip(dose.birth_date).map(|(name, born)| keys.alike(name, born)),
            received_at: now,
            facility: None,
            row,
        };
        Some(incoming.with_certificate(dose, keys))
    }

    /// The same with what its certificate shows and which dose that is, where the row is complete.
    fn with_certificate(self, dose: Dose, keys: &Keys) -> Self {
        let complete = dose.complete().filter(|_| self.version.verdict == Verdict::Complete);
        let Some(dose) = complete else { return self };
        Self {
            certificate_digest: certificate_digest(&dose, keys),
            claim: Some(keys.dose_claim(&dose)),
            ..self
        }
    }

    /// The same where it is held and confirmations cover its data, given by their digests: then it counts as the rest of
    /// it says. `None` where no confirmation changes it.
    fn confirmed(&self, covered: &[String], keys: &Keys) -> Option<Self> {
        let held = self.version.held.as_ref().filter(|held| covered.contains(&held.digest))?;
        let version =
            Version { verdict: held.verdict, reasons: held.reasons.clone(), ..self.version.clone() };
        Some(Self { version, ..self.clone() }.with_certificate(self.row.dose(), keys))
    }

    /// The same, held for this reason: no confirmation of identity data releases it.
    pub fn held(self, reason: Reason) -> Self {
        let version = Version { verdict: Verdict::Held, reasons: vec![reason], held: None, ..self.version };
        Self { version, certificate_digest: String::new(), claim: None, ..self }
    }

    /// The index key of the person of whom the row reports a dose that was given.
    pub fn dosed_person(&self) -> Option<&str> {
        let is_dose = matches!(self.version.verdict, Verdict::Complete | Verdict::Incomplete);
        self.person.as_deref().filter(|_| is_dose)
    }

    /// Whether the row repeats or corrects a dose that its person has by this record of its event. A dose that is another
    /// person's, or that is none yet, such as a rejected one or one that is held over its sender's quota, is a further dose
    /// of the person.
    pub fn is_dose_of(&self, record: &DoseRecord) -> bool {
        let is_dose = |verdict| matches!(verdict, Verdict::Complete | Verdict::Incomplete);
        let is_repeated = |known: &Version| {
            is_dose(known.verdict)
                && known.digest == self.version.digest
                && known.sent_at == self.version.sent_at
        };
        record.history.versions().iter().any(is_repeated)
            || (is_dose(record.verdict) && record.person == self.person)
    }

    /// The key of its event.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The same, from this sender.
    #[must_use]
    pub fn of(self, sender: &Sender) -> Self {
        Self { facility: sender.facility().map(str::to_owned), ..self }
    }
}

/// Keyed digest of the fields that a certificate shows.
fn certificate_digest(dose: &CompleteDose, keys: &Keys) -> String {
    let fields = [
        &*dose.identity.tagged(),
        dose.name.text(),
        &dose.birth_date.to_string(),
        &dose.dose_number.to_string(),
        &dose.vaccine.name,
        &dose.batch,
        &dose.vaccination_date.to_string(),
        &dose.facility.code,
        &dose.facility.name,
    ];
    keys.certificate_digest(&fields.join("\u{1f}"))
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
        let is_incoming = |version: Option<&Version>| {
            version.is_some_and(|version| {
                version.digest == incoming.version.digest && version.sent_at == incoming.version.sent_at
            })
        };
        let (counts, is_shown) = (is_incoming(history.current()), is_incoming(history.shown()));
        let mut next = match record {
            Some(record) => Self { history, revision: record.revision + 1, ..record.clone() },
            None => Self::new(incoming, history),
        };
        if is_shown || record.is_none() {
            next.show(incoming, keys)?;
        }
        if counts || record.is_none() {
            next.judge_anew(record, incoming, keys);
        }
        if record.is_some_and(|record| record.phone != next.phone) {
            next.raise_phone_version();
        }
        Ok(Some(next))
    }

    /// The record of an event of which nothing was known.
    fn new(incoming: &Incoming, history: History) -> Self {
        Self {
            pk: incoming.event.clone(),
            revision: 1,
            person: None,
            phone: None,
            phone_version: 1,
            verdict: incoming.version.verdict,
            reasons: Vec::new(),
            dose_number: None,
            certificate_id: None,
            certificate_version: 0,
            certificate_digest: String::new(),
            claim: None,
            duplicate: false,
            void_version: 0,
            superseded_by: None,
            withdrawn: None,
            history,
            received_at: incoming.received_at,
            first_received_at: None,
            facility: incoming.facility.clone(),
            alike: None,
            sms: None,
            again_at: None,
            row: ByteBuf::new(),
        }
    }

    /// The dose with these confirmations applied, given by the digests of the identity data that they cover; `None` where
    /// they change nothing.
    fn confirmed(&self, covered: &[String], keys: &Keys) -> Result<Option<Self>, StoreError> {
        let mut history = self.history.clone();
        let mut incoming = None;
        if let Some(current) = history.current().filter(|current| current.verdict == Verdict::Held) {
            let row = self.open(keys).map_err(|_| StoreError::Corrupt("dose"))?;
            incoming = Incoming::judge(row, current.origin.clone(), self.received_at, keys)
                .and_then(|incoming| incoming.confirmed(covered, keys));
        }
        // The row that counts, also where it was kept before held rows had a digest; then earlier rows, for reports.
        let counts = incoming.as_ref().is_some_and(|incoming| history.add(incoming.version.clone()));
        if !history.confirm(covered) && !counts {
            return Ok(None);
        }
        let mut next = Self { history, revision: self.revision + 1, ..self.clone() };
        if let Some(incoming) = incoming.filter(|_| counts) {
            next.judge_anew(Some(self), &incoming, keys);
        }
        Ok(Some(next))
    }

    /// Takes the data of a row, and the keys by which the person is found.
    fn show(&mut self, incoming: &Incoming, keys: &Keys) -> Result<(), StoreError> {
        let sealed = keys.seal(&item_key(&self.pk), &incoming.row);
        self.row = ByteBuf::from(sealed.ok_or(StoreError::Corrupt("a dose cannot be sealed"))?);
        self.person.clone_from(&incoming.person);
        self.phone.clone_from(&incoming.phone);
        self.dose_number = incoming.dose_number;
        self.alike.clone_from(&incoming.alike);
        Ok(())
    }

    /// Takes the verdict of the row that counts, and what follows for the certificate and the claim.
    fn judge_anew(&mut self, record: Option<&DoseRecord>, incoming: &Incoming, keys: &Keys) {
        self.verdict = incoming.version.verdict;
        self.reasons.clone_from(&incoming.version.reasons);
        if record.is_some() {
            self.first_received_at.get_or_insert(self.received_at);
        }
        self.received_at = incoming.received_at;
        self.sms = None;
        let owned = record.filter(|record| !record.duplicate).and_then(|record| record.claim.clone());
        (self.claim, self.duplicate) = match self.verdict {
            Verdict::Complete => {
                let same = record.is_some_and(|record| record.claim == incoming.claim);
                (incoming.claim.clone(), same && self.duplicate)
            }
            Verdict::Incomplete | Verdict::Held => (owned, false),
            Verdict::Rejected | Verdict::Retracted => (None, false),
        };
        self.certificate_id = None;
        match self.verdict {
            Verdict::Complete if !self.duplicate => {
                if self.certificate_digest != incoming.certificate_digest {
                    self.certificate_digest.clone_from(&incoming.certificate_digest);
                    self.raise_certificate_version();
                }
                self.superseded_by = None;
                self.certificate_id = self.latest_certificate(keys);
            }
            Verdict::Retracted if record.is_none_or(|record| record.verdict != Verdict::Retracted) => {
                self.end_certificates();
            }
            _ => {}
        }
    }

    /// Voids all certificates of the dose and its links: where it is complete again, it gets a new certificate.
    fn end_certificates(&mut self) {
        self.void_version = self.certificate_version;
        self.certificate_digest.clear();
        self.raise_phone_version();
    }

    /// Has the dose get a new certificate, unless it is withdrawn: then it keeps the revoked one.
    fn raise_certificate_version(&mut self) {
        if self.withdrawn.is_none() {
            self.certificate_version += 1;
        }
    }

    /// Ends the links of the dose, and has its phone told anew. What the helpdesk sends once more it
    /// has taken from the phone's allowance, for one version of the phone: the next is charged as
    /// any other.
    fn raise_phone_version(&mut self) {
        self.phone_version += 1;
        if self.sms == Some(SmsReason::Resent) {
            self.sms = Some(SmsReason::FirstDose);
        }
    }

    /// The dose after another event turned out to own its claim.
    pub(crate) fn demoted(&self, owner: &DoseRecord) -> Self {
        let mut next = Self {
            revision: self.revision + 1,
            certificate_id: None,
            duplicate: true,
            superseded_by: owner.certificate_id.clone(),
            ..self.clone()
        };
        next.end_certificates();
        next
    }

    /// The dose, now neither complete nor a duplicate, after its claim went to the event with this certificate.
    pub(crate) fn evicted(&self, certificate_id: Option<String>) -> Self {
        let mut next =
            Self { revision: self.revision + 1, claim: None, superseded_by: certificate_id, ..self.clone() };
        next.end_certificates();
        next
    }

    /// The dose, which is complete, with a new certificate: a duplicate that became the owner of
    /// its claim, a dose that was reinstated, or one whose certificate says what is no longer right
    /// of other doses.
    pub(crate) fn reissued(&self, keys: &Keys) -> Result<Self, StoreError> {
        let dose = self.dose(keys).map_err(|_| StoreError::Corrupt("dose"))?.complete();
        let dose = dose.ok_or(StoreError::Corrupt("dose"))?;
        let mut next = Self {
            revision: self.revision + 1,
            duplicate: false,
            superseded_by: None,
            certificate_digest: certificate_digest(&dose, keys),
            ..self.clone()
        };
        next.raise_certificate_version();
        next.certificate_id = next.latest_certificate(keys);
        Ok(next)
    }

    /// The dose after an admin revoked a certificate of it, which shows the dose of this claim.
    pub(crate) fn withdrawn(&self, shown: Option<&String>, at: Timestamp) -> Self {
        let owned = self.claim.as_ref().filter(|_| !self.duplicate);
        let withdrawal = Withdrawal { at, claims: shown.into_iter().chain(owned).cloned().collect() };
        Self { revision: self.revision + 1, withdrawn: Some(withdrawal), ..self.clone() }
    }

    /// The dose after an admin reinstated it. Where it is complete, it
    /// [lacks](Self::lacks_certificate_id) a certificate, and else gets one when it is; its phone
    /// is told.
    pub(crate) fn reinstated(&self) -> Self {
        let mut next = Self {
            revision: self.revision + 1,
            withdrawn: None,
            certificate_id: None,
            certificate_digest: String::new(),
            ..self.clone()
        };
        next.raise_phone_version();
        next.sms = Some(SmsReason::Corrected);
        next
    }

    /// Whether the dose is to get a certificate and has no id for it: only one that was reinstated,
    /// or a duplicate that was restored from a backup, lacks that.
    pub fn lacks_certificate_id(&self) -> bool {
        self.verdict == Verdict::Complete && !self.duplicate && self.certificate_id.is_none()
    }

    /// Whether the event owns this claim, and its dose is complete.
    pub(crate) fn holds(&self, claim: &str) -> bool {
        self.is_owner_of(claim) && self.verdict == Verdict::Complete
    }

    /// Whether no other event gets this claim: the event [holds](Self::holds) it, or was withdrawn
    /// with it.
    pub(crate) fn keeps(&self, claim: &str) -> bool {
        match &self.withdrawn {
            Some(withdrawal) => withdrawal.claims.contains(claim),
            None => self.holds(claim),
        }
    }

    /// Whether the event owns this claim, also while its dose is not complete.
    pub(crate) fn is_owner_of(&self, claim: &str) -> bool {
        self.claim.as_deref() == Some(claim) && !self.duplicate
    }

    /// Whether the event waits for this claim.
    pub(crate) fn waits_for(&self, claim: &str) -> bool {
        self.claim.as_deref() == Some(claim) && self.duplicate && self.verdict == Verdict::Complete
    }

    /// The ids of the certificates that are void, whether or not those were issued.
    pub fn void_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.void_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The dose after a correction that counts from now on; its links are dead, its certificate is made anew, and its phone is
    /// told. `None` where nothing would change.
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
        let incoming = incoming.confirmed(covered, keys).unwrap_or(incoming);
        // A retraction is the facility's to take back, and a duplicate has no certificate that could be corrected.
        if record.is_some_and(|record| record.verdict == Verdict::Retracted) {
            return Ok(None);
        }
        let Some(mut next) = Self::after(record, &incoming, keys)? else { return Ok(None) };
        if next.duplicate {
            return Ok(None);
        }
        if let Some(record) = record {
            // Also where the certificate shows the same as before: somebody else may hold it.
            if next.certificate_id.is_some() && next.certificate_version == record.certificate_version {
                next.raise_certificate_version();
                next.certificate_id = next.latest_certificate(keys);
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

    /// The ids of the certificates that this and earlier versions of the dose got, whether or not those were issued.
    pub fn all_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
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

/// Of more doses than an answer has, which come first: those that count before those that are held, rejected or retracted, of
/// each those of the phone that asks, then what was recorded first, which no later row of a stranger goes before. `None`
/// where the item is no dose.
fn rank(item: &Item, phone: Option<&str>) -> Option<impl Ord + use<>> {
    // Thousands of items may be ranked: histories and rows are read only of those that are kept.
    let text = |name: &str| item.get(name)?.as_s().ok().map(String::as_str);
    let is_duplicate = item.contains_key("duplicate");
    let state = match text("verdict")? {
        "complete" if !is_duplicate => 0,
        "incomplete" => 1,
        "complete" => 2,
        "held" => 3,
        "retracted" => 4,
        _ => 5,
    };
    let is_own = phone.is_some() && text("phone") == phone;
    let first_received_at: Timestamp = text("first_received_at").or(text("received_at"))?.parse().ok()?;
    let rank = (state > 1, !is_own, state, first_received_at, text("pk")?.to_owned());
    (text("sk") == Some(SK)).then_some(rank)
}

/// The dose of an event's key.
pub(crate) async fn of_event(table: &Table, event: &str) -> Result<Option<DoseRecord>, StoreError> {
    table.get(event, SK).await?.map(|item| from_item(item, "dose")).transpose()
}

/// The table's keys of the doses of these events, each once.
fn table_keys<'a>(events: impl IntoIterator<Item = &'a str>) -> Vec<Item> {
    let events: BTreeSet<&str> = events.into_iter().collect();
    events.into_iter().map(|event| key(event, SK)).collect()
}

fn item_key(event: &str) -> String {
    format!("{event} {SK} row")
}

/// What reports need to know of an event.
#[derive(Debug, Deserialize)]
pub struct Reported {
    /// The event's key.
    pub pk: String,
    /// All rows of the event.
    pub history: History,
    /// The key of its claim.
    #[serde(default)]
    pub claim: Option<String>,
    /// Whether another event owns the claim.
    #[serde(default)]
    pub duplicate: bool,
    /// Since when and with which claims an admin has withdrawn the dose.
    #[serde(default)]
    pub withdrawn: Option<Withdrawal>,
}

/// Doses and certificates of a person.
#[derive(Debug, Default)]
pub struct PersonRecords {
    /// The doses, also those of events whose data are not in order. Where there are more, the first by [`rank`].
    pub doses: Vec<DoseRecord>,
    /// The certificates of these doses, also superseded ones.
    pub certificates: Vec<CertificateRecord>,
    /// Whether there are more doses than these.
    pub more: bool,
}

impl PersonRecords {
    /// The dose of the event that owns the claim for which this one waits; `None` where it is no duplicate.
    pub fn owner_of(&self, dose: &DoseRecord) -> Option<&DoseRecord> {
        let claim = dose.claim.as_ref().filter(|_| dose.duplicate)?;
        self.doses.iter().find(|other| other.is_owner_of(claim))
    }

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
    claims: Claims,
    confirmations: Confirmations,
}

impl Doses {
    /// The doses of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            table: aws.table(),
            keys: aws.keys.clone(),
            claims: Claims::new(aws),
            confirmations: Confirmations::new(aws),
        }
    }

    /// Keeps a row, and gives the record of its event. When this returns, the row is in the table, once, whoever else writes
    /// the same event; but where [another](DoseRecord::is_anothers) said the event, it is not.
    ///
    /// The first row of an event costs one write, and where it is complete another for its [claim](crate::Claims). `known`
    /// is the event's record as far as the caller knows it. The condition fails where there is another by now, and its
    /// answer brings the record that the row is then added to.
    ///
    /// A row that is held costs a read of the person's confirmations. One that is granted after this read is applied by
    /// whoever reads the table's stream.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the row may then be kept or not, and can be sent again.
    pub async fn keep(
        &self,
        known: Option<&DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        let covered = match &incoming.person {
            Some(person) if incoming.version.held.is_some() => self.confirmations.covered(person).await?,
            _ => Vec::new(),
        };
        let confirmed = incoming.confirmed(&covered, &self.keys);
        self.keep_judged(known.cloned(), confirmed.as_ref().unwrap_or(incoming)).await
    }

    /// Keeps a row that is judged with the person's confirmations.
    async fn keep_judged(
        &self,
        mut known: Option<DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        for _ in 0..RACES {
            let Some(next) = DoseRecord::after(known.as_ref(), incoming, &self.keys)? else {
                let known = known.ok_or(StoreError::Corrupt("dose"))?;
                // The same line of the same job again: the process may have died before the claim.
                let versions = known.history.versions();
                let is_again = versions.iter().any(|version| version.origin == incoming.version.origin);
                return if is_again { self.claims.confirm(known).await } else { Ok(known) };
            };
            let item = to_item(&next.pk, SK, &next)?;
            let written = match &known {
                None => self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?,
                Some(known) => self.table.put_at(known.revision, item).await?,
            };
            known = match written {
                Written::Done => {
                    let is_new = next.claim.as_deref().is_some_and(|claim| {
                        next.holds(claim) && !known.as_ref().is_some_and(|known| known.is_owner_of(claim))
                    });
                    return if is_new { self.claims.acquire(next).await } else { Ok(next) };
                }
                Written::Refused(Some(item)) => Some(from_item(item, "dose")?),
                Written::Refused(None) => self.of_event(&incoming.event).await?,
            };
        }
        Err(StoreError::Unavailable("too many writers of one event".to_owned()))
    }

    /// Issues a dose that is held, where the person's data are confirmed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; it can be called again.
    pub async fn confirm_held(&self, record: DoseRecord) -> Result<(), StoreError> {
        match &record.person {
            Some(person) if record.verdict == Verdict::Held => {
                let covered = self.confirmations.covered(person).await?;
                self.confirm(record, &covered).await
            }
            _ => Ok(()),
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
        let mut doses = pin!(self.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            self.confirm(record, &covered).await?;
        }
        Ok(())
    }

    /// A first dose of a person that is held, was registered with this phone (its index key), and is issued once these data
    /// are confirmed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) async fn first_dose_to_issue(
        &self,
        person: &str,
        data: &IdentityData,
        phone: &str,
    ) -> Result<Option<DoseRecord>, StoreError> {
        let covered = data.covered();
        let mut doses = pin!(self.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            if record.verdict != Verdict::Held
                || record.dose_number != Some(1)
                || record.phone.as_deref() != Some(phone)
            {
                continue;
            }
            let row = record.open(&self.keys).map_err(|_| StoreError::Corrupt("dose"))?;
            let is_covered = IdentityData::of(&row.dose()).is_some_and(|data| covered.contains(&data));
            if is_covered && row.judge_confirmed().0 == Verdict::Complete {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Applies confirmations to a dose, whoever else writes it meanwhile.
    async fn confirm(&self, record: DoseRecord, covered: &[String]) -> Result<(), StoreError> {
        let mut record = record;
        if covered.is_empty() {
            return Ok(());
        }
        for _ in 0..RACES {
            let Some(next) = record.confirmed(covered, &self.keys)? else { return Ok(()) };
            let item = to_item(&next.pk, SK, &next)?;
            record = match self.table.put_at(record.revision, item).await? {
                // The claim is acquired before a certificate is issued.
                Written::Done => return Ok(()),
                Written::Refused(Some(item)) => from_item(item, "dose")?,
                Written::Refused(None) => match self.of_event(&next.pk).await? {
                    Some(record) => record,
                    None => return Ok(()),
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
            Some(record) => self.table.putting_at(record.revision, item)?,
        };
        Ok((next.pk.clone(), writing))
    }

    /// Has the link to a dose's certificate sent once more, by whoever reads the table's stream; links that were sent before
    /// are dead, so the caller has taken the SMS from the phone's allowance before. `false` where the dose has changed meanwhile.
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
        self.replace(record, &next).await
    }

    /// Writes the next revision of a dose; `false` where it was changed concurrently.
    async fn replace(&self, record: &DoseRecord, next: &DoseRecord) -> Result<bool, StoreError> {
        let written = self.table.put_at(record.revision, to_item(&next.pk, SK, next)?).await?;
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

    /// Has the certificate of a dose that is complete issued anew: since what it says of other
    /// doses is no longer right, where its holder is not told again, or since the dose was
    /// reinstated. `false` where the dose has changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reissue(&self, record: &DoseRecord) -> Result<bool, StoreError> {
        self.replace(record, &record.reissued(&self.keys)?).await
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
        let alike = self.keys.alike(name, birth_date);
        let query = self.table.query("by_alike", ("alike", &alike), EVENTS);
        let mut doses = Vec::new();
        for item in first_of(query, MOST_ALIKE).await?.items {
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
        of_event(&self.table, event).await
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

    /// What reports need to know of many events.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reported<'a>(
        &self,
        events: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Reported>, StoreError> {
        let items =
            self.table.get_all(table_keys(events), Some("pk, history, claim, duplicate, withdrawn")).await?;
        items.into_iter().map(|item| from_item(item, "dose")).collect()
    }

    /// The ids of the events that own these claims, as their rows name them, by claim.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn owning_events<'a>(
        &self,
        claims: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, StoreError> {
        let owners = self.claims.owners(claims).await?;
        let doses = self.of_events(owners.values().map(String::as_str)).await?;
        let mut ids = HashMap::new();
        for (claim, owner) in owners {
            if let Some(dose) = doses.get(&owner) {
                let row = dose.open(&self.keys).map_err(|_| StoreError::Corrupt("dose"))?;
                ids.insert(claim, row.event_id.trim().to_owned());
            }
        }
        Ok(ids)
    }

    /// Doses and certificates of the person with this identity number, with a cap as in [`Doses::of_person_key`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person(&self, identity: &Identity) -> Result<PersonRecords, StoreError> {
        self.of_person_key(&self.keys.person(identity), None).await
    }

    /// Doses and certificates of the person with this index key: of more than 200 doses those that are first by [`rank`], for
    /// who asks with this phone (its index key). Whoever has an API key may send any number of them.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_person_key(
        &self,
        person: &str,
        phone: Option<&str>,
    ) -> Result<PersonRecords, StoreError> {
        let query = |range| self.table.query("by_person", ("person", person), range);
        let found = least_of(query(EVENTS), MOST_DOSES, |item| rank(item, phone)).await?;
        let doses = found.items.into_iter().map(|item| from_item(item, "dose"));
        let doses: Vec<DoseRecord> = doses.collect::<Result<_, _>>()?;
        let events: HashSet<&str> = doses.iter().map(|dose| &*dose.pk).collect();
        let current: HashSet<&str> = doses.iter().filter_map(|dose| dose.certificate_id.as_deref()).collect();
        let of_these = |item: &Item| {
            let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
            let is_current = text("pk")?.strip_prefix("C#").is_some_and(|id| current.contains(id));
            events.contains(&**text("event")?).then_some(!is_current)
        };
        let certificates = least_of(query(("C#", "C#~")), MOST_CERTIFICATES, of_these).await?.items;
        let certificates = certificates.into_iter().map(|item| from_item(item, "certificate"));
        let certificates = certificates.collect::<Result<_, _>>()?;
        Ok(PersonRecords { doses, certificates, more: found.more })
    }

    /// All doses of the person with this index key, in no order, read page by page: for functions that must leave none out.
    pub fn each_of_person(&self, person: &str) -> impl Stream<Item = Result<DoseRecord, StoreError>> + use<> {
        let items = self.table.query("by_person", ("person", person), EVENTS).into_paginator().items().send();
        stream::try_unfold(items, |mut items| async move {
            while let Some(item) = items.next().await {
                let item = item.map_err(StoreError::from_sdk)?;
                if item.get("sk").is_some_and(|sk| *sk == s(SK)) {
                    return Ok(Some((from_item(item, "dose")?, items)));
                }
            }
            Ok(None)
        })
    }

    /// Whether a dose is registered with this phone (its index key). Rows that are held, rejected or
    /// retracted do not count. One request for every phone, so that its time tells little.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn has_phone_key(&self, phone: &str) -> Result<bool, StoreError> {
        // A large family. Of a number that was typed for many people, any of them will do.
        const MOST: i32 = 20;
        for item in self.table.query_first("by_phone", ("phone", phone), MOST).await? {
            let dose: DoseRecord = from_item(item, "dose")?;
            if matches!(dose.verdict, Verdict::Complete | Verdict::Incomplete) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The doses that were registered with this phone, by its index key, and whether there are more: of more than 500 those that
    /// are first by [`rank`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_phone_key(&self, phone: &str) -> Result<(Vec<DoseRecord>, bool), StoreError> {
        let query = self.table.query("by_phone", ("phone", phone), EVENTS);
        let found = least_of(query, MOST_DOSES_OF_PHONE, |item| rank(item, None)).await?;
        let doses = found.items.into_iter().map(|item| from_item(item, "dose"));
        Ok((doses.collect::<Result<_, _>>()?, found.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;
    use crate::signing::keys::tests::keys_of;

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

    #[test]
    fn own_dose_is_kept_before_a_flood() {
        let keys = keys();
        let ranked = |verdict, phone: &str, received_at: &str, first: Option<&str>| {
            let record = keep(None, row("2021-01-29T10:00:00+07:00", phone, "B1"), &keys).unwrap();
            let at = |at: &str| at.parse().unwrap();
            let first_received_at = first.map(at);
            DoseRecord { verdict, received_at: at(received_at), first_received_at, ..record }
        };
        let (mine, other) = ("081234567890", "081234567891");
        let phone = ranked(Verdict::Complete, mine, "2021-01-01T00:00:00Z", None).phone;
        let (day, later) = ("2021-01-02T00:00:00Z", "2021-01-02T00:00:00.5Z");
        let expected = [
            ranked(Verdict::Complete, mine, later, Some("2021-01-01T00:00:00Z")),
            ranked(Verdict::Complete, mine, day, None),
            ranked(Verdict::Complete, mine, later, None),
            ranked(Verdict::Incomplete, mine, day, None),
            ranked(Verdict::Complete, other, day, None),
            ranked(Verdict::Held, mine, day, None),
            ranked(Verdict::Rejected, mine, day, None),
            ranked(Verdict::Held, other, day, None),
        ];
        let rank_of = |dose: &DoseRecord| rank(&to_item(&dose.pk, SK, dose).unwrap(), phone.as_deref());
        assert!(expected.iter().map(rank_of).is_sorted_by(|one, next| one.is_some() && one < next));
        assert!(rank(&to_item("E#1", "SMS#1", &expected[0]).unwrap(), None).is_none(), "it is no dose");
        let corrected = keep(Some(expected[1].clone()), row("2021-01-30T10:00:00+07:00", mine, "B2"), &keys);
        assert_eq!(corrected.unwrap().first_received_at, Some(expected[1].received_at));
    }

    fn retraction(sent_at: &str) -> FeedRow {
        FeedRow {
            event_id: "E1".to_owned(),
            sent_at: sent_at.to_owned(),
            status: "entered-in-error".to_owned(),
            ..FeedRow::default()
        }
    }

    #[test]
    fn retraction_keeps_the_person_and_ends_the_certificate() {
        let keys = keys();
        let first = keep(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
        let retracted = keep(Some(first.clone()), retraction("2021-01-30T10:00:00+07:00"), &keys).unwrap();
        assert_eq!((retracted.verdict, retracted.certificate_id.clone()), (Verdict::Retracted, None));
        assert_eq!((&retracted.person, &retracted.phone), (&first.person, &first.phone));
        assert_eq!(retracted.open(&keys).unwrap().nama, "Iwan");
        assert_eq!((retracted.phone_version, retracted.claim.clone()), (2, None));
        assert_eq!(retracted.void_certificates(&keys), [first.certificate_id.clone().unwrap()]);
        let again = row("2021-01-31T10:00:00+07:00", "081234567890", "B1");
        let again = keep(Some(retracted), again, &keys).unwrap();
        assert_eq!((again.certificate_version, again.verdict), (2, Verdict::Complete));
        assert_ne!(again.certificate_id, first.certificate_id);
        assert_eq!(again.claim, first.claim);
    }

    #[test]
    fn late_row_of_a_retracted_event_says_whose_it_is() {
        let keys = keys();
        let retracted = keep(None, retraction("2021-02-01T10:00:00+07:00"), &keys).unwrap();
        assert_eq!((retracted.person.as_ref(), retracted.phone.as_ref()), (None, None));
        let second = row("2021-01-30T10:00:00+07:00", "081234567891", "B1");
        let first = row("2021-01-29T10:00:00+07:00", "081234567890", "B1");
        let known = keep(Some(retracted), second, &keys).unwrap();
        assert_eq!((known.verdict, known.certificate_id.clone()), (Verdict::Retracted, None));
        assert!(known.person.is_some());
        let later = keep(Some(known.clone()), first, &keys).unwrap();
        assert_eq!(later.phone, known.phone, "the latest row counts");
    }

    #[test]
    fn duplicate_has_no_certificate_until_it_is_promoted() {
        let keys = keys();
        let owner = keep(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
        let other = FeedRow { event_id: "E2".to_owned(), ..row("2021-01-29T10:00:00+07:00", "", "B2") };
        let other = keep(None, other, &keys).unwrap();
        assert_eq!(owner.claim, other.claim, "the batch is not part of it");
        let claim = owner.claim.clone().unwrap();
        let demoted = other.demoted(&owner);
        assert!(demoted.waits_for(&claim) && !demoted.holds(&claim) && demoted.certificate_id.is_none());
        assert_eq!(demoted.superseded_by, owner.certificate_id);
        let corrected = FeedRow { event_id: "E2".to_owned(), ..row("2021-01-30T10:00:00+07:00", "", "B3") };
        let corrected = keep(Some(demoted), corrected, &keys).unwrap();
        assert!(corrected.waits_for(&claim) && corrected.certificate_id.is_none());
        let promoted = corrected.reissued(&keys).unwrap();
        assert!(promoted.holds(&claim) && promoted.superseded_by.is_none());
        assert_ne!(promoted.certificate_id, other.certificate_id);
        assert_eq!(promoted.void_certificates(&keys), [other.certificate_id.unwrap()]);
    }

    #[test]
    fn incomplete_row_keeps_the_claim_until_it_is_taken() {
        let keys = keys();
        let first = keep(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
        let claim = first.claim.clone().unwrap();
        let lapsed = keep(Some(first.clone()), row("2021-01-30T10:00:00+07:00", "", ""), &keys).unwrap();
        assert!(lapsed.is_owner_of(&claim) && !lapsed.holds(&claim));
        let whole = row("2021-01-31T10:00:00+07:00", "", "B1");
        let back = keep(Some(lapsed.clone()), whole.clone(), &keys).unwrap();
        assert_eq!(back.certificate_id, first.certificate_id);
        let evicted = lapsed.evicted(Some("OTHER".to_owned()));
        assert_eq!(evicted.void_certificates(&keys), [first.certificate_id.clone().unwrap()]);
        let back = keep(Some(evicted), whole, &keys).unwrap();
        assert_ne!(back.certificate_id, first.certificate_id);
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

//! The record of a dose, and what is read from it.

use bukti_domain::{Dose, FeedRow, History, Reason, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Withdrawal;
use crate::{
    CertificateRecord, DoseKey, EventKey, ItemKey, Keys, NameKey, OpenError, PersonKey, PhoneKey, SmsRequest,
};

/// A dose as it is kept. What is personal is in `row`, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoseRecord {
    /// The event's key.
    pub pk: EventKey,
    /// Which write this is, from 1: the condition of the next.
    pub revision: u32,
    /// The person's index key, where the identity number could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// The phone's index key, where the phone is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneKey>,
    /// Grows whenever the phone changes: links and SMS belong to one version.
    pub phone_version: u32,
    /// What the row that counts was judged to be.
    pub verdict: Verdict,
    /// And why.
    pub reasons: Vec<Reason>,
    /// Which dose, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_number: Option<u8>,
    /// The id of the certificate that the dose has or is to get; none unless it is complete and no
    /// duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// Grows whenever what the certificate shows changes.
    pub certificate_version: u32,
    /// Keyed digest of what the certificate of that version shows.
    pub certificate_digest: String,
    /// The key of the claim by which only one event of several that report the same dose has its
    /// certificate. An event that was complete keeps it while a later row makes it incomplete or
    /// contradictory, until another event needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// Whether another event owns the claim: this one then has no certificate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The certificates up to this version are void: the dose was retracted, or went to another
    /// event.
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
    pub(crate) first_received_at: Option<Timestamp>,
    /// The facility that said the event first, where that was by its own API key: others than a hub
    /// correct nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// What is the same for all doses with this name and birth date: for the helpdesk to find those
    /// under a mistyped number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<NameKey>,
    /// The last request for an SMS. That of a first dose is made with its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// When an admin last had `issue` process the dose again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// The row that counts, sealed; of a retracted event the row that [`History::shown`] names.
    pub(crate) row: ByteBuf,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

impl DoseRecord {
    /// Whether the dose is to get a certificate and has no id for it: only one that was reinstated,
    /// or a duplicate that was restored from a backup, lacks that.
    pub fn lacks_certificate_id(&self) -> bool {
        self.verdict == Verdict::Complete && !self.duplicate && self.certificate_id.is_none()
    }

    /// The ids of the certificates that are void, whether or not those were issued.
    pub fn void_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.void_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// Whether this facility may not correct the event, since another sender said it first. `None`
    /// is a hub, which may.
    pub fn is_anothers(&self, facility: Option<&str>) -> bool {
        facility.is_some() && self.facility.as_deref() != facility
    }

    /// The ids of the certificates that this and earlier versions of the dose got, whether or not
    /// those were issued.
    pub fn all_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The id of the certificate of the latest version that was complete, also where the dose is
    /// not now; `None` where it never was.
    pub fn latest_certificate(&self, keys: &Keys) -> Option<String> {
        let version = self.certificate_version;
        (version > 0).then(|| keys.certificate_id(&self.pk, version))
    }

    /// What is the same in all logs about this event, from its rows to its SMS: the beginning of
    /// its key, a keyed hash.
    pub fn trace(&self) -> &str {
        self.pk.id().get(..12).unwrap_or_default()
    }

    /// The row that counts.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn open(&self, keys: &Keys) -> Result<FeedRow, OpenError> {
        keys.open(&row_place(&self.pk), &self.row)
    }

    /// What the row that counts says.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn dose(&self, keys: &Keys) -> Result<Dose, OpenError> {
        Ok(self.open(keys)?.dose())
    }
}

/// What the row of an event is sealed for.
pub(super) fn row_place(event: &EventKey) -> String {
    ItemKey::dose(event).field("row")
}

/// What reports need to know of an event.
#[derive(Debug, Deserialize)]
pub struct Reported {
    /// The event's key.
    pub pk: EventKey,
    /// All rows of the event.
    pub history: History,
    /// The key of its claim.
    #[serde(default)]
    pub claim: Option<DoseKey>,
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
    /// The doses, also those of events whose data are not in order. Where there are more, the first
    /// by [`Rank`](super::Rank).
    pub doses: Vec<DoseRecord>,
    /// The certificates of these doses, also superseded ones.
    pub certificates: Vec<CertificateRecord>,
    /// Whether there are more doses than these.
    pub more: bool,
}

impl PersonRecords {
    /// The dose of the event that owns the claim for which this one waits; `None` where it is no
    /// duplicate.
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

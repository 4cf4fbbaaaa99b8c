//! The stored record of a dose, and queries on it.

use bukti_domain::{Dose, FeedRow, History, Reason, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Withdrawal;
use crate::{
    CertificateRecord, DoseKey, EventKey, ItemKey, Keys, NameKey, OpenError, PersonKey, PhoneKey, SmsRequest,
};

/// The stored record of a dose. Personal data are in the sealed field `row`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoseRecord {
    /// The event's key.
    pub pk: EventKey,
    /// The number of writes, from 1; the optimistic lock of the next write.
    pub revision: u32,
    /// The person's index key, if the identity number is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// The phone's index key, if the phone number is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneKey>,
    /// The version of the phone, to which links and SMS belong. Increases when the phone changes.
    pub phone_version: u32,
    /// The verdict on the row that counts.
    pub verdict: Verdict,
    /// The reasons for the verdict.
    pub reasons: Vec<Reason>,
    /// The number of the dose, if it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_number: Option<u8>,
    /// The id of the certificate that the dose has or is to get; `None` if it is incomplete or a
    /// duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// The version of the certificate. Increases when its content changes.
    pub certificate_version: u32,
    /// The keyed digest of the content of that version.
    pub certificate_digest: String,
    /// The key of the claim on the dose. An event that was complete keeps it while a later row
    /// makes it incomplete or contradictory, until another event needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// Whether another event owns the claim, so that this one has no certificate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The certificates up to this version are void, since the dose was retracted or another event
    /// took its claim.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub void_version: u32,
    /// The certificate that supersedes the void ones, if another event took the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Set when an admin revoked a certificate of the dose. Until the dose is reinstated, no
    /// certificate is issued for it, whichever rows arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
    /// All rows of the event.
    pub history: History,
    /// When the row that counts was received.
    pub received_at: Timestamp,
    /// When the first row that counted was received, if that was an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_received_at: Option<Timestamp>,
    /// The facility that first reported the event with its own API key: only it and hubs may
    /// correct the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// The index key of name and birth date, by which the helpdesk finds doses under a mistyped
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<NameKey>,
    /// The last request for an SMS. The certificate's record has that of a first dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// When an admin last triggered that `issue` processes the dose again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// The row that counts, sealed; for a retracted event, the row of [`History::shown`].
    pub(crate) row: ByteBuf,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(version: &u32) -> bool {
    *version == 0
}

impl DoseRecord {
    /// Whether the dose is to get a certificate but has no id for it. True only of a reinstated
    /// dose, or a duplicate that was restored from a backup.
    pub fn lacks_certificate_id(&self) -> bool {
        self.verdict == Verdict::Complete && !self.duplicate && self.certificate_id.is_none()
    }

    /// The ids of the void certificates, including those that were never issued.
    pub fn void_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.void_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// Whether this facility may not correct the event, since another sender first reported it.
    /// `None` stands for a hub, which may.
    pub fn belongs_to_other_sender(&self, facility: Option<&str>) -> bool {
        facility.is_some() && self.facility.as_deref() != facility
    }

    /// The ids of the certificates of all versions, including those that were never issued.
    pub fn all_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The id of the certificate of the latest version, even if the dose is no longer complete;
    /// `None` if it never was.
    pub fn latest_certificate(&self, keys: &Keys) -> Option<String> {
        let version = self.certificate_version;
        (version > 0).then(|| keys.certificate_id(&self.pk, version))
    }

    /// The trace id, which connects the log lines about this event from its rows to its SMS: a
    /// prefix of its key, a keyed hash.
    pub fn trace(&self) -> &str {
        self.pk.id().get(..12).unwrap_or_default()
    }

    /// Opens the row that counts.
    pub fn open(&self, keys: &Keys) -> Result<FeedRow, OpenError> {
        keys.open(&row_aad(&self.pk), &self.row)
    }

    /// Opens the row that counts, and parses it.
    pub fn dose(&self, keys: &Keys) -> Result<Dose, OpenError> {
        Ok(self.open(keys)?.dose())
    }
}

/// The associated data with which the row of an event is sealed.
pub(super) fn row_aad(event: &EventKey) -> String {
    ItemKey::dose(event).field("row")
}

/// The attributes of a dose's record that reports need.
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
    /// Set while the dose is withdrawn.
    #[serde(default)]
    pub withdrawn: Option<Withdrawal>,
}

/// The doses and certificates of a person.
#[derive(Debug, Default)]
pub struct PersonRecords {
    /// The doses, including incomplete, held and rejected ones. If there are too many, the first by
    /// [`Rank`](super::Rank).
    pub doses: Vec<DoseRecord>,
    /// The certificates of these doses, including superseded ones.
    pub certificates: Vec<CertificateRecord>,
    /// Whether doses were left out.
    pub more: bool,
}

impl PersonRecords {
    /// The dose of the event that owns the claim for which `dose` waits; `None` if `dose` is no
    /// duplicate, or the owner is not among these.
    pub fn owner_of(&self, dose: &DoseRecord) -> Option<&DoseRecord> {
        let claim = dose.claim.as_ref().filter(|_| dose.duplicate)?;
        self.doses.iter().find(|other| other.is_owner_of(claim))
    }

    /// The current certificate of a dose.
    pub fn certificate_of(&self, dose: &DoseRecord) -> Option<&CertificateRecord> {
        let id = dose.certificate_id.as_ref()?;
        self.certificates.iter().find(|certificate| certificate.certificate_id() == id)
    }
}

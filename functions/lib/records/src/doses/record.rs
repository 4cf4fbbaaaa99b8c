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
    /// The key of the event.
    pub pk: EventKey,
    /// The number of times that the record was written; the optimistic lock of the next write.
    pub revision: u32,
    /// The index key of the person; `None` if the identity number is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// The index key of the phone; `None` if the phone number is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneKey>,
    /// The version of the phone, to which links and SMS belong. Incremented when the phone changes.
    pub phone_version: u32,
    /// The verdict on the row that counts.
    pub verdict: Verdict,
    /// The reasons for the verdict; empty for a complete dose.
    pub reasons: Vec<Reason>,
    /// The number of the dose in its series; `None` if it is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_number: Option<u8>,
    /// The id of the certificate that the dose has or will get; `None` if the dose is incomplete or
    /// a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// The version of the certificate; 0 if there never was one. Incremented when its content
    /// changes.
    pub certificate_version: u32,
    /// The keyed digest of the content of the current certificate version.
    pub certificate_digest: String,
    /// The key of the claim on the dose. If a later row makes a complete dose incomplete or
    /// contradictory, the event keeps the claim until another event needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// Whether another event owns the claim, so that this event has no certificate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Certificates up to this version are void, because the dose was retracted or another event
    /// took its claim.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub void_version: u32,
    /// The id of the certificate that supersedes the void ones, if another event took the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Set when an admin revokes a certificate of the dose. Until the dose is reinstated, no
    /// certificate is issued for it, whatever rows arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
    /// All rows of the event, with their verdicts.
    pub history: History,
    /// When the row that counts was received.
    pub received_at: Timestamp,
    /// When the first row that counted was received, if another row counts now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_received_at: Option<Timestamp>,
    /// The facility that first reported the event with its own API key. Only this facility and hubs
    /// may correct the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// The index key of name and birth date, by which the helpdesk finds a dose whose identity
    /// number was mistyped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<NameKey>,
    /// The latest request for an SMS. The request of a first dose is in the certificate's record
    /// instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// When an admin last made `issue` process the dose again.
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
    /// Whether the dose should have a certificate but has no id for it. Only true for a reinstated
    /// dose, or a duplicate restored from a backup.
    pub fn lacks_certificate_id(&self) -> bool {
        self.verdict == Verdict::Complete && !self.duplicate && self.certificate_id.is_none()
    }

    /// The ids of the void certificates, including certificates that were never issued.
    pub fn void_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.void_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// Whether this facility may not correct the event, because another sender first reported it.
    /// `None` is a hub, which may correct every event.
    pub fn belongs_to_other_sender(&self, facility: Option<&str>) -> bool {
        facility.is_some() && self.facility.as_deref() != facility
    }

    /// The certificate ids of all versions, including certificates that were never issued.
    pub fn all_certificates(&self, keys: &Keys) -> Vec<String> {
        (1..=self.certificate_version).map(|version| keys.certificate_id(&self.pk, version)).collect()
    }

    /// The certificate id of the latest version, even if the dose is no longer complete; `None` if
    /// there is no certificate version.
    pub fn latest_certificate(&self, keys: &Keys) -> Option<String> {
        let version = self.certificate_version;
        (version > 0).then(|| keys.certificate_id(&self.pk, version))
    }

    /// The trace id, which connects the log lines about this event from its rows to its SMS. It is
    /// a prefix of the event's key, which is a keyed hash.
    pub fn trace(&self) -> &str {
        self.pk.id().get(..12).unwrap_or_default()
    }

    /// Opens the row that counts.
    pub fn open(&self, keys: &Keys) -> Result<FeedRow, OpenError> {
        keys.open(&row_aad(&self.pk), &self.row)
    }

    /// Opens and parses the row that counts.
    pub fn dose(&self, keys: &Keys) -> Result<Dose, OpenError> {
        Ok(self.open(keys)?.dose())
    }
}

/// The associated data for sealing the row of an event.
pub(super) fn row_aad(event: &EventKey) -> String {
    ItemKey::dose(event).field("row")
}

/// The attributes of a dose's record that reports need.
#[derive(Debug, Deserialize)]
pub struct Reported {
    /// The key of the event.
    pub pk: EventKey,
    /// All rows of the event, with their verdicts.
    pub history: History,
    /// The key of the claim on the dose, if the event has one.
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
    /// The doses, including incomplete, held and rejected ones. If there are too many, only the
    /// first by [`Rank`](super::Rank).
    pub doses: Vec<DoseRecord>,
    /// The certificates of these doses, including superseded ones.
    pub certificates: Vec<CertificateRecord>,
    /// Whether some doses were left out.
    pub more: bool,
}

impl PersonRecords {
    /// The dose of the event that owns the claim for which `dose` waits; `None` if `dose` is not a
    /// duplicate, or if the owner's dose is not in these records.
    pub fn owner_of(&self, dose: &DoseRecord) -> Option<&DoseRecord> {
        let claim = dose.claim.as_ref().filter(|_| dose.duplicate)?;
        self.doses.iter().find(|other| other.is_owner_of(claim))
    }

    /// The current certificate of a dose; `None` if it has not been issued.
    pub fn certificate_of(&self, dose: &DoseRecord) -> Option<&CertificateRecord> {
        let id = dose.certificate_id.as_ref()?;
        self.certificates.iter().find(|certificate| certificate.certificate_id() == id)
    }
}

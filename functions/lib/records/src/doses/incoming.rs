//! Rows that were received and judged, but are not stored yet.

use bukti_domain::feed::CompleteDose;
use bukti_domain::{Dose, FeedRow, HeldIdentity, IdentityData, Origin, Reason, Verdict, Version};
use jiff::Timestamp;

use super::DoseRecord;
use crate::{DoseKey, EventKey, Keys, NameKey, PersonKey, PhoneKey, Sender};

/// A received row with its verdict, index keys and claim, before it is stored.
#[derive(Clone)]
pub struct Incoming {
    pub(super) row: FeedRow,
    pub(super) event: EventKey,
    pub(super) version: Version,
    pub(super) person: Option<PersonKey>,
    pub(super) phone: Option<PhoneKey>,
    pub(super) dose_number: Option<u8>,
    pub(super) certificate_digest: String,
    pub(super) claim: Option<DoseKey>,
    pub(super) alike: Option<NameKey>,
    pub(super) received_at: Timestamp,
    pub(super) facility: Option<String>,
}

impl Incoming {
    /// Judges a row from `origin` that is received now. `None` if the row has no event id or no
    /// valid `sent_at`; then it cannot be stored, and appears only in the report.
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
            phone: phone
                .as_ref()
                .filter(|_| verdict != Verdict::Retracted)
                .map(|phone| phone.as_str().to_owned()),
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

    /// Sets the claim and the digest of the certificate's content, if the row is complete.
    fn with_certificate(self, dose: Dose, keys: &Keys) -> Self {
        let complete = dose.complete().filter(|_| self.version.verdict == Verdict::Complete);
        let Some(dose) = complete else { return self };
        Self {
            certificate_digest: certificate_digest(&dose, keys),
            claim: Some(keys.dose_claim(&dose)),
            ..self
        }
    }

    /// The row with its verdict apart from the contradictory identity data, if one of these digests
    /// of confirmed data covers them; `None` otherwise.
    pub fn confirmed(&self, covered: &[String], keys: &Keys) -> Option<Self> {
        let held = self.version.held.as_ref().filter(|held| covered.contains(&held.digest))?;
        let version =
            Version { verdict: held.verdict, reasons: held.reasons.clone(), ..self.version.clone() };
        Some(Self { version, ..self.clone() }.with_certificate(self.row.dose(), keys))
    }

    /// The row, held for this reason. A confirmation of identity data does not release it.
    pub fn held(self, reason: Reason) -> Self {
        let version = Version { verdict: Verdict::Held, reasons: vec![reason], held: None, ..self.version };
        Self { version, certificate_digest: String::new(), claim: None, ..self }
    }

    /// The index key of the person who received the dose; `None` if the row does not report a dose.
    pub fn dosed_person(&self) -> Option<&PersonKey> {
        let is_dose = matches!(self.version.verdict, Verdict::Complete | Verdict::Incomplete);
        self.person.as_ref().filter(|_| is_dose)
    }

    /// Whether the row repeats or corrects a dose that this record of its event already counts for
    /// the row's person. If the recorded dose belongs to another person, or does not count yet
    /// because it was rejected or exceeded its sender's quota, the row is an additional dose.
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

    /// The index key of the person, if the row is held and a confirmation of the person's identity
    /// data may release it.
    pub fn held_person(&self) -> Option<&PersonKey> {
        self.person.as_ref().filter(|_| self.version.held.is_some())
    }

    /// The key of the event that the row belongs to.
    pub fn event(&self) -> &EventKey {
        &self.event
    }

    /// Sets the sender, which determines who may correct the event later.
    #[must_use]
    pub fn of(self, sender: &Sender) -> Self {
        Self { facility: sender.facility().map(str::to_owned), ..self }
    }
}

/// The keyed digest of the fields that a certificate shows.
pub(super) fn certificate_digest(dose: &CompleteDose, keys: &Keys) -> String {
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

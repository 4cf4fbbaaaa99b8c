//! Transitions of a dose after a new row or a confirmation of identity data.

use bukti_domain::{History, Verdict, Version};
use serde_bytes::ByteBuf;

use super::record::row_aad;
use super::{DoseRecord, Incoming};
use crate::{Corrupt, Keys, SmsKind};

impl DoseRecord {
    /// The record after a row arrives. `None` if nothing changes, because the row is a duplicate or
    /// its sender may not correct the event.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row cannot be sealed.
    pub fn after(
        record: Option<&DoseRecord>,
        incoming: &Incoming,
        keys: &Keys,
    ) -> Result<Option<Self>, Corrupt> {
        if record.is_some_and(|record| record.belongs_to_other_sender(incoming.facility.as_deref())) {
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
            next.apply_verdict(record, incoming, keys);
        }
        if record.is_some_and(|record| record.phone != next.phone) {
            next.raise_phone_version();
        }
        next.request_sms_after(record);
        Ok(Some(next))
    }

    /// The first revision of the record of an event.
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
            sms_request: None,
            again_at: None,
            row: ByteBuf::new(),
        }
    }

    /// Whether the history has a row from the job and line that this row came from.
    pub fn has_row_of(&self, incoming: &Incoming) -> bool {
        self.history.versions().iter().any(|version| version.origin == incoming.version.origin)
    }

    /// The dose after confirmations are applied. `covered` contains the digests of the confirmed
    /// identity data. `None` if the confirmations change nothing.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row cannot be opened.
    pub fn confirmed(&self, covered: &[String], keys: &Keys) -> Result<Option<Self>, Corrupt> {
        let mut history = self.history.clone();
        let mut incoming = None;
        if let Some(current) = history.current().filter(|current| current.verdict == Verdict::Held) {
            let row = self.open(keys).map_err(|_| Corrupt("dose"))?;
            incoming = Incoming::judge(row, current.origin.clone(), self.received_at, keys)
                .and_then(|incoming| incoming.confirmed(covered, keys));
        }
        // Confirm the row that counts first, because an earlier version may have stored it without
        // the digest of a held row. Then confirm the earlier rows, whose results appear in reports.
        let counts = incoming.as_ref().is_some_and(|incoming| history.add(incoming.version.clone()));
        if !history.confirm(covered) && !counts {
            return Ok(None);
        }
        let mut next = Self { history, revision: self.revision + 1, ..self.clone() };
        if let Some(incoming) = incoming.filter(|_| counts) {
            next.apply_verdict(Some(self), &incoming, keys);
        }
        next.request_sms_after(Some(self));
        Ok(Some(next))
    }

    /// Copies the data of a row, and the index keys of its person and phone, into the record.
    fn show(&mut self, incoming: &Incoming, keys: &Keys) -> Result<(), Corrupt> {
        let sealed = keys.seal(&row_aad(&self.pk), &incoming.row, incoming.received_at);
        self.row = ByteBuf::from(sealed.ok_or(Corrupt("a dose cannot be sealed"))?);
        self.person.clone_from(&incoming.person);
        self.phone.clone_from(&incoming.phone);
        self.dose_number = incoming.dose_number;
        self.alike.clone_from(&incoming.alike);
        Ok(())
    }

    /// Copies the verdict of the row that counts, and updates the certificate and the claim
    /// accordingly.
    fn apply_verdict(&mut self, record: Option<&DoseRecord>, incoming: &Incoming, keys: &Keys) {
        self.verdict = incoming.version.verdict;
        self.reasons.clone_from(&incoming.version.reasons);
        if record.is_some() {
            self.first_received_at.get_or_insert(self.received_at);
        }
        self.received_at = incoming.received_at;
        self.sms_request = None;
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

    /// Invalidates all certificates and links of the dose. When the dose is complete again, it gets
    /// a new certificate.
    pub(super) fn end_certificates(&mut self) {
        self.void_version = self.certificate_version;
        self.certificate_digest.clear();
        self.raise_phone_version();
    }

    /// Moves to the next certificate version, so that a new certificate is issued. A withdrawn dose
    /// keeps the version of its revoked certificate.
    pub(super) fn raise_certificate_version(&mut self) {
        if self.withdrawn.is_none() {
            self.certificate_version += 1;
        }
    }

    /// Moves to the next phone version, which invalidates links and allows another SMS.
    pub(super) fn raise_phone_version(&mut self) {
        self.phone_version += 1;
        // The SMS that the helpdesk requested is exempt from the phone's quota. The next SMS is
        // charged to the quota, like the SMS of a first dose.
        if let Some(request) = &mut self.sms_request
            && request.kind == SmsKind::Resent
        {
            request.kind = SmsKind::FirstDose;
        }
    }
}

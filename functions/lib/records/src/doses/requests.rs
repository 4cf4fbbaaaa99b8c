//! Requests for SMS about a dose.

use bukti_domain::Verdict;
use jiff::Timestamp;

use super::DoseRecord;
use crate::{SmsKind, SmsRequest};

impl DoseRecord {
    /// The kind of SMS that sends a link to the certificate. `None` if the dose is not a first dose
    /// and the helpdesk has neither corrected it nor resent its link; then no link is sent.
    pub fn certificate_sms(&self) -> Option<SmsKind> {
        let requested = self.sms_request.map(|request| request.kind);
        let first = (self.dose_number == Some(1)).then_some(SmsKind::FirstDose);
        match requested {
            // The notice to the previous phone is requested once, by the correction itself.
            Some(SmsKind::PhoneCorrected) => Some(SmsKind::Corrected),
            Some(kind) if kind.has_certificate_link() => Some(kind),
            _ => first,
        }
    }

    /// Requests the SMS, if any, that the transition from `before` to this revision requires.
    ///
    /// For a new dose or a new certificate, nothing is requested here, because `issue` writes the
    /// request with the certificate. The exception is a dose that had no certificate in `before`:
    /// `notify` may have processed the request of the certificate while the dose had none, and sent
    /// nothing.
    pub(super) fn request_sms_after(&mut self, before: Option<&Self>) {
        let Some(before) = before else { return };
        let has_new_phone = self.phone_version != before.phone_version;
        let kind = if self.verdict == Verdict::Retracted {
            has_new_phone.then_some(SmsKind::Retracted)
        } else if self.certificate_id.is_some() && (has_new_phone || before.certificate_id.is_none()) {
            self.certificate_sms()
        } else {
            None
        };
        if let Some(kind) = kind {
            self.request_sms(kind);
        }
    }

    /// Requests an SMS, identified by this revision of the dose.
    pub(super) fn request_sms(&mut self, kind: SmsKind) {
        self.sms_request = Some(SmsRequest::of_revision(kind, self.revision));
    }

    /// The dose with its SMS requested again; `None` if the dose has no SMS. An SMS that has
    /// already been sent is not sent again.
    #[must_use]
    pub fn with_sms_requested_again(&self) -> Option<Self> {
        let kind = match self.verdict {
            Verdict::Retracted => SmsKind::Retracted,
            _ => self.certificate_sms()?,
        };
        let mut next = Self { revision: self.revision + 1, ..self.clone() };
        next.request_sms(kind);
        Some(next)
    }

    /// The dose for which an admin repeats what `issue` and `notify` do, by a new stream record and
    /// the SMS requested again.
    #[must_use]
    pub fn redriven(&self, now: Timestamp) -> Self {
        let next = self.with_sms_requested_again();
        let next = next.unwrap_or_else(|| Self { revision: self.revision + 1, ..self.clone() });
        Self { again_at: Some(now), ..next }
    }
}

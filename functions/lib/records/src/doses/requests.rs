//! When a dose requests an SMS.

use bukti_domain::Verdict;

use super::DoseRecord;
use crate::{SmsKind, SmsRequest};

impl DoseRecord {
    /// The kind of the SMS with a link to the certificate; `None` where the dose has no such SMS,
    /// since it is no first dose and the helpdesk did not correct it.
    pub fn certificate_sms(&self) -> Option<SmsKind> {
        let requested = self.sms_request.map(|request| request.kind);
        let first = (self.dose_number == Some(1)).then_some(SmsKind::FirstDose);
        requested.filter(|kind| kind.has_certificate_link()).or(first)
    }

    /// Requests the SMS that a row or a confirmation brings, after it was applied to `before`.
    ///
    /// A new dose requests none: `issue` does with the certificate. The same holds for a new
    /// certificate, but not where the certificate was issued while the dose had none to show: `notify`
    /// may have read the dose then and sent nothing.
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

    /// Requests an SMS by the write of this revision.
    pub(super) fn request_sms(&mut self, kind: SmsKind) {
        self.sms_request = Some(SmsRequest::of_revision(kind, self.revision));
    }

    /// The dose with its SMS requested once more; `None` where it has none. An SMS that was sent
    /// is not sent again.
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
}

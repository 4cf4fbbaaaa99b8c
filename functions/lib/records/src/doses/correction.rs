//! Corrections of doses by the helpdesk.

use bukti_domain::{FeedRow, IdentityData, Origin, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::{DoseRecord, Incoming};
use crate::{Corrupt, DoseKey, Keys, PhoneKey, SmsKind};

/// A dose after a correction, to be written.
pub struct Rewrite(DoseRecord);

impl Rewrite {
    /// Whether the dose is no worse than before the correction. An incomplete dose may remain
    /// incomplete until the facility completes it.
    pub fn is_no_worse_than(&self, before: Option<&DoseRecord>) -> bool {
        match self.0.verdict {
            Verdict::Complete => true,
            Verdict::Incomplete => before.is_some_and(|before| before.verdict == Verdict::Incomplete),
            Verdict::Held | Verdict::Rejected | Verdict::Retracted => false,
        }
    }

    /// The record to write.
    pub fn record(&self) -> &DoseRecord {
        &self.0
    }

    /// The key of the corrected dose's claim; `None` if the dose has none.
    pub fn claim(&self) -> Option<&DoseKey> {
        self.0.claim.as_ref()
    }
}

impl DoseRecord {
    /// The dose after a correction that results in this row. Its links become invalid, it gets a
    /// new certificate, and an SMS to its phone is requested. `covered` contains the digests of the
    /// person's confirmed identity data. `None` if the correction changes nothing, or if the dose
    /// is retracted or a duplicate.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row cannot be sealed.
    pub fn rewritten(
        record: Option<&DoseRecord>,
        row: FeedRow,
        origin: Origin,
        now: Timestamp,
        covered: &[String],
        keys: &Keys,
    ) -> Result<Option<Rewrite>, Corrupt> {
        // Later than all known rows, even if the sender's clock is ahead.
        let latest = record.and_then(|record| record.history.current()).map(|current| current.sent_at);
        let sent_at = latest.map_or(now, |latest| now.max(latest + SignedDuration::from_secs(1)));
        let row = FeedRow { sent_at: sent_at.to_string(), ..row };
        let Some(incoming) = Incoming::judge(row, origin, now, keys) else { return Ok(None) };
        let incoming = incoming.confirmed(covered, keys).unwrap_or(incoming);
        // Only the sender may undo a retraction, and a duplicate has no certificate to correct.
        if record.is_some_and(|record| record.verdict == Verdict::Retracted) {
            return Ok(None);
        }
        let Some(mut next) = Self::after(record, &incoming, keys)? else { return Ok(None) };
        if next.duplicate {
            return Ok(None);
        }
        if let Some(record) = record {
            // Required even if the content does not change, because a stranger may have the old
            // certificate.
            if next.certificate_id.is_some() && next.certificate_version == record.certificate_version {
                next.raise_certificate_version();
                next.certificate_id = next.latest_certificate(keys);
            }
            next.phone_version = record.phone_version + 1;
        }
        let has_new_phone = record.is_some_and(|record| record.phone != next.phone);
        next.request_sms(if has_new_phone { SmsKind::PhoneCorrected } else { SmsKind::Corrected });
        Ok(Some(Rewrite(next)))
    }

    /// The dose with a request to resend its link. Earlier links become invalid.
    #[must_use]
    pub fn resent(&self) -> Self {
        let mut next =
            Self { revision: self.revision + 1, phone_version: self.phone_version + 1, ..self.clone() };
        next.request_sms(SmsKind::Resent);
        next
    }

    /// Whether this is a held first dose, registered with this phone (its index key), for which a
    /// certificate is issued once these data are confirmed.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the row cannot be opened.
    pub fn is_first_to_issue(
        &self,
        data: &IdentityData,
        phone: &PhoneKey,
        keys: &Keys,
    ) -> Result<bool, Corrupt> {
        if self.verdict != Verdict::Held || self.dose_number != Some(1) || self.phone.as_ref() != Some(phone)
        {
            return Ok(false);
        }
        let row = self.open(keys).map_err(|_| Corrupt("dose"))?;
        let is_covered = IdentityData::of(&row.dose()).is_some_and(|stated| data.covered().contains(&stated));
        Ok(is_covered && row.judge_confirmed().0 == Verdict::Complete)
    }
}

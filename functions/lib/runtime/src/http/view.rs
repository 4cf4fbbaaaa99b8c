//! How doses are shown.

use std::collections::BTreeSet;

use bukti_domain::{CertificateFacts, Dose, INDONESIA_WEST, Verdict, diagnose};
use bukti_records::{CertificateRecord, DoseRecord, EventKey, Keys, OpenError, PersonRecords};
use bukti_wire::DoseStatus;
use jiff::civil::Date;

use crate::Failure;

/// The day of issue, in western Indonesia.
pub fn issued_on(certificate: &CertificateRecord) -> Date {
    INDONESIA_WEST.to_datetime(certificate.issued_at).date()
}

/// What the doses of a person say, by the day of the vaccination; at the end those whose day cannot be read.
///
/// # Errors
///
/// `internal` where a record does not open.
pub fn doses_by_day<'a>(
    records: &'a PersonRecords,
    keys: &Keys,
) -> Result<Vec<(&'a DoseRecord, Dose)>, Failure> {
    let open = |record: &'a DoseRecord| Ok((record, record.dose(keys)?));
    let mut doses = records.doses.iter().map(open).collect::<Result<Vec<_>, OpenError>>()?;
    doses.sort_by_key(|(record, dose)| {
        (dose.vaccination_date.is_none(), dose.vaccination_date, dose.dose_number, &record.pk)
    });
    Ok(doses)
}

/// Leaves at most `most` of these doses: those that come first in the records. Whether there were more.
pub fn keep_first(records: &PersonRecords, doses: &mut Vec<(&DoseRecord, Dose)>, most: usize) -> bool {
    let more = doses.len() > most;
    if more {
        let kept: BTreeSet<&EventKey> = doses.iter().map(|(record, _)| &record.pk).collect();
        let first = records.doses.iter().map(|record| &record.pk).filter(|event| kept.contains(event));
        let first: BTreeSet<&EventKey> = first.take(most).collect();
        doses.retain(|(record, _)| first.contains(&record.pk));
    }
    more
}

/// The doses of a person as citizens see them, each once: without duplicates, and without retracted events whose dose another
/// event reports completely.
///
/// # Errors
///
/// `internal` where a record does not open.
pub(crate) fn distinct_doses_by_day<'a>(
    records: &'a PersonRecords,
    keys: &Keys,
) -> Result<Vec<(&'a DoseRecord, Dose)>, Failure> {
    let all = doses_by_day(records, keys)?;
    let is_same = |(one, one_dose): &(&DoseRecord, Dose), (other, other_dose): &(&DoseRecord, Dose)| {
        one.person == other.person
            && one_dose.dose_number == other_dose.dose_number
            && one_dose.vaccination_date == other_dose.vaccination_date
            && one_dose.vaccine.map(|it| &it.name) == other_dose.vaccine.map(|it| &it.name)
    };
    let counts = |record: &DoseRecord| record.verdict == Verdict::Complete && !record.duplicate;
    let is_covered = |dose: &(&DoseRecord, Dose)| {
        dose.0.duplicate
            || dose.0.verdict == Verdict::Retracted
                && all.iter().any(|other| counts(other.0) && is_same(dose, other))
    };
    let covered: Vec<bool> = all.iter().map(is_covered).collect();
    Ok(all.into_iter().zip(covered).filter(|(_, covered)| !covered).map(|(dose, _)| dose).collect())
}

/// A dose and the state of its certificate, as anybody sees it who knows name and number.
///
/// `same_phone` is whether the registered phone is the one logged in with; `None` where nobody is logged in.
pub fn dose_status(
    record: &DoseRecord,
    dose: &Dose,
    certificate: Option<&CertificateRecord>,
    same_phone: Option<bool>,
) -> DoseStatus {
    let facts = match certificate {
        None if record.withdrawn.is_some() => CertificateFacts::Revoked,
        None => CertificateFacts::None,
        Some(certificate) if certificate.revoked_at.is_some() => CertificateFacts::Revoked,
        Some(_) => CertificateFacts::Issued,
    };
    DoseStatus {
        dose_number: dose.dose_number,
        disease: dose.vaccine.map(Into::into),
        vaccine: dose.vaccine.map(|vaccine| vaccine.name.clone()),
        vaccination_date: dose.vaccination_date,
        facility: dose.facility.as_ref().map(|facility| facility.name.clone()),
        diagnosis: diagnose(record.verdict, &record.reasons, facts, same_phone).into(),
        issued_on: certificate.map(issued_on),
        phone_hint: dose.phone.as_ref().map(|phone| phone.hint().to_owned()),
    }
}

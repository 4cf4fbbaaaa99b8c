//! Converts dose records to the views that responses contain.

use std::collections::BTreeSet;

use bukti_domain::{CertificateFacts, Dose, INDONESIA_WEST, Verdict, diagnose};
use bukti_records::{CertificateRecord, DoseRecord, EventKey, Keys, OpenError, PersonRecords};
use bukti_wire::DoseStatus;
use jiff::civil::Date;

use crate::Failure;

/// The date of issue in western Indonesian time.
pub fn issued_on(certificate: &CertificateRecord) -> Date {
    INDONESIA_WEST.to_datetime(certificate.issued_at).date()
}

/// Decrypts the doses of a person and sorts them by vaccination date. Doses without a valid date
/// come last.
///
/// # Errors
///
/// `internal` if a record cannot be decrypted.
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

/// Keeps only the `limit` doses that come first in `records`, without reordering them. Returns
/// whether any doses were removed.
pub fn keep_first(records: &PersonRecords, doses: &mut Vec<(&DoseRecord, Dose)>, limit: usize) -> bool {
    let more = doses.len() > limit;
    if more {
        let kept: BTreeSet<&EventKey> = doses.iter().map(|(record, _)| &record.pk).collect();
        let first = records.doses.iter().map(|record| &record.pk).filter(|event| kept.contains(event));
        let first: BTreeSet<&EventKey> = first.take(limit).collect();
        doses.retain(|(record, _)| first.contains(&record.pk));
    }
    more
}

/// Decrypts and sorts the doses of a person as citizens see them: without duplicates, and without
/// retracted events whose dose is also reported by another, complete event.
///
/// # Errors
///
/// `internal` if a record cannot be decrypted.
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
    let is_valid = |record: &DoseRecord| record.verdict == Verdict::Complete && !record.duplicate;
    let is_covered = |dose: &(&DoseRecord, Dose)| {
        dose.0.duplicate
            || dose.0.verdict == Verdict::Retracted
                && all.iter().any(|other| is_valid(other.0) && is_same(dose, other))
    };
    let covered: Vec<bool> = all.iter().map(is_covered).collect();
    Ok(all.into_iter().zip(covered).filter(|(_, covered)| !covered).map(|(dose, _)| dose).collect())
}

/// A dose and the state of its certificate, as shown to anyone who knows the person's name and
/// identity number.
///
/// `same_phone` says whether the dose is registered with the phone that is logged in; it is `None`
/// if the caller is not logged in.
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

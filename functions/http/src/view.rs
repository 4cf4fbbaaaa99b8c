//! How doses are shown.

use bukti_aws::{CertificateRecord, DoseRecord, Keys, OpenError, PersonRecords};
use bukti_domain::{CertificateFacts, Dose, INDONESIA_WEST, diagnose};
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
    doses.sort_by_key(|(_, dose)| (dose.vaccination_date.is_none(), dose.vaccination_date));
    Ok(doses)
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

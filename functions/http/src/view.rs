//! How doses are shown, and which of them an account may see.

use std::collections::BTreeSet;

use bukti_aws::{CertificateRecord, DoseRecord, Keys, OpenError, PersonRecords};
use bukti_domain::{BirthDate, CertificateFacts, Dose, INDONESIA_WEST, PersonName, Verdict, diagnose};
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
        let kept: BTreeSet<&str> = doses.iter().map(|(record, _)| &*record.pk).collect();
        let first = records.doses.iter().map(|record| &*record.pk).filter(|event| kept.contains(event));
        let first: BTreeSet<&str> = first.take(most).collect();
        doses.retain(|(record, _)| first.contains(&*record.pk));
    }
    more
}

/// The doses of a person as citizens see them, each once: without duplicates, and without retracted events whose dose another
/// event reports completely.
///
/// # Errors
///
/// `internal` where a record does not open.
pub fn distinct_doses_by_day<'a>(
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

/// What the owner of a phone may see of the records under one identity number: the doses registered with that phone, and
/// others with the name and birth date of one of them.
///
/// The number alone opens nothing. It follows a rule and can be guessed, so a row of another person may carry it by mistake,
/// or to read what is recorded under it.
#[derive(Debug)]
pub struct OwnRecords {
    /// The doses that they may see.
    pub records: PersonRecords,
    /// By name and birth date, the keys of the doses by which they see others.
    names: BTreeSet<String>,
    /// Whether these are all doses under the number.
    is_all: bool,
}

impl OwnRecords {
    /// Of all records under a number, those that the owner of a phone (its index key) may see.
    ///
    /// # Errors
    ///
    /// `internal` where a record does not open.
    pub fn of_phone(records: PersonRecords, phone: &str, keys: &Keys) -> Result<Self, Failure> {
        let is_own = |record: &DoseRecord| record.phone.as_deref() == Some(phone);
        // What is held or rejected may be anybody's. Of events that report the same dose, the owner's phone counts.
        let opens = |record: &DoseRecord| {
            is_own(record)
                && !record.duplicate
                && matches!(record.verdict, Verdict::Complete | Verdict::Incomplete)
        };
        let (mut known, mut names) = (Vec::new(), BTreeSet::new());
        for record in records.doses.iter().filter(|record| opens(record)) {
            let dose = record.dose(keys)?;
            known.extend(dose.name.zip(dose.birth_date));
            names.extend(record.alike.clone());
        }
        let number_of_doses = records.doses.len();
        let mut doses = Vec::with_capacity(number_of_doses);
        for record in records.doses {
            if is_own(&record) || is_of(&record.dose(keys)?, &known) {
                doses.push(record);
            }
        }
        let is_all = doses.len() == number_of_doses && !records.more;
        let records = PersonRecords { doses, ..records };
        Ok(Self { records, names, is_all })
    }

    /// Whether they may see that an officer looked at doses with these keys of name and birth date. Where somebody else is
    /// recorded under the number, the entries about that person alone are not theirs.
    pub fn may_see_look(&self, names: &[String]) -> bool {
        let is_own = self.is_all || names.iter().any(|name| self.names.contains(name));
        is_own && !self.names.is_empty()
    }
}

/// Whether a dose is of one of these people.
fn is_of(dose: &Dose, people: &[(PersonName, BirthDate)]) -> bool {
    people.iter().any(|(name, birth_date)| dose.is_of(name, *birth_date))
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

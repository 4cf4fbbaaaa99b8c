//! Corrections that a person can request, the doses that they may concern, and the states of a
//! case.
//!
//! ```text
//!               ┌───── asked_back ◄─┐
//!               ▼  answer           │ question
//!  request ──► open ────────────────┴──────────────────► refused
//!               │
//!               ├─ dose number, applicant's own phone ──► granted ──► dose rewritten ──► certificate, SMS
//!               └─ identity data, another phone ──► awaiting_approval ──► granted or refused by a supervisor
//!                                                                          other than the proposer
//! ```
//!
//! Data that were corrected by law do not change a dose. Officers confirm them, and certificates
//! are issued for all doses that were held because of them ([`IdentityData`](crate::IdentityData)).

use crate::{
    BirthDate, Dose, FeedRow, Identity, MAX_FIELD_CHARS, PersonName, PhoneNumber, dose_number, parse_date,
};

codes! {
    /// What is wrong with a record.
    Correction {
        /// The phone on record is missing or belongs to somebody else.
        Phone = "phone",
        /// The name is misspelt.
        Name = "name",
        /// The birth date is wrong.
        BirthDate = "birth_date",
        /// The number of the identity card or passport is wrong.
        Identity = "identity",
        /// The dose number is wrong.
        DoseNumber = "dose_number",
        /// A dose is missing.
        DoseMissing = "dose_missing",
        /// The birth date or sex was corrected by law and differs from the one that the NIK
        /// encodes, so doses are held. The data are confirmed; no row is changed.
        DataCorrectedByLaw = "data_corrected_by_law",
    }
}

impl Correction {
    /// Whether a supervisor must always approve the correction, because it changes the holder of a
    /// certificate or leads to an additional one. A new phone number needs approval only if it is
    /// not the applicant's own.
    pub fn needs_approval(self) -> bool {
        !matches!(self, Correction::Phone | Correction::DoseNumber)
    }

    /// Whether a value, as it was typed, is valid for this correction.
    pub fn is_possible(self, value: &str) -> bool {
        let value = value.trim();
        match self {
            Correction::Phone => PhoneNumber::parse(value).is_some(),
            Correction::Name => {
                PersonName::parse(value).is_some() && value.chars().count() <= MAX_FIELD_CHARS
            }
            Correction::BirthDate => BirthDate::parse(value).is_some(),
            Correction::DataCorrectedByLaw => parse_date(value).is_some(),
            Correction::Identity => Identity::parse(value).is_some(),
            Correction::DoseNumber => dose_number(value).is_some(),
            Correction::DoseMissing => value.is_empty(),
        }
    }

    /// Returns the row with the corrected value. `None` if the value is invalid, or if the
    /// correction does not concern a field.
    pub fn corrected(self, row: &FeedRow, value: &str) -> Option<FeedRow> {
        let mut row = row.clone();
        if !self.is_possible(value) {
            return None;
        }
        let value = value.trim().to_owned();
        match self {
            Correction::Phone => row.no_hp = value,
            Correction::Name => row.nama = value,
            Correction::BirthDate | Correction::DataCorrectedByLaw => row.tanggal_lahir = value,
            Correction::Identity => match Identity::parse(&value)? {
                Identity::Nik(nik) => (row.nik, row.paspor) = (nik.digits().to_owned(), String::new()),
                Identity::Passport(_) => (row.nik, row.paspor) = (String::new(), value),
            },
            Correction::DoseNumber => row.dosis_ke = value,
            Correction::DoseMissing => return None,
        }
        Some(row)
    }

    /// The fields on which a proposed correction depends: the row's identity data and the value to
    /// correct. If any of them changes, the proposal is outdated.
    pub fn basis(self, row: &FeedRow) -> [&str; 6] {
        [&row.nik, &row.paspor, &row.nama, &row.tanggal_lahir, &row.jenis_kelamin, self.recorded(row)]
    }

    /// The current value of the field to correct; empty if a whole dose is missing.
    pub fn recorded(self, row: &FeedRow) -> &str {
        match self {
            Correction::Phone => &row.no_hp,
            Correction::Name => &row.nama,
            Correction::BirthDate | Correction::DataCorrectedByLaw => &row.tanggal_lahir,
            Correction::Identity if row.nik.trim().is_empty() => &row.paspor,
            Correction::Identity => &row.nik,
            Correction::DoseNumber => &row.dosis_ke,
            Correction::DoseMissing => "",
        }
    }
}

codes! {
    /// The state of a case.
    CaseState {
        /// An officer has to review the case.
        Open = "open",
        /// The applicant has to answer a question.
        AskedBack = "asked_back",
        /// An officer proposes to grant the request; a supervisor has to review it.
        AwaitingApproval = "awaiting_approval",
        /// The request was granted and the record corrected.
        Granted = "granted",
        /// The request was refused, with a reason.
        Refused = "refused",
    }
}

impl CaseState {
    /// Whether the case is granted or refused. Both states are final.
    pub fn is_decided(self) -> bool {
        matches!(self, CaseState::Granted | CaseState::Refused)
    }
}

codes! {
    /// An officer's decision on a case.
    Ruling {
        /// Correct the record, or approve another officer's proposal.
        Grant = "grant",
        /// Leave the record as it is.
        Refuse = "refuse",
        /// Ask the applicant a question first.
        AskBack = "ask_back",
    }
}

codes! {
    /// A sign that a dose belongs to a person although it is recorded under other data, or that it
    /// is recorded wrongly. It is a hint for officers, not proof.
    Likeness {
        /// The name and birth date match; the NIKs differ in one digit or in two swapped adjacent
        /// digits.
        NikDigit = "nik_digit",
        /// The name and birth date match; one record has a NIK, the other a passport number.
        NikAndPassport = "nik_and_passport",
        /// The name and birth date match; the identity numbers differ by more than a typing error,
        /// or are both passport numbers.
        NameAndBirthDate = "name_and_birth_date",
        /// The phone numbers differ in one digit or in two swapped adjacent digits.
        PhoneDigit = "phone_digit",
        /// A dose has the same number as an earlier dose against the same disease.
        DoseNumber = "dose_number",
    }
}

/// An applicant's personal data, as the applicant states them.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The applicant's NIK or passport number.
    pub identity: Identity,
    /// The applicant's name.
    pub name: PersonName,
    /// The applicant's birth date.
    pub birth_date: BirthDate,
    /// The applicant's phone number, if it is known.
    pub phone: Option<PhoneNumber>,
}

/// The signs that a dose belongs to an applicant. Empty if nothing matches, or if the dose is
/// recorded under exactly the applicant's data.
pub fn likenesses(asking: &Asking, dose: &Dose) -> Vec<Likeness> {
    let mut found = Vec::new();
    let same_name = dose.name.as_ref().is_some_and(|name| name.matches(&asking.name));
    let same_person =
        same_name && dose.birth_date.is_some_and(|known| known.is_matched_by(asking.birth_date));
    if let Some(identity) = &dose.identity
        && same_person
        && *identity != asking.identity
    {
        found.push(match (identity, &asking.identity) {
            (Identity::Nik(one), Identity::Nik(other)) if differ_by_typo(one.digits(), other.digits()) => {
                Likeness::NikDigit
            }
            (Identity::Nik(_), Identity::Passport(_)) | (Identity::Passport(_), Identity::Nik(_)) => {
                Likeness::NikAndPassport
            }
            _ => Likeness::NameAndBirthDate,
        });
    }
    if let (Some(one), Some(other)) = (&dose.phone, &asking.phone)
        && (same_person || dose.identity.as_ref() == Some(&asking.identity))
        && differ_by_typo(one.e164(), other.e164())
    {
        found.push(Likeness::PhoneDigit);
    }
    found
}

/// The indexes of those doses of a person that have the same number as an earlier dose against the
/// same disease.
pub fn doses_with_repeated_number(doses: &[Dose]) -> Vec<usize> {
    let repeats_number = |dose: &Dose, other: &Dose| {
        let alike = dose.dose_number.is_some()
            && dose.dose_number == other.dose_number
            && dose.vaccine.is_some()
            && dose.vaccine.map(|it| &it.disease) == other.vaccine.map(|it| &it.disease);
        alike
            && matches!((dose.vaccination_date, other.vaccination_date), (Some(day), Some(before)) if before < day)
    };
    let counted_twice = |dose: &Dose| doses.iter().any(|other| repeats_number(dose, other));
    (0..doses.len()).filter(|at| counted_twice(&doses[*at])).collect()
}

/// Whether two numbers of the same length differ in one digit or in two swapped adjacent digits.
fn differ_by_typo(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let differ: Vec<usize> = (0..one.len()).filter(|at| one[*at] != other[*at]).collect();
    match differ[..] {
        [_] => true,
        [first, second] => second == first + 1 && one[first] == other[second] && one[second] == other[first],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> FeedRow {
        FeedRow {
            nik: "3171012401896246".into(),
            nama: "Iwan Ibrahim Purnomo".into(),
            tanggal_lahir: "1989-01-24".into(),
            no_hp: "081234567890".into(),
            dosis_ke: "1".into(),
            vaksin: "CoronaVac".into(),
            tanggal_vaksinasi: "2021-01-29".into(),
            ..FeedRow::default()
        }
    }

    fn asking(identity: &str, phone: &str) -> Asking {
        Asking {
            identity: Identity::parse(identity).unwrap(),
            name: PersonName::parse("IWAN IBRAHIM PURNOMO").unwrap(),
            birth_date: BirthDate::parse("1989-01-24").unwrap(),
            phone: PhoneNumber::parse(phone),
        }
    }

    #[test]
    fn finds_doses_recorded_under_similar_data() {
        let dose = row().dose();
        for (identity, phone, expected) in [
            ("3171012401896246", "081234567890", &[][..]),
            ("3171012401896247", "081234567890", &[Likeness::NikDigit]),
            ("3171012401896264", "", &[Likeness::NikDigit]),
            ("3171012401891111", "", &[Likeness::NameAndBirthDate]),
            ("A1687353", "", &[Likeness::NikAndPassport]),
            ("3171012401896246", "081234567809", &[Likeness::PhoneDigit]),
            ("3171012401896246", "081234567899", &[Likeness::PhoneDigit]),
            ("3171012401896246", "081111111111", &[]),
        ] {
            assert_eq!(likenesses(&asking(identity, phone), &dose), expected, "{identity} {phone}");
        }
        let stranger = FeedRow { nama: "Budi".into(), nik: "3171012401896247".into(), ..row() };
        assert_eq!(likenesses(&asking("3171012401896246", "081234567809"), &stranger.dose()), []);
    }

    #[test]
    fn finds_second_dose_numbered_as_first() {
        let second = FeedRow { tanggal_vaksinasi: "2021-02-26".into(), ..row() };
        let third = FeedRow {
            tanggal_vaksinasi: "2022-02-26".into(),
            dosis_ke: "3".into(),
            vaksin: "Moderna".into(),
            ..row()
        };
        let doses = [second, row(), third].map(|row| row.dose());
        assert_eq!(doses_with_repeated_number(&doses), [0]);
        assert!(doses_with_repeated_number(&[row().dose()]).is_empty());
    }

    #[test]
    fn corrects_field_with_valid_value_only() {
        for (correction, value, changed) in [
            (Correction::Phone, "0813 1111 2222", FeedRow { no_hp: "0813 1111 2222".into(), ..row() }),
            (Correction::Name, " Iwan I. Purnomo", FeedRow { nama: "Iwan I. Purnomo".into(), ..row() }),
            (Correction::BirthDate, "1989-01-25", FeedRow { tanggal_lahir: "1989-01-25".into(), ..row() }),
            (
                Correction::Identity,
                "3171 0124 0189 6247",
                FeedRow { nik: "3171012401896247".into(), ..row() },
            ),
            (
                Correction::Identity,
                "A1687353",
                FeedRow { nik: "".into(), paspor: "A1687353".into(), ..row() },
            ),
            (Correction::DoseNumber, "2", FeedRow { dosis_ke: "2".into(), ..row() }),
        ] {
            assert!(correction.corrected(&row(), value) == Some(changed), "{correction:?} {value}");
        }
        for (correction, invalid) in [
            (Correction::Phone, "021 555"),
            (Correction::Name, "..."),
            (Correction::BirthDate, "24-01-1989"),
            (Correction::Identity, "31"),
            (Correction::DoseNumber, "0"),
            (Correction::DoseMissing, ""),
            (Correction::DataCorrectedByLaw, "1990"),
        ] {
            assert!(correction.corrected(&row(), invalid).is_none(), "{correction:?} {invalid}");
        }
        for correction in Correction::ALL {
            assert_eq!(Correction::from_code(correction.code()), Some(*correction));
        }
        assert_eq!(Correction::Identity.recorded(&row()), "3171012401896246");
    }
}

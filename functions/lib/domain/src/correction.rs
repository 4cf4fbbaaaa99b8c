//! Corrections: what a person says is wrong with the record, what of it fits which dose, and what becomes of it.
//!
//! ```text
//!            ┌────── asked_back ◄─┐
//!            ▼  answer            │
//!  asked ► open ──────────────────┼──► refused
//!            │                    │
//!            ├─ phone that asked, dose number ───► granted ──► the dose is rewritten ──► certificate, SMS
//!            └─ who the person is, another phone ──► awaiting_approval ── a supervisor, not the proposer ──► granted or refused
//! ```
//!
//! Data that were corrected by law rewrite no dose: they are confirmed, and all doses that were held for them are issued
//! ([`IdentityData`](crate::IdentityData)).

use crate::{
    BirthDate, Dose, FeedRow, Identity, LONGEST_FIELD, PersonName, PhoneNumber, dose_number, parse_date,
};

codes! {
    /// What is wrong with a record.
    Correction {
        /// The phone that the SMS goes to is another's, or there is none.
        Phone = "phone",
        /// The name is misspelt.
        Name = "name",
        /// The birth date.
        BirthDate = "birth_date",
        /// The number of the identity card or passport.
        Identity = "identity",
        /// Which dose it was.
        DoseNumber = "dose_number",
        /// A dose is not there at all.
        DoseMissing = "dose_missing",
        /// Birth date or sex were corrected by law and differ from those that the NIK encodes, so doses are held. No row
        /// is changed: the data are confirmed.
        DataCorrectedByLaw = "data_corrected_by_law",
    }
}

impl Correction {
    /// Whether it always changes who a certificate is for, or makes one: then a second person decides as well. A phone needs
    /// one where it is not the one that asked.
    pub fn needs_approval(self) -> bool {
        !matches!(self, Correction::Phone | Correction::DoseNumber)
    }

    /// Whether the right value, as it was written, can be right.
    pub fn is_possible(self, right: &str) -> bool {
        let right = right.trim();
        match self {
            Correction::Phone => PhoneNumber::parse(right).is_some(),
            Correction::Name => PersonName::parse(right).is_some() && right.chars().count() <= LONGEST_FIELD,
            Correction::BirthDate => BirthDate::parse(right).is_some(),
            Correction::DataCorrectedByLaw => parse_date(right).is_some(),
            Correction::Identity => Identity::parse(right).is_some(),
            Correction::DoseNumber => dose_number(right).is_some(),
            Correction::DoseMissing => right.is_empty(),
        }
    }

    /// Puts the right value into a row. `None` where it cannot be right.
    pub fn corrected(self, row: &FeedRow, right: &str) -> Option<FeedRow> {
        let mut row = row.clone();
        if !self.is_possible(right) {
            return None;
        }
        let right = right.trim().to_owned();
        match self {
            Correction::Phone => row.no_hp = right,
            Correction::Name => row.nama = right,
            Correction::BirthDate | Correction::DataCorrectedByLaw => row.tanggal_lahir = right,
            Correction::Identity => match Identity::parse(&right)? {
                Identity::Nik(nik) => (row.nik, row.paspor) = (nik.digits().to_owned(), String::new()),
                Identity::Passport(_) => (row.nik, row.paspor) = (String::new(), right),
            },
            Correction::DoseNumber => row.dosis_ke = right,
            Correction::DoseMissing => return None,
        }
        Some(row)
    }

    /// What a row says of whom it is about, and where this is wrong. Once any of it changes, a correction that was proposed
    /// for the row is overtaken.
    pub fn basis(self, row: &FeedRow) -> [&str; 6] {
        [&row.nik, &row.paspor, &row.nama, &row.tanggal_lahir, &row.jenis_kelamin, self.recorded(row)]
    }

    /// What a row says where this is wrong.
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
    /// Where a case stands.
    CaseState {
        /// An officer has to look at it.
        Open = "open",
        /// The person has to answer.
        AskedBack = "asked_back",
        /// An officer would grant it; a supervisor has to look at it.
        AwaitingApproval = "awaiting_approval",
        /// Done: the record is right.
        Granted = "granted",
        /// Refused, with a reason.
        Refused = "refused",
    }
}

impl CaseState {
    /// Whether nothing more becomes of it.
    pub fn is_decided(self) -> bool {
        matches!(self, CaseState::Granted | CaseState::Refused)
    }
}

codes! {
    /// What an officer decides of a case.
    Ruling {
        /// The record is put right; what another officer proposes is approved.
        Grant = "grant",
        /// It stays as it is.
        Refuse = "refuse",
        /// The person has to answer something first.
        AskBack = "ask_back",
    }
}

codes! {
    /// Why a dose may be a person's though it is not recorded as theirs, or may be recorded wrongly. A guess: for officers.
    Likeness {
        /// Name and birth date are the same, one digit of the NIK is another, or two neighbours are swapped.
        NikDigit = "nik_digit",
        /// Name and birth date are the same; one is under a NIK, the other under a passport.
        NikAndPassport = "nik_and_passport",
        /// Name and birth date are the same, the numbers are not alike.
        NameAndBirthDate = "name_and_birth_date",
        /// The phone is the one asked with, but for one digit or two swapped neighbours.
        PhoneDigit = "phone_digit",
        /// A later dose of the same vaccine is recorded with the same number as an earlier one.
        DoseNumber = "dose_number",
    }
}

/// What a person says of themselves.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The number by which they looked for themselves.
    pub identity: Identity,
    /// Their name.
    pub name: PersonName,
    /// Their birth date.
    pub birth_date: BirthDate,
    /// Their phone, where it is known.
    pub phone: Option<PhoneNumber>,
}

/// How this dose may be that person's. None where it has nothing of theirs, or is recorded as theirs altogether.
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
            (Identity::Nik(one), Identity::Nik(other)) if is_one_slip(one.digits(), other.digits()) => {
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
        && is_one_slip(one.e164(), other.e164())
    {
        found.push(Likeness::PhoneDigit);
    }
    found
}

/// Of the doses of one person: those that may be recorded with the number of an earlier one.
pub fn doses_counted_twice(doses: &[Dose]) -> Vec<usize> {
    let earlier = |dose: &Dose, other: &Dose| {
        let alike = dose.dose_number.is_some()
            && dose.dose_number == other.dose_number
            && dose.vaccine.is_some()
            && dose.vaccine.map(|it| &it.disease) == other.vaccine.map(|it| &it.disease);
        alike
            && matches!((dose.vaccination_date, other.vaccination_date), (Some(day), Some(before)) if before < day)
    };
    let counted_twice = |dose: &Dose| doses.iter().any(|other| earlier(dose, other));
    (0..doses.len()).filter(|at| counted_twice(&doses[*at])).collect()
}

/// Whether two numbers of one length differ by one digit, or by two neighbours that are swapped.
fn is_one_slip(one: &str, other: &str) -> bool {
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
    fn a_dose_under_another_number_may_be_the_same_persons() {
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
    fn a_second_dose_may_be_recorded_as_the_first() {
        let second = FeedRow { tanggal_vaksinasi: "2021-02-26".into(), ..row() };
        let third = FeedRow {
            tanggal_vaksinasi: "2022-02-26".into(),
            dosis_ke: "3".into(),
            vaksin: "Moderna".into(),
            ..row()
        };
        let doses = [second, row(), third].map(|row| row.dose());
        assert_eq!(doses_counted_twice(&doses), [0]);
        assert!(doses_counted_twice(&[row().dose()]).is_empty());
    }

    #[test]
    fn the_right_value_is_put_in_its_place() {
        for (correction, right, changed) in [
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
            assert!(correction.corrected(&row(), right) == Some(changed), "{correction:?} {right}");
        }
        for (correction, wrong) in [
            (Correction::Phone, "021 555"),
            (Correction::Name, "..."),
            (Correction::BirthDate, "24-01-1989"),
            (Correction::Identity, "31"),
            (Correction::DoseNumber, "0"),
            (Correction::DoseMissing, ""),
            (Correction::DataCorrectedByLaw, "1990"),
        ] {
            assert!(correction.corrected(&row(), wrong).is_none(), "{correction:?} {wrong}");
        }
        for correction in Correction::ALL {
            assert_eq!(Correction::of_code(correction.code()), Some(*correction));
        }
        assert_eq!(Correction::Identity.recorded(&row()), "3171012401896246");
    }
}

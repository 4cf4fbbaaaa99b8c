//! Confirmed identity data: data that legitimately contradict the NIK.
//!
//! A NIK is assigned for life. It stays the same if the birth date or sex that it encodes is
//! corrected by law (PP 40/2019). A row with the corrected data contradicts the NIK and is held,
//! although the data are correct. Once two officers have confirmed the person's data, every row
//! with exactly these data is judged without regard to the contradiction:
//!
//! ```text
//! row ── judge ──► held ──┬─ data not confirmed ──► held
//!                         └─ data confirmed ──────► complete or incomplete, by the rest of the row
//! ```

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{Dose, Identity, Nik, Reason, Sex, Verdict, parse_date};

/// A NIK with a birth date and sex, as a row or an officer states them. They may contradict the
/// NIK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityData {
    /// The NIK as stated, which may contradict the other fields.
    pub nik: Nik,
    /// The stated birth date.
    pub birth_date: Date,
    /// The stated sex; `None` if it was not registered.
    pub sex: Option<Sex>,
}

impl IdentityData {
    /// Extracts the identity data of a dose. Returns `None` if the dose has no valid NIK or no full
    /// birth date.
    pub fn of(dose: &Dose) -> Option<Self> {
        let Some(Identity::Nik(nik)) = &dose.identity else { return None };
        Some(Self { nik: nik.clone(), birth_date: dose.birth_date?.to_day()?, sex: dose.sex })
    }

    /// Parses identity data from the fields of a row. Returns `None` if the NIK or the birth date
    /// is invalid.
    pub fn parse(nik: &str, birth_date: &str, sex: &str) -> Option<Self> {
        Some(Self { nik: Nik::parse(nik)?, birth_date: parse_date(birth_date.trim())?, sex: Sex::parse(sex) })
    }

    /// The contradictions between the NIK and the other data; empty if there are none.
    pub fn contradictions(&self) -> Vec<Reason> {
        let mut found = Vec::new();
        if !self.nik.agrees_on_birth_date(self.birth_date) {
            found.push(Reason::NikBirthDateMismatch);
        }
        if self.sex.is_some_and(|sex| sex != self.nik.sex()) {
            found.push(Reason::NikSexMismatch);
        }
        found
    }

    /// The identity data of all rows that a confirmation of these data covers: rows with the same
    /// NIK and birth date, and either the same sex or no sex. If these data state no sex, the sex
    /// that the NIK encodes is used.
    ///
    /// Nothing else is covered: a different birth date under the same NIK remains a contradiction.
    pub fn covered(&self) -> [Self; 2] {
        let with = |sex| Self { sex, ..self.clone() };
        [with(Some(self.sex.unwrap_or(self.nik.sex()))), with(None)]
    }

    /// Formats the data as unambiguous text for a keyed digest. The text is personal data.
    pub fn content(&self) -> String {
        let sex = match self.sex {
            Some(Sex::Male) => "L",
            Some(Sex::Female) => "P",
            None => "",
        };
        [self.nik.digits(), &self.birth_date.to_string(), sex].join("\u{1f}")
    }
}

/// The verdict that a held row gets once its identity data are confirmed. It contains no personal
/// data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldIdentity {
    /// Keyed digest of the row's [`IdentityData`].
    pub digest: String,
    /// The verdict on the row without regard to the contradiction.
    pub verdict: Verdict,
    /// The reasons for that verdict.
    pub reasons: Vec<Reason>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// A man whose NIK encodes the birth date 24 January 1989.
    fn data(birth_date: Date, sex: Option<Sex>) -> IdentityData {
        IdentityData { nik: Nik::parse("3171012401896246").unwrap(), birth_date, sex }
    }

    #[test]
    fn lists_contradictions_between_nik_and_data() {
        use Reason::{NikBirthDateMismatch as Born, NikSexMismatch as OtherSex};
        let born = date(1989, 1, 24);
        for (data, expected) in [
            (data(born, Some(Sex::Male)), &[][..]),
            (data(born, None), &[]),
            (data(date(1990, 1, 24), None), &[Born]),
            (data(date(1989, 2, 24), Some(Sex::Male)), &[Born]),
            (data(born, Some(Sex::Female)), &[OtherSex]),
            (data(date(1989, 1, 25), Some(Sex::Female)), &[Born, OtherSex]),
        ] {
            assert_eq!(data.contradictions(), expected, "{:?} {:?}", data.birth_date, data.sex);
        }
    }

    #[test]
    fn parses_data_of_rows() {
        let (nik, born) = ("3171012401896246", date(1990, 1, 24));
        for (sex, expected) in [("L", Some(Sex::Male)), (" p ", Some(Sex::Female)), ("", None), ("X", None)] {
            assert_eq!(IdentityData::parse(nik, "1990-01-24", sex), Some(data(born, expected)), "{sex}");
        }
        for (nik, born) in [("A1687353", "1990-01-24"), (nik, "1990"), (nik, "24-01-1990"), ("", "")] {
            assert_eq!(IdentityData::parse(nik, born, "L"), None, "{nik} {born}");
        }
    }

    #[test]
    fn confirmation_covers_same_data_only() {
        let (born, other) = (date(1990, 1, 24), date(1990, 1, 25));
        let (male, female) = (Some(Sex::Male), Some(Sex::Female));
        for (confirmed, row, is_covered) in [
            (data(born, female), data(born, female), true),
            (data(born, female), data(born, None), true),
            (data(born, female), data(born, male), false),
            (data(born, None), data(born, male), true),
            (data(born, None), data(born, None), true),
            (data(born, None), data(born, female), false),
            (data(born, male), data(other, male), false),
            (data(born, male), data(other, None), false),
        ] {
            assert_eq!(confirmed.covered().contains(&row), is_covered, "{confirmed:?} {row:?}");
        }
        let other_nik = IdentityData { nik: Nik::parse("3171012401896247").unwrap(), ..data(born, male) };
        assert!(!data(born, male).covered().contains(&other_nik));
    }

    #[test]
    fn digest_text_differs_for_different_data() {
        let all = [
            data(date(1990, 1, 24), None),
            data(date(1990, 1, 24), Some(Sex::Male)),
            data(date(1990, 1, 24), Some(Sex::Female)),
            data(date(1990, 1, 25), None),
        ];
        let texts: std::collections::BTreeSet<_> = all.iter().map(IdentityData::content).collect();
        assert_eq!(texts.len(), all.len());
    }
}

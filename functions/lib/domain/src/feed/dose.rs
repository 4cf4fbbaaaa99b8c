//! Doses: the parsed fields of rows.

use jiff::civil::Date;

use super::{FeedRow, non_empty};
use crate::bounds::dose_number;
use crate::{
    BirthDate, CertifiedName, Identity, Nik, Passport, PersonName, PhoneNumber, Sex, Vaccine, hygiene,
    parse_date, vaccine_named,
};

/// The facility that gave the dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// Code in the national register, or the name if the row has no code.
    pub code: String,
    /// Name of the facility, or the code if the row has no name.
    pub name: String,
}

/// A dose as a row reports it. A missing or invalid field is `None`.
#[derive(Clone, Debug)]
pub struct Dose {
    /// The person's NIK or passport number.
    pub identity: Option<Identity>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// The person's birth date; always a full date for a person with a NIK.
    pub birth_date: Option<BirthDate>,
    /// The person's sex, if it was registered.
    pub sex: Option<Sex>,
    /// The phone number to which SMS messages are sent.
    pub phone: Option<PhoneNumber>,
    /// The dose number, 1 to 9.
    pub dose_number: Option<u8>,
    /// The vaccine's entry in the catalogue.
    pub vaccine: Option<&'static Vaccine>,
    /// The vaccine's batch number.
    pub batch: Option<String>,
    /// The day on which the dose was given.
    pub vaccination_date: Option<Date>,
    /// The facility that gave the dose.
    pub facility: Option<Facility>,
}

/// A dose with all data that a certificate needs, from a row whose verdict is
/// [`Verdict::Complete`](super::Verdict::Complete).
#[derive(Clone, Debug)]
pub struct CompleteDose {
    /// The person's NIK or passport number.
    pub identity: Identity,
    /// The person's name as the certificate signs it.
    pub name: CertifiedName,
    /// The person's birth date; always a full date for a person with a NIK.
    pub birth_date: BirthDate,
    /// The person's sex, if it was registered.
    pub sex: Option<Sex>,
    /// The dose number, 1 to 9.
    pub dose_number: u8,
    /// The vaccine's entry in the catalogue.
    pub vaccine: &'static Vaccine,
    /// The vaccine's batch number.
    pub batch: String,
    /// The day on which the dose was given.
    pub vaccination_date: Date,
    /// The facility that gave the dose.
    pub facility: Facility,
    /// The number of doses in the first series. It is determined by the vaccine of the person's
    /// first dose if that dose is known, otherwise by this dose's vaccine.
    pub primary_doses: u8,
}

impl Dose {
    /// Whether the dose belongs to a person with this name and birth date. A matching NIK or
    /// passport number alone is not enough evidence: numbers are mistyped, and a NIK follows a
    /// pattern and can be guessed.
    pub fn is_of(&self, name: &PersonName, birth_date: BirthDate) -> bool {
        self.name.as_ref().is_some_and(|own| own.matches(name))
            && self.birth_date.is_some_and(|own| own.is_matched_by(birth_date))
    }
}

impl CompleteDose {
    /// Sets the number of doses in the first series. `None` means that the first dose is unknown;
    /// this dose's vaccine then determines the number.
    #[must_use]
    pub fn in_series_of(self, primary_doses: Option<u8>) -> Self {
        Self { primary_doses: primary_doses.unwrap_or(self.vaccine.primary_doses), ..self }
    }

    /// The total number of doses in the series (DCC `sd`). This is the length of the first series.
    /// For a booster it is the dose's own number, or 1 if the first series has one dose, as in the
    /// DCC's examples (`3 of 3 Moderna`, `2 of 1 Janssen`).
    pub fn doses_in_series(&self) -> u8 {
        if self.primary_doses == 1 { 1 } else { self.primary_doses.max(self.dose_number) }
    }

    /// The number of doses in the first series; `None` for an international certificate, which
    /// covers a single dose.
    pub fn counted_series(&self) -> Option<u8> {
        self.vaccine.counted_series().map(|_| self.primary_doses)
    }

    /// The registered sex; if there is none, the sex that the NIK encodes.
    pub fn known_sex(&self) -> Option<Sex> {
        self.sex.or(match &self.identity {
            Identity::Nik(nik) => Some(nik.sex()),
            Identity::Passport(_) => None,
        })
    }

    /// The nationality (ISO 3166-1 alpha-3), if it is known. A person with a passport number
    /// instead of a NIK is a foreigner, and feeds do not state which country issued the passport.
    pub fn nationality(&self) -> Option<&'static str> {
        matches!(self.identity, Identity::Nik(_)).then_some("IDN")
    }
}

impl Dose {
    /// The person's name as a certificate signs it.
    pub fn certified_name(&self) -> Option<CertifiedName> {
        self.name.as_ref().map(|name| name.certified(self.identity.as_ref()))
    }

    /// Converts the dose to a complete one. Returns `None` if a field that a certificate needs is
    /// missing.
    pub fn complete(self) -> Option<CompleteDose> {
        Some(CompleteDose {
            name: self.certified_name()?,
            identity: self.identity?,
            birth_date: self.birth_date?,
            sex: self.sex,
            dose_number: self.dose_number?,
            primary_doses: self.vaccine?.primary_doses,
            vaccine: self.vaccine?,
            batch: self.batch?,
            vaccination_date: self.vaccination_date?,
            facility: self.facility?,
        })
    }
}

/// The number of doses in a person's first series against a disease. The vaccine of the first dose
/// determines it, whichever vaccines follow (the EU's rule for mixed series). Returns `None` if the
/// first dose is unknown.
///
/// The caller must exclude held, incomplete and retracted doses.
pub fn primary_doses<'a>(doses: impl IntoIterator<Item = &'a Dose>, disease: &str) -> Option<u8> {
    let of_disease = |dose: &&Dose| dose.vaccine.is_some_and(|vaccine| vaccine.disease == disease);
    let first = doses.into_iter().filter(|dose| dose.dose_number == Some(1)).filter(of_disease);
    // The vaccine's name breaks ties between doses of the same day, so that the result does not
    // depend on the order of the doses.
    let first =
        first.min_by_key(|dose| (dose.vaccination_date, dose.vaccine.map(|vaccine| &vaccine.name)))?;
    first.vaccine.map(|vaccine| vaccine.primary_doses)
}

impl FeedRow {
    /// Parses the fields of the row into a dose.
    pub fn dose(&self) -> Dose {
        let facility = match (non_empty(&self.kode_faskes), non_empty(&self.nama_faskes)) {
            (Some(code), Some(name)) => Some(Facility { code: code.to_owned(), name: name.to_owned() }),
            (Some(only), None) | (None, Some(only)) => {
                Some(Facility { code: only.to_owned(), name: only.to_owned() })
            }
            (None, None) => None,
        };
        let identity = match non_empty(&self.nik) {
            Some(nik) => Nik::parse(nik).map(Identity::Nik),
            None => Passport::parse(&self.paspor).map(Identity::Passport),
        };
        let vaccine = vaccine_named(&self.vaksin);
        // A person with a NIK needs a full date, since identity cards show one.
        let is_precise = |date: &BirthDate| date.to_day().is_some() || non_empty(&self.nik).is_none();
        Dose {
            identity,
            name: PersonName::parse(&self.nama),
            birth_date: BirthDate::parse(self.tanggal_lahir.trim()).filter(is_precise),
            sex: Sex::parse(&self.jenis_kelamin),
            phone: PhoneNumber::parse(&self.no_hp),
            dose_number: match non_empty(&self.dosis_ke) {
                Some(number) => dose_number(hygiene::integer_of_float(number).unwrap_or(number)),
                // An international certificate does not state the dose number.
                None => vaccine.filter(|vaccine| vaccine.is_icvp()).map(|_| 1),
            },
            vaccine,
            batch: non_empty(&self.batch).filter(|it| it.contains(char::is_alphanumeric)).map(str::to_owned),
            vaccination_date: parse_date(self.tanggal_vaksinasi.trim()),
            facility,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::test_row as row;

    /// The dose numbers (`dn`/`sd`) of a person's doses, in the order in which they were given.
    fn series(vaccines: &[&str]) -> Vec<String> {
        let doses: Vec<Dose> = vaccines
            .iter()
            .enumerate()
            .map(|(at, vaccine)| {
                let mut row = row();
                (row.vaksin, row.dosis_ke) = ((*vaccine).into(), (at + 1).to_string());
                row.tanggal_vaksinasi = format!("2021-0{}-01", at + 1);
                row.dose()
            })
            .collect();
        let numbers = doses.iter().filter(|dose| dose.vaccine.is_some()).map(|dose| {
            let primary = primary_doses(&doses, "covid-19");
            let dose = dose.clone().complete().unwrap().in_series_of(primary);
            format!("{}/{}", dose.dose_number, dose.doses_in_series())
        });
        numbers.collect()
    }

    #[test]
    fn first_dose_determines_length_of_series() {
        for (vaccines, expected) in [
            (&["Janssen"][..], &["1/1"][..]),
            (&["Janssen", "Janssen", "Janssen", "Janssen"], &["1/1", "2/1", "3/1", "4/1"]),
            (&["Moderna", "Moderna", "Moderna", "Moderna"], &["1/2", "2/2", "3/3", "4/4"]),
            (&["Janssen", "Moderna"], &["1/1", "2/1"]),
            (&["Janssen", "Pfizer", "Moderna"], &["1/1", "2/1", "3/1"]),
            (&["Convidecia", "CoronaVac"], &["1/1", "2/1"]),
            (&["AstraZeneca", "Pfizer"], &["1/2", "2/2"]),
            (&["CoronaVac", "CoronaVac", "Moderna"], &["1/2", "2/2", "3/3"]),
            (&["AstraZeneca", "Janssen"], &["1/2", "2/2"]),
            (&["Moderna", "Moderna", "Janssen"], &["1/2", "2/2", "3/3"]),
            (&["Zifivax", "Zifivax", "Zifivax", "Moderna"], &["1/3", "2/3", "3/3", "4/4"]),
            (&["Zifivax", "CoronaVac"], &["1/3", "2/3"]),
            (&["CoronaVac", "Zifivax"], &["1/2", "2/2"]),
            // The first dose is unknown.
            (&["?", "Moderna"], &["2/2"]),
            (&["?", "Janssen"], &["2/1"]),
            (&["?", "?", "Pfizer"], &["3/3"]),
            // The first dose is against another disease.
            (&["Stamaril", "Moderna"], &["1/1", "2/2"]),
        ] {
            assert_eq!(series(vaccines), expected, "{vaccines:?}");
        }
    }
}

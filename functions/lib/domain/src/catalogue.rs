//! The catalogue of diseases and vaccines.
//!
//! The catalogue is a data file, `vaccines.json`: an object with the arrays `diseases` and
//! `vaccines`. A deployment can extend it with a file of the same format ([`extend_catalogue`]). An
//! entry of that file replaces the existing entry with the same code or name:
//!
//! ```
//! bukti_domain::extend_catalogue(r#"{
//!     "diseases": [{"code": "cholera", "name": {"id": "Kolera", "en": "Cholera"}}],
//!     "vaccines": [{"name": "Shanchol", "aliases": ["OCV"], "disease": "cholera", "primary_doses": 2,
//!         "next_dose_after_days": [14], "icvp": {"vp": "cholerainactivatedoralProductbcc643f5ed406d46ed23bf1e0ff46cd1"}}]
//! }"#)?;
//! assert_eq!(bukti_domain::vaccine_named("ocv").unwrap().name, "Shanchol");
//! # Ok::<(), bukti_domain::CatalogueError>(())
//! ```

mod file;

use std::sync::OnceLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use file::Catalogue;

pub use file::CatalogueError;

/// The catalogue that every deployment starts with. WHO product ids come from the list of
/// prequalified vaccines (SMART Product Dataset for Prequalified Vaccines 0.2.0, 2025-07-01). If a
/// product has a separate id for each pack size, the catalogue contains one of them.
///
/// The aliases include the codes that FHIR senders use. Codes with the prefixes `cvx:` (CDC),
/// `icd11:` (WHO's ICD-11 MMS, extension codes) and `sct:` (SNOMED CT, Canadian and Belgian
/// extensions) follow the mappings in the WHO's DDCC. The prefixes `kfa:` and `atc:` are for codes
/// that a deployment adds. Only the code of a specific product is an alias: the code of a kind of
/// vaccine (ATC J07BN01, SNOMED CT 1119349007) does not determine the product.
///
/// An interval is the minimum number of days until the next dose. The sources are:
/// - First series against COVID-19: the shortest interval in the WHO's interim recommendations
///   (SAGE, 2021). There are exceptions: CoronaVac has the Ministry of Health's interval of four
///   weeks. The WHO has no recommendation for IndoVac, Sputnik-V and Zifivax; their intervals come
///   from their authorisation by BPOM.
/// - Boosters against COVID-19: the Ministry of Health's circulars for adults, which require three
///   months after the first series (2022-02-25) and six months after the first booster
///   (HK.02.02/C/380/2023). None of their combinations includes Sputnik-V.
/// - First series against polio: four weeks (WHO position paper of June 2022, and the national
///   schedule).
///
/// Single-dose vaccines against yellow fever and meningococcal disease have no interval: the
/// country of destination decides when the next dose is due.
const BUILT_IN: &str = include_str!("../vaccines.json");

/// The first vaccination day for which the WHO's International Certificate of Vaccination or
/// Prophylaxis exists in digital form (as of 2026-04-16). Earlier vaccinations are recorded in the
/// yellow booklet, which remains valid.
pub(crate) const ICVP_FROM: Date = jiff::civil::date(2025, 9, 19);

/// A disease against which people can be vaccinated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disease {
    /// Code in the catalogue: lower-case letters, digits and hyphens.
    pub code: String,
    /// Display name in each language of the service.
    pub name: DiseaseName,
    /// SNOMED CT code in the EU Digital COVID Certificate (`tg`); `None` if that certificate does
    /// not cover the disease.
    #[serde(default)]
    pub dcc_target: Option<String>,
    /// Codes from FHIR senders, with their prefixes, that denote a kind of vaccine against the
    /// disease rather than a product.
    #[serde(default)]
    pub vaccine_kinds: Vec<String>,
    /// Prefixes of the WHO's product ids for vaccines against the disease. A verifier uses them to
    /// determine the disease of a product that is not in the catalogue.
    #[serde(default)]
    pub icvp_products: Vec<String>,
    /// The number of days after vaccination from which an international certificate is valid for
    /// life; `None` if annex 7 of the International Health Regulations has no such rule for the
    /// disease.
    #[serde(default)]
    pub valid_for_life_after_days: Option<u8>,
}

/// The name of a disease in each language of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiseaseName {
    /// The Indonesian name.
    pub id: String,
    /// The English name.
    pub en: String,
}

impl DiseaseName {
    /// The name in the language of a BCP 47 tag: English for `en`, Indonesian for any other tag.
    pub fn in_language(&self, tag: &str) -> &str {
        if tag == "en" { &self.en } else { &self.id }
    }
}

/// A vaccine for which certificates can be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vaccine {
    /// The name that feeds use and pages show.
    pub name: String,
    /// Other names, and codes that FHIR senders use.
    pub aliases: Vec<String>,
    /// The disease's code in the catalogue.
    pub disease: String,
    /// The disease's display name.
    pub disease_name: DiseaseName,
    /// The number of doses in the first series; later doses are boosters.
    pub primary_doses: u8,
    /// For each dose after the first in the first series, the minimum number of days since the
    /// previous dose. Empty if the intervals are unknown.
    pub next_dose_after_days: Vec<u16>,
    /// For each recommended booster, the minimum number of days since the previous dose.
    pub booster_after_days: Vec<u16>,
    /// The type of certificate, and the vaccine's codes in it.
    pub codes: Codes,
}

/// The codes that identify a vaccine in its type of certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Codes in the EU Digital COVID Certificate, from its value sets (2022-11). IndoVac and
    /// Zifivax are missing from these extensible value sets; their codes are defined here.
    Dcc {
        /// Vaccine or prophylaxis, as a SNOMED CT code.
        vp: String,
        /// Medicinal product.
        mp: String,
        /// Marketing authorisation holder or manufacturer.
        ma: String,
    },
    /// Code in the WHO's International Certificate of Vaccination or Prophylaxis.
    Icvp {
        /// Product id in the WHO's catalogue of prequalified vaccines.
        vp: String,
    },
}

impl Vaccine {
    /// The number of doses in the first series; `None` if the certificate does not state it. An
    /// international certificate covers a single dose, and the country of destination decides how
    /// many doses a traveller needs.
    pub fn counted_series(&self) -> Option<u8> {
        match self.codes {
            Codes::Dcc { .. } => Some(self.primary_doses),
            Codes::Icvp { .. } => None,
        }
    }

    /// The minimum number of days between the dose with this number and the next one; `None` if
    /// there is no next dose or the interval is unknown.
    ///
    /// ```
    /// let vaccine = bukti_domain::vaccine_named("CoronaVac").unwrap();
    /// assert_eq!([1, 2, 3, 4].map(|dose| vaccine.next_dose_after(dose)), [Some(28), Some(90), Some(180), None]);
    /// ```
    pub fn next_dose_after(&self, dose_number: u8) -> Option<u16> {
        let days = match dose_number.checked_sub(self.primary_doses) {
            Some(boosters) => self.booster_after_days.get(usize::from(boosters)),
            None => self.next_dose_after_days.get(usize::from(dose_number.checked_sub(1)?)),
        };
        days.copied()
    }

    /// Whether the vaccine is certified by the WHO's International Certificate of Vaccination or
    /// Prophylaxis, rather than the EU Digital COVID Certificate.
    pub fn is_icvp(&self) -> bool {
        matches!(self.codes, Codes::Icvp { .. })
    }
}

/// All vaccines in the catalogue, including those that the deployment added.
pub fn vaccines() -> &'static [Vaccine] {
    &catalogue().vaccines
}

/// Finds a vaccine by name or alias, ignoring case, spaces and punctuation. Returns `None` if it is
/// not in the catalogue.
///
/// ```
/// assert_eq!(bukti_domain::vaccine_named("sputnik v").unwrap().name, "Sputnik-V");
/// assert!(bukti_domain::vaccine_named("Vitamin C").is_none());
/// ```
pub fn vaccine_named(name: &str) -> Option<&'static Vaccine> {
    let catalogue = catalogue();
    catalogue.by_name.get(&normalized(name)).and_then(|at| catalogue.vaccines.get(*at))
}

/// Finds a vaccine by its code in the EU Digital COVID Certificate (`mp`, medicinal product).
pub fn vaccine_of_dcc(mp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Dcc { mp: known, .. } if known == mp);
    catalogue().vaccines.iter().find(is)
}

/// Finds a vaccine by its product id in the WHO's catalogue (`vp`), ignoring case.
pub fn vaccine_of_icvp(vp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Icvp { vp: known } if known.eq_ignore_ascii_case(vp));
    catalogue().vaccines.iter().find(is)
}

/// Whether a code from a FHIR sender, with its prefix (`cvx:213`), denotes a kind of vaccine rather
/// than a product.
pub fn is_vaccine_kind(alias: &str) -> bool {
    catalogue().diseases.iter().any(|disease| disease.vaccine_kinds.iter().any(|kind| kind == alias))
}

/// Finds a disease by its code in the catalogue.
///
/// ```
/// assert_eq!(bukti_domain::disease("yellow-fever").unwrap().name.id, "Demam kuning");
/// ```
pub fn disease(code: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.code == code)
}

/// Finds a disease by its code in the EU Digital COVID Certificate (`tg`).
pub fn disease_of_dcc(tg: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.dcc_target.as_deref() == Some(tg))
}

/// Finds the disease for a product in the WHO's catalogue (`vp`), even if this catalogue does not
/// contain the product.
pub fn disease_of_icvp(vp: &str) -> Option<&'static Disease> {
    if let Some(vaccine) = vaccine_of_icvp(vp) {
        return disease(&vaccine.disease);
    }
    let is_prefix =
        |prefix: &String| vp.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    catalogue().diseases.iter().find(|disease| disease.icvp_products.iter().any(is_prefix))
}

/// Adds a deployment's own diseases and vaccines to the catalogue. Call it before the catalogue is
/// first used. Calling it again with the same file has no effect.
///
/// # Errors
///
/// Returns [`CatalogueError`] if the file is invalid, or if the catalogue is already in use without
/// it. The catalogue is then unchanged.
pub fn extend_catalogue(json: &str) -> Result<(), CatalogueError> {
    let extended = Catalogue::built_in()?.extended(json)?;
    match CATALOGUE.set(extended) {
        Err(extended) if *catalogue() != extended => Err(CatalogueError::already_in_use()),
        _ => Ok(()),
    }
}

static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

fn catalogue() -> &'static Catalogue {
    // A test parses the built-in file, so the default is never used.
    CATALOGUE.get_or_init(|| Catalogue::built_in().unwrap_or_default())
}

/// Converts a name to lower case and removes spaces and punctuation.
fn normalized(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::MOST_DOSES;

    #[test]
    fn finds_each_entry_by_name_and_code() {
        let catalogue = Catalogue::built_in().unwrap();
        assert!(catalogue.diseases.len() >= 4);
        assert!(catalogue.vaccines.len() >= 20);
        for vaccine in &catalogue.vaccines {
            assert_eq!(vaccine_named(&vaccine.name), Some(vaccine));
            let disease = disease(&vaccine.disease).unwrap();
            let by_code = match &vaccine.codes {
                Codes::Dcc { mp, .. } => (vaccine_of_dcc(mp), disease_of_dcc("840539006")),
                Codes::Icvp { vp } => (vaccine_of_icvp(vp), disease_of_icvp(vp)),
            };
            assert_eq!(by_code, (Some(vaccine), Some(disease)));
        }
    }

    #[test]
    fn finds_disease_of_unknown_who_products() {
        let bopv = "PolioVaccineOralOPVBivalProductdecf3a77facc0b8f1443db5f7a806857";
        assert_eq!(vaccine_of_icvp(&bopv.to_lowercase()).unwrap().name, "bOPV (Bio Farma)");
        // Products of Bharat Biotech and Sinovac that are not in the catalogue.
        for other in ["PolioVaccineOralOPVBivalProduct16e8839", "poliovaccineinactivatedsproduct2050"] {
            assert!(vaccine_of_icvp(other).is_none());
            assert_eq!(disease_of_icvp(other).unwrap().code, "polio");
        }
        assert!(disease_of_icvp("").is_none());
        assert!(disease_of_icvp("RabiesProducte3f874e7b89ed3e777f03ede68bb6fe5").is_none());
    }

    #[test]
    fn first_series_have_intervals_and_travel_vaccines_no_boosters() {
        for vaccine in &Catalogue::built_in().unwrap().vaccines {
            for dose in 1..vaccine.primary_doses {
                assert!(vaccine.next_dose_after(dose).is_some(), "{} {dose}", vaccine.name);
            }
            let has_boosters = vaccine.next_dose_after(vaccine.primary_doses).is_some();
            assert_eq!(has_boosters, !vaccine.is_icvp() && vaccine.name != "Sputnik-V", "{}", vaccine.name);
            assert_eq!(vaccine.next_dose_after(0), None);
            assert_eq!(vaccine.next_dose_after(MOST_DOSES), None);
        }
    }
}

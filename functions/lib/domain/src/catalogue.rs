//! The catalogue of diseases and vaccines.
//!
//! It is a data file, `vaccines.json`: an object with the lists `diseases` and `vaccines`. A
//! deployment can extend it by a file of the same format ([`extend_catalogue`]), in which an entry
//! replaces the one with the same code or name:
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

/// The catalogue that every deployment has. WHO product ids are those of the list of prequalified
/// vaccines (SMART Product Dataset for Prequalified Vaccines 0.2.0, 2025-07-01). If a product has
/// one id for each pack size, the catalogue has one of them.
///
/// Codes of FHIR senders are aliases. The prefixes are `cvx:` (CDC), `icd11:` (WHO's ICD-11 MMS,
/// extension codes) and `sct:` (SNOMED CT, Canadian and Belgian extension), with codes as the WHO's
/// DDCC maps them, and `kfa:` and `atc:`, for codes that a deployment adds. Only codes of a product
/// are aliases: a code of a kind of vaccine (ATC J07BN01, SNOMED CT 1119349007) does not determine
/// the product.
///
/// Intervals are the minimum numbers of days until the next dose. Their sources:
/// - First series against COVID-19: the shortest interval of the WHO's interim recommendations
///   (SAGE, 2021). Exceptions: CoronaVac has the four weeks of the Ministry of Health; IndoVac,
///   Sputnik-V and Zifivax, for which there is no recommendation of the WHO, have the interval of
///   their authorisation by BPOM.
/// - Boosters against COVID-19: the Ministry of Health's circulars for adults, three months after
///   the first series (2022-02-25) and six after the first booster (HK.02.02/C/380/2023). Sputnik-V
///   is in none of their combinations.
/// - First series against polio: four weeks (WHO position paper of June 2022, and the national
///   schedule).
///
/// Single-dose vaccines against yellow fever and meningococci have no interval: the country of
/// destination decides when they are due again.
const BUILT_IN: &str = include_str!("../vaccines.json");

/// The first day of vaccination for which the WHO's International Certificate of Vaccination or
/// Prophylaxis has a digital form (as of 2026-04-16). Earlier vaccinations are in the yellow
/// booklet, which stays valid.
pub(crate) const ICVP_FROM: Date = jiff::civil::date(2025, 9, 19);

/// A disease that can be vaccinated against.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disease {
    /// Code in the catalogue: lower-case letters, digits and hyphens.
    pub code: String,
    /// Display name.
    pub name: DiseaseName,
    /// Code in the EU Digital COVID Certificate (`tg`, SNOMED CT), if it has one.
    #[serde(default)]
    pub dcc_target: Option<String>,
    /// Codes of FHIR senders, with their prefix, that mean a kind of vaccine against the disease
    /// instead of a product.
    #[serde(default)]
    pub vaccine_kinds: Vec<String>,
    /// Prefixes of the WHO's product ids of vaccines against the disease. They let a verifier
    /// determine the disease of a product that is not in the catalogue.
    #[serde(default)]
    pub icvp_products: Vec<String>,
    /// The number of days after the vaccination from which an international certificate is valid
    /// for life, if annex 7 of the International Health Regulations has such a rule.
    #[serde(default)]
    pub valid_for_life_after_days: Option<u8>,
}

/// The name of a disease in each language of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiseaseName {
    /// In Indonesian.
    pub id: String,
    /// In English.
    pub en: String,
}

impl DiseaseName {
    /// The name in the language of a BCP 47 tag, `id` or `en`; in Indonesian for any other.
    pub fn in_language(&self, tag: &str) -> &str {
        if tag == "en" { &self.en } else { &self.id }
    }
}

/// A vaccine for which certificates can be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vaccine {
    /// Name, as feeds have it and pages show it.
    pub name: String,
    /// Other names, and codes of FHIR senders.
    pub aliases: Vec<String>,
    /// Code of the disease in the catalogue.
    pub disease: String,
    /// Name of the disease.
    pub disease_name: DiseaseName,
    /// Number of doses of the first series; later ones are boosters.
    pub primary_doses: u8,
    /// For each dose of the first series after the first, the minimum number of days since the
    /// previous one. Empty if that is not known.
    pub next_dose_after_days: Vec<u16>,
    /// For each customary booster, the minimum number of days since the previous dose.
    pub booster_after_days: Vec<u16>,
    /// Type of certificate, and codes of the vaccine in it.
    pub codes: Codes,
}

/// The codes of a vaccine in its type of certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Codes of the EU Digital COVID Certificate, from its value sets (2022-11). IndoVac and
    /// Zifivax are not in the value sets, which are open; their codes are defined here.
    Dcc {
        /// Vaccine or prophylaxis, SNOMED CT.
        vp: String,
        /// Medicinal product.
        mp: String,
        /// Marketing authorisation holder or manufacturer.
        ma: String,
    },
    /// Code of the WHO's International Certificate of Vaccination or Prophylaxis.
    Icvp {
        /// Product id in the WHO's catalogue of prequalified vaccines.
        vp: String,
    },
}

impl Vaccine {
    /// The number of doses of the first series, if the certificate states it. An international
    /// certificate does not: it is about one dose, and the country of destination decides how many
    /// a traveller needs.
    pub fn counted_series(&self) -> Option<u8> {
        match self.codes {
            Codes::Dcc { .. } => Some(self.primary_doses),
            Codes::Icvp { .. } => None,
        }
    }

    /// The minimum number of days between a dose and the next one; `None` if there is no next one,
    /// or the interval is not known.
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

    /// Whether its certificate is the WHO's International Certificate of Vaccination or
    /// Prophylaxis.
    pub fn is_icvp(&self) -> bool {
        matches!(self.codes, Codes::Icvp { .. })
    }
}

/// All vaccines.
pub fn vaccines() -> &'static [Vaccine] {
    &catalogue().vaccines
}

/// The vaccine with a name or alias, ignoring case, spaces and punctuation. `None` if it is not in
/// the catalogue.
///
/// ```
/// assert_eq!(bukti_domain::vaccine_named("sputnik v").unwrap().name, "Sputnik-V");
/// assert!(bukti_domain::vaccine_named("Vitamin C").is_none());
/// ```
pub fn vaccine_named(name: &str) -> Option<&'static Vaccine> {
    let catalogue = catalogue();
    catalogue.by_name.get(&normalized(name)).and_then(|at| catalogue.vaccines.get(*at))
}

/// The vaccine with a code of the EU Digital COVID Certificate (`mp`, medicinal product).
pub fn vaccine_of_dcc(mp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Dcc { mp: known, .. } if known == mp);
    catalogue().vaccines.iter().find(is)
}

/// The vaccine with a product id of the WHO's catalogue (`vp`), ignoring case.
pub fn vaccine_of_icvp(vp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Icvp { vp: known } if known.eq_ignore_ascii_case(vp));
    catalogue().vaccines.iter().find(is)
}

/// Whether a code of a FHIR sender, with its prefix (`cvx:213`), means a kind of vaccine instead of
/// a product.
pub fn is_vaccine_kind(alias: &str) -> bool {
    catalogue().diseases.iter().any(|disease| disease.vaccine_kinds.iter().any(|kind| kind == alias))
}

/// The disease with a code of the catalogue.
///
/// ```
/// assert_eq!(bukti_domain::disease("yellow-fever").unwrap().name.id, "Demam kuning");
/// ```
pub fn disease(code: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.code == code)
}

/// The disease with a code of the EU Digital COVID Certificate (`tg`).
pub fn disease_of_dcc(tg: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.dcc_target.as_deref() == Some(tg))
}

/// The disease of a product of the WHO's catalogue (`vp`), even if that product is not in this
/// catalogue.
pub fn disease_of_icvp(vp: &str) -> Option<&'static Disease> {
    if let Some(vaccine) = vaccine_of_icvp(vp) {
        return disease(&vaccine.disease);
    }
    let is_prefix =
        |prefix: &String| vp.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    catalogue().diseases.iter().find(|disease| disease.icvp_products.iter().any(is_prefix))
}

/// Adds a deployment's own diseases and vaccines to the catalogue. To be called before the
/// catalogue is first used; repeating the call with the same file has no effect.
///
/// # Errors
///
/// [`CatalogueError`] if the file is invalid, or the catalogue is already in use without it.
/// Nothing is added then.
pub fn extend_catalogue(json: &str) -> Result<(), CatalogueError> {
    let extended = Catalogue::built_in()?.extended(json)?;
    match CATALOGUE.set(extended) {
        Err(extended) if *catalogue() != extended => Err(CatalogueError::already_in_use()),
        _ => Ok(()),
    }
}

static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

fn catalogue() -> &'static Catalogue {
    // A test parses the built-in file, so that the default is never used.
    CATALOGUE.get_or_init(|| Catalogue::built_in().unwrap_or_default())
}

/// A name in lower case, without spaces and punctuation.
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
        // Products of Bharat Biotech and Sinovac, which are not in the catalogue.
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

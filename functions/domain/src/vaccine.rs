//! Vaccines and their codes, and the sex a person is registered with.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// Sex as registered, `L` (laki-laki) or `P` (perempuan) in Indonesian feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// `L`.
    Male,
    /// `P`.
    Female,
}

/// A vaccine that a certificate can be issued for.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Vaccine {
    /// The name as feeds and people write it.
    pub name: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// What it protects from: the code of a disease of the catalogue.
    pub disease: String,
    /// Doses of the first series; those above are boosters.
    pub primary_doses: u8,
    /// Which certificate it gets, with its codes there.
    #[serde(flatten)]
    pub codes: Codes,
}

/// How a certificate names a vaccine.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub enum Codes {
    /// In the EU Digital COVID Certificate, by its value sets (2022-11). IndoVac and Zifivax have no entry there; the
    /// value sets are open, and theirs are this deployment's own.
    #[serde(rename = "dcc")]
    Dcc {
        /// Vaccine or prophylaxis, SNOMED CT.
        vp: String,
        /// Medicinal product.
        mp: String,
        /// Marketing authorisation holder or manufacturer.
        ma: String,
    },
    /// In the WHO's International Certificate of Vaccination or Prophylaxis.
    #[serde(rename = "icvp")]
    Icvp {
        /// The product's id in the WHO's catalogue of prequalified vaccines.
        vp: String,
    },
}

impl Vaccine {
    /// How many doses the series has once this dose is in it (`sd`): the first series, or for a booster as many as there
    /// are, but 1 for vaccines of one dose, as the DCC's examples write it (`3 of 3 Moderna`, `2 of 1 Janssen`).
    pub fn doses_in_series(&self, dose_number: u8) -> u8 {
        if self.primary_doses == 1 { 1 } else { self.primary_doses.max(dose_number) }
    }
}

/// The vaccine of a name or alias, without regard to case, spaces and punctuation. `None` where nobody knows it.
///
/// ```
/// assert_eq!(bukti_domain::vaccine_named("sputnik v").unwrap().name, "Sputnik-V");
/// assert!(bukti_domain::vaccine_named("Vitamin C").is_none());
/// ```
pub fn vaccine_named(name: &str) -> Option<&'static Vaccine> {
    let plain = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let wanted = plain(name);
    catalogue().iter().find(|vaccine| {
        !wanted.is_empty()
            && (plain(&vaccine.name) == wanted || vaccine.aliases.iter().any(|alias| plain(alias) == wanted))
    })
}

/// The vaccine of a DCC's medicinal product (`mp`).
pub fn vaccine_of_dcc(product: &str) -> Option<&'static Vaccine> {
    catalogue().iter().find(|vaccine| matches!(&vaccine.codes, Codes::Dcc { mp, .. } if mp == product))
}

/// The vaccine of an ICVP's product id (`vp`).
pub fn vaccine_of_icvp(product: &str) -> Option<&'static Vaccine> {
    catalogue().iter().find(|vaccine| matches!(&vaccine.codes, Codes::Icvp { vp } if vp == product))
}

fn catalogue() -> &'static [Vaccine] {
    static CATALOGUE: OnceLock<Vec<Vaccine>> = OnceLock::new();
    // A test reads the file, so a catalogue that does not parse does not get this far.
    CATALOGUE.get_or_init(|| serde_json::from_str(include_str!("../vaccines.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_reads() {
        let catalogue: Vec<Vaccine> = serde_json::from_str(include_str!("../vaccines.json")).unwrap();
        assert!(catalogue.len() >= 11);
        for vaccine in &catalogue {
            assert_eq!(vaccine_named(&vaccine.name), Some(vaccine));
        }
    }

    #[test]
    fn doses_in_series_as_the_examples_have_them() {
        let moderna = vaccine_named("Moderna").unwrap();
        assert_eq!([1, 2, 3, 4].map(|dose| moderna.doses_in_series(dose)), [2, 2, 3, 4]);
        let janssen = vaccine_named("Janssen").unwrap();
        assert_eq!([1, 2, 3].map(|dose| janssen.doses_in_series(dose)), [1, 1, 1]);
    }
}

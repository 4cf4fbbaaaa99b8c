//! The catalogue of diseases and vaccines.
//!
//! It is a data file, `vaccines.json`: an object of `diseases` and `vaccines`. A deployment extends it by a file of the
//! same form ([`extend_catalogue`]), in which an entry replaces the one of the same code or name:
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

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounds::MOST_DOSES;

/// The catalogue that every deployment has. Product ids of the WHO's are those of its list of prequalified vaccines
/// (SMART Product Dataset for Prequalified Vaccines 0.2.0, 2025-07-01); of a product that has one for each size of pack,
/// one.
///
/// Codes of FHIR senders are aliases: `cvx:` (CDC), `icd11:` (WHO's ICD-11 MMS, extension codes), `sct:` (SNOMED CT, Canadian
/// and Belgian extension), as the WHO's DDCC maps them, and `kfa:` and `atc:`, of which a deployment adds its own. Only codes of
/// a product are among them: one of a kind of vaccine (ATC J07BN01, SNOMED CT 1119349007) does not say which was given.
///
/// The days between doses are those from which the next may be given:
/// - of a first series against COVID-19 the shortest of the WHO's interim recommendations (SAGE, 2021), of CoronaVac the
///   four weeks of the Ministry of Health, and of IndoVac, Sputnik-V and Zifivax, which the WHO has not recommended on,
///   those of their authorisation by BPOM;
/// - of its boosters those of the Ministry of Health's circulars for adults: three months after the first series (2022-02-25),
///   six after the first booster (HK.02.02/C/380/2023). Sputnik-V is in none of its combinations;
/// - of a first series against polio four weeks (WHO position paper of June 2022, and the national schedule).
///
/// A vaccine of one dose against yellow fever or meningococci has none: when it is due again is said by the country of
/// destination.
const BUILT_IN: &str = include_str!("../vaccines.json");

/// The first day of the vaccinations that the WHO's International Certificate of Vaccination or Prophylaxis carries in
/// digital form (2026-04-16). Earlier ones stand in the booklet, which stays valid.
pub(crate) const ICVP_FROM: Date = jiff::civil::date(2025, 9, 19);

/// A disease that vaccines protect from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disease {
    /// Its code here: small letters, digits and hyphens.
    pub code: String,
    /// Its name for people to read.
    pub name: DiseaseName,
    /// Its code in the EU Digital COVID Certificate (`tg`, SNOMED CT), where it has one.
    #[serde(default)]
    pub dcc_target: Option<String>,
    /// Codes of FHIR senders, with their prefix, for a kind of vaccine against it and not for one product.
    #[serde(default)]
    pub vaccine_kinds: Vec<String>,
    /// How the WHO's product ids of the vaccines against it begin: a verifier then knows what a product protects from that
    /// is not in the catalogue.
    #[serde(default)]
    pub icvp_products: Vec<String>,
    /// How many days after the vaccination an international certificate is valid for life, where the International Health
    /// Regulations (annex 7) say so.
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
    /// The name in the language of this tag (BCP 47, `id` or `en`); in Indonesian for any other.
    pub fn in_language(&self, tag: &str) -> &str {
        if tag == "en" { &self.en } else { &self.id }
    }
}

/// A vaccine that a certificate can be issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vaccine {
    /// The name as feeds and people write it.
    pub name: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// What it protects from: the code of a disease of the catalogue.
    pub disease: String,
    /// The name of that disease.
    pub disease_name: DiseaseName,
    /// Doses of the first series; those above are boosters.
    pub primary_doses: u8,
    /// For each dose of the first series after the first: how many days after the one before it may be given. Empty where
    /// that is not known.
    pub next_dose_after_days: Vec<u16>,
    /// For each booster that is customary: how many days after the dose before it may be given.
    pub booster_after_days: Vec<u16>,
    /// Which certificate it gets, with its codes there.
    pub codes: Codes,
}

/// How a certificate names a vaccine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// In the EU Digital COVID Certificate, by its value sets (2022-11). IndoVac and Zifivax have no entry there; the
    /// value sets are open, and theirs are this deployment's own.
    Dcc {
        /// Vaccine or prophylaxis, SNOMED CT.
        vp: String,
        /// Medicinal product.
        mp: String,
        /// Marketing authorisation holder or manufacturer.
        ma: String,
    },
    /// In the WHO's International Certificate of Vaccination or Prophylaxis.
    Icvp {
        /// The product's id in the WHO's catalogue of prequalified vaccines.
        vp: String,
    },
}

impl Vaccine {
    /// The doses of the first series where its certificate counts them. An International Certificate of Vaccination does
    /// not: it is about one dose, and how many a traveller needs is said by the country of destination.
    pub fn counted_series(&self) -> Option<u8> {
        match self.codes {
            Codes::Dcc { .. } => Some(self.primary_doses),
            Codes::Icvp { .. } => None,
        }
    }

    /// How many days after this dose the next one may be given; `None` where there is none, or nobody said when.
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

    /// Whether its certificate is the WHO's International Certificate of Vaccination or Prophylaxis.
    pub fn is_icvp(&self) -> bool {
        matches!(self.codes, Codes::Icvp { .. })
    }
}

/// All vaccines of the catalogue.
pub fn vaccines() -> &'static [Vaccine] {
    &catalogue().vaccines
}

/// The vaccine of a name or alias, without regard to case, spaces and punctuation. `None` where nobody knows it.
///
/// ```
/// assert_eq!(bukti_domain::vaccine_named("sputnik v").unwrap().name, "Sputnik-V");
/// assert!(bukti_domain::vaccine_named("Vitamin C").is_none());
/// ```
pub fn vaccine_named(name: &str) -> Option<&'static Vaccine> {
    let catalogue = catalogue();
    catalogue.by_name.get(&plain(name)).and_then(|at| catalogue.vaccines.get(*at))
}

/// The vaccine of a medicinal product of the EU Digital COVID Certificate (`mp`).
pub fn vaccine_of_dcc(mp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Dcc { mp: known, .. } if known == mp);
    catalogue().vaccines.iter().find(is)
}

/// The vaccine of a product id of the WHO's catalogue (`vp`), whose ids are the same in capital and small letters.
pub fn vaccine_of_icvp(vp: &str) -> Option<&'static Vaccine> {
    let is = |vaccine: &&Vaccine| matches!(&vaccine.codes, Codes::Icvp { vp: known } if known.eq_ignore_ascii_case(vp));
    catalogue().vaccines.iter().find(is)
}

/// Whether this code of a FHIR sender, with its prefix (`cvx:213`), is of a kind of vaccine, so that it does not say which
/// product was given.
pub fn is_vaccine_kind(alias: &str) -> bool {
    catalogue().diseases.iter().any(|disease| disease.vaccine_kinds.iter().any(|kind| kind == alias))
}

/// The disease of a code of the catalogue.
///
/// ```
/// assert_eq!(bukti_domain::disease("yellow-fever").unwrap().name.id, "Demam kuning");
/// ```
pub fn disease(code: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.code == code)
}

/// The disease of a code of the EU Digital COVID Certificate (`tg`).
pub fn disease_of_dcc(tg: &str) -> Option<&'static Disease> {
    catalogue().diseases.iter().find(|disease| disease.dcc_target.as_deref() == Some(tg))
}

/// The disease that a product of the WHO's catalogue (`vp`) protects from, also where the product itself is not in ours.
pub fn disease_of_icvp(vp: &str) -> Option<&'static Disease> {
    if let Some(vaccine) = vaccine_of_icvp(vp) {
        return disease(&vaccine.disease);
    }
    let begins =
        |start: &String| vp.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    catalogue().diseases.iter().find(|disease| disease.icvp_products.iter().any(begins))
}

/// Adds a deployment's own diseases and vaccines to the catalogue, before it is first used. The same may be said again.
///
/// # Errors
///
/// [`CatalogueError`] says which entry and which field is wrong and what is allowed; nothing is added then. Also where
/// the catalogue is in use already without these.
pub fn extend_catalogue(json: &str) -> Result<(), CatalogueError> {
    let extended = Catalogue::built_in()?.extended(json)?;
    match CATALOGUE.set(extended) {
        Err(extended) if *catalogue() != extended => {
            Err(CatalogueError("it is in use already and cannot be extended any more".to_owned()))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a catalogue: which entry, which field, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueError(String);

impl fmt::Display for CatalogueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for CatalogueError {}

static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

fn catalogue() -> &'static Catalogue {
    // A test reads the file, so a catalogue that does not parse does not get this far.
    CATALOGUE.get_or_init(|| Catalogue::built_in().unwrap_or_default())
}

/// A name without what writers differ in: case, spaces and punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Catalogue {
    diseases: Vec<Disease>,
    vaccines: Vec<Vaccine>,
    /// Where the vaccine of a plain name or alias stands.
    by_name: HashMap<String, usize>,
}

/// A file: its entries are read one by one, so that an error can say which it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    diseases: Vec<Value>,
    #[serde(default)]
    vaccines: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VaccineEntry {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    disease: String,
    primary_doses: u8,
    #[serde(default)]
    next_dose_after_days: Vec<u16>,
    #[serde(default)]
    booster_after_days: Vec<u16>,
    dcc: Option<DccCodes>,
    icvp: Option<IcvpCodes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DccCodes {
    vp: String,
    mp: String,
    ma: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IcvpCodes {
    vp: String,
}

impl Catalogue {
    fn built_in() -> Result<Self, CatalogueError> {
        Self::default().extended(BUILT_IN)
    }

    /// This catalogue with the entries of a file, each in the place of the one with the same code or name.
    fn extended(mut self, json: &str) -> Result<Self, CatalogueError> {
        let file: File = serde_json::from_str(json).map_err(|error| {
            CatalogueError(format!("it is no JSON object of diseases and vaccines: {error}"))
        })?;
        for (at, entry) in file.diseases.into_iter().enumerate() {
            let label = label("diseases", at, &entry, "code");
            let disease = read(entry).and_then(checked_disease).map_err(|problem| label.of(&problem))?;
            for vaccine in self.vaccines.iter_mut().filter(|vaccine| vaccine.disease == disease.code) {
                vaccine.disease_name = disease.name.clone();
            }
            replace(&mut self.diseases, disease, |one, other| one.code == other.code);
        }
        for (at, entry) in file.vaccines.into_iter().enumerate() {
            let label = label("vaccines", at, &entry, "name");
            let vaccine = read(entry)
                .and_then(|entry| self.checked_vaccine(entry))
                .map_err(|problem| label.of(&problem))?;
            replace(&mut self.vaccines, vaccine, |one, other| plain(&one.name) == plain(&other.name));
        }
        self.index()
    }

    fn checked_vaccine(&self, entry: VaccineEntry) -> Result<Vaccine, String> {
        let VaccineEntry {
            name,
            aliases,
            disease,
            primary_doses,
            next_dose_after_days,
            booster_after_days,
            dcc,
            icvp,
        } = entry;
        if std::iter::once(&name).chain(&aliases).any(|name| plain(name).is_empty()) {
            return Err("`name` and `aliases` need a letter or digit each".to_owned());
        }
        let Some(known) = self.diseases.iter().find(|known| known.code == disease) else {
            let codes: Vec<&str> = self.diseases.iter().map(|known| &*known.code).collect();
            return Err(format!("`disease` is `{disease}`, but must be one of {}", codes.join(", ")));
        };
        if !(1..=MOST_DOSES).contains(&primary_doses) {
            return Err(format!("`primary_doses` is {primary_doses}, but must be 1 to {MOST_DOSES}"));
        }
        checked_days("next_dose_after_days", &next_dose_after_days)?;
        checked_days("booster_after_days", &booster_after_days)?;
        let (days, needed) = (next_dose_after_days.len(), usize::from(primary_doses - 1));
        if days != 0 && days != needed {
            return Err(format!(
                "`next_dose_after_days` has {days} numbers, but must have {needed}, one for each of the `primary_doses` \
                 after the first"
            ));
        }
        let (boosters, most) = (booster_after_days.len(), usize::from(MOST_DOSES - primary_doses));
        if boosters > most {
            return Err(format!(
                "`booster_after_days` has {boosters} numbers, but must have {most} at most, since doses are counted to \
                 {MOST_DOSES}"
            ));
        }
        let codes = match (dcc, icvp) {
            (Some(_), None) if known.dcc_target.is_none() => {
                return Err(format!(
                    "`dcc` needs a `dcc_target` of the disease `{disease}`; without one use `icvp`"
                ));
            }
            (Some(DccCodes { vp, mp, ma }), None) => {
                filled("dcc", &[("vp", &vp), ("mp", &mp), ("ma", &ma)])?;
                Codes::Dcc { vp, mp, ma }
            }
            (None, Some(IcvpCodes { vp })) => {
                filled("icvp", &[("vp", &vp)])?;
                Codes::Icvp { vp }
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err("needs exactly one of `dcc` and `icvp`".to_owned());
            }
        };
        Ok(Vaccine {
            name,
            aliases,
            disease,
            disease_name: known.name.clone(),
            primary_doses,
            next_dose_after_days,
            booster_after_days,
            codes,
        })
    }

    /// Finds the place of each name, and that no two vaccines share a name or a product.
    fn index(mut self) -> Result<Self, CatalogueError> {
        self.by_name.clear();
        let mut by_product = HashMap::new();
        for (at, vaccine) in self.vaccines.iter().enumerate() {
            let name = |at: usize| self.vaccines.get(at).map_or("", |vaccine| &*vaccine.name);
            for written in std::iter::once(&vaccine.name).chain(&vaccine.aliases) {
                match self.by_name.insert(plain(written), at) {
                    Some(other) if other != at => {
                        let problem =
                            format!("`{written}` is a name of both {} and {}", name(other), vaccine.name);
                        return Err(CatalogueError(problem));
                    }
                    _ => {}
                }
            }
            let product = match &vaccine.codes {
                Codes::Dcc { mp, .. } => ("dcc.mp", mp),
                Codes::Icvp { vp } => ("icvp.vp", vp),
            };
            if let Some(other) = by_product.insert((product.0, product.1.to_ascii_lowercase()), at) {
                let (field, code) = product;
                let problem =
                    format!("`{field}` `{code}` is that of both {} and {}", name(other), vaccine.name);
                return Err(CatalogueError(problem));
            }
        }
        Ok(self)
    }
}

/// How an entry is named in an error: its place, from 1, and its code or name where it has one.
struct Label(String);

fn label(list: &str, at: usize, entry: &Value, key: &str) -> Label {
    let name = entry.get(key).and_then(Value::as_str).map(|name| format!(" ({name})"));
    Label(format!("entry {} of `{list}`{}", at + 1, name.unwrap_or_default()))
}

impl Label {
    fn of(&self, problem: &str) -> CatalogueError {
        CatalogueError(format!("{}: {problem}", self.0))
    }
}

fn read<T: DeserializeOwned>(entry: Value) -> Result<T, String> {
    serde_json::from_value(entry).map_err(|error| error.to_string())
}

fn checked_disease(disease: Disease) -> Result<Disease, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if disease.code.is_empty() || !disease.code.chars().all(fits) {
        return Err("`code` must be small letters a to z, digits and hyphens".to_owned());
    }
    filled("name", &[("id", &disease.name.id), ("en", &disease.name.en)])?;
    let products = disease.icvp_products.iter().map(|start| ("icvp_products", start));
    let targets = disease.dcc_target.iter().map(|target| ("dcc_target", target));
    match targets.chain(products).find(|(_, code)| code.trim().is_empty()) {
        Some((field, _)) => Err(format!("`{field}` must not be empty")),
        None => Ok(disease),
    }
}

fn checked_days(field: &str, days: &[u16]) -> Result<(), String> {
    if days.contains(&0) {
        return Err(format!("`{field}` has a 0, but the next dose is a day later at least"));
    }
    Ok(())
}

fn filled(object: &str, fields: &[(&str, &String)]) -> Result<(), String> {
    match fields.iter().find(|(_, value)| value.trim().is_empty()) {
        Some((field, _)) => Err(format!("`{object}.{field}` must not be empty")),
        None => Ok(()),
    }
}

fn replace<T>(entries: &mut Vec<T>, entry: T, same: impl Fn(&T, &T) -> bool) {
    match entries.iter_mut().find(|known| same(known, &entry)) {
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOLERA: &str = r#"{"code": "cholera", "name": {"id": "Kolera", "en": "Cholera"}}"#;

    fn extended(diseases: &str, vaccines: &str) -> Result<Catalogue, String> {
        let file = format!(r#"{{"diseases": [{diseases}], "vaccines": [{vaccines}]}}"#);
        Catalogue::built_in().unwrap().extended(&file).map_err(|error| error.to_string())
    }

    fn vaccine(fields: &str) -> String {
        format!(r#"{{"name": "Vero Kolera X", "aliases": ["VKX"], {fields}}}"#)
    }

    const GOOD: &str = r#""disease": "cholera", "primary_doses": 2, "icvp": {"vp": "choleraX"}"#;

    #[test]
    fn the_catalogue_reads() {
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
    fn what_the_who_prequalified_is_known_by_its_id() {
        let bopv = "PolioVaccineOralOPVBivalProductdecf3a77facc0b8f1443db5f7a806857";
        assert_eq!(vaccine_of_icvp(&bopv.to_lowercase()).unwrap().name, "bOPV (Bio Farma)");
        // Vaccines that the catalogue does not have: from Bharat Biotech, and from Sinovac.
        for other in ["PolioVaccineOralOPVBivalProduct16e8839", "poliovaccineinactivatedsproduct2050"] {
            assert!(vaccine_of_icvp(other).is_none());
            assert_eq!(disease_of_icvp(other).unwrap().code, "polio");
        }
        assert!(disease_of_icvp("").is_none());
        assert!(disease_of_icvp("RabiesProducte3f874e7b89ed3e777f03ede68bb6fe5").is_none());
    }

    #[test]
    fn the_next_dose_is_known_of_every_first_series_and_not_of_single_doses_for_travellers() {
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

    #[test]
    fn a_deployments_own_vaccine_is_added_and_replaced() {
        let schedule = r#", "next_dose_after_days": [14], "booster_after_days": [730]"#;
        let catalogue = extended(CHOLERA, &vaccine(&format!("{GOOD}{schedule}"))).unwrap();
        let at = catalogue.by_name["vkx"];
        assert_eq!(catalogue.vaccines[at].name, "Vero Kolera X");
        assert_eq!(catalogue.by_name["verokolerax"], at);
        let days = [1, 2, 3].map(|dose| catalogue.vaccines[at].next_dose_after(dose));
        assert_eq!(days, [Some(14), Some(730), None]);

        let corrected =
            r#"{"name": "STAMARIL", "disease": "yellow-fever", "primary_doses": 1, "icvp": {"vp": "Own1"}}"#;
        let catalogue = extended("", corrected).unwrap();
        let stamaril = &catalogue.vaccines[catalogue.by_name["stamaril"]];
        assert_eq!(stamaril.codes, Codes::Icvp { vp: "Own1".to_owned() });
        assert!(!catalogue.by_name.contains_key("stamarilsanofipasteur"), "the aliases are the new entry's");
        assert_eq!(catalogue.vaccines.len(), Catalogue::built_in().unwrap().vaccines.len());
    }

    #[test]
    fn an_error_says_which_entry_and_field_is_wrong_and_what_is_allowed() {
        let wrong = |diseases: &str, vaccines: &str| extended(diseases, vaccines).unwrap_err();
        let entry = "entry 1 of `vaccines` (Vero Kolera X): ";
        let field = |fields: &str| {
            let error = wrong(CHOLERA, &vaccine(fields));
            error.strip_prefix(entry).unwrap_or_else(|| unreachable!("{error}")).to_owned()
        };
        assert_eq!(
            field(r#""disease": "colera", "primary_doses": 2, "icvp": {"vp": "X"}"#),
            "`disease` is `colera`, but must be one of covid-19, polio, yellow-fever, meningococcal, cholera"
        );
        let neither_nor = "needs exactly one of `dcc` and `icvp`";
        assert_eq!(field(r#""disease": "cholera", "primary_doses": 2"#), neither_nor);
        assert_eq!(
            field(
                r#""disease": "cholera", "primary_doses": 2, "icvp": {"vp": "X"}, "dcc": {"vp": "a", "mp": "b", "ma": "c"}"#
            ),
            neither_nor
        );
        assert_eq!(
            field(r#""disease": "cholera", "primary_doses": 2, "dcc": {"vp": "a", "mp": "b", "ma": "c"}"#),
            "`dcc` needs a `dcc_target` of the disease `cholera`; without one use `icvp`"
        );
        assert_eq!(
            field(r#""disease": "covid-19", "primary_doses": 2, "dcc": {"vp": "a", "mp": " ", "ma": "c"}"#),
            "`dcc.mp` must not be empty"
        );
        assert_eq!(
            field(r#""disease": "cholera", "primary_doses": 2, "icvp": {"vp": ""}"#),
            "`icvp.vp` must not be empty"
        );
        assert_eq!(
            field(r#""disease": "cholera", "primary_doses": 0, "icvp": {"vp": "X"}"#),
            "`primary_doses` is 0, but must be 1 to 9"
        );
        let with = |schedule: &str| field(&format!("{GOOD}, {schedule}"));
        let one = "numbers, but must have 1, one for each of the `primary_doses` after the first";
        assert_eq!(
            with(r#""next_dose_after_days": [28, 28]"#),
            format!("`next_dose_after_days` has 2 {one}")
        );
        assert_eq!(
            with(r#""next_dose_after_days": [0]"#),
            "`next_dose_after_days` has a 0, but the next dose is a day later at least"
        );
        assert_eq!(
            with(r#""booster_after_days": [90, 90, 90, 90, 90, 90, 90, 90]"#),
            "`booster_after_days` has 8 numbers, but must have 7 at most, since doses are counted to 9"
        );
        assert!(with(r#""next_dose_after_days": [-1]"#).contains("expected u16"));
        assert!(
            field(r#""disease": "cholera", "icvp": {"vp": "X"}"#).contains("missing field `primary_doses`")
        );
        assert!(
            field(r#""disease": "cholera", "doses": 2"#).contains("unknown field `doses`, expected one of")
        );
        assert_eq!(
            wrong("", r#"{"name": "-", "disease": "polio", "primary_doses": 1, "icvp": {"vp": "X"}}"#),
            "entry 1 of `vaccines` (-): `name` and `aliases` need a letter or digit each"
        );
        let alias = r#"{"name": "X", "aliases": ["stamaril"], "disease": "polio", "primary_doses": 1, "icvp": {"vp": "X"}}"#;
        assert_eq!(wrong("", alias), "`stamaril` is a name of both Stamaril and X");
        let product = r#"{"name": "X", "disease": "covid-19", "primary_doses": 1, "dcc": {"vp": "x", "mp": "IndoVac", "ma": "x"}}"#;
        assert_eq!(wrong("", product), "`dcc.mp` `IndoVac` is that of both IndoVac and X");
        assert_eq!(
            wrong(r#"{"code": "Kolera!", "name": {"id": "Kolera", "en": "Cholera"}}"#, ""),
            "entry 1 of `diseases` (Kolera!): `code` must be small letters a to z, digits and hyphens"
        );
        assert_eq!(
            wrong(r#"{"code": "cholera", "name": {"id": "Kolera", "en": ""}}"#, ""),
            "entry 1 of `diseases` (cholera): `name.en` must not be empty"
        );
    }
}

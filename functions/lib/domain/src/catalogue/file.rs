//! Catalogue files: parsing and validation.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{BUILT_IN, Codes, Disease, Vaccine, normalized};
use crate::bounds::MOST_DOSES;

/// An invalid catalogue file. The message names the entry and the field, and says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueError(String);

impl CatalogueError {
    pub(super) fn already_in_use() -> Self {
        Self(
            "the catalogue is already in use and can no longer be extended; extend it at the start"
                .to_owned(),
        )
    }
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for CatalogueError {}

/// The diseases and vaccines, with an index of vaccine names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Catalogue {
    pub(super) diseases: Vec<Disease>,
    pub(super) vaccines: Vec<Vaccine>,
    /// Maps each normalised name and alias to the vaccine's index in `vaccines`.
    pub(super) by_name: HashMap<String, usize>,
}

/// A catalogue file. Its entries are parsed one at a time, so that an error can name the entry.
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
    pub(super) fn built_in() -> Result<Self, CatalogueError> {
        Self::default().extended(BUILT_IN)
    }

    /// Adds the entries of a file to this catalogue. An entry replaces the existing entry with the
    /// same code or name.
    pub(super) fn extended(mut self, json: &str) -> Result<Self, CatalogueError> {
        let file: File = serde_json::from_str(json).map_err(|error| {
            CatalogueError(format!("the file is not a JSON object with `diseases` and `vaccines`: {error}"))
        })?;
        for (at, entry) in file.diseases.into_iter().enumerate() {
            let label = label("diseases", at, &entry, "code");
            let disease = parse(entry).and_then(checked_disease).map_err(|problem| label.error(&problem))?;
            for vaccine in self.vaccines.iter_mut().filter(|vaccine| vaccine.disease == disease.code) {
                vaccine.disease_name = disease.name.clone();
            }
            replace(&mut self.diseases, disease, |one, other| one.code == other.code);
        }
        for (at, entry) in file.vaccines.into_iter().enumerate() {
            let label = label("vaccines", at, &entry, "name");
            let vaccine = parse(entry)
                .and_then(|entry| self.checked_vaccine(entry))
                .map_err(|problem| label.error(&problem))?;
            replace(&mut self.vaccines, vaccine, |one, other| {
                normalized(&one.name) == normalized(&other.name)
            });
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
        if std::iter::once(&name).chain(&aliases).any(|name| normalized(name).is_empty()) {
            return Err("`name` and each of `aliases` must have a letter or digit".to_owned());
        }
        let Some(known) = self.diseases.iter().find(|known| known.code == disease) else {
            let codes: Vec<&str> = self.diseases.iter().map(|known| &*known.code).collect();
            return Err(format!("`disease` is `{disease}`, but must be one of {}", codes.join(", ")));
        };
        if !(1..=MOST_DOSES).contains(&primary_doses) {
            return Err(format!("`primary_doses` is {primary_doses}, but must be 1 to {MOST_DOSES}"));
        }
        check_days("next_dose_after_days", &next_dose_after_days)?;
        check_days("booster_after_days", &booster_after_days)?;
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
                "`booster_after_days` has {boosters} numbers, but must have at most {most}, since dose numbers end at \
                 {MOST_DOSES}"
            ));
        }
        let codes = match (dcc, icvp) {
            (Some(_), None) if known.dcc_target.is_none() => {
                return Err(format!(
                    "`dcc` needs a `dcc_target` of the disease `{disease}`; if it has none, use `icvp`"
                ));
            }
            (Some(DccCodes { vp, mp, ma }), None) => {
                check_not_empty("dcc", &[("vp", &vp), ("mp", &mp), ("ma", &ma)])?;
                Codes::Dcc { vp, mp, ma }
            }
            (None, Some(IcvpCodes { vp })) => {
                check_not_empty("icvp", &[("vp", &vp)])?;
                Codes::Icvp { vp }
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err("must have either `dcc` or `icvp`".to_owned());
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

    /// Builds the index of names, and checks that no two vaccines share a name or a product.
    fn index(mut self) -> Result<Self, CatalogueError> {
        self.by_name.clear();
        let mut by_product = HashMap::new();
        for (at, vaccine) in self.vaccines.iter().enumerate() {
            let name = |at: usize| self.vaccines.get(at).map_or("", |vaccine| &*vaccine.name);
            for written in std::iter::once(&vaccine.name).chain(&vaccine.aliases) {
                match self.by_name.insert(normalized(written), at) {
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
                    format!("`{field}` `{code}` belongs to both {} and {}", name(other), vaccine.name);
                return Err(CatalogueError(problem));
            }
        }
        Ok(self)
    }
}

/// Identifies an entry in error messages: its position, counted from 1, and its code or name if it
/// has one.
struct Label(String);

fn label(list: &str, at: usize, entry: &Value, key: &str) -> Label {
    let name = entry.get(key).and_then(Value::as_str).map(|name| format!(" ({name})"));
    Label(format!("entry {} of `{list}`{}", at + 1, name.unwrap_or_default()))
}

impl Label {
    fn error(&self, problem: &str) -> CatalogueError {
        CatalogueError(format!("{}: {problem}", self.0))
    }
}

fn parse<T: DeserializeOwned>(entry: Value) -> Result<T, String> {
    serde_json::from_value(entry).map_err(|error| error.to_string())
}

fn checked_disease(disease: Disease) -> Result<Disease, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if disease.code.is_empty() || !disease.code.chars().all(fits) {
        return Err("`code` must consist of lower-case letters a to z, digits and hyphens".to_owned());
    }
    check_not_empty("name", &[("id", &disease.name.id), ("en", &disease.name.en)])?;
    let products = disease.icvp_products.iter().map(|start| ("icvp_products", start));
    let targets = disease.dcc_target.iter().map(|target| ("dcc_target", target));
    match targets.chain(products).find(|(_, code)| code.trim().is_empty()) {
        Some((field, _)) => Err(format!("`{field}` must not be empty")),
        None => Ok(disease),
    }
}

fn check_days(field: &str, days: &[u16]) -> Result<(), String> {
    if days.contains(&0) {
        return Err(format!(
            "`{field}` has a 0, but must have numbers from 1, since the next dose is on a later day"
        ));
    }
    Ok(())
}

fn check_not_empty(object: &str, fields: &[(&str, &String)]) -> Result<(), String> {
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
    fn extension_adds_and_replaces_vaccines() {
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
        assert!(!catalogue.by_name.contains_key("stamarilsanofipasteur"), "old aliases must be gone");
        assert_eq!(catalogue.vaccines.len(), Catalogue::built_in().unwrap().vaccines.len());
    }

    #[test]
    fn error_names_entry_field_and_allowed_values() {
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
        let either_or = "must have either `dcc` or `icvp`";
        assert_eq!(field(r#""disease": "cholera", "primary_doses": 2"#), either_or);
        assert_eq!(
            field(
                r#""disease": "cholera", "primary_doses": 2, "icvp": {"vp": "X"}, "dcc": {"vp": "a", "mp": "b", "ma": "c"}"#
            ),
            either_or
        );
        assert_eq!(
            field(r#""disease": "cholera", "primary_doses": 2, "dcc": {"vp": "a", "mp": "b", "ma": "c"}"#),
            "`dcc` needs a `dcc_target` of the disease `cholera`; if it has none, use `icvp`"
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
            "`next_dose_after_days` has a 0, but must have numbers from 1, since the next dose is on a later day"
        );
        assert_eq!(
            with(r#""booster_after_days": [90, 90, 90, 90, 90, 90, 90, 90]"#),
            "`booster_after_days` has 8 numbers, but must have at most 7, since dose numbers end at 9"
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
            "entry 1 of `vaccines` (-): `name` and each of `aliases` must have a letter or digit"
        );
        let alias = r#"{"name": "X", "aliases": ["stamaril"], "disease": "polio", "primary_doses": 1, "icvp": {"vp": "X"}}"#;
        assert_eq!(wrong("", alias), "`stamaril` is a name of both Stamaril and X");
        let product = r#"{"name": "X", "disease": "covid-19", "primary_doses": 1, "dcc": {"vp": "x", "mp": "IndoVac", "ma": "x"}}"#;
        assert_eq!(wrong("", product), "`dcc.mp` `IndoVac` belongs to both IndoVac and X");
        assert_eq!(
            wrong(r#"{"code": "Kolera!", "name": {"id": "Kolera", "en": "Cholera"}}"#, ""),
            "entry 1 of `diseases` (Kolera!): `code` must consist of lower-case letters a to z, digits and hyphens"
        );
        assert_eq!(
            wrong(r#"{"code": "cholera", "name": {"id": "Kolera", "en": ""}}"#, ""),
            "entry 1 of `diseases` (cholera): `name.en` must not be empty"
        );
    }
}

//! Mapping of an Immunization's vaccine to its name in the catalogue.

use std::collections::BTreeSet;

use bukti_domain::{Vaccine, is_vaccine_kind, vaccine_named, vaccine_of_dcc, vaccine_of_icvp};

use super::identifier::without_scheme;
use super::resource::{Coding, Concept, Immunization, Reference, Resource};

/// Systems of vaccine codes, without their scheme, and the prefix that their codes have in the
/// catalogue's aliases.
const VACCINE_SYSTEMS: [(&str, &str); 9] = [
    ("sys-ids.kemkes.go.id/kfa", "kfa"),
    ("hl7.org/fhir/sid/cvx", "cvx"),
    ("urn:oid:2.16.840.1.113883.12.292", "cvx"),
    ("www.whocc.no/atc", "atc"),
    ("urn:oid:2.16.840.1.113883.6.73", "atc"),
    ("snomed.info/sct", "sct"),
    ("urn:oid:2.16.840.1.113883.6.96", "sct"),
    ("id.who.int/icd/release/11/mms", "icd11"),
    ("id.who.int/icd11/mms", "icd11"),
];

/// The vaccine's name in the catalogue. For an unknown vaccine, the result is its text or code. For
/// an ambiguous one, it is the code that contradicts the text, or all of the names. In both cases
/// the result is not a name in the catalogue.
///
/// In R5, `administeredProduct` names the product if `vaccineCode` denotes only a kind of vaccine.
pub(super) fn vaccine<'r>(
    immunization: &'r Immunization<'_>,
    find: impl Fn(&Reference) -> Option<&'r Resource<'r>>,
) -> String {
    let product = immunization.administered_product.as_ref();
    let referred = product.and_then(|product| match find(product.reference.as_ref()?)? {
        Resource::Medication(medication) => medication.code.as_ref(),
        _ => None,
    });
    let product = product.and_then(|product| product.concept.as_ref());
    let concepts = || [immunization.vaccine_code.as_ref(), product, referred].into_iter().flatten();
    let codings = || concepts().flat_map(|concept| &concept.coding);

    let by_code: BTreeSet<&str> = codings().filter_map(Coding::vaccine).map(|it| &*it.name).collect();
    let texts = concepts().filter_map(|it| it.text.as_deref());
    let texts = texts.chain(codings().filter_map(|it| it.display.as_deref()));
    let by_text: BTreeSet<&str> = texts.filter_map(vaccine_named).map(|it| &*it.name).collect();
    let named: Vec<&str> = by_code.union(&by_text).copied().collect();
    match named[..] {
        // Only the text identifies the vaccine. The code of another product contradicts it.
        [one] if by_code.is_empty() => {
            let other = codings().find(|coding| coding.is_of_other_product(one));
            other.and_then(|coding| coding.code.clone()).unwrap_or_else(|| one.to_owned())
        }
        [one] => one.to_owned(),
        [] => concepts().find_map(Concept::written).unwrap_or_default(),
        _ => named.join(" / "),
    }
}

impl Coding {
    /// The code as an alias in the catalogue, with the prefix of its system.
    fn alias(&self) -> Option<String> {
        let (system, code) = (without_scheme(self.system.as_deref()?), self.code.as_deref()?.trim());
        let (_, prefix) = VACCINE_SYSTEMS.iter().find(|(known, _)| *known == system)?;
        (!code.is_empty()).then(|| format!("{prefix}:{code}"))
    }

    /// The vaccine in the catalogue that has this code.
    fn vaccine(&self) -> Option<&'static Vaccine> {
        let code = self.code.as_deref()?.trim();
        let by_alias = self.alias().and_then(|alias| vaccine_named(&alias));
        by_alias.or_else(|| vaccine_of_dcc(code)).or_else(|| vaccine_of_icvp(code))
    }

    /// Whether the code contradicts the vaccine with this name. It does if the catalogue has a code
    /// of the same system for that vaccine, and this code is unknown and does not denote a kind of
    /// vaccine.
    fn is_of_other_product(&self, name: &str) -> bool {
        let Some(alias) = self.alias().filter(|alias| !is_vaccine_kind(alias)) else { return false };
        let system = alias.split_once(':').map_or("", |(system, _)| system);
        let is_of_system =
            |known: &String| known.strip_prefix(system).is_some_and(|rest| rest.starts_with(':'));
        self.vaccine().is_none() && vaccine_named(name).is_some_and(|it| it.aliases.iter().any(is_of_system))
    }
}

impl Concept {
    /// The human-readable text, or else a display text or code.
    fn written(&self) -> Option<String> {
        let codes = self.coding.iter().flat_map(|coding| [&coding.display, &coding.code]);
        let mut texts = [&self.text].into_iter().chain(codes).flatten();
        texts.find(|text| !text.trim().is_empty()).cloned()
    }
}

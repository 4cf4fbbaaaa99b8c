//! The fields of FHIR resources (R4 and R5) from which rows are built. Other fields are ignored.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::line::LONGEST_ROW;

/// The maximum number of elements of an array in a resource. It limits the lookups per resource.
const LONGEST_LIST: usize = 64;

/// Deserialises an array, or `null` as an empty array. FHIR forbids `null` here, but the software
/// of some senders writes it.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {LONGEST_LIST} elements")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = seq.next_element()? {
                if list.len() == LONGEST_LIST {
                    return Err(A::Error::invalid_length(LONGEST_LIST + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

/// A resource by type. The fields are parsed in a second pass, once the type is known; an untagged
/// enum would buffer them.
pub(super) enum Resource<'a> {
    Immunization(Box<Immunization<'a>>),
    Patient(Box<Patient>),
    /// A Location or an Organization.
    Place(&'static str, Place),
    Medication(Box<Medication>),
    /// Any other resource. The value says whether it has a `modifierExtension`.
    Other(bool),
}

impl<'a> Resource<'a> {
    /// Parses a resource. Returns `None` if it is malformed, is too long, or has an array that is
    /// too long. A Bundle is also `None`, since its entries would be lost.
    pub(super) fn read(resource: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            resource_type: String,
            #[serde(default, deserialize_with = "list")]
            modifier_extension: Vec<IgnoredAny>,
        }
        let text = resource.get();
        if text.len() > LONGEST_ROW {
            return None;
        }
        let place = |kind| Some(Resource::Place(kind, serde_json::from_str(text).ok()?));
        let kind = serde_json::from_str::<Kind>(text).ok()?;
        match &*kind.resource_type {
            "Immunization" => serde_json::from_str(text).ok().map(Resource::Immunization),
            "Patient" => serde_json::from_str(text).ok().map(Resource::Patient),
            "Location" => place("Location"),
            "Organization" => place("Organization"),
            "Medication" => serde_json::from_str(text).ok().map(Resource::Medication),
            "Bundle" => None,
            _ => Some(Resource::Other(!kind.modifier_extension.is_empty())),
        }
    }

    /// Whether the resource contains a `modifierExtension`, which changes its meaning.
    pub(super) fn has_modifier(&self) -> bool {
        match self {
            Resource::Immunization(immunization) => immunization.has_modifier(),
            Resource::Patient(patient) => !patient.modifier_extension.is_empty(),
            Resource::Place(_, place) => !place.modifier_extension.is_empty(),
            Resource::Medication(medication) => !medication.modifier_extension.is_empty(),
            Resource::Other(has_modifier) => *has_modifier,
        }
    }

    /// The number of names, identifiers, phone numbers and codes in the resource; 0 if others
    /// cannot refer to it.
    pub(super) fn items(&self) -> usize {
        let codes = |concept: &Option<Concept>| concept.as_ref().map_or(0, |it| it.coding.len());
        let of_identifiers = |all: &[Identifier]| all.iter().map(|it| 1 + codes(&it.kind)).sum::<usize>();
        match self {
            Resource::Patient(patient) => {
                let names = patient.name.iter().map(|name| 1 + name.given.len()).sum::<usize>();
                of_identifiers(&patient.identifier) + names + patient.telecom.len()
            }
            Resource::Place(_, place) => of_identifiers(&place.identifier),
            Resource::Medication(medication) => codes(&medication.code),
            Resource::Immunization(_) | Resource::Other(_) => 0,
        }
    }

    /// The `meta` of the resource; `None` if others cannot refer to it.
    pub(super) fn meta(&self) -> Option<&Meta> {
        match self {
            Resource::Patient(patient) => patient.meta.as_ref(),
            Resource::Place(_, place) => place.meta.as_ref(),
            Resource::Medication(medication) => medication.meta.as_ref(),
            Resource::Immunization(_) | Resource::Other(_) => None,
        }
    }

    /// The relative reference to the resource, such as `Patient/123`; `None` if others cannot refer
    /// to it.
    pub(super) fn relative(&self) -> Option<String> {
        let (kind, id) = match self {
            Resource::Patient(patient) => ("Patient", &patient.id),
            Resource::Place(kind, place) => (*kind, &place.id),
            Resource::Medication(medication) => ("Medication", &medication.id),
            Resource::Immunization(_) | Resource::Other(_) => return None,
        };
        id.as_ref().map(|id| format!("{kind}/{id}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Immunization<'a> {
    pub id: Option<String>,
    #[serde(default, borrow, deserialize_with = "list")]
    pub contained: Vec<&'a RawValue>,
    pub meta: Option<Meta>,
    #[serde(default, deserialize_with = "list")]
    pub identifier: Vec<Identifier>,
    pub status: Option<String>,
    pub vaccine_code: Option<Concept>,
    /// R5: the product, if `vaccineCode` denotes only a kind of vaccine.
    pub administered_product: Option<CodeableReference>,
    pub patient: Option<Reference>,
    pub occurrence_date_time: Option<String>,
    pub occurrence_string: Option<String>,
    pub location: Option<Reference>,
    pub lot_number: Option<String>,
    #[serde(default)]
    pub is_subpotent: Option<bool>,
    #[serde(default, deserialize_with = "list")]
    pub performer: Vec<Performer>,
    #[serde(default, deserialize_with = "list")]
    pub protocol_applied: Vec<Protocol>,
    #[serde(default, deserialize_with = "list")]
    pub modifier_extension: Vec<IgnoredAny>,
}

impl Immunization<'_> {
    /// The references that may denote the facility: `location`, then the `performer`s.
    pub(super) fn places(&self) -> impl Iterator<Item = &Reference> {
        let performers = self.performer.iter().filter_map(|performer| performer.actor.as_ref());
        self.location.iter().chain(performers)
    }

    /// Whether a `modifierExtension` changes the meaning of the Immunization, or of a part from
    /// which the row is built.
    pub(super) fn has_modifier(&self) -> bool {
        !self.modifier_extension.is_empty()
            || self.performer.iter().any(|performer| !performer.modifier_extension.is_empty())
            || self.protocol_applied.iter().any(|protocol| !protocol.modifier_extension.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub last_updated: Option<String>,
    pub version_id: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Identifier {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<Concept>,
    pub system: Option<String>,
    pub value: Option<String>,
    pub period: Option<Period>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Period {
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Concept {
    #[serde(default, deserialize_with = "list")]
    pub coding: Vec<Coding>,
    pub text: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Coding {
    pub system: Option<String>,
    pub code: Option<String>,
    pub display: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    pub reference: Option<String>,
    pub identifier: Option<Identifier>,
    pub display: Option<String>,
}

/// R5: a concept, or a reference to a resource that contains a concept.
#[derive(Deserialize)]
pub(super) struct CodeableReference {
    pub concept: Option<Concept>,
    pub reference: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Performer {
    pub actor: Option<Reference>,
    #[serde(default, deserialize_with = "list")]
    modifier_extension: Vec<IgnoredAny>,
}

/// A protocol with its dose number. R4 has `doseNumberPositiveInt` or `doseNumberString`; R5 has
/// `doseNumber`, which is a string and becomes a concept in later releases. Senders write each of
/// these fields as a number or a string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    #[serde(default, deserialize_with = "list")]
    target_disease: Vec<Concept>,
    dose_number_positive_int: Option<DoseNumber>,
    dose_number_string: Option<DoseNumber>,
    dose_number: Option<DoseNumber>,
    #[serde(default, deserialize_with = "list")]
    modifier_extension: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DoseNumber {
    Text(String),
    Number(serde_json::Number),
    Concept(Concept),
}

impl Protocol {
    /// Whether the protocol targets the disease with this code, regardless of the code system.
    pub(super) fn targets(&self, code: &str) -> bool {
        let mut codings = self.target_disease.iter().flat_map(|disease| &disease.coding);
        codings.any(|coding| coding.code.as_deref().map(str::trim) == Some(code))
    }

    /// The dose number as the sender wrote it.
    pub(super) fn number(&self) -> Option<String> {
        let written = [&self.dose_number_positive_int, &self.dose_number_string, &self.dose_number];
        written.into_iter().flatten().find_map(DoseNumber::written)
    }
}

impl DoseNumber {
    fn written(&self) -> Option<String> {
        match self {
            DoseNumber::Text(text) => Some(text.clone()),
            DoseNumber::Number(number) => Some(number.to_string()),
            DoseNumber::Concept(concept) => {
                let codes = concept.coding.iter().filter_map(|coding| coding.code.as_ref());
                let texts = || concept.text.iter().chain(codes.clone());
                let is_number = |text: &&String| text.trim().parse::<u8>().is_ok();
                let filled = || texts().find(|text| !text.trim().is_empty());
                texts().find(is_number).or_else(filled).cloned()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient {
    pub id: Option<String>,
    pub meta: Option<Meta>,
    #[serde(default, deserialize_with = "list")]
    pub identifier: Vec<Identifier>,
    #[serde(default, deserialize_with = "list")]
    pub name: Vec<HumanName>,
    #[serde(default, deserialize_with = "list")]
    pub telecom: Vec<ContactPoint>,
    pub gender: Option<String>,
    pub birth_date: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub modifier_extension: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct HumanName {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub text: Option<String>,
    pub family: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub given: Vec<Option<String>>,
    pub period: Option<Period>,
}

#[derive(Deserialize)]
pub(super) struct ContactPoint {
    pub system: Option<String>,
    pub value: Option<String>,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub rank: Option<serde_json::Number>,
    pub period: Option<Period>,
}

/// A Location or an Organization.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    pub id: Option<String>,
    pub meta: Option<Meta>,
    #[serde(default, deserialize_with = "list")]
    pub identifier: Vec<Identifier>,
    pub name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    modifier_extension: Vec<IgnoredAny>,
}

/// A product that was administered.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Medication {
    pub id: Option<String>,
    pub meta: Option<Meta>,
    pub code: Option<Concept>,
    #[serde(default, deserialize_with = "list")]
    modifier_extension: Vec<IgnoredAny>,
}

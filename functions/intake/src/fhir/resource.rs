//! The parts of FHIR resources that a dose is read from, R4 and R5. What a sender writes otherwise is ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A resource by its type. What it holds is parsed once its type is known, so that nothing is buffered.
pub(super) enum Resource<'a> {
    Immunization(Box<Immunization<'a>>),
    Patient(Box<Patient>),
    /// A Location or an Organization.
    Place(&'static str, Place),
    Other,
}

impl<'a> Resource<'a> {
    /// Reads a resource. `None` where it is no resource, or not as FHIR has it.
    pub(super) fn read(resource: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "resourceType")]
            resource_type: String,
        }
        let text = resource.get();
        let place = |kind| Some(Resource::Place(kind, serde_json::from_str(text).ok()?));
        match &*serde_json::from_str::<Kind>(text).ok()?.resource_type {
            "Immunization" => serde_json::from_str(text).ok().map(Resource::Immunization),
            "Patient" => serde_json::from_str(text).ok().map(Resource::Patient),
            "Location" => place("Location"),
            "Organization" => place("Organization"),
            _ => Some(Resource::Other),
        }
    }

    /// `Patient/123`: what others of the same Bundle or server call it.
    pub(super) fn relative(&self) -> Option<String> {
        let (kind, id) = match self {
            Resource::Patient(patient) => ("Patient", &patient.id),
            Resource::Place(kind, place) => (*kind, &place.id),
            Resource::Immunization(_) | Resource::Other => return None,
        };
        id.as_ref().map(|id| format!("{kind}/{id}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Immunization<'a> {
    pub id: Option<String>,
    #[serde(default, borrow)]
    pub contained: Vec<&'a RawValue>,
    pub meta: Option<Meta>,
    #[serde(default)]
    pub identifier: Vec<Identifier>,
    pub status: Option<String>,
    pub vaccine_code: Option<Concept>,
    pub patient: Option<Reference>,
    pub occurrence_date_time: Option<String>,
    pub occurrence_string: Option<String>,
    pub location: Option<Reference>,
    pub lot_number: Option<String>,
    #[serde(default)]
    pub is_subpotent: Option<bool>,
    #[serde(default)]
    pub performer: Vec<Performer>,
    #[serde(default)]
    pub protocol_applied: Vec<Protocol>,
    #[serde(default)]
    pub modifier_extension: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub last_updated: Option<String>,
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
    pub end: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Concept {
    #[serde(default)]
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

#[derive(Deserialize)]
pub(super) struct Performer {
    pub actor: Option<Reference>,
}

/// R4 has `doseNumberPositiveInt` or `doseNumberString`, R5 `doseNumber`, a text, which becomes a concept after it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    dose_number_positive_int: Option<serde_json::Number>,
    dose_number_string: Option<String>,
    dose_number: Option<DoseNumber>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DoseNumber {
    Text(String),
    Number(serde_json::Number),
    Concept(Concept),
}

impl Protocol {
    pub(super) fn number(&self) -> Option<String> {
        let number = self.dose_number_positive_int.as_ref().map(ToString::to_string);
        number.or_else(|| self.dose_number_string.clone()).or_else(|| match self.dose_number.as_ref()? {
            DoseNumber::Text(text) => Some(text.clone()),
            DoseNumber::Number(number) => Some(number.to_string()),
            DoseNumber::Concept(concept) => {
                let codes = concept.coding.iter().filter_map(|coding| coding.code.clone());
                concept.text.clone().into_iter().chain(codes).find(|text| !text.trim().is_empty())
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient {
    pub id: Option<String>,
    #[serde(default)]
    pub identifier: Vec<Identifier>,
    #[serde(default)]
    pub name: Vec<HumanName>,
    #[serde(default)]
    pub telecom: Vec<ContactPoint>,
    pub gender: Option<String>,
    pub birth_date: Option<String>,
    #[serde(default)]
    pub modifier_extension: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct HumanName {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub text: Option<String>,
    pub family: Option<String>,
    #[serde(default)]
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
pub(super) struct Place {
    pub id: Option<String>,
    #[serde(default)]
    pub identifier: Vec<Identifier>,
    pub name: Option<String>,
}

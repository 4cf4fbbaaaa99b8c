//! The content of a case: the applicant's statements, evidence, messages and decision.

use bukti_domain::{Asking, BirthDate, Identity, PersonName, PhoneNumber};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::{Keys, NameKey, Officer, PhoneKey};

/// The content of a case. Contains personal data: store it only in a sealed field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseFile {
    /// The case number, by which the applicant finds the case.
    pub number: String,
    /// The NIK or passport number, as entered.
    pub identity: String,
    /// The person's name, as entered.
    pub name: String,
    /// The person's birth date.
    pub birth_date: BirthDate,
    /// The phone that opened the case, in E.164; verified with a one-time code.
    pub phone: String,
    /// The correct value, as entered; empty for a missing dose.
    pub right: String,
    /// The missing dose, as the applicant describes it; `None` for other corrections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<MissingDose>,
    /// The applicant's further remarks; may be empty.
    pub note: String,
    /// Whether a dose that may match was found when the case was opened.
    pub possible_match: bool,
    /// Uploaded images and PDFs, such as photos of vaccination cards.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// The officers' questions and the applicant's answers, oldest first.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// The proposed correction, while it waits for another officer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The decision; `None` while the case is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A dose that is missing from the records, as the applicant describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingDose {
    /// The number of the dose in its series.
    pub dose_number: u8,
    /// The vaccine's name, as in the catalogue.
    pub vaccine: String,
    /// The date of the vaccination.
    pub vaccination_date: Date,
    /// The name of the facility, as entered.
    pub facility: String,
}

/// An uploaded file, or one whose upload is about to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The key of the object in the bucket.
    pub key: String,
    /// The declared media type.
    pub content_type: String,
    /// The declared length in bytes.
    pub bytes: u64,
}

/// A question or answer in a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// When the message was sent.
    pub at: Timestamp,
    /// Whether an officer wrote the message; otherwise the applicant did.
    pub from_officer: bool,
    /// The text, as entered.
    pub text: String,
}

/// A correction that waits for approval by a second officer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// The id of the officer who proposed the correction, and must not approve it.
    pub officer: PhoneKey,
    /// The name of the officer who proposed the correction.
    pub officer_name: String,
    /// When the correction was proposed.
    pub at: Timestamp,
    /// The officer's reason, as entered.
    pub why: String,
    /// Who confirmed the correct value at a facility or the civil registry, if anyone. May replace
    /// evidence or add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The proposed change; `None` in records of earlier versions, whose corrections have to be
    /// proposed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The decision on a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the case was granted; otherwise it was refused.
    pub granted: bool,
    /// The name of the officer who decided.
    pub officer_name: String,
    /// When the case was decided.
    pub at: Timestamp,
    /// The officer's reason, which the applicant reads.
    pub why: String,
    /// Who confirmed the correct value at a facility or the civil registry, if anyone. May replace
    /// evidence or add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
}

impl Decision {
    /// Creates the decision of this officer. The pair contains the reason and
    /// [`confirmed_by`](Self::confirmed_by).
    pub(super) fn of(
        officer: &Officer,
        granted: bool,
        (why, confirmed_by): (&str, Option<&str>),
        now: Timestamp,
    ) -> Self {
        Self {
            granted,
            officer_name: officer.name.clone(),
            at: now,
            why: why.to_owned(),
            confirmed_by: confirmed_by.map(str::to_owned),
        }
    }
}

impl CaseFile {
    /// The applicant's statements about the person; `None` if the identity number or the name is
    /// invalid.
    pub fn asking(&self) -> Option<Asking> {
        Some(Asking {
            identity: Identity::parse(&self.identity)?,
            name: PersonName::parse(&self.name)?,
            birth_date: self.birth_date,
            phone: self.phone(),
        })
    }

    /// The index key of the person's name and birth date; `None` if the name is invalid.
    pub fn alike(&self, keys: &Keys) -> Option<NameKey> {
        PersonName::parse(&self.name).map(|name| keys.alike(&name, self.birth_date))
    }

    /// The phone that opened the case; `None` if the stored number is invalid.
    pub fn phone(&self) -> Option<PhoneNumber> {
        PhoneNumber::parse(&self.phone)
    }
}

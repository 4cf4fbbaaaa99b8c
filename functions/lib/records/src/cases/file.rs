//! The content of a case.

use bukti_domain::{Asking, BirthDate, Identity, PersonName, PhoneNumber};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::{Keys, NameKey, Officer, PhoneKey};

/// The content of a case. Personal data: store it in a sealed field only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseFile {
    /// The case number.
    pub number: String,
    /// NIK or passport number, as entered.
    pub identity: String,
    /// The name, as entered.
    pub name: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The phone that opened the case, E.164; verified by a one-time code.
    pub phone: String,
    /// The right value, as entered; empty for a missing dose.
    pub right: String,
    /// The missing dose, as the applicant describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<MissingDose>,
    /// The applicant's further remarks.
    pub note: String,
    /// Whether a possibly matching dose was found when the case was opened.
    pub possible_match: bool,
    /// Uploaded pictures and PDFs, such as of vaccination cards.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// The officers' questions and the applicant's answers.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// The correction that an officer proposed, until another officer decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The decision, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A dose that is missing from the records, as the applicant describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingDose {
    /// The number of the dose.
    pub dose_number: u8,
    /// The vaccine's name.
    pub vaccine: String,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// The facility's name.
    pub facility: String,
}

/// An uploaded piece of evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Its key in the bucket.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A message of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// When it was sent.
    pub at: Timestamp,
    /// Whether an officer wrote it, not the applicant.
    pub from_officer: bool,
    /// The message.
    pub text: String,
}

/// A correction that waits for approval by a second officer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// The id of the proposing officer, who must not approve it.
    pub officer: PhoneKey,
    /// The officer's name.
    pub officer_name: String,
    /// When it was proposed.
    pub at: Timestamp,
    /// The officer's reason.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, instead of evidence or in addition
    /// to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The proposed change; `None` in records of earlier versions, which have to be proposed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The decision on a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it was granted.
    pub granted: bool,
    /// The officer's name.
    pub officer_name: String,
    /// When it was decided.
    pub at: Timestamp,
    /// The reason, which the applicant reads.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, instead of evidence or in addition
    /// to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
}

impl Decision {
    /// The decision of this officer; the pair is the reason and
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
    /// The applicant's statements about the person; `None` if number or name is invalid.
    pub fn asking(&self) -> Option<Asking> {
        Some(Asking {
            identity: Identity::parse(&self.identity)?,
            name: PersonName::parse(&self.name)?,
            birth_date: self.birth_date,
            phone: self.phone(),
        })
    }

    /// The index key of name and birth date; `None` if the name is invalid.
    pub fn alike(&self, keys: &Keys) -> Option<NameKey> {
        PersonName::parse(&self.name).map(|name| keys.alike(&name, self.birth_date))
    }

    /// The phone that opened the case.
    pub fn phone(&self) -> Option<PhoneNumber> {
        PhoneNumber::parse(&self.phone)
    }
}

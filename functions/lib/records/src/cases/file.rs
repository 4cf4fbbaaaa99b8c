//! What a case says.

use bukti_domain::{Asking, BirthDate, Identity, PersonName, PhoneNumber};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::{Keys, NameKey, Officer, PhoneKey};

/// What a case says. Personal: for sealed fields only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseFile {
    /// Its number.
    pub number: String,
    /// NIK or passport number, as it was written.
    pub identity: String,
    /// The name, as it was written.
    pub name: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The phone that asked, E.164: a code came to it.
    pub phone: String,
    /// The right value, as it was written; empty for a missing dose.
    pub right: String,
    /// The missing dose, as the person says it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<MissingDose>,
    /// What else the person says.
    pub note: String,
    /// Whether something like it was found when it was opened.
    pub possible_match: bool,
    /// Pictures of cards and the like.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What officers asked, and what the person answered.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// What an officer would do, until another decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A dose that the record does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingDose {
    /// Which one it was.
    pub dose_number: u8,
    /// The vaccine's name.
    pub vaccine: String,
    /// The day.
    pub vaccination_date: Date,
    /// The facility's name.
    pub facility: String,
}

/// A piece of evidence.
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
    /// When.
    pub at: Timestamp,
    /// Whether an officer wrote it.
    pub from_officer: bool,
    /// What.
    pub text: String,
}

/// A correction that waits for a second person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// The officer's id: it must be another who approves.
    pub officer: PhoneKey,
    /// The officer's name.
    pub officer_name: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, where evidence is missing or beside
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// What would change; none in what a Bukti of before kept, which has to be proposed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// What was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it was granted.
    pub granted: bool,
    /// The officer's name.
    pub officer_name: String,
    /// When.
    pub at: Timestamp,
    /// Why, for the person to read.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, where evidence is missing or beside
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
}

impl Decision {
    /// A decision of this officer, with the reason and who confirmed it.
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
    /// What the person says of themselves, where it can be read.
    pub fn asking(&self) -> Option<Asking> {
        Some(Asking {
            identity: Identity::parse(&self.identity)?,
            name: PersonName::parse(&self.name)?,
            birth_date: self.birth_date,
            phone: self.phone(),
        })
    }

    /// The key of the name and birth date that were written, where the name can be read.
    pub fn alike(&self, keys: &Keys) -> Option<NameKey> {
        PersonName::parse(&self.name).map(|name| keys.alike(&name, self.birth_date))
    }

    /// The phone that asked.
    pub fn phone(&self) -> Option<PhoneNumber> {
        PhoneNumber::parse(&self.phone)
    }
}

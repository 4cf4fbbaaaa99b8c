//! Who sends doses over HTTP.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who sends doses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// A facility, by its code in the national register. It sends its own doses, and corrects what
    /// it sent itself.
    Facility(String),
    /// A hub, by a name that the admin gives it. It sends and corrects the doses of all. Who drops
    /// files is one.
    Hub(String),
}

impl Sender {
    /// The facility's code, or the hub's name.
    pub fn name(&self) -> &str {
        match self {
            Sender::Facility(name) | Sender::Hub(name) => name,
        }
    }

    /// The facility's code; `None` of a hub.
    pub fn facility(&self) -> Option<&str> {
        match self {
            Sender::Facility(code) => Some(code),
            Sender::Hub(_) => None,
        }
    }

    /// What it is: `facility` or `hub`.
    pub fn kind(&self) -> &'static str {
        match self {
            Sender::Facility(_) => "facility",
            Sender::Hub(_) => "hub",
        }
    }

    /// The same in one text, for keyed hashes.
    pub fn tagged(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    #[serde(rename = "sk")]
    pub id: String,
    /// Whose it is.
    pub sender: Sender,
    /// Since when.
    pub added_at: Timestamp,
    /// From when on it is good for nothing, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Hash of its secret.
    pub hash: String,
}

impl ApiKey {
    /// Whether it is good for nothing any more.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends| ends <= now)
    }
}

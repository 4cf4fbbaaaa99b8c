//! Senders of doses, and their API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A sender of doses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// A facility, by its code in the national register. It sends its own doses, and corrects only
    /// what it sent itself.
    Facility(String),
    /// A data hub, by a name that the admin gives it. It sends and corrects the doses of all
    /// facilities. Feeds that are put into the bucket come from a hub too.
    Hub(String),
}

impl Sender {
    /// The facility's code, or the hub's name.
    pub fn name(&self) -> &str {
        match self {
            Sender::Facility(name) | Sender::Hub(name) => name,
        }
    }

    /// The facility's code; `None` for a hub.
    pub fn facility(&self) -> Option<&str> {
        match self {
            Sender::Facility(code) => Some(code),
            Sender::Hub(_) => None,
        }
    }

    /// The kind of sender: `facility` or `hub`.
    pub fn kind(&self) -> &'static str {
        match self {
            Sender::Facility(_) => "facility",
            Sender::Hub(_) => "hub",
        }
    }

    /// Kind and name in one text, for keyed hashes.
    pub fn tagged(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// The key's id.
    #[serde(rename = "sk")]
    pub id: String,
    /// The sender that it identifies.
    pub sender: Sender,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it expires, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it was last used, with the precision of an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// The hash of the secret.
    pub hash: String,
}

impl ApiKey {
    /// Whether it has expired.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends| ends <= now)
    }
}

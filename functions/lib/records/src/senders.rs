//! Senders of doses, and their API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A sender of doses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// A facility, identified by its code in the national register. It sends its own doses, and can
    /// correct only events that it reported itself.
    Facility(String),
    /// A data hub, identified by a name that an admin chooses. It sends and corrects doses of all
    /// facilities. Feeds that are put into the bucket are treated as sent by a hub.
    Hub(String),
}

impl Sender {
    /// The code of the facility, or the name of the hub.
    pub fn name(&self) -> &str {
        match self {
            Sender::Facility(name) | Sender::Hub(name) => name,
        }
    }

    /// The code of the facility; `None` for a hub.
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

    /// The kind and the name in one text, so that a facility and a hub with equal names are
    /// distinct.
    pub fn tagged(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// The public id, which is part of the API key.
    #[serde(rename = "sk")]
    pub id: String,
    /// The sender that the API key identifies.
    pub sender: Sender,
    /// When the API key was added.
    pub added_at: Timestamp,
    /// When the API key expires; `None` if it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When the API key was last used, with a precision of one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// The hash of the secret.
    pub hash: String,
}

impl ApiKey {
    /// Whether the API key has expired.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends| ends <= now)
    }
}

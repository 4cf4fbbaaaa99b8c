//! The helpdesk's officers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::PhoneKey;

/// What an officer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks, answers, decides.
    Officer,
    /// Approves as well what another officer would change of who a certificate is for.
    Supervisor,
}

impl Role {
    /// The code in answers and on the command line.
    pub fn code(self) -> &'static str {
        match self {
            Role::Officer => "officer",
            Role::Supervisor => "supervisor",
        }
    }
}

/// An officer, for whom a phone is known by its index key.
#[derive(Clone, Debug)]
pub struct Officer {
    /// Which one: by it the audit names them.
    pub id: PhoneKey,
    /// The name, as an admin wrote it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub added_at: Timestamp,
    /// Which second factor this is, at random. Sessions are an officer's while they name it, so
    /// that none outlives a removal or a second factor that is set anew.
    pub enrolment: String,
}

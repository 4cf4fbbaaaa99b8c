//! The helpdesk's officers.

use bukti_domain::Role;
use jiff::Timestamp;

use crate::PhoneKey;

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

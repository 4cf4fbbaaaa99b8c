//! The helpdesk's officers.

use bukti_domain::Role;
use jiff::Timestamp;

use crate::PhoneKey;

/// An officer of the helpdesk.
#[derive(Clone, Debug)]
pub struct Officer {
    /// The index key of the officer's phone, which the audit log uses as the officer's id.
    pub id: PhoneKey,
    /// The name, as an admin entered it.
    pub name: String,
    /// The role, which decides the permissions.
    pub role: Role,
    /// When the officer was added.
    pub added_at: Timestamp,
    /// The random id of the current second factor. A session is valid only while it names this id,
    /// so that none outlives the officer's removal or the replacement of the second factor.
    pub enrolment: String,
}

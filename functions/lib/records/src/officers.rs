//! The helpdesk's officers.

use bukti_domain::Role;
use jiff::Timestamp;

use crate::PhoneKey;

/// An officer of the helpdesk, with the personal fields opened.
#[derive(Clone, Debug)]
pub struct Officer {
    /// The index key of the officer's phone, which is also the officer's id in the audit log.
    pub id: PhoneKey,
    /// The officer's name, as entered by an admin.
    pub name: String,
    /// The role, which determines the officer's permissions.
    pub role: Role,
    /// When an admin added the officer.
    pub added_at: Timestamp,
    /// The random id of the current second factor. An officer's session is valid only if it
    /// contains this id, so that no session outlives the officer's removal or the replacement of
    /// the second factor.
    pub enrolment: String,
}

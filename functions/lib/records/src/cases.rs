//! The helpdesk's cases: citizens' requests for corrections, and the steps that decide them.
//!
//! ```text
//! open ──ask back──► asked back ──answer──► open
//!   │ propose            │ propose
//!   └──► awaiting approval ◄──┘ ──confirm, grant──► granted
//! any that is not decided ──refuse──► refused; ──grant──► granted
//! ```
//!
//! Each step of a case is one transaction with an optimistic lock on its revision: if two officers
//! decide a case at the same time, one succeeds and the other gets [`Step::Overtaken`]. A granted
//! correction rewrites the dose in the same transaction. Certificate, revocation and SMS follow
//! from the table's stream, as they do when a facility corrects a dose.

mod change;
mod file;
mod record;
mod steps;

pub use change::Change;
pub use file::{CaseFile, Decision, Evidence, Message, MissingDose, Proposal};
pub use record::{CaseRecord, NewCase, Queued};
pub use steps::{Decided, Step};

#[cfg(test)]
mod tests;

//! The helpdesk's cases: citizens' requests for corrections, and the steps that decide them.
//!
//! ```text
//! open ──ask back──► asked back ──answer──► open
//!   │ propose            │ propose
//!   └──► awaiting approval ◄──┘ ──confirm, grant──► granted
//! any state before a decision ──refuse──► refused; ──grant──► granted
//! ```
//!
//! Each step of a case is one transaction with an optimistic lock on the revision of the case: if
//! two officers decide a case at the same time, one succeeds and the other gets
//! [`Step::Overtaken`]. A granted correction rewrites the dose in the same transaction. `issue` and
//! `notify`, which read the table's stream, then issue and revoke certificates and send the SMS, as
//! they do when a facility corrects a dose.

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

//! The helpdesk's cases: what people say is wrong, and how it is put right.
//!
//! ```text
//! open ──ask back──► asked back ──answer──► open
//!   │ propose            │ propose
//!   └──► awaiting approval ◄──┘ ──confirm, grant──► granted
//! any that is not decided ──refuse──► refused; ──grant──► granted
//! ```
//!
//! Each step of a case is one transaction on its revision: of two officers at one case one decides,
//! the other is told. A granted correction rewrites the dose in the same transaction; certificate,
//! revocation and SMS follow by the table's stream, as they do where a facility corrects a dose.

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

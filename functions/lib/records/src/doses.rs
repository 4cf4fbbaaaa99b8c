//! Doses: the history of a vaccination event, its current state, and its state transitions.
//!
//! An event has one record, whichever sender reports it. Each row is added to its history. Among
//! the rows that are not rejected, the row with the latest `sent_at` counts. A transition returns
//! the next revision, which the store writes if the record has not changed since it was read.

mod correction;
mod history;
mod incoming;
mod ownership;
mod rank;
mod record;
mod requests;
mod withdrawal;

pub use correction::Rewrite;
pub use incoming::Incoming;
pub use rank::Rank;
pub use record::{DoseRecord, PersonRecords, Reported};
pub use withdrawal::Withdrawal;

#[cfg(test)]
mod tests;

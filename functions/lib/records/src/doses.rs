//! Doses: all that was said of one vaccination event, and which row of it counts.
//!
//! An event is recorded once, whoever reports it. Each row is added to its history; the row with
//! the latest time of sending counts. What a transition returns is the next revision, which the
//! store writes where the record has not changed since it was read.

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

//! The table's records (doses, certificates, cases and others) and their state transitions.
//!
//! Everything in this crate except random numbers is pure: no I/O, no clock, no AWS; the time is
//! passed in. The store reads a record, computes its next revision with a method of the record, and
//! writes this revision with a conditional write or a transaction. If the condition fails, the
//! store reads the record and computes its next revision again. So each transition can be tested
//! without a store.
//!
//! The module [`keys`] builds and parses the keys of the table's items.

mod cases;
mod certificates;
mod claims;
mod confirmations;
mod doses;
mod downloads;
mod jobs;
pub mod keys;
mod limit;
mod links;
mod notifications;
mod officers;
mod otp;
mod rates;
mod sealing;
mod senders;
mod sms;
mod token;

pub use cases::{
    CaseFile, CaseRecord, Change, Decided, Decision, Evidence, Message, MissingDose, NewCase, Proposal,
    Queued, Step,
};
pub use certificates::{
    CertificateRecord, Revocation, RevocationRecord, RevokeDecision, parse_certificate_id,
};
pub use claims::{ClaimRecord, Handover, Release};
pub use confirmations::ConfirmationRecord;
pub use doses::{DoseRecord, Incoming, PersonRecords, Rank, Reported, Rewrite, Withdrawal};
pub use downloads::{Admission, AdmittedRecord, DownloadFacts, DownloadRecord};
pub use jobs::{FeedProblem, JobRecord, JobState, PartRecord};
pub use keys::{
    CaptchaKey, CaseKey, CertificateKey, DoseKey, DownloadKey, EventKey, ItemKey, ItemKind, KeyRange, Keys,
    LinkKey, LoginKey, NameKey, Partition, PersonKey, PhoneKey, RateKey, SessionKey,
};
pub use limit::{Count, DAY};
pub use links::{LinkAttempt, LinkRecord};
pub use notifications::{Claimed, NotificationRecord, Occasion, Sent};
pub use officers::Officer;
pub use otp::{CodeAttempt, DeviceRecord, OtpRecord};
pub use rates::Rate;
pub use sealing::{OpenError, Sealing};
pub use senders::{ApiKey, Sender};
pub use sms::{SmsKind, SmsRequest};
pub use token::Token;

/// A record whose format this version cannot read, or whose personal fields cannot be sealed or
/// opened.
#[derive(Debug, thiserror::Error)]
#[error("a record cannot be read: {0}")]
pub struct Corrupt(pub &'static str);

impl From<OpenError> for Corrupt {
    fn from(_: OpenError) -> Self {
        Self("a sealed field cannot be opened")
    }
}

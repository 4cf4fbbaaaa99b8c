//! Keys of several items: partitions, ranges of an index, and stream filters.

use jiff::civil::Date;

use super::items::{
    AUDIT, CONFIRMATION, DEVICE, HELPDESK_OFFICERS, HELPDESK_QUEUE, JOB, LISTED_CASE, LISTED_SESSION, PART,
    REVOKED, SENDERS, SMS, TRUST_ISSUERS, TRUST_SIGNERS, account,
};
use super::{CaseKey, CertificateKey, EventKey, LoginKey, PersonKey, PhoneKey};

/// The items of one partition, all or those with a common prefix of the sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition key.
    pub pk: String,
    /// The prefix of the sort keys; empty for all items.
    pub begins: &'static str,
}

impl Partition {
    /// The SMS of a dose.
    pub fn sms(event: &EventKey) -> Self {
        Self { pk: event.as_str().to_owned(), begins: SMS }
    }

    /// The list of a phone's cases.
    pub fn cases(phone: &PhoneKey) -> Self {
        Self { pk: account(phone), begins: LISTED_CASE }
    }

    /// The list of a phone's sessions.
    pub fn sessions(phone: &PhoneKey) -> Self {
        Self { pk: account(phone), begins: LISTED_SESSION }
    }

    /// The phones that have logged in with a device.
    pub fn devices(login: &LoginKey) -> Self {
        Self { pk: login.as_str().to_owned(), begins: DEVICE }
    }

    /// The confirmed identity data of a person.
    pub fn confirmations(person: &PersonKey) -> Self {
        Self { pk: person.as_str().to_owned(), begins: CONFIRMATION }
    }

    /// The parts of a job.
    pub fn parts(job: &str) -> Self {
        Self { pk: format!("{JOB}{job}"), begins: PART }
    }

    /// The audit log of a day (UTC).
    pub fn audit(day: Date) -> Self {
        Self { pk: format!("{AUDIT}{day}"), begins: "" }
    }

    /// The revoked certificates whose hashes begin with this byte.
    pub fn revocations(first: u8) -> Self {
        Self { pk: format!("{REVOKED}{first:02x}"), begins: "" }
    }

    /// The cases that wait for an officer, oldest first.
    pub fn queue() -> Self {
        Self { pk: HELPDESK_QUEUE.to_owned(), begins: "" }
    }

    /// The officers.
    pub fn officers() -> Self {
        Self { pk: HELPDESK_OFFICERS.to_owned(), begins: "" }
    }

    /// The API keys.
    pub fn api_keys() -> Self {
        Self { pk: SENDERS.to_owned(), begins: "" }
    }

    /// The register of document signers.
    pub fn signers() -> Self {
        Self { pk: TRUST_SIGNERS.to_owned(), begins: "" }
    }

    /// The signers of other issuers.
    pub fn issuers() -> Self {
        Self { pk: TRUST_ISSUERS.to_owned(), begins: "" }
    }
}

/// The items of one kind in an index that lists several kinds per person, selected by the prefix of
/// their partition keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange(&'static str);

impl KeyRange {
    /// Doses.
    pub const EVENTS: Self = Self(EventKey::PREFIX);
    /// Certificates.
    pub const CERTIFICATES: Self = Self(CertificateKey::PREFIX);
    /// Cases.
    pub const CASES: Self = Self(CaseKey::PREFIX);
    /// Entries of the audit log.
    pub const AUDIT: Self = Self(AUDIT);

    /// A lower bound of the partition keys.
    pub const fn first(self) -> &'static str {
        self.0
    }

    /// An upper bound of the partition keys, which do not contain `~`.
    pub fn last(self) -> String {
        format!("{}~", self.0)
    }
}

/// The part of a stream filter that selects the register of signers and confirmed identities by
/// their keys.
pub fn signers_and_confirmations_filter() -> String {
    format!(r#""Keys": {{"pk": {{"S": ["{TRUST_SIGNERS}", {{"prefix": "{}"}}]}}}}"#, PersonKey::PREFIX)
}

/// The parts of stream filters that select published items, which are revocations and other
/// issuers, by their keys.
pub fn published_filters() -> [String; 2] {
    [
        format!(r#""Keys": {{"pk": {{"S": [{{"prefix": "{REVOKED}"}}]}}}}"#),
        format!(r#""Keys": {{"pk": {{"S": ["{TRUST_ISSUERS}"]}}}}"#),
    ]
}

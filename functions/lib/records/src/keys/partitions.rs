//! Keys of multiple items: partitions, ranges of an index, and stream filters.

use jiff::civil::Date;

use super::items::{
    AUDIT, CONFIRMATION, DEVICE, HELPDESK_OFFICERS, HELPDESK_QUEUE, JOB, LISTED_CASE, LISTED_SESSION, PART,
    REVOKED, SENDERS, SMS, TRUST_ISSUERS, TRUST_SIGNERS, account,
};
use super::{CaseKey, CertificateKey, EventKey, LoginKey, PersonKey, PhoneKey};

/// The items of one partition, or those whose sort keys have a common prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition key of the items.
    pub pk: String,
    /// The common prefix of the sort keys; empty to select all items.
    pub begins: &'static str,
}

impl Partition {
    /// The SMS of a dose, one per version of its phone.
    pub fn sms(event: &EventKey) -> Self {
        Self { pk: event.as_str().to_owned(), begins: SMS }
    }

    /// The cases that a phone opened.
    pub fn cases(phone: &PhoneKey) -> Self {
        Self { pk: account(phone), begins: LISTED_CASE }
    }

    /// The sessions of a phone.
    pub fn sessions(phone: &PhoneKey) -> Self {
        Self { pk: account(phone), begins: LISTED_SESSION }
    }

    /// The phones that have logged in with a device.
    pub fn devices(login: &LoginKey) -> Self {
        Self { pk: login.as_str().to_owned(), begins: DEVICE }
    }

    /// The confirmations of a person's identity data.
    pub fn confirmations(person: &PersonKey) -> Self {
        Self { pk: person.as_str().to_owned(), begins: CONFIRMATION }
    }

    /// The parts of an import job.
    pub fn parts(job: &str) -> Self {
        Self { pk: format!("{JOB}{job}"), begins: PART }
    }

    /// The audit log entries of one day in UTC.
    pub fn audit(day: Date) -> Self {
        Self { pk: format!("{AUDIT}{day}"), begins: "" }
    }

    /// The revoked certificates whose hashes begin with this byte.
    pub fn revocations(first: u8) -> Self {
        Self { pk: format!("{REVOKED}{first:02x}"), begins: "" }
    }

    /// The queue of cases that wait for an officer, oldest first.
    pub fn queue() -> Self {
        Self { pk: HELPDESK_QUEUE.to_owned(), begins: "" }
    }

    /// All officers of the helpdesk.
    pub fn officers() -> Self {
        Self { pk: HELPDESK_OFFICERS.to_owned(), begins: "" }
    }

    /// All API keys, including expired ones.
    pub fn api_keys() -> Self {
        Self { pk: SENDERS.to_owned(), begins: "" }
    }

    /// The register of document signers, including the item that names the active one.
    pub fn signers() -> Self {
        Self { pk: TRUST_SIGNERS.to_owned(), begins: "" }
    }

    /// All signers of other issuers.
    pub fn issuers() -> Self {
        Self { pk: TRUST_ISSUERS.to_owned(), begins: "" }
    }
}

/// The items of one kind in an index. An index lists several kinds per person; the prefix of the
/// partition key selects one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange(&'static str);

impl KeyRange {
    /// Selects doses.
    pub const EVENTS: Self = Self(EventKey::PREFIX);
    /// Selects certificates.
    pub const CERTIFICATES: Self = Self(CertificateKey::PREFIX);
    /// Selects cases.
    pub const CASES: Self = Self(CaseKey::PREFIX);
    /// Selects audit log entries.
    pub const AUDIT: Self = Self(AUDIT);

    /// The lower bound of the partition keys.
    pub const fn first(self) -> &'static str {
        self.0
    }

    /// The upper bound of the partition keys, which never contain `~`.
    pub fn last(self) -> String {
        format!("{}~", self.0)
    }
}

/// The part of a stream filter that selects the register of signers and the confirmations of
/// identity data by their keys.
pub fn signers_and_confirmations_filter() -> String {
    format!(r#""Keys": {{"pk": {{"S": ["{TRUST_SIGNERS}", {{"prefix": "{}"}}]}}}}"#, PersonKey::PREFIX)
}

/// The parts of stream filters that select published items by their keys: revocations, and signers
/// of other issuers.
pub fn published_filters() -> [String; 2] {
    [
        format!(r#""Keys": {{"pk": {{"S": [{{"prefix": "{REVOKED}"}}]}}}}"#),
        format!(r#""Keys": {{"pk": {{"S": ["{TRUST_ISSUERS}"]}}}}"#),
    ]
}

//! Items that are read together: partitions, ranges of an index, and filters of the stream.

use jiff::civil::Date;

use super::items::{
    AUDIT, CONFIRMATION, DEVICE, HELPDESK_OFFICERS, HELPDESK_QUEUE, JOB, LISTED_CASE, LISTED_SESSION, PART,
    REVOKED, SENDERS, SMS, TRUST_ISSUERS, TRUST_SIGNERS, account,
};
use super::{CaseKey, CertificateKey, EventKey, LoginKey, PersonKey, PhoneKey};

/// Items of one partition that are read together: all, or those whose sort keys begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition key.
    pub pk: String,
    /// What the sort keys begin with; empty for all.
    pub begins: &'static str,
}

impl Partition {
    /// The SMS of a dose.
    pub fn sms(event: &EventKey) -> Self {
        Self { pk: event.as_str().to_owned(), begins: SMS }
    }

    /// The cases of a phone.
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

    /// The confirmed identity data of a person.
    pub fn confirmations(person: &PersonKey) -> Self {
        Self { pk: person.as_str().to_owned(), begins: CONFIRMATION }
    }

    /// The parts of a job.
    pub fn parts(job: &str) -> Self {
        Self { pk: format!("{JOB}{job}"), begins: PART }
    }

    /// The audit of a day (UTC).
    pub fn audit(day: Date) -> Self {
        Self { pk: format!("{AUDIT}{day}"), begins: "" }
    }

    /// The revoked certificates whose hash begins with this byte.
    pub fn revocations(first: u8) -> Self {
        Self { pk: format!("{REVOKED}{first:02x}"), begins: "" }
    }

    /// The cases that somebody has to look at, oldest first.
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

/// The items of one kind in an index, whose partition keys begin alike: an index lists several
/// kinds under one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange(&'static str);

impl KeyRange {
    /// Doses.
    pub const EVENTS: Self = Self(EventKey::PREFIX);
    /// Certificates.
    pub const CERTIFICATES: Self = Self(CertificateKey::PREFIX);
    /// Cases.
    pub const CASES: Self = Self(CaseKey::PREFIX);
    /// Entries of the audit.
    pub const AUDIT: Self = Self(AUDIT);

    /// The first partition key that there may be.
    pub const fn first(self) -> &'static str {
        self.0
    }

    /// A text after the last one: keys have no `~`.
    pub fn last(self) -> String {
        format!("{}~", self.0)
    }
}

/// What filters of the stream say of the keys of the register of signers and of confirmed
/// identities.
pub fn signers_and_confirmations_filter() -> String {
    format!(r#""Keys": {{"pk": {{"S": ["{TRUST_SIGNERS}", {{"prefix": "{}"}}]}}}}"#, PersonKey::PREFIX)
}

/// What filters of the stream say of the keys of what is published: revocations and other issuers.
pub fn published_filters() -> [String; 2] {
    [
        format!(r#""Keys": {{"pk": {{"S": [{{"prefix": "{REVOKED}"}}]}}}}"#),
        format!(r#""Keys": {{"pk": {{"S": ["{TRUST_ISSUERS}"]}}}}"#),
    ]
}

//! The keys of the table's items. All code that builds or parses these keys is here.
//!
//! | item | `pk` | `sk` | indexed by |
//! |---|---|---|---|
//! | dose, with the history of its event | `EVENT#` event | `DOSE` | person, phone, name with birth date |
//! | SMS of a dose, one per version of its phone | `EVENT#` event | `SMS#` phone version | |
//! | claim on a dose that several events may report | `DOSE#` person, date, vaccine and number | `CLAIM` | |
//! | mark of a person who has a dose outside a two-dose series | `SERIES#` person | `SERIES` | |
//! | certificate | `CERTIFICATE#` certificate id | `CERTIFICATE` | person |
//! | link in an SMS | `LINK#` token | `LINK` | |
//! | SMS about a locked link | `LINK#` token | `SMS` | |
//! | latest request for a quick download | `DOWNLOAD#PERSON#` person | `DOWNLOAD` | |
//! | latest admitted request for a quick download | `DOWNLOAD#PERSON#` person | `ADMITTED` | |
//! | SMS of a quick download | `DOWNLOAD#PERSON#` person | `SMS#` time of the request | |
//! | lock of the quick download of a person | `DOWNLOAD#PERSON#` person | `LOCK` | |
//! | case of the helpdesk | `CASE#` case number | `CASE` | person |
//! | SMS of a case | `CASE#` case number | `SMS#` revision | |
//! | case that waits for an officer | `HELPDESK#QUEUE` | opening time, case | |
//! | confirmed identity data of a person | `PERSON#` person | `CONFIRMATION#` case | |
//! | officer of the helpdesk | `HELPDESK#OFFICERS` | phone | |
//! | entry of the audit log | `AUDIT#` day | time, order | person |
//! | account | `ACCOUNT#PHONE#` phone | `ACCOUNT` | |
//! | entry in the case list of a phone | `ACCOUNT#PHONE#` phone | `CASE#` case | |
//! | entry in the session list of a phone | `ACCOUNT#PHONE#` phone | `SESSION#` id | |
//! | request for a one-time code | `LOGIN#` token | `OTP` | |
//! | device that has logged in | `LOGIN#` token | `DEVICE#` phone | |
//! | session | `SESSION#` token | `SESSION` | |
//! | used captcha | `CAPTCHA#` signature | `CAPTCHA` | |
//! | counter of a rate limit | `RATE#` limit, window and subject | `RATE` | |
//! | import job | `JOB#` job id | `JOB` | |
//! | part of a job | `JOB#` job id | `PART#` number | |
//! | API key of a sender | `SENDERS#KEYS` | key id | |
//! | revoked certificate | `REVOKED#` first byte of its hash | certificate id | |
//! | document signer | `TRUST#SIGNERS` | key id | |
//! | key id of the active signer | `TRUST#SIGNERS` | `ACTIVE` | |
//! | signer of another issuer | `TRUST#ISSUERS` | key id and digest of the key | |
//! | publishing lease | `TRUST#PUBLISHING` | `LEASE` | |
//!
//! Keys contain [keyed hashes](Keys) of events, persons, phones, doses and cases, and hashes of
//! tokens, but never these values themselves. Personal fields are [sealed](Keys::seal) with the
//! item's key as associated data. So a dump of the table reveals no personal data.

mod hashes;
mod items;
mod partitions;
mod typed;

pub use hashes::Keys;
pub use items::{ItemKey, ItemKind};
pub use partitions::{KeyRange, Partition, published_filters, signers_and_confirmations_filter};
pub use typed::{
    CaptchaKey, CaseKey, CertificateKey, DoseKey, DownloadKey, EventKey, LinkKey, LoginKey, NameKey,
    PersonKey, PhoneKey, RateKey, SessionKey,
};

#[cfg(test)]
pub(crate) use hashes::tests;

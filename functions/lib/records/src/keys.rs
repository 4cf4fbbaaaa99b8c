//! The keys of the table's items: made, typed and parsed here, and nowhere else.
//!
//! | item | `pk` | `sk` | indexed by |
//! |---|---|---|---|
//! | dose, all that was said of one event | `EVENT#` event | `DOSE` | person, phone, name with birth date |
//! | SMS of a dose, one for each phone it had | `EVENT#` event | `SMS#` phone version | |
//! | which event owns a dose that several report | `DOSE#` person, date, vaccine and number | `CLAIM` | |
//! | mark of somebody with a dose whose series is not of two doses | `SERIES#` person | `SERIES` | |
//! | certificate | `CERTIFICATE#` certificate id | `CERTIFICATE` | person |
//! | link of an SMS | `LINK#` token | `LINK` | |
//! | SMS that a link was locked | `LINK#` token | `SMS` | |
//! | quick download, the last request of it | `DOWNLOAD#PERSON#` person | `DOWNLOAD` | |
//! | quick download, the last that fitted | `DOWNLOAD#PERSON#` person | `ADMITTED` | |
//! | SMS of a quick download | `DOWNLOAD#PERSON#` person | `SMS#` time of the request | |
//! | quick download is locked for the person | `DOWNLOAD#PERSON#` person | `LOCK` | |
//! | case of the helpdesk | `CASE#` case number | `CASE` | person |
//! | SMS of a case | `CASE#` case number | `SMS#` revision | |
//! | case that somebody has to look at | `HELPDESK#QUEUE` | when it was opened, case | |
//! | confirmed identity data of a person | `PERSON#` person | `CONFIRMATION#` case | |
//! | officer of the helpdesk | `HELPDESK#OFFICERS` | phone | |
//! | entry of the audit | `AUDIT#` day | time, order | person |
//! | account | `ACCOUNT#PHONE#` phone | `ACCOUNT` | |
//! | case in the list of its phone | `ACCOUNT#PHONE#` phone | `CASE#` case | |
//! | session in the list of its phone | `ACCOUNT#PHONE#` phone | `SESSION#` id | |
//! | request for a one-time code | `LOGIN#` token | `OTP` | |
//! | device that has logged in | `LOGIN#` token | `DEVICE#` phone | |
//! | session | `SESSION#` token | `SESSION` | |
//! | used captcha | `CAPTCHA#` signature | `CAPTCHA` | |
//! | how much a caller had of something | `RATE#` what, who and when | `RATE` | |
//! | job of the intake | `JOB#` job id | `JOB` | |
//! | part of a job | `JOB#` job id | `PART#` number | |
//! | API key of who sends doses | `SENDERS#KEYS` | key id | |
//! | revoked certificate | `REVOKED#` first byte of its hash | certificate id | |
//! | document signer | `TRUST#SIGNERS` | key id | |
//! | which signer signs | `TRUST#SIGNERS` | `ACTIVE` | |
//! | signer of another issuer | `TRUST#ISSUERS` | key id and digest of the key | |
//! | who publishes at the moment | `TRUST#PUBLISHING` | `LEASE` | |
//!
//! Event, person, phone, dose, case and tokens are [keyed hashes](Keys), never the values; personal
//! fields are [sealed](Keys::seal), bound to the item's key. A dump of the table shows nobody.

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

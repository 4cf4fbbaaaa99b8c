//! Capabilities over AWS: table, bucket, SMS, signing.
//!
//! One small type per capability ([`Doses`], [`Certificates`], [`Links`], …). A function holds just those that it needs,
//! which are then also the permissions of its role. All of them speak the AWS SDKs: to AWS, to an emulated account, or
//! to the embedded stack, by the endpoint of the [`Settings`].
//!
//! Functions that answer people reach records of people through `bukti_runtime::Records`, which checks
//! who may; `functions/.clippy.toml` forbids them to make these capabilities themselves.
//!
//! # The table
//!
//! | item | `pk` | `sk` | indexed by |
//! |---|---|---|---|
//! | dose, all that was said of one event | `E#` event | `DOSE` | person, phone, name with birth date |
//! | SMS of a dose, one for each phone it had | `E#` event | `SMS#` phone version | |
//! | which event owns a dose that several report | `D#` person, date, vaccine and number | `CLAIM` | |
//! | mark of somebody with a dose whose series is not of two doses | `M#` person | `SERIES` | |
//! | certificate | `C#` certificate id | `CERT` | person |
//! | link of an SMS | `L#` token | `LINK` | |
//! | quick download, the last request of it | `Q#` person | `DOWNLOAD` | |
//! | quick download, the last that fitted | `Q#` person | `ADMITTED` | |
//! | SMS of a quick download | `Q#` person | `SMS#` time of the request | |
//! | quick download is locked for the person | `Q#` person | `LOCK` | |
//! | case of the helpdesk | `N#` case number | `CASE` | person |
//! | SMS of a case | `N#` case number | `SMS#` revision | |
//! | case that somebody has to look at | `V#QUEUE` | when it was opened, case | |
//! | confirmed identity data of a person | `P#` person | `CONFIRMATION#` case | |
//! | officer of the helpdesk | `H#OFFICERS` | phone | |
//! | entry of the audit | `Y#` day | time, order | person |
//! | account | `A#` phone | `ACCOUNT` | |
//! | case in the list of its phone | `A#` phone | `CASE#` case | |
//! | session in the list of its phone | `A#` phone | `SESSION#` id | |
//! | request for a one-time code | `O#` token | `OTP` | |
//! | device that has logged in | `O#` token | `DEVICE#` phone | |
//! | session | `S#` token | `SESSION` | |
//! | used captcha | `X#` signature | `CAPTCHA` | |
//! | how much a caller had of something | `B#` what, who and when | `RATE` | |
//! | job of the intake | `J#` job id | `JOB` | |
//! | part of a job | `J#` job id | `PART#` number | |
//! | API key of who sends doses | `G#SENDERS` | key id | |
//! | revoked certificate | `R#` first byte of its hash | certificate id | |
//! | document signer | `K#SIGNERS` | key id | |
//! | which signer signs | `K#SIGNERS` | `ACTIVE` | |
//! | signer of another issuer | `K#ISSUERS` | key id and digest of the key | |
//! | who publishes at the moment | `K#PUBLISHING` | `LEASE` | |
//!
//! Event, person, phone, dose and tokens are keyed hashes ([`bukti_records::Keys`]), never the values; personal fields are sealed. A dump of
//! the table shows nobody. Writes that decide something are conditional. Short-lived items carry `expires_at` (the
//! table's TTL attribute, Unix seconds) and are checked for expiry on read as well.

mod bucket;
mod clients;
mod metrics;
mod sdk;
mod settings;
mod signing;
mod sms;
mod table;

pub use bucket::documents::{Copies, Documents, EvidenceStore};
pub use bucket::feeds::{Dropped, Feed, Feeds};
pub use bucket::publishing::{PublicFiles, Publishing, concerns_publishing};
pub use clients::{Aws, ConnectError, Endpoint};
pub use metrics::{Counter, Metrics};
pub use sdk::s3_client;
pub use settings::{SecretsSource, Settings, SettingsError};
pub use signing::document_signers::{DocumentSigner, DocumentSigners, SigningError};
pub use signing::issuers::{Imported, IssuerRecord, Issuers};
pub use signing::secrets::{Secrets, SecretsError};
pub use signing::signers::{Register, SignerRecord, Signers, Withdrawn};
pub use sms::notifications::{Claim, DoseSms, Notifications};
pub use sms::{Cause, Payer, Sms, SmsBudget, SmsError, Spent};
pub use table::access::Access;
pub use table::accounts::{Account, Device, Login, OpenSession, Sessions};
pub use table::audit::{About, Action, Audit, Entry};
pub use table::captcha::UsedCaptchas;
pub use table::cases::Cases;
pub use table::certificates::{Certificates, ReinstateOutcome, RevokeOutcome};
pub use table::claims::Claims;
pub use table::doses::Doses;
pub use table::downloads::Downloads;
pub use table::jobs::Jobs;
pub use table::links::Links;
pub use table::officers::{FactorTry, Officers};
pub use table::otp::{Otps, Request, Requester, SendDecision};
pub use table::rates::{Rates, Taken};
pub use table::restoring::Restoring;
pub use table::revocations::Revocations;
pub use table::senders::Senders;
pub use table::series::SeriesMarks;
pub use table::{StoreError, Stored};

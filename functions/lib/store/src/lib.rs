//! Capabilities over AWS: table, bucket, SMS, signing.
//!
//! One small type per capability ([`Doses`], [`Certificates`], [`Links`], …). A function holds just
//! those that it needs, which are then also the permissions of its role. All of them speak the AWS
//! SDKs: to AWS, to an emulated account, or to the embedded stack, by the endpoint of the
//! [`Settings`].
//!
//! Functions that answer people reach records of people through `bukti_runtime::Records`, which
//! checks who may; `functions/.clippy.toml` forbids them to make these capabilities themselves.
//!
//! What a record is after a step is decided by [`bukti_records`]; the capabilities read, ask it,
//! and write where the record has not changed since. Writes that decide something are conditional.
//! Short-lived items carry `expires_at` (the table's TTL attribute, Unix seconds) and are checked
//! for expiry on read as well. The items are listed in [`bukti_records::keys`].
//!
//! Settings and metrics are here, with the clients, since capabilities use them: this crate depends
//! on no other that needs AWS.

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
pub use table::audit::{About, Audit, Entry};
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

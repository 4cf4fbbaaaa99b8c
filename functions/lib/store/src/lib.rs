//! Access to AWS services, one small type per capability: table, bucket, SMS, signing.
//!
//! A function has only the capabilities ([`Doses`], [`Certificates`], [`Links`], …) that it needs,
//! and its role only the permissions for these. All of them use the AWS SDKs: against AWS, an
//! emulated account or the embedded stack, by the endpoint of the [`Settings`].
//!
//! Functions that citizens or officers call access personal records through
//! `bukti_runtime::Records`, which checks the permissions. `functions/.clippy.toml` forbids them to
//! create the capabilities themselves.
//!
//! [`bukti_records`] computes the next revision of a record. The capabilities read the record and
//! write the next revision if the record has not changed since, by a conditional write. Short-lived
//! items have `expires_at` (the table's TTL attribute, Unix seconds), and reads check for expiry as
//! well. [`bukti_records::keys`] lists the items.
//!
//! Settings and metrics are in this crate too, since the capabilities use them, and this crate
//! depends on no other one that needs AWS.

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
pub use table::officers::{FactorAttempt, Officers};
pub use table::otp::{Otps, Request, Requester, SendDecision};
pub use table::rates::{Rates, Taken};
pub use table::restoring::Restoring;
pub use table::revocations::Revocations;
pub use table::senders::Senders;
pub use table::series::SeriesMarks;
pub use table::{StoreError, Stored};

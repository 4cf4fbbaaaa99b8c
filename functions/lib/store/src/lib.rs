//! Access to AWS services, with one small type per capability: table, bucket, SMS, signing.
//!
//! A function has only the capabilities ([`Doses`], [`Certificates`], [`Links`], …) that it needs,
//! and its role grants only the permissions for these. All capabilities use the AWS SDKs. The
//! endpoint in the [`Settings`] determines whether they call AWS, an emulated account or the
//! embedded stack.
//!
//! Functions that citizens or officers call access personal records through
//! `bukti_runtime::Records`, which checks permissions. `functions/.clippy.toml` forbids these
//! functions to create capabilities themselves.
//!
//! [`bukti_records`] computes the next revision of a record. The capabilities read the record and
//! write the next revision with a conditional write, which fails if the record has changed since it
//! was read. Short-lived items have the attribute `expires_at` (the table's TTL, in seconds since
//! the Unix epoch). Reads check for expiry too, because DynamoDB deletes expired items late.
//! [`bukti_records::keys`] lists the items.
//!
//! Settings and metrics belong to this crate because the capabilities use them, and because this
//! crate depends on no other crate that needs AWS.

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

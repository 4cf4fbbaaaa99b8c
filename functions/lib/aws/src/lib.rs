//! What touches AWS: table, bucket, SMS, secrets.
//!
//! One small type per capability ([`Doses`], [`Certificates`], [`Links`], …). A function holds just those that it needs,
//! which are then also the permissions of its role. All of them speak the AWS SDKs: to AWS, to an emulated account, or
//! to the embedded stack, by the endpoint of the [`Settings`].
//!
//! Functions that answer people reach records of people through `bukti_http::Records`, which checks
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
//! Event, person, phone, dose and tokens are keyed hashes ([`Keys`]), never the values; personal fields are sealed. A dump of
//! the table shows nobody. Writes that decide something are conditional. Short-lived items carry `expires_at` (the
//! table's TTL attribute, Unix seconds) and are checked for expiry on read as well.

mod access;
mod accounts;
mod audit;
mod captcha;
mod cases;
mod certificates;
mod claims;
mod clients;
mod confirmations;
mod documents;
mod doses;
mod downloads;
mod feeds;
mod issuers;
mod jobs;
mod keys;
mod limit;
mod links;
mod metrics;
mod notifications;
mod officers;
mod otp;
mod publishing;
mod rates;
mod restoring;
mod revocations;
mod secrets;
mod senders;
mod series;
mod settings;
mod signers;
mod signing;
mod sms;
mod stream;
mod table;

pub use access::Access;
pub use accounts::{Account, Device, Login, OpenSession, Sessions};
pub use audit::{About, Action, Audit, Entry};
pub use captcha::UsedCaptchas;
pub use cases::{
    CaseFile, CaseRecord, Cases, Change, Decision, Evidence, Message, MissingDose, NewCase, Proposal, Queued,
    Step,
};
pub use certificates::{
    CertificateRecord, Certificates, ReinstateOutcome, Revocation, RevokeOutcome, parse_certificate_id,
};
pub use claims::Claims;
pub use clients::{Aws, ConnectError, Endpoint, s3_client};
pub use confirmations::ConfirmationRecord;
pub use documents::{Copies, Documents, EvidenceStore};
pub use doses::{DoseRecord, Doses, Incoming, PersonRecords, Reported, SmsReason};
pub use downloads::{DownloadFacts, DownloadRecord, Downloads};
pub use feeds::{Dropped, Feed, Feeds};
pub use issuers::{Imported, IssuerRecord, Issuers};
pub use jobs::{FeedProblem, JobRecord, JobState, Jobs, PartRecord};
pub use keys::{Keys, OpenError, Token};
pub use links::{LinkRecord, LinkTry, Links};
pub use metrics::{Counter, Metrics};
pub use notifications::{Claim, DoseSms, Notifications, Occasion};
pub use officers::{FactorTry, Officer, Officers, Role};
pub use otp::{CodeTry, Otps, Request, Requester, SendDecision};
pub use publishing::{PublicFiles, Publishing, concerns_publishing};
pub use rates::{Rate, Rates, Taken};
pub use restoring::Restoring;
pub use revocations::Revocations;
pub use secrets::{Secrets, SecretsError};
pub use senders::{ApiKey, Sender, Senders};
pub use series::SeriesMarks;
pub use settings::{SecretsSource, Settings, SettingsError};
pub use signers::{Register, SignerRecord, Signers, Withdrawn};
pub use signing::{DocumentSigner, DocumentSigners, SigningError};
pub use sms::{Cause, Payer, Sms, SmsBudget, SmsError, Spent};
pub use stream::each_record;
pub use table::StoreError;

/// The target of the log lines that follow one event from its rows to its SMS, by [`DoseRecord::trace`].
pub const WAY: &str = "way";

/// Starts the logs of a function: JSON lines on AWS, text elsewhere, the level by `RUST_LOG` (`warn,bukti=debug`).
pub fn start_logs() {
    use std::io::IsTerminal;

    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    // Not an EnvFilter: it brings a machine for regular expressions, half a megabyte in each function.
    let on_aws = std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let asked = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let usual = || {
        let usual =
            Targets::new().with_default(tracing::Level::WARN).with_target("bukti", tracing::Level::INFO);
        // The way of each dose, some lines for each: in a terminal only for who asks for it.
        if on_aws { usual.with_target(WAY, tracing::Level::INFO) } else { usual }
    };
    let logs = tracing_subscriber::registry().with(asked.unwrap_or_else(usual));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start (several functions in one test process) is no fault.
    let _ = if on_aws {
        logs.with(lines.json().without_time()).try_init()
    } else {
        logs.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
}

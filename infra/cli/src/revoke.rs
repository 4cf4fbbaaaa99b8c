//! `bukti revoke` and `bukti reinstate`: revoke certificates, and allow their doses new
//! certificates.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_records::{Revocation, parse_certificate_id};
use bukti_store::{Certificates, ReinstateOutcome, RevokeOutcome};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};
use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::output::print;
use crate::target::{Target, TargetOptions};
use crate::trust;

/// The number of certificates that are processed concurrently.
const CONCURRENCY: usize = 8;

#[derive(Args)]
pub(crate) struct CertificateIds {
    /// UVCIs, with or without check character, or certificate ids, with or without hyphens
    #[arg(value_name = "UVCI|ID")]
    certificates: Vec<String>,
    /// File with further certificates, one per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RevokeOptions {
    #[command(flatten)]
    certificates: CertificateIds,
    /// Reason, for the record of the certificate; it is not published
    #[arg(long, value_name = "WHY", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Leave publication to `bukti trust publish` or the schedule
    #[arg(long)]
    no_publish: bool,
}

/// Revokes each certificate and prints the result. The exit code is 1 if any certificate is unknown
/// or superseded; the others are still revoked.
pub(crate) async fn revoke(target: &TargetOptions, options: &RevokeOptions) -> Result<ExitCode> {
    let ids = options.certificates.read()?;
    let target = Target::connect(target).await?;
    if !options.no_publish {
        target.check_can_publish()?;
    }
    let certificates = Certificates::of_table(target.dynamodb.clone(), target.table());
    let revoke = async |id: &str| {
        let revocation = Revocation::Withdrawn(&options.reason);
        match certificates.revoke(id, revocation, Timestamp::now()).await? {
            RevokeOutcome::Now => print(&format!("{id} revoked\n")),
            RevokeOutcome::Before(record) => match &record.superseded_by {
                Some(by) => {
                    eprintln!(
                        "bukti: {id} was superseded by {by} and is not revoked: revoke {by} if its dose is wrong"
                    );
                    return Ok(false);
                }
                None => print(&format!("{id} was revoked before\n")),
            },
            RevokeOutcome::Withdrawn => {
                print(&format!("{id} was revoked before; its dose is withdrawn now\n"));
            }
            RevokeOutcome::Unknown => return Ok(report_unknown(id)),
            RevokeOutcome::CannotBeListed => {
                eprintln!(
                    "bukti: {id} was issued by an earlier version, which did not store what the revocation list \
                     needs, and cannot be revoked"
                );
                return Ok(false);
            }
        }
        Ok(true)
    };
    let all_done = for_each(&ids, revoke).await?;
    trust::publish_unless(options.no_publish, &target).await?;
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reinstates the dose of each revoked certificate and prints the result. The exit code is 1 if any
/// certificate is unknown or its dose is not withdrawn; the other doses are still reinstated.
pub(crate) async fn reinstate(target: &TargetOptions, certificates: &CertificateIds) -> Result<ExitCode> {
    let ids = certificates.read()?;
    let target = Target::connect(target).await?;
    let certificates = Certificates::of_table(target.dynamodb.clone(), target.table());
    let reinstate = async |id: &str| {
        match certificates.reinstate(id).await? {
            ReinstateOutcome::Now => {
                print(&format!("{id} stays revoked; its dose may have a new certificate\n"));
            }
            ReinstateOutcome::NotWithdrawn => {
                eprintln!("bukti: the dose of {id} is not withdrawn");
                return Ok(false);
            }
            ReinstateOutcome::Unknown => return Ok(report_unknown(id)),
        }
        Ok(true)
    };
    Ok(if for_each(&ids, reinstate).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl CertificateIds {
    /// Collects the ids from the arguments and the file, without parsing them.
    fn read(&self) -> Result<Vec<String>> {
        let mut ids = self.certificates.clone();
        if let Some(file) = &self.file {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            ids.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        if ids.is_empty() {
            bail!("no certificate is named: name certificates as arguments or with --file");
        }
        Ok(ids)
    }
}

fn report_unknown(id: &str) -> bool {
    eprintln!("bukti: there is no certificate {id}");
    false
}

/// Processes all certificates, even if some of them fail. Returns whether all of them succeeded.
async fn for_each(ids: &[String], process: impl AsyncFn(&str) -> Result<bool>) -> Result<bool> {
    let process = async |written: &String| match parse_certificate_id(written) {
        Some(id) => process(&id).await,
        None => {
            eprintln!("bukti: {written} is neither a UVCI of this service nor a certificate id");
            Ok(false)
        }
    };
    let results = stream::iter(ids).map(process).buffered(CONCURRENCY).collect::<Vec<_>>().await;
    let mut all_done = true;
    for result in results {
        all_done &= result.context("some certificates were not processed: run the command again")?;
    }
    Ok(all_done)
}

//! `bukti revoke` and `bukti reinstate`: certificates that count no more, and doses that may have
//! one again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_records::{Revocation, parse_certificate_id};
use bukti_store::{Certificates, ReinstateOutcome, RevokeOutcome};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::target::{Target, Where};
use crate::trust;

/// Certificates that are worked on at the same time.
const AT_ONCE: usize = 8;

/// The certificates that are meant.
#[derive(Args)]
pub(crate) struct Named {
    /// UVCIs, with or without check character, or certificate ids, with or without hyphens.
    #[arg(value_name = "UVCI|ID")]
    certificates: Vec<String>,
    /// A file of more of them, one a line.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    certificates: Named,
    /// Why, for the record of the certificate. It is not published.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Leave the public lists as they are until they are published.
    #[arg(long)]
    no_publish: bool,
}

/// Revokes, and says of each certificate what became of it.
///
/// # Errors
///
/// Where the Bukti does not answer. A certificate that is not there, or was superseded by another,
/// is a code, after all others were revoked.
pub(crate) async fn run(place: &Where, options: &Options) -> Result<ExitCode> {
    let wanted = options.certificates.ids()?;
    let target = Target::find(place).await?;
    if !options.no_publish {
        target.check_can_publish()?;
    }
    let certificates = Certificates::of_table(target.dynamodb.clone(), target.table());
    let revoke = async |id: &str| {
        let revocation = Revocation::Withdrawn(&options.reason);
        match certificates.revoke(id, revocation, Timestamp::now()).await? {
            RevokeOutcome::Now => println!("{id} revoked"),
            RevokeOutcome::Before(record) => match &record.superseded_by {
                Some(by) => {
                    eprintln!(
                        "bukti: {id} was superseded by {by} before: revoke that where its dose is wrong"
                    );
                    return Ok(false);
                }
                None => println!("{id} was revoked before"),
            },
            RevokeOutcome::Withdrawn => println!("{id} was revoked before; its dose is withdrawn now"),
            RevokeOutcome::Unknown => return Ok(unknown(id)),
            RevokeOutcome::CannotBeListed => {
                eprintln!(
                    "bukti: {id} was issued by an earlier version, which kept nothing by which it could be listed"
                );
                return Ok(false);
            }
        }
        Ok(true)
    };
    let all_done = each(&wanted, revoke).await?;
    trust::publish_unless(options.no_publish, &target).await?;
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reinstates the doses of revoked certificates, and says of each what became of it.
///
/// # Errors
///
/// Where the Bukti does not answer. A certificate that is not there, or whose dose is not
/// withdrawn, is a code, after all others were reinstated.
pub(crate) async fn reinstate(place: &Where, named: &Named) -> Result<ExitCode> {
    let wanted = named.ids()?;
    let target = Target::find(place).await?;
    let certificates = Certificates::of_table(target.dynamodb.clone(), target.table());
    let reinstate = async |id: &str| {
        match certificates.reinstate(id).await? {
            ReinstateOutcome::Now => println!("{id} stays revoked; its dose may have a new certificate"),
            ReinstateOutcome::NotWithdrawn => {
                eprintln!("bukti: the dose of {id} is not withdrawn");
                return Ok(false);
            }
            ReinstateOutcome::Unknown => return Ok(unknown(id)),
        }
        Ok(true)
    };
    Ok(if each(&wanted, reinstate).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Named {
    /// What was written for each.
    fn ids(&self) -> Result<Vec<String>> {
        let mut wanted = self.certificates.clone();
        if let Some(file) = &self.file {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            wanted.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        if wanted.is_empty() {
            bail!("no certificate is named");
        }
        Ok(wanted)
    }
}

fn unknown(id: &str) -> bool {
    eprintln!("bukti: there is no certificate {id}");
    false
}

/// Works on each certificate, also where one cannot be worked on; gives whether all were done.
async fn each(wanted: &[String], work: impl AsyncFn(&str) -> Result<bool>) -> Result<bool> {
    let work = async |written: &String| match parse_certificate_id(written) {
        Some(id) => work(&id).await,
        None => {
            eprintln!("bukti: {written} is neither a UVCI of this service nor a certificate id");
            Ok(false)
        }
    };
    let outcomes = stream::iter(wanted).map(work).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let mut all_done = true;
    for outcome in outcomes {
        all_done &= outcome.context("a certificate was left out: run this again")?;
    }
    Ok(all_done)
}

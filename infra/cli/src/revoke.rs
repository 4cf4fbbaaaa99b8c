//! `bukti revoke`: certificates that count no more.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_aws::{Certificates, Revocation, RevokeOutcome, parse_certificate_id};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::target::{Target, Where};
use crate::trust;

/// Certificates that are revoked at the same time.
const AT_ONCE: usize = 8;

#[derive(Args)]
pub(crate) struct Options {
    /// UVCIs, with or without check character, or certificate ids, with or without hyphens.
    #[arg(value_name = "UVCI|ID")]
    certificates: Vec<String>,
    /// A file of more of them, one a line.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
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
/// Where the Bukti does not answer. A certificate that is not there is a code, after all others were revoked.
pub(crate) async fn run(place: &Where, options: &Options) -> Result<ExitCode> {
    let mut wanted = options.certificates.clone();
    if let Some(file) = &options.file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        wanted.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if wanted.is_empty() {
        bail!("no certificate is named");
    }
    let target = Target::find(place).await?;
    if !options.no_publish {
        target.check_can_publish()?;
    }
    let certificates = Certificates::of_table(target.dynamodb.clone(), target.table());
    let outcomes = stream::iter(&wanted)
        .map(async |written| {
            let Some(id) = parse_certificate_id(written) else {
                eprintln!("bukti: {written} is neither a UVCI of this service nor a certificate id");
                return Ok(false);
            };
            let revocation = Revocation::Revoked(&options.reason);
            match certificates.revoke(&id, revocation, Timestamp::now()).await? {
                RevokeOutcome::Now => println!("{id} revoked"),
                RevokeOutcome::Before(record) => match &record.superseded_by {
                    Some(by) => println!("{id} was superseded by {by} before"),
                    None => println!("{id} was revoked before"),
                },
                RevokeOutcome::Unknown => {
                    eprintln!("bukti: there is no certificate {id}");
                    return Ok(false);
                }
                RevokeOutcome::CannotBeListed => {
                    eprintln!(
                        "bukti: {id} was issued by an earlier version, which kept nothing by which it could be listed"
                    );
                    return Ok(false);
                }
            }
            anyhow::Ok(true)
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut all_known = true;
    for outcome in outcomes {
        all_known &= outcome.context("a certificate was not revoked: run this again")?;
    }
    trust::publish_unless(options.no_publish, &target).await?;
    Ok(if all_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

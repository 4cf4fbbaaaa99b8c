//! `bukti trust`: manages the trust and revocation lists, and the issuers that verifiers accept.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_publish::Publish;
use bukti_store::{Imported, Issuers};
use bukti_trust::{ListedSigner, read_issuers};
use clap::{Subcommand, ValueHint};
use jiff::Timestamp;

use crate::output::{examples, print, to_day, to_seconds};
use crate::target::{Target, TargetOptions};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Publish the trust and revocation lists now instead of on schedule
    #[command(after_help = examples(&["bukti trust publish"]))]
    Publish,
    /// Import the signers of other issuers, whose certificates verifiers then accept
    #[command(after_help = examples(&["bukti trust import did.json --dry-run", "bukti trust import did.json"]))]
    Import {
        /// DID document of WHO's GDHCN, or a trust list as this service publishes it
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print what would be imported, and import nothing
        #[arg(long)]
        dry_run: bool,
        /// Leave publication to `bukti trust publish` or the schedule
        #[arg(long)]
        no_publish: bool,
    },
    /// List the signers of other issuers
    #[command(after_help = examples(&["bukti trust list"]))]
    List,
    /// Remove a signer of another issuer
    #[command(after_help = examples(&["bukti trust remove KID"]))]
    Remove {
        /// Key id in base64, as `bukti trust list` prints it
        kid: String,
        /// Leave publication to `bukti trust publish` or the schedule
        #[arg(long)]
        no_publish: bool,
    },
}

pub(crate) async fn run(target: &TargetOptions, command: Command) -> Result<ExitCode> {
    match command {
        Command::Publish => {
            let target = Target::connect(target).await?;
            publish_unless(false, &target).await?;
        }
        Command::Import { file, dry_run, no_publish } => {
            import(target, &file, dry_run, no_publish).await?;
        }
        Command::List => {
            let target = Target::connect(target).await?;
            let issuers = issuers(&target).all().await.context("cannot read the other issuers")?;
            if issuers.is_empty() {
                eprintln!("No other issuers. Import one with `bukti trust import`.");
            }
            for issuer in issuers {
                print(&format!("{}  {}\n", issuer.signer.kid, describe(&issuer.signer)));
            }
        }
        Command::Remove { kid, no_publish } => {
            let target = Target::connect(target).await?;
            match issuers(&target).remove(&kid).await? {
                0 => bail!("no other issuer has the key id {kid}: look it up with `bukti trust list`"),
                removed => print(&format!("{removed} removed\n")),
            }
            publish_unless(no_publish, &target).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Publishes the lists, or prints the command that publishes them later.
pub(crate) async fn publish_unless(no_publish: bool, target: &Target) -> Result<()> {
    if no_publish {
        eprintln!("Not published yet: run `bukti trust publish{}`.", target.endpoint_argument());
        return Ok(());
    }
    target.check_can_publish()?;
    let published = Publish::new(&target.aws().await?).publish().await.with_context(|| {
        format!(
            "the lists were not published: retry with `bukti trust publish{}`",
            target.endpoint_argument()
        )
    })?;
    print(&format!(
        "Published at {}: own signers {}, signers of other issuers {}, revoked certificates {}, files {}\n",
        to_seconds(published.issued_at),
        published.own_signers,
        published.other_signers,
        published.revoked,
        published.files
    ));
    Ok(())
}

fn issuers(target: &Target) -> Issuers {
    Issuers::of_table(target.dynamodb.clone(), target.table())
}

fn describe(signer: &ListedSigner) -> String {
    let trusted = signer.trusted();
    let name = trusted.as_ref().and_then(|trusted| trusted.name.clone());
    let ends = trusted.and_then(|trusted| trusted.not_after);
    let ends = ends.map(|ends| format!("ends {}", to_day(ends)));
    let parts = [signer.participant.clone(), name, ends];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn import(target: &TargetOptions, file: &Path, dry_run: bool, no_publish: bool) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let signers =
        read_issuers(&text).with_context(|| format!("nothing of {} was imported", file.display()))?;
    let now = Timestamp::now();
    let has_ended = |signer: &ListedSigner| {
        signer.trusted().and_then(|trusted| trusted.not_after).is_some_and(|ends| ends <= now)
    };
    let (ended, signers): (Vec<_>, Vec<_>) = signers.into_iter().partition(has_ended);
    for signer in &ended {
        eprintln!("rejected, because its certificate has ended: {}  {}", signer.kid, describe(signer));
    }
    let target = Target::connect(target).await?;
    if !dry_run && !no_publish {
        target.check_can_publish()?;
    }
    let results = issuers(&target).import(&signers, now, dry_run).await?;
    let count = |wanted| results.iter().filter(|result| **result == wanted).count();
    print(&format!(
        "{} new, {} changed, {} known, {} rejected{}\n",
        count(Imported::New),
        count(Imported::Changed),
        count(Imported::Known),
        ended.len(),
        if dry_run { "; nothing was imported" } else { "" }
    ));
    if dry_run {
        return Ok(());
    }
    publish_unless(no_publish, &target).await
}

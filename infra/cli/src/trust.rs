//! `bukti trust`: whom verifiers trust.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_publish::Publish;
use bukti_store::{Imported, Issuers};
use bukti_trust::{ListedSigner, read_issuers};
use clap::Subcommand;
use jiff::Timestamp;

use crate::target::{Target, Where};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Publishes trust and revocation lists now.
    Publish,
    /// Takes other issuers in, whose certificates verifiers then accept.
    Import {
        /// A DID document as WHO's GDHCN publishes them, or a list as this service publishes it.
        file: PathBuf,
        /// Only say what would be taken in.
        #[arg(long)]
        dry_run: bool,
        /// Leave the public lists as they are until they are published.
        #[arg(long)]
        no_publish: bool,
    },
    /// Lists the other issuers.
    List,
    /// Accepts another issuer no more.
    Remove {
        /// Its key id, base64, as it is listed.
        kid: String,
        /// Leave the public lists as they are until they are published.
        #[arg(long)]
        no_publish: bool,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where it cannot be done, in a sentence that says why.
pub(crate) async fn run(place: &Where, command: Command) -> Result<ExitCode> {
    match command {
        Command::Publish => {
            let target = Target::find(place).await?;
            publish_unless(false, &target).await?;
        }
        Command::Import { file, dry_run, no_publish } => {
            import(place, &file, dry_run, no_publish).await?;
        }
        Command::List => {
            let target = Target::find(place).await?;
            for issuer in issuers(&target).all().await.context("the issuers cannot be read")? {
                let signer = &issuer.signer;
                println!("{}  {}", signer.kid, describe(signer));
            }
        }
        Command::Remove { kid, no_publish } => {
            let target = Target::find(place).await?;
            match issuers(&target).remove(&kid).await? {
                0 => bail!("there is no other issuer with the key id {kid}: `bukti trust list` has them"),
                removed => println!("{removed} removed"),
            }
            publish_unless(no_publish, &target).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Publishes, or says that this is still to be done.
pub(crate) async fn publish_unless(not: bool, target: &Target) -> Result<()> {
    if not {
        eprintln!("Not published yet: `bukti trust publish{}` does that.", target.again());
        return Ok(());
    }
    target.check_can_publish()?;
    let published = Publish::new(&target.aws().await?).publish().await.with_context(|| {
        format!("the lists were not published: `bukti trust publish{}` tries again", target.again())
    })?;
    println!(
        "Published at {}: signers of our own {}, of others {}, revoked certificates {}, files {}",
        published.issued_at,
        published.own_signers,
        published.other_signers,
        published.revoked,
        published.files
    );
    Ok(())
}

fn issuers(target: &Target) -> Issuers {
    Issuers::of_table(target.dynamodb.clone(), target.table())
}

fn describe(signer: &ListedSigner) -> String {
    let trusted = signer.trusted();
    let name = trusted.as_ref().and_then(|trusted| trusted.name.clone());
    let ends = trusted.and_then(|trusted| trusted.not_after);
    let ends = ends.map(|ends| format!("ends {}", ends.to_string().chars().take(10).collect::<String>()));
    let parts = [signer.participant.clone(), name, ends];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn import(place: &Where, file: &Path, dry_run: bool, no_publish: bool) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let signers =
        read_issuers(&text).with_context(|| format!("nothing of {} was taken in", file.display()))?;
    let now = Timestamp::now();
    let ended = |signer: &ListedSigner| {
        signer.trusted().and_then(|trusted| trusted.not_after).is_some_and(|ends| ends <= now)
    };
    let (ended, signers): (Vec<_>, Vec<_>) = signers.into_iter().partition(ended);
    for signer in &ended {
        eprintln!("refused, its certificate has ended: {}  {}", signer.kid, describe(signer));
    }
    let target = Target::find(place).await?;
    if !dry_run && !no_publish {
        target.check_can_publish()?;
    }
    let outcomes = issuers(&target).import(&signers, now, dry_run).await?;
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    println!(
        "{} new, {} changed, {} known, {} refused{}",
        count(Imported::New),
        count(Imported::Changed),
        count(Imported::Known),
        ended.len(),
        if dry_run { "; nothing was taken in" } else { "" }
    );
    if dry_run {
        return Ok(());
    }
    publish_unless(no_publish, &target).await
}

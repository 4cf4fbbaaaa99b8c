//! `bukti protect`: no quick downloads for people whose data are publicly known.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::Identity;
use bukti_store::Downloads;
use clap::Args;
use jiff::Timestamp;

use crate::target::{Target, Where};

#[derive(Args)]
pub(crate) struct Options {
    /// A file with the people's NIKs or passport numbers, one a line; `-` is the standard input. They are no arguments, since
    /// those stay in the shell's history.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Allow it again.
    #[arg(long)]
    remove: bool,
}

/// Locks or unlocks quick download for these people. Nothing is done where a line is no number.
///
/// # Errors
///
/// Where a line cannot be read, and where the Bukti does not answer.
pub(crate) async fn run(place: &Where, options: &Options) -> Result<ExitCode> {
    let mut text = String::new();
    if options.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read the standard input")?;
    } else {
        text = std::fs::read_to_string(&options.file)
            .with_context(|| format!("cannot read {}", options.file.display()))?;
    }
    let mut people = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        // The line is not repeated: it is somebody's.
        let neither = || format!("line {} is neither a NIK nor a passport number", at + 1);
        people.push(Identity::parse(line).with_context(neither)?);
    }
    if people.is_empty() {
        bail!("nobody is named");
    }
    let aws = Target::find(place).await?.aws().await?;
    let downloads = Downloads::new(&aws);
    for identity in &people {
        let person = aws.keys.person(identity);
        if options.remove {
            downloads.unlock(&person).await?;
        } else {
            downloads.lock(&person, Timestamp::now()).await?;
        }
    }
    let what = if options.remove { "are allowed again" } else { "are locked" };
    println!("quick downloads {what} for {}", people.len());
    Ok(ExitCode::SUCCESS)
}

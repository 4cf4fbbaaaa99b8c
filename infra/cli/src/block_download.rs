//! `bukti block-download`: blocks quick download for people whose data are publicly known.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::Identity;
use bukti_store::Downloads;
use clap::{Args, ValueHint};
use jiff::Timestamp;

use crate::output::print;
use crate::target::{Target, TargetOptions};

#[derive(Args)]
pub(crate) struct BlockOptions {
    /// File with a NIK or passport number per line; `-` is the standard input
    ///
    /// The numbers are not arguments, because those stay in the history of the shell.
    #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Allow quick download again
    #[arg(long)]
    remove: bool,
}

/// Blocks or unblocks all people in the file. If any line is malformed, nothing is changed.
pub(crate) async fn run(target: &TargetOptions, options: &BlockOptions) -> Result<ExitCode> {
    let mut text = String::new();
    if options.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read the standard input")?;
    } else {
        text = std::fs::read_to_string(&options.file)
            .with_context(|| format!("cannot read {}", options.file.display()))?;
    }
    let mut people = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        // The message does not quote the line, because it is personal data.
        let malformed = || format!("line {} is neither a NIK nor a passport number: correct it", at + 1);
        people.push(Identity::parse(line).with_context(malformed)?);
    }
    if people.is_empty() {
        bail!("the file is empty: write a NIK or passport number per line");
    }
    let aws = Target::connect(target).await?.aws().await?;
    let downloads = Downloads::new(&aws);
    for identity in &people {
        let person = aws.keys.person(identity);
        if options.remove {
            downloads.unlock(&person).await?;
        } else {
            downloads.lock(&person, Timestamp::now()).await?;
        }
    }
    let state = if options.remove { "allowed again" } else { "blocked" };
    let noun = if people.len() == 1 { "person" } else { "people" };
    print(&format!("quick download is {state} for {} {noun}\n", people.len()));
    Ok(ExitCode::SUCCESS)
}

//! `bukti deadletters`: what a function could not work off, however often it was tried.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde::Deserialize;

use crate::say;
use crate::target::{Target, Where};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists them: when, of which function, why, and the key of what it is about. Nothing personal is in it.
    List,
    /// Has each of them tried again, once what hindered it is mended. What works is gone, what fails again stays.
    Redrive,
}

#[derive(Deserialize)]
struct DeadLetter {
    at: String,
    consumer: String,
    code: String,
    about: String,
}

#[derive(Deserialize)]
struct Redriven {
    done: u64,
    left: u64,
}

/// Does what is asked. The exit code is 1 where dead letters are left after they were tried again.
///
/// # Errors
///
/// Where no embedded stack answers.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let Some(target) = Target::find_embedded(place).await? else {
        bail!(
            "on AWS, dead letters lie in the stack's queue: the runbook in infra/README.md says how they are looked at and \
             tried again"
        )
    };
    eprintln!("With {}.", target.name);
    match command {
        Command::List => {
            let letters = target.ask_stack("/_dead_letters.json").await?;
            let letters: Vec<DeadLetter> = serde_json::from_slice(&letters).context("that is no list")?;
            for DeadLetter { at, consumer, code, about } in &letters {
                say(&format!("{at}  {consumer:<7} {code:<12} {about}\n"));
            }
            eprintln!("{} dead letters", letters.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive => {
            let redriven = target.tell_stack("/_dead_letters/redrive").await?;
            let redriven: Redriven = serde_json::from_slice(&redriven).context("that is no answer")?;
            say(&format!("{} worked off, {} left\n", redriven.done, redriven.left));
            Ok(if redriven.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

//! `bukti`: the admin's command line.

mod import;
mod secrets;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::import::ReportTo;
use crate::target::{Target, Where};

/// Works with a Bukti: the one on this machine, or one on AWS.
#[derive(Parser)]
#[command(name = "bukti", version)]
struct Arguments {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes a file of doses in and says what became of its rows.
    Import {
        /// The doses, as CSV with a header.
        file: PathBuf,
        /// Where the report of each row is written; `-` is the standard output.
        #[arg(long, value_name = "OUT.csv")]
        report: Option<ReportTo>,
    },
    /// Fetches the report of an import, after waiting for its end.
    Report {
        /// The job, as `bukti import` named it.
        job: String,
        /// Where the report is written; `-` is the standard output.
        #[arg(long, value_name = "OUT.csv", default_value = "-")]
        report: ReportTo,
    },
    /// The keys of a deployment on AWS.
    #[command(subcommand)]
    Secrets(SecretsCommand),
}

#[derive(Subcommand)]
enum SecretsCommand {
    /// Makes the keys of a new deployment and puts them into AWS Secrets Manager.
    Init {
        /// The secret's name: the template's parameter `Secrets`.
        #[arg(long, default_value = "bukti")]
        name: String,
        /// Who the signer's certificate is issued to.
        #[arg(long, default_value = "Bukti")]
        organisation: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // Wrong usage ends here, with 2.
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bukti: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Import { file, report } => {
            // Before anything is asked of anybody.
            import::check(&file, report.as_ref())?;
            let mut target = Target::find(&arguments.place).await?;
            import::import(&mut target, &file, report.as_ref()).await
        }
        Command::Report { job, report } => {
            let mut target = Target::find(&arguments.place).await?;
            import::report(&mut target, &job, &report).await
        }
        Command::Secrets(SecretsCommand::Init { name, organisation }) => {
            secrets::init(&name, &organisation).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

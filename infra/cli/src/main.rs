//! `bukti`: the admin's command line.

mod audit;
mod backup;
mod dead_letters;
mod facility;
mod fetch;
mod import;
mod keys;
mod officers;
mod progress;
mod protect;
mod revoke;
mod sample;
mod senders;
mod target;
mod trust;
mod verify;
mod workbook;

use std::io::Write;
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
    /// Who looked at whose record or changed it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Keeps all records and documents in a folder, sealed as they are.
    Backup(backup::BackupOptions),
    /// Brings the records and documents of a backup back.
    Restore(backup::RestoreOptions),
    /// What a function could not work off, however often it was tried.
    #[command(subcommand, name = "deadletters")]
    DeadLetters(dead_letters::Command),
    /// What facilities must complete or correct.
    #[command(subcommand)]
    Facility(facility::Command),
    /// Takes a file of doses in and says what became of its rows.
    Import {
        /// The doses: CSV with a header, NDJSON, or a FHIR R4 Bundle; plain, or packed by gzip or zstd.
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
    /// API keys of facilities and hubs that send doses over HTTP.
    #[command(subcommand)]
    Key(senders::Command),
    /// Secrets, root and document signers.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Officers of the helpdesk.
    #[command(subcommand)]
    Officer(officers::Command),
    /// No quick downloads for people whose data are publicly known.
    Protect(protect::Options),
    /// Lets doses whose certificates were revoked have new ones.
    Reinstate(revoke::Named),
    /// Revokes certificates: verifiers say so once it is published. Their doses get no other until
    /// they are reinstated.
    Revoke(revoke::Options),
    /// Makes a dose feed of people who do not exist, to try things on.
    Sample(sample::SampleOptions),
    /// Trust and revocation lists.
    #[command(subcommand)]
    Trust(trust::Command),
    /// Says whether a certificate is good: exit code 0 where it is, 1 where it is not, 3 where only revocation is unknown.
    Verify(verify::Options),
    /// Writes the first sheet of a workbook as CSV to the standard output, for `import`.
    #[command(hide = true)]
    Workbook { file: PathBuf },
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

/// Writes to the standard output. Whoever reads it may have closed it, which is no fault.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let place = &arguments.place;
    match arguments.command {
        Command::Audit(command) => audit::run(place, &command).await,
        Command::Backup(options) => backup::backup(place, &options).await,
        Command::Restore(options) => backup::restore(place, &options).await,
        Command::DeadLetters(command) => dead_letters::run(place, &command).await,
        Command::Facility(command) => facility::run(place, &command).await,
        Command::Import { file, report } => {
            // Before anything is asked of anybody.
            let feed = import::check(&file, report.as_ref())?;
            let mut target = Target::find(place).await?;
            import::import(&mut target, &file, &feed, report.as_ref()).await
        }
        Command::Report { job, report } => {
            let mut target = Target::find(place).await?;
            import::report(&mut target, &job, &report).await
        }
        Command::Key(command) => senders::run(place, &command).await,
        Command::Keys(command) => keys::run(place, command).await,
        Command::Officer(command) => officers::run(place, &command).await,
        Command::Protect(options) => protect::run(place, &options).await,
        Command::Reinstate(certificates) => revoke::reinstate(place, &certificates).await,
        Command::Revoke(options) => revoke::run(place, &options).await,
        Command::Sample(options) => sample::run(&options),
        Command::Trust(command) => trust::run(place, command).await,
        Command::Verify(options) => verify::run(place, &options).await,
        Command::Workbook { file } => {
            workbook::write_csv(&file, std::io::stdout().lock()).map(|()| ExitCode::SUCCESS)
        }
    }
}

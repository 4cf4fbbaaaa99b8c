//! `bukti`: the command line for the admins of a deployment.

mod api_keys;
mod audit;
mod backup;
mod block_download;
mod dead_letters;
mod facility;
mod fetch;
mod import;
mod officers;
mod output;
mod progress;
mod revoke;
mod sample;
mod shell;
mod signing_keys;
mod target;
mod trust;
mod verify;
mod workbook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::examples;
use crate::target::TargetOptions;

/// Administer a Bukti deployment: an embedded stack on this machine, or one on AWS
#[derive(Parser)]
#[command(
    name = "bukti",
    version,
    after_help = examples(&[
        "bukti import doses.csv --report report.csv",
        "bukti verify certificate.txt",
        "bukti api-key list --endpoint http://127.0.0.1:8080",
        "bukti signing-key list --aws --table bukti",
    ])
)]
struct Arguments {
    #[command(flatten)]
    target: TargetOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Manage the API keys of facilities and data hubs
    #[command(
        subcommand,
        alias = "key",
        after_help = examples(&["bukti api-key create --facility 3171010", "bukti api-key list"])
    )]
    ApiKey(api_keys::Command),
    /// Export the audit log
    #[command(subcommand, after_help = examples(&["bukti audit export --from 2026-11-01 > audit.csv"]))]
    Audit(audit::Command),
    /// Back up all records and documents, sealed, to a folder
    ///
    /// The backup is useless without the secrets of the deployment, which it does not contain.
    #[command(after_help = examples(&["bukti backup /backups/2026-11-24"]))]
    Backup(backup::BackupOptions),
    /// Block quick download for people whose data are publicly known
    #[command(
        alias = "protect",
        after_help = examples(&["bukti block-download niks.txt", "bukti block-download --remove niks.txt"])
    )]
    BlockDownload(block_download::BlockOptions),
    /// Print the completion script of a shell
    #[command(after_help = examples(&[
        "bukti completions bash > ~/.local/share/bash-completion/completions/bukti",
        "bukti completions zsh > ~/.zfunc/_bukti",
        "bukti completions fish > ~/.config/fish/completions/bukti.fish",
    ]))]
    Completions(shell::CompletionOptions),
    /// List events that failed after all retries, or process them again
    #[command(
        subcommand,
        name = "deadletters",
        after_help = examples(&["bukti deadletters list", "bukti deadletters redrive"])
    )]
    DeadLetters(dead_letters::Command),
    /// Report the rows that facilities have to complete or correct
    #[command(subcommand, after_help = examples(&["bukti facility report > report.csv"]))]
    Facility(facility::Command),
    /// Import a file of doses, and print a summary
    #[command(after_help = examples(&[
        "bukti import doses.csv",
        "bukti import doses.xlsx --report report.csv",
    ]))]
    Import(import::ImportOptions),
    /// Print the manual page, or write the pages of all commands to a folder
    #[command(after_help = examples(&[
        "bukti man | man -l -",
        "bukti man --output ~/.local/share/man/man1",
    ]))]
    Man(shell::ManOptions),
    /// Manage the officers of the helpdesk
    #[command(
        subcommand,
        after_help = examples(&["bukti officer add 08110000001 --name \"Rina\"", "bukti officer list"])
    )]
    Officer(officers::Command),
    /// Let the doses of revoked certificates have new ones
    ///
    /// The revoked certificates stay revoked.
    #[command(after_help = examples(&["bukti reinstate ID", "bukti reinstate --file ids.txt"]))]
    Reinstate(revoke::CertificateIds),
    /// Wait for an import, and fetch the report of its rows
    #[command(after_help = examples(&["bukti report JOB --report report.csv"]))]
    Report(import::ReportOptions),
    /// Restore the records and documents of a backup
    #[command(after_help = examples(&[
        "bukti restore /backups/2026-11-24",
        "bukti restore /backups/2026-11-24 --reinstate --without ID",
    ]))]
    Restore(backup::RestoreOptions),
    /// Revoke certificates
    ///
    /// Their doses are withdrawn: they get no other certificate until `bukti reinstate`.
    #[command(after_help = examples(&[
        "bukti revoke ID --reason \"data of another person\"",
        "bukti revoke --file ids.txt --reason \"stolen forms\"",
    ]))]
    Revoke(revoke::RevokeOptions),
    /// Generate a feed of made-up people
    #[command(after_help = examples(&[
        "bukti sample --people 100 --feed feed.csv",
        "bukti sample --people 100 --seed 2 --feed feed.csv --expected expected.csv",
    ]))]
    Sample(sample::SampleOptions),
    /// Manage secrets, root and document signers
    #[command(
        subcommand,
        alias = "keys",
        after_help = examples(&["bukti signing-key list", "bukti signing-key rotate"])
    )]
    SigningKey(signing_keys::Command),
    /// Publish trust and revocation lists, and manage other issuers
    #[command(
        subcommand,
        after_help = examples(&["bukti trust publish", "bukti trust import did.json --dry-run"])
    )]
    Trust(trust::Command),
    /// Verify a certificate
    ///
    /// The exit code is 0 for valid, 1 for not valid, and 3 for a genuine certificate whose
    /// revocation is unknown.
    #[command(after_help = examples(&[
        "bukti verify certificate.txt",
        "bukti verify --json --signer signer.pem - < certificate.txt",
    ]))]
    Verify(verify::VerifyOptions),
    /// Write the first sheet of a workbook as CSV to the standard output, for `import`
    #[command(hide = true)]
    Workbook { file: PathBuf },
}

/// The renamed commands: old name and new name. Old names keep working for one release.
const RENAMED: [(&str, &str); 3] =
    [("key", "api-key"), ("keys", "signing-key"), ("protect", "block-download")];

#[tokio::main]
async fn main() -> ExitCode {
    // This exits with code 2 if the arguments are invalid.
    let arguments = Arguments::parse();
    warn_of_old_name(&arguments.command, std::env::args_os());
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bukti: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a warning if the command was called by its old name.
fn warn_of_old_name(command: &Command, mut arguments: impl Iterator<Item = OsString>) {
    let name = match command {
        Command::ApiKey(_) => "api-key",
        Command::SigningKey(_) => "signing-key",
        Command::BlockDownload(_) => "block-download",
        _ => return,
    };
    if arguments.any(|argument| argument == name) {
        return;
    }
    if let Some((old, new)) = RENAMED.iter().find(|(_, new)| *new == name) {
        eprintln!("bukti: `bukti {old}` is now `bukti {new}`; the next release removes the old name");
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let target = &arguments.target;
    match arguments.command {
        Command::ApiKey(command) => api_keys::run(target, &command).await,
        Command::Audit(command) => audit::run(target, &command).await,
        Command::Backup(options) => backup::backup(target, &options).await,
        Command::BlockDownload(options) => block_download::run(target, &options).await,
        Command::Completions(options) => shell::print_completions(&options),
        Command::DeadLetters(command) => dead_letters::run(target, &command).await,
        Command::Facility(command) => facility::run(target, &command).await,
        Command::Import(options) => import::import(target, &options).await,
        Command::Man(options) => shell::write_manual(&options),
        Command::Officer(command) => officers::run(target, &command).await,
        Command::Reinstate(certificates) => revoke::reinstate(target, &certificates).await,
        Command::Report(options) => import::report(target, &options).await,
        Command::Restore(options) => backup::restore(target, &options).await,
        Command::Revoke(options) => revoke::revoke(target, &options).await,
        Command::Sample(options) => sample::run(&options),
        Command::SigningKey(command) => signing_keys::run(target, command).await,
        Command::Trust(command) => trust::run(target, command).await,
        Command::Verify(options) => verify::run(target, &options).await,
        Command::Workbook { file } => {
            workbook::write_csv(&file, std::io::stdout().lock()).map(|()| ExitCode::SUCCESS)
        }
    }
}

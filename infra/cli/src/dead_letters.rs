//! `bukti deadletters`: lists and redrives events that failed after all retries.
//!
//! The embedded stack stores the failed events. On AWS the dead-letter queue holds only positions
//! in the table's stream, which expire after a day, and sending a dose again does not change the
//! table. On AWS the command therefore searches the table for doses that lack a certificate, a
//! revocation or an SMS.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::Verdict;
use bukti_records::{DoseRecord, ItemKey, Keys, Occasion};
use bukti_store::{Certificates, Doses, Notifications};
use clap::{Args, Subcommand};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::api_keys::parse_duration;
use crate::output::{examples, print, to_seconds};
use crate::progress::{Count, Progress, Reading};
use crate::target::{Target, TargetOptions};

/// The number of doses that are examined concurrently.
const CONCURRENCY: usize = 32;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the failed events, without personal data
    ///
    /// A line has the time, the function, the error, and the key of the item or feed.
    #[command(after_help = examples(&[
        "bukti deadletters list",
        "bukti deadletters list --by-table --older-than 12h",
    ]))]
    List(DeadLetterOptions),
    /// Process the failed events again, once their cause is fixed
    ///
    /// Events that succeed are removed. The exit code is 1 if some fail again.
    #[command(after_help = examples(&["bukti deadletters redrive"]))]
    Redrive(DeadLetterOptions),
}

#[derive(Args)]
pub(crate) struct DeadLetterOptions {
    /// Search the table for doses that lack a certificate, a revocation or an SMS, as always on AWS
    #[arg(long)]
    by_table: bool,
    /// Skip doses of the table that are younger than this, such as 90m, 12h or 7d
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_duration)]
    older_than: SignedDuration,
}

/// A dead letter, as the embedded stack lists it.
#[derive(Deserialize)]
struct DeadLetter {
    at: Timestamp,
    consumer: String,
    code: String,
    about: String,
}

/// The embedded stack's response to a redrive: how many events succeeded, and how many remain.
#[derive(Deserialize)]
struct Redriven {
    done: u64,
    left: u64,
}

pub(crate) async fn run(target: &TargetOptions, command: &Command) -> Result<ExitCode> {
    let target = Target::connect(target).await?;
    let (Command::List(options) | Command::Redrive(options)) = command;
    if options.by_table || target.site().is_none() {
        return search_table(&target, command, options.older_than).await;
    }
    let unreadable = "cannot read the response of the stack: is it of the version of this command?";
    match command {
        Command::List(_) => {
            let letters = target.get_from_stack("/_dead_letters.json").await?;
            let letters: Vec<DeadLetter> = serde_json::from_slice(&letters).context(unreadable)?;
            for DeadLetter { at, consumer, code, about } in &letters {
                print(&format!("{}  {consumer:<7} {code:<12} {about}\n", to_seconds(*at)));
            }
            match letters.len() {
                0 => eprintln!("No dead letters."),
                count => {
                    eprintln!("{count} dead letters. Process them again with `bukti deadletters redrive`.")
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive(_) => {
            let redriven = target.post_to_stack("/_dead_letters/redrive").await?;
            let redriven: Redriven = serde_json::from_slice(&redriven).context(unreadable)?;
            print(&format!("{} processed, {} left\n", redriven.done, redriven.left));
            Ok(if redriven.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// A result that a dose should have but lacks, which means that a function failed.
#[derive(Clone, Copy)]
enum Missing {
    Certificate,
    Revocation,
    Sms,
}

/// Looks up what a dose should have: its certificate, revocations and SMS.
struct DoseExaminer {
    doses: Doses,
    certificates: Certificates,
    notifications: Notifications,
    keys: Keys,
}

impl DoseExaminer {
    /// Returns what the dose lacks; `None` if nothing is missing.
    async fn missing(&self, dose: &DoseRecord) -> Result<Option<Missing>> {
        let Some(id) = &dose.certificate_id else { return self.missing_after_end(dose).await };
        let Some(certificate) = self.certificates.of_id(id).await? else {
            return Ok(Some(Missing::Certificate));
        };
        let needs_sms =
            certificate.revoked_at.is_none() && certificate.sms_request.is_some() && dose.phone.is_some();
        let is_sent = !needs_sms || self.notifications.is_sent(&Occasion::dose(dose)).await?;
        Ok((!is_sent).then_some(Missing::Sms))
    }

    /// Returns what is missing for a dose that no longer has a certificate: the revocation of an
    /// earlier certificate, or the SMS about the retraction.
    async fn missing_after_end(&self, dose: &DoseRecord) -> Result<Option<Missing>> {
        let mut was_issued = false;
        for id in dose.void_certificates(&self.keys) {
            let Some(certificate) = self.certificates.of_id(&id).await? else { continue };
            if certificate.revoked_at.is_none() {
                return Ok(Some(Missing::Revocation));
            }
            was_issued = true;
        }
        let needs_sms = was_issued && dose.verdict == Verdict::Retracted && dose.phone.is_some();
        let is_sent = !needs_sms || self.notifications.is_sent(&Occasion::retracted(dose)).await?;
        Ok((!is_sent).then_some(Missing::Sms))
    }

    /// Returns a line of output if the dose lacks something, and redrives the dose if requested.
    /// Skips doses received at or after `before`, because they may still be in progress.
    async fn examine(&self, dose: DoseRecord, before: Timestamp, redrive: bool) -> Result<Option<String>> {
        if dose.received_at >= before {
            return Ok(None);
        }
        let Some(missing) = self.missing(&dose).await? else { return Ok(None) };
        if redrive {
            self.doses.redrive(&dose, Timestamp::now()).await?;
        }
        let (function, missing) = match missing {
            Missing::Certificate => ("issue", "certificate"),
            Missing::Revocation => ("issue", "revocation"),
            Missing::Sms => ("notify", "sms"),
        };
        let (received, key) = (to_seconds(dose.received_at), ItemKey::dose(&dose.pk));
        Ok(Some(format!("{received}  {function:<7} {missing:<12} {key}\n")))
    }
}

async fn search_table(target: &Target, command: &Command, older_than: SignedDuration) -> Result<ExitCode> {
    let redrive = matches!(command, Command::Redrive(_));
    let before = Timestamp::now() - older_than;
    let aws = target.aws().await?;
    let examiner = DoseExaminer {
        doses: Doses::new(&aws),
        certificates: Certificates::new(&aws),
        notifications: Notifications::new(&aws),
        keys: aws.keys.clone(),
    };
    let examined = target.doses().map_ok(|dose| examiner.examine(dose, before, redrive));
    let mut examined = std::pin::pin!(examined.try_buffer_unordered(CONCURRENCY));
    let progress = Progress::new();
    let (mut read, mut found) = (0u64, 0u64);
    while let Some(line) = examined.try_next().await? {
        read += 1;
        if let Some(line) = line {
            found += 1;
            print(&line);
        }
        progress.show(Reading::new("Examining doses", "doses", Count::Done(read)));
    }
    progress.finish();
    let result = if redrive { "are processed again" } else { "lack a certificate, a revocation or an SMS" };
    eprintln!("{found} of {read} doses {result}");
    Ok(ExitCode::SUCCESS)
}

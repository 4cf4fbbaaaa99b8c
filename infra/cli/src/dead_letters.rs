//! `bukti deadletters`: what a function could not work off, however often it was tried.
//!
//! The embedded stack keeps each event. The queue on AWS names places in the stream, which forgets them after a day, and a dose that
//! is sent again changes nothing. So there the table is asked: which doses should have a certificate or an SMS and have none?

use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::Verdict;
use bukti_records::{DoseRecord, ItemKey, Keys, Occasion};
use bukti_store::{Certificates, Doses, Notifications};
use clap::{Args, Subcommand};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::progress::Progress;
use crate::say;
use crate::senders::read_while;
use crate::target::{Target, Where};

/// Doses that are looked after at the same time.
const AT_ONCE: usize = 32;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists them: of which function, why, and the key of what it is about. Nothing personal is in it.
    List(Options),
    /// Has each of them tried again, once what hindered it is mended. What works is gone, what fails again stays.
    Redrive(Options),
}

#[derive(Args)]
pub(crate) struct Options {
    /// Looks in the table for doses that lack their certificate or SMS, and not in the dead letters. On AWS it always does.
    #[arg(long)]
    by_table: bool,
    /// In the table, doses that came less long ago than this are taken to be under way: 90m, 12h, 7d.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = read_while)]
    older_than: SignedDuration,
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
/// Where the Bukti does not answer.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let target = Target::find(place).await?;
    let (Command::List(options) | Command::Redrive(options)) = command;
    if options.by_table || target.site().is_none() {
        return by_table(&target, command, options.older_than).await;
    }
    match command {
        Command::List(_) => {
            let letters = target.ask_stack("/_dead_letters.json").await?;
            let letters: Vec<DeadLetter> = serde_json::from_slice(&letters).context("that is no list")?;
            for DeadLetter { at, consumer, code, about } in &letters {
                say(&format!("{at}  {consumer:<7} {code:<12} {about}\n"));
            }
            eprintln!("{} dead letters", letters.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive(_) => {
            let redriven = target.tell_stack("/_dead_letters/redrive").await?;
            let redriven: Redriven = serde_json::from_slice(&redriven).context("that is no answer")?;
            say(&format!("{} worked off, {} left\n", redriven.done, redriven.left));
            Ok(if redriven.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// What a dose lacks.
#[derive(Clone, Copy)]
enum Lacks {
    Certificate,
    Revocation,
    Sms,
}

/// What looks after doses.
struct Looker {
    doses: Doses,
    certificates: Certificates,
    notifications: Notifications,
    keys: Keys,
}

impl Looker {
    /// What a dose lacks that it should have.
    async fn lacks(&self, dose: &DoseRecord) -> Result<Option<Lacks>> {
        let Some(id) = &dose.certificate_id else { return self.lacks_after_its_end(dose).await };
        let Some(certificate) = self.certificates.of_id(id).await? else {
            return Ok(Some(Lacks::Certificate));
        };
        let told =
            certificate.revoked_at.is_none() && certificate.sms_request.is_some() && dose.phone.is_some();
        let sent = !told || self.notifications.is_sent(&Occasion::dose(dose)).await?;
        Ok((!sent).then_some(Lacks::Sms))
    }

    /// What a dose lacks whose certificates are void.
    async fn lacks_after_its_end(&self, dose: &DoseRecord) -> Result<Option<Lacks>> {
        let mut was_issued = false;
        for id in dose.void_certificates(&self.keys) {
            let Some(certificate) = self.certificates.of_id(&id).await? else { continue };
            if certificate.revoked_at.is_none() {
                return Ok(Some(Lacks::Revocation));
            }
            was_issued = true;
        }
        let told = was_issued && dose.verdict == Verdict::Retracted && dose.phone.is_some();
        let sent = !told || self.notifications.is_sent(&Occasion::retracted(dose)).await?;
        Ok((!sent).then_some(Lacks::Sms))
    }

    async fn look(&self, dose: DoseRecord, before: Timestamp, again: bool) -> Result<Option<String>> {
        if dose.received_at >= before {
            return Ok(None);
        }
        let Some(lacks) = self.lacks(&dose).await? else { return Ok(None) };
        if again {
            match lacks {
                Lacks::Certificate | Lacks::Revocation => self.doses.redrive(&dose, Timestamp::now()).await?,
                Lacks::Sms => self.doses.request_sms_again(&dose).await?,
            };
        }
        let (function, lacks) = match lacks {
            Lacks::Certificate => ("issue", "certificate"),
            Lacks::Revocation => ("issue", "revocation"),
            Lacks::Sms => ("notify", "sms"),
        };
        Ok(Some(format!("{}  {function:<7} {lacks:<12} {}\n", dose.received_at, ItemKey::dose(&dose.pk))))
    }
}

async fn by_table(target: &Target, command: &Command, older_than: SignedDuration) -> Result<ExitCode> {
    let again = matches!(command, Command::Redrive(_));
    let before = Timestamp::now() - older_than;
    let aws = target.aws().await?;
    let looker = Looker {
        doses: Doses::new(&aws),
        certificates: Certificates::new(&aws),
        notifications: Notifications::new(&aws),
        keys: aws.keys.clone(),
    };
    let looked = target.doses().map_ok(|dose| looker.look(dose, before, again));
    let mut looked = std::pin::pin!(looked.try_buffer_unordered(AT_ONCE));
    let progress = Progress::new();
    let (mut seen, mut found) = (0u64, 0u64);
    while let Some(line) = looked.try_next().await? {
        seen += 1;
        if let Some(line) = line {
            found += 1;
            say(&line);
        }
        progress.show(0, 0, &format!("{found} of {seen} doses"));
    }
    progress.end();
    let what = if again {
        "are brought again to the function that they lack it of"
    } else {
        "lack certificate or SMS"
    };
    eprintln!("{found} of {seen} doses {what}");
    Ok(ExitCode::SUCCESS)
}

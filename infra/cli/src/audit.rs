//! `bukti audit`: exports the audit log.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::escape_formula;
use bukti_records::{CaseKey, PersonKey};
use bukti_store::Audit;
use clap::Subcommand;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::output::examples;
use crate::target::{Target, TargetOptions};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the entries of some days as CSV
    ///
    /// An entry has the time, the officer, the action, the person and the case (by their keys), and
    /// the reason.
    #[command(after_help = examples(&["bukti audit export --from 2026-11-01 > audit.csv"]))]
    Export {
        /// First day, in UTC
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Date,
        /// Last day, in UTC [default: today]
        #[arg(long, value_name = "YYYY-MM-DD")]
        to: Option<Date>,
    },
}

pub(crate) async fn run(target: &TargetOptions, command: &Command) -> Result<ExitCode> {
    let Command::Export { from, to } = command;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let to = to.unwrap_or(today);
    if to < *from {
        bail!("the last day is before the first: exchange --from and --to");
    }
    let aws = Target::connect(target).await?.aws().await?;
    let audit = Audit::new(&aws);
    let mut csv = csv::Writer::from_writer(std::io::stdout().lock());
    csv.write_record(["at", "officer", "officer_key", "action", "person", "case", "why"])?;
    let mut day = *from;
    while day <= to {
        for entry in audit.of_day(day).await.with_context(|| format!("cannot read the audit log of {day}"))? {
            csv.write_record([
                &*entry.at.to_string(),
                &*escape_formula(&entry.officer_name),
                entry.officer.as_str(),
                entry.action.code(),
                entry.person.as_ref().map_or("", PersonKey::as_str),
                entry.case.as_ref().map_or("", CaseKey::as_str),
                &*escape_formula(&entry.why),
            ])?;
        }
        day = day.checked_add(1.day())?;
    }
    csv.flush()?;
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

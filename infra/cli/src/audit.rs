//! `bukti audit`: who looked at whose record or changed it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::no_formula;
use bukti_records::{CaseKey, PersonKey};
use bukti_store::Audit;
use clap::Subcommand;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::target::{Target, Where};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes the entries of some days as CSV: when, who, what, whose record and which case (by their keys), why.
    Export {
        /// The first day (UTC).
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Date,
        /// The last day (UTC), today where none is named.
        #[arg(long, value_name = "YYYY-MM-DD")]
        to: Option<Date>,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where the Bukti does not answer.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let Command::Export { from, to } = command;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let to = to.unwrap_or(today);
    if to < *from {
        bail!("the last day lies before the first");
    }
    let aws = Target::find(place).await?.aws().await?;
    let audit = Audit::new(&aws);
    let mut csv = csv::Writer::from_writer(std::io::stdout().lock());
    csv.write_record(["at", "officer", "officer_key", "action", "person", "case", "why"])?;
    let mut day = *from;
    while day <= to {
        for entry in audit.of_day(day).await.with_context(|| format!("the audit of {day} cannot be read"))? {
            let at = entry.at.to_string();
            csv.write_record([
                &*at,
                &*no_formula(&entry.officer_name),
                entry.officer.as_str(),
                entry.action.code(),
                entry.person.as_ref().map_or("", PersonKey::as_str),
                entry.case.as_ref().map_or("", CaseKey::as_str),
                &*no_formula(&entry.why),
            ])?;
        }
        day = day.checked_add(1.day())?;
    }
    csv.flush()?;
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

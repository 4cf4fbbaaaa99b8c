//! `bukti facility report`: what facilities must complete or correct.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::{Reason, Verdict, no_formula};
use clap::Subcommand;
use futures::TryStreamExt;

use crate::progress::Progress;
use crate::target::{Target, Where};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes the rows that facilities must complete or correct as CSV, nothing personal in it: facilities find them by the
    /// event's id.
    Report {
        /// Of this facility only, by its code.
        #[arg(long, value_name = "CODE")]
        facility: Option<String>,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where the Bukti does not answer.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let Command::Report { facility } = command;
    let target = Target::find(place).await?;
    let aws = target.aws().await?;
    let mut csv = csv::Writer::from_writer(std::io::stdout().lock());
    csv.write_record([
        "facility_code",
        "facility",
        "event_id",
        "sent_at",
        "dose_number",
        "vaccination_date",
        "outcome",
        "reasons",
    ])?;
    let progress = Progress::new();
    let mut doses = std::pin::pin!(target.doses());
    let (mut seen, mut told) = (0u64, 0u64);
    while let Some(dose) = doses.try_next().await? {
        seen += 1;
        if dose.duplicate || !is_for_the_facility(dose.verdict, &dose.reasons) {
            continue;
        }
        let row = dose.open(&aws.keys).context("a dose does not open with this Bukti's secrets")?;
        if facility.as_deref().is_some_and(|code| code != row.kode_faskes.trim()) {
            continue;
        }
        // A date that is no day of a vaccination may be somebody's birth date.
        let is_a_day =
            row.dose().vaccination_date.is_some() && !dose.reasons.contains(&Reason::VaccinationBeforeBirth);
        let vaccination_date = if is_a_day { &*row.tanggal_vaksinasi } else { "" };
        let reasons: Vec<&str> = dose.reasons.iter().map(|reason| reason.code()).collect();
        let fields = [
            &*row.kode_faskes,
            &row.nama_faskes,
            &row.event_id,
            &row.sent_at,
            &row.dosis_ke,
            vaccination_date,
            dose.verdict.outcome().code(),
            &reasons.join(";"),
        ];
        csv.write_record(fields.map(|field| no_formula(field).into_owned()))?;
        told += 1;
        progress.show(0, 0, &format!("{told} of {seen} doses"));
    }
    progress.end();
    csv.flush()?;
    std::io::stdout().flush()?;
    eprintln!("{told} of {seen} doses are for their facilities to complete or correct");
    Ok(ExitCode::SUCCESS)
}

/// What only the facility can bring: what is missing or wrong in the row, also a phone that no SMS reaches.
fn is_for_the_facility(verdict: Verdict, reasons: &[Reason]) -> bool {
    match verdict {
        Verdict::Incomplete | Verdict::Held => true,
        // The facility said so itself.
        Verdict::Retracted => false,
        // Nobody can do anything about it: the booklet stays valid.
        Verdict::Rejected => reasons != [Reason::VaccinationBeforeIcvp],
        Verdict::Complete => {
            reasons.iter().any(|reason| matches!(reason, Reason::PhoneMissing | Reason::PhoneInvalid))
        }
    }
}

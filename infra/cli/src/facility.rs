//! `bukti facility report`: reports the rows that facilities have to complete or correct.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::{Reason, Verdict, escape_formula};
use clap::Subcommand;
use futures::TryStreamExt;

use crate::output::examples;
use crate::progress::{Count, Progress, Reading};
use crate::target::{Target, TargetOptions};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the rows that facilities have to complete or correct, as CSV
    ///
    /// The report contains no personal data: facilities find a row by its event id.
    #[command(after_help = examples(&[
        "bukti facility report > report.csv",
        "bukti facility report --facility 3171010 > report.csv",
    ]))]
    Report {
        /// Write the rows of this facility only
        #[arg(long, value_name = "CODE")]
        facility: Option<String>,
    },
}

pub(crate) async fn run(target: &TargetOptions, command: &Command) -> Result<ExitCode> {
    let Command::Report { facility } = command;
    let target = Target::connect(target).await?;
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
    let (mut read, mut reported) = (0u64, 0u64);
    while let Some(dose) = doses.try_next().await? {
        read += 1;
        progress.show(Reading::new("Reading doses", "doses", Count::Done(read)));
        if dose.duplicate || !is_for_facility(dose.verdict, &dose.reasons) {
            continue;
        }
        let row = dose
            .open(&aws.keys)
            .context("a dose does not open with the secrets of this deployment: restore its secrets")?;
        if facility.as_deref().is_some_and(|code| code != row.kode_faskes.trim()) {
            continue;
        }
        // An impossible vaccination date may be the person's birth date, which is personal data.
        let is_possible =
            row.dose().vaccination_date.is_some() && !dose.reasons.contains(&Reason::VaccinationBeforeBirth);
        let vaccination_date = if is_possible { &*row.tanggal_vaksinasi } else { "" };
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
        csv.write_record(fields.map(|field| escape_formula(field).into_owned()))?;
        reported += 1;
    }
    progress.finish();
    csv.flush()?;
    std::io::stdout().flush()?;
    eprintln!("{reported} of {read} doses have to be completed or corrected by their facilities");
    Ok(ExitCode::SUCCESS)
}

/// Whether only the facility can correct the row, or provide a phone number that can receive SMS.
fn is_for_facility(verdict: Verdict, reasons: &[Reason]) -> bool {
    match verdict {
        Verdict::Incomplete | Verdict::Held => true,
        // The facility itself requested this.
        Verdict::Retracted => false,
        // This cannot be corrected, and the paper booklet stays valid.
        Verdict::Rejected => reasons != [Reason::VaccinationBeforeIcvp],
        Verdict::Complete => {
            reasons.iter().any(|reason| matches!(reason, Reason::PhoneMissing | Reason::PhoneInvalid))
        }
    }
}

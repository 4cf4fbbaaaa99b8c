//! `bukti import` and `bukti report`: import a file of doses, and fetch the report of an import
//! job.

mod follow;
mod preflight;

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use bukti_records::{JobRecord, JobState};
use bukti_store::Feeds;
use clap::{Args, ValueHint};

use self::follow::{follow, wait_for_certificates};
use self::preflight::{check_feed, check_report};
use crate::output::print;
use crate::target::{Target, TargetOptions};

#[derive(Args)]
pub(crate) struct ImportOptions {
    /// File of doses: CSV with a header, NDJSON, FHIR, or a workbook
    ///
    /// CSV, NDJSON and FHIR may be compressed with gzip or zstd. Only the first visible sheet of a
    /// workbook is imported.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Write the report of the rows to this file; `-` is the standard output
    #[arg(long, value_name = "OUT.csv", value_hint = ValueHint::FilePath)]
    report: Option<ReportDestination>,
}

#[derive(Args)]
pub(crate) struct ReportOptions {
    /// Job, as `bukti import` prints it
    job: String,
    /// Write the report to this file; `-` is the standard output
    #[arg(long, value_name = "OUT.csv", default_value = "-", value_hint = ValueHint::FilePath)]
    report: ReportDestination,
}

#[derive(Clone)]
enum ReportDestination {
    StandardOutput,
    File(PathBuf),
}

impl FromStr for ReportDestination {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::StandardOutput } else { Self::File(text.into()) })
    }
}

/// Imports a file. The exit code is 1 if the file as a whole is invalid, for example if it ends in
/// the middle of a row.
pub(crate) async fn import(target: &TargetOptions, options: &ImportOptions) -> Result<ExitCode> {
    let ImportOptions { file, report } = options;
    // These checks run before the upload, so that mistakes are reported at once.
    report.as_ref().map_or(Ok(()), check_report)?;
    let feed = check_feed(file)?;
    let mut target = Target::connect(target).await?;

    let job = format!("{:020x}", rand::random::<u128>() >> 48);
    let body = ByteStream::read_from().path(feed.path()).build().await;
    let body = body.with_context(|| format!("cannot read {}", file.display()))?;
    let key = format!("{}{job}", Feeds::DROP);
    target.s3.put_object().bucket(target.bucket()?).key(key).body(body).send().await.map_err(|error| {
        let reason = DisplayErrorContext(&error).to_string();
        anyhow::anyhow!("cannot upload the file to {}: {reason}", target.name)
    })?;
    eprintln!("Import of {} is job {job}.", file.display());
    let argument = target.endpoint_argument();
    let name = file.display().to_string();
    unless_interrupted(&job, &argument, finish(&mut target, &job, &name, report.as_ref())).await
}

/// Waits for a job to end, and fetches its report.
pub(crate) async fn report(target: &TargetOptions, options: &ReportOptions) -> Result<ExitCode> {
    let ReportOptions { job, report } = options;
    check_report(report)?;
    let mut target = Target::connect(target).await?;
    let record = target.jobs.get(job).await.with_context(|| format!("cannot read job {job}"))?;
    if record.is_none() {
        bail!(
            "there is no job {job} in {}: check the deployment; a job that was just submitted appears within seconds",
            target.name
        );
    }
    let argument = target.endpoint_argument();
    let name = format!("job {job}");
    unless_interrupted(job, &argument, finish(&mut target, job, &name, Some(report))).await
}

async fn unless_interrupted(
    job: &str,
    endpoint_argument: &str,
    work: impl Future<Output = Result<ExitCode>>,
) -> Result<ExitCode> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nThe import continues without this command. To wait for it and fetch its report:");
            eprintln!("  bukti report {job} --report OUT.csv{endpoint_argument}");
            // The exit code that shells report for SIGINT.
            Ok(ExitCode::from(130))
        }
    }
}

/// Waits for a job to end, and prints its results.
async fn finish(
    target: &mut Target,
    job: &str,
    name: &str,
    destination: Option<&ReportDestination>,
) -> Result<ExitCode> {
    let record = follow(target, job).await?;
    if let (Some(destination), Some(key)) = (destination, &record.report) {
        let object = target.s3.get_object().bucket(target.bucket()?).key(key).send().await;
        let object = object.with_context(|| format!("cannot fetch the report of job {job}"))?;
        let report = object.body.collect().await;
        let report = report.with_context(|| format!("cannot fetch the report of job {job}"))?;
        write_report(destination, &report.into_bytes())?;
    }
    let totals = totals(&record);
    if matches!(destination, Some(ReportDestination::StandardOutput)) {
        eprint!("{totals}")
    } else {
        print(&totals)
    }
    if destination.is_none() {
        eprintln!("To see the outcome of each row: bukti report {job}{}", target.endpoint_argument());
    }
    if record.rows > 0 {
        wait_for_certificates(target).await?;
    }
    if let Some(problem) = &record.problem {
        let imported = if record.rows > 0 { "; the rows before it were imported" } else { "" };
        eprintln!("bukti: {name}, line {}: {} ({}){imported}", problem.line, problem.detail, problem.code);
        return Ok(ExitCode::FAILURE);
    }
    if record.state == JobState::Failed {
        bail!("job {job} failed for an unknown reason: look at the log of the function `intake`");
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats the number of rows and the count of each outcome, one per line.
fn totals(record: &JobRecord) -> String {
    let width = record.totals.values().map(|count| count.to_string().len()).max().unwrap_or(0);
    let mut text = format!("{} rows\n", record.rows);
    for (outcome, count) in &record.totals {
        text.push_str(&format!("  {count:>width$} {outcome}\n"));
    }
    text
}

/// Writes a report. An existing file is replaced atomically.
fn write_report(destination: &ReportDestination, report: &[u8]) -> Result<()> {
    match destination {
        ReportDestination::StandardOutput => {
            use std::io::Write;
            let mut out = std::io::stdout().lock();
            out.write_all(report).and_then(|()| out.flush()).context("cannot write the report")
        }
        ReportDestination::File(path) => {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            let part = PathBuf::from(part);
            std::fs::write(&part, report)
                .and_then(|()| std::fs::rename(&part, path))
                .inspect_err(|_| {
                    // The write may have failed before the file was created.
                    let _ = std::fs::remove_file(&part);
                })
                .with_context(|| format!("cannot write {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_replaces_old_one_and_leaves_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.csv");
        std::fs::write(&file, "old").unwrap();
        write_report(&ReportDestination::File(file.clone()), b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

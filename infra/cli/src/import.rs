//! Taking a file in, and fetching what became of it.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use bukti_domain::Reason;
use bukti_intake::{FeedReader, Line};
use bukti_records::{FeedProblem, JobRecord, JobState};
use bukti_store::Feeds;
use jiff::Timestamp;
use tempfile::NamedTempFile;

use crate::progress::Progress;
use crate::target::Target;
use crate::workbook;

/// Between two looks at a job.
const LOOK: Duration = Duration::from_millis(250);
/// How long looks may fail before that is told: long enough for a restart.
const PATIENCE: Duration = Duration::from_secs(20);
/// After which time without a sign of the intake that is told.
const SILENCE: Duration = Duration::from_secs(30);
/// After which time without a step the intake of AWS has given up: it has three tries of a quarter of an hour.
const GIVEN_UP: Duration = Duration::from_secs(50 * 60);
/// After which time without a step an embedded stack is asked whether it still has something to do.
const DOUBTED: Duration = Duration::from_secs(5);

/// Where a report goes.
#[derive(Clone)]
pub(crate) enum ReportTo {
    /// The standard output.
    Output,
    /// A file.
    File(PathBuf),
}

impl FromStr for ReportTo {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::Output } else { Self::File(text.into()) })
    }
}

/// The file that is handed over: the one that was named, or the sheet of a workbook as CSV.
pub(crate) enum FeedFile {
    Named(PathBuf),
    Sheet(NamedTempFile),
}

impl FeedFile {
    fn path(&self) -> &Path {
        match self {
            FeedFile::Named(path) => path,
            FeedFile::Sheet(file) => file.path(),
        }
    }
}

/// Looks at the files, so that a slip does not show at the end only, and reads a workbook.
///
/// # Errors
///
/// Where the file cannot be read or is no feed, or the report's folder is not there.
pub(crate) fn check(file: &Path, report: Option<&ReportTo>) -> Result<FeedFile> {
    let data = File::open(file)
        .and_then(|file| file.metadata())
        .with_context(|| format!("cannot read {}", file.display()))?;
    if !data.is_file() {
        bail!("cannot read {}: it is no file", file.display());
    }
    report.map_or(Ok(()), check_report)?;
    let feed = match problem_before_rows(file, file)? {
        Some(problem) if workbook::is_workbook(&problem.code) => FeedFile::Sheet(workbook::to_csv(file)?),
        problem => refuse(problem, file).map(|()| FeedFile::Named(file.to_owned()))?,
    };
    if let FeedFile::Sheet(sheet) = &feed {
        refuse(problem_before_rows(sheet.path(), file)?, file)?;
    }
    Ok(feed)
}

fn refuse(problem: Option<FeedProblem>, file: &Path) -> Result<()> {
    match problem {
        Some(problem) => {
            bail!("{}, line {}: {} ({})", file.display(), problem.line, problem.detail, problem.code)
        }
        None => Ok(()),
    }
}

/// Reads a file as the intake will, up to its first row that can be read: what is wrong with one that has none. Where a file
/// breaks off after that, its rows before are taken in. `named` is the file as it was named.
fn problem_before_rows(feed: &Path, named: &Path) -> Result<Option<FeedProblem>> {
    let mut opened = File::open(feed).with_context(|| format!("cannot read {}", named.display()))?;
    let (mut reader, mut lines) = (FeedReader::new(Timestamp::now()), Vec::new());
    let mut first = None;
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = opened.read(&mut piece).with_context(|| format!("cannot read {}", named.display()))?;
        let is_end = length == 0;
        let mut rest = (!is_end).then_some(&piece[..length]);
        let mut ended = if is_end { reader.finish(&mut lines).err() } else { None };
        loop {
            let found = lines.iter().map(|line| unreadable(line).map(|reason| (line.line, reason)));
            let found: Option<Vec<_>> = found.collect();
            let Some(found) = found else { return Ok(None) };
            first = first.or(found.first().copied());
            lines.clear();
            let Some(left) = rest.filter(|_| ended.is_none()) else { break };
            match reader.push(left, &mut lines) {
                Ok(left) => rest = left,
                Err(problem) => (rest, ended) = (None, Some(problem)),
            }
        }
        if ended.is_some() {
            return Ok(ended);
        }
        if is_end {
            // What a FHIR file has is reported entry by entry, also where that is nothing.
            return Ok(reader.fhir().is_none().then(|| no_rows(first)));
        }
    }
}

/// Why a line cannot be read as a row; `None` where it can, whatever becomes of the row.
fn unreadable(line: &Line) -> Option<Reason> {
    let reason = line.row.as_ref().err()?.reason;
    matches!(reason, Reason::RowMalformed | Reason::NotUtf8).then_some(reason)
}

/// What is wrong with a file without a row that can be read, by its first line that cannot.
fn no_rows(first: Option<(u64, Reason)>) -> FeedProblem {
    let (code, line, detail) = match first {
        None => ("no_rows", 1, "there is no row below the header"),
        Some((line, Reason::NotUtf8)) => {
            (Reason::NotUtf8.code(), line, "no row is UTF-8: save the file as \"CSV UTF-8\" and import that")
        }
        Some((line, reason)) => {
            (reason.code(), line, "no row has as many fields as the header, or is one at all")
        }
    };
    FeedProblem { code: code.to_owned(), line, detail: detail.to_owned() }
}

fn check_report(report: &ReportTo) -> Result<()> {
    if let ReportTo::File(report) = report {
        let folder =
            report.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!("cannot write {}: there is no folder {}", report.display(), folder.display());
        }
        if report.is_dir() {
            bail!("cannot write {}: it is a folder", report.display());
        }
    }
    Ok(())
}

/// Imports a file.
///
/// # Errors
///
/// Where it cannot be handed over, or its end cannot be learned. A file that was taken in but is bad as such is a code.
pub(crate) async fn import(
    target: &mut Target,
    file: &Path,
    feed: &FeedFile,
    report: Option<&ReportTo>,
) -> Result<ExitCode> {
    let job = format!("{:020x}", rand::random::<u128>() >> 48);
    let body = ByteStream::read_from().path(feed.path()).build().await;
    let body = body.with_context(|| format!("cannot read {}", file.display()))?;
    let key = format!("{}{job}", Feeds::DROP);
    target.s3.put_object().bucket(target.bucket()?).key(key).body(body).send().await.map_err(|error| {
        let reason = DisplayErrorContext(&error).to_string();
        anyhow::anyhow!("{} did not take the file: {reason}", target.name)
    })?;
    eprintln!("Import of {} is job {job}.", file.display());
    let again = target.again();
    unless_interrupted(&job, &again, finish(target, &job, &file.display().to_string(), report)).await
}

/// Fetches the report of a job, after waiting for its end.
///
/// # Errors
///
/// Where there is no such job, or its end cannot be learned.
pub(crate) async fn report(target: &mut Target, job: &str, report: &ReportTo) -> Result<ExitCode> {
    check_report(report)?;
    let known = target.jobs.get(job).await.with_context(|| format!("cannot ask {}", target.name))?;
    if known.is_none() {
        bail!("there is no job {job} with {}: it may be of another Bukti, or not begun yet", target.name);
    }
    let again = target.again();
    unless_interrupted(job, &again, finish(target, job, &format!("job {job}"), Some(report))).await
}

async fn unless_interrupted(
    job: &str,
    again: &str,
    work: impl Future<Output = Result<ExitCode>>,
) -> Result<ExitCode> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nThe import goes on without this command. For its end and its report:");
            eprintln!("  bukti report {job} --report OUT.csv{again}");
            // As shells count an end by Ctrl-C.
            Ok(ExitCode::from(130))
        }
    }
}

async fn finish(target: &mut Target, job: &str, name: &str, to: Option<&ReportTo>) -> Result<ExitCode> {
    let record = follow(target, job).await?;
    if let (Some(to), Some(key)) = (to, &record.report) {
        let object = target.s3.get_object().bucket(target.bucket()?).key(key).send().await;
        let object = object.with_context(|| format!("the report of job {job} cannot be fetched"))?;
        let report = object.body.collect().await.context("the report broke off")?;
        write(to, &report.into_bytes())?;
    }
    let totals = totals(&record);
    if matches!(to, Some(ReportTo::Output)) {
        eprint!("{totals}")
    } else {
        print!("{totals}")
    }
    if to.is_none() {
        eprintln!("Each row's outcome: bukti report {job}{}", target.again());
    }
    if record.rows > 0 {
        settle(target).await?;
    }
    if let Some(problem) = &record.problem {
        let whole = if record.rows > 0 { "; the rows before it were taken in" } else { "" };
        eprintln!("bukti: {name}, line {}: {} ({}){whole}", problem.line, problem.detail, problem.code);
        return Ok(ExitCode::FAILURE);
    }
    if record.state == JobState::Failed {
        bail!("job {job} failed and does not say why: the logs of the intake may");
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows how far a job is until it is over.
async fn follow(target: &mut Target, job: &str) -> Result<JobRecord> {
    let progress = Progress::new();
    let begun = Instant::now();
    let mut heard = Instant::now();
    let mut told_silence = false;
    let (mut stood_at, mut since) = ((0, 0), Instant::now());
    loop {
        match target.jobs.get(job).await {
            Ok(Some(record)) if record.state != JobState::Running => {
                progress.end();
                return Ok(record);
            }
            Ok(record) => {
                heard = Instant::now();
                if record.is_none() && begun.elapsed() > SILENCE && !told_silence {
                    told_silence = true;
                    progress
                        .note("The intake has not begun. On AWS: is the bucket's notification to it set up?");
                }
                let record = record.unwrap_or_default();
                let (done, all) = how_far(&record);
                if (done, record.bytes_done) != stood_at {
                    (stood_at, since) = ((done, record.bytes_done), Instant::now());
                } else if since.elapsed() > DOUBTED && has_given_up(target, since.elapsed()).await {
                    progress.end();
                    bail!(
                        "the intake has given job {job} up: what it could not work off is in the dead letters, and the logs say why. \
                         The rows until there are kept; the same file can be imported again"
                    );
                }
                progress.show(done, all, &how_long(&record, begun.elapsed()));
            }
            Err(_) if heard.elapsed() < PATIENCE => {
                progress.show(0, 0, "waiting for an answer");
                target.reconnect().await;
            }
            Err(error) => {
                progress.end();
                return Err(error).with_context(|| {
                    let again = target.again();
                    format!(
                        "{} no longer answers. What it has of the file it keeps, and it goes on when it runs again; then: \
                         bukti report {job} --report OUT.csv{again}",
                        target.name
                    )
                });
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing more comes of a job that has not moved for so long.
async fn has_given_up(target: &Target, still: Duration) -> bool {
    match target.backlog().await {
        Ok(Some(left)) => left == 0,
        Ok(None) => still > GIVEN_UP,
        Err(_) => false,
    }
}

/// How much of a job is done, of how much: the rows of all parts are kept, and looked up again for the report.
fn how_far(record: &JobRecord) -> (u64, u64) {
    let looked_up = match record.parts_all {
        Some(all) if all > 0 => record.rows * u64::from(record.parts_reported) / u64::from(all),
        _ => 0,
    };
    // Until the file is read to its end, as many rows as there will be by what was read.
    let rows = match (record.parts_all, record.bytes_done) {
        (None, done) if done > 0 => record.rows.saturating_mul(record.bytes_total) / done,
        _ => record.rows,
    };
    (record.rows_kept + looked_up, 2 * rows)
}

/// In words: rows, how many a second, and how long it will take.
fn how_long(record: &JobRecord, since: Duration) -> String {
    let (done, all) = how_far(record);
    let rate = record.rows_kept as f64 / since.as_secs_f64().max(0.1);
    let mut text = format!("{} rows kept, {rate:.0} a second", record.rows_kept);
    if done > 0 && since > Duration::from_secs(2) {
        let left = since.as_secs_f64() / done as f64 * all.saturating_sub(done) as f64;
        text.push_str(&format!(", {left:.0} s left"));
    }
    text
}

/// Waits until an embedded stack has made the certificates and sent the SMS of what was taken in.
async fn settle(target: &mut Target) -> Result<()> {
    let progress = Progress::new();
    let mut most = 0;
    let mut heard = Instant::now();
    loop {
        match target.backlog().await {
            Ok(Some(0)) => {
                progress.end();
                return Ok(());
            }
            Ok(Some(left)) => {
                heard = Instant::now();
                // It also grows: a certificate that is made is one more thing to look at.
                most = most.max(left);
                progress.show(
                    most - left,
                    most,
                    &format!("making certificates and sending SMS… {left} to do"),
                );
            }
            Ok(None) => {
                eprintln!("Certificates and SMS follow within minutes.");
                return Ok(());
            }
            Err(_) if heard.elapsed() < PATIENCE => {}
            Err(error) => {
                progress.end();
                return Err(error).with_context(|| {
                    format!(
                        "{} no longer answers; certificates and SMS follow when it runs again",
                        target.name
                    )
                });
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The outcomes with their numbers, one a line.
fn totals(record: &JobRecord) -> String {
    let width = record.totals.values().map(|count| count.to_string().len()).max().unwrap_or(0);
    let mut text = format!("{} rows\n", record.rows);
    for (outcome, count) in &record.totals {
        text.push_str(&format!("  {count:>width$} {outcome}\n"));
    }
    text
}

/// Writes a report: the file has all of it or is as it was.
fn write(to: &ReportTo, report: &[u8]) -> Result<()> {
    match to {
        ReportTo::Output => {
            let mut out = std::io::stdout().lock();
            out.write_all(report).and_then(|()| out.flush()).context("the report cannot be written")
        }
        ReportTo::File(path) => {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            let part = PathBuf::from(part);
            std::fs::write(&part, report)
                .and_then(|()| std::fs::rename(&part, path))
                .inspect_err(|_| {
                    // Often not there at all.
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
    fn files_are_looked_at_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doses.csv");
        assert!(check(&file, None).err().unwrap().to_string().contains("doses.csv"));
        assert!(check(folder.path(), None).is_err());
        std::fs::write(&file, "%PDF-1.7").unwrap();
        assert!(check(&file, None).err().unwrap().to_string().contains("doses.csv, line 1: this is a PDF"));
        let header = bukti_domain::feed::COLUMNS.join(",");
        std::fs::write(&file, format!("{header}\n")).unwrap();
        assert!(check(&file, None).err().unwrap().to_string().ends_with("(no_rows)"));
        std::fs::write(&file, format!("{header}\nE1{}\n", ",".repeat(14))).unwrap();
        check(&file, Some(&ReportTo::File("report.csv".into()))).unwrap();
        check(&file, Some(&ReportTo::Output)).unwrap();
        let nowhere = ReportTo::File(folder.path().join("no/report.csv"));
        assert!(check(&file, Some(&nowhere)).err().unwrap().to_string().contains("no folder"));
    }

    #[test]
    fn a_report_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.csv");
        std::fs::write(&file, "old").unwrap();
        write(&ReportTo::File(file.clone()), b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

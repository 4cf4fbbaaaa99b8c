//! Checks before the upload that the file is a readable feed and that the report can be written.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bukti_domain::Reason;
use bukti_intake::{FeedReader, Line};
use bukti_records::FeedProblem;
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::ReportDestination;
use crate::workbook;

/// The file to upload: the original, or a converted copy.
pub(super) enum FeedFile {
    /// The file that the user specified.
    Named(PathBuf),
    /// The sheet of a workbook, converted to CSV.
    Sheet(NamedTempFile),
}

impl FeedFile {
    pub(super) fn path(&self) -> &Path {
        match self {
            FeedFile::Named(path) => path,
            FeedFile::Sheet(file) => file.path(),
        }
    }
}

/// Checks that a file is a feed with at least one readable row. A workbook is converted to CSV
/// first.
pub(super) fn check_feed(file: &Path) -> Result<FeedFile> {
    let data = File::open(file)
        .and_then(|file| file.metadata())
        .with_context(|| format!("cannot read {}", file.display()))?;
    if !data.is_file() {
        bail!("cannot read {}: it is no file", file.display());
    }
    let feed = match problem_before_rows(file, file)? {
        Some(problem) if workbook::is_workbook(&problem.code) => FeedFile::Sheet(workbook::to_csv(file)?),
        problem => reject(problem, file).map(|()| FeedFile::Named(file.to_owned()))?,
    };
    if let FeedFile::Sheet(sheet) = &feed {
        reject(problem_before_rows(sheet.path(), file)?, file)?;
    }
    Ok(feed)
}

/// Checks that the report can be written to `destination`.
pub(super) fn check_report(destination: &ReportDestination) -> Result<()> {
    if let ReportDestination::File(report) = destination {
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

fn reject(problem: Option<FeedProblem>, file: &Path) -> Result<()> {
    match problem {
        Some(problem) => {
            bail!("{}, line {}: {} ({})", file.display(), problem.line, problem.detail, problem.code)
        }
        None => Ok(()),
    }
}

/// Reads a feed as the intake does, up to the first readable row. Returns the problem if there is
/// no such row. A feed that is truncated after that row passes, because the intake imports the rows
/// before the break.
///
/// `named` is the file name for messages; `feed` is the file to read, which may be its conversion.
fn problem_before_rows(feed: &Path, named: &Path) -> Result<Option<FeedProblem>> {
    let mut opened = File::open(feed).with_context(|| format!("cannot read {}", named.display()))?;
    let (mut reader, mut lines) = (FeedReader::new(Timestamp::now()), Vec::new());
    let mut first_unreadable = None;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = opened.read(&mut buffer).with_context(|| format!("cannot read {}", named.display()))?;
        let is_end = length == 0;
        let mut rest = (!is_end).then_some(&buffer[..length]);
        let mut problem = if is_end { reader.finish(&mut lines).err() } else { None };
        loop {
            let unreadable = lines.iter().map(|line| Some((line.line, unreadable_reason(line)?)));
            let unreadable: Option<Vec<_>> = unreadable.collect();
            let Some(unreadable) = unreadable else { return Ok(None) };
            first_unreadable = first_unreadable.or(unreadable.first().copied());
            lines.clear();
            let Some(bytes) = rest.filter(|_| problem.is_none()) else { break };
            match reader.push(bytes, &mut lines) {
                Ok(left) => rest = left,
                Err(found) => (rest, problem) = (None, Some(found)),
            }
        }
        if problem.is_some() {
            return Ok(problem);
        }
        if is_end {
            // The report lists every entry of a FHIR file, even if none of them is a dose.
            return Ok(reader.fhir().is_none().then(|| no_rows(first_unreadable)));
        }
    }
}

/// Returns why a line cannot be read as a row; `None` if it is readable, even if the import rejects
/// it.
fn unreadable_reason(line: &Line) -> Option<Reason> {
    let reason = line.row.as_ref().err()?.reason;
    matches!(reason, Reason::RowMalformed | Reason::NotUtf8).then_some(reason)
}

/// Describes a feed without a readable row, citing its first unreadable line.
fn no_rows(first_unreadable: Option<(u64, Reason)>) -> FeedProblem {
    let (code, line, detail) = match first_unreadable {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_files_without_readable_rows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doses.csv");
        let error = || check_feed(&file).err().unwrap().to_string();
        assert!(error().contains("doses.csv"));
        assert!(check_feed(folder.path()).is_err());
        std::fs::write(&file, "%PDF-1.7").unwrap();
        assert!(error().contains("doses.csv, line 1: this is a PDF"));
        let header = bukti_domain::feed::COLUMNS.join(",");
        std::fs::write(&file, format!("{header}\n")).unwrap();
        assert!(error().ends_with("(no_rows)"));
        std::fs::write(&file, format!("{header}\nE1{}\n", ",".repeat(14))).unwrap();
        check_feed(&file).unwrap();
    }

    #[test]
    fn rejects_reports_in_missing_folders() {
        let folder = tempfile::tempdir().unwrap();
        check_report(&ReportDestination::File("report.csv".into())).unwrap();
        check_report(&ReportDestination::StandardOutput).unwrap();
        let missing = ReportDestination::File(folder.path().join("no/report.csv"));
        assert!(check_report(&missing).unwrap_err().to_string().contains("no folder"));
    }
}

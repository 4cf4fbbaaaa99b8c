//! Event function `intake`: imports, row by row, the dose feeds that are dropped into the bucket.
//!
//! ```text
//! feed ──split──► parts ──import, in parallel──► provisional reports
//!                                   │ all parts are imported
//!                                   ▼
//!                            final reports ──join──► the job's report; the feed is removed
//! ```
//!
//! An event of the bucket ([`Feeds`]) starts each step. Delivery is at least once, so every step is
//! idempotent: rows are stored with conditional writes, and splitting resumes at its checkpoint. A
//! part is small enough to be imported in seconds. If a feed has only one part, the step that reads
//! it also imports it.
//!
//! Row results are final only when all rows are stored, since a later row may supersede an earlier
//! one. They are therefore looked up again at the end. They depend only on the file and the table,
//! not on interruptions or on the order in which the rows were stored.

mod compression;
mod csv;
mod feed;
mod fhir;
mod line;
mod ndjson;
mod part;
mod rows;

use aws_lambda_events::event::s3::S3Event;
use bukti_domain::Reason;
use bukti_records::{FeedProblem, JobRecord, JobState, PartRecord};
use bukti_store::{Aws, Dropped, Feed, Feeds, Jobs, StoreError};
use jiff::Timestamp;

pub use crate::csv::feed_column;
pub use crate::feed::FeedReader;
pub use crate::fhir::FhirKind;
pub use crate::line::{Line, Unreadable};
pub use crate::rows::{RowImporter, RowResult, Source, report, totals};

/// The maximum number of rows in a part: small enough to import in seconds, large enough to make
/// the cost per part negligible.
const MAX_PART_ROWS: usize = 2000;
/// The maximum length of all rows of a part, in bytes. A longer row forms a part of its own.
const MAX_PART_BYTES: usize = 4 * 1024 * 1024;

/// The reason why an event could not be processed. The event has to be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// A call to the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The download of the feed failed.
    #[error("the feed could not be downloaded; the event is retried: {0}")]
    Fetch(String),
}

/// The function `intake` and its clients.
#[derive(Clone)]
pub struct Intake {
    rows: RowImporter,
    feeds: Feeds,
    jobs: Jobs,
    aws: Aws,
}

impl Intake {
    /// Creates the function for a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { rows: RowImporter::new(aws), feeds: Feeds::new(aws), jobs: Jobs::new(aws), aws: aws.clone() }
    }

    /// Processes the objects to which an event refers.
    ///
    /// # Errors
    ///
    /// Returns [`IntakeError`] if the event must be delivered again. The work then continues from
    /// the checkpoint.
    pub async fn handle(&self, event: S3Event) -> Result<(), IntakeError> {
        self.aws.refresh_secrets().await;
        for record in event.records {
            let object = record.s3.object;
            let Some(key) = object.url_decoded_key.or(object.key) else { continue };
            match Feeds::dropped(&key) {
                Some(Dropped::Feed(job)) => self.split_feed(job, &key).await?,
                Some(Dropped::Part(job, part)) => self.import_part(job, part).await?,
                Some(Dropped::Kept(job, part)) => self.report_part(job, part).await?,
                None => tracing::warn!("ignored an object that is not a feed"),
            }
        }
        self.aws.publish_metrics();
        Ok(())
    }

    /// Splits a feed into parts, starting from the job's checkpoint.
    async fn split_feed(&self, job: &str, key: &str) -> Result<(), IntakeError> {
        let Some(feed) = self.feeds.open(key).await? else { return Ok(()) };
        let new_record = |feed: &Feed| JobRecord {
            source: key.to_owned(),
            etag: feed.etag.clone(),
            bytes_total: feed.length,
            updated_at: Timestamp::now(),
            ..JobRecord::default()
        };
        let (mut job, mut record) = (job.to_owned(), self.jobs.begin(job, new_record(&feed)).await?);
        if record.etag != feed.etag {
            // A different file with the same name gets its own job.
            let etag = feed.etag.chars().filter(char::is_ascii_alphanumeric).take(12);
            job = format!("{job}-{}", etag.collect::<String>());
            record = self.jobs.begin(&job, new_record(&feed)).await?;
        }
        if record.state == JobState::Running && record.parts_all.is_none() {
            let mut splitter =
                Splitter { intake: self, job: &job, record, part: 0, rows: 0, encoding_problem: None };
            let problem = splitter.split(feed).await?;
            let Splitter { part, rows, encoding_problem, .. } = splitter;
            self.jobs.cut_ended(&job, part, rows, problem.or(encoding_problem).as_ref()).await?;
        }
        self.advance(&job, true).await
    }

    /// Imports the rows of a stored part, then starts the next step of the job if possible.
    async fn import_part(&self, job: &str, part: u32) -> Result<(), IntakeError> {
        // The part is missing if its job has already ended.
        if let Some(rows) = self.feeds.part(job, part).await? {
            self.import_lines(job, part, &part::read(&rows)?, false).await?;
        }
        self.advance(job, true).await
    }

    /// Imports the rows of a part and reports their results. If `final_results` is set, the job has
    /// no other rows, and the results are final.
    async fn import_lines(
        &self,
        job: &str,
        part: u32,
        lines: &[Line],
        final_results: bool,
    ) -> Result<(), IntakeError> {
        let results = self.rows.import(file_source(job), lines).await?;
        self.feeds.keep_part_report(job, part, report(&results)).await?;
        let record =
            PartRecord { rows: lines.len() as u64, totals: totals(&results), reported: final_results };
        Ok(self.jobs.part_kept(job, part, &record).await?)
    }

    /// Reports the final results of a part's rows, once all rows of the job are stored.
    async fn report_part(&self, job: &str, part: u32) -> Result<(), IntakeError> {
        if let Some(rows) = self.feeds.part(job, part).await? {
            let lines = part::read(&rows)?;
            let results = self.rows.look_up_results(file_source(job), &lines).await?;
            self.feeds.keep_part_report(job, part, report(&results)).await?;
            let record = PartRecord { rows: lines.len() as u64, totals: totals(&results), reported: true };
            self.jobs.part_reported(job, part, &record).await?;
        }
        self.advance(job, false).await
    }

    /// Starts the next step of a job if all parts have completed the current step. If
    /// `start_reports` is set, this includes the step that reports the final results of each part.
    async fn advance(&self, job: &str, start_reports: bool) -> Result<(), IntakeError> {
        let Some(mut record) = self.jobs.get(job).await? else { return Ok(()) };
        let parts_all = record.parts_all.unwrap_or_default();
        if record.state == JobState::Running {
            if record.is_kept() && start_reports && !record.is_reported() {
                let parts = self.jobs.parts(job).await?;
                let unreported = parts.iter().filter(|(_, record)| !record.reported).map(|(part, _)| *part);
                self.feeds.write_stored_markers(job, unreported).await?;
            }
            if !record.is_reported() {
                return Ok(());
            }
            self.feeds.keep_report(job, parts_all).await?;
            for part in self.jobs.parts(job).await?.into_values() {
                for (outcome, count) in part.totals {
                    *record.totals.entry(outcome).or_default() += count;
                }
            }
            record.state = if record.problem.is_some() { JobState::Failed } else { JobState::Done };
            record.report = Some(Feeds::report_key(job));
            record.updated_at = Timestamp::now();
            self.jobs.end(job, &record).await?;
            tracing::info!(job, rows = record.rows, state = ?record.state, "a feed was taken in");
        }
        Ok(self.feeds.remove(&record.source, &record.etag, job, parts_all).await?)
    }
}

/// Splits a feed into parts. The split is deterministic: a file is always split at the same rows.
struct Splitter<'a> {
    intake: &'a Intake,
    job: &'a str,
    record: JobRecord,
    /// The number of the latest part.
    part: u32,
    /// The number of rows in all parts so far.
    rows: u64,
    /// The first row that is not UTF-8, as a problem to report.
    encoding_problem: Option<FeedProblem>,
}

impl Splitter<'_> {
    /// Splits a feed up to its end. Returns the problem if the file as a whole is invalid.
    async fn split(&mut self, mut feed: Feed) -> Result<Option<FeedProblem>, IntakeError> {
        let (mut reader, mut lines) =
            (feed.received_at.map_or_else(FeedReader::default, FeedReader::new), Vec::new());
        let mut bytes_read = 0;
        let problem = 'read: loop {
            let piece = feed.body.try_next().await.map_err(|error| IntakeError::Fetch(error.to_string()))?;
            let Some(piece) = piece else { break reader.finish(&mut lines).err() };
            bytes_read += piece.len() as u64;
            let mut rest = Some(&*piece);
            while let Some(piece) = rest {
                match reader.push(piece, &mut lines) {
                    Ok(left) => rest = left,
                    Err(problem) => break 'read Some(problem),
                }
                self.store_full_parts(&mut lines, bytes_read).await?;
            }
        };
        self.store_full_parts(&mut lines, bytes_read).await?;
        if self.part > 0 {
            self.store_part(lines, bytes_read).await?;
        } else if !lines.is_empty() {
            self.count_part(&lines);
            self.intake.import_lines(self.job, self.part, &lines, true).await?;
        }
        Ok(problem)
    }

    /// Stores the full parts and removes their lines from `lines`. The remaining lines may be the
    /// only part, which is imported directly.
    async fn store_full_parts(&mut self, lines: &mut Vec<Line>, bytes_read: u64) -> Result<(), IntakeError> {
        while let Some(end) = part_end(lines) {
            let later = lines.split_off(end);
            self.store_part(std::mem::replace(lines, later), bytes_read).await?;
        }
        Ok(())
    }

    async fn store_part(&mut self, lines: Vec<Line>, bytes_read: u64) -> Result<(), IntakeError> {
        self.count_part(&lines);
        // An earlier attempt stored the parts up to the checkpoint.
        if self.part > self.record.parts_cut {
            self.intake.feeds.keep_part(self.job, self.part, part::write(&lines)?).await?;
            (self.record.parts_cut, self.record.rows) = (self.part, self.rows);
            self.record.bytes_done = bytes_read;
            self.record.updated_at = Timestamp::now();
            self.intake.jobs.cut(self.job, &self.record).await?;
        }
        Ok(())
    }

    fn count_part(&mut self, lines: &[Line]) {
        self.part += 1;
        self.rows += lines.len() as u64;
        self.encoding_problem = self.encoding_problem.take().or_else(|| encoding_problem(lines));
    }
}

/// The number of lines in the first part; `None` if the part may have room for more.
fn part_end(lines: &[Line]) -> Option<usize> {
    let mut length = 0;
    let is_full = |(at, line): &(usize, &Line)| {
        length += line.row.as_ref().map_or(0, |row| row.fields().iter().map(|field| field.len()).sum());
        *at == MAX_PART_ROWS || (*at > 0 && length > MAX_PART_BYTES)
    };
    lines.iter().enumerate().find(is_full).map(|(end, _)| end)
}

/// The source of a dropped file. Its rows have the permissions of a hub.
fn file_source(job: &str) -> Source<'_> {
    Source { job, sender: None }
}

/// The problem to report if some rows of a file are not UTF-8. The other rows are imported.
fn encoding_problem(lines: &[Line]) -> Option<FeedProblem> {
    let is_not_utf8 =
        |line: &&Line| matches!(&line.row, Err(unreadable) if unreadable.reason == Reason::NotUtf8);
    let line = lines.iter().find(is_not_utf8)?;
    Some(FeedProblem {
        code: Reason::NotUtf8.code().to_owned(),
        line: line.line,
        detail: "the file is not UTF-8, as where Excel saves plain \"CSV\" (Windows-1252); save it as \"CSV UTF-8\" and send it \
                 again. The rows that are UTF-8 were taken in"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use bukti_domain::FeedRow;

    use super::*;

    #[test]
    fn part_ends_at_max_rows_or_bytes() {
        let lines = |length: usize, count: usize| -> Vec<Line> {
            let line = |line| {
                let row = FeedRow { nama: "x".repeat(length), ..FeedRow::default() };
                Line { line, row: Ok(row) }
            };
            (1..=count as u64).map(line).collect()
        };
        assert_eq!(part_end(&lines(100, MAX_PART_ROWS)), None);
        assert_eq!(part_end(&lines(100, MAX_PART_ROWS + 1)), Some(MAX_PART_ROWS));
        assert_eq!(part_end(&lines(64 * 1024, 64)), None);
        assert_eq!(part_end(&lines(64 * 1024, 65)), Some(64));
        assert_eq!(part_end(&lines(MAX_PART_BYTES + 1, 2)), Some(1));
    }

    #[test]
    fn parts_round_trip() {
        let lines = [
            Line { line: 7, row: Ok(FeedRow { event_id: "A".to_owned(), ..FeedRow::default() }) },
            Line {
                line: 9,
                row: Err(Unreadable { event_id: "\u{fffd},\"".to_owned(), reason: Reason::NotUtf8 }),
            },
        ];
        assert_eq!(part::read(&part::write(&lines).unwrap()).unwrap(), lines);
        assert!(part::read(b"{").is_err());
    }
}

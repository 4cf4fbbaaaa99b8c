//! Event function `intake`: a dropped dose feed is read, judged and kept, row by row.
//!
//! ```text
//!               ┌─ one part ──────────────────────────────────────────┐
//! feed ──cut──► parts ──► rows kept (conditional writes), reported ──►│ all kept ──► reported ──► report, feed removed
//!               └─ another, side by side ─────────────────────────────┘
//! ```
//!
//! Each arrow between two of these is an event of the bucket ([`Feeds`]) and can come again at any point: the same rows, the same
//! report. A part is of so few rows that it is worked off in seconds. A feed of one part takes no detour.
//!
//! What became of a row is known for good when all rows are kept: a later one may supersede it. It is therefore looked up again
//! then, and is a function of file and table alone, however often the job was interrupted and in whatever order its rows went in.

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
pub use crate::rows::{Rows, Source, Told, report, totals};

/// Rows of a part. Few enough to be kept in seconds, enough for what is counted once a part to cost little.
const PART: usize = 2000;
/// How long the rows of a part are together, in bytes, unless it is of one row.
const LONGEST_PART: usize = 4 * 1024 * 1024;

/// Why an event must come again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The feed broke off while it was being fetched.
    #[error("a feed could not be fetched: {0}")]
    Fetch(String),
}

/// The function with what it may do.
#[derive(Clone)]
pub struct Intake {
    rows: Rows,
    feeds: Feeds,
    jobs: Jobs,
    aws: Aws,
}

impl Intake {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { rows: Rows::new(aws), feeds: Feeds::new(aws), jobs: Jobs::new(aws), aws: aws.clone() }
    }

    /// Works off what an event names.
    ///
    /// # Errors
    ///
    /// [`IntakeError`]; the event can come again, what was done is not done twice.
    pub async fn handle(&self, event: S3Event) -> Result<(), IntakeError> {
        self.aws.keep_up().await;
        for record in event.records {
            let object = record.s3.object;
            let Some(key) = object.url_decoded_key.or(object.key) else { continue };
            match Feeds::dropped(&key) {
                Some(Dropped::Feed(job)) => self.cut(job, &key).await?,
                Some(Dropped::Part(job, part)) => self.keep(job, part).await?,
                Some(Dropped::Kept(job, part)) => self.report(job, part).await?,
                None => tracing::warn!("an object that is no feed was dropped"),
            }
        }
        self.aws.tell_metrics();
        Ok(())
    }

    /// Reads a feed and cuts it into parts, from where that broke off.
    async fn cut(&self, job: &str, key: &str) -> Result<(), IntakeError> {
        let Some(feed) = self.feeds.open(key).await? else { return Ok(()) };
        let begun = |feed: &Feed| JobRecord {
            source: key.to_owned(),
            etag: feed.etag.clone(),
            bytes_total: feed.length,
            updated_at: Timestamp::now(),
            ..JobRecord::default()
        };
        let (mut job, mut record) = (job.to_owned(), self.jobs.begin(job, begun(&feed)).await?);
        if record.etag != feed.etag {
            // Another file of the same name is another job.
            let etag = feed.etag.chars().filter(char::is_ascii_alphanumeric).take(12);
            job = format!("{job}-{}", etag.collect::<String>());
            record = self.jobs.begin(&job, begun(&feed)).await?;
        }
        if record.state == JobState::Running && record.parts_all.is_none() {
            let mut cutter = Cutter { intake: self, job: &job, record, part: 0, rows: 0, unreadable: None };
            let problem = cutter.read(feed).await?;
            let Cutter { part, rows, unreadable, .. } = cutter;
            self.jobs.cut_ended(&job, part, rows, problem.or(unreadable).as_ref()).await?;
        }
        self.go_on(&job, true).await
    }

    /// Keeps the rows of a part.
    async fn keep(&self, job: &str, part: u32) -> Result<(), IntakeError> {
        // Where there is none, its job is over.
        if let Some(rows) = self.feeds.part(job, part).await? {
            self.keep_lines(job, part, &part::read(&rows)?, false).await?;
        }
        self.go_on(job, true).await
    }

    /// Keeps the rows of a part, and reports what became of them: for good where these are `all` rows of the job.
    async fn keep_lines(&self, job: &str, part: u32, lines: &[Line], all: bool) -> Result<(), IntakeError> {
        let told = self.rows.keep(dropped(job), lines).await?;
        self.feeds.keep_part_report(job, part, report(&told)).await?;
        let record = PartRecord { rows: lines.len() as u64, totals: totals(&told), reported: all };
        Ok(self.jobs.part_kept(job, part, &record).await?)
    }

    /// Reports the rows of a part for good, after all of the job are kept.
    async fn report(&self, job: &str, part: u32) -> Result<(), IntakeError> {
        if let Some(rows) = self.feeds.part(job, part).await? {
            let lines = part::read(&rows)?;
            let told = self.rows.look_up(dropped(job), &lines).await?;
            self.feeds.keep_part_report(job, part, report(&told)).await?;
            let record = PartRecord { rows: lines.len() as u64, totals: totals(&told), reported: true };
            self.jobs.part_reported(job, part, &record).await?;
        }
        self.go_on(job, false).await
    }

    /// Does what comes next for a job, where it is time for it. `ask`: has the parts reported, where all are kept.
    async fn go_on(&self, job: &str, ask: bool) -> Result<(), IntakeError> {
        let Some(mut record) = self.jobs.get(job).await? else { return Ok(()) };
        let all = record.parts_all.unwrap_or_default();
        if record.state == JobState::Running {
            if record.is_kept() && ask && !record.is_reported() {
                let parts = self.jobs.parts(job).await?;
                let waiting = parts.iter().filter(|(_, record)| !record.reported).map(|(part, _)| *part);
                self.feeds.say_kept(job, waiting).await?;
            }
            if !record.is_reported() {
                return Ok(());
            }
            self.feeds.keep_report(job, all).await?;
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
        Ok(self.feeds.remove(&record.source, &record.etag, job, all).await?)
    }
}

/// Cuts a feed into parts, the same ones whenever it is read.
struct Cutter<'a> {
    intake: &'a Intake,
    job: &'a str,
    record: JobRecord,
    /// Parts and rows so far.
    part: u32,
    rows: u64,
    unreadable: Option<FeedProblem>,
}

impl Cutter<'_> {
    /// Reads a feed to its end; what is wrong with it as such.
    async fn read(&mut self, mut feed: Feed) -> Result<Option<FeedProblem>, IntakeError> {
        let (mut reader, mut lines) =
            (feed.received_at.map_or_else(FeedReader::default, FeedReader::new), Vec::new());
        let mut done = 0;
        let problem = 'read: loop {
            let piece = feed.body.try_next().await.map_err(|error| IntakeError::Fetch(error.to_string()))?;
            let Some(piece) = piece else { break reader.finish(&mut lines).err() };
            done += piece.len() as u64;
            let mut rest = Some(&*piece);
            while let Some(piece) = rest {
                match reader.push(piece, &mut lines) {
                    Ok(left) => rest = left,
                    Err(problem) => break 'read Some(problem),
                }
                self.full_parts(&mut lines, done).await?;
            }
        };
        self.full_parts(&mut lines, done).await?;
        if self.part > 0 {
            self.put(lines, done).await?;
        } else if !lines.is_empty() {
            self.count(&lines);
            self.intake.keep_lines(self.job, self.part, &lines, true).await?;
        }
        Ok(problem)
    }

    /// Puts the parts that are full and not the last, which is kept at once where it is the only one.
    async fn full_parts(&mut self, lines: &mut Vec<Line>, done: u64) -> Result<(), IntakeError> {
        while let Some(end) = part_end(lines) {
            let later = lines.split_off(end);
            self.put(std::mem::replace(lines, later), done).await?;
        }
        Ok(())
    }

    async fn put(&mut self, lines: Vec<Line>, done: u64) -> Result<(), IntakeError> {
        self.count(&lines);
        // Those before were put when it was read before.
        if self.part > self.record.parts_cut {
            self.intake.feeds.keep_part(self.job, self.part, part::write(&lines)?).await?;
            (self.record.parts_cut, self.record.rows, self.record.bytes_done) = (self.part, self.rows, done);
            self.record.updated_at = Timestamp::now();
            self.intake.jobs.cut(self.job, &self.record).await?;
        }
        Ok(())
    }

    fn count(&mut self, lines: &[Line]) {
        self.part += 1;
        self.rows += lines.len() as u64;
        self.unreadable = self.unreadable.take().or_else(|| first_unreadable(lines));
    }
}

/// Where the first part of these lines ends; `None` where nothing says that it is full yet.
fn part_end(lines: &[Line]) -> Option<usize> {
    let mut length = 0;
    let is_full = |(at, line): &(usize, &Line)| {
        length += line.row.as_ref().map_or(0, |row| row.fields().iter().map(|field| field.len()).sum());
        *at == PART || (*at > 0 && length > LONGEST_PART)
    };
    lines.iter().enumerate().find(is_full).map(|(end, _)| end)
}

/// What is dropped is a hub's.
fn dropped(job: &str) -> Source<'_> {
    Source { job, sender: None }
}

/// A file with a row that is not UTF-8 is taken in all the same, and told about.
fn first_unreadable(lines: &[Line]) -> Option<FeedProblem> {
    let line = lines
        .iter()
        .find(|line| matches!(&line.row, Err(unreadable) if unreadable.reason == Reason::NotUtf8))?;
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
    fn part_ends_at_its_most_rows_or_bytes() {
        let lines = |length: usize, count: usize| -> Vec<Line> {
            let line = |line| {
                let row = FeedRow { nama: "x".repeat(length), ..FeedRow::default() };
                Line { line, row: Ok(row) }
            };
            (1..=count as u64).map(line).collect()
        };
        assert_eq!(part_end(&lines(100, PART)), None);
        assert_eq!(part_end(&lines(100, PART + 1)), Some(PART));
        assert_eq!(part_end(&lines(64 * 1024, 64)), None);
        assert_eq!(part_end(&lines(64 * 1024, 65)), Some(64));
        assert_eq!(part_end(&lines(LONGEST_PART + 1, 2)), Some(1));
    }

    #[test]
    fn a_part_keeps_its_lines() {
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

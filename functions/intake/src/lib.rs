//! Event function `intake`: a dropped dose feed is read, judged and kept, row by row.
//!
//! ```text
//! intake/feeds/<job> ──► rows kept (conditional writes) ──► report ──► feed removed
//!                 ▲                    │
//!                 └── the event again ─┘ at any point: the same rows, the same report
//! ```
//!
//! The report is made in a second reading, from what the table says of each row's event once all rows are kept. It is
//! therefore a function of file and table alone, however often the job was interrupted and in whatever order its rows
//! went in.

mod compression;
mod csv;
mod feed;
mod fhir;
mod ndjson;

use std::collections::HashMap;

use aws_lambda_events::event::s3::S3Event;
use bukti_aws::{Aws, Doses, FeedProblem, Feeds, Incoming, JobRecord, JobState, Jobs, StoreError};
use bukti_domain::{History, Origin, Outcome, Reason, no_formula};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

pub use crate::feed::{FeedReader, Line, Unreadable};

/// Rows that are kept between two records of the progress.
const BATCH: usize = 256;
/// Rows that are written at the same time.
const WRITERS: usize = 16;
/// Events that are asked for at once when the report is made: the most that DynamoDB answers.
const REPORT_BATCH: usize = 100;

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
    doses: Doses,
    feeds: Feeds,
    jobs: Jobs,
    aws: Aws,
}

impl Intake {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { doses: Doses::new(aws), feeds: Feeds::new(aws), jobs: Jobs::new(aws), aws: aws.clone() }
    }

    /// Works off the feeds that an event names.
    ///
    /// # Errors
    ///
    /// [`IntakeError`]; the event can come again, what was done is not done twice.
    pub async fn handle(&self, event: S3Event) -> Result<(), IntakeError> {
        self.aws.keep_up().await;
        for record in event.records {
            let object = record.s3.object;
            let Some(key) = object.url_decoded_key.or(object.key) else { continue };
            match Feeds::job_of(&key) {
                Some(job) => self.work_off(job, &key).await?,
                None => tracing::warn!("an object that is no feed was dropped"),
            }
        }
        Ok(())
    }

    async fn work_off(&self, job: &str, key: &str) -> Result<(), IntakeError> {
        let known = self.jobs.get(job).await?;
        if known.is_some_and(|known| known.state != JobState::Running) {
            // It died between the end of its work and the removal of the feed.
            return Ok(self.feeds.remove(key).await?);
        }
        let mut record = JobRecord::default();
        let Some(problem) = self.keep_rows(job, key, &mut record).await? else { return Ok(()) };
        let (report, totals) = self.report(job, key).await?;
        self.feeds.keep_report(job, report).await?;

        record.state = if problem.is_some() { JobState::Failed } else { JobState::Done };
        record.problem = problem;
        record.totals =
            totals.into_iter().map(|(outcome, count)| (outcome.code().to_owned(), count)).collect();
        record.report = Some(Feeds::report_key(job));
        record.updated_at = Timestamp::now();
        self.jobs.keep(job, &record).await?;
        tracing::info!(job, rows = record.rows, state = ?record.state, "a feed was taken in");
        Ok(self.feeds.remove(key).await?)
    }

    /// Keeps every row that can be kept. `None` where there is no such feed (any more), else what is wrong with the file
    /// as such.
    async fn keep_rows(
        &self,
        job: &str,
        key: &str,
        record: &mut JobRecord,
    ) -> Result<Option<Option<FeedProblem>>, IntakeError> {
        let mut unreadable = None;
        let problem = self
            .read(key, BATCH, async |lines, bytes_done, bytes_total| {
                unreadable = unreadable.take().or_else(|| first_unreadable(&lines));
                record.rows += lines.len() as u64;
                let now = Timestamp::now();
                stream::iter(lines)
                    .filter_map(async |line| {
                        Incoming::judge(line.row.ok()?, origin(job, line.line), now, &self.aws.keys)
                    })
                    .map(async |incoming| self.doses.keep(&incoming).await)
                    .buffer_unordered(WRITERS)
                    .try_collect::<()>()
                    .await?;
                (record.bytes_done, record.bytes_total) = (bytes_done, bytes_total);
                record.updated_at = now;
                Ok(self.jobs.keep(job, record).await?)
            })
            .await?;
        Ok(problem.map(|problem| problem.or(unreadable)))
    }

    /// What became of every row, as CSV, and how many rows of each outcome there are.
    async fn report(&self, job: &str, key: &str) -> Result<(Vec<u8>, HashMap<Outcome, u64>), IntakeError> {
        let mut report = String::from("line,event_id,outcome,reasons\n");
        let mut totals = HashMap::new();
        self.read(key, REPORT_BATCH, async |lines, _, _| {
            let ids = lines.iter().filter_map(|line| line.row.as_ref().ok());
            let events: Vec<String> = ids.map(|row| self.aws.keys.event(&row.event_id)).collect();
            let histories = self.doses.histories(&events).await?.into_iter().collect();
            for line in lines {
                let (event_id, outcome, reasons) = self.outcome(job, &line, &histories);
                *totals.entry(outcome).or_insert(0) += 1;
                let reasons: Vec<&str> = reasons.into_iter().map(Reason::code).collect();
                let (id, outcome, reasons) = (csv_field(&event_id), outcome.code(), reasons.join(";"));
                report.push_str(&format!("{},{id},{outcome},{reasons}\n", line.line));
            }
            Ok(())
        })
        .await?;
        Ok((report.into_bytes(), totals))
    }

    fn outcome(
        &self,
        job: &str,
        line: &Line,
        histories: &HashMap<String, History>,
    ) -> (String, Outcome, Vec<Reason>) {
        let row = match &line.row {
            Ok(row) => row,
            Err(unreadable) => {
                return (unreadable.event_id.clone(), Outcome::Rejected, vec![unreadable.reason]);
            }
        };
        let event_id = row.event_id.trim().to_owned();
        let (outcome, reasons) = match (row.sent(), histories.get(&self.aws.keys.event(&event_id))) {
            (Some(sent_at), Some(history)) => {
                history.report(sent_at, &self.aws.keys.row_digest(row), &origin(job, line.line))
            }
            // Nothing by which it could be kept.
            _ => (Outcome::Rejected, row.judge(Timestamp::now()).1),
        };
        (event_id, outcome, reasons)
    }

    /// Reads a feed in batches of rows: `work` gets each with the bytes read so far and in all. `None` where there is no
    /// such feed, else what is wrong with the file as such.
    async fn read(
        &self,
        key: &str,
        batch: usize,
        mut work: impl AsyncFnMut(Vec<Line>, u64, u64) -> Result<(), IntakeError>,
    ) -> Result<Option<Option<FeedProblem>>, IntakeError> {
        let Some((mut stream, total)) = self.feeds.open(key).await? else { return Ok(None) };
        let mut reader = FeedReader::default();
        let mut lines = Vec::new();
        let mut done = 0;
        let mut problem = None;
        while problem.is_none() {
            let piece = stream.try_next().await.map_err(|error| IntakeError::Fetch(error.to_string()))?;
            let Some(piece) = piece else {
                problem = reader.finish(&mut lines).err();
                break;
            };
            done += piece.len() as u64;
            let mut rest = Some(&*piece);
            while let Some(piece) = rest {
                match reader.push(piece, &mut lines) {
                    Ok(left) => rest = left,
                    Err(found) => (problem, rest) = (Some(found), None),
                }
                while lines.len() >= batch {
                    let later = lines.split_off(batch);
                    work(std::mem::replace(&mut lines, later), done, total).await?;
                }
            }
        }
        while !lines.is_empty() {
            let later = lines.split_off(batch.min(lines.len()));
            work(std::mem::replace(&mut lines, later), done, total).await?;
        }
        Ok(Some(problem))
    }
}

fn origin(job: &str, line: u64) -> Origin {
    Origin { job: job.to_owned(), line }
}

/// A file with a row that is not UTF-8 is taken in all the same, and told about.
fn first_unreadable(lines: &[Line]) -> Option<FeedProblem> {
    let line = lines
        .iter()
        .find(|line| matches!(&line.row, Err(unreadable) if unreadable.reason == Reason::NotUtf8))?;
    Some(FeedProblem {
        code: Reason::NotUtf8.code().to_owned(),
        line: line.line,
        detail: "the file is not UTF-8; the rows that are were taken in".to_owned(),
    })
}

/// A field of a CSV file, quoted where it must be, and never one that a spreadsheet takes for a formula.
fn csv_field(text: &str) -> String {
    let text = no_formula(text);
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

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
mod ndjson;
mod part;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_lambda_events::event::s3::S3Event;
use bukti_aws::{
    Aws, DoseRecord, Doses, Dropped, Feed, FeedProblem, Feeds, Incoming, JobRecord, JobState, Jobs,
    PartRecord, StoreError,
};
use bukti_domain::{History, Origin, Outcome, Reason, no_formula};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

pub use crate::feed::{FeedReader, Line, Unreadable};

/// Rows of a part. Few enough to be kept in seconds, enough for what is counted once a part to cost little.
const PART: usize = 2000;
/// Rows that are written at the same time.
const WRITERS: usize = 16;
/// Events that are asked for at once: the most that DynamoDB answers.
const LOOKED_UP: usize = 100;
/// Such questions at the same time.
const QUESTIONS: usize = 4;

/// Before a row that the table did not take is tried again, after the SDK's own tries; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// After that wait it is the bucket's turn to call again.
const LONGEST_WAIT: Duration = Duration::from_secs(16);

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

    /// Keeps every row that can be kept, and reports what became of it: for good where these are `all` rows of the job.
    async fn keep_lines(&self, job: &str, part: u32, lines: &[Line], all: bool) -> Result<(), IntakeError> {
        let now = Timestamp::now();
        let incoming = lines.iter().filter_map(|line| {
            let row = line.row.as_ref().ok()?.clone();
            Incoming::judge(row, origin(job, line.line), now, &self.aws.keys)
        });
        let mut kept: HashMap<String, (u32, History)> = HashMap::new();
        let mut writing = stream::iter(incoming)
            .map(async |incoming| self.keep_row(&incoming).await)
            .buffer_unordered(WRITERS);
        while let Some(record) = writing.try_next().await? {
            // Of an event's rows that are written side by side, the last to be written knows all.
            let known = kept.get(&record.pk).is_some_and(|(revision, _)| *revision > record.revision);
            if !known {
                kept.insert(record.pk, (record.revision, record.history));
            }
        }
        let histories = kept.into_iter().map(|(event, (_, history))| (event, history)).collect();
        let (report, totals) = self.outcomes(job, lines, &histories);
        self.feeds.keep_part_report(job, part, report).await?;
        let record = PartRecord { rows: lines.len() as u64, totals, reported: all };
        Ok(self.jobs.part_kept(job, part, &record).await?)
    }

    /// Keeps a row; patiently, since a table grows with its load, and many parts may come at once.
    async fn keep_row(&self, incoming: &Incoming) -> Result<DoseRecord, StoreError> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.doses.keep(incoming).await {
                Err(error) if error.retryable() && wait <= LONGEST_WAIT => tokio::time::sleep(wait).await,
                kept => return kept,
            }
            wait *= 2;
        }
    }

    /// Reports the rows of a part for good, after all of the job are kept.
    async fn report(&self, job: &str, part: u32) -> Result<(), IntakeError> {
        if let Some(rows) = self.feeds.part(job, part).await? {
            let lines = part::read(&rows)?;
            let ids = lines.iter().filter_map(|line| line.row.as_ref().ok());
            let events: Vec<String> = ids.map(|row| self.aws.keys.event(&row.event_id)).collect();
            let histories: Vec<_> = stream::iter(events.chunks(LOOKED_UP))
                .map(|events| self.doses.histories(events))
                .buffer_unordered(QUESTIONS)
                .try_collect()
                .await?;
            let (report, totals) = self.outcomes(job, &lines, &histories.into_iter().flatten().collect());
            self.feeds.keep_part_report(job, part, report).await?;
            let record = PartRecord { rows: lines.len() as u64, totals, reported: true };
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

    /// What became of these rows, as lines of CSV, and how many there are of each outcome.
    fn outcomes(
        &self,
        job: &str,
        lines: &[Line],
        histories: &HashMap<String, History>,
    ) -> (String, BTreeMap<String, u64>) {
        let (mut report, mut totals) = (String::new(), BTreeMap::new());
        for line in lines {
            let (event_id, outcome, reasons) = self.outcome(job, line, histories);
            *totals.entry(outcome.code().to_owned()).or_default() += 1;
            let reasons: Vec<&str> = reasons.into_iter().map(Reason::code).collect();
            let (id, outcome, reasons) = (csv_field(&event_id), outcome.code(), reasons.join(";"));
            report.push_str(&format!("{},{id},{outcome},{reasons}\n", line.line));
        }
        (report, totals)
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
        let (mut reader, mut lines) = (FeedReader::default(), Vec::new());
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
        while lines.len() > PART {
            let later = lines.split_off(PART);
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

#[cfg(test)]
mod tests {
    use bukti_domain::FeedRow;

    use super::*;

    #[test]
    fn a_report_runs_nothing_in_a_spreadsheet() {
        for (written, expected) in [
            ("PCARE-1", "PCARE-1"),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            ("-2\n+3", "\"'-2\n+3\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
        ] {
            assert_eq!(csv_field(written), expected);
        }
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

//! HTTP function `sender`: doses that facilities and hubs send with their API keys.
//!
//! What is sent is a job whose name follows from sender and content. Whoever gets no answer sends the same again, and gets the
//! answer of the first time.

mod capability;
mod outcome;

use bukti_intake::{FeedReader, FhirKind, Line, Rows, Source, Told, report, totals};
use bukti_records::{FeedProblem, JobRecord, JobState, Sender};
use bukti_runtime::{Answer, Caller, Failure, FailureResult, Guard, body, json, page_start, query_parameter};
use bukti_store::{Aws, Counter, Feeds, Jobs, Metrics};
use bukti_wire::{
    DosesAnswer, FieldError, JobAnswer, JobPart, JobProblem, ProblemCode, RowAnswer, SenderRoute,
};
use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::header::{AUTHORIZATION, CONTENT_TYPE};

/// The longest body, in bytes, as it is sent.
const LONGEST_BODY: usize = 1024 * 1024;
/// How long a body may become when it is unpacked, in bytes.
const LONGEST_UNPACKED: u64 = 8 * 1024 * 1024;
/// The most rows of a request: so many are kept in a second or two.
const MOST_ROWS: usize = 1_000;
/// Parts of a job that one answer tells of.
const MOST_PARTS: usize = 100;

/// The function with what it may do.
#[derive(Clone)]
pub struct Senders {
    senders: bukti_store::Senders,
    rows: Rows,
    feeds: Feeds,
    jobs: Jobs,
    guard: Guard,
    metrics: Metrics,
    site_url: String,
}

impl Senders {
    /// The function of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            senders: bukti_store::Senders::new(aws),
            rows: Rows::new(aws),
            feeds: Feeds::new(aws),
            jobs: Jobs::new(aws),
            guard: Guard::new(aws),
            metrics: aws.metrics.clone(),
            site_url: aws.settings.site_url.clone(),
        }
    }

    /// Answers a request. Whoever sends FHIR is answered in FHIR, also where it is XML, which is not read.
    pub async fn handle(&self, request: Request) -> Answer {
        let answer = async |route, caller: &Caller, now| self.answer(&request, route, caller, now).await;
        let answer = self.guard.serve(&request, answer).await;
        let answers_fhir = is_fhir(&request) || is_xml(&request, body(&request));
        if answers_fhir { outcome::of_problem(answer) } else { answer }
    }

    async fn answer(
        &self,
        request: &Request,
        route: SenderRoute,
        caller: &Caller,
        now: Timestamp,
    ) -> FailureResult {
        match route {
            SenderRoute::Metadata => Ok(capability::statement(&self.site_url)),
            SenderRoute::SendDoses => self.take_in(request, &self.sender(request, now).await?, now).await,
            SenderRoute::Job => {
                let sender = self.sender(request, now).await?;
                let after = query_parameter(request, "after").unwrap_or_default();
                let after = if after.is_empty() { Some(0) } else { page_start(&after) };
                let after = after.ok_or_else(|| invalid("after"))?;
                self.job(&caller.parameter, after, &sender).await
            }
        }
    }

    /// The sender of the request's API key, who has something left of the rate limit.
    async fn sender(&self, request: &Request, now: Timestamp) -> Result<Sender, Failure> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().trim();
        let sender = self.senders.of_key(key, now).await?;
        let sender = sender.ok_or_else(|| Failure::new(ProblemCode::ApiKeyWrong))?;
        match self.senders.take(&sender, now).await? {
            Some(wait) => Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait)),
            None => Ok(sender),
        }
    }

    async fn take_in(&self, request: &Request, sender: &Sender, now: Timestamp) -> FailureResult {
        let sent = body(request);
        if sent.len() > LONGEST_BODY {
            return Err(Failure::new(ProblemCode::BodyTooLarge));
        }
        if is_xml(request, sent) {
            return Err(Failure::new(ProblemCode::UnsupportedMediaType));
        }
        let job = self.senders.job(sender, sent);
        // The same again was received when it first was: where nothing else says when its rows were sent, they stay the same.
        let received_at = self.jobs.get(&job).await?.map_or(now, |job| job.updated_at);
        let mut reader = FeedReader::new(received_at);
        let mut lines = match read(&mut reader, sent) {
            Ok(lines) => lines,
            // FHIR has room for what is wrong in words.
            Err(Unread::Problem(problem)) if is_fhir(request) => {
                self.metrics.count(Counter::Problems, ProblemCode::FeedUnreadable.code());
                return Ok(outcome::of_feed_problem(&problem));
            }
            Err(Unread::Problem(problem)) => return Err(unreadable(problem)),
            Err(Unread::TooManyRows) => return Err(Failure::new(ProblemCode::TooManyRows)),
            Err(Unread::TooLarge) => return Err(Failure::new(ProblemCode::BodyTooLarge)),
        };
        let begun = JobRecord {
            sender: Some(sender.clone()),
            bytes_total: sent.len() as u64,
            updated_at: received_at,
            ..JobRecord::default()
        };
        if reader.fhir().is_some() {
            // Before any row is kept: a retry after an interruption then finds when it was received.
            self.jobs.begin(&job, begun.clone()).await?;
        }
        let source = Source { job: &job, sender: Some(sender) };
        if reader.fhir() == Some(FhirKind::Transaction) {
            self.rows.refuse_transaction(source, &mut lines).await?;
        }
        let told = self.rows.keep(source, &lines).await?;

        let (rows, totals) = (told.len() as u64, totals(&told));
        self.feeds.keep_whole_report(&job, &report(&told)).await?;
        let record = JobRecord {
            state: JobState::Done,
            bytes_done: sent.len() as u64,
            rows,
            rows_kept: rows,
            totals: totals.clone(),
            report: Some(Feeds::report_key(&job)),
            ..begun
        };
        self.jobs.end(&job, &record).await?;
        tracing::info!(job, rows, sender = sender.kind(), "doses were sent");
        if is_fhir(request) {
            return Ok(outcome::of_rows(&told, reader.fhir()));
        }
        let rows = told.into_iter().map(row_answer).collect();
        Ok(json(200, &DosesAnswer { job, rows, totals }))
    }

    async fn job(&self, job: &str, after: u32, sender: &Sender) -> FailureResult {
        let record = self.jobs.get(job).await?;
        // Another's is answered as nobody's.
        let is_theirs = |record: &JobRecord| match sender {
            Sender::Hub(_) => true,
            Sender::Facility(_) => record.sender.as_ref() == Some(sender),
        };
        let record = record.filter(is_theirs).ok_or_else(|| Failure::new(ProblemCode::NotFound))?;
        let report = match record.report {
            Some(_) => Some(self.feeds.report_address(job, None).await?),
            None => None,
        };
        let (mut parts, mut next) = (Vec::new(), None);
        if record.state == JobState::Running {
            for (part, kept) in self.jobs.parts(job).await?.into_iter().filter(|(part, _)| *part > after) {
                if parts.len() == MOST_PARTS {
                    next = Some(part - 1);
                    break;
                }
                let report = self.feeds.report_address(job, Some(part)).await?;
                parts.push(JobPart { part, rows: kept.rows, totals: kept.totals, report });
            }
        }
        let problem = record.problem;
        Ok(json(
            200,
            &JobAnswer {
                job: job.to_owned(),
                state: record.state.code().to_owned(),
                rows: record.rows,
                rows_kept: record.rows_kept,
                totals: record.totals,
                problem: problem.map(|FeedProblem { code, line, detail }| JobProblem { code, line, detail }),
                report,
                parts,
                next,
            },
        ))
    }
}

/// Why nothing of what was sent is kept.
enum Unread {
    Problem(FeedProblem),
    TooManyRows,
    TooLarge,
}

/// Reads what was sent to its end, before anything of it is kept.
fn read(reader: &mut FeedReader, sent: &[u8]) -> Result<Vec<Line>, Unread> {
    let mut lines = Vec::new();
    let mut rest = Some(sent);
    while let Some(piece) = rest {
        rest = reader.push(piece, &mut lines).map_err(Unread::Problem)?;
        if lines.len() > MOST_ROWS {
            return Err(Unread::TooManyRows);
        }
        if reader.unpacked() > LONGEST_UNPACKED {
            return Err(Unread::TooLarge);
        }
    }
    reader.finish(&mut lines).map_err(Unread::Problem)?;
    if lines.len() > MOST_ROWS { Err(Unread::TooManyRows) } else { Ok(lines) }
}

fn unreadable(problem: FeedProblem) -> Failure {
    let explanation = format!("Line {}: {}.", problem.line, problem.detail);
    let error = FieldError { field: format!("line {}", problem.line), code: problem.code };
    Failure::of_fields(ProblemCode::FeedUnreadable, vec![error]).explained(explanation)
}

fn invalid(field: &str) -> Failure {
    Failure::fields(vec![FieldError::invalid(field)])
}

fn row_answer(told: Told) -> RowAnswer {
    RowAnswer {
        line: told.line,
        event_id: told.event_id,
        outcome: told.outcome.code().to_owned(),
        reasons: told.reasons.iter().map(|reason| reason.code().to_owned()).collect(),
        duplicate_of: told.duplicate_of,
    }
}

/// Whether a request says that it brings FHIR, also in a form that is not read (R4, 2.1.0.6: `application/fhir+json`).
fn is_fhir(request: &Request) -> bool {
    media_type(request).starts_with("application/fhir+")
}

/// Whether a request brings XML, as FHIR may be written. What is sent as a table is told apart by the reader: some systems export
/// HTML under the name of CSV.
fn is_xml(request: &Request, sent: &[u8]) -> bool {
    let media_type = media_type(request);
    let is_table = matches!(&*media_type, "text/csv" | "application/x-ndjson");
    let begins = sent.strip_prefix("\u{feff}".as_bytes()).unwrap_or(sent).trim_ascii_start();
    media_type.ends_with("/xml") || media_type.ends_with("+xml") || (!is_table && begins.starts_with(b"<"))
}

/// The media type of a request's body, in lower case and without its parameters.
fn media_type(request: &Request) -> String {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

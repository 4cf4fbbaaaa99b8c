//! HTTP function `sender`: imports the doses that facilities and hubs send with their API keys.
//!
//! Requests are idempotent: each is a job whose name is derived from the sender and the content,
//! and a row that repeats its event changes nothing. A sender that receives no response can safely
//! retry.

mod capability;
mod outcome;

use bukti_intake::{FeedReader, FhirKind, Line, RowImporter, RowResult, Source, report, totals};
use bukti_records::{FeedProblem, JobRecord, JobState, Sender};
use bukti_runtime::{Answer, Caller, Failure, FailureResult, Guard, body, json, page_start, query_parameter};
use bukti_store::{Aws, Counter, Feeds, Jobs, Metrics};
use bukti_wire::{
    DosesAnswer, FieldError, JobAnswer, JobPart, JobProblem, ProblemCode, RowAnswer, SenderRoute,
};
use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::header::{AUTHORIZATION, CONTENT_TYPE};

/// The maximum length of a request body before decompression, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The maximum length of a request body after decompression, in bytes.
const MAX_DECOMPRESSED_BYTES: u64 = 8 * 1024 * 1024;
/// The maximum number of rows in a request. They are imported in one or two seconds.
const MAX_ROWS: usize = 1_000;
/// The maximum number of job parts in one response.
const MAX_PARTS: usize = 100;

/// The function `sender` and its clients.
#[derive(Clone)]
pub struct Senders {
    senders: bukti_store::Senders,
    rows: RowImporter,
    feeds: Feeds,
    jobs: Jobs,
    guard: Guard,
    metrics: Metrics,
    site_url: String,
}

impl Senders {
    /// Creates the function for a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            senders: bukti_store::Senders::new(aws),
            rows: RowImporter::new(aws),
            feeds: Feeds::new(aws),
            jobs: Jobs::new(aws),
            guard: Guard::new(aws),
            metrics: aws.metrics.clone(),
            site_url: aws.settings.site_url.clone(),
        }
    }

    /// Responds to a request. A FHIR request gets a FHIR response, and so does an XML request,
    /// although XML is not supported.
    pub async fn handle(&self, request: Request) -> Answer {
        let answer = async |route, caller: &Caller, now| self.answer(&request, route, caller, now).await;
        let answer = self.guard.serve(&request, answer).await;
        let expects_fhir = is_fhir(&request) || is_xml(&request, body(&request));
        if expects_fhir { outcome::from_problem(answer) } else { answer }
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
            SenderRoute::SendDoses => {
                self.import_doses(request, &self.sender(request, now).await?, now).await
            }
            SenderRoute::Job => {
                let sender = self.sender(request, now).await?;
                let after = query_parameter(request, "after").unwrap_or_default();
                let after = if after.is_empty() { Some(0) } else { page_start(&after) };
                let after = after.ok_or_else(|| invalid("after"))?;
                self.job(&caller.parameter, after, &sender).await
            }
        }
    }

    /// Authenticates the sender by its API key and counts the request against its rate limit.
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

    /// Imports the rows of a request and responds with their results.
    async fn import_doses(&self, request: &Request, sender: &Sender, now: Timestamp) -> FailureResult {
        let content = body(request);
        if content.len() > MAX_BODY_BYTES {
            return Err(Failure::new(ProblemCode::BodyTooLarge));
        }
        if is_xml(request, content) {
            return Err(Failure::new(ProblemCode::UnsupportedMediaType));
        }
        let job = self.senders.job(sender, content);
        // A retry keeps the time of the first attempt. Rows that state no time get this time; with
        // a later one, they would count as newer rows instead of repetitions.
        let received_at = self.jobs.get(&job).await?.map_or(now, |job| job.updated_at);
        let mut reader = FeedReader::new(received_at);
        let mut lines = match read(&mut reader, content) {
            Ok(lines) => lines,
            // An OperationOutcome can contain the details.
            Err(ReadError::Problem(problem)) if is_fhir(request) => {
                self.metrics.count(Counter::Problems, ProblemCode::FeedUnreadable.code());
                return Ok(outcome::from_feed_problem(&problem));
            }
            Err(ReadError::Problem(problem)) => return Err(unreadable(problem)),
            Err(ReadError::TooManyRows) => return Err(Failure::new(ProblemCode::TooManyRows)),
            Err(ReadError::TooLarge) => return Err(Failure::new(ProblemCode::BodyTooLarge)),
        };
        let new_record = JobRecord {
            sender: Some(sender.clone()),
            bytes_total: content.len() as u64,
            updated_at: received_at,
            ..JobRecord::default()
        };
        if reader.fhir().is_some() {
            // The job is stored before any row, so that a retry after an interruption finds the
            // time of the first attempt.
            self.jobs.begin(&job, new_record.clone()).await?;
        }
        let source = Source { job: &job, sender: Some(sender) };
        if reader.fhir() == Some(FhirKind::Transaction) {
            self.rows.check_transaction(source, &mut lines).await?;
        }
        let results = self.rows.import(source, &lines).await?;

        let (rows, totals) = (results.len() as u64, totals(&results));
        self.feeds.keep_whole_report(&job, &report(&results)).await?;
        let record = JobRecord {
            state: JobState::Done,
            bytes_done: content.len() as u64,
            rows,
            rows_kept: rows,
            totals: totals.clone(),
            report: Some(Feeds::report_key(&job)),
            ..new_record
        };
        self.jobs.end(&job, &record).await?;
        tracing::info!(job, rows, sender = sender.kind(), "doses were sent");
        if is_fhir(request) {
            return Ok(outcome::from_results(&results, reader.fhir()));
        }
        let rows = results.into_iter().map(row_answer).collect();
        Ok(json(200, &DosesAnswer { job, rows, totals }))
    }

    /// Responds with the state of a job. While the job is running, this includes its parts with a
    /// number higher than `after`.
    async fn job(&self, job: &str, after: u32, sender: &Sender) -> FailureResult {
        let record = self.jobs.get(job).await?;
        // A job of another sender gets the same response as an unknown job, to prevent enumeration.
        let may_view = |record: &JobRecord| match sender {
            Sender::Hub(_) => true,
            Sender::Facility(_) => record.sender.as_ref() == Some(sender),
        };
        let record = record.filter(may_view).ok_or_else(|| Failure::new(ProblemCode::NotFound))?;
        let report = match record.report {
            Some(_) => Some(self.feeds.report_url(job, None).await?),
            None => None,
        };
        let (mut parts, mut next) = (Vec::new(), None);
        if record.state == JobState::Running {
            for (part, kept) in self.jobs.parts(job).await?.into_iter().filter(|(part, _)| *part > after) {
                if parts.len() == MAX_PARTS {
                    next = Some(part - 1);
                    break;
                }
                let report = self.feeds.report_url(job, Some(part)).await?;
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

/// The reason why a body is rejected as a whole.
enum ReadError {
    Problem(FeedProblem),
    TooManyRows,
    TooLarge,
}

/// Reads all rows of a body first, so that no row is stored if the body is rejected.
fn read(reader: &mut FeedReader, content: &[u8]) -> Result<Vec<Line>, ReadError> {
    let mut lines = Vec::new();
    let mut rest = Some(content);
    while let Some(piece) = rest {
        rest = reader.push(piece, &mut lines).map_err(ReadError::Problem)?;
        if lines.len() > MAX_ROWS {
            return Err(ReadError::TooManyRows);
        }
        if reader.decompressed_len() > MAX_DECOMPRESSED_BYTES {
            return Err(ReadError::TooLarge);
        }
    }
    reader.finish(&mut lines).map_err(ReadError::Problem)?;
    if lines.len() > MAX_ROWS { Err(ReadError::TooManyRows) } else { Ok(lines) }
}

fn unreadable(problem: FeedProblem) -> Failure {
    let explanation = format!("Line {}: {}.", problem.line, problem.detail);
    let error = FieldError { field: format!("line {}", problem.line), code: problem.code };
    Failure::of_fields(ProblemCode::FeedUnreadable, vec![error]).explained(explanation)
}

fn invalid(field: &str) -> Failure {
    Failure::fields(vec![FieldError::invalid(field)])
}

fn row_answer(result: RowResult) -> RowAnswer {
    RowAnswer {
        line: result.line,
        event_id: result.event_id,
        outcome: result.outcome.code().to_owned(),
        reasons: result.reasons.iter().map(|reason| reason.code().to_owned()).collect(),
        duplicate_of: result.duplicate_of,
    }
}

/// Whether the media type of a request is FHIR (`application/fhir+json`; R4, section 2.1.0.6). This
/// includes FHIR formats that are not supported.
fn is_fhir(request: &Request) -> bool {
    media_type(request).starts_with("application/fhir+")
}

/// Whether a request is XML, which is a FHIR format. A body that is declared to be a table is left
/// to the feed reader, which reports the specific problem: some systems export HTML as `.csv`.
fn is_xml(request: &Request, content: &[u8]) -> bool {
    let media_type = media_type(request);
    let is_table = matches!(&*media_type, "text/csv" | "application/x-ndjson");
    let text = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content).trim_ascii_start();
    media_type.ends_with("/xml") || media_type.ends_with("+xml") || (!is_table && text.starts_with(b"<"))
}

/// The media type of the request body, in lower case and without parameters.
fn media_type(request: &Request) -> String {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

//! Waits for an import job and for the resulting certificates and SMS, and shows the progress.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bukti_records::{JobRecord, JobState};

use crate::progress::{Count, Progress, Reading};
use crate::target::Target;

/// The interval between two reads of the job record.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The time for which reads may keep failing, long enough for the stack to restart.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The time after which the command reports that a job has not started.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The time without progress after which the intake on AWS has given up: three attempts of 15
/// minutes each, plus the delays between them.
const STALL_TIMEOUT: Duration = Duration::from_secs(50 * 60);
/// The time without progress after which the command queries the backlog of an embedded stack.
const STALL_CHECK: Duration = Duration::from_secs(5);

/// Shows the progress of a job until it ends.
pub(super) async fn follow(target: &mut Target, job: &str) -> Result<JobRecord> {
    let progress = Progress::new();
    let started = Instant::now();
    let mut last_read = Instant::now();
    let mut has_noted_start = false;
    let (mut position, mut since) = (None, Instant::now());
    loop {
        match target.jobs.get(job).await {
            Ok(Some(record)) if record.state != JobState::Running => {
                if record.state == JobState::Done {
                    progress.show(reading(&record));
                    progress.finish();
                }
                return Ok(record);
            }
            Ok(record) => {
                last_read = Instant::now();
                if record.is_none() && started.elapsed() > START_TIMEOUT && !has_noted_start {
                    has_noted_start = true;
                    progress.note(
                        "The import has not begun. On AWS, check that the bucket notifies the function `intake`.",
                    );
                }
                let record = record.unwrap_or_default();
                let current = Some((record.bytes_done, record.rows_kept, record.parts_reported));
                if current != position {
                    (position, since) = (current, Instant::now());
                } else if since.elapsed() > STALL_CHECK && has_given_up(target, since.elapsed()).await {
                    bail!(
                        "the import of job {job} failed after all retries: its event is in the dead letters, and the \
                         log of the function `intake` has the error. The rows until there are stored; fix the cause, \
                         then the same file can be imported again"
                    );
                }
                progress.show(reading(&record));
            }
            Err(_) if last_read.elapsed() < READ_TIMEOUT => {
                progress.show_state("waiting for a response");
                target.reconnect().await;
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    let argument = target.endpoint_argument();
                    format!(
                        "{} no longer responds. The import continues when it runs again; then fetch the report with \
                         `bukti report {job} --report OUT.csv{argument}`",
                        target.name
                    )
                });
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Whether the intake has given up on a job that made no progress for `stalled`.
async fn has_given_up(target: &Target, stalled: Duration) -> bool {
    match target.backlog().await {
        Ok(Some(backlog)) => backlog == 0,
        Ok(None) => stalled > STALL_TIMEOUT,
        Err(_) => false,
    }
}

/// Computes the progress of a job. Storing the rows and reporting them each take about half of the
/// time.
fn reading(record: &JobRecord) -> Reading {
    let ratio = |done: u64, all: u64| if all == 0 { 0.0 } else { (done as f64 / all as f64).min(1.0) };
    let is_read = record.parts_all.is_some();
    // Until the whole file is read, the total number of rows is estimated from the bytes read.
    let read = if is_read { 1.0 } else { ratio(record.bytes_done, record.bytes_total) };
    let stored = ratio(record.rows_kept, record.rows) * read;
    let reported = ratio(record.parts_reported.into(), record.parts_all.unwrap_or_default().into());
    let reading = if record.is_kept() {
        let rows = (record.rows as f64 * reported) as u64;
        Reading::new("Writing the report", "rows", Count::DoneOf(rows, record.rows))
    } else if is_read {
        Reading::new("Importing", "rows", Count::DoneOf(record.rows_kept, record.rows))
    } else {
        Reading::new("Importing", "rows", Count::Done(record.rows_kept))
    };
    reading.with_share((stored + reported) / 2.0)
}

/// Waits until an embedded stack has issued the certificates and sent the SMS of an import. On AWS
/// this returns at once, because the backlog is unknown.
pub(super) async fn wait_for_certificates(target: &mut Target) -> Result<()> {
    let progress = Progress::new();
    let mut last_response = Instant::now();
    loop {
        match target.backlog().await {
            Ok(Some(0)) => {
                progress.finish();
                return Ok(());
            }
            Ok(Some(backlog)) => {
                last_response = Instant::now();
                let count = Count::Left(backlog);
                progress.show(Reading::new("Issuing certificates and sending SMS", "events", count));
            }
            Ok(None) => {
                eprintln!("Certificates and SMS follow within minutes.");
                return Ok(());
            }
            Err(_) if last_response.elapsed() < READ_TIMEOUT => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "{} no longer responds: certificates and SMS follow when it runs again",
                        target.name
                    )
                });
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(record: &JobRecord) -> f64 {
        reading(record).share().unwrap()
    }

    #[test]
    fn shares_stay_between_0_and_1() {
        let empty = JobRecord::default();
        assert_eq!(share(&empty), 0.0);
        let unread = JobRecord { bytes_total: 1_000, bytes_done: 500, rows: 100, ..JobRecord::default() };
        let half_stored = JobRecord { rows_kept: 50, ..unread.clone() };
        assert_eq!(share(&half_stored), 0.125, "a quarter of the rows is stored, none is reported");
        let more_than_read = JobRecord { rows_kept: 500, ..unread };
        assert_eq!(share(&more_than_read), 0.25);
        let stored = JobRecord {
            rows: 200,
            rows_kept: 200,
            parts_all: Some(4),
            parts_kept: 4,
            parts_reported: 1,
            ..JobRecord::default()
        };
        assert_eq!(share(&stored), 0.625);
        assert_eq!(share(&JobRecord { parts_reported: 4, ..stored }), 1.0);
    }
}

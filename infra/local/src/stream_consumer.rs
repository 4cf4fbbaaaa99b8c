//! A stream consumer with the guarantees of Lambda's event source mapping:
//!
//! - At-least-once delivery: the checkpoint advances only after the function has responded, and it
//!   is saved only after the effects are on disk.
//! - Order per partition key: records are assigned to lanes by partition key, and each lane
//!   processes one batch at a time.
//! - Partial batch failures (`ReportBatchItemFailures`): the first failed record and the records
//!   after it are retried with exponential backoff. After all retries, the failed record goes to
//!   the dead-letter queue, and the lane continues with the next record.
//! - Filters (`FilterCriteria`): records that do not match count as processed.
//! - Bisection: if the function fails as a whole, the batch is halved until the failing record is
//!   isolated.
//!
//! A record that keeps failing blocks only its own lane. The checkpoint does not advance past it,
//! so a restart delivers all later records again. This is safe because the functions are
//! idempotent.

mod lane;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use aws_lambda_events::event::dynamodb::EventRecord;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use self::lane::Lane;
use crate::Retry;
use crate::checkpoint::Checkpoint;
use crate::dead_letters::DeadLetters;
use crate::dynamodb::{Position, Stream, StreamEntry};
use crate::stream_source::StreamSource;

/// The number of batches processed concurrently. More would only contend for the table.
const LANES: usize = 4;
/// The maximum number of records that have been read but not yet processed.
const MAX_UNPROCESSED: usize = 2000;
/// The maximum number of records per read. In memory, a record is several times its size in the
/// table.
const MAX_READ: usize = 250;
/// The minimum interval between reads, so that concurrent writes are read together.
const READ_INTERVAL: Duration = Duration::from_millis(20);
/// The maximum interval between reads, in case a write was not signalled.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct StreamConsumer {
    pub(crate) source: StreamSource,
    pub(crate) stream: Stream,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) retry: Retry,
}

/// A record that is queued for the function.
struct QueuedRecord {
    position: Position,
    record: EventRecord,
    /// Counts the record as unprocessed until the permit is dropped.
    _permit: OwnedSemaphorePermit,
}

impl StreamConsumer {
    /// Processes records until `stop` is true, then waits for the running batches.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let unprocessed = Arc::new(Semaphore::new(MAX_UNPROCESSED));
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::new();
        for _ in 0..LANES {
            let (sender, queue) = mpsc::unbounded_channel();
            lanes.push(sender);
            tasks.spawn(Lane::new(Arc::clone(&this), queue).run(stop.clone()));
        }
        let mut writes = this.stream.writes();
        let mut position = this.checkpoint.position();
        let mut next_read = tokio::time::interval(READ_INTERVAL);
        next_read.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = next_read.tick() => {}
            }
            writes.mark_unchanged();
            let entries = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                entries = this.read(position, &unprocessed) => entries,
            };
            match entries {
                Ok(entries) if !entries.is_empty() => {
                    let records = entries.iter().map(|(entry, _)| (entry.position, entry.record.is_none()));
                    this.checkpoint.track(records);
                    for (entry, permit) in entries {
                        position = entry.position;
                        let Some(record) = entry.record else { continue };
                        let lane = usize::try_from(entry.partition % LANES as u64).unwrap_or_default();
                        let queued = QueuedRecord { position, record, _permit: permit };
                        // This fails only if the lane has ended because the stack is stopping.
                        let _ = lanes[lane].send(queued);
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(consumer = this.source.name, %error, "cannot read the stream; retrying")
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = writes.changed() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
        drop(lanes);
        tasks.join_all().await;
    }

    /// Reads at least one record, and at most as many as the limit of unprocessed records allows.
    async fn read(
        &self,
        after: Position,
        unprocessed: &Arc<Semaphore>,
    ) -> Result<Vec<(StreamEntry, OwnedSemaphorePermit)>> {
        let mut permits = Arc::clone(unprocessed).acquire_owned().await?;
        let more = unprocessed.available_permits().min(MAX_READ - 1);
        if let Ok(others) = Arc::clone(unprocessed).try_acquire_many_owned(u32::try_from(more)?) {
            permits.merge(others);
        }
        let entries = self.stream.after(after, permits.num_permits(), &self.source.filter).await?;
        Ok(entries.into_iter().filter_map(|entry| Some((entry, permits.split(1)?))).collect())
    }
}

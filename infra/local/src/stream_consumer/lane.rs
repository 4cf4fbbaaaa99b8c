//! A lane of a stream consumer: processes the records of some partition keys in order, one batch at
//! a time.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::Event;
use tokio::sync::{mpsc, watch};

use super::{QueuedRecord, StreamConsumer};
use crate::dynamodb::Position;

/// The maximum number of records in a batch.
const MAX_BATCH: usize = 100;
/// The error code of a record that the function reported as failed.
const ITEM_FAILED: &str = "item_failed";

pub(super) struct Lane {
    consumer: Arc<StreamConsumer>,
    queue: mpsc::UnboundedReceiver<QueuedRecord>,
    /// Records taken from the queue that have not been processed yet.
    waiting: Vec<QueuedRecord>,
    /// The maximum size of the next batch. It is halved when a batch fails as a whole, and doubled
    /// when a batch succeeds.
    batch_size: usize,
    /// The failing record at the head of the lane, and the number of failed attempts.
    failing: Option<(Position, u32)>,
    consecutive_failures: u32,
}

enum Outcome {
    AllSucceeded,
    /// The record at this index failed; all records before it succeeded.
    FailedAt(usize),
    /// The function panicked or timed out, as the error code says.
    Failed(&'static str),
}

impl Lane {
    pub(super) fn new(consumer: Arc<StreamConsumer>, queue: mpsc::UnboundedReceiver<QueuedRecord>) -> Self {
        Self {
            consumer,
            queue,
            waiting: Vec::new(),
            batch_size: MAX_BATCH,
            failing: None,
            consecutive_failures: 0,
        }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while self.fill(&mut stop).await {
            let Some(backoff) = self.process_batch().await else { continue };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(backoff) => {}
            }
        }
    }

    /// Takes records from the queue, waiting for one if no record is left to process. Returns
    /// `false` if the lane must end.
    async fn fill(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        if self.waiting.is_empty() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return false,
                received = self.queue.recv_many(&mut self.waiting, MAX_BATCH) => if received == 0 {
                    return false;
                },
            }
        } else if *stop.borrow() {
            return false;
        }
        while self.waiting.len() < MAX_BATCH
            && let Ok(queued) = self.queue.try_recv()
        {
            self.waiting.push(queued);
        }
        true
    }

    /// Invokes the function with the next batch. If a record failed and must be retried, returns
    /// the backoff before the next attempt.
    async fn process_batch(&mut self) -> Option<Duration> {
        let batch = &self.waiting[..self.batch_size.min(self.waiting.len())];
        let attempted = batch.len();
        let outcome = self.invoke(batch).await;
        let succeeded = match outcome {
            Outcome::AllSucceeded => attempted,
            Outcome::FailedAt(index) => index,
            Outcome::Failed(_) => 0,
        };
        if succeeded > 0 {
            self.complete(succeeded);
        }
        let code = match outcome {
            Outcome::AllSucceeded => {
                self.batch_size = (self.batch_size * 2).min(MAX_BATCH);
                return None;
            }
            Outcome::FailedAt(_) => ITEM_FAILED,
            Outcome::Failed(code) => {
                self.batch_size = (attempted / 2).max(1);
                code
            }
        };
        self.consecutive_failures += 1;
        // If a batch of several records fails as a whole, the record that caused it is unknown.
        let is_record_known = code == ITEM_FAILED || attempted == 1;
        if is_record_known && self.count_failed_attempt(code).await {
            return None;
        }
        Some(self.consumer.retry.backoff(self.consecutive_failures))
    }

    /// Counts a failed attempt of the first record. After all retries, moves the record to the
    /// dead-letter queue. Returns whether it was moved.
    async fn count_failed_attempt(&mut self, code: &'static str) -> bool {
        let position = self.waiting[0].position;
        let attempts =
            self.failing.filter(|(failing, _)| *failing == position).map_or(1, |(_, attempts)| attempts + 1);
        self.failing = Some((position, attempts));
        let consumer = self.consumer.source.name;
        if attempts <= self.consumer.retry.retries {
            tracing::warn!(consumer, code, attempts, "a record failed; retrying");
            return false;
        }
        tracing::error!(
            consumer,
            code,
            attempts,
            "a record failed after all retries; moving it to the dead-letter queue"
        );
        let event = event(&self.waiting[..1]);
        if let Err(error) = self.consumer.dead_letters.add(consumer, code, &event).await {
            tracing::error!(%error, "cannot write the dead-letter queue; retrying the record");
            return false;
        }
        self.complete(1);
        true
    }

    /// Removes the first `count` records, which have been processed or moved to the dead-letter
    /// queue.
    fn complete(&mut self, count: usize) {
        let completed = self.waiting.drain(..count).map(|queued| queued.position);
        self.consumer.checkpoint.complete(completed);
        (self.failing, self.consecutive_failures) = (None, 0);
    }

    async fn invoke(&self, batch: &[QueuedRecord]) -> Outcome {
        match self.consumer.source.invoke(event(batch)).await {
            Ok(response) => response
                .batch_item_failures
                .iter()
                .map(|failure| {
                    // As on AWS, an unknown id fails the whole batch.
                    let id = failure.item_identifier.as_deref();
                    let has_id =
                        |queued: &QueuedRecord| queued.record.change.sequence_number.as_deref() == id;
                    batch.iter().position(has_id).unwrap_or(0)
                })
                .min()
                .map_or(Outcome::AllSucceeded, Outcome::FailedAt),
            Err(code) => Outcome::Failed(code),
        }
    }
}

fn event(batch: &[QueuedRecord]) -> Event {
    let mut event = Event::default();
    event.records = batch.iter().map(|queued| queued.record.clone()).collect();
    event
}

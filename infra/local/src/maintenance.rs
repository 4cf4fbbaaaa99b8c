//! Background tasks: flush writes to disk, delete expired items and objects, and trim the stream.

use std::sync::Arc;
use std::time::Duration;

use bukti_store::{Cases, Copies, EvidenceStore};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::dispatch::Dispatcher;
use crate::dynamodb::{DynamoDb, Position, Stream};
use crate::outbox::Outbox;

/// The interval at which expired objects are removed from the bucket.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// The interval at which the stream is trimmed. It is also the minimum interval for deleting
/// expired items.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);
/// The pause between two deletions of expired items, as a multiple of the time that the last one
/// took. Each deletion reads the whole table.
const EXPIRY_PAUSE_FACTOR: u32 = 50;
/// The interval at which writes are flushed. A power failure loses the writes since the last flush.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Applies the template's lifecycle rules to the bucket.
pub(crate) async fn expire_objects(dispatcher: Arc<Dispatcher>, mut stop: watch::Receiver<bool>) {
    loop {
        let expired = async {
            let bucket = &dispatcher.info.bucket;
            dispatcher.s3.expire(bucket, Copies::FOLDER, Copies::KEPT_FOR).await?;
            dispatcher.s3.expire(bucket, Cases::EVIDENCE, EvidenceStore::KEPT_FOR).await
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            expired = expired => if let Err(error) = expired {
                tracing::warn!(%error, "cannot remove expired objects from the bucket; retrying in an hour");
            },
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EXPIRE_INTERVAL) => {}
        }
    }
}

/// Deletes expired items, and stream records that all consumers have processed.
pub(crate) async fn clean_table(
    dynamodb: DynamoDb,
    stream: Stream,
    checkpoints: Vec<Arc<Checkpoint>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut next_expiry = Instant::now();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TRIM_INTERVAL) => {}
        }
        let began = Instant::now();
        if began >= next_expiry {
            if let Err(error) = dynamodb.delete_expired_items().await {
                tracing::warn!(%error, "cannot delete expired items; retrying");
            }
            next_expiry = Instant::now() + EXPIRY_PAUSE_FACTOR * began.elapsed();
        }
        let processed = checkpoints.iter().map(|checkpoint| checkpoint.saved_position()).min();
        if let Err(error) = stream.trim(processed.unwrap_or(Position::default())).await {
            tracing::warn!(%error, "cannot trim the stream; retrying in a minute");
        }
    }
}

/// Flushes to disk all data that must survive a power failure.
#[derive(Clone)]
pub(crate) struct DiskFlusher {
    pub(crate) dynamodb: DynamoDb,
    pub(crate) outbox: Outbox,
    pub(crate) checkpoints: Vec<Arc<Checkpoint>>,
}

impl DiskFlusher {
    /// Flushes writes and SMS, then saves the checkpoint positions that were read before the flush.
    /// A saved checkpoint is therefore never ahead of the writes that it covers.
    pub(crate) async fn flush(&self) {
        let positions: Vec<Position> =
            self.checkpoints.iter().map(|checkpoint| checkpoint.position()).collect();
        let flushed = async {
            if !self.dynamodb.sync().await? {
                return Ok(());
            }
            self.outbox.sync().await?;
            for (checkpoint, position) in self.checkpoints.iter().zip(positions) {
                checkpoint.save(position).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = flushed.await {
            tracing::error!(%error, "cannot flush to disk; check the disk of the data folder");
        }
    }

    /// Flushes once a second while new writes arrive.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut writes = self.dynamodb.writes();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = writes.changed() => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(FLUSH_INTERVAL) => {}
            }
            writes.mark_unchanged();
            self.flush().await;
        }
    }
}

//! How much there is left to process.

use std::sync::Arc;

use crate::dynamodb::Stream;
use crate::feeds::Feeds;
use crate::streams::Checkpoint;

/// Feeds and records of the stream that the functions have not yet processed.
pub(crate) struct Backlog {
    pub(crate) feeds: Feeds,
    pub(crate) stream: Stream,
    pub(crate) checkpoints: Vec<Arc<Checkpoint>>,
}

impl Backlog {
    /// How many there are; records are counted for each consumer.
    ///
    /// Zero means that all is done: feeds are counted first, so that what they wrote counts as
    /// records, and a record's checkpoint comes after all that its function wrote.
    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        let feeds = self.feeds.pending() as u64;
        let positions = self.checkpoints.iter().map(|checkpoint| checkpoint.position()).collect();
        Ok(feeds + self.stream.count_after(positions).await?)
    }
}

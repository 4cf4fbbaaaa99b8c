//! The backlog: events that the functions have not yet processed.

use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::dynamodb::Stream;
use crate::feed_source::FeedSource;

/// The event sources whose unprocessed events are counted.
pub(crate) struct Backlog {
    pub(crate) feeds: FeedSource,
    pub(crate) stream: Stream,
    pub(crate) checkpoints: Vec<Arc<Checkpoint>>,
}

impl Backlog {
    /// Counts the unprocessed events: feeds, plus stream records, which count once per consumer.
    ///
    /// Zero means that everything has been processed. Feeds are counted first, so that the records
    /// that an import writes in the meantime are included. A checkpoint advances only after the
    /// function has written its results.
    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        let feeds = self.feeds.pending() as u64;
        let positions = self.checkpoints.iter().map(|checkpoint| checkpoint.position()).collect();
        Ok(feeds + self.stream.count_after(positions).await?)
    }
}

//! Redrive: invokes the functions again with the events in the dead-letter queue.

use std::collections::HashSet;
use std::io;

use crate::dead_letters::{DeadLetter, DeadLetters, RedriveCounts};
use crate::feed_source::FeedSource;
use crate::stream_source::StreamSource;

/// The dead-letter queue, and the functions that its events are redriven to.
pub(crate) struct Redrive {
    pub(crate) dead_letters: DeadLetters,
    streams: Vec<StreamSource>,
    feeds: FeedSource,
    /// Locked during a redrive, so that two redrives cannot process the same event concurrently.
    running: tokio::sync::Mutex<()>,
}

impl Redrive {
    pub(crate) fn new(dead_letters: DeadLetters, streams: Vec<StreamSource>, feeds: FeedSource) -> Self {
        Self { dead_letters, streams, feeds, running: tokio::sync::Mutex::default() }
    }

    /// Retries all dead letters, oldest first, and removes those that succeed.
    pub(crate) async fn all(&self) -> io::Result<RedriveCounts> {
        let _running = self.running.lock().await;
        let mut done = HashSet::new();
        for (line, letter) in self.dead_letters.lines().await? {
            if self.deliver(letter).await {
                done.insert(line);
            }
        }
        self.dead_letters.remove(done).await
    }

    async fn deliver(&self, letter: DeadLetter) -> bool {
        match self.streams.iter().find(|source| source.name == letter.consumer) {
            Some(source) => {
                let Ok(event) = serde_json::from_value(letter.event) else { return false };
                source.redrive(event).await
            }
            None => {
                let Ok(event) = serde_json::from_value(letter.event) else { return false };
                self.feeds.redrive(event).await
            }
        }
    }
}

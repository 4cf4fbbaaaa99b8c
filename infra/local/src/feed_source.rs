//! The event source of the bucket: invokes the intake with an S3 event for each object that is
//! uploaded under `intake/feeds/`.
//!
//! Like Lambda's asynchronous invocation, it retries a failed event twice, then moves it to the
//! dead-letter queue. Events of the same object never run concurrently. Objects that already exist
//! when the stack starts are delivered again, because the intake deletes a feed only once it is
//! imported.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::s3::S3Event;
use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Retry;
use crate::dead_letters::DeadLetters;
use crate::invoke::invoke;

/// Invokes the function that imports feeds. The error message contains no personal data.
pub type FeedHandler = Arc<dyn Fn(S3Event) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The maximum number of feeds, or parts of a feed, that are imported concurrently. A higher number
/// would leave the table no capacity for certificates and SMS.
const MAX_CONCURRENT: usize = 2;
/// The timeout of the intake per event.
const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);
/// The characters that S3 percent-encodes in the object key of an event.
const KEY_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The event source of feeds. Clones share the same events.
#[derive(Clone)]
pub(crate) struct FeedSource(Arc<Inner>);

struct Inner {
    bucket: String,
    region: String,
    handler: FeedHandler,
    dead_letters: DeadLetters,
    retry: Retry,
    stop: watch::Receiver<bool>,
    concurrency: Semaphore,
    /// The keys of objects with a pending event. The value is `true` if the object was uploaded
    /// again in the meantime.
    pending_keys: Mutex<HashMap<String, bool>>,
    tasks: Mutex<JoinSet<()>>,
    /// The number of events that are waiting or being processed.
    pending: watch::Sender<usize>,
}

impl FeedSource {
    pub(crate) fn new(
        bucket: String,
        region: String,
        handler: FeedHandler,
        dead_letters: DeadLetters,
        retry: Retry,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner {
            bucket,
            region,
            handler,
            dead_letters,
            retry,
            stop,
            concurrency: Semaphore::new(MAX_CONCURRENT),
            pending_keys: Mutex::default(),
            tasks: Mutex::default(),
            pending: watch::Sender::new(0),
        }))
    }

    /// Whether an object with this key is a feed.
    pub(crate) fn is_feed(key: &str) -> bool {
        key.starts_with(bukti_store::Feeds::DROP) && !key.ends_with('/')
    }

    /// Schedules the event of an uploaded object that [is a feed](Self::is_feed), and returns at
    /// once.
    pub(crate) fn deliver(&self, key: &str, size: u64) {
        let mut pending_keys = self.0.pending_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(put_again) = pending_keys.get_mut(key) {
            *put_again = true;
            return;
        }
        pending_keys.insert(key.to_owned(), false);
        self.0.pending.send_replace(pending_keys.len());
        drop(pending_keys);
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(Arc::clone(&self.0).process(key.to_owned(), size));
    }

    /// Invokes the function with the event of a dead letter. Returns whether the function
    /// succeeded.
    pub(crate) async fn redrive(&self, event: S3Event) -> bool {
        // This cannot fail, because the semaphore is never closed.
        let Ok(_permit) = self.0.concurrency.acquire().await else { return false };
        let handler = Arc::clone(&self.0.handler);
        matches!(invoke(TIME_LIMIT, async move { handler(event).await }).await, Ok(Ok(())))
    }

    /// The number of events that are waiting or being processed.
    pub(crate) fn pending(&self) -> usize {
        *self.0.pending.borrow()
    }

    /// Aborts all events. Their objects remain in the bucket, so the next start delivers them
    /// again.
    pub(crate) fn abort(&self) {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Waits until no event is waiting or being processed.
    pub(crate) async fn wait_idle(&self) {
        // This cannot fail, because `self` holds the sender.
        let _ = self.0.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }
}

impl Inner {
    /// Processes the event of an object, and repeats it if the object was uploaded again in the
    /// meantime.
    async fn process(self: Arc<Self>, key: String, size: u64) {
        loop {
            self.invoke_with_retries(&key, size).await;
            let mut pending_keys = self.pending_keys.lock().unwrap_or_else(PoisonError::into_inner);
            match pending_keys.get_mut(&key) {
                Some(put_again) if *put_again && !*self.stop.borrow() => *put_again = false,
                _ => {
                    pending_keys.remove(&key);
                    self.pending.send_replace(pending_keys.len());
                    return;
                }
            }
        }
    }

    async fn invoke_with_retries(&self, key: &str, size: u64) {
        // This cannot fail, because the semaphore is never closed.
        let Ok(_permit) = self.concurrency.acquire().await else { return };
        let mut stop = self.stop.clone();
        let Some(event) = self.event(key, size) else { return };
        for retry in 0.. {
            if *stop.borrow() {
                return;
            }
            let (handler, event_copy) = (Arc::clone(&self.handler), event.clone());
            let (code, reason) = match invoke(TIME_LIMIT, async move { handler(event_copy).await }).await {
                Ok(Ok(())) => return,
                Ok(Err(reason)) => ("error", reason),
                Err(code) => (code, "the function did not respond".to_owned()),
            };
            if retry >= self.retry.retries {
                tracing::error!(
                    object = key,
                    code,
                    reason,
                    "a feed failed after all retries; moving it to the dead-letter queue"
                );
                if let Err(error) = self.dead_letters.add("intake", code, &event).await {
                    tracing::error!(%error, "cannot write the dead-letter queue");
                }
                return;
            }
            tracing::warn!(object = key, code, reason, "a feed failed; retrying");
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(self.retry.backoff(retry + 1)) => {}
            }
        }
    }

    fn event(&self, key: &str, size: u64) -> Option<S3Event> {
        let event = serde_json::from_value(serde_json::json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self.region,
            "eventTime": jiff::Timestamp::now().to_string(),
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "bukti" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": {},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "feeds",
                "bucket": {
                    "name": self.bucket,
                    "ownerIdentity": { "principalId": "bukti" },
                    "arn": format!("arn:aws:s3:::{}", self.bucket),
                },
                "object": { "key": utf8_percent_encode(key, KEY_ENCODED).to_string(), "size": size },
            },
        }]}));
        event.inspect_err(|error| tracing::error!(%error, "cannot build the S3 event")).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn source(folder: &std::path::Path, handler: FeedHandler) -> (FeedSource, watch::Sender<bool>) {
        let dead_letters = DeadLetters::open(&folder.join("dead-letters.jsonl")).unwrap();
        let retry = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(1), retries: 2 };
        let (stop, stopped) = watch::channel(false);
        (FeedSource::new("b".into(), "r".into(), handler, dead_letters, retry, stopped), stop)
    }

    #[tokio::test]
    async fn dead_letters_event_after_three_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let attempts = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&attempts);
        let (source, _stop) = source(
            folder.path(),
            Arc::new(move |event: S3Event| {
                assert_eq!(event.records[0].s3.object.key.as_deref(), Some("intake/feeds/a%20b.csv"));
                count.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Err("deliberate failure".to_owned()) })
            }),
        );
        for (key, is_feed) in
            [("intake/reports/a.csv", false), ("intake/feeds/", false), ("intake/feeds/a b.csv", true)]
        {
            assert_eq!(FeedSource::is_feed(key), is_feed, "{key}");
        }
        source.deliver("intake/feeds/a b.csv", 1);
        assert_eq!(source.pending(), 1);
        source.wait_idle().await;
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
        let dead = std::fs::read_to_string(folder.path().join("dead-letters.jsonl")).unwrap();
        assert_eq!(dead.lines().count(), 1);
        assert!(dead.contains("\"code\":\"error\""));
    }

    #[tokio::test]
    async fn events_of_one_object_never_run_concurrently() {
        let folder = tempfile::tempdir().unwrap();
        let (running, most, calls) = (Arc::default(), Arc::default(), Arc::default());
        let (running_now, most_seen, all): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&running), Arc::clone(&most), Arc::clone(&calls));
        let (source, _stop) = source(
            folder.path(),
            Arc::new(move |_| {
                let (running, most, calls) =
                    (Arc::clone(&running_now), Arc::clone(&most_seen), Arc::clone(&all));
                Box::pin(async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
            }),
        );
        source.deliver("intake/feeds/a.csv", 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        source.deliver("intake/feeds/a.csv", 1);
        source.deliver("intake/feeds/a.csv", 1);
        source.wait_idle().await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

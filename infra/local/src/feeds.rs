//! From the bucket to the intake: an object that is put under `intake/feeds/` becomes an S3 event.
//!
//! As Lambda does with asynchronous events, a failed one is tried twice more and then kept as a dead letter. The events
//! of one object never run at the same time. An object that is still there when the stack starts is delivered again,
//! since the intake takes a feed away when it is done with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::s3::S3Event;
use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Retry;
use crate::call::call;
use crate::dead_letters::DeadLetters;

/// The function that takes feeds. An error says what went wrong, without data of persons.
pub type FeedHandler = Arc<dyn Fn(S3Event) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How many feeds, or parts of one, are taken in at once. More would leave the table no turn for certificates and SMS meanwhile.
const AT_ONCE: usize = 2;
/// How long the intake may take for one event.
const TIME_LIMIT: Duration = Duration::from_secs(15 * 60);
/// What S3 leaves as it is in the key of an event.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Delivers the events of feeds. Clones share it.
#[derive(Clone)]
pub(crate) struct Feeds(Arc<Inner>);

struct Inner {
    bucket: String,
    region: String,
    handler: FeedHandler,
    dead_letters: DeadLetters,
    retry: Retry,
    stop: watch::Receiver<bool>,
    at_once: Semaphore,
    /// The objects whose event is under way, and whether another came meanwhile.
    under_way: Mutex<HashMap<String, bool>>,
    tasks: Mutex<JoinSet<()>>,
    /// How many events are under way.
    pending: watch::Sender<usize>,
}

impl Feeds {
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
            at_once: Semaphore::new(AT_ONCE),
            under_way: Mutex::default(),
            tasks: Mutex::default(),
            pending: watch::Sender::new(0),
        }))
    }

    /// Whether an object of this name is one that the function is told of.
    pub(crate) fn takes(key: &str) -> bool {
        key.starts_with(bukti_store::Feeds::DROP) && !key.ends_with('/')
    }

    /// Delivers the event of an object that was put and that it [takes](Self::takes). Comes back at once.
    pub(crate) fn put(&self, key: &str, size: u64) {
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(again) = under_way.get_mut(key) {
            *again = true;
            return;
        }
        under_way.insert(key.to_owned(), false);
        self.0.pending.send_replace(under_way.len());
        drop(under_way);
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(Arc::clone(&self.0).deliver(key.to_owned(), size));
    }

    /// Calls the function for a feed that it could not work off; whether it can now.
    pub(crate) async fn redrive(&self, event: S3Event) -> bool {
        // Never closed.
        let Ok(_turn) = self.0.at_once.acquire().await else { return false };
        let handler = Arc::clone(&self.0.handler);
        matches!(call(TIME_LIMIT, async move { handler(event).await }).await, Ok(Ok(())))
    }

    /// How many events are under way or wait.
    pub(crate) fn pending(&self) -> usize {
        *self.0.pending.borrow()
    }

    /// Ends what is under way. The objects are still there, and come again at the next start.
    pub(crate) fn abort(&self) {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Waits until none is under way.
    pub(crate) async fn finished(&self) {
        // The sender lives in self, so this cannot fail.
        let _ = self.0.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }
}

impl Inner {
    async fn deliver(self: Arc<Self>, key: String, size: u64) {
        loop {
            self.try_until_it_works(&key, size).await;
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            match under_way.get_mut(&key) {
                Some(again) if *again && !*self.stop.borrow() => *again = false,
                _ => {
                    under_way.remove(&key);
                    self.pending.send_replace(under_way.len());
                    return;
                }
            }
        }
    }

    async fn try_until_it_works(&self, key: &str, size: u64) {
        // Never closed.
        let Ok(_turn) = self.at_once.acquire().await else { return };
        let mut stop = self.stop.clone();
        let Some(event) = self.event(key, size) else { return };
        for retry in 0.. {
            if *stop.borrow() {
                return;
            }
            let (handler, this_event) = (Arc::clone(&self.handler), event.clone());
            let (code, reason) = match call(TIME_LIMIT, async move { handler(this_event).await }).await {
                Ok(Ok(())) => return,
                Ok(Err(reason)) => ("error", reason),
                Err(code) => (code, "the function did not answer".to_owned()),
            };
            if retry >= self.retry.retries {
                tracing::error!(object = key, code, reason, "a feed goes to the dead letters");
                if let Err(error) = self.dead_letters.keep("intake", code, &event).await {
                    tracing::error!(%error, "the dead letters cannot be written");
                }
                return;
            }
            tracing::warn!(object = key, code, reason, "a feed failed and is tried again");
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(self.retry.wait(retry + 1)) => {}
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
                "object": { "key": utf8_percent_encode(key, KEY).to_string(), "size": size },
            },
        }]}));
        event.inspect_err(|error| tracing::error!(%error, "an event cannot be made")).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn feeds(folder: &std::path::Path, handler: FeedHandler) -> (Feeds, watch::Sender<bool>) {
        let dead_letters = DeadLetters::open(&folder.join("dead-letters.jsonl")).unwrap();
        let retry = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(1), retries: 2 };
        let (stop, stopped) = watch::channel(false);
        (Feeds::new("b".into(), "r".into(), handler, dead_letters, retry, stopped), stop)
    }

    #[tokio::test]
    async fn three_tries_then_a_dead_letter() {
        let folder = tempfile::tempdir().unwrap();
        let tries = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tries);
        let (feeds, _stop) = feeds(
            folder.path(),
            Arc::new(move |event: S3Event| {
                assert_eq!(event.records[0].s3.object.key.as_deref(), Some("intake/feeds/a%20b.csv"));
                count.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Err("no".to_owned()) })
            }),
        );
        for (key, taken) in
            [("intake/reports/a.csv", false), ("intake/feeds/", false), ("intake/feeds/a b.csv", true)]
        {
            assert_eq!(Feeds::takes(key), taken, "{key}");
        }
        feeds.put("intake/feeds/a b.csv", 1);
        assert_eq!(feeds.pending(), 1);
        feeds.finished().await;
        assert_eq!(tries.load(Ordering::SeqCst), 3);
        let dead = std::fs::read_to_string(folder.path().join("dead-letters.jsonl")).unwrap();
        assert_eq!(dead.lines().count(), 1);
        assert!(dead.contains("\"code\":\"error\""));
    }

    #[tokio::test]
    async fn events_of_one_object_run_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (running, most, calls) = (Arc::default(), Arc::default(), Arc::default());
        let (running_now, most_seen, all): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&running), Arc::clone(&most), Arc::clone(&calls));
        let (feeds, _stop) = feeds(
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
        feeds.put("intake/feeds/a.csv", 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        feeds.put("intake/feeds/a.csv", 1);
        feeds.put("intake/feeds/a.csv", 1);
        feeds.finished().await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

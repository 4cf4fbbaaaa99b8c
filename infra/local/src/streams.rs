//! From the stream to a function, with the promises that Lambda's event source mapping makes:
//!
//! - at least once: how far a consumer is gets written down after the function has answered for it, and after what it did is
//!   on the disk, never before;
//! - in order per partition key: records are spread over lanes by their key, and a lane works one batch at a time;
//! - a function answers which records failed (`ReportBatchItemFailures`); the first of them and those after it come again
//!   after a wait that doubles, then the record goes to the dead letters and the lane goes on;
//! - a function is called for the records that its filter leaves (`FilterCriteria`); the others are done with;
//! - where the function fails as a whole, the batch is halved until the record that does it stands alone.
//!
//! A record that fails again and again holds up its own lane only. The checkpoint waits for it, so that after a restart
//! the records since then come again; functions are idempotent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::call::call;
use crate::dead_letters::DeadLetters;
use crate::dynamodb::{Position, Stream, StreamEntry};
use crate::filter::Filter;
use crate::{Retry, files};

/// A function that takes batches of the stream.
pub type StreamHandler = Arc<dyn Fn(Event) -> BoxFuture<'static, DynamoDbEventResponse> + Send + Sync>;

/// How many batches run at once. More would wait for each other at the table.
const LANES: usize = 4;
/// Records of a batch.
const BATCH: usize = 100;
/// Records that are read and not done.
const UNDER_WAY: usize = 2000;
/// Records of a read. Until a function has them, each is several times as large as in the table.
const READ: usize = 250;
/// How long after a read the next may come: what is written meanwhile is read at once, and not record by record.
const PACE: Duration = Duration::from_millis(20);
/// How long a function may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A function that is called for records of the stream.
#[derive(Clone)]
pub struct StreamSource {
    /// A name, by which it keeps its place in the stream over restarts.
    pub name: &'static str,
    /// Which records it is called for.
    pub filter: Filter,
    /// The function.
    pub handler: StreamHandler,
}

impl StreamSource {
    /// Calls the function for records that it could not work off; whether it can now.
    pub(crate) async fn redrive(&self, event: Event) -> bool {
        let handler = Arc::clone(&self.handler);
        let answer = call(TIME_LIMIT, async move { handler(event).await }).await;
        answer.is_ok_and(|answer| answer.batch_item_failures.is_empty())
    }
}

/// A consumer of the stream.
pub(crate) struct Consumer {
    pub(crate) source: StreamSource,
    pub(crate) stream: Stream,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) retry: Retry,
}

/// How far a consumer is: all up to here is done. Kept in a file, once what was done is on the disk.
pub(crate) struct Checkpoint {
    path: PathBuf,
    open: Mutex<Open>,
    saved: Mutex<Position>,
}

#[derive(Default)]
struct Open {
    /// Records that were read, and whether they are done.
    records: BTreeMap<Position, bool>,
    done_through: Position,
}

impl Checkpoint {
    /// The checkpoint in this file; the start of the stream where there is none.
    pub(crate) fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let position = Position::parse(&text).unwrap_or_default();
        let open = Mutex::new(Open { done_through: position, ..Open::default() });
        Self { path, open, saved: Mutex::new(position) }
    }

    /// The position until which all is done.
    pub(crate) fn position(&self) -> Position {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).done_through
    }

    /// The position on disk.
    pub(crate) fn saved(&self) -> Position {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a position in the file: the next process begins behind it. One at a time may do so.
    pub(crate) async fn save(&self, position: Position) -> std::io::Result<()> {
        if position > self.saved() {
            let (path, text) = (self.path.clone(), position.sequence_number());
            tokio::task::spawn_blocking(move || files::replace(&path, text.as_bytes()))
                .await
                .map_err(std::io::Error::other)??;
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = position;
        }
        Ok(())
    }

    /// Notes records that were read, and whether they are done with.
    fn begin(&self, records: impl Iterator<Item = (Position, bool)>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.records.extend(records);
        open.move_on();
    }

    /// Marks records as done.
    fn done(&self, taken: impl Iterator<Item = Taken>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.records.extend(taken.map(|taken| (taken.position, true)));
        open.move_on();
    }
}

impl Open {
    fn move_on(&mut self) {
        while let Some(first) = self.records.first_entry().filter(|first| *first.get()) {
            let (position, _) = first.remove_entry();
            self.done_through = position;
        }
    }
}

struct Taken {
    position: Position,
    record: EventRecord,
    _under_way: OwnedSemaphorePermit,
}

impl Consumer {
    /// Works until it is told to stop, then lets the batches under way finish.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::new();
        for _ in 0..LANES {
            let (send, receive) = mpsc::unbounded_channel();
            lanes.push(send);
            tasks.spawn(Arc::clone(&this).work_lane(receive, stop.clone()));
        }
        let mut writes = this.stream.writes();
        let mut read = this.checkpoint.position();
        let mut turn = tokio::time::interval(PACE);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = turn.tick() => {}
            }
            writes.mark_unchanged();
            let entries = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                entries = this.read(read, &under_way) => entries,
            };
            match entries {
                Ok(entries) if !entries.is_empty() => {
                    let records = entries.iter().map(|(entry, _)| (entry.position, entry.record.is_none()));
                    this.checkpoint.begin(records);
                    for (entry, permit) in entries {
                        read = entry.position;
                        let Some(record) = entry.record else { continue };
                        let lane = usize::try_from(entry.partition % LANES as u64).unwrap_or_default();
                        let taken = Taken { position: entry.position, record, _under_way: permit };
                        // A lane ends before its sender only when the stack stops.
                        let _ = lanes[lane].send(taken);
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(consumer = this.source.name, %error, "the stream cannot be read")
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = writes.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        drop(lanes);
        tasks.join_all().await;
    }

    async fn read(
        &self,
        after: Position,
        under_way: &Arc<Semaphore>,
    ) -> Result<Vec<(StreamEntry, OwnedSemaphorePermit)>> {
        let mut permits = Arc::clone(under_way).acquire_owned().await?;
        let more = under_way.available_permits().min(READ - 1);
        if let Ok(others) = Arc::clone(under_way).try_acquire_many_owned(u32::try_from(more)?) {
            permits.merge(others);
        }
        let entries = self.stream.after(after, permits.num_permits(), &self.source.filter).await?;
        Ok(entries.into_iter().filter_map(|entry| Some((entry, permits.split(1)?))).collect())
    }

    async fn work_lane(
        self: Arc<Self>,
        mut records: mpsc::UnboundedReceiver<Taken>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut waiting: Vec<Taken> = Vec::new();
        let mut size = BATCH;
        // The record that fails at the head of the lane, and how often it has.
        let mut failing: Option<(Position, u32)> = None;
        let mut failures_in_a_row = 0;
        loop {
            if waiting.is_empty() {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return,
                    received = records.recv_many(&mut waiting, BATCH) => if received == 0 { return },
                }
            } else if *stop.borrow() {
                return;
            }
            while waiting.len() < BATCH
                && let Ok(taken) = records.try_recv()
            {
                waiting.push(taken);
            }
            let batch = &waiting[..size.min(waiting.len())];
            let outcome = self.call(batch).await;
            let succeeded = match &outcome {
                Outcome::AllDone => batch.len(),
                Outcome::FailedAt(index) => *index,
                Outcome::Failed(_) => 0,
            };
            let tried = batch.len();
            if succeeded > 0 {
                self.checkpoint.done(waiting.drain(..succeeded));
                failures_in_a_row = 0;
                failing = None;
            }
            let code = match outcome {
                Outcome::AllDone => {
                    size = (size * 2).min(BATCH);
                    continue;
                }
                Outcome::FailedAt(_) => "item_failed",
                Outcome::Failed(code) => {
                    size = (tried / 2).max(1);
                    code
                }
            };
            failures_in_a_row += 1;
            // A batch that failed as a whole does not say who did it; alone, a record answers for itself.
            if code == "item_failed" || tried == 1 {
                let position = waiting[0].position;
                let tries = failing.filter(|(same, _)| *same == position).map_or(1, |(_, tries)| tries + 1);
                failing = Some((position, tries));
                if tries > self.retry.retries {
                    tracing::error!(
                        consumer = self.source.name,
                        code,
                        tries,
                        "a record goes to the dead letters"
                    );
                    let event = event(&waiting[..1]);
                    match self.dead_letters.keep(self.source.name, code, &event).await {
                        Ok(()) => {
                            self.checkpoint.done(waiting.drain(..1));
                            (failing, failures_in_a_row) = (None, 0);
                            continue;
                        }
                        Err(error) => tracing::error!(%error, "the dead letters cannot be written"),
                    }
                } else {
                    tracing::warn!(
                        consumer = self.source.name,
                        code,
                        tries,
                        "a record failed and is tried again"
                    );
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(self.retry.wait(failures_in_a_row)) => {}
            }
        }
    }

    async fn call(&self, batch: &[Taken]) -> Outcome {
        let (handler, event) = (Arc::clone(&self.source.handler), event(batch));
        match call(TIME_LIMIT, async move { handler(event).await }).await {
            Ok(answer) => answer
                .batch_item_failures
                .iter()
                .map(|failure| {
                    // An id that is none of the batch's fails all of it, as on AWS.
                    let id = failure.item_identifier.as_deref();
                    let known = |taken: &Taken| taken.record.change.sequence_number.as_deref() == id;
                    batch.iter().position(known).unwrap_or(0)
                })
                .min()
                .map_or(Outcome::AllDone, Outcome::FailedAt),
            Err(code) => Outcome::Failed(code),
        }
    }
}

enum Outcome {
    AllDone,
    FailedAt(usize),
    Failed(&'static str),
}

fn event(batch: &[Taken]) -> Event {
    let mut event = Event::default();
    event.records = batch.iter().map(|taken| taken.record.clone()).collect();
    event
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_lambda_events::event::streams::DynamoDbBatchItemFailure;

    use super::*;
    use crate::dynamodb::tests::{put, table};

    const FAST: Retry =
        Retry { first: Duration::from_millis(1), longest: Duration::from_millis(4), retries: 3 };

    struct Running {
        stop: watch::Sender<bool>,
        checkpoint: Arc<Checkpoint>,
        task: tokio::task::JoinHandle<()>,
        stream: Stream,
    }

    fn start(folder: &Path, stream: &Stream, handler: StreamHandler) -> Running {
        let checkpoint = Arc::new(Checkpoint::read(folder.join("checkpoint")));
        let consumer = Consumer {
            source: StreamSource { name: "test", filter: Filter::of(&["{}"]), handler },
            stream: stream.clone(),
            checkpoint: Arc::clone(&checkpoint),
            dead_letters: DeadLetters::open(&folder.join("dead-letters.jsonl")).unwrap(),
            retry: FAST,
        };
        let (stop, stopped) = watch::channel(false);
        Running { stop, checkpoint, task: tokio::spawn(consumer.run(stopped)), stream: stream.clone() }
    }

    impl Running {
        async fn idle(&self) {
            let idle = async {
                while self.stream.count_after(vec![self.checkpoint.position()]).await.unwrap() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), idle).await.expect("everything is worked off");
        }

        async fn stop(self) {
            self.stop.send_replace(true);
            self.task.await.unwrap();
            self.checkpoint.save(self.checkpoint.position()).await.unwrap();
        }
    }

    fn key(record: &EventRecord, name: &str) -> String {
        serde_json::to_value(&record.change.keys).unwrap()[name]["S"].as_str().unwrap().to_owned()
    }

    type Seen = Arc<Mutex<Vec<(String, String)>>>;

    /// A handler that notes what it has seen and fails as `fails` says.
    fn noting(seen: &Seen, fails: impl Fn(&EventRecord) -> Fail + Send + Sync + 'static) -> StreamHandler {
        let (seen, fails) = (Arc::clone(seen), Arc::new(fails));
        Arc::new(move |event| {
            let (seen, fails) = (Arc::clone(&seen), Arc::clone(&fails));
            Box::pin(async move {
                let mut answer = DynamoDbEventResponse::default();
                for record in &event.records {
                    match fails(record) {
                        Fail::No => seen.lock().unwrap().push((key(record, "pk"), key(record, "sk"))),
                        Fail::Item => {
                            let mut failure = DynamoDbBatchItemFailure::default();
                            failure.item_identifier = record.change.sequence_number.clone();
                            answer.batch_item_failures.push(failure);
                            break;
                        }
                        Fail::Panic => panic!("asked for"),
                    }
                }
                answer
            })
        })
    }

    enum Fail {
        No,
        Item,
        Panic,
    }

    fn dead(folder: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(folder.join("dead-letters.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn order_holds_per_key_and_a_restart_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        let seen = Seen::default();
        let running = start(folder.path(), &stream, noting(&seen, |_| Fail::No));
        for sk in 0..20 {
            for pk in ["a", "b", "c"] {
                put(&dynamodb, pk, &format!("{sk:02}")).await;
            }
        }
        running.idle().await;
        running.stop().await;
        for pk in ["a", "b", "c"] {
            let order: Vec<_> =
                seen.lock().unwrap().iter().filter(|(of, _)| of == pk).map(|(_, sk)| sk.clone()).collect();
            assert_eq!(order, (0..20).map(|sk| format!("{sk:02}")).collect::<Vec<_>>());
        }
        put(&dynamodb, "a", "20").await;
        let later = Seen::default();
        let running = start(folder.path(), &stream, noting(&later, |_| Fail::No));
        running.idle().await;
        running.stop().await;
        assert_eq!(*later.lock().unwrap(), [("a".to_owned(), "20".to_owned())]);
    }

    #[tokio::test]
    async fn a_failed_item_is_retried_with_those_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        for sk in ["1", "2", "3"] {
            put(&dynamodb, "a", sk).await;
        }
        let (seen, tries) = (Seen::default(), Mutex::new(0));
        let running = start(
            folder.path(),
            &stream,
            noting(&seen, move |record| {
                let mut tries = tries.lock().unwrap();
                if key(record, "sk") == "2" && *tries < 3 {
                    *tries += 1;
                    return Fail::Item;
                }
                Fail::No
            }),
        );
        running.idle().await;
        running.stop().await;
        let order: Vec<_> = seen.lock().unwrap().iter().map(|(_, sk)| sk.clone()).collect();
        assert_eq!(order, ["1", "2", "3"]);
        assert!(dead(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn what_never_works_goes_to_the_dead_letters_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        for number in 0..40 {
            put(&dynamodb, "a", &format!("{number:02}")).await;
        }
        let seen = Seen::default();
        let running = start(
            folder.path(),
            &stream,
            noting(&seen, |record| match key(record, "sk").as_str() {
                "07" => Fail::Item,
                "23" => Fail::Panic,
                _ => Fail::No,
            }),
        );
        running.idle().await;
        running.stop().await;
        let mut order: Vec<_> = seen.lock().unwrap().iter().map(|(_, sk)| sk.clone()).collect();
        // At least once: those before a panic in the same batch came more than once, but in order otherwise.
        order.sort();
        order.dedup();
        let expected: Vec<_> =
            (0..40).map(|n| format!("{n:02}")).filter(|n| n != "07" && n != "23").collect();
        assert_eq!(order, expected);
        let dead = dead(folder.path());
        let found: Vec<_> = dead
            .iter()
            .map(|letter| {
                let records = letter["event"]["Records"].as_array().unwrap();
                assert_eq!(records.len(), 1);
                assert_eq!(letter["consumer"], "test");
                (
                    records[0]["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap(),
                    letter["code"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [("07", "item_failed"), ("23", "panic")]);
    }

    #[tokio::test]
    async fn a_record_that_fails_holds_up_neither_other_lanes_nor_is_it_lost_by_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        put(&dynamodb, "stuck", "1").await;
        for number in 0..50 {
            put(&dynamodb, &format!("other{number}"), "1").await;
        }
        let seen = Seen::default();
        let handler =
            noting(&seen, |record| if key(record, "pk") == "stuck" { Fail::Item } else { Fail::No });
        let checkpoint = Arc::new(Checkpoint::read(folder.path().join("checkpoint")));
        let consumer = Consumer {
            source: StreamSource { name: "test", filter: Filter::of(&["{}"]), handler },
            stream: stream.clone(),
            checkpoint: Arc::clone(&checkpoint),
            dead_letters: DeadLetters::open(&folder.path().join("dead-letters.jsonl")).unwrap(),
            retry: Retry { first: Duration::from_secs(600), longest: Duration::from_secs(600), retries: 10 },
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(consumer.run(stopped));
        let others = async {
            // Those of the stuck one's lane wait behind it.
            while seen.lock().unwrap().len() < 30 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), others).await.expect("other lanes go on");
        stop.send_replace(true);
        task.await.unwrap();
        assert_eq!(checkpoint.position(), Position::default(), "the stuck record is not passed");
        let running = start(folder.path(), &stream, noting(&seen, |_| Fail::No));
        running.idle().await;
        running.stop().await;
        assert!(seen.lock().unwrap().iter().any(|(pk, _)| pk == "stuck"));
    }
}

use std::path::Path;
use std::sync::Mutex;

use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};

use super::*;
use crate::dynamodb::tests::{put, table};
use crate::filter::Filter;
use crate::stream_source::StreamHandler;

const FAST: Retry = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(4), retries: 3 };

struct RunningConsumer {
    stop: watch::Sender<bool>,
    checkpoint: Arc<Checkpoint>,
    task: tokio::task::JoinHandle<()>,
    stream: Stream,
}

fn start(folder: &Path, stream: &Stream, handler: StreamHandler) -> RunningConsumer {
    let checkpoint = Arc::new(Checkpoint::load(folder.join("checkpoint")));
    let consumer = StreamConsumer {
        source: StreamSource { name: "test", filter: Filter::of(&["{}"]), handler },
        stream: stream.clone(),
        checkpoint: Arc::clone(&checkpoint),
        dead_letters: DeadLetters::open(&folder.join("dead-letters.jsonl")).unwrap(),
        retry: FAST,
    };
    let (stop, stopped) = watch::channel(false);
    RunningConsumer { stop, checkpoint, task: tokio::spawn(consumer.run(stopped)), stream: stream.clone() }
}

impl RunningConsumer {
    async fn wait_idle(&self) {
        let idle = async {
            while self.stream.count_after(vec![self.checkpoint.position()]).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), idle).await.expect("all records are processed");
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

/// A handler that records the keys it receives and fails as `failure` specifies.
fn recording_handler(
    seen: &Seen,
    failure: impl Fn(&EventRecord) -> Failure + Send + Sync + 'static,
) -> StreamHandler {
    let (seen, failure) = (Arc::clone(seen), Arc::new(failure));
    Arc::new(move |event| {
        let (seen, failure) = (Arc::clone(&seen), Arc::clone(&failure));
        Box::pin(async move {
            let mut response = DynamoDbEventResponse::default();
            for record in &event.records {
                match failure(record) {
                    Failure::None => seen.lock().unwrap().push((key(record, "pk"), key(record, "sk"))),
                    Failure::Item => {
                        let mut item = DynamoDbBatchItemFailure::default();
                        item.item_identifier = record.change.sequence_number.clone();
                        response.batch_item_failures.push(item);
                        break;
                    }
                    Failure::Panic => panic!("deliberate panic"),
                }
            }
            response
        })
    })
}

enum Failure {
    None,
    Item,
    Panic,
}

fn dead_letters(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("dead-letters.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn keeps_order_per_key_and_resumes_after_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (dynamodb, stream) = table(folder.path()).await;
    let seen = Seen::default();
    let running = start(folder.path(), &stream, recording_handler(&seen, |_| Failure::None));
    for sk in 0..20 {
        for pk in ["a", "b", "c"] {
            put(&dynamodb, pk, &format!("{sk:02}")).await;
        }
    }
    running.wait_idle().await;
    running.stop().await;
    for pk in ["a", "b", "c"] {
        let order: Vec<_> = seen
            .lock()
            .unwrap()
            .iter()
            .filter(|(seen_pk, _)| seen_pk == pk)
            .map(|(_, sk)| sk.clone())
            .collect();
        assert_eq!(order, (0..20).map(|sk| format!("{sk:02}")).collect::<Vec<_>>());
    }
    put(&dynamodb, "a", "20").await;
    let later = Seen::default();
    let running = start(folder.path(), &stream, recording_handler(&later, |_| Failure::None));
    running.wait_idle().await;
    running.stop().await;
    assert_eq!(*later.lock().unwrap(), [("a".to_owned(), "20".to_owned())]);
}

#[tokio::test]
async fn retries_a_failed_item_and_those_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (dynamodb, stream) = table(folder.path()).await;
    for sk in ["1", "2", "3"] {
        put(&dynamodb, "a", sk).await;
    }
    let (seen, attempts) = (Seen::default(), Mutex::new(0));
    let running = start(
        folder.path(),
        &stream,
        recording_handler(&seen, move |record| {
            let mut attempts = attempts.lock().unwrap();
            if key(record, "sk") == "2" && *attempts < 3 {
                *attempts += 1;
                return Failure::Item;
            }
            Failure::None
        }),
    );
    running.wait_idle().await;
    running.stop().await;
    let order: Vec<_> = seen.lock().unwrap().iter().map(|(_, sk)| sk.clone()).collect();
    assert_eq!(order, ["1", "2", "3"]);
    assert!(dead_letters(folder.path()).is_empty());
}

#[tokio::test]
async fn dead_letters_only_the_records_that_keep_failing() {
    let folder = tempfile::tempdir().unwrap();
    let (dynamodb, stream) = table(folder.path()).await;
    for number in 0..40 {
        put(&dynamodb, "a", &format!("{number:02}")).await;
    }
    let seen = Seen::default();
    let running = start(
        folder.path(),
        &stream,
        recording_handler(&seen, |record| match key(record, "sk").as_str() {
            "07" => Failure::Item,
            "23" => Failure::Panic,
            _ => Failure::None,
        }),
    );
    running.wait_idle().await;
    running.stop().await;
    let mut order: Vec<_> = seen.lock().unwrap().iter().map(|(_, sk)| sk.clone()).collect();
    // Delivery is at least once: if a record panics, earlier records of the same batch are
    // delivered again.
    order.sort();
    order.dedup();
    let expected: Vec<_> = (0..40).map(|n| format!("{n:02}")).filter(|n| n != "07" && n != "23").collect();
    assert_eq!(order, expected);
    let letters = dead_letters(folder.path());
    let found: Vec<_> = letters
        .iter()
        .map(|letter| {
            let records = letter["event"]["Records"].as_array().unwrap();
            assert_eq!(records.len(), 1);
            assert_eq!(letter["consumer"], "test");
            (records[0]["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap(), letter["code"].as_str().unwrap())
        })
        .collect();
    assert_eq!(found, [("07", "item_failed"), ("23", "panic")]);
}

#[tokio::test]
async fn failing_record_blocks_its_lane_only_and_survives_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (dynamodb, stream) = table(folder.path()).await;
    put(&dynamodb, "stuck", "1").await;
    for number in 0..50 {
        put(&dynamodb, &format!("other{number}"), "1").await;
    }
    let seen = Seen::default();
    let handler =
        recording_handler(
            &seen,
            |record| if key(record, "pk") == "stuck" { Failure::Item } else { Failure::None },
        );
    let checkpoint = Arc::new(Checkpoint::load(folder.path().join("checkpoint")));
    let consumer = StreamConsumer {
        source: StreamSource { name: "test", filter: Filter::of(&["{}"]), handler },
        stream: stream.clone(),
        checkpoint: Arc::clone(&checkpoint),
        dead_letters: DeadLetters::open(&folder.path().join("dead-letters.jsonl")).unwrap(),
        retry: Retry { first: Duration::from_secs(600), longest: Duration::from_secs(600), retries: 10 },
    };
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(consumer.run(stopped));
    let others = async {
        // Records in the same lane wait behind the failing record.
        while seen.lock().unwrap().len() < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), others).await.expect("other lanes make progress");
    stop.send_replace(true);
    task.await.unwrap();
    assert_eq!(checkpoint.position(), Position::default(), "the checkpoint stays before the failing record");
    let running = start(folder.path(), &stream, recording_handler(&seen, |_| Failure::None));
    running.wait_idle().await;
    running.stop().await;
    assert!(seen.lock().unwrap().iter().any(|(pk, _)| pk == "stuck"));
}

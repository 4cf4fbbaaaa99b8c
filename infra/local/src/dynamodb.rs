//! DynamoDB by dynoxide, called in the process: the API for the SDKs, and the stream for the event sources.
//!
//! dynoxide keeps stream records for ever and without an index, so that each write reads all of them for the next
//! sequence number. [`StreamRecords`] mends both, on a connection of its own: an index, and a trim of what every consumer
//! has worked off.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use aws_lambda_events::event::dynamodb::EventRecord;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::{Database, DynoxideError};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::filter::Filter;
use crate::serial_executor::SerialExecutor;

/// Where a target header of DynamoDB begins.
const TARGETS: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// The table service. Clones share it.
#[derive(Clone)]
pub(crate) struct DynamoDb {
    database: Database,
    records: Arc<StreamRecords>,
    /// dynoxide has one connection, and callers that wait for its lock would each hold up a thread
    /// of the runtime.
    executor: SerialExecutor,
    /// Counts writes, so that the stream's consumers need not look without need.
    written: watch::Sender<u64>,
}

impl DynamoDb {
    /// Opens the database, made if absent.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = path.to_str().context("the data folder's name is not UTF-8")?;
        let database = Database::new(text).context("the table's file cannot be opened")?;
        let records = Arc::new(StreamRecords::open(path)?);
        Ok(Self {
            database,
            records,
            executor: SerialExecutor::new("table")?,
            written: watch::Sender::new(0),
        })
    }

    /// Answers a call of the API: what an `X-Amz-Target` header and a body ask for.
    pub(crate) async fn answer(&self, target: &str, body: Bytes) -> Response {
        let operation =
            TARGETS.iter().find_map(|prefix| target.strip_prefix(prefix)).unwrap_or_default().to_owned();
        let (status, json) = match self.call(&operation, &body).await {
            Ok(json) => (StatusCode::OK, json),
            Err(error) => {
                let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
                if status.is_server_error() {
                    tracing::error!(%error, "the table failed");
                }
                (status, error.to_json().into_bytes())
            }
        };
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("application/x-amz-json-1.0");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    async fn call(&self, operation: &str, body: &[u8]) -> dynoxide::Result<Vec<u8>> {
        const READS: [&str; 7] = ["Get", "Query", "Scan", "BatchGet", "Describe", "List", "TransactGet"];
        let writes = !READS.iter().any(|read| operation.starts_with(read));
        let (database, written) = (self.database.clone(), self.written.clone());
        let work = read(operation, body)?;
        let work = move || {
            let done = work(&database);
            // Told here, since whoever asked may be gone.
            if writes && done.is_ok() {
                written.send_modify(|count| *count += 1);
            }
            done
        };
        let called = self.executor.run(work).await;
        called.map_err(|_| DynoxideError::InternalServerError("the call ended early".to_owned()))??()
    }

    /// Changes with each write.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// The table's stream.
    pub(crate) fn stream(&self, table: &str) -> Stream {
        Stream { dynamodb: self.clone(), table: table.to_owned() }
    }

    /// Brings what was written until now to the disk; `false` where another is at it just now. A write survives the end of the
    /// process at once, and a loss of power from then on: SQLite is built so that it does not wait for the disk with each
    /// (`.cargo/config.toml`).
    pub(crate) async fn sync(&self) -> Result<bool> {
        let records = Arc::clone(&self.records);
        tokio::task::spawn_blocking(move || records.sync()).await?
    }

    /// Deletes what has expired, as DynamoDB does some time after.
    pub(crate) async fn sweep(&self) -> Result<usize> {
        // Not on the executor: it lets others in between its pages.
        let database = self.database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await??;
        if swept > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(swept)
    }
}

/// What is run on the executor, and what is then done with the outcome by the caller.
type Work = Box<dyn FnOnce(&Database) -> dynoxide::Result<Written> + Send>;
type Written = Box<dyn FnOnce() -> dynoxide::Result<Vec<u8>> + Send>;

fn read(operation: &str, body: &[u8]) -> dynoxide::Result<Work> {
    macro_rules! operations {
        ($($name:literal $method:ident),* $(,)?) => {
            match operation {
                $($name => of(body, |database, request| database.$method(request)),)*
                _ => Err(DynoxideError::SerializationException("UnknownOperationException".to_owned())),
            }
        };
    }
    operations! {
        "CreateTable" create_table,
        "DeleteTable" delete_table,
        "DescribeTable" describe_table,
        "ListTables" list_tables,
        "UpdateTable" update_table,
        "PutItem" put_item,
        "GetItem" get_item,
        "DeleteItem" delete_item,
        "UpdateItem" update_item,
        "Query" query,
        "Scan" scan,
        "BatchGetItem" batch_get_item,
        "BatchWriteItem" batch_write_item,
        "TransactWriteItems" transact_write_items,
        "TransactGetItems" transact_get_items,
        "ExecuteStatement" execute_statement,
        "ListStreams" list_streams,
        "DescribeStream" describe_stream,
        "GetShardIterator" get_shard_iterator,
        "GetRecords" get_records,
        "UpdateTimeToLive" update_time_to_live,
        "DescribeTimeToLive" describe_time_to_live,
    }
}

fn of<Request: DeserializeOwned + Send + 'static, Answer: Serialize + Send + 'static>(
    body: &[u8],
    operation: impl FnOnce(&Database, Request) -> dynoxide::Result<Answer> + Send + 'static,
) -> dynoxide::Result<Work> {
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        // dynoxide marks in the message what its own server then says as another error.
        let text = error.to_string();
        match text.strip_prefix("VALIDATION:").or_else(|| text.strip_prefix("VALIDATION_REQUEST:")) {
            Some(refused) => DynoxideError::ValidationException(refused.to_owned()),
            None => DynoxideError::SerializationException(text),
        }
    })?;
    Ok(Box::new(move |database| {
        let answer = operation(database, request)?;
        Ok(Box::new(move || {
            serde_json::to_vec(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
        }))
    }))
}

/// A place in a stream: all up to and with it has been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(i64);

impl Position {
    /// What dynoxide adds to the number that it stores, so that it has DynamoDB's 21 digits.
    const OFFSET: u128 = 100_000_000_000_000_000_000;

    /// The position of a sequence number.
    pub(crate) fn parse(sequence_number: &str) -> Option<Self> {
        let number: u128 = sequence_number.trim().parse().ok()?;
        i64::try_from(number.checked_sub(Self::OFFSET)?).ok().map(Self)
    }

    /// The sequence number.
    pub(crate) fn sequence_number(self) -> String {
        (Self::OFFSET + u128::from(self.0.unsigned_abs())).to_string()
    }
}

/// A record of the stream, as the functions get it.
pub(crate) struct StreamEntry {
    pub(crate) position: Position,
    /// The same for records of the same partition key, whose order is kept.
    pub(crate) partition: u64,
    /// The record, where it is one that is asked for.
    pub(crate) record: Option<EventRecord>,
}

/// The stream of a table.
#[derive(Clone)]
pub(crate) struct Stream {
    dynamodb: DynamoDb,
    table: String,
}

impl Stream {
    /// The records after a position, oldest first, at most 1000; of those that the filter does not leave the position only.
    pub(crate) async fn after(
        &self,
        position: Position,
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<StreamEntry>> {
        let stream = self.clone();
        let read = self.dynamodb.executor.run(move || stream.read(position, limit)).await;
        let records = read.map_err(|_| anyhow!("the read of the stream ended early"))??;
        let (arn, filter) = (self.arn(), filter.clone());
        let entries = move || records.into_iter().map(|record| entry(record, &arn, &filter)).collect();
        tokio::task::spawn_blocking(entries).await?
    }

    fn arn(&self) -> String {
        dynoxide::streams::stream_arn(&self.table, "bukti")
    }

    fn read(&self, position: Position, limit: usize) -> Result<Vec<Record>> {
        let database = &self.dynamodb.database;
        let start = position == Position::default();
        let iterator = database.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: self.arn(),
            shard_id: dynoxide::streams::shard_id(&self.table),
            shard_iterator_type: if start { "TRIM_HORIZON" } else { "AFTER_SEQUENCE_NUMBER" }.to_owned(),
            sequence_number: (!start).then(|| position.sequence_number()),
        })?;
        let answer = database.get_records(GetRecordsRequest {
            shard_iterator: iterator.shard_iterator.unwrap_or_default(),
            limit: Some(limit.clamp(1, 1000)),
        })?;
        Ok(answer.records)
    }

    /// Changes with each write.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.dynamodb.writes()
    }

    /// How many records lie after these positions, as one moment's sum.
    pub(crate) async fn count_after(&self, positions: Vec<Position>) -> Result<u64> {
        let (records, table) = (Arc::clone(&self.dynamodb.records), self.table.clone());
        tokio::task::spawn_blocking(move || records.count_after(&table, &positions)).await?
    }

    /// Forgets records that everybody has seen.
    pub(crate) async fn trim(&self, through: Position) -> Result<()> {
        // On the executor, as all writes: of two concurrent writers SQLite has one retry again and
        // again.
        loop {
            let (records, table) = (Arc::clone(&self.dynamodb.records), self.table.clone());
            let trimmed = self.dynamodb.executor.run(move || records.trim(&table, through)).await;
            if trimmed.map_err(|_| anyhow!("the trim of the stream ended early"))?? < TRIMMED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

fn entry(record: Record, arn: &str, filter: &Filter) -> Result<StreamEntry> {
    let position =
        Position::parse(&record.dynamodb.sequence_number).context("a sequence number is malformed")?;
    let mut partition = DefaultHasher::new();
    serde_json::to_string(&record.dynamodb.keys.get("pk"))?.hash(&mut partition);
    // By way of the JSON that Lambda would get.
    let mut json = serde_json::to_value(&record)?;
    if !filter.fits(&json) {
        return Ok(StreamEntry { position, partition: partition.finish(), record: None });
    }
    if let Some(fields) = json.as_object_mut() {
        fields.insert("eventSourceARN".to_owned(), arn.into());
    }
    Ok(StreamEntry { position, partition: partition.finish(), record: Some(serde_json::from_value(json)?) })
}

/// Records that are forgotten at once.
const TRIMMED_AT_ONCE: usize = 1000;

/// The rows behind the streams.
struct StreamRecords {
    connection: Mutex<Connection>,
    /// Where records are deleted, on the executor: it must not wait there for what the other
    /// connection does.
    trims: Mutex<Connection>,
}

impl StreamRecords {
    fn open(path: &Path) -> Result<Self> {
        let open = || -> Result<Connection> {
            let connection = Connection::open(path).context("the table's file cannot be opened")?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection)
        };
        let connection = open()?;
        connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS bukti_stream_order
             ON _stream_records (table_name, CAST(sequence_number AS INTEGER));",
        )?;
        Ok(Self { connection: Mutex::new(connection), trims: Mutex::new(open()?) })
    }

    fn sync(&self) -> Result<bool> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0))?;
        Ok(busy == 0)
    }

    /// By the ids of the first such record and of the last, since ids follow each other without a gap: to count a million records
    /// takes long. There is one table with a stream.
    fn count_after(&self, table: &str, positions: &[Position]) -> Result<u64> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = connection.transaction()?;
        let mut count = 0;
        for position in positions {
            let after = moment.query_row(
                "SELECT (SELECT MAX(id) FROM _stream_records) - id + 1 FROM _stream_records
                 WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2
                 ORDER BY CAST(sequence_number AS INTEGER) LIMIT 1",
                (table, position.0),
                |row| row.get::<_, i64>(0),
            );
            count += after.optional()?.unwrap_or_default();
        }
        Ok(count.unsigned_abs())
    }

    /// Gives how many it has deleted, at most [`TRIMMED_AT_ONCE`]. The last record stays: the next number follows from it.
    fn trim(&self, table: &str, through: Position) -> Result<usize> {
        Ok(self.trims.lock().unwrap_or_else(PoisonError::into_inner).execute(
            "DELETE FROM _stream_records WHERE id IN (
                 SELECT id FROM _stream_records
                 WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
                   AND id < (SELECT MAX(id) FROM _stream_records)
                 ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3)",
            (table, through.0, TRIMMED_AT_ONCE),
        )?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table with a stream in a folder, and nothing else.
    pub(crate) async fn table(folder: &Path) -> (DynamoDb, Stream) {
        let dynamodb = DynamoDb::open(&folder.join("table.sqlite")).unwrap();
        let request = serde_json::json!({
            "TableName": "test",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        });
        let answer = dynamodb.answer("DynamoDB_20120810.CreateTable", request.to_string().into()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let stream = dynamodb.stream("test");
        (dynamodb, stream)
    }

    /// Puts an item of this key.
    pub(crate) async fn put(dynamodb: &DynamoDb, pk: &str, sk: &str) {
        let request = serde_json::json!({"TableName": "test", "Item": {"pk": {"S": pk}, "sk": {"S": sk}}});
        let answer = dynamodb.answer("DynamoDB_20120810.PutItem", request.to_string().into()).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }

    #[test]
    fn positions_are_sequence_numbers() {
        let position = Position::parse("100000000000000000005").unwrap();
        assert_eq!((position.0, position.sequence_number().as_str()), (5, "100000000000000000005"));
        assert_eq!(Position::parse("5"), None);
        assert_eq!(Position::parse("torn"), None);
    }

    #[tokio::test]
    async fn records_are_counted_trimmed_and_numbered_on() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        for number in 0..5 {
            put(&dynamodb, &format!("p{number}"), "s").await;
        }
        let all = Filter::of(&["{}"]);
        let entries = stream.after(Position::default(), 1000, &all).await.unwrap();
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[0].record.as_ref().unwrap().event_name, "INSERT");
        let one = Filter::of(&[r#"{"dynamodb": {"Keys": {"pk": {"S": ["p3"]}}}}"#]);
        let left = stream.after(Position::default(), 1000, &one).await.unwrap();
        let left: Vec<bool> = left.iter().map(|entry| entry.record.is_some()).collect();
        assert_eq!(left, [false, false, false, true, false]);
        let third = entries[2].position;
        assert_eq!(stream.count_after(vec![Position::default(), third]).await.unwrap(), 7);
        stream.trim(entries[4].position).await.unwrap();
        assert_eq!(stream.count_after(vec![Position::default()]).await.unwrap(), 1, "the last one stays");
        put(&dynamodb, "p5", "s").await;
        let later = stream.after(entries[4].position, 1000, &all).await.unwrap();
        assert_eq!(later.len(), 1);
        assert!(later[0].position > entries[4].position);
    }
}

//! DynamoDB: embeds dynoxide, and serves its API to the SDKs and its stream to the consumers.
//!
//! dynoxide never deletes stream records and does not index them, so each write scans all of them
//! for the next sequence number. [`StreamRecords`] adds the index and deletes processed records, on
//! its own SQLite connections.

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

/// The prefixes of the header `X-Amz-Target`, which are followed by the name of the operation.
const TARGET_PREFIXES: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// The DynamoDB service. Clones share the database.
#[derive(Clone)]
pub(crate) struct DynamoDb {
    database: Database,
    records: Arc<StreamRecords>,
    /// Runs all operations, because dynoxide has a single connection. Waiting for its lock would
    /// block a runtime thread per caller.
    executor: SerialExecutor,
    /// The number of writes so far. A change signals consumers to read the stream.
    writes: watch::Sender<u64>,
}

impl DynamoDb {
    /// Opens the database file, creating it if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = path
            .to_str()
            .context("the path of the data folder is not UTF-8: choose another with --data DIR")?;
        let database = Database::new(text).context("cannot open the file of the table")?;
        let records = Arc::new(StreamRecords::open(path)?);
        Ok(Self { database, records, executor: SerialExecutor::new("table")?, writes: watch::Sender::new(0) })
    }

    /// Handles an API call, given the header `X-Amz-Target` and the body.
    pub(crate) async fn handle(&self, target: &str, body: Bytes) -> Response {
        let operation = TARGET_PREFIXES
            .iter()
            .find_map(|prefix| target.strip_prefix(prefix))
            .unwrap_or_default()
            .to_owned();
        let (status, json) = match self.call(&operation, &body).await {
            Ok(json) => (StatusCode::OK, json),
            Err(error) => {
                let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
                if status.is_server_error() {
                    tracing::error!(%error, "a call of the table failed");
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
        let (database, write_count) = (self.database.clone(), self.writes.clone());
        let execute = parse(operation, body)?;
        let job = move || {
            let result = execute(&database);
            // Counted in the closure rather than after the await, which never completes if the
            // caller disconnects.
            if writes && result.is_ok() {
                write_count.send_modify(|count| *count += 1);
            }
            result
        };
        let executed = self.executor.run(job).await;
        executed.map_err(|_| DynoxideError::InternalServerError("the operation panicked".to_owned()))??()
    }

    /// Subscribes to the number of writes, which changes with each write.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    /// Returns the stream of a table.
    pub(crate) fn stream(&self, table: &str) -> Stream {
        Stream { dynamodb: self.clone(), table: table.to_owned() }
    }

    /// Flushes all writes to disk. Returns `false` if another flush is running.
    ///
    /// Without a flush, a write survives a crash of the process, but not a power failure: SQLite is
    /// compiled not to sync on each write (see `.cargo/config.toml`).
    pub(crate) async fn sync(&self) -> Result<bool> {
        let records = Arc::clone(&self.records);
        tokio::task::spawn_blocking(move || records.sync()).await?
    }

    /// Deletes expired items and returns their number. Like DynamoDB, it deletes them some time
    /// after they expire.
    pub(crate) async fn delete_expired_items(&self) -> Result<usize> {
        // This does not run on the executor, which it would block for a long time. dynoxide releases
        // the connection between pages.
        let database = self.database.clone();
        let deleted = tokio::task::spawn_blocking(move || database.sweep_ttl()).await??;
        if deleted > 0 {
            self.writes.send_modify(|count| *count += 1);
        }
        Ok(deleted)
    }
}

/// Executes an operation, on the executor thread.
type Execute = Box<dyn FnOnce(&Database) -> dynoxide::Result<Serialise> + Send>;
/// Serialises the result of an operation. The caller runs it, to keep the executor free.
type Serialise = Box<dyn FnOnce() -> dynoxide::Result<Vec<u8>> + Send>;

fn parse(operation: &str, body: &[u8]) -> dynoxide::Result<Execute> {
    macro_rules! operations {
        ($($name:literal $method:ident),* $(,)?) => {
            match operation {
                $($name => parse_request(body, |database, request| database.$method(request)),)*
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

fn parse_request<Request: DeserializeOwned + Send + 'static, Output: Serialize + Send + 'static>(
    body: &[u8],
    operation: impl FnOnce(&Database, Request) -> dynoxide::Result<Output> + Send + 'static,
) -> dynoxide::Result<Execute> {
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        // dynoxide marks validation errors with a prefix in the message.
        let text = error.to_string();
        match text.strip_prefix("VALIDATION:").or_else(|| text.strip_prefix("VALIDATION_REQUEST:")) {
            Some(reason) => DynoxideError::ValidationException(reason.to_owned()),
            None => DynoxideError::SerializationException(text),
        }
    })?;
    Ok(Box::new(move |database| {
        let output = operation(database, request)?;
        Ok(Box::new(move || {
            serde_json::to_vec(&output).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
        }))
    }))
}

/// A position in a stream: just after the record with this sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(i64);

impl Position {
    /// dynoxide adds this offset to the stored number, which gives it 21 digits as in DynamoDB.
    const OFFSET: u128 = 100_000_000_000_000_000_000;

    /// Parses a sequence number. Returns `None` if it is not one of dynoxide's.
    pub(crate) fn parse(sequence_number: &str) -> Option<Self> {
        let number: u128 = sequence_number.trim().parse().ok()?;
        i64::try_from(number.checked_sub(Self::OFFSET)?).ok().map(Self)
    }

    pub(crate) fn sequence_number(self) -> String {
        (Self::OFFSET + u128::from(self.0.unsigned_abs())).to_string()
    }
}

/// A stream record, as a consumer reads it.
pub(crate) struct StreamEntry {
    pub(crate) position: Position,
    /// A hash of the partition key. Records with the same hash are processed in order.
    pub(crate) partition: u64,
    /// The record in the format that functions receive; `None` if the filter rejects it.
    pub(crate) record: Option<EventRecord>,
}

/// The stream of the changes to a table. Clones share the database.
#[derive(Clone)]
pub(crate) struct Stream {
    dynamodb: DynamoDb,
    table: String,
}

impl Stream {
    /// Reads the records after a position, oldest first. `limit` is at most 1000.
    pub(crate) async fn after(
        &self,
        position: Position,
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<StreamEntry>> {
        let stream = self.clone();
        let read = self.dynamodb.executor.run(move || stream.read(position, limit)).await;
        let records = read.map_err(|_| anyhow!("reading the stream panicked"))??;
        let (arn, filter) = (self.arn(), filter.clone());
        let entries = move || records.into_iter().map(|record| entry(record, &arn, &filter)).collect();
        tokio::task::spawn_blocking(entries).await?
    }

    fn arn(&self) -> String {
        dynoxide::streams::stream_arn(&self.table, "bukti")
    }

    fn read(&self, position: Position, limit: usize) -> Result<Vec<Record>> {
        let database = &self.dynamodb.database;
        let is_start = position == Position::default();
        let iterator = database.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: self.arn(),
            shard_id: dynoxide::streams::shard_id(&self.table),
            shard_iterator_type: if is_start { "TRIM_HORIZON" } else { "AFTER_SEQUENCE_NUMBER" }.to_owned(),
            sequence_number: (!is_start).then(|| position.sequence_number()),
        })?;
        let output = database.get_records(GetRecordsRequest {
            shard_iterator: iterator.shard_iterator.unwrap_or_default(),
            limit: Some(limit.clamp(1, 1000)),
        })?;
        Ok(output.records)
    }

    /// Subscribes to the number of writes, which changes with each write.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.dynamodb.writes()
    }

    /// Counts the records after each of the positions, in one snapshot, and returns the sum.
    pub(crate) async fn count_after(&self, positions: Vec<Position>) -> Result<u64> {
        let (records, table) = (Arc::clone(&self.dynamodb.records), self.table.clone());
        tokio::task::spawn_blocking(move || records.count_after(&table, &positions)).await?
    }

    /// Deletes the records up to a position that all consumers have passed.
    pub(crate) async fn trim(&self, through: Position) -> Result<()> {
        // This runs on the executor, like all writes: if two writers run concurrently, SQLite makes
        // one of them poll until it times out.
        loop {
            let (records, table) = (Arc::clone(&self.dynamodb.records), self.table.clone());
            let trimmed = self.dynamodb.executor.run(move || records.trim(&table, through)).await;
            if trimmed.map_err(|_| anyhow!("trimming the stream panicked"))?? < TRIM_BATCH {
                return Ok(());
            }
        }
    }
}

fn entry(record: Record, arn: &str, filter: &Filter) -> Result<StreamEntry> {
    let position = Position::parse(&record.dynamodb.sequence_number)
        .context("dynoxide returned a malformed sequence number")?;
    let mut partition = DefaultHasher::new();
    serde_json::to_string(&record.dynamodb.keys.get("pk"))?.hash(&mut partition);
    // The record is converted through JSON, because Lambda passes records to functions and filters
    // as JSON.
    let mut json = serde_json::to_value(&record)?;
    if !filter.matches(&json) {
        return Ok(StreamEntry { position, partition: partition.finish(), record: None });
    }
    if let Some(fields) = json.as_object_mut() {
        fields.insert("eventSourceARN".to_owned(), arn.into());
    }
    Ok(StreamEntry { position, partition: partition.finish(), record: Some(serde_json::from_value(json)?) })
}

/// The number of records deleted per transaction. A small batch keeps other writes from waiting
/// long.
const TRIM_BATCH: usize = 1000;

/// Access to the SQLite table in which dynoxide stores stream records.
struct StreamRecords {
    connection: Mutex<Connection>,
    /// A second connection, for deletions. They run on the executor, which must not wait for a
    /// count or a flush on the first connection.
    trim_connection: Mutex<Connection>,
}

impl StreamRecords {
    fn open(path: &Path) -> Result<Self> {
        let open = || -> Result<Connection> {
            let connection = Connection::open(path).context("cannot open the file of the table")?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            Ok(connection)
        };
        let connection = open()?;
        connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS bukti_stream_order
             ON _stream_records (table_name, CAST(sequence_number AS INTEGER));",
        )?;
        Ok(Self { connection: Mutex::new(connection), trim_connection: Mutex::new(open()?) })
    }

    fn sync(&self) -> Result<bool> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0))?;
        Ok(busy == 0)
    }

    /// Computes each count from the first and last id, because counting a million rows is slow. The
    /// ids have no gaps, because only one table has a stream.
    fn count_after(&self, table: &str, positions: &[Position]) -> Result<u64> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = connection.transaction()?;
        let mut count = 0;
        for position in positions {
            let after = snapshot.query_row(
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

    /// Deletes at most [`TRIM_BATCH`] records and returns their number. The last record is kept,
    /// because the next sequence number is derived from it.
    fn trim(&self, table: &str, through: Position) -> Result<usize> {
        Ok(self.trim_connection.lock().unwrap_or_else(PoisonError::into_inner).execute(
            "DELETE FROM _stream_records WHERE id IN (
                 SELECT id FROM _stream_records
                 WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
                   AND id < (SELECT MAX(id) FROM _stream_records)
                 ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3)",
            (table, through.0, TRIM_BATCH),
        )?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Creates a table with a stream, in a database in this folder.
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
        let response = dynamodb.handle("DynamoDB_20120810.CreateTable", request.to_string().into()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let stream = dynamodb.stream("test");
        (dynamodb, stream)
    }

    /// Puts an item with the given key.
    pub(crate) async fn put(dynamodb: &DynamoDb, pk: &str, sk: &str) {
        let request = serde_json::json!({"TableName": "test", "Item": {"pk": {"S": pk}, "sk": {"S": sk}}});
        let response = dynamodb.handle("DynamoDB_20120810.PutItem", request.to_string().into()).await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn converts_positions_to_sequence_numbers() {
        let position = Position::parse("100000000000000000005").unwrap();
        assert_eq!((position.0, position.sequence_number().as_str()), (5, "100000000000000000005"));
        assert_eq!(Position::parse("5"), None);
        assert_eq!(Position::parse("torn"), None);
    }

    #[tokio::test]
    async fn filters_counts_and_trims_records() {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, stream) = table(folder.path()).await;
        for number in 0..5 {
            put(&dynamodb, &format!("p{number}"), "s").await;
        }
        let all = Filter::of(&["{}"]);
        let entries = stream.after(Position::default(), 1000, &all).await.unwrap();
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[0].record.as_ref().unwrap().event_name, "INSERT");
        let one_key = Filter::of(&[r#"{"dynamodb": {"Keys": {"pk": {"S": ["p3"]}}}}"#]);
        let filtered = stream.after(Position::default(), 1000, &one_key).await.unwrap();
        let matching: Vec<bool> = filtered.iter().map(|entry| entry.record.is_some()).collect();
        assert_eq!(matching, [false, false, false, true, false]);
        let third = entries[2].position;
        assert_eq!(stream.count_after(vec![Position::default(), third]).await.unwrap(), 7);
        stream.trim(entries[4].position).await.unwrap();
        assert_eq!(stream.count_after(vec![Position::default()]).await.unwrap(), 1, "the last record stays");
        put(&dynamodb, "p5", "s").await;
        let later = stream.after(entries[4].position, 1000, &all).await.unwrap();
        assert_eq!(later.len(), 1);
        assert!(later[0].position > entries[4].position);
    }
}

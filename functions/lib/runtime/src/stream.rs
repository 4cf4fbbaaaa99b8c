//! Processes batches of records from the table's stream.

use std::error::Error;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use bukti_store::Aws;
use futures::{StreamExt, stream};

/// The number of records of a batch that are processed concurrently.
const CONCURRENCY: usize = 4;

/// Processes a batch in three steps: `begin` for each record, one `read` of the data that all
/// records need, and `finish` for each record. Returns a partial batch response
/// (`ReportBatchItemFailures`) that lists the failed records, which the event source then retries.
pub async fn process_batch<Begun, Shared, E: Error>(
    aws: &Aws,
    event: Event,
    begin: impl AsyncFn(EventRecord) -> Result<Begun, E>,
    read: impl AsyncFn(&[Begun]) -> Result<Shared, E>,
    finish: impl AsyncFn(Begun, &Shared) -> Result<(), E>,
) -> DynamoDbEventResponse {
    aws.refresh_secrets().await;
    let mut response = DynamoDbEventResponse::default();
    let mut failed = |number: String, error: &E| {
        tracing::warn!(sequence_number = %number, %error, "a stream record failed; it will be retried");
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(number);
        response.batch_item_failures.push(failure);
    };
    let (mut numbers, mut begun) = (Vec::new(), Vec::new());
    let mut results = stream::iter(event.records)
        .map(|record| async {
            let number = record.change.sequence_number.clone().unwrap_or_default();
            (number, begin(record).await)
        })
        .buffered(CONCURRENCY);
    while let Some((number, result)) = results.next().await {
        match result {
            Ok(record) => {
                numbers.push(number);
                begun.push(record);
            }
            Err(error) => failed(number, &error),
        }
    }
    let shared = read(&begun).await;
    let mut results = stream::iter(numbers.into_iter().zip(begun))
        .map(|(number, record)| async {
            let finished = async {
                match &shared {
                    Ok(shared) => finish(record, shared).await,
                    // A single record can make the shared read fail. Reading separately for each
                    // record lets the other records succeed.
                    Err(_) => {
                        let shared = read(std::slice::from_ref(&record)).await?;
                        finish(record, &shared).await
                    }
                }
            };
            (number, finished.await)
        })
        .buffered(CONCURRENCY);
    while let Some((number, result)) = results.next().await {
        if let Err(error) = result {
            failed(number, &error);
        }
    }
    aws.publish_metrics();
    response
}

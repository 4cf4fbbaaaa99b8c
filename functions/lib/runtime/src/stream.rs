//! Batches of the table's stream.

use std::error::Error;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use bukti_store::Aws;
use futures::{StreamExt, stream};

/// Records of a batch that are worked on at the same time.
const AT_ONCE: usize = 4;

/// Works on every record of a batch: begins each, looks at once at what all of them need to see,
/// and ends each. The answer names the records that failed and must come again
/// (`ReportBatchItemFailures`); the others are done.
pub async fn each_record<Begun, Seen, E: Error>(
    aws: &Aws,
    event: Event,
    begin: impl AsyncFn(EventRecord) -> Result<Begun, E>,
    look: impl AsyncFn(&[Begun]) -> Result<Seen, E>,
    end: impl AsyncFn(Begun, &Seen) -> Result<(), E>,
) -> DynamoDbEventResponse {
    aws.keep_up().await;
    let mut response = DynamoDbEventResponse::default();
    let mut failed = |number: String, error: &E| {
        tracing::warn!(sequence_number = %number, %error, "a stream record failed");
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
        .buffered(AT_ONCE);
    while let Some((number, result)) = results.next().await {
        match result {
            Ok(record) => {
                numbers.push(number);
                begun.push(record);
            }
            Err(error) => failed(number, &error),
        }
    }
    let together = look(&begun).await;
    let mut results = stream::iter(numbers.into_iter().zip(begun))
        .map(|(number, record)| async {
            let ended = async {
                match &together {
                    Ok(seen) => end(record, seen).await,
                    // One of them may be what cannot be seen: each alone, so that the others are
                    // done.
                    Err(_) => {
                        let seen = look(std::slice::from_ref(&record)).await?;
                        end(record, &seen).await
                    }
                }
            };
            (number, ended.await)
        })
        .buffered(AT_ONCE);
    while let Some((number, result)) = results.next().await {
        if let Err(error) = result {
            failed(number, &error);
        }
    }
    aws.tell_metrics();
    response
}

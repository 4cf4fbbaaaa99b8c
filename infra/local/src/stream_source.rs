//! An event source mapping of the stream: a function, and a filter for the records that it
//! receives.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use futures::future::BoxFuture;

use crate::filter::Filter;
use crate::invoke::invoke;

/// Invokes a function with a batch of records. The response lists the records that failed.
pub type StreamHandler = Arc<dyn Fn(Event) -> BoxFuture<'static, DynamoDbEventResponse> + Send + Sync>;

/// The timeout of a function per batch.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A function that is invoked with records of the stream.
#[derive(Clone)]
pub struct StreamSource {
    /// The name of the function, which also names its checkpoint file, so it must not change.
    pub name: &'static str,
    /// Selects the records that the function is invoked with.
    pub filter: Filter,
    /// Invokes the function.
    pub handler: StreamHandler,
}

impl StreamSource {
    /// Invokes the function. The error is the code of a panic or a timeout.
    pub(crate) async fn invoke(&self, event: Event) -> Result<DynamoDbEventResponse, &'static str> {
        let handler = Arc::clone(&self.handler);
        invoke(TIME_LIMIT, async move { handler(event).await }).await
    }

    /// Invokes the function with the event of a dead letter. Returns whether the function
    /// succeeded.
    pub(crate) async fn redrive(&self, event: Event) -> bool {
        self.invoke(event).await.is_ok_and(|response| response.batch_item_failures.is_empty())
    }
}

//! The embedded stack: Bukti and the AWS services that it uses, in one process on one port of
//! 127.0.0.1.
//!
//! The functions are the same code as on AWS and use the same SDKs, with another endpoint. Module
//! `dispatch` passes each request to its service, function or page:
//!
//! | on AWS | embedded |
//! |---|---|
//! | DynamoDB and its streams | `dynoxide-rs` with `DIR/table.sqlite` (`dynamodb`); verifies signatures (`signature`) |
//! | S3 | `s3s` and `s3s-fs` with `DIR/bucket`, which verify signatures (`s3`) |
//! | S3's lifecycle rules | expired objects are removed at the start and hourly (`maintenance`) |
//! | SNS | `Publish` of SMS to `DIR/outbox.jsonl`, shown at `/_sms` (`sns`, `outbox`); verifies signatures |
//! | API Gateway | the routes of [`bukti_wire::ROUTES`], payload format 2.0 (`api_gateway`) |
//! | DynamoDB event source mapping | order per partition key, retries, dead letters, filters (`stream_consumer`, `filter`) |
//! | S3 event notifications | one event per object at a time, retries, dead letters (`feed_source`) |
//! | EventBridge Scheduler | a schedule, and an invocation soon after a change (`publish_schedule`) |
//! | CloudFront | the static site and the public lists, with their headers (`site`) |
//!
//! The functions call the services by `in_process_connector`, without sockets. `request_guard`
//! rejects requests of other sites' pages.
//!
//! ```no_run
//! # async fn example() -> Result<(), bukti_local::StartError> {
//! let stack = bukti_local::Stack::start(bukti_local::Options { port: 0, ..Default::default() }).await?;
//! println!("{}", stack.url());
//! stack.stop().await;
//! # Ok(())
//! # }
//! ```

mod api_gateway;
mod aws_call;
mod backlog;
mod body_reader;
mod checkpoint;
mod data_folder;
mod dead_letters;
pub mod demo;
mod dispatch;
mod dynamodb;
mod feed_source;
mod files;
mod filter;
mod handlers;
mod in_process_connector;
mod invoke;
mod maintenance;
mod metrics;
mod outbox;
mod provision;
mod publish_schedule;
mod redrive;
mod request_guard;
mod s3;
mod serial_executor;
mod server;
mod signature;
mod site;
mod sns;
mod stack;
mod stack_info;
mod start_error;
mod stream_consumer;
mod stream_source;

pub use api_gateway::HttpHandler;
pub use feed_source::FeedHandler;
pub use filter::Filter;
pub use handlers::Handlers;
pub use outbox::Sms;
pub use publish_schedule::PublishHandler;
pub use stack::{Options, Stack};
pub use stack_info::StackInfo;
pub use start_error::StartError;
pub use stream_source::{StreamHandler, StreamSource};

/// Retries with exponential backoff.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The backoff before the first retry. It doubles with each retry.
    pub first: std::time::Duration,
    /// The longest backoff.
    pub longest: std::time::Duration,
    /// The number of retries after the first attempt.
    pub retries: u32,
}

impl Retry {
    /// The backoff before a retry; the first has number 1.
    fn backoff(&self, retry: u32) -> std::time::Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(retry.saturating_sub(1)));
        doubled.min(self.longest)
    }
}

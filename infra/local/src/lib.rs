//! The embedded stack: Bukti and the AWS services that it uses, in one process, on one port of
//! 127.0.0.1.
//!
//! The functions run the same code and use the same SDKs as on AWS, with a different endpoint. The
//! module `dispatch` routes each request to a service, function or page:
//!
//! | on AWS | embedded |
//! |---|---|
//! | DynamoDB and its stream | `dynoxide-rs` with `DIR/table.sqlite` (`dynamodb`) |
//! | S3 | `s3s` and `s3s-fs` with `DIR/bucket` (`s3`) |
//! | S3 lifecycle rules | removal of expired objects at start-up and hourly (`maintenance`) |
//! | SNS | `Publish` to `DIR/outbox.jsonl`, shown at `/_sms` (`sns`, `outbox`) |
//! | API Gateway | the routes of [`bukti_wire::ROUTES`], payload format 2.0 (`api_gateway`) |
//! | DynamoDB event source mapping | ordered batches, retries, filters (`stream_consumer`) |
//! | S3 event notifications | one event per object at a time, retries (`feed_source`) |
//! | EventBridge Scheduler | a schedule, and a run after each change (`publish_schedule`) |
//! | CloudFront | the static site and the public lists, with their headers (`site`) |
//!
//! All services verify signatures: `s3s` for S3, and `signature` for DynamoDB and SNS. Events that
//! fail after all retries go to the dead-letter queue (`dead_letters`).
//!
//! The functions call the services through `in_process_connector`, without sockets.
//! `request_guard` rejects requests from pages of other sites.
//!
//! ```no_run
//! # async fn example() -> Result<(), bukti_local::StartError> {
//! let options = bukti_local::Options { port: 0, ..Default::default() };
//! let stack = bukti_local::Stack::start(options).await?;
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

/// The settings for retries with exponential backoff.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The backoff before the first retry. It doubles for each further retry.
    pub first: std::time::Duration,
    /// The maximum backoff.
    pub longest: std::time::Duration,
    /// The maximum number of retries after the first attempt.
    pub retries: u32,
}

impl Retry {
    /// Returns the backoff before a retry. Retries are numbered from 1.
    fn backoff(&self, retry: u32) -> std::time::Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(retry.saturating_sub(1)));
        doubled.min(self.longest)
    }
}

//! The embedded stack: everything that Bukti uses of AWS, and Bukti itself, in one process on one port of 127.0.0.1.
//!
//! The functions are the same code as on AWS and speak the same SDKs; only the endpoint differs. What stands behind it:
//!
//! | service | here |
//! |---|---|
//! | DynamoDB and its streams | `dynoxide-rs` over `DIR/table.sqlite`, signatures checked (modules `dynamodb`, `signature`) |
//! | S3 | `s3s` and `s3s-fs` over `DIR/bucket`, signatures checked (module `s3`) |
//! | S3's lifecycle rules | copies of more than a day ago are removed, at the start and hourly (module `s3`) |
//! | SNS | `Publish` of SMS into `DIR/outbox.jsonl`, signatures checked, shown as a phone at `/_sms` (modules `sns`, `outbox`) |
//! | API Gateway | routes of [`bukti_wire::ROUTES`], payload format 2.0 (module `api`) |
//! | stream to Lambda | [`streams`]: order per partition key, retries, dead letters; filters (module `filter`) |
//! | S3 to Lambda | [`feeds`]: one event of an object at a time, retries, dead letters |
//! | EventBridge Scheduler to Lambda | [`publishing`]: by the clock, and soon after a change |
//! | CloudFront | the static site and the public lists with their headers (module `site`) |
//!
//! ```no_run
//! # async fn example() -> Result<(), bukti_local::StartError> {
//! let stack = bukti_local::Stack::start(bukti_local::Options { port: 0, ..Default::default() }).await?;
//! println!("{}", stack.url());
//! stack.stop().await;
//! # Ok(())
//! # }
//! ```

mod api;
mod backlog;
mod bodies;
mod call;
mod dead_letters;
pub mod demo;
mod dynamodb;
pub mod feeds;
mod files;
mod filter;
mod flow;
mod folder;
mod front;
mod handlers;
mod info;
mod inside;
mod outbox;
mod provision;
pub mod publishing;
mod redrive;
mod s3;
mod serial_executor;
mod server;
mod signature;
mod site;
mod sns;
mod stack;
mod start_error;
pub mod streams;

pub use api::HttpHandler;
pub use filter::Filter;
pub use handlers::Handlers;
pub use info::StackInfo;
pub use outbox::Sms;
pub use stack::{Options, Stack};
pub use start_error::StartError;
pub use streams::StreamSource;

/// How often and how fast something that failed is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The wait before the first retry; it doubles with each.
    pub first: std::time::Duration,
    /// The longest wait.
    pub longest: std::time::Duration,
    /// How many retries there are after the first try.
    pub retries: u32,
}

impl Retry {
    /// The wait before this retry, the first being 1.
    fn wait(&self, retry: u32) -> std::time::Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(retry.saturating_sub(1)));
        doubled.min(self.longest)
    }
}

//! The runtime that the functions share: logging, processing of stream batches, and [`http`] for
//! the HTTP functions.

pub mod http;
mod logs;
mod stream;

pub use http::*;
pub use logs::{TRACE_TARGET, start_logs};
pub use stream::process_batch;

//! What every function needs: logs, batches of the table's stream, and for the HTTP functions what
//! is in [`http`].

pub mod http;
mod logs;
mod stream;

pub use http::*;
pub use logs::{WAY, start_logs};
pub use stream::each_record;

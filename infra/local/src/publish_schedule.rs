//! EventBridge Scheduler: invokes the function `publish` every 15 minutes, like the template's
//! schedule, and also one second after a change to the published data.
//!
//! On AWS there is only the schedule, because commands that change published data publish it
//! themselves.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};

use crate::invoke::invoke;

/// Invokes the function `publish`. The error is the message to log.
pub type PublishHandler = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The interval of the schedule in the template.
const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// The delay after a change, which lets several changes be published together.
const CHANGE_DELAY: Duration = Duration::from_secs(1);
/// The delay before a retry.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// The timeout of the function.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Invokes the function at once and then on schedule, until `stop` is true.
pub(crate) async fn run(handler: PublishHandler, changed: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let published = invoke(TIME_LIMIT, handler()).await.unwrap_or_else(|code| Err(code.to_owned()));
        let pause = match published {
            Ok(()) => INTERVAL,
            Err(reason) => {
                tracing::warn!(reason, "cannot publish trust and revocation lists; retrying in 10 s");
                RETRY_DELAY
            }
        };
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changed.notified() => tokio::time::sleep(CHANGE_DELAY).await,
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = next => {}
        }
    }
}

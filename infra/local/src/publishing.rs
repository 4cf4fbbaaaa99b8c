//! From the clock, and from changes of what is public, to the function `publish`.
//!
//! On AWS the clock alone starts it, so what changes there is published by the command that changes it, or within a
//! quarter of an hour. Here it also follows a change by a second.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};

use crate::call::call;

/// The function that publishes. An error says what went wrong.
pub type PublishHandler = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How often it is called, as the template's schedule has it.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// How long after a change, so that many at once are one.
const SOON: Duration = Duration::from_secs(1);
/// How long after a failure.
const AGAIN: Duration = Duration::from_secs(10);
/// How long the function may take.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Calls the function, at once and then over and over, until it is told to stop.
pub(crate) async fn run(handler: PublishHandler, changed: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let published = call(TIME_LIMIT, handler()).await.unwrap_or_else(|code| Err(code.to_owned()));
        let pause = match published {
            Ok(()) => EVERY,
            Err(reason) => {
                tracing::warn!(reason, "trust and revocation lists could not be published");
                AGAIN
            }
        };
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changed.notified() => tokio::time::sleep(SOON).await,
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = next => {}
        }
    }
}

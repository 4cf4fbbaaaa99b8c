//! Calls of functions: each in a task of its own, so that a panic or an endless one harms nothing else.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError};

/// Why a call came to nothing, as a stable code.
pub(crate) const PANIC: &str = "panic";
/// See [`PANIC`].
pub(crate) const TIMEOUT: &str = "timeout";

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a call to its end. It is ended early after `limit`, and where this future is dropped.
///
/// # Errors
///
/// [`PANIC`] or [`TIMEOUT`].
pub(crate) async fn call<T: Send + 'static>(
    limit: Duration,
    function: impl Future<Output = T> + Send + 'static,
) -> Result<T, &'static str> {
    let task = tokio::spawn(function);
    let _aborts = AbortOnDrop(task.abort_handle());
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(PANIC),
        Err(_) => Err(TIMEOUT),
    }
}

/// Runs a call on a thread of its own: event functions compute for long stretches (signatures, PDFs), which would hold
/// up requests, and their futures stay on one thread.
pub(crate) fn on_own_thread<T, F>(function: impl FnOnce() -> F + Send + 'static) -> BoxFuture<'static, T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    Box::pin(async move {
        let runtime = Handle::current();
        // Closed when this future is dropped, which ends the call at its next wait.
        let (_wanted, unwanted) = oneshot::channel::<()>();
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                tokio::select! {
                    value = function() => Some(value),
                    _ = unwanted => None,
                }
            })
        });
        match thread.await.map_err(JoinError::try_into_panic) {
            Ok(Some(value)) => value,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // Only while the runtime ends: nobody waits for the answer any more.
            Ok(None) | Err(Err(_)) => std::future::pending().await,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn panics_and_time_limits_are_told() {
        let limit = Duration::from_secs(5);
        assert_eq!(call(limit, on_own_thread(|| async { 1 })).await, Ok(1));
        assert_eq!(call(limit, on_own_thread(|| async { panic!("asked for") })).await, Err::<(), _>(PANIC));
        let ended = Arc::new(AtomicBool::new(false));
        struct Ends(Arc<AtomicBool>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let ends = Ends(Arc::clone(&ended));
        let endless = on_own_thread(move || async move {
            let _ends = ends;
            std::future::pending::<()>().await;
        });
        assert_eq!(call(Duration::from_millis(20), endless).await, Err(TIMEOUT));
        while !ended.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

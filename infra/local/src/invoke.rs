//! Invokes each function in a separate task, so that a panic or a hang does not affect the others.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError};

/// The error code of an invocation that panicked, as dead letters store it.
pub(crate) const PANIC: &str = "panic";
/// The error code of an invocation that exceeded its time limit, as dead letters store it.
pub(crate) const TIMEOUT: &str = "timeout";

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a function. It is aborted when `limit` has passed, or when this future is dropped.
///
/// # Errors
///
/// [`PANIC`] if the function panics, or [`TIMEOUT`] if it exceeds the limit.
pub(crate) async fn invoke<T: Send + 'static>(
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

/// Runs a function on a separate thread. Event functions compute signatures and PDFs, which would
/// block the threads that serve requests, and their futures are not `Send`.
pub(crate) fn on_own_thread<T, F>(function: impl FnOnce() -> F + Send + 'static) -> BoxFuture<'static, T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    Box::pin(async move {
        let runtime = Handle::current();
        // The channel closes when this future is dropped, which cancels the function at its next
        // await.
        let (_keep_running, cancelled) = oneshot::channel::<()>();
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                tokio::select! {
                    value = function() => Some(value),
                    _ = cancelled => None,
                }
            })
        });
        match thread.await.map_err(JoinError::try_into_panic) {
            Ok(Some(value)) => value,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The function was cancelled or the runtime is shutting down, so nothing receives the
            // result.
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
    async fn reports_panics_and_timeouts() {
        let limit = Duration::from_secs(5);
        assert_eq!(invoke(limit, on_own_thread(|| async { 1 })).await, Ok(1));
        assert_eq!(
            invoke(limit, on_own_thread(|| async { panic!("deliberate panic") })).await,
            Err::<(), _>(PANIC)
        );
        let ended = Arc::new(AtomicBool::new(false));
        struct SetOnDrop(Arc<AtomicBool>);
        impl Drop for SetOnDrop {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let guard = SetOnDrop(Arc::clone(&ended));
        let endless = on_own_thread(move || async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        assert_eq!(invoke(Duration::from_millis(20), endless).await, Err(TIMEOUT));
        while !ended.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

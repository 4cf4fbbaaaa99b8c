//! A serial executor: runs closures one at a time, in submission order, on a dedicated thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::{io, thread};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A serial executor. Clones share the thread, which ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct SerialExecutor(mpsc::Sender<Job>);

impl SerialExecutor {
    /// Starts a thread with this name.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || queue.into_iter().for_each(|job| job()))?;
        Ok(Self(jobs))
    }

    /// Runs a closure and returns its result. The closure completes even if the returned future is
    /// dropped.
    ///
    /// # Errors
    ///
    /// The panic payload, if the closure panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::Result<T> {
        let (sender, result) = oneshot::channel();
        let job = move || {
            // This fails if the caller has dropped its future.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        };
        // This cannot fail: panics are caught, so the thread runs as long as an executor exists.
        let _ = self.0.send(Box::new(job));
        result.await.unwrap_or_else(|ended| Err(Box::new(ended)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn runs_a_thousand_concurrent_closures_one_at_a_time() {
        let executor = SerialExecutor::new("test").unwrap();
        let (running, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut callers = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let (executor, running, done) = (executor.clone(), Arc::clone(&running), Arc::clone(&done));
            callers.spawn(async move {
                let work = move || {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    number
                };
                assert_eq!(executor.run(work).await.unwrap(), number);
            });
        }
        callers.join_all().await;
        assert_eq!(done.load(Ordering::SeqCst), 1000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn panic_fails_its_own_caller_only() {
        let executor = SerialExecutor::new("test").unwrap();
        let (release, wait) = mpsc::channel::<()>();
        let mut callers = tokio::task::JoinSet::new();
        callers.spawn({
            let executor = executor.clone();
            async move { executor.run(move || wait.recv().unwrap()).await.is_ok() }
        });
        for number in 0..3 {
            let executor = executor.clone();
            callers.spawn(async move { executor.run(move || assert_ne!(number, 1)).await.is_ok() });
        }
        release.send(()).unwrap();
        let succeeded = callers.join_all().await.into_iter().filter(|ok| *ok).count();
        assert_eq!((succeeded, executor.run(|| 1).await.unwrap()), (3, 1));
    }

    #[tokio::test]
    async fn thread_ends_with_the_last_clone() {
        let executor = SerialExecutor::new("test").unwrap();
        // A thread-local value is dropped when its thread ends.
        let (alive, ended) = mpsc::channel::<()>();
        executor
            .run(move || {
                thread_local!(static ALIVE: std::cell::OnceCell<mpsc::Sender<()>> = const { std::cell::OnceCell::new() });
                ALIVE.with(|cell| cell.set(alive).unwrap());
            })
            .await
            .unwrap();
        drop(executor);
        assert!(ended.recv().is_err());
    }
}

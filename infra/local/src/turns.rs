//! One at a time: work for which there is one place, and for which many come at once.
//!
//! Who finds the place free works on the spot. Who comes meanwhile leaves the work there and waits without holding up a thread; a
//! thread of the place then does what lies there, one after the other, until nothing is left. Behind a lock each would be woken for
//! its turn, and the place would stand empty until it is awake.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use tokio::sync::oneshot;

/// The place. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Owner>);

/// Ends the thread when nobody can come any more.
struct Owner(Arc<Place>);

#[derive(Default)]
struct Place {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    at_work: AtWork,
    waiting: VecDeque<Box<dyn FnOnce() + Send>>,
    closed: bool,
}

#[derive(Default, PartialEq, Eq)]
enum AtWork {
    #[default]
    Nobody,
    /// Somebody who found the place free.
    Guest,
    Thread,
}

impl Turns {
    /// A place with its thread.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let place = Arc::new(Place::default());
        let theirs = Arc::clone(&place);
        thread::Builder::new().name(name.to_owned()).spawn(move || theirs.work_off())?;
        Ok(Self(Arc::new(Owner(place))))
    }

    /// Has this done in its turn, also where nobody waits for the result any more.
    ///
    /// # Errors
    ///
    /// What it panicked with.
    pub(crate) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::Result<T> {
        let place = &self.0.0;
        if !place.is_free() {
            return self.leave(work).await;
        }
        let done = catch_unwind(AssertUnwindSafe(work));
        place.hand_on(place.line());
        done
    }

    /// The same, never on the spot: for work that takes long.
    pub(crate) async fn leave<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::Result<T> {
        let (give, done) = oneshot::channel();
        let work = move || {
            // Not taken where nobody waits any more.
            let _ = give.send(catch_unwind(AssertUnwindSafe(work)));
        };
        self.0.0.leave(Box::new(work));
        // The thread ends after whoever could still wait.
        done.await.unwrap_or_else(|ended| Err(Box::new(ended)))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.line().closed = true;
        self.0.changed.notify_one();
    }
}

impl Place {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was free; it is the asker's now.
    fn is_free(&self) -> bool {
        let mut line = self.line();
        let free = line.at_work == AtWork::Nobody;
        if free {
            line.at_work = AtWork::Guest;
        }
        free
    }

    fn leave(&self, work: Box<dyn FnOnce() + Send>) {
        let mut line = self.line();
        line.waiting.push_back(work);
        if line.at_work == AtWork::Nobody {
            self.hand_on(line);
        }
    }

    /// To the thread, where somebody waits.
    fn hand_on(&self, mut line: MutexGuard<'_, Line>) {
        line.at_work = if line.waiting.is_empty() { AtWork::Nobody } else { AtWork::Thread };
        if line.at_work == AtWork::Thread {
            self.changed.notify_one();
        }
    }

    fn work_off(&self) {
        let mut line = self.line();
        loop {
            if line.at_work != AtWork::Thread {
                if line.closed {
                    return;
                }
                line = self.changed.wait(line).unwrap_or_else(PoisonError::into_inner);
            } else if let Some(work) = line.waiting.pop_front() {
                drop(line);
                work();
                line = self.line();
            } else {
                line.at_work = AtWork::Nobody;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_thousand_come_and_one_is_at_work() {
        let turns = Turns::new("test").unwrap();
        let (inside, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut guests = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let (turns, inside, done) = (turns.clone(), Arc::clone(&inside), Arc::clone(&done));
            guests.spawn(async move {
                let work = move || {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    number
                };
                assert_eq!(turns.take(work).await.unwrap(), number);
            });
        }
        guests.join_all().await;
        assert_eq!(done.load(Ordering::SeqCst), 1000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_panic_is_its_own_and_the_place_goes_on() {
        let turns = Turns::new("test").unwrap();
        assert!(turns.take(|| panic!("on the spot")).await.is_err());
        let (go, wait) = std::sync::mpsc::channel();
        let first = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(move || wait.recv()).await }
        });
        while turns.0.0.line().at_work == AtWork::Nobody {
            tokio::task::yield_now().await;
        }
        let mut behind = tokio::task::JoinSet::new();
        for number in 0..3 {
            let turns = turns.clone();
            behind
                .spawn(async move { turns.take(move || assert_ne!(number, 1, "in its turn")).await.is_ok() });
        }
        while turns.0.0.line().waiting.len() < 3 {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        assert!(first.await.unwrap().is_ok());
        let good = behind.join_all().await.into_iter().filter(|good| *good).count();
        assert_eq!((good, turns.take(|| 1).await.unwrap()), (2, 1));
    }

    #[tokio::test]
    async fn its_thread_ends_with_it() {
        let turns = Turns::new("test").unwrap();
        let place = Arc::downgrade(&turns.0.0);
        drop(turns);
        while place.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

//! What could not be worked off, kept for a person to look at: `DIR/dead-letters.jsonl`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::files;

/// The dead-letter store: a line of JSON each, with consumer, error code and the event as the function got it.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    file: Arc<Mutex<File>>,
}

#[derive(Serialize)]
struct DeadLetter<'a, E> {
    at: jiff::Timestamp,
    consumer: &'a str,
    code: &'a str,
    event: E,
}

impl DeadLetters {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Arc::new(Mutex::new(files::append_only(path)?)) })
    }

    /// Keeps an event. It is on disk when this comes back.
    pub(crate) async fn keep(&self, consumer: &str, code: &str, event: impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(&DeadLetter { at: jiff::Timestamp::now(), consumer, code, event })?;
        line.push(b'\n');
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line)?;
            file.sync_data()
        })
        .await
        .map_err(io::Error::other)?
    }
}

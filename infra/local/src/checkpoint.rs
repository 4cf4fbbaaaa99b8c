//! The checkpoint of a stream consumer: the position up to which all records have been processed.
//!
//! The checkpoint is saved to a file only after the effects of the records are on disk. After a
//! restart, records after the saved position are delivered again, so delivery is at least once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::dynamodb::Position;
use crate::files;

pub(crate) struct Checkpoint {
    path: PathBuf,
    progress: Mutex<Progress>,
    saved: Mutex<Position>,
}

#[derive(Default)]
struct Progress {
    /// The records that were read but are not yet covered by `position`. The value is `true` for
    /// processed records.
    records: BTreeMap<Position, bool>,
    position: Position,
}

impl Checkpoint {
    /// Loads the checkpoint from this file. Without a valid file, it is the start of the stream.
    pub(crate) fn load(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let position = Position::parse(&text).unwrap_or_default();
        let progress = Mutex::new(Progress { position, ..Progress::default() });
        Self { path, progress, saved: Mutex::new(position) }
    }

    /// The position up to which all records have been processed.
    pub(crate) fn position(&self) -> Position {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).position
    }

    /// The position last saved to the file, or loaded from it.
    pub(crate) fn saved_position(&self) -> Position {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves a position, unless a later one is already saved. Must not be called concurrently.
    pub(crate) async fn save(&self, position: Position) -> std::io::Result<()> {
        if position > self.saved_position() {
            let (path, text) = (self.path.clone(), position.sequence_number());
            tokio::task::spawn_blocking(move || files::replace(&path, text.as_bytes()))
                .await
                .map_err(std::io::Error::other)??;
            *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = position;
        }
        Ok(())
    }

    /// Adds records that were read. Each has a flag: `true` for a record that the filter rejected,
    /// which counts as processed.
    pub(crate) fn track(&self, records: impl Iterator<Item = (Position, bool)>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.records.extend(records);
        progress.advance();
    }

    /// Marks tracked records as processed, and advances the position past the processed ones at the
    /// front.
    pub(crate) fn complete(&self, positions: impl Iterator<Item = Position>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.records.extend(positions.map(|position| (position, true)));
        progress.advance();
    }
}

impl Progress {
    fn advance(&mut self) {
        while let Some(first) = self.records.first_entry().filter(|first| *first.get()) {
            let (position, _) = first.remove_entry();
            self.position = position;
        }
    }
}

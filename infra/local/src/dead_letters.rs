//! The dead-letter queue: events that failed after all retries, stored in `DIR/dead-letters.jsonl`,
//! one per line.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files;

/// The dead-letter queue. Clones share the same file.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

/// A dead letter: an event that could not be processed after all retries. Stored as one line of the
/// file.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    at: jiff::Timestamp,
    /// The name of the function that failed.
    pub(crate) consumer: String,
    code: String,
    /// The payload that the function was invoked with.
    pub(crate) event: Value,
}

/// A dead letter without its payload, for lists.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    at: jiff::Timestamp,
    consumer: String,
    code: String,
    /// The key of the table item, or of the feed's object in the bucket.
    about: String,
}

/// The result of a redrive.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RedriveCounts {
    /// The number of dead letters that were processed and removed.
    pub(crate) done: usize,
    /// The number of dead letters that remain.
    pub(crate) left: usize,
}

impl DeadLetter {
    fn summary(self) -> Summary {
        let record = &self.event["Records"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = &record["dynamodb"]["Keys"];
        let about = match record["s3"]["object"]["key"].as_str() {
            Some(object) => object.to_owned(),
            None => format!("{} {}", text(&key["pk"]["S"]), text(&key["sk"]["S"])),
        };
        Summary { at: self.at, consumer: self.consumer, code: self.code, about }
    }
}

impl DeadLetters {
    /// Opens the queue. If the process was killed in the middle of a line, terminates that line, so
    /// that the next entry starts on a new one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = files::append_only(path)?;
        if fs::read(path)?.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(Self { file: Arc::new(Mutex::new(file)), path: path.to_owned() })
    }

    /// Appends an event. Returns after the event has been written to disk.
    pub(crate) async fn add(&self, consumer: &str, code: &str, event: impl Serialize) -> io::Result<()> {
        let letter = DeadLetter {
            at: jiff::Timestamp::now(),
            consumer: consumer.to_owned(),
            code: code.to_owned(),
            event: serde_json::to_value(event)?,
        };
        let mut line = serde_json::to_vec(&letter)?;
        line.push(b'\n');
        self.with_file(move |mut file, _| {
            file.write_all(&line)?;
            file.sync_data()
        })
        .await
    }

    /// Returns the summaries of all dead letters, oldest first.
    pub(crate) async fn summaries(&self) -> io::Result<Vec<Summary>> {
        let letters = self.lines().await?;
        Ok(letters.into_iter().map(|(_, letter)| letter.summary()).collect())
    }

    /// Removes the given lines, and counts the removed and the remaining ones.
    pub(crate) async fn remove(&self, done: HashSet<String>) -> io::Result<RedriveCounts> {
        self.with_file(move |mut file, path| {
            let text = fs::read_to_string(path)?;
            let (removed, kept): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| done.contains(*line));
            let content: String = kept.iter().map(|line| format!("{line}\n")).collect();
            files::replace(path, content.as_bytes())?;
            *file = files::append_only(path)?;
            Ok(RedriveCounts { done: removed.len(), left: kept.len() })
        })
        .await
    }

    /// Returns each line with its parsed dead letter, oldest first. Damaged lines are omitted.
    pub(crate) async fn lines(&self) -> io::Result<Vec<(String, DeadLetter)>> {
        let text = self.with_file(|_, path| fs::read_to_string(path)).await?;
        let parse = |line: &str| Some((line.to_owned(), serde_json::from_str(line).ok()?));
        Ok(text.lines().filter_map(parse).collect())
    }

    async fn with_file<T: Send + 'static>(
        &self,
        action: impl FnOnce(MutexGuard<'_, File>, &Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        tokio::task::spawn_blocking(move || {
            action(file.lock().unwrap_or_else(PoisonError::into_inner), &path)
        })
        .await
        .map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use bukti_records::{EventKey, ItemKey};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn removes_given_lines_and_keeps_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead-letters.jsonl");
        fs::write(&path, "{\"torn").unwrap();
        let letters = DeadLetters::open(&path).unwrap();
        let key = |id: &str| ItemKey::dose(&EventKey::of_id(id));
        let record = |id: &str| {
            let key = key(id);
            json!({"Records": [{"dynamodb": {"Keys": {"pk": {"S": key.pk()}, "sk": {"S": key.sk()}}}}]})
        };
        let dose = |id: &str| key(id).to_string();
        letters.add("issue", "item_failed", record("1")).await.unwrap();
        letters.add("issue", "panic", record("2")).await.unwrap();
        let feed = json!({"Records": [{"s3": {"object": {"key": "intake/feeds/a.csv"}}}]});
        letters.add("intake", "error", feed).await.unwrap();
        let about = async || {
            let all = letters.summaries().await.unwrap();
            all.into_iter().map(|letter| letter.about).collect::<Vec<_>>()
        };
        assert_eq!(about().await, [dose("1"), dose("2"), "intake/feeds/a.csv".to_owned()]);
        let succeeds = |letter: &DeadLetter| letter.consumer == "intake" || letter.code == "item_failed";
        let lines = letters.lines().await.unwrap().into_iter();
        let done = lines.filter(|(_, letter)| succeeds(letter)).map(|(line, _)| line).collect();
        letters.add("notify", "timeout", record("3")).await.unwrap();
        // The damaged line also stays, so that an admin can inspect it.
        assert_eq!(letters.remove(done).await.unwrap(), RedriveCounts { done: 2, left: 3 });
        assert_eq!(about().await, [dose("2"), dose("3")]);
        letters.add("issue", "item_failed", record("4")).await.unwrap();
        assert_eq!(about().await, [dose("2"), dose("3"), dose("4")]);
    }
}

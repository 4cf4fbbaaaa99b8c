//! What could not be worked off, kept for a person to look at and to have tried again: `DIR/dead-letters.jsonl`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files;

/// The dead-letter store: a line of JSON each. Clones share it.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    file: Arc<Mutex<File>>,
    path: PathBuf,
}

/// An event that its function could not work off.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    at: jiff::Timestamp,
    /// The function.
    pub(crate) consumer: String,
    code: String,
    /// As the function got it.
    pub(crate) event: Value,
}

/// A dead letter without what is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    at: jiff::Timestamp,
    consumer: String,
    code: String,
    /// The key of the item, or of the feed's object.
    about: String,
}

/// What became of dead letters that were tried again.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Redriven {
    /// So many were worked off and are gone.
    pub(crate) done: usize,
    /// So many are still there.
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
    /// Opens the store. A line that was being written when the process died is closed, so that the next one stands alone.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = files::append_only(path)?;
        if fs::read(path)?.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(Self { file: Arc::new(Mutex::new(file)), path: path.to_owned() })
    }

    /// Keeps an event. It is on disk when this comes back.
    pub(crate) async fn keep(&self, consumer: &str, code: &str, event: impl Serialize) -> io::Result<()> {
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

    /// All of them, oldest first.
    pub(crate) async fn summaries(&self) -> io::Result<Vec<Summary>> {
        let letters = self.lines().await?;
        Ok(letters.into_iter().map(|(_, letter)| letter.summary()).collect())
    }

    /// Takes those of these lines away; how many that were, and how many are left.
    pub(crate) async fn remove(&self, done: HashSet<String>) -> io::Result<Redriven> {
        self.with_file(move |mut file, path| {
            let text = fs::read_to_string(path)?;
            let (gone, kept): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| done.contains(*line));
            let content: String = kept.iter().map(|line| format!("{line}\n")).collect();
            files::replace(path, content.as_bytes())?;
            *file = files::append_only(path)?;
            Ok(Redriven { done: gone.len(), left: kept.len() })
        })
        .await
    }

    /// The lines that can be read, oldest first, with what is in them.
    pub(crate) async fn lines(&self) -> io::Result<Vec<(String, DeadLetter)>> {
        let text = self.with_file(|_, path| fs::read_to_string(path)).await?;
        let read = |line: &str| Some((line.to_owned(), serde_json::from_str(line).ok()?));
        Ok(text.lines().filter_map(read).collect())
    }

    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(MutexGuard<'_, File>, &Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        tokio::task::spawn_blocking(move || work(file.lock().unwrap_or_else(PoisonError::into_inner), &path))
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
    async fn what_works_goes_and_what_fails_or_comes_meanwhile_stays() {
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
        letters.keep("issue", "item_failed", record("1")).await.unwrap();
        letters.keep("issue", "panic", record("2")).await.unwrap();
        let feed = json!({"Records": [{"s3": {"object": {"key": "intake/feeds/a.csv"}}}]});
        letters.keep("intake", "error", feed).await.unwrap();
        let about = async || {
            let all = letters.summaries().await.unwrap();
            all.into_iter().map(|letter| letter.about).collect::<Vec<_>>()
        };
        assert_eq!(about().await, [dose("1"), dose("2"), "intake/feeds/a.csv".to_owned()]);
        let works = |letter: &DeadLetter| letter.consumer == "intake" || letter.code == "item_failed";
        let lines = letters.lines().await.unwrap().into_iter();
        let done = lines.filter(|(_, letter)| works(letter)).map(|(line, _)| line).collect();
        letters.keep("notify", "timeout", record("3")).await.unwrap();
        // The torn line stays, too: a person may read what it holds.
        assert_eq!(letters.remove(done).await.unwrap(), Redriven { done: 2, left: 3 });
        assert_eq!(about().await, [dose("2"), dose("3")]);
        letters.keep("issue", "item_failed", record("4")).await.unwrap();
        assert_eq!(about().await, [dose("2"), dose("3"), dose("4")]);
    }
}

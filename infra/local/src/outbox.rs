//! The outbox: accepted SMS in an append-only file, and the page that shows them (`/_sms`).

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files;

/// An SMS that the stack has accepted for sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sms {
    /// The recipient's phone number, in E.164.
    pub to: String,
    /// The sender id, or the sender's number.
    pub from: String,
    /// The text of the SMS.
    pub message: String,
    /// The time at which the SMS was accepted.
    pub sent_at: Timestamp,
}

/// A line of the outbox file.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    sms: Sms,
    /// The deduplication id. A second SMS with the same id is dropped as a duplicate.
    #[serde(rename = "name", default, skip_serializing_if = "Option::is_none")]
    deduplication_id: Option<String>,
}

/// The outbox. Clones share the same file.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<Inner>>);

struct Inner {
    file: File,
    path: PathBuf,
    ids: IdSet,
    /// The number of duplicates dropped since the start.
    duplicates: u64,
}

/// A set of deduplication ids. It stores two hashes per id to save memory, because there may be a
/// million ids.
#[derive(Default)]
struct IdSet {
    hashes: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
}

impl IdSet {
    fn hash(&self, id: &str) -> (u64, u64) {
        (self.keys.0.hash_one(id), self.keys.1.hash_one(id))
    }

    fn contains(&self, id: &str) -> bool {
        self.hashes.contains(&self.hash(id))
    }

    fn insert(&mut self, id: &str) {
        self.hashes.insert(self.hash(id));
    }
}

impl Outbox {
    /// Opens the outbox. Truncates an incomplete last line, because its SMS was never reported as
    /// accepted.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = files::append_only(path)?;
        let mut ids = IdSet::default();
        let complete = read_lines(path, |entry| match entry {
            Ok(entry) => entry.deduplication_id.iter().for_each(|id| ids.insert(id)),
            Err(_) => tracing::warn!("skipping a damaged line of the outbox"),
        })?;
        if complete < file.metadata()?.len() {
            file.set_len(complete)?;
        }
        let path = path.to_owned();
        Ok(Self(Arc::new(Mutex::new(Inner { file, path, ids, duplicates: 0 }))))
    }

    /// Adds an SMS, unless the outbox already has one with this deduplication id.
    pub(crate) fn add(&self, sms: Sms, deduplication_id: Option<String>) -> io::Result<()> {
        let entry = Entry { sms, deduplication_id };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.deduplication_id.as_ref().is_some_and(|id| inner.ids.contains(id)) {
            inner.duplicates += 1;
            return Ok(());
        }
        inner.file.write_all(&line)?;
        entry.deduplication_id.iter().for_each(|id| inner.ids.insert(id));
        Ok(())
    }

    /// Flushes the added SMS to disk.
    pub(crate) async fn sync(&self) -> io::Result<()> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone()?;
        tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other)?
    }

    /// The number of duplicates dropped since the start. A duplicate means that the sender did not
    /// record the SMS as accepted: its process died, or it has a bug.
    pub(crate) fn duplicates(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).duplicates
    }

    /// Returns all SMS, oldest first.
    pub(crate) fn all(&self) -> io::Result<Vec<Sms>> {
        // The file is read without the lock. Lines are only appended, and an incomplete line is not
        // read.
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner).path.clone();
        let mut all = Vec::new();
        read_lines(&path, |entry| all.extend(entry.map(|entry| entry.sms)))?;
        Ok(all)
    }
}

/// Reads all complete lines. Returns their total length in bytes.
fn read_lines(path: &Path, mut on_entry: impl FnMut(serde_json::Result<Entry>)) -> io::Result<u64> {
    let (mut lines, mut line) = (BufReader::new(File::open(path)?), Vec::new());
    let mut complete = 0;
    while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        complete += line.len() as u64;
        on_entry(serde_json::from_slice(&line));
        line.clear();
    }
    Ok(complete)
}

/// The style sheet of [`page`].
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("outbox.css"));

/// The maximum number of phones on the page. More would slow down the browser.
const MAX_SHOWN: usize = 100;

/// Renders the page: one phone per number, with the newest message first. `filter` selects numbers
/// that contain this text.
pub(crate) fn page(all: &[Sms], filter: Option<&str>) -> String {
    let mut numbers: BTreeMap<&str, Vec<&Sms>> = BTreeMap::new();
    for sms in all.iter().rev() {
        if filter.is_none_or(|part| sms.to.contains(part.trim())) {
            numbers.entry(&sms.to).or_default().push(sms);
        }
    }
    let mut phones: Vec<(&str, Vec<&Sms>)> = numbers.into_iter().collect();
    phones.sort_by_key(|(_, messages)| std::cmp::Reverse(messages.first().map(|sms| sms.sent_at)));
    let mut html = String::with_capacity(2048 + all.len().min(10 * MAX_SHOWN) * 400);
    html.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>SMS outbox</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_sms.css\">\n</head>\n<body>\n<header>\n<h1>SMS outbox</h1>\n",
    );
    let _ = write!(
        html,
        "<p>{} messages to {} numbers, newest first. None of them leaves this machine.</p>\n\
         <form action=\"/_sms\"><label for=\"to\">Number</label> \
         <input id=\"to\" name=\"to\" inputmode=\"tel\" value=\"{}\"> <button>Show</button></form>\n</header>\n<main>\n",
        phones.iter().map(|(_, messages)| messages.len()).sum::<usize>(),
        phones.len(),
        escape(filter.unwrap_or_default()),
    );
    if phones.is_empty() {
        html.push_str("<p class=\"empty\">No messages.</p>\n");
    }
    for (number, messages) in phones.iter().take(MAX_SHOWN) {
        let _ = write!(
            html,
            "<section class=\"phone\" aria-label=\"{0}\">\n<h2>{0}</h2>\n<ol>\n",
            escape(number)
        );
        for sms in messages {
            let _ = write!(
                html,
                "<li>\n<p class=\"from\">{}</p>\n<p class=\"message\" lang=\"id\">{}</p>\n\
                 <time datetime=\"{2}\">{2:.0}</time>\n</li>\n",
                escape(&sms.from),
                with_links(&sms.message),
                sms.sent_at,
            );
        }
        html.push_str("</ol>\n</section>\n");
    }
    if phones.len() > MAX_SHOWN {
        let _ = writeln!(
            html,
            "<p class=\"empty\">{} more numbers are not shown: enter one above.</p>",
            phones.len() - MAX_SHOWN
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Escapes a text and turns its URLs into links, as a phone does.
fn with_links(text: &str) -> String {
    let mut html = String::new();
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            html.push(' ');
        }
        for (line_at, part) in word.split('\n').enumerate() {
            if line_at > 0 {
                html.push('\n');
            }
            if part.starts_with("http://") || part.starts_with("https://") {
                let address = part.trim_end_matches(['.', ',', ')', ';', '!']);
                let _ = write!(html, "<a href=\"{0}\">{0}</a>", escape(address));
                html.push_str(&escape(&part[address.len()..]));
            } else {
                html.push_str(&escape(part));
            }
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sms(to: &str, message: &str, second: i64) -> Sms {
        let sent_at = Timestamp::from_second(1_600_000_000 + second).unwrap();
        Sms { to: to.into(), from: "1199".into(), message: message.into(), sent_at }
    }

    #[test]
    fn truncates_an_incomplete_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let outbox = Outbox::open(&path).unwrap();
        outbox.add(sms("+628111", "satu", 1), None).unwrap();
        outbox.add(sms("+628111", "dua", 2), Some("a".into())).unwrap();
        drop(outbox);
        let mut content = std::fs::read(&path).unwrap();
        content.extend(br#"{"to":"+628"#);
        std::fs::write(&path, content).unwrap();

        let outbox = Outbox::open(&path).unwrap();
        assert_eq!(outbox.all().unwrap().len(), 2);
        outbox.add(sms("+628111", "dua", 3), Some("a".into())).unwrap();
        outbox.add(sms("+628111", "tiga", 3), Some("b".into())).unwrap();
        let messages: Vec<String> =
            Outbox::open(&path).unwrap().all().unwrap().into_iter().map(|sms| sms.message).collect();
        assert_eq!(messages, ["satu", "dua", "tiga"]);
    }

    #[test]
    fn page_groups_by_number_escapes_and_links() {
        let all = [
            sms("+628111", "lama <b>", 1),
            sms("+628222", "lain", 2),
            sms("+628111", "Buka http://127.0.0.1:8080/s/AB-c_1. Terima kasih", 3),
        ];
        let html = page(&all, None);
        assert_eq!(html.matches("class=\"phone\"").count(), 2);
        assert!(html.find("+628111").unwrap() < html.find("+628222").unwrap(), "newest first");
        assert!(html.find("Buka").unwrap() < html.find("lama").unwrap(), "newest first");
        assert!(html.contains("lama &lt;b&gt;"));
        assert!(html.contains(
            "<a href=\"http://127.0.0.1:8080/s/AB-c_1\">http://127.0.0.1:8080/s/AB-c_1</a>. Terima"
        ));
        assert!(!html.contains("<script") && !html.contains("style="));
        assert!(!page(&all, Some("8222")).contains("lama"));
    }
}

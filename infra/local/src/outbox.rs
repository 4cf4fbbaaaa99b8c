//! The outbox: SMS that were accepted, in an append-only file, shown like a phone.

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

/// An SMS as the phone would get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sms {
    /// The number it goes to, E.164.
    pub to: String,
    /// Who it comes from.
    pub from: String,
    /// The text.
    pub message: String,
    /// When it was accepted.
    pub sent_at: Timestamp,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    sms: Sms,
    /// What its sender calls it: another one of this name is the same message, sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// The outbox. Clones share it.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<Inner>>);

struct Inner {
    file: File,
    path: PathBuf,
    names: Names,
    /// Messages that were left out since the start, since one of their name is there.
    repeated: u64,
}

/// The names of all messages, of which there may be a million: two hashes of each.
#[derive(Default)]
struct Names {
    hashes: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
}

impl Names {
    fn hash(&self, name: &str) -> (u64, u64) {
        (self.keys.0.hash_one(name), self.keys.1.hash_one(name))
    }

    fn has(&self, name: &str) -> bool {
        self.hashes.contains(&self.hash(name))
    }

    fn add(&mut self, name: &str) {
        self.hashes.insert(self.hash(name));
    }
}

impl Outbox {
    /// Opens the outbox. A last line that was being written when the process died was never answered for, so it is cut.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = files::append_only(path)?;
        let mut names = Names::default();
        let whole = read(path, |entry| match entry {
            Ok(entry) => entry.name.iter().for_each(|name| names.add(name)),
            Err(_) => tracing::warn!("a damaged line of the outbox is left out"),
        })?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        let path = path.to_owned();
        Ok(Self(Arc::new(Mutex::new(Inner { file, path, names, repeated: 0 }))))
    }

    /// Keeps an SMS, unless there is one of this name.
    pub(crate) fn keep(&self, sms: Sms, name: Option<String>) -> io::Result<()> {
        let entry = Entry { sms, name };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.name.as_ref().is_some_and(|name| inner.names.has(name)) {
            inner.repeated += 1;
            return Ok(());
        }
        inner.file.write_all(&line)?;
        entry.name.iter().for_each(|name| inner.names.add(name));
        Ok(())
    }

    /// Brings what was kept until now to the disk.
    pub(crate) async fn sync(&self) -> io::Result<()> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone()?;
        tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other)?
    }

    /// How many messages were left out since the start. More than none means that a sender did not know that its message
    /// was accepted: it died, or it is wrong.
    pub(crate) fn repeated(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).repeated
    }

    /// Every SMS, oldest first.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub(crate) fn all(&self) -> io::Result<Vec<Sms>> {
        // Read without the lock: lines are only added, and one that is being written is no line yet.
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner).path.clone();
        let mut all = Vec::new();
        read(&path, |entry| all.extend(entry.map(|entry| entry.sms)))?;
        Ok(all)
    }
}

/// Reads each line that is whole; gives the bytes that these are.
fn read(path: &Path, mut each: impl FnMut(serde_json::Result<Entry>)) -> io::Result<u64> {
    let (mut lines, mut line) = (BufReader::new(File::open(path)?), Vec::new());
    let mut whole = 0;
    while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        whole += line.len() as u64;
        each(serde_json::from_slice(&line));
        line.clear();
    }
    Ok(whole)
}

/// The style sheet of [`page`].
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("outbox.css"));

/// The conversations on a page. More would make a browser slow, and nobody scrolls that far.
const SHOWN: usize = 100;

/// The page: a phone for each number, the one with the newest message first, its messages newest first.
pub(crate) fn page(all: &[Sms], only: Option<&str>) -> String {
    let mut numbers: BTreeMap<&str, Vec<&Sms>> = BTreeMap::new();
    for sms in all.iter().rev() {
        if only.is_none_or(|part| sms.to.contains(part.trim())) {
            numbers.entry(&sms.to).or_default().push(sms);
        }
    }
    let mut phones: Vec<(&str, Vec<&Sms>)> = numbers.into_iter().collect();
    phones.sort_by_key(|(_, messages)| std::cmp::Reverse(messages.first().map(|sms| sms.sent_at)));
    let mut html = String::with_capacity(2048 + all.len().min(10 * SHOWN) * 400);
    html.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>SMS outbox</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_sms.css\">\n</head>\n<body>\n<header>\n<h1>SMS outbox</h1>\n",
    );
    let _ = write!(
        html,
        "<p>{} messages to {} numbers, newest first. Nothing leaves this machine.</p>\n\
         <form action=\"/_sms\"><label for=\"to\">Number</label> \
         <input id=\"to\" name=\"to\" inputmode=\"tel\" value=\"{}\"> <button>Show</button></form>\n</header>\n<main>\n",
        phones.iter().map(|(_, messages)| messages.len()).sum::<usize>(),
        phones.len(),
        escape(only.unwrap_or_default()),
    );
    if phones.is_empty() {
        html.push_str("<p class=\"empty\">No messages.</p>\n");
    }
    for (number, messages) in phones.iter().take(SHOWN) {
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
                linked(&sms.message),
                sms.sent_at,
            );
        }
        html.push_str("</ol>\n</section>\n");
    }
    if phones.len() > SHOWN {
        let _ = writeln!(
            html,
            "<p class=\"empty\">And {} more numbers: name one above.</p>",
            phones.len() - SHOWN
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

/// The text with its addresses as links, as a phone shows them.
fn linked(text: &str) -> String {
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
    fn a_torn_last_line_is_cut_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.jsonl");
        let outbox = Outbox::open(&path).unwrap();
        outbox.keep(sms("+628111", "satu", 1), None).unwrap();
        outbox.keep(sms("+628111", "dua", 2), Some("a".into())).unwrap();
        drop(outbox);
        let mut content = std::fs::read(&path).unwrap();
        content.extend(br#"{"to":"+628"#);
        std::fs::write(&path, content).unwrap();

        let outbox = Outbox::open(&path).unwrap();
        assert_eq!(outbox.all().unwrap().len(), 2);
        outbox.keep(sms("+628111", "dua", 3), Some("a".into())).unwrap();
        outbox.keep(sms("+628111", "tiga", 3), Some("b".into())).unwrap();
        let messages: Vec<String> =
            Outbox::open(&path).unwrap().all().unwrap().into_iter().map(|sms| sms.message).collect();
        assert_eq!(messages, ["satu", "dua", "tiga"]);
    }

    #[test]
    fn the_page_groups_escapes_and_links() {
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

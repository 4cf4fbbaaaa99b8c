//! The drill: everything is kept, lost, and brought back, and nobody is told anything twice.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use bukti_domain::FeedRow;
use bukti_tests::{TestApp, dose, people};
use serde_json::json;

use crate::keys::verdict;

const PHONE: &str = "082106690743";
const BORN: &str = "1989-01-24";

/// The records of a backup, but for who publishes at the moment.
fn records(backup: &Path) -> BTreeSet<String> {
    let file = std::fs::File::open(backup.join("table.json.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let records = text.lines().map(|line| {
        // Attributes come in any order.
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record.to_string()
    });
    records.filter(|record| !record.contains("K#PUBLISHING")).collect()
}

fn gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Removes everything from a data folder but the secrets, the root and the backup `kept`.
fn lose_all_but_secrets(data: &Path) {
    for file in std::fs::read_dir(data).unwrap().flatten().map(|entry| entry.path()) {
        match file.file_name().unwrap().to_str().unwrap() {
            "secrets.json" | "root.json" | "kept" | "lock" => {}
            _ if file.is_dir() => std::fs::remove_dir_all(file).unwrap(),
            // SQLite removes its own files when the last connection is closed.
            _ => std::fs::remove_file(file).or_else(gone).unwrap(),
        }
    }
}

#[test]
fn what_is_lost_comes_back_from_a_backup_and_nobody_is_told_twice() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let text = app.qr_text(PHONE, BORN);
    // All with one phone, which gets 20 SMS a day.
    app.import(&people::of_hard_names().concat());
    // A correction: its certificate supersedes the first.
    let sent_at = "2021-02-01T08:00:00+07:00".into();
    app.import(&[FeedRow { sent_at, batch: "B2".into(), ..dose("OURS") }]);
    app.bukti_well(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "superseded");
    let cookie = app.log_in(PHONE, Some("Iwan"));

    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    let said = app.bukti_well(&["backup", kept]);
    let before = records(Path::new(kept));
    assert!(said.starts_with(&format!("{} records and ", before.len() + 1)), "{said}");
    assert!(app.bukti(&["backup", kept]).err.contains("is there already"));
    assert!(app.bukti(&["restore", kept]).err.contains("has doses"));

    // All is lost but the secrets and the root.
    app.restart_after(lose_all_but_secrets);
    assert_eq!(app.call("GET", "/api/sessions/current", Some(&cookie), None).status, 401);
    let said = app.bukti_well(&["restore", kept, "--reinstate"]);
    assert!(said.starts_with(&format!("{} records and ", before.len() + 1)), "{said}");
    app.settle();

    let again = app.data.path().join("again");
    app.bukti_well(&["backup", again.to_str().unwrap()]);
    assert_eq!(records(&again), before);
    let files = |folder: &Path| std::fs::read_dir(folder.join("documents/certificates")).unwrap().count();
    assert_eq!(files(&again), files(Path::new(kept)));
    assert_eq!(app.messages(), [], "nobody is told twice");
    // It works as before: sessions, links, documents, signers, revocations.
    assert_eq!(app.call("GET", "/api/sessions/current", Some(&cookie), None).status, 200);
    let opened = app.post("/api/links", json!({"token": token, "birth_date": BORN}));
    assert_eq!(opened.status, 200, "{opened:?}");
    let (status, pdf) = app.fetch(opened.body["document"]["url"].as_str().unwrap());
    assert!(status == 200 && pdf.starts_with(b"%PDF"));
    let text = opened.body["certificate"]["qr_text"].as_str().unwrap();
    app.bukti_well(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[text]).1, "valid");
    app.bukti_well(&["restore", kept, "--overwrite", "--reinstate"]);
}

#[test]
fn backup_holds_no_document_in_clear() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let kept = app.data.path().join("kept");
    app.bukti_well(&["backup", kept.to_str().unwrap()]);
    let documents: Vec<_> =
        std::fs::read_dir(kept.join("documents/certificates")).unwrap().flatten().collect();
    assert_eq!(documents.len(), 1);
    let sealed = std::fs::read(documents[0].path()).unwrap();
    assert!(sealed.len() > 10_000 && !sealed.windows(4).any(|bytes| bytes == b"%PDF"));

    // Put under another document's name it does not open.
    std::fs::rename(documents[0].path(), kept.join("documents/certificates/other.pdf.sealed")).unwrap();
    let said = app.bukti(&["restore", kept.to_str().unwrap(), "--overwrite", "--reinstate"]);
    assert!(said.code == 1 && said.err.contains("is damaged"), "{}", said.err);
}

#[test]
fn restore_lets_nobody_in_again_unasked() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let add = |app: &TestApp, code: &str| {
        let key = app.bukti_well(&["key", "add", "--facility", code]);
        let from = key.find("bk_").unwrap();
        key[from + 3..from + 11].to_owned()
    };
    let (stolen, good) = (add(&app, "P3174020101"), add(&app, "P3174020102"));
    app.bukti_well(&["officer", "add", "081200000099", "--name", "Rina"]);
    app.bukti_well(&["keys", "rotate"]);
    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.bukti_well(&["backup", kept]);
    let ended = |app: &TestApp, id: &str| {
        let listed = app.bukti_well(&["key", "list"]);
        listed.lines().find(|line| line.contains(id)).map(|line| line.contains("ended"))
    };

    // What the table says of them is newer.
    app.bukti_well(&["key", "revoke", &stolen]);
    app.bukti_well(&["restore", kept, "--overwrite", "--reinstate"]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (Some(true), Some(false)));

    // Where all is lost, nobody but the admin knows.
    app.restart_after(lose_all_but_secrets);
    let said = app.bukti(&["restore", kept]);
    assert_eq!(said.code, 1);
    for listed in [&stolen, &good, "officer Rina", "signer since"] {
        assert!(said.err.contains(listed), "{listed}: {}", said.err);
    }
    assert_eq!(
        app.status("Iwan Ibrahim Purnomo", "3171012401896246").body["doses"],
        json!([]),
        "nothing is back"
    );
    assert!(app.bukti(&["restore", kept, "--without", "nobody"]).err.contains("has no API key"));
    app.bukti_well(&["restore", kept, "--reinstate", "--without", &stolen]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (None, Some(false)));
    assert!(app.bukti_well(&["officer", "list"]).contains("Rina"));
}

#[test]
fn a_backup_that_cannot_be_used_changes_nothing() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let kept = app.data.path().join("kept");
    app.bukti_well(&["backup", kept.to_str().unwrap()]);

    let other = TestApp::start();
    let restore = |folder: &Path| other.bukti(&["restore", folder.to_str().unwrap()]).err;
    let said = restore(&kept);
    assert!(said.contains("do not open with the secrets in"), "{said}");
    let nothing = app.data.path().join("nothing");
    assert!(restore(&nothing).contains("cannot read"));
    std::fs::create_dir(&nothing).unwrap();
    assert!(restore(&nothing).contains("is no backup"));
    let table = kept.join("table.json.gz");
    let whole = std::fs::read(&table).unwrap();
    std::fs::write(&table, &whole[..whole.len() / 2]).unwrap();
    assert!(restore(&kept).contains("is damaged"));

    let empty = app.data.path().join("empty");
    other.bukti_well(&["backup", empty.to_str().unwrap()]);
    assert!(!records(&empty).iter().any(|record| record.contains("DOSE")));
}

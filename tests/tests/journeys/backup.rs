//! The drill: everything is kept, lost, and brought back, and nobody is told anything twice.

use bukti_records::ItemKind;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use bukti_domain::FeedRow;
use bukti_store::Aws;
use bukti_tests::{TestApp, dose, dose_for, people, retraction};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::access::table_service;
use crate::helpdesk;
use crate::keys::verdict;

const PHONE: &str = "082106690743";
const BORN: &str = "1989-01-24";

/// The records of a backup.
fn records(backup: &Path) -> BTreeSet<String> {
    records_in(&backup.join("table.json.gz"))
}

fn records_in(file: &Path) -> BTreeSet<String> {
    let file = std::fs::File::open(file).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let records = text.lines().map(|line| {
        // Attributes come in any order.
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record.to_string()
    });
    records.collect()
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
fn restore_recovers_lost_data_and_sends_no_sms() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let text = app.qr_text(PHONE, BORN);
    // All with one phone, which gets 20 SMS a day.
    app.import(&people::with_difficult_names().concat());
    // A correction: its certificate supersedes the first.
    let sent_at = "2021-02-01T08:00:00+07:00".into();
    app.import(&[FeedRow { sent_at, batch: "B2".into(), ..dose("OURS") }]);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "superseded");
    let cookie = app.log_in(PHONE, Some("Iwan"));

    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    let said = app.bukti_ok(&["backup", kept]);
    let before = records(Path::new(kept));
    assert!(said.starts_with(&format!("{} records and ", before.len())), "{said}");
    assert!(app.bukti(&["backup", kept]).stderr.contains("is there already"));
    assert!(app.bukti(&["restore", kept]).stderr.contains("has doses"));

    // All is lost but the secrets and the root.
    app.restart_after(lose_all_but_secrets);
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 401);
    let said = app.bukti_ok(&["restore", kept, "--reinstate"]);
    assert!(said.starts_with(&format!("{} records and ", before.len())), "{said}");
    app.wait_until_idle();

    let again = app.data.path().join("again");
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    assert_eq!(records(&again), before);
    let files = |folder: &Path| std::fs::read_dir(folder.join("documents/certificates")).unwrap().count();
    assert_eq!(files(&again), files(Path::new(kept)));
    assert_eq!(app.messages(), [], "nobody is told twice");
    // It works as before but for sessions: links, documents, signers, revocations.
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 401);
    let opened = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BORN}));
    assert_eq!(opened.status, 200, "{opened:?}");
    let (status, pdf) = app.fetch(opened.body["document"]["url"].as_str().unwrap());
    assert!(status == 200 && pdf.starts_with(b"%PDF"));
    let text = opened.body["certificate"]["qr_text"].as_str().unwrap();
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[text]).1, "valid");
    app.bukti_ok(&["restore", kept, "--overwrite", "--reinstate"]);
}

/// Exports the whole table into a folder, as DynamoDB does to S3, and as backups were before they
/// left anything out.
fn export(app: &TestApp, folder: &Path) {
    let items = app.with_aws(async |aws: Aws| {
        let scan = table_service(&aws).await.scan().table_name(&aws.settings.table);
        scan.into_paginator().items().send().try_collect().await.unwrap()
    });
    std::fs::create_dir(folder).unwrap();
    let file = std::fs::File::create(folder.join("data.json.gz")).unwrap();
    let mut file = GzEncoder::new(file, Compression::fast());
    for item in items {
        writeln!(file, "{}", json!({"Item": serde_dynamo::Item::from(item)})).unwrap();
    }
    file.finish().unwrap();
}

/// What the item of a line is.
fn kind(line: &str) -> ItemKind {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line["Item"][name]["S"].as_str().unwrap();
    ItemKind::of(text("pk"), text("sk")).unwrap_or_else(|| unreachable!("no kind of item: {line}"))
}

#[test]
fn restore_omits_sessions_codes_and_devices() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let current = |method| app.call(method, OtpRoute::Session.path(), Some(&cookie), None).status;
    let (exported, kept) = (app.data.path().join("exported"), app.data.path().join("kept"));
    export(&app, &exported);
    app.bukti_ok(&["backup", kept.to_str().unwrap()]);
    assert_eq!(current("DELETE"), 204);
    let short_lived = |line: &String| {
        use ItemKind::{Device, Lease, ListedSession, Otp, Session};
        matches!(kind(line), Device | Lease | ListedSession | Otp | Session)
    };
    assert!(records_in(&exported.join("data.json.gz")).iter().any(short_lived));
    assert!(!records(&kept).iter().any(short_lived), "backups leave them out");

    let said = app.bukti_ok(&["restore", exported.to_str().unwrap(), "--overwrite"]);
    assert_eq!(current("GET"), 401, "{said}");
    let again = app.data.path().join("again");
    export(&app, &again);
    let is_session = |line: &String| matches!(kind(line), ItemKind::Session | ItemKind::ListedSession);
    assert!(!records_in(&again.join("data.json.gz")).iter().any(is_session));
}

/// A person with one dose and a phone of their own.
fn person(number: usize) -> FeedRow {
    FeedRow { no_hp: format!("0812000001{number:02}"), ..dose_for(number, &format!("E{number}")) }
}

#[test]
fn restore_keeps_withdrawals_made_since_backup() {
    const LATER: &str = "2021-02-01T08:00:00+07:00";
    let app = TestApp::start();
    let all: Vec<FeedRow> = (1..=5).map(person).collect();
    let [retracted, revoked, locked, refused, incomplete] = &all[..] else { panic!() };
    app.import(&all);
    let token = |of: &FeedRow| app.messages_to(&of.no_hp)[0].token().unwrap();
    let open = |of: &FeedRow, born: &str| {
        app.post(HolderRoute::Link.path(), json!({"token": token(of), "birth_date": born}))
    };
    let code = |of: &FeedRow| {
        app.status(&of.nama, &of.nik).body["doses"][0]["diagnosis"]["code"].as_str().unwrap().to_owned()
    };
    let certificate = open(revoked, BORN).body["certificate"].clone();
    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.bukti_ok(&["backup", kept]);

    let changed = FeedRow { sent_at: LATER.into(), batch: String::new(), ..incomplete.clone() };
    app.import(&[retraction(&retracted.event_id, LATER), changed]);
    app.bukti_ok(&["revoke", certificate["id"].as_str().unwrap(), "--reason", "a test"]);
    for _ in 0..5 {
        open(locked, "2000-01-01");
    }
    assert_eq!(app.post(HolderRoute::RefuseLink.path(), json!({"token": token(refused)})).status, 204);
    app.wait_until_idle();
    assert_eq!(code(incomplete), "dose_incomplete");
    let messages = app.messages().len();

    // Keys and signers are as they were, so that nobody is to be let in again.
    let said = app.bukti_ok(&["restore", kept, "--overwrite"]);
    assert!(said.contains("records stay as they are here"), "{said}");
    app.wait_until_idle();
    assert_eq!(code(incomplete), "certificate_issued", "what was not withdrawn is put back");
    assert_eq!([code(retracted), code(revoked)], ["dose_retracted", "certificate_revoked"]);
    for (of, expected) in
        [(retracted, "link_dead"), (revoked, "link_dead"), (locked, "link_locked"), (refused, "link_dead")]
    {
        assert_eq!(open(of, BORN).code(), expected, "{}", of.event_id);
    }
    // Its dose stays withdrawn as well.
    app.import(&[FeedRow {
        sent_at: "2021-03-01T08:00:00+07:00".into(),
        batch: "B2".into(),
        ..revoked.clone()
    }]);
    assert_eq!(code(revoked), "certificate_revoked");
    assert_eq!(app.messages().len(), messages, "nobody is told anything");
}

#[test]
fn restored_duplicate_claims_its_dose_again() {
    let app = TestApp::start();
    let (own, hub) = (dose("OWN"), FeedRow { no_hp: "081200000999".into(), ..dose("HUB") });
    app.import(std::slice::from_ref(&own));
    app.import(std::slice::from_ref(&hub));
    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.bukti_ok(&["backup", kept]);
    // Incomplete now, so it waits for the dose no more.
    let incomplete =
        FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), batch: String::new(), ..hub.clone() };
    app.import(&[incomplete]);

    app.bukti_ok(&["restore", kept, "--overwrite"]);
    app.wait_until_idle();
    assert!(app.messages_to(&hub.no_hp).is_empty(), "it is a duplicate again");
    app.import(&[retraction(&own.event_id, "2021-03-01T08:00:00+07:00")]);
    let told = app.messages_to(&hub.no_hp);
    assert_eq!(told.len(), 1, "the dose is its own now");
    let link = json!({"token": told[0].token().unwrap(), "birth_date": BORN});
    assert!(app.post(HolderRoute::Link.path(), link).body["certificate"]["id"].is_string());
}

#[test]
fn restored_owners_keep_doses_over_restored_duplicates() {
    let mut app = TestApp::start();
    let phone = |number: usize| format!("0812000{number:05}");
    let rows = (1..=12).flat_map(|number| {
        let own = FeedRow { no_hp: phone(number), ..dose_for(number, &format!("A{number}")) };
        let hub = FeedRow { event_id: format!("B{number}"), no_hp: phone(100 + number), ..own.clone() };
        [own, hub]
    });
    app.import(&rows.collect::<Vec<_>>());
    let told = app.messages().len();
    assert_eq!(told, 12);
    app.bukti_ok(&["backup", app.data.path().join("kept").to_str().unwrap()]);
    app.restart_after(lose_all_but_secrets);
    let kept = app.data.path().join("kept");
    app.bukti_ok(&["restore", kept.to_str().unwrap(), "--overwrite", "--reinstate"]);
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 0, "nobody is told anything");
    app.bukti_ok(&["trust", "publish"]);
    let again = app.data.path().join("again");
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    let doses = |folder: &Path| -> BTreeSet<String> {
        records(folder).into_iter().filter(|record| record.contains("\"DOSE\"")).collect()
    };
    assert_eq!(doses(&again), doses(&kept), "whose dose it is stays as it was");
}

#[test]
fn restore_reopens_no_decided_case() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let person = app.log_in(PHONE, None);
    let case = helpdesk::open(&app, &person, helpdesk::asking("name", &dose("OURS")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let queue = || helpdesk::get(&app, &officer, HelpdeskRoute::Queue.path())["cases"].clone();
    assert_eq!(queue()[0]["number"], json!(case));
    let kept = app.data.path().join("kept");
    app.bukti_ok(&["backup", kept.to_str().unwrap()]);
    assert_eq!(helpdesk::decide(&app, &officer, &case, "refuse", json!({})).body["state"], "refused");

    app.bukti_ok(&["restore", kept.to_str().unwrap(), "--overwrite"]);
    assert_eq!(queue(), json!([]));
    let seen = helpdesk::get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["state"], "refused");
}

#[test]
fn restore_keeps_newer_revocations() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let text = app.qr_text(PHONE, BORN);
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let opened = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BORN})).body;
    let id = opened["certificate"]["id"].as_str().unwrap();
    let (kept, again) = (app.data.path().join("kept"), app.data.path().join("again"));
    app.bukti_ok(&["backup", kept.to_str().unwrap()]);
    app.bukti_ok(&["revoke", id, "--reason", "a test", "--no-publish"]);

    app.bukti_ok(&["restore", kept.to_str().unwrap(), "--overwrite"]);
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    let is_revocation = |line: &&String| kind(line) == ItemKind::Revocation;
    let listed = |folder: &Path| records(folder).iter().filter(is_revocation).count();
    assert_eq!((listed(&kept), listed(&again)), (0, 1));
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "revoked");
    let twice = app.bukti_ok(&["revoke", id, "--reason", "a test", "--no-publish"]);
    assert!(twice.contains("was revoked before"), "the certificate says so, too: {twice}");
}

#[test]
fn restore_readds_no_removed_issuer_unasked() {
    let (mut app, other) = (TestApp::start(), TestApp::start());
    other.bukti_ok(&["trust", "publish"]);
    let list = other.data.path().join("bucket/bukti-public/trust/signers.json");
    let list = list.to_str().unwrap();
    let import = |app: &TestApp| app.bukti_ok(&["trust", "import", list, "--no-publish"]);
    app.import(&[dose("OURS")]);
    import(&app);
    let issuers = |app: &TestApp| app.bukti_ok(&["trust", "list"]);
    let kid = issuers(&app).split_whitespace().next().unwrap().to_owned();
    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.bukti_ok(&["backup", kept]);
    app.bukti_ok(&["trust", "remove", &kid, "--no-publish"]);

    let said = app.bukti(&["restore", kept, "--overwrite"]);
    assert!(said.code == 1 && said.stderr.contains(&format!("{kid}  other issuer")), "{}", said.stderr);
    assert!(!said.stderr.contains("signer since"), "what is here needs no list: {}", said.stderr);
    app.bukti_ok(&["restore", kept, "--overwrite", "--reinstate", "--without", &kid]);
    assert_eq!(issuers(&app), "");
    app.bukti_ok(&["restore", kept, "--overwrite", "--reinstate"]);
    assert!(issuers(&app).contains(&kid));

    // A new Bukti's own signers make way for those of the backup, the issuers imported there do
    // not.
    app.restart_after(lose_all_but_secrets);
    import(&app);
    app.bukti_ok(&["restore", kept, "--reinstate", "--without", &kid]);
    assert!(issuers(&app).contains(&kid));
}

#[test]
fn backup_documents_are_sealed() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let kept = app.data.path().join("kept");
    app.bukti_ok(&["backup", kept.to_str().unwrap()]);
    let documents: Vec<_> =
        std::fs::read_dir(kept.join("documents/certificates")).unwrap().flatten().collect();
    assert_eq!(documents.len(), 1);
    let sealed = std::fs::read(documents[0].path()).unwrap();
    assert!(sealed.len() > 10_000 && !sealed.windows(4).any(|bytes| bytes == b"%PDF"));

    // Put under another document's name it does not open.
    std::fs::rename(documents[0].path(), kept.join("documents/certificates/other.pdf.sealed")).unwrap();
    let said = app.bukti(&["restore", kept.to_str().unwrap(), "--overwrite", "--reinstate"]);
    assert!(said.code == 1 && said.stderr.contains("is damaged"), "{}", said.stderr);
}

#[test]
fn restore_readmits_nobody_unasked() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let add = |app: &TestApp, code: &str| {
        let key = app.bukti_ok(&["key", "add", "--facility", code]);
        let from = key.find("bk_").unwrap();
        key[from + 3..from + 11].to_owned()
    };
    let (stolen, good) = (add(&app, "P3174020101"), add(&app, "P3174020102"));
    app.bukti_ok(&["officer", "add", "081200000099", "--name", "Rina"]);
    app.bukti_ok(&["keys", "rotate"]);
    let kept = app.data.path().join("kept");
    let kept = kept.to_str().unwrap();
    app.bukti_ok(&["backup", kept]);
    let ended = |app: &TestApp, id: &str| {
        let listed = app.bukti_ok(&["key", "list"]);
        listed.lines().find(|line| line.contains(id)).map(|line| line.contains("ended"))
    };

    // What the table says of them is newer.
    app.bukti_ok(&["key", "revoke", &stolen]);
    app.bukti_ok(&["restore", kept, "--overwrite", "--reinstate"]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (Some(true), Some(false)));

    // Where all is lost, nobody but the admin knows.
    app.restart_after(lose_all_but_secrets);
    let said = app.bukti(&["restore", kept]);
    assert_eq!(said.code, 1);
    for listed in [&stolen, &good, "officer Rina", "signer since"] {
        assert!(said.stderr.contains(listed), "{listed}: {}", said.stderr);
    }
    assert_eq!(
        app.status("Iwan Ibrahim Purnomo", "3171012401896246").body["doses"],
        json!([]),
        "nothing is back"
    );
    assert!(app.bukti(&["restore", kept, "--without", "nobody"]).stderr.contains("has no API key"));
    app.bukti_ok(&["restore", kept, "--reinstate", "--without", &stolen]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (None, Some(false)));
    assert!(app.bukti_ok(&["officer", "list"]).contains("Rina"));
}

#[test]
fn unusable_backup_changes_nothing() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let kept = app.data.path().join("kept");
    app.bukti_ok(&["backup", kept.to_str().unwrap()]);

    let other = TestApp::start();
    let restore = |folder: &Path| other.bukti(&["restore", folder.to_str().unwrap()]).stderr;
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
    other.bukti_ok(&["backup", empty.to_str().unwrap()]);
    assert!(!records(&empty).iter().any(|record| kind(record) == ItemKind::Dose));
}

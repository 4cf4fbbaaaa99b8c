//! Backups and restores: what a restore recovers, what it must not recover, and that it sends no
//! SMS.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use bukti_domain::FeedRow;
use bukti_records::ItemKind;
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
const BIRTH_DATE: &str = "1989-01-24";

/// The table records in a backup, as JSON.
fn records(backup: &Path) -> BTreeSet<String> {
    records_in(&backup.join("table.json.gz"))
}

fn records_in(file: &Path) -> BTreeSet<String> {
    let file = std::fs::File::open(file).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let records = text.lines().map(|line| {
        // Normalise the order of attributes, which varies.
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record.to_string()
    });
    records.collect()
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Deletes everything in a data folder except the secrets, the root and the folder `backup`.
fn lose_all_but_secrets(data: &Path) {
    for file in std::fs::read_dir(data).unwrap().flatten().map(|entry| entry.path()) {
        match file.file_name().unwrap().to_str().unwrap() {
            "secrets.json" | "root.json" | "backup" | "lock" => {}
            _ if file.is_dir() => std::fs::remove_dir_all(file).unwrap(),
            // SQLite may delete its own files concurrently when its last connection closes.
            _ => std::fs::remove_file(file).or_else(ignore_missing).unwrap(),
        }
    }
}

#[test]
fn restore_recovers_lost_data_and_sends_no_sms() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let text = app.qr_text(PHONE, BIRTH_DATE);
    // These people share one phone, which gets at most 20 SMS per day.
    app.import(&people::with_difficult_names().concat());
    // Correct the dose, so that a new certificate supersedes the first.
    let sent_at = "2021-02-01T08:00:00+07:00".into();
    app.import(&[FeedRow { sent_at, batch: "B2".into(), ..dose("OURS") }]);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "superseded");
    let cookie = app.log_in(PHONE, Some("Iwan"));

    let backup = app.data.path().join("backup");
    let backup = backup.to_str().unwrap();
    let output = app.bukti_ok(&["backup", backup]);
    let before = records(Path::new(backup));
    assert!(output.starts_with(&format!("{} records and ", before.len())), "{output}");
    assert!(app.bukti(&["backup", backup]).stderr.contains("is there already"));
    assert!(app.bukti(&["restore", backup]).stderr.contains("has doses"));

    // Lose everything except the secrets and the root.
    app.restart_after(lose_all_but_secrets);
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 401);
    let output = app.bukti_ok(&["restore", backup, "--reinstate"]);
    assert!(output.starts_with(&format!("{} records and ", before.len())), "{output}");
    app.wait_until_idle();

    let again = app.data.path().join("again");
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    assert_eq!(records(&again), before);
    let files = |folder: &Path| std::fs::read_dir(folder.join("documents/certificates")).unwrap().count();
    assert_eq!(files(&again), files(Path::new(backup)));
    assert_eq!(app.messages(), [], "no SMS is sent again");
    // After the restore, links, documents, signers and revocations work again, but sessions are
    // gone.
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 401);
    let opened = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}));
    assert_eq!(opened.status, 200, "{opened:?}");
    let (status, pdf) = app.fetch(opened.body["document"]["url"].as_str().unwrap());
    assert!(status == 200 && pdf.starts_with(b"%PDF"));
    let text = opened.body["certificate"]["qr_text"].as_str().unwrap();
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[text]).1, "valid");
    app.bukti_ok(&["restore", backup, "--overwrite", "--reinstate"]);
}

/// Exports the whole table to a folder in the format of DynamoDB's exports to S3. Older backups
/// contained the whole table, too.
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

/// The kind of the item in one line of an export.
fn kind(line: &str) -> ItemKind {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line["Item"][name]["S"].as_str().unwrap();
    ItemKind::of(text("pk"), text("sk")).unwrap_or_else(|| unreachable!("unknown kind of item: {line}"))
}

#[test]
fn restore_omits_sessions_codes_and_devices() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let current = |method| app.call(method, OtpRoute::Session.path(), Some(&cookie), None).status;
    let (exported, backup) = (app.data.path().join("exported"), app.data.path().join("backup"));
    export(&app, &exported);
    app.bukti_ok(&["backup", backup.to_str().unwrap()]);
    assert_eq!(current("DELETE"), 204);
    let short_lived = |line: &String| {
        use ItemKind::{Device, Lease, ListedSession, Otp, Session};
        matches!(kind(line), Device | Lease | ListedSession | Otp | Session)
    };
    assert!(records_in(&exported.join("data.json.gz")).iter().any(short_lived));
    assert!(!records(&backup).iter().any(short_lived), "backups exclude short-lived items");

    let output = app.bukti_ok(&["restore", exported.to_str().unwrap(), "--overwrite"]);
    assert_eq!(current("GET"), 401, "{output}");
    let again = app.data.path().join("again");
    export(&app, &again);
    let is_session = |line: &String| matches!(kind(line), ItemKind::Session | ItemKind::ListedSession);
    assert!(!records_in(&again.join("data.json.gz")).iter().any(is_session));
}

/// A dose of a person with their own NIK and phone.
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
    let certificate = open(revoked, BIRTH_DATE).body["certificate"].clone();
    let backup = app.data.path().join("backup");
    let backup = backup.to_str().unwrap();
    app.bukti_ok(&["backup", backup]);

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

    // Keys and signers have not changed, so the restore does not need `--reinstate`.
    let output = app.bukti_ok(&["restore", backup, "--overwrite"]);
    assert!(output.contains("records stay as they are here"), "{output}");
    app.wait_until_idle();
    assert_eq!(code(incomplete), "certificate_issued", "other changes are overwritten");
    assert_eq!([code(retracted), code(revoked)], ["dose_retracted", "certificate_revoked"]);
    for (of, expected) in
        [(retracted, "link_dead"), (revoked, "link_dead"), (locked, "link_locked"), (refused, "link_dead")]
    {
        assert_eq!(open(of, BIRTH_DATE).code(), expected, "{}", of.event_id);
    }
    // The dose of the revoked certificate remains withdrawn, too.
    app.import(&[FeedRow {
        sent_at: "2021-03-01T08:00:00+07:00".into(),
        batch: "B2".into(),
        ..revoked.clone()
    }]);
    assert_eq!(code(revoked), "certificate_revoked");
    assert_eq!(app.messages().len(), messages, "the restore sends no SMS");
}

#[test]
fn restored_duplicate_claims_its_dose_again() {
    let app = TestApp::start();
    let (own, hub) = (dose("OWN"), FeedRow { no_hp: "081200000999".into(), ..dose("HUB") });
    app.import(std::slice::from_ref(&own));
    app.import(std::slice::from_ref(&hub));
    let backup = app.data.path().join("backup");
    let backup = backup.to_str().unwrap();
    app.bukti_ok(&["backup", backup]);
    // Once the event is incomplete, it no longer claims the dose.
    let incomplete =
        FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), batch: String::new(), ..hub.clone() };
    app.import(&[incomplete]);

    app.bukti_ok(&["restore", backup, "--overwrite"]);
    app.wait_until_idle();
    assert!(app.messages_to(&hub.no_hp).is_empty(), "the event is a duplicate again");
    app.import(&[retraction(&own.event_id, "2021-03-01T08:00:00+07:00")]);
    let sms = app.messages_to(&hub.no_hp);
    assert_eq!(sms.len(), 1, "the event owns the dose now");
    let link = json!({"token": sms[0].token().unwrap(), "birth_date": BIRTH_DATE});
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
    let sms_before = app.messages().len();
    assert_eq!(sms_before, 12);
    app.bukti_ok(&["backup", app.data.path().join("backup").to_str().unwrap()]);
    app.restart_after(lose_all_but_secrets);
    let backup = app.data.path().join("backup");
    app.bukti_ok(&["restore", backup.to_str().unwrap(), "--overwrite", "--reinstate"]);
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 0, "the restore sends no SMS");
    app.bukti_ok(&["trust", "publish"]);
    let again = app.data.path().join("again");
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    let doses = |folder: &Path| -> BTreeSet<String> {
        records(folder).into_iter().filter(|record| record.contains("\"DOSE\"")).collect()
    };
    assert_eq!(doses(&again), doses(&backup), "the same events own the doses");
}

#[test]
fn restore_reopens_no_decided_case() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let person = app.log_in(PHONE, None);
    let case = helpdesk::open(&app, &person, helpdesk::case_request("name", &dose("OURS")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let queue = || helpdesk::get(&app, &officer, HelpdeskRoute::Queue.path())["cases"].clone();
    assert_eq!(queue()[0]["number"], json!(case));
    let backup = app.data.path().join("backup");
    app.bukti_ok(&["backup", backup.to_str().unwrap()]);
    assert_eq!(helpdesk::decide(&app, &officer, &case, "refuse", json!({})).body["state"], "refused");

    app.bukti_ok(&["restore", backup.to_str().unwrap(), "--overwrite"]);
    assert_eq!(queue(), json!([]));
    let seen = helpdesk::get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["state"], "refused");
}

#[test]
fn restore_keeps_newer_revocations() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let text = app.qr_text(PHONE, BIRTH_DATE);
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let opened = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE})).body;
    let id = opened["certificate"]["id"].as_str().unwrap();
    let (backup, again) = (app.data.path().join("backup"), app.data.path().join("again"));
    app.bukti_ok(&["backup", backup.to_str().unwrap()]);
    app.bukti_ok(&["revoke", id, "--reason", "a test", "--no-publish"]);

    app.bukti_ok(&["restore", backup.to_str().unwrap(), "--overwrite"]);
    app.bukti_ok(&["backup", again.to_str().unwrap()]);
    let is_revocation = |line: &&String| kind(line) == ItemKind::Revocation;
    let listed = |folder: &Path| records(folder).iter().filter(is_revocation).count();
    assert_eq!((listed(&backup), listed(&again)), (0, 1));
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&text]).1, "revoked");
    let twice = app.bukti_ok(&["revoke", id, "--reason", "a test", "--no-publish"]);
    assert!(twice.contains("was revoked before"), "the certificate is marked as revoked, too: {twice}");
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
    let backup = app.data.path().join("backup");
    let backup = backup.to_str().unwrap();
    app.bukti_ok(&["backup", backup]);
    app.bukti_ok(&["trust", "remove", &kid, "--no-publish"]);

    let output = app.bukti(&["restore", backup, "--overwrite"]);
    assert!(output.code == 1 && output.stderr.contains(&format!("{kid}  other issuer")), "{}", output.stderr);
    assert!(
        !output.stderr.contains("signer since"),
        "signers that the table has are not listed: {}",
        output.stderr
    );
    app.bukti_ok(&["restore", backup, "--overwrite", "--reinstate", "--without", &kid]);
    assert_eq!(issuers(&app), "");
    app.bukti_ok(&["restore", backup, "--overwrite", "--reinstate"]);
    assert!(issuers(&app).contains(&kid));

    // The backup's signers replace the signers of a fresh deployment. Issuers that were imported
    // into the new deployment are kept.
    app.restart_after(lose_all_but_secrets);
    import(&app);
    app.bukti_ok(&["restore", backup, "--reinstate", "--without", &kid]);
    assert!(issuers(&app).contains(&kid));
}

#[test]
fn backup_documents_are_sealed() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let backup = app.data.path().join("backup");
    app.bukti_ok(&["backup", backup.to_str().unwrap()]);
    let documents: Vec<_> =
        std::fs::read_dir(backup.join("documents/certificates")).unwrap().flatten().collect();
    assert_eq!(documents.len(), 1);
    let sealed = std::fs::read(documents[0].path()).unwrap();
    assert!(sealed.len() > 10_000 && !sealed.windows(4).any(|bytes| bytes == b"%PDF"));

    // A sealed document cannot be opened under another document's name.
    std::fs::rename(documents[0].path(), backup.join("documents/certificates/other.pdf.sealed")).unwrap();
    let output = app.bukti(&["restore", backup.to_str().unwrap(), "--overwrite", "--reinstate"]);
    assert!(output.code == 1 && output.stderr.contains("is damaged"), "{}", output.stderr);
}

#[test]
fn restore_readmits_nobody_unasked() {
    let mut app = TestApp::start();
    app.import(&[dose("OURS")]);
    let add = |app: &TestApp, code: &str| {
        let key = app.bukti_ok(&["api-key", "create", "--facility", code]);
        let from = key.find("bk_").unwrap();
        key[from + 3..from + 11].to_owned()
    };
    let (stolen, good) = (add(&app, "P3174020101"), add(&app, "P3174020102"));
    app.bukti_ok(&["officer", "add", "081200000099", "--name", "Rina"]);
    app.bukti_ok(&["signing-key", "rotate"]);
    let backup = app.data.path().join("backup");
    let backup = backup.to_str().unwrap();
    app.bukti_ok(&["backup", backup]);
    let ended = |app: &TestApp, id: &str| {
        let listed = app.bukti_ok(&["api-key", "list"]);
        listed.lines().find(|line| line.contains(id)).map(|line| line.contains("ended"))
    };

    // The API keys in the table are newer than those in the backup, so the restore does not replace
    // them.
    app.bukti_ok(&["api-key", "revoke", &stolen]);
    app.bukti_ok(&["restore", backup, "--overwrite", "--reinstate"]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (Some(true), Some(false)));

    // If the table is lost, only the admin can know which API keys were revoked after the backup.
    app.restart_after(lose_all_but_secrets);
    let output = app.bukti(&["restore", backup]);
    assert_eq!(output.code, 1);
    for listed in [&stolen, &good, "officer Rina", "signer since"] {
        assert!(output.stderr.contains(listed), "{listed}: {}", output.stderr);
    }
    assert_eq!(
        app.status("Iwan Ibrahim Purnomo", "3171012401896246").body["doses"],
        json!([]),
        "the failed restore changes nothing"
    );
    assert!(app.bukti(&["restore", backup, "--without", "nobody"]).stderr.contains("has no API key"));
    app.bukti_ok(&["restore", backup, "--reinstate", "--without", &stolen]);
    assert_eq!((ended(&app, &stolen), ended(&app, &good)), (None, Some(false)));
    assert!(app.bukti_ok(&["officer", "list"]).contains("Rina"));
}

#[test]
fn unusable_backup_changes_nothing() {
    let app = TestApp::start();
    app.import(&[dose("OURS")]);
    let backup = app.data.path().join("backup");
    app.bukti_ok(&["backup", backup.to_str().unwrap()]);

    let other = TestApp::start();
    let restore = |folder: &Path| other.bukti(&["restore", folder.to_str().unwrap()]).stderr;
    let output = restore(&backup);
    assert!(output.contains("do not open with the secrets in"), "{output}");
    let nothing = app.data.path().join("nothing");
    assert!(restore(&nothing).contains("cannot read"));
    std::fs::create_dir(&nothing).unwrap();
    assert!(restore(&nothing).contains("is no backup"));
    let table = backup.join("table.json.gz");
    let whole = std::fs::read(&table).unwrap();
    std::fs::write(&table, &whole[..whole.len() / 2]).unwrap();
    assert!(restore(&backup).contains("is damaged"));

    let empty = app.data.path().join("empty");
    other.bukti_ok(&["backup", empty.to_str().unwrap()]);
    assert!(!records(&empty).iter().any(|record| kind(record) == ItemKind::Dose));
}

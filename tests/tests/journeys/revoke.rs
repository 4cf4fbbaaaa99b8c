//! Revocation, withdrawal and reinstatement; trust in other issuers; verification without lists.

use std::time::{Duration, Instant};

use bukti_domain::{FeedRow, Identity};
use bukti_store::{Certificates, DocumentSigners, Doses};
use bukti_tests::{TestApp, dose, retraction};
use bukti_trust::revocation_files;
use bukti_wire::HolderRoute;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::helpdesk::{case_request, decide, dose_of, open};
use crate::keys::verdict;

const PHONE: &str = "082106690743";
const BIRTH_DATE: &str = "1989-01-24";

/// The UVCI in the text of a QR code.
fn uvci(app: &TestApp, text: &str) -> String {
    let output = app.bukti(&["verify", "--json", text]);
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    answer["payload"]["v"][0]["ci"].as_str().unwrap().to_owned()
}

fn verdict_of(app: &TestApp, text: &str) -> String {
    verdict(app, &[text]).1
}

/// The exit code, verdict and revocation state of `bukti verify`.
fn revocation(app: &TestApp, arguments: &[&str]) -> (i32, Value, Value) {
    let output = app.bukti(&[&["verify", "--json"], arguments].concat());
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        answer["revocation_as_of"].is_string(),
        ["checked", "outdated"].contains(&answer["revocation"].as_str().unwrap())
    );
    (output.code, answer["verdict"].clone(), answer["revocation"].clone())
}

fn corrected(row: &FeedRow, sent_at: &str, batch: &str) -> FeedRow {
    FeedRow { sent_at: sent_at.into(), batch: batch.into(), ..row.clone() }
}

#[test]
fn revoked_certificate_is_hidden_and_fails_verification() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let text = app.qr_text(PHONE, BIRTH_DATE);
    assert_eq!(verdict_of(&app, &text), "valid");
    let uvci = uvci(&app, &text);

    let wrong =
        app.bukti(&["revoke", "0123456789ABCDEF", &uvci, "URN:UVCI:01:ID:X", "--reason", "stolen form"]);
    assert_eq!(wrong.code, 1, "two certificates do not exist");
    assert!(wrong.stderr.contains("there is no certificate 0123456789ABCDEF"), "{}", wrong.stderr);
    assert!(
        wrong.stdout.contains(" revoked\n"),
        "the third certificate is revoked all the same: {}",
        wrong.stdout
    );
    assert_eq!(verdict_of(&app, &text), "revoked");

    let bare = uvci.split(['#', ':']).nth(4).unwrap();
    let grouped: Vec<String> =
        bare.as_bytes().chunks(4).map(|group| String::from_utf8(group.to_vec()).unwrap()).collect();
    for same in [bare, &grouped.join("-"), &uvci] {
        let again = app.bukti_ok(&["revoke", same, "--reason", "again", "--no-publish"]);
        assert_eq!(again, format!("{bare} was revoked before\n"));
    }

    let status = app.status("Iwan Ibrahim Purnomo", "3171012401896246");
    assert_eq!(status.body["doses"][0]["diagnosis"]["code"], "certificate_revoked");
    let token = app.messages_to(PHONE).pop().unwrap().token().unwrap();
    let opened = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}));
    assert_eq!((opened.status, opened.code()), (410, "link_dead"));
    let cookie = app.log_in(PHONE, Some("Iwan"));
    let document = app.call("POST", &HolderRoute::Document.path_of(bare), Some(&cookie), None);
    assert_eq!(document.status, 404);
    let people = app.call("GET", HolderRoute::People.path(), Some(&cookie), None).body;
    let path = HolderRoute::Certificates.path_of(people["people"][0]["id"].as_str().unwrap());
    let account = app.call("GET", &path, Some(&cookie), None).body;
    assert_eq!(account["doses"][0]["diagnosis"]["code"], "certificate_revoked");
    assert_eq!((&account["doses"][0]["certificate"], &account["tickets"]), (&Value::Null, &json!([])));
    // The account contains neither the id of the certificate nor the image or text of its QR code.
    let account = account.to_string();
    for part in ["HC1:", "<svg", bare, &grouped.join("-")] {
        assert!(!account.contains(part), "{part}: {account}");
    }
    assert_eq!(app.messages_to(PHONE).iter().filter(|message| message.token().is_some()).count(), 1);
}

#[test]
fn correction_supersedes_previous_certificate() {
    let app = TestApp::start();
    let row = dose("E1");
    app.import(std::slice::from_ref(&row));
    let first = app.qr_text(PHONE, BIRTH_DATE);
    app.import(&[corrected(&row, "2021-02-01T08:00:00+07:00", "B2")]);
    let second = app.qr_text(PHONE, BIRTH_DATE);
    app.import(&[
        corrected(&row, "2021-02-02T08:00:00+07:00", "B3"),
        corrected(&row, "2021-02-03T08:00:00+07:00", "B4"),
    ]);
    let last = app.qr_text(PHONE, BIRTH_DATE);

    // The stack publishes revocation lists automatically.
    let deadline = Instant::now() + Duration::from_secs(20);
    while [&first, &second].iter().any(|text| verdict_of(&app, text) != "superseded") {
        assert!(Instant::now() < deadline, "no list was published within 20 s");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(verdict_of(&app, &last), "valid");
    let output = app.bukti(&["revoke", &uvci(&app, &first), "--reason", "late"]);
    assert_eq!((output.code, output.stderr.contains(" was superseded by ")), (1, true), "{}", output.stderr);
}

#[test]
fn concurrent_revocations_of_one_certificate_count_once() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let text = app.qr_text(PHONE, BIRTH_DATE);
    let uvci = uvci(&app, &text);
    let outs: Vec<String> = std::thread::scope(|scope| {
        let revoke = || app.bukti_ok(&["revoke", &uvci, "--reason", "at once", "--no-publish"]);
        let running: Vec<_> = (0..8).map(|_| scope.spawn(revoke)).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    });
    assert_eq!(outs.iter().filter(|out| out.ends_with(" revoked\n")).count(), 1, "{outs:?}");
    let published = app.bukti_ok(&["trust", "publish"]);
    assert!(published.contains("revoked certificates 1,"), "{published}");
    assert_eq!(verdict_of(&app, &text), "revoked");
}

fn revoke(app: &TestApp, text: &str) -> String {
    app.bukti_ok(&["trust", "publish"]);
    let uvci = uvci(app, text);
    app.bukti_ok(&["revoke", &uvci, "--reason", "never given"]);
    uvci
}

/// The diagnosis code of the first dose in the status.
fn diagnosis_code(app: &TestApp) -> String {
    let status = app.status("Iwan Ibrahim Purnomo", "3171012401896246");
    status.body["doses"][0]["diagnosis"]["code"].as_str().unwrap().to_owned()
}

/// The number of SMS with a link, to any phone.
fn links(app: &TestApp) -> usize {
    app.messages().iter().filter(|message| message.token().is_some()).count()
}

#[test]
fn withdrawn_dose_gets_no_certificate_until_it_is_reinstated() {
    let app = TestApp::start();
    let row = dose("E1");
    app.import(std::slice::from_ref(&row));
    let text = app.qr_text(PHONE, BIRTH_DATE);
    let uvci = revoke(&app, &text);
    let sent = links(&app);
    let other_phone = FeedRow { no_hp: "081200000991".into(), ..row.clone() };
    for (day, row) in [
        (1, FeedRow { batch: "B2".into(), ..row.clone() }),
        (2, FeedRow { tanggal_vaksinasi: "2021-01-28".into(), ..row.clone() }),
        (3, FeedRow { no_hp: other_phone.no_hp.clone(), ..row.clone() }),
        (4, FeedRow { batch: String::new(), ..row.clone() }),
        (5, row.clone()),
    ] {
        let is_complete = !row.batch.is_empty();
        let report = app.import(&[FeedRow { sent_at: format!("2021-03-0{day}T08:00:00+07:00"), ..row }]);
        let (outcome, reasons) = &report[&2];
        assert_eq!(reasons.contains("dose_withdrawn") && outcome == "held", is_complete, "{day}: {report:?}");
        assert_eq!(links(&app), sent, "{day}");
    }
    assert_eq!(diagnosis_code(&app), "certificate_revoked");
    // Another event that reports the same dose does not replace the withdrawn event, even if the
    // withdrawn event is retracted and sent again.
    app.import(&[FeedRow { event_id: "E2".into(), ..other_phone.clone() }]);
    app.import(&[retraction("E1", "2021-03-06T08:00:00+07:00")]);
    app.import(&[FeedRow { event_id: "E3".into(), ..other_phone }]);
    assert_eq!((links(&app), &*diagnosis_code(&app)), (sent, "dose_retracted"));
    app.import(&[FeedRow { sent_at: "2021-03-07T08:00:00+07:00".into(), batch: "B3".into(), ..row }]);
    assert_eq!((links(&app), &*diagnosis_code(&app)), (sent, "certificate_revoked"));

    let wrong = app.bukti(&["reinstate", "0123456789ABCDEF", &uvci]);
    assert_eq!((wrong.code, wrong.stderr.contains("there is no certificate 0123456789ABCDEF")), (1, true));
    app.wait_until_idle();
    assert_eq!((links(&app), &*diagnosis_code(&app)), (sent + 1, "certificate_issued"));
    let new = app.qr_text(PHONE, BIRTH_DATE);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!((&*verdict_of(&app, &new), &*verdict_of(&app, &text)), ("valid", "revoked"));
    let again = app.bukti(&["reinstate", &uvci]);
    assert_eq!((again.code, again.stderr.contains("is not withdrawn")), (1, true), "{}", again.stderr);
}

#[test]
fn reinstated_retracted_event_passes_dose_to_waiting_event() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.import(&[FeedRow { no_hp: "081200000991".into(), ..dose("E2") }]);
    let uvci = revoke(&app, &app.qr_text(PHONE, BIRTH_DATE));
    app.import(&[retraction("E1", "2021-03-01T08:00:00+07:00")]);
    let sent = links(&app);
    app.bukti_ok(&["reinstate", &uvci]);
    app.wait_until_idle();
    assert_eq!(links(&app), sent + 1);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict_of(&app, &app.qr_text("081200000991", BIRTH_DATE)), "valid");
}

#[test]
fn revoking_after_retraction_withdraws_dose() {
    let app = TestApp::start();
    let row = dose("E1");
    app.import(std::slice::from_ref(&row));
    app.bukti_ok(&["trust", "publish"]);
    let uvci = uvci(&app, &app.qr_text(PHONE, BIRTH_DATE));
    app.import(&[retraction("E1", "2021-03-01T08:00:00+07:00")]);
    let output = app.bukti_ok(&["revoke", &uvci, "--reason", "never given"]);
    assert!(output.contains(" was revoked before; its dose is withdrawn now\n"), "{output}");
    let sent = links(&app);
    app.import(&[FeedRow { sent_at: "2021-03-02T08:00:00+07:00".into(), ..row.clone() }]);
    app.import(&[FeedRow { event_id: "E2".into(), ..row }]);
    assert_eq!((links(&app), &*diagnosis_code(&app)), (sent, "certificate_revoked"));
    app.bukti_ok(&["reinstate", &uvci]);
    app.wait_until_idle();
    assert_eq!((links(&app), &*diagnosis_code(&app)), (sent + 1, "certificate_issued"));
}

#[test]
fn revoking_withdraws_current_owner_of_dose() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let uvci = uvci(&app, &app.qr_text(PHONE, BIRTH_DATE));
    app.import(&[retraction("E1", "2021-03-01T08:00:00+07:00")]);
    app.import(&[FeedRow { no_hp: "081200000991".into(), ..dose("E2") }]);
    let text = app.qr_text("081200000991", BIRTH_DATE);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict_of(&app, &text), "valid", "a retraction withdraws no dose");
    app.bukti_ok(&["revoke", &uvci, "--reason", "never given", "--no-publish"]);
    app.wait_until_idle();
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict_of(&app, &text), "revoked");
    let sent = links(&app);
    app.bukti_ok(&["reinstate", &uvci]);
    app.wait_until_idle();
    assert_eq!(links(&app), sent + 1, "the dose gets one certificate");
}

#[test]
fn withdrawn_event_blocks_no_other_dose() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    revoke(&app, &app.qr_text(PHONE, BIRTH_DATE));
    let other = |event: &str| FeedRow {
        tanggal_vaksinasi: "2021-03-01".into(),
        sent_at: "2021-03-02T08:00:00+07:00".into(),
        ..dose(event)
    };
    app.import(&[other("E1")]);
    let sent = links(&app);
    app.import(&[FeedRow { no_hp: "081200000991".into(), ..other("E2") }]);
    assert_eq!(links(&app), sent + 1);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict_of(&app, &app.qr_text("081200000991", BIRTH_DATE)), "valid");
}

#[test]
fn officers_cannot_correct_withdrawn_dose() {
    let app = TestApp::start();
    let dose_row = dose("E1");
    app.import(std::slice::from_ref(&dose_row));
    let phone = "0812-0000-0991";
    let person = app.log_in(phone, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let dose = dose_of(&app, &officer, &case);
    let uvci = revoke(&app, &app.qr_text(PHONE, BIRTH_DATE));
    let grant = json!({"dose": dose, "facility_word": "dr. Ani"});
    let refused = decide(&app, &officer, &case, "grant", grant.clone());
    assert_eq!((refused.status, refused.code()), (409, "dose_withdrawn"));
    // A case about a missing dose cannot record it again.
    let mut request = case_request("dose_missing", &dose_row);
    for (field, value) in [
        ("dose_number", &dose_row.dosis_ke),
        ("vaccine", &dose_row.vaksin),
        ("vaccination_date", &dose_row.tanggal_vaksinasi),
        ("facility", &dose_row.nama_faskes),
    ] {
        request[field] = json!(value);
    }
    let missing = open(&app, &person, request);
    let grant_missing =
        json!({"facility_word": "dr. Ani", "batch": "AZ56327B", "facility_code": "P3174020101"});
    let refused = decide(&app, &officer, &missing, "grant", grant_missing);
    assert_eq!((refused.status, refused.code()), (409, "dose_withdrawn"), "{}", refused.body);
    app.bukti_ok(&["reinstate", &uvci]);
    app.wait_until_idle();
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "granted");
    app.wait_until_idle();
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict_of(&app, &app.qr_text(phone, BIRTH_DATE)), "valid");
}

#[test]
fn revocation_during_corrections_leaves_no_valid_certificate() {
    let app = TestApp::start();
    let row = dose("E1");
    app.import(std::slice::from_ref(&row));
    app.bukti_ok(&["trust", "publish"]);
    let text = app.qr_text(PHONE, BIRTH_DATE);
    let uvci = uvci(&app, &text);
    let of_person = async |doses: &Doses| {
        let identity = Identity::parse("3171012401896246").unwrap();
        doses.of_person(&identity).await.unwrap().doses.remove(0)
    };
    let before = app.with_aws(async |aws| of_person(&Doses::new(&aws)).await);
    std::thread::scope(|scope| {
        let correct = || {
            let rows = (1..20)
                .map(|at| corrected(&row, &format!("2021-03-01T08:00:{at:02}+07:00"), &at.to_string()));
            app.import(&rows.collect::<Vec<_>>());
        };
        scope.spawn(correct);
        // The revocation of a certificate that has been superseded in the meantime fails and names
        // the successor, which is then revoked instead.
        let mut named = uvci.clone();
        while let Some(by) = app
            .bukti(&["revoke", &named, "--reason", "never given"])
            .stderr
            .split(" was superseded by ")
            .nth(1)
        {
            named = by.split(' ').next().unwrap().to_owned();
        }
    });
    app.wait_until_idle();
    let after = app.with_aws(async |aws| {
        let (doses, certificates) = (Doses::new(&aws), Certificates::new(&aws));
        // A reissue based on the dose record from before the withdrawal fails.
        assert!(!doses.reissue(&before).await.unwrap());
        let after = of_person(&doses).await;
        for id in after.all_certificates(&aws.keys) {
            let certificate = certificates.of_id(&id).await.unwrap();
            assert!(certificate.is_none_or(|certificate| certificate.revoked_at.is_some()), "{id}");
        }
        after
    });
    assert!(after.withdrawn.is_some());
    assert_eq!(diagnosis_code(&app), "certificate_revoked");
    app.bukti_ok(&["trust", "publish"]);
    assert_ne!(verdict_of(&app, &text), "valid");
}

#[test]
fn other_issuer_is_trusted_after_import() {
    let (app, other) = (TestApp::start(), TestApp::start());
    app.bukti_ok(&["trust", "publish"]);
    other.bukti_ok(&["trust", "publish"]);
    other.import(&[dose("E1")]);
    let text = other.qr_text(PHONE, BIRTH_DATE);
    assert_eq!(verdict_of(&app, &text), "issuer_unknown");

    let list = other.data.path().join("bucket/bukti-public/trust/signers.json");
    let list = list.to_str().unwrap();
    assert!(app.bukti_ok(&["trust", "import", list, "--dry-run"]).starts_with("1 new, 0 changed, 0 known"));
    assert_eq!(verdict_of(&app, &text), "issuer_unknown");
    app.bukti_ok(&["trust", "import", list]);
    // The importing deployment has no revocation lists of the other issuer.
    assert_eq!(revocation(&app, &[&text]), (3, json!("revocation_unknown"), json!("not_covered")));
    assert!(app.bukti_ok(&["trust", "import", list]).starts_with("0 new, 0 changed, 1 known"));

    let listed = app.bukti_ok(&["trust", "list"]);
    let kid = listed.split_whitespace().next().unwrap();
    app.bukti_ok(&["trust", "remove", kid]);
    assert_eq!(verdict_of(&app, &text), "issuer_unknown");
    assert_eq!(app.bukti(&["trust", "remove", kid]).code, 1);

    let folder = other.data.path().join("bucket/bukti-public/trust");
    let folder = folder.to_str().unwrap();
    assert_eq!(verdict(&app, &["--trust", folder, &text]).1, "valid", "with the trust files in a folder");
    assert_eq!(
        verdict(&app, &["--trust", other.url(), &text]).1,
        "valid",
        "with the trust files of another site"
    );
    let did = other.data.path().join("bucket/bukti-public/trust/did.json");
    assert!(app.bukti_ok(&["trust", "import", did.to_str().unwrap()]).starts_with("1 new"));
    assert_eq!(verdict_of(&app, &text), "revocation_unknown");
}

#[test]
fn verify_reports_unknown_revocation() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let text = app.qr_text(PHONE, BIRTH_DATE);
    let published = app.data.path().join("bucket/bukti-public/trust");
    let folder = app.data.path().join("copy");
    let index = folder.join("revocation/index.cose");
    std::fs::create_dir_all(folder.join("revocation")).unwrap();
    let copy = || {
        for file in ["signers.json", "revocation/index.cose"] {
            std::fs::copy(published.join(file), folder.join(file)).unwrap();
        }
    };
    copy();
    // Simulate an index that was published eight days ago.
    let old = app.with_aws(async |aws| {
        let signer = DocumentSigners::new(&aws).active().await.unwrap();
        let made = Timestamp::now() - SignedDuration::from_hours(24 * 8);
        revocation_files(Vec::new(), &*signer, made).await.unwrap().remove(0).bytes
    });
    std::fs::write(&index, old).unwrap();
    let trust = ["--trust", folder.to_str().unwrap()];
    let verify = |more: &[&str]| revocation(&app, &[&trust[..], more, &[&text]].concat());
    let unknown = |state: &str| (3, json!("revocation_unknown"), json!(state));
    let checked = || (0, json!("valid"), json!("checked"));
    let at = |days: i64| (Timestamp::now() + SignedDuration::from_hours(24 * days)).to_string();
    assert_eq!(verify(&[]), unknown("outdated"));
    assert_eq!(
        verify(&["--at", &at(-7)]).2,
        json!("outdated"),
        "lists have to be current now, not only at the given time"
    );
    let output = app.bukti(&["verify", trust[0], trust[1], &text]);
    assert!(output.stdout.contains("revocation   lists too old, as of 2"), "{}", output.stdout);
    copy();
    assert_eq!(verify(&[]), checked());
    assert_eq!(verify(&["--at", &at(8)]), checked());

    let old = std::fs::read(&index).unwrap();
    std::fs::remove_file(&index).unwrap();
    assert_eq!(verify(&[]), unknown("unavailable"));

    // Wait for the next second, since the timestamps of the lists have a precision of one second.
    std::thread::sleep(Duration::from_millis(1_100));
    app.bukti_ok(&["trust", "publish"]);
    copy();
    assert_eq!(verify(&[]), checked());
    std::fs::write(&index, old).unwrap();
    assert_eq!(verify(&[]), unknown("outdated"), "an index older than one seen before");
}

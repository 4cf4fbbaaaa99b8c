//! Deployment test: the SAM CLI deploys the template and the functions to an emulated AWS account
//! that enforces roles.
//!
//! `cargo xtask test --only deploy` compiles the functions for Lambda and runs this test.
//! `BUKTI_SAM` is the folder of the SAM CLI, `BUKTI_BUILT` is the output of `sam build`, and
//! `BUKTI_PYTHON` is a Python interpreter with ministack. Settings that the emulator silently
//! ignores are tested by `tests/deploy/template_test.py` and on the embedded stack. The routes of
//! officers are tested on the embedded stack, too, since the emulator does not support the PartiQL
//! statements of the audit log.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod deployment;

use std::path::{Path, PathBuf};
use std::time::Instant;

use bukti_domain::FeedRow;
use bukti_records::ItemKind;
use bukti_tests::caller::Caller;
use bukti_tests::{csv, dose, download_request, people, read_report, sample_feed};
use bukti_wire::{HolderRoute, SenderRoute, StatusRoute};
use serde_json::json;

use crate::account::{AwsAccount, wait_for};
use crate::deployment::Deployed;

const STACK: &str = "bukti-test";
const SITE: &str = "https://bukti.example.go.id";
const PHONE: &str = "0813-5555-0042";
const BIRTH_DATE: &str = "1989-01-24";

/// Writes a feed that contains [`own_dose`] and either the sample feed or, if it is missing, people
/// with difficult names. Returns the path of the feed, and the path of the expected results if the
/// sample feed is used.
fn feed(folder: &Path) -> (PathBuf, Option<PathBuf>) {
    let file = folder.join("feed.csv");
    let Some(sample) = sample_feed() else {
        let mut rows: Vec<FeedRow> = people::with_difficult_names().into_iter().flatten().collect();
        rows.push(own_dose());
        std::fs::write(&file, csv(&rows)).unwrap();
        return (file, None);
    };
    let mut text = std::fs::read_to_string(sample.join("doses-1.csv")).unwrap();
    let own = String::from_utf8(csv(&[own_dose()])).unwrap();
    text.push_str(own.split_once('\n').unwrap().1);
    std::fs::write(&file, text).unwrap();
    (file, Some(sample.join("doses-1.expected.csv")))
}

#[test]
#[ignore = "needs what sam build makes: cargo xtask test --only deploy"]
fn stack_deploys_serves_updates_and_keeps_data_on_deletion() {
    let mut account = AwsAccount::open();
    account.bukti(None, &["signing-key", "init", "--organisation", "Bukti"]);
    let began = Instant::now();
    let deployed = account.deploy("1", &[]);
    println!("deployed in {:.0} s", began.elapsed().as_secs_f32());
    account.bukti(Some(&deployed.outputs), &["signing-key", "init"]);
    account.bukti(Some(&deployed.outputs), &["trust", "publish"]);

    check_emulation_gaps(&account, &deployed);
    check_site(&account, &deployed);
    let token = check_import_and_account(&account, &deployed);
    check_api_import(&account, &deployed, &api_dose("SENT-BY-API", "3171012401899043", "0813-5555-0043"));
    check_stream_notifications(&account, &deployed, &token);
    check_edge_key(&deployed);
    check_missing_permission(&account, &deployed);

    // After a change to one function's code, only that function is replaced.
    let (before, code_before) = (account.boto3(&count_doses(&deployed)), account.deployed_code());
    account.change_code_of("StatusFunction");
    let deployed = Deployed { outputs: account.deploy("1", &[]).outputs, ..deployed };
    let changed = account.deployed_code().into_iter().filter(|(name, code)| code_before[name] != *code);
    let changed: Vec<String> = changed.map(|(name, _)| name).collect();
    assert!(matches!(&changed[..], [name] if name.contains("StatusFunction")), "{changed:?}");
    assert_eq!(deployed.status(&own_dose()).status, 200);

    // After a change of settings, the functions use the new settings, and the data are kept.
    let deployed = account.deploy("2", &["HelpdeskPhone=1500567"]);
    assert_eq!(account.boto3(&count_doses(&deployed)), before);
    let later = api_dose("SENT-LATER", "3171012401899044", "0813-5555-0044");
    check_api_import(&account, &deployed, &later);
    let (text, _) = account.sms_link(&later.no_hp, 0);
    assert!(text.contains("1500567"), "{text}");
    let before = account.boto3(&count_doses(&deployed));

    // After the deletion of the stack, the data are kept.
    let mut delete = account.command(account.sam.join("sam"));
    delete.args(["delete", "--stack-name", STACK, "--no-prompts", "--region", "ap-southeast-3"]);
    account.run(delete);
    assert_eq!(account.boto3(&count_doses(&deployed)), before);
    let buckets = account.boto3("[it['Name'] for it in client('s3').list_buckets()['Buckets']]");
    assert!(buckets.as_array().unwrap().contains(&json!(deployed.outputs["Bucket"])), "{buckets}");
    assert_eq!(account.boto3("client('lambda').list_functions()['Functions']"), json!([]));
}

/// A first dose to send to the API.
fn api_dose(event_id: &str, nik: &str, phone: &str) -> FeedRow {
    FeedRow { nik: nik.into(), no_hp: phone.into(), ..dose(event_id) }
}

/// The dose of a person who is in no other feed.
fn own_dose() -> FeedRow {
    FeedRow { nik: "3171012401899042".into(), no_hp: PHONE.into(), ..dose("OURS") }
}

/// Asserts that the emulator still ignores the settings that only `template_test.py` checks. If
/// this fails, the emulator has begun to support them, and the deployment test can check them.
fn check_emulation_gaps(account: &AwsAccount, deployed: &Deployed) {
    let table = &deployed.outputs["Table"];
    let dropped = account.boto3(&format!(
        "[client('dynamodb').describe_time_to_live(TableName='{table}')['TimeToLiveDescription']['TimeToLiveStatus'], \
         client('dynamodb').describe_continuous_backups(TableName='{table}')['ContinuousBackupsDescription']\
         ['PointInTimeRecoveryDescription']['PointInTimeRecoveryStatus'], \
         client('dynamodb').describe_table(TableName='{table}')['Table'].get('SSEDescription')]"
    ));
    assert_eq!(
        dropped,
        json!(["DISABLED", "DISABLED", null]),
        "the emulation supports more settings now: test them here"
    );
}

/// An expression for [`AwsAccount::boto3`] that counts the doses in the table.
fn count_doses(deployed: &Deployed) -> String {
    format!(
        "sum(it['sk']['S'] == '{}' for page in client('dynamodb').get_paginator('scan').paginate(TableName='{}') \
         for it in page['Items'])",
        ItemKind::Dose.sort_key().unwrap(),
        deployed.outputs["Table"]
    )
}

/// Uploads a site as `cargo xtask deploy` does, and checks that CloudFront serves it. The emulated
/// CloudFront cannot reach the API.
fn check_site(account: &AwsAccount, deployed: &Deployed) {
    let site = account.folder.path().join("site");
    let write = |name: &str, text: &str| {
        let file = site.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("index.html", "the first page");
    write("masuk/index.html", "the login page");
    write("404.html", "no such page");
    write("assets/site-1.js", "plain");
    write("assets/site-1.js.br", "smaller");
    let upload = || {
        let mut python = account.command(account.sam.join("python"));
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/xtask/src/upload_site.py")).arg(&site);
        python.args([&deployed.outputs["SiteBucket"], &deployed.outputs["Distribution"]]);
        let settings = account.folder.path().join("settings.json");
        std::fs::write(&settings, &deployed.outputs["SiteSettings"]).unwrap();
        account.run({
            python.stdin(std::fs::File::open(settings).unwrap());
            python
        })
    };
    assert!(upload().starts_with("9 of 9 files uploaded, 0 removed"));
    let host = deployed.outputs["SiteAddress"].strip_prefix("https://").unwrap();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let get = |path: &str, encodings: &str, scheme: &str| {
        let request = agent.get(format!("{}{path}", account.ministack.url)).header("host", host);
        let request = request.header("accept-encoding", encodings).header("x-forwarded-proto", scheme);
        let mut answer = request.call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        (answer.status().as_u16(), text, header("cache-control"), header("content-security-policy"))
    };
    let (status, text, cache_control, policy) = get("/masuk", "gzip", "https");
    assert_eq!((status, &*text, cache_control.as_deref()), (200, "the login page", Some("no-cache")));
    assert!(policy.unwrap().contains("default-src"));
    assert_eq!(get("/", "gzip", "https").1, "the first page");
    assert_eq!(get("/", "gzip", "http").0, 301);
    let (status, text, ..) = get("/nowhere", "gzip", "https");
    assert_eq!((status, &*text), (404, "no such page"));
    let (_, text, cache_control, _) = get("/assets/site-1.js", "gzip, br", "https");
    assert_eq!((&*text, cache_control.as_deref()), ("smaller", Some("public, max-age=31536000, immutable")));
    assert_eq!(get("/assets/site-1.js", "gzip", "https").1, "plain");
    assert!(get("/settings.json", "gzip", "https").1.contains("phone_countries"));
    // The trust files are in a separate bucket and are public independently of the site.
    assert_eq!(get("/trust/signers.json", "gzip", "https").0, 200);

    // Unchanged files are not uploaded again, and deleted files are removed.
    assert!(upload().starts_with("0 of 9 files uploaded, 0 removed\n"));
    write("masuk/index.html", "the page to log in");
    std::fs::remove_file(site.join("index.html")).unwrap();
    assert!(upload().starts_with("2 of 7 files uploaded, 2 removed, the others invalidated"));
    assert_eq!(get("/masuk", "gzip", "https").1, "the page to log in");
    let list =
        "client('cloudfront').list_invalidations(DistributionId='DIST')['InvalidationList']['Quantity']";
    assert_eq!(account.boto3(&list.replace("DIST", &deployed.outputs["Distribution"])), json!(2));
}

/// Sends a dose to the API with a hub's key.
fn check_api_import(account: &AwsAccount, deployed: &Deployed, row: &FeedRow) {
    let key = account.bukti(Some(&deployed.outputs), &["api-key", "create", "--hub", "DINKES"]);
    let authorization = format!("Bearer {}", key.trim());
    let headers = [("authorization", &*authorization), ("content-type", "text/csv")];
    let sent = deployed.caller.send(
        "POST",
        SenderRoute::SendDoses.path(),
        &headers,
        &csv(std::slice::from_ref(row)),
    );
    assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.body));
    assert_eq!(sent.json()["rows"][0]["outcome"], "issued", "{}", sent.json());
    wait_for("certificate of the dose that was sent", || {
        let answer = deployed.status(row).json();
        (answer["doses"][0]["diagnosis"]["code"] == "certificate_issued").then_some(())
    });
}

/// Imports a feed, then opens the link and the account of a person. Returns the link's token.
fn check_import_and_account(account: &AwsAccount, deployed: &Deployed) -> String {
    let (feed, expected) = feed(account.folder.path());
    let report = feed.with_extension("report");
    account.bukti(
        Some(&deployed.outputs),
        &["import", "--report", report.to_str().unwrap(), feed.to_str().unwrap()],
    );
    let report = read_report(&report);
    if let Some(expected) = expected {
        for row in csv::Reader::from_path(expected).unwrap().records().map(|row| row.unwrap()) {
            let (outcome, reasons) = &report[&row[0].parse().unwrap()];
            assert_eq!((&**outcome, &**reasons), (&row[3], &row[4]), "line {}", &row[0]);
        }
    }
    println!("{} rows imported", report.len());

    let row = own_dose();
    let answer = wait_for("certificate", || {
        let answer = deployed.status(&row).json();
        (answer["doses"][0]["diagnosis"]["code"] == "certificate_issued").then_some(answer)
    });
    assert_eq!(answer["doses"].as_array().unwrap().len(), 1);
    // Open the link in the SMS.
    let (text, token) = account.sms_link(PHONE, 0);
    assert!(text.contains(&format!("{SITE}/s/")), "{text}");
    let opened = deployed.post(HolderRoute::Link.path(), &json!({"token": token, "birth_date": BIRTH_DATE}));
    assert_eq!(opened.status, 200, "{}", String::from_utf8_lossy(&opened.body));
    assert!(deployed.fetch(&opened.json()["document"]["url"]).starts_with(b"%PDF"));
    // Log in to the account.
    let cookie = deployed.log_in(account, PHONE);
    let people = deployed.caller.call("GET", HolderRoute::People.path(), Some(&cookie), b"").json();
    let id = people["people"][0]["id"].as_str().unwrap();
    let path = HolderRoute::Certificates.path_of(id);
    let certificates = deployed.caller.call("GET", &path, Some(&cookie), b"").json();
    let id = certificates["doses"][0]["certificate"]["id"].as_str().unwrap();
    let path = HolderRoute::Document.path_of(id);
    let document = deployed.caller.call("POST", &path, Some(&cookie), br#"{"form": "card"}"#).json();
    assert!(deployed.fetch(&document["url"]).starts_with(b"%PDF"));
    token
}

/// Checks that changes that trigger an SMS pass the filters of the stream's event source mapping.
fn check_stream_notifications(account: &AwsAccount, deployed: &Deployed, first: &str) {
    let open = |token: &str, born: &str| {
        deployed.post(HolderRoute::Link.path(), &json!({"token": token, "birth_date": born}))
    };

    // Request a quick download, and lock its link with wrong birth dates.
    let request = deployed
        .post(StatusRoute::Download.path(), &download_request(&own_dose(), &deployed.caller.captcha()));
    assert_eq!(request.status, 202, "{}", String::from_utf8_lossy(&request.body));
    let (_, token) = account.sms_link(PHONE, 1);
    for _ in 0..5 {
        assert!(open(&token, "2001-01-01").status >= 400);
    }
    assert_eq!(open(&token, BIRTH_DATE).json()["code"], "link_locked");
    wait_for("warning", || account.sms(PHONE).into_iter().find(|text| text.contains("dikunci")));

    // Correct the phone.
    const CORRECTED: &str = "0813-5555-0043";
    let sent_at = "2021-02-01T08:00:00+07:00".into();
    let corrected = FeedRow { no_hp: CORRECTED.into(), sent_at, ..own_dose() };
    let feed = account.folder.path().join("corrected.csv");
    std::fs::write(&feed, csv(&[corrected])).unwrap();
    account.bukti(Some(&deployed.outputs), &["import", feed.to_str().unwrap()]);
    let (_, token) = account.sms_link(CORRECTED, 0);
    assert_eq!(open(&token, BIRTH_DATE).status, 200);
    assert_eq!(open(first, BIRTH_DATE).json()["code"], "link_dead");
}

/// Checks that requests without the edge key are rejected.
fn check_edge_key(deployed: &Deployed) {
    let direct = Caller::direct(deployed.caller.url()).for_host(deployed.host.clone());
    let direct = direct.call("GET", StatusRoute::Vaccines.path(), None, b"");
    assert_eq!((direct.status, direct.json()["code"].as_str()), (421, Some("misdirected")));
}

/// Checks that a function fails if one of its permissions is removed, and that other functions
/// still work.
fn check_missing_permission(account: &AwsAccount, deployed: &Deployed) {
    let role = account.boto3(&format!(
        "client('cloudformation').describe_stack_resource(StackName='{STACK}', \
         LogicalResourceId='StatusFunctionRole')['StackResourceDetail']['PhysicalResourceId']"
    ));
    let (role, row) = (role.as_str().unwrap(), own_dose());
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:Query", "Resource": "*"}]}"#;
    account.boto3(&format!(
        "client('iam').put_role_policy(RoleName='{role}', PolicyName='taken-away', PolicyDocument='{policy}')"
    ));
    let refused = deployed.status(&row);
    assert!(refused.status >= 500, "{}", String::from_utf8_lossy(&refused.body));
    deployed.log_in(account, "0813 5555 0000");
    account.boto3(&format!("client('iam').delete_role_policy(RoleName='{role}', PolicyName='taken-away')"));
    assert_eq!(deployed.status(&row).status, 200);
}

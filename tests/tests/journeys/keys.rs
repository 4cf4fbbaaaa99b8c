//! Keys: rotation and withdrawal of signers, storage of private keys, sealing keys, and KMS.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_domain::FeedRow;
use bukti_records::ItemKey;
use bukti_tests::ministack::{Ministack, ProcessGuard};
use bukti_tests::{TestApp, base64_fragments, call, csv, dose, outbox, program, report_skipped};
use bukti_wire::HolderRoute;
use serde_json::{Value, json};

use crate::access::table_service;

const PHONE: &str = "082106690743";
const BIRTH_DATE: &str = "1989-01-24";

fn signers(app: &TestApp) -> Vec<Value> {
    serde_json::from_str(&app.bukti_ok(&["signing-key", "list", "--json"])).unwrap()
}

fn active(app: &TestApp) -> String {
    let signers = signers(app);
    let active: Vec<&Value> = signers.iter().filter(|signer| signer["status"] == "active").collect();
    assert_eq!(active.len(), 1, "{signers:?}");
    active[0]["kid"].as_str().unwrap().to_owned()
}

/// The exit code and the verdict of `bukti verify`.
pub fn verdict(app: &TestApp, arguments: &[&str]) -> (i32, String) {
    let output = app.bukti(&[&["verify", "--json"], arguments].concat());
    assert!(output.stdout.starts_with('{'), "{}", output.stderr);
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    (output.code, answer["verdict"].as_str().unwrap().to_owned())
}

fn valid() -> (i32, String) {
    (0, "valid".to_owned())
}

#[test]
fn rotated_signer_signs_and_old_certificates_stay_valid() {
    let app = TestApp::start();
    let first = active(&app);
    app.import(&[dose("E1")]);
    let old = app.qr_text(PHONE, BIRTH_DATE);
    let old_signer = app.data.path().join("old.pem");
    app.bukti_ok(&["signing-key", "export", "-o", old_signer.to_str().unwrap()]);

    let output = app.bukti_ok(&["signing-key", "rotate"]);
    assert!(output.contains("Published"), "{output}");
    app.wait_until_idle();
    let second = active(&app);
    assert_ne!(first, second);
    let mut other = dose("E2");
    (other.nik, other.paspor, other.no_hp) = (String::new(), "A1234567".into(), "081200000001".into());
    app.import(&[other]);
    let new = app.qr_text("081200000001", BIRTH_DATE);

    assert_eq!(verdict(&app, &[&old]), valid());
    assert_eq!(verdict(&app, &[&new]), valid());
    let old_signer = old_signer.to_str().unwrap();
    assert_eq!(verdict(&app, &["--signer", old_signer, &old]), (3, "revocation_unknown".to_owned()));
    assert_eq!(verdict(&app, &["--signer", old_signer, &new]), (1, "issuer_unknown".to_owned()));
    let far = ["--at", "2040-01-01T00:00:00Z"];
    assert_eq!(verdict(&app, &[&far[..], &[&old]].concat()), (1, "expired".to_owned()));

    // The active signer cannot be withdrawn. Withdrawing the previous signer invalidates everything
    // that it signed.
    assert_eq!(app.bukti(&["signing-key", "withdraw", &second, "--yes"]).code, 1);
    assert_eq!(app.bukti(&["signing-key", "withdraw", &first]).code, 1, "a withdrawal needs --yes");
    app.bukti_ok(&["signing-key", "withdraw", &first, "--yes"]);
    assert_eq!(verdict(&app, &[&old]), (1, "issuer_unknown".to_owned()));
    assert_eq!(verdict(&app, &[&new]), valid());
    let status = |kid: &str| {
        let listed = signers(&app).into_iter().find(|signer| signer["kid"] == kid).unwrap();
        listed["status"].as_str().unwrap().to_owned()
    };
    assert_eq!((&*status(&first), &*status(&second)), ("revoked", "active"));
}

#[test]
fn concurrent_rotations_leave_one_active_signer() {
    let app = TestApp::start();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| app.bukti_ok(&["signing-key", "rotate", "--no-publish"]));
        }
    });
    active(&app);
    assert_eq!(signers(&app).len(), 21);
    app.wait_until_idle();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&app.qr_text(PHONE, BIRTH_DATE)]), valid());
}

#[test]
fn verify_distinguishes_usage_error_from_invalid_certificate() {
    let app = TestApp::start();
    app.bukti_ok(&["trust", "publish"]);
    for text in ["HC1:", "HC1:NOT BASE45 !", "something else", ""] {
        let (code, verdict) = verdict(&app, &[text]);
        assert_eq!(code, 1, "{text}");
        let expected = if text.starts_with("HC1:") { "damaged" } else { "not_a_certificate" };
        assert_eq!(verdict, expected, "{text}");
    }
    for wrong in [&["--signer", "absent.pem", "HC1:"][..], &["--at", "yesterday", "HC1:"], &[]] {
        assert_eq!(app.bukti(&[&["verify"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

/// The paths and contents of all files in a folder and its subfolders.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    found
}

/// Byte patterns of private keys: the PEM label, and the prefix of a P-256 key in PKCS #8. Each
/// pattern is searched as raw bytes and in base64, in which the table's file stores binary values.
struct KeyPatterns(Vec<Vec<u8>>);

impl KeyPatterns {
    fn new() -> Self {
        // The object identifier of P-256, then the start of the private key.
        let prefix = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
        let mut forms: Vec<Vec<u8>> = vec![b"PRIVATE KEY".to_vec(), prefix.to_vec()];
        forms.extend(forms.clone().iter().flat_map(|form| base64_fragments(form)).map(String::into_bytes));
        Self(forms)
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

#[test]
fn private_keys_are_only_in_owner_readable_root() {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::start();
    let mut outputs = Vec::new();
    for arguments in [
        &["signing-key", "init"][..],
        &["signing-key", "rotate"],
        &["signing-key", "list"],
        &["signing-key", "list", "--json"],
        &["signing-key", "export"],
        &["signing-key", "export", "--root"],
        &["trust", "publish"],
    ] {
        let output = app.bukti(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        outputs.push((format!("{arguments:?}"), [output.stdout, output.stderr].concat().into_bytes()));
    }
    let patterns = KeyPatterns::new();
    let files = contents(app.data.path());
    assert!(files.iter().any(|(path, _)| path.ends_with("table.sqlite")));
    assert!(files.iter().any(|(path, _)| path.ends_with("trust/signers.json")));
    for (name, bytes) in files.iter().chain(&outputs) {
        assert_eq!(patterns.are_in(bytes), name.ends_with("root.json"), "{name}");
    }

    // Counter-check: the search finds a key that is planted in the table, in PEM or DER format.
    let root: Value =
        serde_json::from_slice(&std::fs::read(app.data.path().join("root.json")).unwrap()).unwrap();
    let pem = root["key"].as_str().unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for form in [pem.as_bytes().to_vec(), STANDARD.decode(der).unwrap()] {
        let planted = TestApp::start();
        planted.with_aws(async |aws| {
            let key = ItemKey::signer("planted");
            let put = table_service(&aws).await.put_item().table_name(&aws.settings.table);
            let put = put.item("pk", AttributeValue::S(key.pk().to_owned()));
            let put = put.item("sk", AttributeValue::S(key.sk().to_owned()));
            put.item("key", AttributeValue::B(Blob::new(form))).send().await.unwrap();
        });
        let table =
            contents(planted.data.path()).into_iter().filter(|(name, _)| name.contains("table.sqlite"));
        assert!(table.into_iter().any(|(_, bytes)| patterns.are_in(&bytes)), "the planted key was not found");
    }
    for name in ["root.json", "secrets.json"] {
        let mode = std::fs::metadata(app.data.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

fn create_kms_key(url: &str, spec: &str, usage: &str) -> String {
    let scope = "AWS4-HMAC-SHA256 Credential=test/20261123/ap-southeast-3/kms/aws4_request, \
                 SignedHeaders=host, Signature=none";
    let mut answer = ureq::post(url)
        .header("x-amz-target", "TrentService.CreateKey")
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", scope)
        .send(serde_json::json!({"KeySpec": spec, "KeyUsage": usage}).to_string())
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

/// Environment variables for a process that uses this KMS endpoint.
fn environment(kms_url: &str) -> [(&'static str, &str); 3] {
    [("AWS_ENDPOINT_URL_KMS", kms_url), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
}

/// Starts a stack that uses this KMS. Returns the process and its base URL, or `None` if the stack
/// does not start.
fn start_stack(kms_url: &str, folder: &Path) -> Option<(ProcessGuard, String)> {
    let mut stack = Command::new(program("bukti-local"))
        .args(["--port", "0", "--data"])
        .arg(folder.join("data"))
        .envs(environment(kms_url))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(stack.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let stack = ProcessGuard(stack);
    let url = line.trim().strip_prefix("Bukti is running at ")?.to_owned();
    Some((stack, url))
}

/// Runs a `bukti` command against this stack, with this KMS. Returns whether the command succeeded,
/// its standard output and its standard error.
fn bukti(kms_url: &str, url: &str, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(program("bukti"))
        .args(arguments)
        .args(["--endpoint", url])
        .env("XDG_STATE_HOME", std::env::temp_dir())
        .envs(environment(kms_url))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn kms_signer_signs_certificates_and_lists() {
    let Some(python) = std::env::var_os("BUKTI_PYTHON") else {
        report_skipped(
            "BUKTI_PYTHON names no Python with tests/requirements.txt installed; `cargo xtask test` does",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let kms = Ministack::start(&python, folder.path(), false);
    let kms_url = kms.url.clone();
    let (_stack, url) = start_stack(&kms_url, folder.path()).unwrap();
    let url = &*url;
    let bukti = |arguments: &[&str]| bukti(&kms_url, url, arguments);

    let (succeeded, _, output) =
        bukti(&["signing-key", "rotate", "--kms", &create_kms_key(&kms_url, "ECC_NIST_P384", "SIGN_VERIFY")]);
    assert!(!succeeded && output.contains("ECC_NIST_P256"), "{output}");
    let (succeeded, _, output) =
        bukti(&["signing-key", "rotate", "--kms", &create_kms_key(&kms_url, "ECC_NIST_P256", "SIGN_VERIFY")]);
    assert!(succeeded, "{output}");
    let (_, listed, _) = bukti(&["signing-key", "list"]);
    assert!(listed.lines().any(|line| line.contains("kms") && line.contains("active")), "{listed}");

    let feed = folder.path().join("feed.csv");
    std::fs::write(&feed, csv(&[dose("E1")])).unwrap();
    let (succeeded, _, output) = bukti(&["import", feed.to_str().unwrap()]);
    assert!(succeeded, "{output}");
    let sms = outbox(url).pop().unwrap();
    let request = serde_json::json!({"token": sms.token(), "birth_date": BIRTH_DATE});
    let opened = call(url, "POST", HolderRoute::Link.path(), None, Some(request));
    let text = opened.body["certificate"]["qr_text"].as_str().unwrap();
    let (succeeded, output, _) = bukti(&["verify", text]);
    assert!(succeeded && output.starts_with("Valid\n"), "{output}");
    assert!(output.contains("revocation   checked"), "the revocation list is signed in KMS, too: {output}");
}

#[test]
fn new_sealing_key_seals_after_all_instances_read_it() {
    let mut app = TestApp::start();
    app.import(&[dose("E1")]);
    let output = app.bukti_ok(&["signing-key", "rotate-sealing"]);
    assert!(output.starts_with("Created sealing key 2, which is active from "), "{output}");
    let path = app.data.path().join("secrets.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Simulate another instance that has read the new key and seals with it half an hour later.
    let mut secrets: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(secrets["sealing_keys"].as_array().unwrap().len(), 2);
    secrets["sealing_keys"][1]["seals_from"] = json!(0);
    std::fs::write(&path, secrets.to_string()).unwrap();
    app.restart();
    let second = FeedRow { nik: "3171012401890002".into(), no_hp: "0821-0669-0744".into(), ..dose("E2") };
    app.import(&[second]);
    for phone in ["0821-0669-0743", "0821-0669-0744"] {
        let text = app.qr_text(phone, "1989-01-24");
        assert!(text.starts_with("HC1:"), "items sealed with either key open");
    }
    let sealed_with = app.with_aws(async |aws| {
        let table = table_service(&aws).await;
        let mut ids = Vec::new();
        for event in ["E1", "E2"] {
            let get = table.get_item().table_name(&aws.settings.table);
            let key = ItemKey::dose(&aws.keys.event(event));
            let get = get.key("pk", AttributeValue::S(key.pk().to_owned()));
            let get = get.key("sk", AttributeValue::S(key.sk().to_owned()));
            let dose = get.send().await.unwrap().item.unwrap();
            ids.push(dose["row"].as_b().unwrap().as_ref()[1]);
        }
        ids
    });
    assert_eq!(sealed_with, [1, 2], "the new key seals new items");
}

#[test]
fn wrapped_sealing_keys_need_kms() {
    let Some(python) = std::env::var_os("BUKTI_PYTHON") else {
        report_skipped(
            "BUKTI_PYTHON names no Python with tests/requirements.txt installed; `cargo xtask test` does",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let kms = Ministack::start(&python, folder.path(), false);
    let kms_url = kms.url.clone();
    let key = create_kms_key(&kms_url, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let feed = folder.path().join("feed.csv");
    std::fs::write(&feed, csv(&[dose("E1")])).unwrap();
    {
        let (_stack, url) = start_stack(&kms_url, folder.path()).unwrap();
        assert!(bukti(&kms_url, &url, &["import", feed.to_str().unwrap()]).0);
        let (succeeded, _, output) = bukti(&kms_url, &url, &["signing-key", "rotate-sealing", "--kms", &key]);
        assert!(succeeded, "{output}");
    }
    let secrets = std::fs::read(folder.path().join("data/secrets.json")).unwrap();
    let secrets: Value = serde_json::from_slice(&secrets).unwrap();
    let keys = secrets["sealing_keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(
        keys.iter().all(|key| key["key"].as_str().unwrap().starts_with("kms:")),
        "the old key is wrapped, too"
    );

    assert!(start_stack("http://127.0.0.1:9", folder.path()).is_none(), "the stack starts without KMS");
    let (_stack, url) = start_stack(&kms_url, folder.path()).unwrap();
    let sms = outbox(&url).pop().unwrap();
    let opened = call(
        &url,
        "POST",
        HolderRoute::Link.path(),
        None,
        Some(json!({"token": sms.token(), "birth_date": BIRTH_DATE})),
    );
    assert_eq!(opened.status, 200, "items sealed before the wrapping open");
}

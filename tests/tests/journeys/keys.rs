//! Document signers: made, rotated, withdrawn, and their private keys nowhere.

use std::path::Path;

use bukti_tests::{TestApp, dose};
use serde_json::Value;

const PHONE: &str = "082106690743";
const BORN: &str = "1989-01-24";

fn signers(app: &TestApp) -> Vec<Value> {
    serde_json::from_str(&app.bukti_well(&["keys", "list", "--json"])).unwrap()
}

fn active(app: &TestApp) -> String {
    let signers = signers(app);
    let active: Vec<&Value> = signers.iter().filter(|signer| signer["status"] == "active").collect();
    assert_eq!(active.len(), 1, "{signers:?}");
    active[0]["kid"].as_str().unwrap().to_owned()
}

/// Exit code and verdict of `bukti verify`.
pub fn verdict(app: &TestApp, arguments: &[&str]) -> (i32, String) {
    let said = app.bukti(&[&["verify", "--json"], arguments].concat());
    let answer: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    (said.code, answer["verdict"].as_str().unwrap().to_owned())
}

fn valid() -> (i32, String) {
    (0, "valid".to_owned())
}

#[test]
fn a_rotated_signer_signs_new_certificates_and_the_old_ones_stay_good() {
    let app = TestApp::start();
    let first = active(&app);
    app.import(&[dose("E1")]);
    let old = app.qr_text(PHONE, BORN);
    let old_signer = app.data.path().join("old.pem");
    app.bukti_well(&["keys", "export", "-o", old_signer.to_str().unwrap()]);

    let said = app.bukti_well(&["keys", "rotate"]);
    assert!(said.contains("Published"), "{said}");
    app.settle();
    let second = active(&app);
    assert_ne!(first, second);
    let mut other = dose("E2");
    (other.nik, other.paspor, other.no_hp) = (String::new(), "A1234567".into(), "081200000001".into());
    app.import(&[other]);
    let new = app.qr_text("081200000001", BORN);

    assert_eq!(verdict(&app, &[&old]), valid());
    assert_eq!(verdict(&app, &[&new]), valid());
    let old_signer = old_signer.to_str().unwrap();
    assert_eq!(verdict(&app, &["--signer", old_signer, &old]), valid());
    assert_eq!(verdict(&app, &["--signer", old_signer, &new]), (1, "issuer_unknown".to_owned()));
    let far = ["--at", "2040-01-01T00:00:00Z"];
    assert_eq!(verdict(&app, &[&far[..], &[&old]].concat()), (1, "expired".to_owned()));

    // The signer that signs is not withdrawn; the one of before is, and all that it signed with it.
    assert_eq!(app.bukti(&["keys", "withdraw", &second, "--yes"]).code, 1);
    assert_eq!(app.bukti(&["keys", "withdraw", &first]).code, 1, "only with --yes");
    app.bukti_well(&["keys", "withdraw", &first, "--yes"]);
    assert_eq!(verdict(&app, &[&old]), (1, "issuer_unknown".to_owned()));
    assert_eq!(verdict(&app, &[&new]), valid());
    let status = |kid: &str| {
        let listed = signers(&app).into_iter().find(|signer| signer["kid"] == kid).unwrap();
        listed["status"].as_str().unwrap().to_owned()
    };
    assert_eq!((&*status(&first), &*status(&second)), ("revoked", "active"));
}

#[test]
fn of_twenty_rotations_at_once_one_signer_signs_and_none_is_lost() {
    let app = TestApp::start();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| app.bukti_well(&["keys", "rotate", "--no-publish"]));
        }
    });
    active(&app);
    assert_eq!(signers(&app).len(), 21);
    app.settle();
    app.import(&[dose("E1")]);
    app.bukti_well(&["trust", "publish"]);
    assert_eq!(verdict(&app, &[&app.qr_text(PHONE, BORN)]), valid());
}

#[test]
fn wrong_usage_of_verify_is_told_apart_from_a_bad_certificate() {
    let app = TestApp::start();
    app.bukti_well(&["trust", "publish"]);
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

/// All bytes of the files under a folder, with their paths.
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

#[test]
fn private_keys_are_nowhere_but_in_the_root_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::start();
    let mut said = Vec::new();
    for arguments in [
        &["keys", "init"][..],
        &["keys", "rotate"],
        &["keys", "list"],
        &["keys", "list", "--json"],
        &["keys", "export"],
        &["keys", "export", "--root"],
        &["trust", "publish"],
    ] {
        let output = app.bukti(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.err);
        said.push((format!("{arguments:?}"), [output.out, output.err].concat().into_bytes()));
    }
    let holds = |bytes: &[u8], what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    let files = contents(app.data.path());
    assert!(files.iter().any(|(path, _)| path.ends_with("table.sqlite")));
    assert!(files.iter().any(|(path, _)| path.ends_with("trust/signers.json")));
    for (name, bytes) in files.iter().chain(&said) {
        assert_eq!(holds(bytes, "PRIVATE KEY"), name.ends_with("root.json"), "{name}");
    }
    for name in ["root.json", "secrets.json"] {
        let mode = std::fs::metadata(app.data.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

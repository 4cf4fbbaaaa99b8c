//! Certificate documents in each form, downloaded from the account and from an SMS link.

use std::path::{Path, PathBuf};

use bukti_paper::Paper;
use bukti_tests::{Reply, TestApp, dose};
use bukti_wire::HolderRoute;
use serde_json::{Value, json};

const PHONE: &str = "0821-0669-0743";
const BIRTH_DATE: &str = "1989-01-24";

/// The width and height of an A4 page, in millimetres.
const A4: (f64, f64) = (210.0, 297.0);
/// The width and height of an ID-1 card (ISO/IEC 7810), in millimetres.
const ID_1: (f64, f64) = (85.6, 53.98);

/// The name of a form, the sizes of its pages, and the suffix of its file name.
type Form = (&'static str, &'static [(f64, f64)], &'static str);

const FORMS: [Form; 4] = [
    ("complete", &[A4, ID_1, ID_1], ".pdf"),
    ("a4", &[A4], "-a4.pdf"),
    ("card", &[ID_1, ID_1], "-kartu.pdf"),
    ("card-sheet", &[A4, A4], "-lembar-kartu.pdf"),
];

/// The first certificate of the first person in the account.
fn certificate_of(app: &TestApp, cookie: &str) -> Value {
    let people = app.call("GET", HolderRoute::People.path(), Some(cookie), None).body;
    let path = HolderRoute::Certificates.path_of(people["people"][0]["id"].as_str().unwrap());
    app.call("GET", &path, Some(cookie), None).body["doses"][0]["certificate"].take()
}

fn document(app: &TestApp, cookie: &str, id: &str, body: Option<Value>) -> Reply {
    app.call("POST", &HolderRoute::Document.path_of(id), Some(cookie), body)
}

fn open(app: &TestApp, token: &str, form: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE, "form": form}))
}

/// Downloads a document from its presigned URL.
fn fetch(app: &TestApp, document: &Value) -> Vec<u8> {
    let (status, file) = app.fetch(document["url"].as_str().unwrap());
    assert_eq!(status, 200);
    file
}

/// The keys of the objects in a folder of the bucket, sorted.
fn keys(app: &TestApp, folder: &str) -> Vec<String> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let bucket = app.data.path().join("bucket/bukti-documents");
    let mut files = Vec::new();
    walk(&bucket.join(folder), &mut files);
    let key = |file: &PathBuf| file.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned();
    let mut keys: Vec<_> = files.iter().map(key).collect();
    keys.sort();
    keys
}

#[test]
fn account_and_link_serve_every_document_form() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let cookie = app.log_in(PHONE, None);
    let certificate = certificate_of(&app, &cookie);
    let id = certificate["id"].as_str().unwrap();
    for (form, sizes, ending) in FORMS {
        let of_account = document(&app, &cookie, id, Some(json!({"form": form})));
        let of_link = open(&app, &token, form);
        assert_eq!((of_account.status, of_link.status), (200, 200), "{form}: {of_account:?} {of_link:?}");
        let (of_account, of_link) = (&of_account.body, &of_link.body["document"]);
        let file_name = format!("sertifikat-vaksin-covid-19-dosis-1{ending}");
        assert_eq!((&of_account["file_name"], &of_link["file_name"]), (&json!(file_name), &json!(file_name)));
        let pdf = fetch(&app, of_account);
        assert!(pdf == fetch(&app, of_link), "{form}: account and link serve different files");
        let paper = Paper::read(pdf);
        let near =
            |points: f32, millimetres: f64| (f64::from(points) * 25.4 / 72.0 - millimetres).abs() < 0.01;
        let seen = paper.sizes();
        assert_eq!(seen.len(), sizes.len(), "{form}");
        assert!(
            seen.iter().zip(sizes).all(|(one, other)| near(one.0, other.0) && near(one.1, other.1)),
            "{form}"
        );
        let expected = if form == "card-sheet" { 10 } else { 1 };
        let scanned = paper.scan(0, expected);
        assert_eq!(scanned.len(), expected, "{form}");
        assert!(scanned.iter().all(|qr| certificate["qr_text"] == *qr.text), "{form}");
    }

    let none = document(&app, &cookie, id, None).body;
    let empty = document(&app, &cookie, id, Some(json!({}))).body;
    assert_eq!(none["file_name"], "sertifikat-vaksin-covid-19-dosis-1.pdf");
    assert!(fetch(&app, &none) == fetch(&app, &empty));

    let stored = keys(&app, "certificates");
    let [stored] = stored.as_slice() else { panic!("{stored:?}") };
    let name = stored.strip_prefix("certificates/").and_then(|key| key.strip_suffix(".pdf")).unwrap();
    let copies = ["a4", "card-sheet", "card"].map(|form| format!("copies/{name}-{form}.pdf"));
    assert_eq!(keys(&app, "copies"), copies, "one copy of each form, however often it is requested");
}

#[test]
fn unknown_form_is_invalid_field_and_costs_no_attempt() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let cookie = app.log_in(PHONE, None);
    let id = certificate_of(&app, &cookie)["id"].as_str().unwrap().to_owned();
    let wrong = json!([{"field": "form", "code": "invalid"}]);
    for form in ["poster", "A4", "../a4"] {
        for reply in [document(&app, &cookie, &id, Some(json!({"form": form}))), open(&app, &token, form)] {
            assert_eq!((reply.status, reply.code(), &reply.body["errors"]), (422, "invalid_input", &wrong));
        }
    }
    for body in [json!({"form": 7}), json!({"shape": "a4"}), json!("a4")] {
        assert_eq!(document(&app, &cookie, &id, Some(body)).code(), "invalid_json");
    }
    // Six attempts would lock the link if requests with an invalid form counted as attempts.
    for _ in 0..6 {
        assert_eq!(open(&app, &token, "poster").status, 422);
    }
    for _ in 0..6 {
        assert_eq!(open(&app, &token, "card").status, 200);
    }
}

#[test]
fn foreign_or_revoked_certificate_yields_no_document() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let owner = app.log_in(PHONE, None);
    let id = certificate_of(&app, &owner)["id"].as_str().unwrap().to_owned();
    let stranger = app.log_in("0812 3456 7890", Some("Stranger"));
    let forms = FORMS.map(|(form, ..)| form);
    for form in forms {
        let body = Some(json!({"form": form}));
        let missing = document(&app, &stranger, "0000-0000-0000-0000", body.clone());
        let foreign = document(&app, &stranger, &id, body.clone());
        assert_eq!((foreign.status, &foreign.body), (404, &missing.body), "{form}");
        let path = HolderRoute::Document.path_of(&id);
        assert_eq!(app.call("POST", &path, None, body).code(), "not_logged_in");
        let wrong_day = json!({"token": token, "birth_date": "1989-01-25", "form": form});
        assert_eq!(app.post(HolderRoute::Link.path(), wrong_day).code(), "birth_date_wrong");
    }
    assert_eq!(keys(&app, "copies"), [""; 0]);

    // A correction replaces the certificate.
    let mut corrected = dose("E1");
    (corrected.sent_at, corrected.batch) = ("2021-02-01T08:00:00+07:00".into(), "B2".into());
    app.import(&[corrected]);
    let second = certificate_of(&app, &owner)["id"].as_str().unwrap().to_owned();
    assert_ne!(second, id);
    for form in forms {
        assert_eq!(
            document(&app, &owner, &id, Some(json!({"form": form}))).status,
            404,
            "superseded: {form}"
        );
    }
    assert_eq!(document(&app, &owner, &second, Some(json!({"form": "card"}))).status, 200);
    let before = keys(&app, "copies");
    assert_eq!(before.len(), 1, "{before:?}");

    app.bukti_ok(&["revoke", &second, "--reason", "stolen form", "--no-publish"]);
    for form in forms {
        assert_eq!(
            document(&app, &owner, &second, Some(json!({"form": form}))).status,
            404,
            "revoked: {form}"
        );
        assert_eq!(open(&app, &token, form).code(), "link_dead", "revoked: {form}");
    }
    assert_eq!(keys(&app, "copies"), before);
    assert_eq!(
        certificate_of(&app, &owner),
        Value::Null,
        "the account does not show the revoked certificate"
    );
}

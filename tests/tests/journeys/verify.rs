//! What a stranger's verifier says: the QR text of real certificates, checked by an implementation that is not ours.

use std::io::Write;
use std::process::{Command, Stdio};

use bukti_tests::{TestApp, dose, root};
use serde_json::{Value, json};

/// Names that are hard to carry over.
const NAMES: [&str; 8] = [
    "Ayu",
    "Dr. H. Ahmad Fauzi, S.Pd., M.M.",
    "Nguyễn Thị Hoa",
    "José Ximenes",
    "Anna-Lena Müller",
    "O'Brien Simanjuntak",
    "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI",
    "M. ILHAM AKBAR S.",
];

#[test]
fn an_independent_implementation_accepts_the_certificates() {
    let Some(python) = std::env::var_os("BUKTI_PYTHON") else {
        eprintln!(
            "left out: BUKTI_PYTHON names no Python with tests/requirements.txt installed; `cargo xtask test` does"
        );
        return;
    };
    let app = TestApp::start();
    let rows: Vec<_> = NAMES
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let mut row = dose(&format!("E{at}"));
            (row.nama, row.nik, row.no_hp) = ((*name).into(), String::new(), format!("0812345678{at:02}"));
            row.paspor = format!("A00000{at}");
            row
        })
        .collect();
    app.import(&rows);
    let mut texts = Vec::new();
    for at in 0..NAMES.len() {
        let token = app.messages_to(&format!("0812345678{at:02}"))[0].token().unwrap();
        let opened = app.post("/api/links", json!({"token": token, "birth_date": "1989-01-24"}));
        texts.push(opened.body["certificate"]["qr_text"].as_str().unwrap().to_owned());
    }
    let schema = root().join("../shared/vectors/dcc-schema/DCC.combined-schema.json");
    let asked = json!({
        "signer": app.bukti_well(&["keys", "export"]),
        "root": app.bukti_well(&["keys", "export", "--root"]),
        "schema": schema.is_file().then(|| schema.display().to_string()),
        "texts": texts,
    });
    let mut verifier = Command::new(python)
        .arg(root().join("tests/verify/hcert.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    verifier.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = verifier.wait_with_output().unwrap();
    assert!(output.status.success(), "the verifier refused: {}", String::from_utf8_lossy(&output.stdout));
    let payloads: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_json_snapshot!("payloads", payloads, {
        "[].v[].ci" => insta::dynamic_redaction(|ci, _| {
            assert!(ci.as_str().unwrap().starts_with("URN:UVCI:01:ID:"));
            "[uvci]"
        })
    });
}

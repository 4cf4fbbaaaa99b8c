//! Certificates of 200 people, checked by independent verifiers and QR decoders.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use bukti_domain::hygiene;
use bukti_tests::{TestApp, dose, people, report_skipped, root};
use bukti_wire::HolderRoute;
use coset::{CoseSign1, TaggedCborSerializable};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::verdict;

/// The certificates of [`people::doses`], with the signer and root that issued them.
struct Issued {
    signer: String,
    root: String,
    certificates: Vec<Certificate>,
}

struct Certificate {
    name: String,
    text: String,
    pdf: Vec<u8>,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let app = TestApp::start();
    let rows = people::doses();
    app.import(&rows);
    let mut phones: Vec<&str> = rows.iter().map(|row| &*row.no_hp).collect();
    phones.dedup();
    let mut certificates = Vec::new();
    for phone in phones {
        let cookie = app.log_in(phone, None);
        let get = |path: &str| app.call("GET", path, Some(&cookie), None).body;
        for person in get(HolderRoute::People.path())["people"].as_array().unwrap() {
            let (id, name) = (person["id"].as_str().unwrap(), person["name"].as_str().unwrap());
            for dose in get(&HolderRoute::Certificates.path_of(id))["doses"].as_array().unwrap() {
                let certificate = &dose["certificate"];
                let path = HolderRoute::Document.path_of(certificate["id"].as_str().unwrap());
                let document = app.call("POST", &path, Some(&cookie), None).body;
                certificates.push(Certificate {
                    name: name.to_owned(),
                    text: certificate["qr_text"].as_str().unwrap().to_owned(),
                    pdf: app.fetch(document["url"].as_str().unwrap()).1,
                });
            }
        }
    }
    assert_eq!(certificates.len(), rows.len());
    let (signer, root) = app.signer();
    Issued { signer, root, certificates }
});

/// An independent verifier: an interpreter and its script.
struct Verifier(PathBuf, PathBuf);

/// The installed verifiers. If some are missing, reports the running test as skipped.
fn verifiers() -> Vec<Verifier> {
    let python = std::env::var_os("BUKTI_PYTHON");
    let node = std::env::var_os("BUKTI_NODE_VERIFIER");
    if python.is_none() || node.is_none() {
        report_skipped(
            "BUKTI_PYTHON names no Python with tests/requirements.txt installed, or BUKTI_NODE_VERIFIER no \
             tests/verify/hcert.mjs beside its packages; `cargo xtask test` sets both",
        );
    }
    let python = python.map(|python| Verifier(python.into(), root().join("tests/verify/hcert.py")));
    python.into_iter().chain(node.map(|script| Verifier("node".into(), script.into()))).collect()
}

impl Verifier {
    /// Verifies the texts of QR codes. Returns the payload of each, or the reason for its
    /// rejection.
    fn verify(&self, texts: &[&str]) -> Vec<Result<Value, String>> {
        let vectors = root().join("../shared/vectors");
        let existing = |path: &str| Some(vectors.join(path)).filter(|path| path.exists());
        let request = json!({
            "signer": ISSUED.signer,
            "root": ISSUED.root,
            "schema": existing("dcc-schema/DCC.combined-schema.json"),
            "value_sets": existing("dcc-valuesets"),
            "texts": texts,
        });
        let mut verifier =
            Command::new(&self.0).arg(&self.1).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        verifier.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
        let output = verifier.wait_with_output().unwrap();
        assert!(output.status.success(), "{} failed", self.1.display());
        let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let answer = |answer: Value| match answer["refused"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer["payload"].clone()),
        };
        answers.into_iter().map(answer).collect()
    }
}

#[test]
fn independent_verifiers_accept_certificates_of_200_people() {
    let verifiers = verifiers();
    if verifiers.is_empty() {
        return;
    }
    let texts: Vec<&str> = ISSUED.certificates.iter().map(|certificate| &*certificate.text).collect();
    let answers = verifiers.iter().map(|verifier| verifier.verify(&texts)).collect::<Vec<_>>();
    for (at, certificate) in ISSUED.certificates.iter().enumerate() {
        for (Verifier(_, script), output) in verifiers.iter().zip(&answers) {
            assert!(output[at].is_ok(), "{}: {}: {:?}", script.display(), certificate.name, output[at]);
            assert_eq!(output[at], answers[0][at], "the verifiers read different payloads");
        }
    }
    let payloads: Vec<Value> = answers[0].iter().flatten().cloned().collect();
    // The payloads contain the dates from the feed.
    let dates_of_feed = people::doses().into_iter().map(|row| (row.tanggal_lahir, row.tanggal_vaksinasi));
    let read = |payload: &Value, pointer| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let dates_of_payload = |payload: &Value| {
        let date = read(payload, "/v/0/dt").or(read(payload, "/vx/dv"));
        (read(payload, "/dob").unwrap(), date.unwrap())
    };
    let mut expected: Vec<_> = dates_of_feed.collect();
    let mut actual: Vec<_> = payloads.iter().map(dates_of_payload).collect();
    expected.sort();
    actual.sort();
    assert_eq!(actual, expected);

    // Include only names of people with a DCC, since a person in the sample feed may have the same
    // name as a person with an ICVP.
    let has_dcc = |name: &str| {
        people::NAMES.iter().enumerate().any(|(at, it)| at % 4 != 3 && hygiene::clean(it) == name)
    };
    let named = ISSUED.certificates.iter().zip(&payloads);
    let difficult = named.filter(|(certificate, _)| has_dcc(&certificate.name));
    let names: BTreeMap<&str, &Value> = difficult
        .filter_map(|(certificate, payload)| Some((&*certificate.name, payload.get("nam")?)))
        .collect();
    insta::assert_json_snapshot!("names", names);
}

#[test]
fn payloads_of_each_kind_match_snapshot() {
    let Some(verifier) = verifiers().into_iter().next() else { return };
    let texts: Vec<&str> = ISSUED.certificates.iter().map(|certificate| &*certificate.text).collect();
    let payloads: Vec<Value> = verifier.verify(&texts).into_iter().flatten().collect();
    let dose = |product: &str, number: u8| {
        let is = |payload: &&Value| payload["v"][0]["mp"] == product && payload["v"][0]["dn"] == number;
        payloads.iter().find(is)
    };
    let kinds = json!({
        "first of two": dose("EU/1/20/1507", 1),
        "booster of two": dose("EU/1/20/1507", 4),
        "booster of one": dose("EU/1/20/1525", 3),
        "not against COVID-19": payloads.iter().find(|payload| payload.get("vx").is_some()),
    });
    insta::assert_json_snapshot!("payloads", kinds, {
        ".*.v[].ci" => insta::dynamic_redaction(|ci, _| {
            assert!(ci.as_str().unwrap().starts_with("URN:UVCI:01:ID:"));
            "[uvci]"
        })
    });
}

/// A valid certificate, the same certificate encoded again, and three invalid variants: with a
/// changed character, with another date, and signed with another key.
fn valid_and_invalid(whole: &str) -> [String; 5] {
    let damaged = {
        let (head, tail) = whole.split_at(whole.len() / 2);
        let other = if tail.starts_with('7') { '8' } else { '7' };
        format!("{head}{other}{}", &tail[1..])
    };
    let changed = reseal(whole, |message| {
        let payload = message.payload.as_mut().unwrap();
        let date = payload.windows(5).position(|bytes| bytes == b"2021-").unwrap();
        payload[date + 3] = b'2';
    });
    // The key id stays the same, so that only the signature is wrong.
    let forged = reseal(whole, |message| {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let signature: Signature = key.sign(&message.tbs_data(&[]));
        message.signature = signature.to_bytes().to_vec();
    });
    [whole.to_owned(), reseal(whole, |_| ()), damaged, changed, forged]
}

#[test]
fn independent_verifiers_reject_damaged_or_forged_certificates() {
    let texts = valid_and_invalid(&ISSUED.certificates[0].text);
    for verifier in verifiers() {
        let answers = verifier.verify(&texts.each_ref().map(|text| &**text));
        let accepted: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(accepted, [true, true, false, false, false], "{}: {answers:?}", verifier.1.display());
    }
}

#[test]
fn own_verifier_rejects_damaged_or_forged_certificates() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.bukti_ok(&["trust", "publish"]);
    let texts = valid_and_invalid(&app.qr_text("082106690743", "1989-01-24"));
    let signer = app.data.path().join("signer.pem");
    let signer = signer.to_str().unwrap();
    app.bukti_ok(&["signing-key", "export", "-o", signer]);
    // Verify the texts with the published trust list, and with the signer alone.
    for (trust, good) in [(&[][..], "valid"), (&["--signer", signer], "revocation_unknown")] {
        let verdicts = texts.each_ref().map(|text| verdict(&app, &[trust, &[text]].concat()).1);
        assert_eq!(verdicts, [good, good, "damaged", "damaged", "damaged"], "{trust:?}");
    }
}

#[test]
fn two_decoders_read_printed_qr_at_40_mm() {
    let Some(python) = std::env::var_os("BUKTI_PYTHON") else { return drop(verifiers()) };
    // Choose the shortest text, the longest text, and others in between, so that several QR code
    // versions are tested.
    let mut certificates: Vec<&Certificate> = ISSUED.certificates.iter().collect();
    certificates.sort_by_key(|certificate| certificate.text.len());
    let (step, last) = (certificates.len() / 50, certificates.len() - 1);
    let chosen = certificates.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    let chosen: Vec<&Certificate> = chosen.map(|(_, certificate)| *certificate).collect();
    assert!(chosen.len() > 50);

    let folder = TempDir::new().unwrap();
    let paths = chosen.iter().enumerate().map(|(at, certificate)| {
        let path = folder.path().join(format!("{at}.pdf"));
        std::fs::write(&path, &certificate.pdf).unwrap();
        path
    });
    let mut scanner = Command::new(python);
    let output = scanner.arg(root().join("tests/verify/paper.py")).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let scans: Vec<Vec<Value>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(scans.len(), chosen.len());
    for (certificate, scans) in chosen.iter().zip(&scans) {
        // The page and the card print the QR code larger than the 40 mm at which this test reads
        // it.
        let sides: Vec<f64> = scans.iter().map(|scan| scan["side"].as_f64().unwrap()).collect();
        assert!(sides.len() == 2 && sides.iter().all(|side| (44.7..45.7).contains(side)), "{sides:?}");
        for (scan, picture) in scans.iter().flat_map(|scan| [(scan, "scan"), (scan, "photo")]) {
            let read = json!({"zxing": [certificate.text], "zbar": [certificate.text]});
            assert_eq!(scan[picture], read, "{picture}: {}", certificate.name);
        }
    }
}

/// Decodes the text of a QR code, changes its message, and encodes it again.
fn reseal(text: &str, change: impl FnOnce(&mut CoseSign1)) -> String {
    let compressed = base45::decode(text.strip_prefix("HC1:").unwrap()).unwrap();
    let mut message = Vec::new();
    ZlibDecoder::new(&*compressed).read_to_end(&mut message).unwrap();
    let mut message = CoseSign1::from_tagged_slice(&message).unwrap();
    change(&mut message);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&message.to_tagged_vec().unwrap()).unwrap();
    format!("HC1:{}", base45::encode(zlib.finish().unwrap()))
}

//! Runs the official test vectors for the certificate formats. They are in `../shared/vectors`,
//! beside the project; the tests are skipped if that folder does not exist.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_hcert::{Steps, TrustedSigner, check};
use serde_json::Value;

use crate::envelope::Envelope;

/// Reads the JSON files in a folder of vectors. Reports the test as skipped if the folder does not
/// exist.
fn vectors(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors").join(folder);
    let Ok(files) = fs::read_dir(&folder) else {
        report_skipped(&format!("{} does not exist", folder.display()));
        return Vec::new();
    };
    let files = files.map(|file| file.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| (path.clone(), serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())).collect()
}

/// Prints that a test was skipped, and adds it to the list that `cargo xtask test` prints when it
/// ends.
fn report_skipped(reason: &str) {
    let message = format!("{}: {reason}\n", std::thread::current().name().unwrap_or("a test"));
    eprint!("skipped: {message}");
    if let Some(list) = std::env::var_os("BUKTI_SKIPPED") {
        let mut list = fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        list.write_all(message.as_bytes()).unwrap();
    }
}

fn steps_of(vector: &Value) -> (Steps, Option<Value>) {
    let context = &vector["TESTCTX"];
    let at = context["VALIDATIONCLOCK"].as_str().unwrap().parse().unwrap();
    let signers = match context["CERTIFICATE"].as_str() {
        Some(certificate) if !certificate.is_empty() => {
            vec![TrustedSigner::from_certificate(certificate.as_bytes()).unwrap()]
        }
        _ => Vec::new(),
    };
    let checked = check(vector["PREFIX"].as_str().unwrap(), &signers, at);
    (checked.steps, checked.payload)
}

/// Decodes the QR code in an image; `None` if that fails.
fn scan(png: &[u8]) -> Option<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    let (width, height) = (info.width as usize, info.height as usize);
    let channels = info.line_size / width;
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        pixels[y * info.line_size + x * channels]
    });
    let grids = picture.detect_grids();
    grids.first()?.decode().ok().map(|(_, text)| text)
}

#[test]
fn dcc_vectors_give_expected_results() {
    let mut expectations = 0;
    for (path, vector) in vectors("dcc-common") {
        let (steps, payload) = steps_of(&vector);
        for (name, expected) in vector["EXPECTEDRESULTS"].as_object().unwrap() {
            let expected = expected.as_bool().unwrap();
            let found = match name.as_str() {
                "EXPECTEDUNPREFIX" => steps.prefix,
                "EXPECTEDB45DECODE" => steps.base45,
                "EXPECTEDCOMPRESSION" => steps.zlib,
                "EXPECTEDDECODE" => steps.cbor,
                "EXPECTEDVALIDJSON" => Some(payload.as_ref() == vector.get("JSON")),
                "EXPECTEDSCHEMAVALIDATION" => steps.schema,
                "EXPECTEDVERIFY" => steps.signature,
                "EXPECTEDEXPIRATIONCHECK" => steps.not_expired,
                "EXPECTEDKEYUSAGE" => steps.key_usage,
                "EXPECTEDPICTUREDECODE" => match vector["2DCODE"].as_str() {
                    Some(picture) => {
                        let text = scan(&STANDARD.decode(picture).unwrap());
                        Some(text.as_deref() == vector["PREFIX"].as_str())
                    }
                    // The vector has no image.
                    None => continue,
                },
                other => unreachable!("{other}"),
            };
            assert_eq!(found.unwrap_or(false), expected, "{}: {name}, {steps:?}", path.display());
            // The step that the vector expects to fail must be the first that fails.
            if !expected && path.file_stem() != Some("CBO2".as_ref()) && name != "EXPECTEDPICTUREDECODE" {
                assert!(
                    name == "EXPECTEDDECODE" || found == Some(false),
                    "{}: {name}, {steps:?}",
                    path.display()
                );
            }
            expectations += 1;
        }
    }
    println!("{expectations} expectations");
}

#[test]
fn dcc_schema_tests_and_examples_validate_as_expected() {
    for (folder, valid) in [
        ("dcc-schema/test/valid", true),
        ("dcc-schema/test/invalid", false),
        ("dcc-schema/examples/vaccination", true),
    ] {
        for (path, payload) in vectors(folder) {
            let found = is_valid(&payload);
            assert_eq!(found, valid, "{}", path.display());
        }
    }
}

/// Whether a signed DCC payload passes the step `schema`.
fn is_valid(payload: &Value) -> bool {
    let (signer, _) = crate::signer();
    let text = Envelope::around(1, payload, &signer).text(&signer);
    let steps = check(&text, &[], jiff::Timestamp::UNIX_EPOCH).steps;
    assert_eq!(steps.cbor, Some(true));
    steps.schema == Some(true)
}

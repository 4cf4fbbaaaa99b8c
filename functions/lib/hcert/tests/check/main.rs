//! Tests [`check`] with our own certificates, variants that other issuers write, and invalid input.

#![expect(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

mod envelope;
mod vectors;

use bukti_domain::FeedRow;
use bukti_domain::feed::CompleteDose;
use bukti_hcert::{
    Checked, Kind, LocalSigner, NewKey, Root, SignatureFault, Signer, Steps, Timing, TrustedSigner,
    Vaccination, check, seal, uvci, uvci_check_character,
};
use ciborium::Value;
use jiff::{Timestamp, ToSpan};

use crate::envelope::{Envelope, bytes, compressed, integer, map, text_of};

fn now() -> Timestamp {
    "2026-11-01T08:00:00Z".parse().unwrap()
}

/// Creates a signer, and the `TrustedSigner` with which verifiers check its signatures.
fn signer() -> (LocalSigner, TrustedSigner) {
    let key = NewKey::generate().unwrap();
    let root = Root::generate("Kementerian Kesehatan", now()).unwrap();
    let certificate = root.certify(&key.public_key, now()).unwrap();
    let signer = LocalSigner::new(&key.private_pem, &certificate).unwrap();
    (signer, TrustedSigner::from_certificate(&certificate).unwrap())
}

fn dose(name: &str, vaccine: &str) -> CompleteDose {
    let row = FeedRow {
        event_id: "E1".into(),
        sent_at: "2026-10-20T08:41:34+07:00".into(),
        nik: "3171012401896246".into(),
        nama: name.into(),
        tanggal_lahir: "1989-01-24".into(),
        dosis_ke: "3".into(),
        vaksin: vaccine.into(),
        batch: "B-17".into(),
        tanggal_vaksinasi: "2026-10-20".into(),
        kode_faskes: "P1".into(),
        nama_faskes: "Puskesmas".into(),
        ..FeedRow::default()
    };
    row.dose().complete().unwrap()
}

fn sealed(signer: &LocalSigner, name: &str, vaccine: &str) -> String {
    let uvci = uvci("7KQ2M4XD9TRA6HVC");
    let dose = dose(name, vaccine);
    let vaccination = Vaccination { dose: &dose, issuer: "Kementerian Kesehatan", uvci: &uvci };
    let sealing = seal(&vaccination, signer, now(), now() + 24.hours() * 700);
    wait(sealing).unwrap().text
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

const ALL_PASSED: Steps = Steps {
    prefix: Some(true),
    base45: Some(true),
    zlib: Some(true),
    cose: Some(true),
    cbor: Some(true),
    schema: Some(true),
    signature: Some(true),
    not_expired: Some(true),
    key_usage: Some(true),
};

#[test]
fn own_dcc_passes_and_states_the_dose() {
    let (signer, trusted) = signer();
    let text = sealed(&signer, "Dr. Anna-Lena Müller", "Moderna");
    let checked = check(&format!("\n {text} "), &[trusted], now());
    assert_eq!(checked.steps, ALL_PASSED);
    let content = checked.content.unwrap();
    assert_eq!((content.kind, &*content.name), (Kind::Vaccination, "Anna-Lena Müller"));
    assert_eq!(content.birth_date, "1989-01-24");
    assert_eq!(content.vaccine.as_deref(), Some("Moderna"));
    assert_eq!(content.disease.as_deref(), Some("covid-19"));
    assert_eq!((content.dose, &*content.date), (Some((3, 3)), "2026-10-20"));
    let payload = checked.payload.unwrap();
    assert_eq!(payload["nam"]["fnt"], "MUELLER");
    assert_eq!(payload["nam"]["gnt"], "ANNA<LENA");
    assert_eq!(
        payload["v"][0]["ci"],
        format!("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC#{}", {
            uvci_check_character("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC").unwrap()
        })
    );
    assert!(
        !payload.to_string().contains("3171012401896246"),
        "the identity number must not be in a certificate"
    );
}

#[test]
fn polio_vaccination_is_an_icvp() {
    let (signer, trusted) = signer();
    let checked = check(&sealed(&signer, "Ayu", "bOPV Bio Farma"), &[trusted], now());
    assert_eq!(checked.steps, ALL_PASSED);
    let expected = serde_json::json!({
        "n": "Ayu", "dob": "1989-01-24", "s": "male", "nt": "IDN",
        "vx": {
            "vp": "PolioVaccineOralOPVBivalProductdecf3a77facc0b8f1443db5f7a806857",
            "dv": "2026-10-20", "is": "Kementerian Kesehatan", "bo": "B-17",
        },
        "v": "1.0.0",
    });
    assert_eq!(checked.payload, Some(expected));
    let content = checked.content.unwrap();
    assert_eq!((content.kind, content.disease.as_deref()), (Kind::Icvp, Some("polio")));
    assert_eq!(checked.hashes.unwrap().uci, None);
}

fn icvp() -> serde_json::Value {
    serde_json::json!({
        "n": "Ayu", "dob": "1989-01-24", "v": "1.0.0",
        "vx": {"vp": "YellowFeverProductd2c75a15ed309658b3968519ddb31690", "dv": "2026-10-20", "cn": "Dr. A", "bo": "17"},
    })
}

#[test]
fn reads_all_three_icvp_layouts() {
    let (signer, trusted) = signer();
    let vaccination = serde_json::json!({
        "vp": "YellowFeverProductd2c75a15ed309658b3968519ddb31690", "dt": "2025-10-20", "bo": "17", "is": "KEMKES",
        "vls": "2025-10-30", "vle": "2035-10-30",
    });
    let single = serde_json::json!({"dn": 1, "tg": "1D47", "mp": "Stamaril", "dt": "2025-10-20", "bo": "17"});
    let older = |vaccination: serde_json::Value| {
        serde_json::json!({
            "n": "Ayu", "dob": "1989-01-24", "s": "female", "ntl": "IDN", "nid": "A1", "ndt": "PPN",
            "v": vaccination,
        })
    };
    for (payload, date, disease) in [
        (icvp(), "2026-10-20", "yellow-fever"),
        (older(serde_json::json!([vaccination])), "2025-10-20", "yellow-fever"),
        (older(vaccination), "2025-10-20", "yellow-fever"),
        (older(single), "2025-10-20", "1D47"),
    ] {
        let text = Envelope::around(-6, &payload, &signer).text(&signer);
        let checked = check(&text, std::slice::from_ref(&trusted), now());
        assert_eq!(checked.steps, ALL_PASSED, "{payload}");
        let content = checked.content.unwrap();
        assert_eq!((&*content.name, &*content.date), ("Ayu", date));
        assert_eq!(content.disease.as_deref(), Some(disease));
        assert_eq!(content.batch.as_deref(), Some("17"));
    }
}

#[test]
fn icvp_without_required_field_fails_schema() {
    let (signer, _) = signer();
    for (field, of_vaccination) in
        [("n", false), ("dob", false), ("v", false), ("vp", true), ("dv", true), ("cn", true), ("bo", true)]
    {
        let mut payload = icvp();
        let object = if of_vaccination { &mut payload["vx"] } else { &mut payload };
        object.as_object_mut().unwrap().remove(field);
        let text = Envelope::around(-6, &payload, &signer).text(&signer);
        assert_eq!(check(&text, &[], now()).steps.schema, Some(false), "without {field}");
    }
}

#[test]
fn accepts_variants_of_other_issuers() {
    let (signer, trusted) = signer();
    let trusted = [trusted];
    let envelope = || Envelope::around(-6, &icvp(), &signer);
    let passes = |envelope: Envelope, variant: &str| {
        let checked = check(&envelope.text(&signer), &trusted, now());
        assert_eq!(checked.steps, ALL_PASSED, "{variant}");
        checked
    };
    passes(Envelope { tags: vec![], ..envelope() }, "no tag");
    passes(Envelope { tags: vec![18, 61], ..envelope() }, "the tag of a CWT around that of a COSE_Sign1");
    let kid = || (4, Value::Bytes(signer.kid().to_vec()));
    let foreign = || (4, Value::Bytes(b"other".to_vec()));
    let algorithm = || (1, integer(-7));
    passes(
        Envelope { protected: vec![algorithm()], unprotected: vec![kid()], ..envelope() },
        "an unprotected key id",
    );
    passes(
        Envelope { protected: vec![], unprotected: vec![algorithm(), kid()], ..envelope() },
        "algorithm and key id unprotected",
    );
    passes(Envelope { unprotected: vec![foreign()], ..envelope() }, "a protected key id takes precedence");
    let early = now() - 24.hours();
    let checked =
        passes(envelope().with_claim(6, Value::Float(early.as_second() as f64 + 0.25)), "`iat` as a float");
    assert_eq!(checked.issued_at, Some(early));

    let unprotected_only =
        Envelope { protected: vec![algorithm(), foreign()], unprotected: vec![kid()], ..envelope() };
    let checked = check(&unprotected_only.text(&signer), &trusted, now());
    assert_eq!(checked.signature_fault, Some(SignatureFault::SignerUnknown));
}

#[test]
fn tries_each_signer_with_the_same_key_id() {
    let (signer, trusted) = signer();
    let (_, other) = self::signer();
    let namesake = TrustedSigner { kid: trusted.kid.clone(), ..other };
    let text = sealed(&signer, "Ayu", "Moderna");
    let checked = check(&text, &[namesake.clone(), trusted], now());
    assert_eq!((checked.steps, checked.signer), (ALL_PASSED, Some(1)));
    let checked = check(&text, &[namesake], now());
    assert_eq!(checked.signature_fault, Some(SignatureFault::Wrong));
    assert_eq!(checked.steps.not_expired, None);
}

#[test]
fn rejects_certificates_issued_outside_signer_validity() {
    let (signer, trusted) = signer();
    let text = sealed(&signer, "Ayu", "Moderna");
    let issued = now();
    let checked = |not_before, not_after, at| {
        let signer =
            TrustedSigner { not_before: Some(not_before), not_after: Some(not_after), ..trusted.clone() };
        check(&text, &[signer], at)
    };
    assert_eq!(checked(issued, issued, issued).steps, ALL_PASSED);
    let early = checked(issued - 2.hours(), issued - 1.second(), issued);
    let late = checked(issued + 1.second(), issued + 2.hours(), issued + 1.hour());
    for outside in [early, late] {
        assert_eq!(outside.steps.signature, Some(false));
        assert_eq!(outside.signature_fault, Some(SignatureFault::SignerUnknown));
    }
    // The health certificate expires later than its signer's certificate.
    let ended = checked(issued, issued + 1.hour(), issued + 1.hour() + 1.second());
    assert_eq!((ended.timing, ended.steps.not_expired), (Some(Timing::After), Some(false)));
    assert_eq!(checked(issued, issued + 1.hour(), issued + 1.hour()).steps, ALL_PASSED);
}

#[test]
fn checks_time_only_after_valid_signature() {
    let (signer, trusted) = signer();
    let text = sealed(&signer, "Ayu", "Moderna");
    let trusted = [trusted];
    let timing = |at: Timestamp| {
        let checked = check(&text, &trusted, at);
        assert_eq!(checked.steps.not_expired, Some(checked.timing == Some(Timing::Within)));
        checked.timing
    };
    assert_eq!(timing(now() - 1.second()), Some(Timing::Before));
    assert_eq!(timing(now()), Some(Timing::Within));
    let end = check(&text, &trusted, now()).expires_at.unwrap();
    assert_eq!(timing(end - 1.second()), Some(Timing::Within));
    assert_eq!(timing(end), Some(Timing::After));
    assert_eq!(check(&text, &[], now()).timing, None);
}

#[test]
fn vaccination_signer_must_not_sign_recoveries() {
    let (signer, trusted) = signer();
    let recovery = serde_json::json!({
        "ver": "1.3.3", "nam": {"fnt": "AYU"}, "dob": "1989",
        "r": [{"tg": "840539006", "fr": "2026-01-01", "co": "ID", "is": "Bukti", "df": "2026-01-11", "du": "2026-07-01",
               "ci": "URN:UVCI:01:ID:A"}],
    });
    let checked = check(&Envelope::around(1, &recovery, &signer).text(&signer), &[trusted], now());
    assert_eq!(checked.steps, Steps { key_usage: Some(false), ..ALL_PASSED });
    assert_eq!(checked.content.unwrap().kind, Kind::Recovery);
}

#[test]
fn any_changed_or_missing_character_fails_the_check() {
    let (signer, trusted) = signer();
    let text = sealed(&signer, "Ayu", "Moderna");
    let trusted = [trusted];
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let steps = check(std::str::from_utf8(&changed).unwrap(), &trusted, now()).steps;
        assert_ne!(steps, ALL_PASSED, "character {at}");
    }
    for at in 0..text.len() {
        assert_ne!(check(&text[..at], &trusted, now()).steps, ALL_PASSED, "cut at {at}");
    }
}

#[test]
fn requires_one_complete_zlib_stream() {
    let (signer, _) = signer();
    let message = Envelope::around(-6, &icvp(), &signer).message(&signer);
    let complete = compressed(&message);
    let zlib = |bytes: &[u8]| check(&format!("HC1:{}", base45::encode(bytes)), &[], now()).steps.zlib;
    assert_eq!(zlib(&complete), Some(true));
    for cut in [1, 4, 5, 20] {
        assert_eq!(zlib(&complete[..complete.len() - cut]), Some(false), "{cut} bytes missing");
    }
    assert_eq!(zlib(&[&complete[..], b"x"].concat()), Some(false), "an additional byte");
    let mut damaged = complete;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(zlib(&damaged), Some(false), "a wrong checksum");
    assert_eq!(zlib(&message), Some(false), "not compressed");
    assert_eq!(zlib(&compressed(&vec![0; 5_000_000])), Some(false), "a decompression bomb");
    assert_eq!(check(&text_of(&[&message[..], b"x"].concat()), &[], now()).steps.cose, Some(false));
}

#[test]
fn rejects_texts_that_are_no_certificates() {
    for text in ["", " ", "HC1", "hc1:6BF", "HC2:6BF", "https://bukti.example.go.id/s/abc", "WIFI:S:x;;"] {
        let Checked { steps, .. } = check(text, &[], now());
        assert_eq!(steps, Steps { prefix: Some(false), ..Steps::default() }, "{text}");
    }
    assert_eq!(check("HC1:", &[], now()).steps.zlib, Some(false));
    assert_eq!(check("HC1:äöü", &[], now()).steps.base45, Some(false));
}

/// Whether a JSON value contains an empty string.
fn has_empty_text(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.is_empty(),
        serde_json::Value::Array(values) => values.iter().any(has_empty_text),
        serde_json::Value::Object(fields) => fields.values().any(has_empty_text),
        _ => false,
    }
}

proptest::proptest! {
    #[test]
    fn any_name_gives_a_valid_payload(name in "(\\PC{1,100}|[ \\p{L}'.-]{1,250})") {
        if bukti_domain::PersonName::parse(&name).is_some() {
            let (signer, trusted) = signer();
            for vaccine in ["Moderna", "bOPV"] {
                let checked = check(&sealed(&signer, &name, vaccine), std::slice::from_ref(&trusted), now());
                proptest::prop_assert_eq!(checked.steps, ALL_PASSED);
                proptest::prop_assert!(!has_empty_text(&checked.payload.unwrap()));
            }
        }
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in "(HC1:)?\\PC{0,200}") {
        check(&text, &[], now());
    }

    #[test]
    fn arbitrary_message_does_not_panic(message in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let checked = check(&text_of(&message), &[], now());
        proptest::prop_assert_eq!(checked.steps.zlib, Some(true));
        proptest::prop_assert_ne!(checked.steps.signature, Some(true));
    }

    #[test]
    fn arbitrary_claims_do_not_panic(payload in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let parts = vec![Value::Bytes(vec![]), map(vec![(1, integer(-7))]), Value::Bytes(payload), Value::Bytes(vec![0; 64])];
        let checked = check(&text_of(&bytes(&Value::Array(parts))), &[], now());
        proptest::prop_assert_eq!(checked.steps.cose, Some(true));
    }
}
